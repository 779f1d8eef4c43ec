//! What software asks of the desk agent, and what it is told: both directions of the interface.
#![no_main]

use card::agent::{Answer, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    // There is one form: whatever is read is written as it was.
    if let Some(request) = Request::decode(message) {
        let again = request.encode().expect("what was read can be written");
        assert_eq!(&again[4..], message);
    }
    if let Some(answer) = Answer::decode(message) {
        let again = answer.encode().expect("what was read can be written");
        assert_eq!(&again[4..], message);
    }
});
