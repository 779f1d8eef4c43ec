//! The answer of a card to a command.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(response) = card::Response::parse(data) {
        let _ = format!("{response:?}");
    }
});
