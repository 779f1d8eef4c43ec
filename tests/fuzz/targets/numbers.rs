//! Other numbers of residents, and by what residents are compared: what is accepted has one spelling. The first byte
//! is the kind; issuer and number are parted by a line end.
//!
//! The parsers are built alone: the service would bring its database and its network along.
#![no_main]

#[path = "../../../service/src/likeness.rs"]
mod likeness;
#[path = "../../../service/src/numbers.rs"]
#[expect(dead_code, reason = "the rest of the service uses it")]
mod numbers;
#[path = "../../../service/src/vocabulary.rs"]
#[expect(unused_imports, reason = "the rest of the service uses it")]
mod vocabulary;

use numbers::{BoundNumber, NumberKind};
use time::macros::date;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let kind = NumberKind::ALL[usize::from(kind) % NumberKind::ALL.len()];
    let (issuer, number) = text.split_once('\n').unwrap_or(("", text));
    if let Ok(read) = BoundNumber::parse(kind, issuer, number) {
        assert_eq!(BoundNumber::parse(kind, read.issuer(), read.number()), Ok(read.clone()));
        assert_eq!(BoundNumber::from_joined(kind, &read.joined()), Ok(read));
    }
    let born = likeness::name_and_birth_date(text, date!(1949 - 06 - 12));
    let (key, _) = born.rsplit_once('|').expect("the date is behind it");
    assert_eq!(likeness::name_and_birth_date(key, date!(1949 - 06 - 12)), born);
    let _ = likeness::name_and_phone(text, issuer);
});
