//! A leaf of the log; what is accepted has this one encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(entry) = audit::Entry::decode(data) {
        assert_eq!(entry.encode().expect("what was read can be written"), data);
    }
});
