//! A reply to a query for a time stamp, and the token in it.
#![no_main]

use ca::timestamp::{Reply, Token};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(reply) = Reply::parse(data) {
        assert!(Token::parse(reply.token().der()).is_ok());
    }
    let _ = Token::parse(data);
});
