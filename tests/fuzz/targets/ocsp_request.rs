//! A question about the status of certificates. What is read asks the same when it is written again.
#![no_main]

use ca::ocsp::{Question, question};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(read) = Question::parse(data) {
        let again = Question::parse(&question(read.ids(), read.nonce()));
        assert_eq!(again.as_ref(), Ok(&read));
    }
});
