//! A certificate; what is accepted has this one encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = ca::Certificate::parse(data) {
        assert_eq!(certificate.der(), data);
    }
});
