//! A signed note and a verifier key.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = audit::checkpoint::Checkpoint::read_unverified(text);
        let _ = text.parse::<audit::checkpoint::VerifierKey>();
    }
});
