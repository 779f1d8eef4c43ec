//! A time as entries have it.

use std::{fmt, str::from_utf8};

use crate::entry::is_instant;

/// A time in the one form that entries have: of two the later one is the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant([u8; 27]);

impl Instant {
    /// Reads it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        is_instant(text).then_some(())?;
        text.as_bytes().try_into().ok().map(Self)
    }

    /// The same time of the same day so many months later; where that month has no such day, of the first of the next.
    /// `None` beyond the year 9999.
    #[must_use]
    pub fn months_later(self, months: u32) -> Option<Self> {
        let text = self.to_string();
        let number = |at: std::ops::Range<usize>| text.get(at)?.parse::<u64>().ok();
        let count = number(0..4)? * 12 + number(5..7)? - 1 + u64::from(months);
        let on = |count: u64, day: u64| {
            let (year, month) = (count / 12, count % 12 + 1);
            Self::read(&format!("{year:04}-{month:02}-{day:02}{}", text.get(10..)?))
        };
        on(count, number(8..10)?).or_else(|| on(count + 1, 1))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(from_utf8(&self.0).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
