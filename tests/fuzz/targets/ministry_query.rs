//! The question of a platform about a certificate. What is taken for one asks about a short text without control characters.
#![no_main]

#[path = "../../../service/cli/src/ministry/query.rs"]
mod query;

const NAMES: query::Names<'_> = query::Names {
    envelope: "http://schemas.xmlsoap.org/soap/envelope/",
    namespace: "urn:healthcard:certificate-platform",
    operation: "queryCert",
    serial: "certSN",
    identifier: "uniqueId",
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(query::Asked::Serial(text) | query::Asked::Identifier(text)) = query::read(data, NAMES) {
        assert!((1..=128).contains(&text.len()) && !text.chars().any(char::is_control));
    }
});
