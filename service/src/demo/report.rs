//! What the demo tells: one step after the other, for people in Chinese or English, for programs in JSON.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use super::DemoError;

/// A text in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    zh: String,
    en: String,
}

/// The same in Chinese and in English.
pub(super) fn text(zh: impl Into<String>, en: impl Into<String>) -> Text {
    Text { zh: zh.into(), en: en.into() }
}

/// The language of the texts for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// 中文
    #[default]
    Chinese,
    /// English
    English,
}

impl std::str::FromStr for Language {
    type Err = &'static str;

    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        match tag {
            "zh-CN" => Ok(Self::Chinese),
            "en" => Ok(Self::English),
            _ => Err("zh-CN, en"),
        }
    }
}

impl Language {
    /// The language `LANG_UI` asks for; Chinese unless it begins with `en`.
    #[must_use]
    pub fn from_environment() -> Self {
        match std::env::var("LANG_UI") {
            Ok(asked) if asked.starts_with("en") => Self::English,
            _ => Self::Chinese,
        }
    }

    /// Its tag, as `LANG_UI` and the command line want it.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// The text in this language.
    #[must_use]
    fn of(self, text: &Text) -> &str {
        match self {
            Self::Chinese => &text.zh,
            Self::English => &text.en,
        }
    }
}

/// How the steps are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Lines,
    /// One JSON object a step, one a line.
    Json,
}

/// Columns of a step's title, and of who does it.
const TITLE: usize = 48;
const WHO: usize = 24;

/// Prints steps as they happen and remembers them for the table at the end.
pub(super) struct Report {
    language: Language,
    form: Form,
    told: Vec<Told>,
}

struct Told {
    title: Text,
    who: Text,
    took: Duration,
}

impl Report {
    pub(super) fn new(language: Language, form: Form) -> Self {
        Self { language, form, told: Vec::new() }
    }

    /// Does one step and tells what came of it. `id` is stable, for programs.
    pub(super) fn step(
        &mut self,
        id: &'static str,
        title: Text,
        who: Text,
        act: impl FnOnce() -> Result<Text, DemoError>,
    ) -> Result<(), DemoError> {
        let number = self.told.len() + 1;
        let started = Instant::now();
        let outcome = act();
        let took = started.elapsed();
        match self.form {
            Form::Json => {
                let (expected, what) = match &outcome {
                    Ok(what) => (true, what.clone()),
                    Err(error) => (false, text(error.chain(), error.chain())),
                };
                print(&json!({
                    "step": number, "id": id, "expected": expected,
                    "title": self.language.of(&title), "who": self.language.of(&who),
                    "what": self.language.of(&what), "took_ms": milliseconds(took),
                }))?;
            }
            Form::Lines => {
                let title = pad(self.language.of(&title), TITLE);
                let who = pad(self.language.of(&who), WHO);
                print(&format_args!("{number:>2}  {title} {who} {:>8.1} ms", milliseconds(took)))?;
                if let Ok(what) = &outcome {
                    for line in self.language.of(what).lines() {
                        print(&format_args!("    {line}"))?;
                    }
                }
            }
        }
        outcome?;
        self.told.push(Told { title, who, took });
        Ok(())
    }

    /// A remark between the steps, for people only.
    pub(super) fn say(&self, remark: &Text) -> Result<(), DemoError> {
        if self.form == Form::Lines {
            print(&format_args!("\n{}", self.language.of(remark)))?;
        }
        Ok(())
    }

    /// The table at the end.
    pub(super) fn summary(&self) -> Result<(), DemoError> {
        if self.form == Form::Json {
            return Ok(());
        }
        self.say(&text("小结：每一步都如预期。", "Summary: every step was as expected."))?;
        for (at, told) in self.told.iter().enumerate() {
            let title = pad(self.language.of(&told.title), TITLE);
            let who = pad(self.language.of(&told.who), WHO);
            print(&format_args!(
                "  ✓ {:>2}  {title} {who} {:>8.1} ms",
                at + 1,
                milliseconds(told.took)
            ))?;
        }
        Ok(())
    }
}

/// Standard output may be a pipe that closes early: that ends the demo, it is no reason to panic.
fn print(line: &dyn fmt::Display) -> Result<(), DemoError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(DemoError::Output)
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Pads to columns of a terminal, where a Chinese character takes two.
fn pad(text: &str, columns: usize) -> String {
    let wide = text.chars().map(|c| if u32::from(c) >= 0x2E80 { 2 } else { 1 }).sum::<usize>();
    format!("{text}{}", " ".repeat(columns.saturating_sub(wide)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_takes_two_columns() {
        for (text, padded) in [("abc", "abc   "), ("读卡", "读卡  "), ("读卡读卡", "读卡读卡")]
        {
            assert_eq!(pad(text, 6), padded);
        }
    }

    #[test]
    fn a_step_that_fails_is_not_counted() {
        let mut report = Report::new(Language::English, Form::Json);
        let refused = report.step("x", text("", ""), text("", ""), || {
            Err(DemoError::unexpected("a refusal", "a grant"))
        });
        assert!(matches!(refused, Err(DemoError::Unexpected { .. })));
        assert!(report.told.is_empty());
    }
}
