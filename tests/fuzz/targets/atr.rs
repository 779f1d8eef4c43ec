//! An answer to reset.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(atr) = card::Atr::parse(data) {
        let _ = atr.card_factor();
    }
});
