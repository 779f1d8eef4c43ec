//! Every sentence for people, in Chinese and English, and nothing else.

mod access;
mod audit;
mod emergency;
mod erasure;
mod history;
mod label;
mod problem;
pub(crate) mod sm2;
mod staff;
mod warning;
mod word;

use std::{env, ffi::OsString};

pub(crate) use self::{
    access::*,
    audit::*,
    emergency::*,
    erasure::*,
    history::*,
    label::*,
    problem::{Problem, problems},
    staff::*,
    warning::*,
    word::{Word, name_of, parser, word_named, word_of},
};

/// Language of what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    /// 中文
    #[value(name = "zh-CN", alias = "zh")]
    Zh,
    /// English
    #[value(name = "en")]
    En,
}

impl Lang {
    /// The language asked for, found before the arguments are parsed so that `--help` and usage
    /// errors speak it too. What is not understood here is refused by the parser afterwards.
    pub(crate) fn early(arguments: &[OsString]) -> Self {
        let mut texts = arguments.iter().filter_map(|argument| argument.to_str());
        let mut chosen = env::var("LANG_UI").ok();
        while let Some(text) = texts.next() {
            if text == "--lang" {
                chosen = texts.next().map(str::to_owned);
            } else if let Some(value) = text.strip_prefix("--lang=") {
                chosen = Some(value.to_owned());
            }
        }
        if chosen.as_deref() == Some("en") { Self::En } else { Self::Zh }
    }
}

/// One sentence or word in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) zh: &'static str,
    pub(crate) en: &'static str,
}

impl Text {
    pub(crate) const fn new(zh: &'static str, en: &'static str) -> Self {
        Self { zh, en }
    }

    /// The text in one language.
    pub(crate) fn speak(self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }

    /// The text with each `{}` replaced, in order.
    pub(crate) fn fill(self, lang: Lang, values: &[&str]) -> String {
        let mut parts = self.speak(lang).split("{}");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for (index, part) in parts.enumerate() {
            filled.push_str(values.get(index).copied().unwrap_or_default());
            filled.push_str(part);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_is_found_before_parsing() {
        let cases: [(&[&str], Lang); 4] = [
            (&["healthcard", "--lang", "en", "status"], Lang::En),
            (&["healthcard", "status", "--lang=en"], Lang::En),
            (&["healthcard", "--lang", "zh-CN"], Lang::Zh),
            (&["healthcard", "--lang", "fr"], Lang::Zh),
        ];
        for (arguments, lang) in cases {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert_eq!(Lang::early(&arguments), lang, "{arguments:?}");
        }
    }

    #[test]
    fn blanks_are_filled_in_order() {
        let text = Text::new("{}，共 {} 条", "{}, {} in all");
        assert_eq!(text.fill(Lang::Zh, &["甲", "2"]), "甲，共 2 条");
        assert_eq!(text.fill(Lang::En, &["a", "2"]), "a, 2 in all");
    }
}
