//! What somebody typed, as the value of its element.

use time::Date;

use super::Why;
use crate::data::{CannotHold, Value};
use crate::layout::{Element, Kind};
use crate::value::{BadText, BadValue};

/// The value of `element`; nothing typed leaves it empty. People may write the label of a code, in
/// either language, and 是 or 否.
pub(super) fn value(element: &Element, text: Option<&str>) -> Result<Value, Why> {
    let Some(text) = text else { return Ok(Value::Empty) };
    if text.chars().any(char::is_control) {
        return Err(Why::Control);
    }
    let labelled = element.codes.and_then(|table| {
        table.entries.iter().find(|(_, zh, en)| *zh == text || *en == text).map(|it| it.0)
    });
    let text = match (element.kind, text) {
        (Kind::Flag, "是" | "有" | "yes") => "true",
        (Kind::Flag, "否" | "无" | "no") => "false",
        (_, text) => labelled.unwrap_or(text),
    };
    match Value::parse(element, text) {
        Ok(value) if value.is_unknown_code() => Err(Why::UnknownCode),
        Ok(value) => Ok(value),
        Err(bad) => Err(why(element, bad)),
    }
}

/// A date that exists.
pub(super) fn date(element: &Element, text: &str) -> Result<Date, Why> {
    match value(element, Some(text))? {
        Value::Date(date) => Ok(date),
        _ => Err(Why::NoSuchDate),
    }
}

fn why(element: &Element, bad: CannotHold) -> Why {
    match (bad, element.kind) {
        (CannotHold::Text(bad), _) => of_text(bad),
        (CannotHold::Empty, _) => Why::Missing,
        (_, Kind::Flag) => Why::NotFlag,
        (_, Kind::Date | Kind::DateTime) => Why::NoSuchDate,
        _ if element.codes.is_some() => Why::UnknownCode,
        (CannotHold::TooManyDigits { .. }, _) => Why::TooLong,
        (CannotHold::Spelling(BadValue::Control), _) => Why::Control,
        _ => Why::NotDigits,
    }
}

pub(super) fn of_text(bad: BadText) -> Why {
    match bad {
        BadText::Empty => Why::Missing,
        BadText::TooLong { .. } => Why::TooLong,
        BadText::Character { .. } => Why::NotGbk,
    }
}
