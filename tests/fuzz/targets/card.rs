//! Commands to an emulated card, issued or blank; the first byte of each piece is its length. Every
//! one is answered by a response, and what the card then holds can be written and read.
#![no_main]

use card_emulator::card::Outcome;
use card_emulator::{Image, personalise, sample};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let person = sample::person();
    let image = match kind % 2 {
        0 => sample::image(),
        _ => {
            let transport = sample::transport_master();
            personalise::blank(person.factor, person.profile, &transport).expect("it derives")
        }
    };
    let mut card = sample::card(image);
    // Most commands need a selected file.
    for start in [&b"\x00\xA4\x00\x00\x02\xDD\xF1"[..], b"\x00\xA4\x00\x00\x02\xEF\x08"] {
        card.exchange(start);
    }
    while let Some((&length, tail)) = rest.split_first() {
        let (command, tail) = tail.split_at(tail.len().min(length.into()));
        rest = tail;
        match card.exchange(command) {
            Outcome::Answer(answer) => assert!(card::Response::parse(&answer).is_ok()),
            other => panic!("a card without faults: {other:?}"),
        }
    }
    let again = Image::from_toml(&card.image().to_toml()).expect("what it holds can be written");
    assert_eq!(again.files, card.image().files);
});
