//! A card that is full: every item of every file says something, and every visit is valid.

use std::fmt::Write as _;

use card::layout::{FILES, Item, Kind, Profile, Structure, ddf1};

/// The files of a card of `profile` but those of DDF1, which say who holds it, in the form in which
/// `vcard make` takes them beside the person.
#[must_use]
pub fn every_item(profile: Profile) -> String {
    let mut text = String::new();
    let below = |file: &&'static card::layout::File| {
        file.name.directory != ddf1::ef05::FILE.name.directory && file.exists(profile)
    };
    for file in FILES.into_iter().filter(below) {
        let heading = match file.structure {
            Structure::Fixed { .. } | Structure::Cyclic { .. } => {
                format!("[[files.\"{}\".records]]\n", file.name)
            }
            _ => format!("[files.\"{}\"]\n", file.name),
        };
        let is_index = matches!(file.structure, Structure::Fixed { .. });
        let records = match file.structure {
            Structure::Fixed { .. } | Structure::Cyclic { .. } => file.records(profile),
            _ => 1,
        };
        for _ in 0..records {
            text += &heading;
            for item in file.items(profile) {
                // 0 is the entry of a valid record.
                let said = if is_index { "0".to_owned() } else { spelled(&item) };
                writeln!(text, "{} = \"{said}\"", item.element.item).expect("a string grows");
            }
        }
    }
    text
}

/// A value of the item's own, as far as its field has room: a code of its table, or its number.
#[must_use]
pub fn spelled(item: &Item) -> String {
    let element = &item.element;
    let number = usize::from(element.item);
    let room = usize::from(element.length);
    match (element.kind, element.codes.map(|codes| codes.entries)) {
        (_, Some(entries)) if !entries.is_empty() => entries[number % entries.len()].0.to_owned(),
        (Kind::Text, _) => format!("{number}项").chars().take(room / 2).collect(),
        (Kind::Digits, _) => (1 + number % 9).to_string(),
        (Kind::Amount, _) => format!("{}.5", number % 1000),
        (Kind::Date, _) => format!("2024-{:02}-{:02}", 1 + number % 12, 1 + number % 28),
        (Kind::DateTime, _) => format!("2024-02-29T08:{:02}:00", number % 60),
        (Kind::Flag, _) => (number % 2 == 0).to_string(),
        (Kind::Bytes, _) => format!("{:02X}", 1 + number % 250).repeat(room),
    }
}
