//! A snapshot, and what is offered to one who holds it; the first two bytes say where one ends. What every list begins
//! with is put before both, so that the rest is reached; an empty offer is the beginning alone.
#![no_main]

use card::status_list::{BadSignature, StatusList};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let (held, offered) = rest.split_at(rest.len().min(u16::from_be_bytes(*length).into()));
    let genuine = |_: &[u8; 32], _: &[u8], _: &[u8; 64]| Ok::<(), BadSignature>(());
    let (held, offered) =
        ([b"healthcard.cards\x01F", held].concat(), [b"healthcard.cards\x01", offered].concat());
    let Ok(held) = StatusList::open(&held, &genuine) else { return };
    if let Ok(list) = held.updated(&offered, &genuine) {
        assert_eq!(StatusList::open(&list.to_bytes(), &genuine), Ok(list));
    }
});
