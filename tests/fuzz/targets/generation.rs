//! What comes with an address below `/ca` and `/crl`: the name of an authority's key. What is
//! accepted has one spelling.
//!
//! The parser is built alone: the service would bring its database and its network along.
#![no_main]

#[path = "../../../service/src/generation.rs"]
#[expect(dead_code, reason = "the rest of the service uses it")]
mod generation;

use generation::Generation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = text.parse::<Generation>() {
        assert_eq!(read.to_string(), text);
        assert_eq!(read.key().name(), text);
    }
});
