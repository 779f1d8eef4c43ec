//! What people read: a title, labelled rows, a table. Columns align by the width of characters on a
//! terminal, where a Chinese one takes two places.

use audit::Entry;
use time::{
    OffsetDateTime,
    format_description::{StaticFormatDescription, well_known::Rfc3339},
    macros::format_description,
};
use unicode_width::UnicodeWidthStr as _;

use crate::{
    clock,
    failure::Both,
    text::{self, Lang, Text},
};

/// A value in either language, or in none.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Plain(String),
    Spoken(Text),
    /// A sentence with its blanks filled.
    Filled(Text, Vec<String>),
    /// A text that came in both languages.
    Both(Both),
    /// A value behind a mark.
    Marked(&'static str, Box<Cell>),
    /// Words one after another.
    Listed(Vec<Text>),
    /// Values one after another.
    Joined(Vec<Cell>),
    /// What becomes of a value: the one before, and the one after.
    Changed(Text, Box<[Cell; 2]>),
}

/// One screenful.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    title: Option<Cell>,
    rows: Vec<(Text, Cell)>,
    table: Option<(Vec<Text>, Vec<Vec<Cell>>)>,
    notes: Vec<Cell>,
    below: Vec<Page>,
}

impl Cell {
    pub(crate) fn speak(&self, lang: Lang) -> String {
        match self {
            Self::Plain(text) => printable(text),
            Self::Spoken(text) => text.speak(lang).to_owned(),
            Self::Filled(text, values) => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                printable(&text.fill(lang, &values))
            }
            Self::Marked(mark, value) => format!("{mark} {}", value.speak(lang)),
            Self::Both(text) => printable(text.speak(lang)),
            Self::Joined(values) => {
                let values: Vec<_> = values.iter().map(|value| value.speak(lang)).collect();
                values.join(match lang {
                    Lang::Zh => "；",
                    Lang::En => "; ",
                })
            }
            Self::Changed(label, values) => {
                let [from, to] = values.each_ref().map(|value| value.speak(lang));
                text::STAFF_FIELD.fill(lang, &[label.speak(lang), &from, &to])
            }
            Self::Listed(words) => {
                let words: Vec<_> = words.iter().map(|word| word.speak(lang)).collect();
                words.join(match lang {
                    Lang::Zh => "、",
                    Lang::En => ", ",
                })
            }
        }
    }
}

impl Page {
    pub(crate) fn titled(title: Text) -> Self {
        Self { title: Some(Cell::Spoken(title)), ..Self::default() }
    }

    /// A page with a title that came in both languages.
    pub(crate) fn headed(title: Cell) -> Self {
        Self { title: Some(title), ..Self::default() }
    }

    /// Adds a row; an empty value is left out.
    pub(crate) fn row(mut self, label: Text, value: impl Into<Cell>) -> Self {
        let value = value.into();
        if !matches!(&value, Cell::Plain(text) if text.is_empty()) {
            self.rows.push((label, value));
        }
        self
    }

    /// Adds a row if there is a value.
    pub(crate) fn maybe(self, label: Text, value: Option<impl Into<Cell>>) -> Self {
        match value {
            Some(value) => self.row(label, value),
            None => self,
        }
    }

    pub(crate) fn table(mut self, headings: &[Text], lines: Vec<Vec<Cell>>) -> Self {
        self.table = Some((headings.to_vec(), lines));
        self
    }

    /// Adds a sentence below.
    pub(crate) fn note(mut self, note: impl Into<Cell>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Puts another page below this one.
    pub(crate) fn below(mut self, page: Page) -> Self {
        self.below.push(page);
        self
    }

    /// The page as lines of text, each ended.
    pub(crate) fn render(&self, lang: Lang) -> String {
        let mut lines = Vec::new();
        lines.extend(self.title.as_ref().map(|title| title.speak(lang)));
        let width = self.rows.iter().map(|(label, _)| label.speak(lang).width()).max().unwrap_or(0);
        for (label, value) in &self.rows {
            let label = label.speak(lang);
            let indent = " ".repeat(width - label.width() + 2);
            // Further lines of a value start below its first.
            let below = format!("\n{}", " ".repeat(width + 4));
            lines.push(format!("  {label}{indent}{}", value.speak(lang).replace('\n', &below)));
        }
        if let Some((headings, records)) = &self.table {
            let heading = headings.iter().map(|text| text.speak(lang).to_owned()).collect();
            let records = records.iter().map(|cells| cells.iter().map(|cell| cell.speak(lang)));
            lines.extend(columns(std::iter::once(heading).chain(records.map(Iterator::collect))));
        }
        lines.extend(self.notes.iter().map(|note| note.speak(lang)));
        let own: String = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect();
        self.below.iter().fold(own, |text, page| text + &page.render(lang))
    }
}

/// Records as aligned lines.
fn columns(records: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let records: Vec<_> = records.collect();
    let mut widths = Vec::new();
    for record in &records {
        widths.resize(widths.len().max(record.len()), 0);
        for (width, cell) in widths.iter_mut().zip(record) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |record: &Vec<String>| {
        let padded = record
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("  {cell}{}", " ".repeat(width - cell.width())));
        padded.collect::<String>()
    };
    records.iter().map(line).collect()
}

/// The text without control characters, which could rewrite the terminal, and without those that turn the direction of
/// what follows. Line ends stay.
fn printable(text: &str) -> String {
    let unsafe_here = |c: char| (c.is_control() && c != '\n') || turns(c);
    text.chars().map(|c| if unsafe_here(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a character changes the direction of the text after it.
pub(crate) fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const INSTANT: StaticFormatDescription = format_description!(
    "[year]-[month]-[day] [hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]"
);

/// A time as people read it here: by the desk's clock, whole seconds, its zone beside it so that
/// it can be pasted into a command.
pub(crate) fn instant(at: OffsetDateTime) -> String {
    at.to_offset(clock::DESK).format(INSTANT).unwrap_or_default()
}

/// The time of an entry of the log.
pub(crate) fn entry_instant(entry: &Entry) -> String {
    let nanoseconds = i128::from(entry.at_microseconds()) * 1000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).map(instant).unwrap_or_default()
}

/// A time that an entry of the log says.
pub(crate) fn log_instant(at: audit::segment::Instant) -> String {
    OffsetDateTime::parse(&at.to_string(), &Rfc3339).map(instant).unwrap_or_default()
}

/// A time of a message.
pub(crate) fn timestamp(at: Option<&prost_types::Timestamp>) -> Option<String> {
    at.and_then(|at| OffsetDateTime::from_unix_timestamp(at.seconds).ok()).map(instant)
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Plain(text.clone())
    }
}

impl From<Text> for Cell {
    fn from(text: Text) -> Self {
        Self::Spoken(text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Plain(number.to_string())
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Plain(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use audit::{Actor, Outcome};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn chinese_and_latin_align() {
        let page = Page::titled(text::RESIDENT)
            .row(text::NAME, "王秀英")
            .row(text::ID_NUMBER, "11010119000307473X")
            .row(text::PHONE, "");
        assert_eq!(
            page.render(Lang::Zh),
            "居民\n  姓名      王秀英\n  身份证号  11010119000307473X\n"
        );
        assert_eq!(
            page.render(Lang::En),
            "Resident\n  Name       王秀英\n  ID number  11010119000307473X\n"
        );
    }

    #[test]
    fn tables_align() {
        let lines = vec![
            vec![Cell::from("王秀英"), Cell::from(7_u64)],
            vec![Cell::from("Li"), Cell::from(12_u64)],
        ];
        let page = Page::titled(text::IDENTITIES).table(&[text::NAME, text::NUMBER], lines);
        assert_eq!(page.render(Lang::Zh), "身份\n  姓名    工号\n  王秀英  7\n  Li      12\n");
    }

    #[test]
    fn times_are_those_of_the_desk() {
        let cases = [
            (datetime!(2026-11-23 08:05:09.999999 UTC), "2026-11-23 16:05:09+08:00"),
            (datetime!(2026-12-31 16:00 UTC), "2027-01-01 00:00:00+08:00"),
            (datetime!(2027-01-01 00:00 +8), "2027-01-01 00:00:00+08:00"),
        ];
        for (at, expected) in cases {
            assert_eq!(instant(at), expected);
        }
        let id = "0193e5a0-0000-7000-8000-000000000001";
        let at = "2026-11-23T08:05:09.999999Z";
        let entry = Entry::new(id, at, "card.read", Outcome::Granted, Actor::default());
        assert_eq!(entry_instant(&entry), "2026-11-23 16:05:09+08:00");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let page = Page::default().row(text::NAME, "a\u{1b}[2Jb\r\u{202e}c");
        assert_eq!(page.render(Lang::En), "  Name  a\u{fffd}[2Jb\u{fffd}\u{fffd}c\n");
    }
}
