//! A certificate; what is accepted has this one encoding, and what identifies its holder is kept as it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = ca::Certificate::parse(data) {
        assert_eq!(certificate.der(), data);
        let known: Vec<_> = ca::IdentifierOid::known().collect();
        for identifier in certificate.identifiers(&known) {
            let raw = &identifier.raw;
            assert!(raw.is_empty() || data.windows(raw.len()).any(|run| run == raw));
        }
    }
});
