//! A signed note, with what witnesses signed below it, and the keys of both.
#![no_main]

use audit::{
    checkpoint::{Checkpoint, VerifierKey},
    cosignature::{self, WitnessKey},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Checkpoint::read_unverified(text);
        let _ = text.parse::<VerifierKey>();
        let _ = text.parse::<WitnessKey>();
        if let Some((note, line)) = text.split_at_checked(text.len() / 2) {
            let _ = cosignature::cosigned(note, &[line]);
        }
    }
});
