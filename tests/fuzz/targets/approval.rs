//! What operators sign about a certificate that is to be issued.
#![no_main]

use audit::approval::Statement;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(statement) = Statement::read(text) {
        assert_eq!(statement.to_string(), text, "one form only");
    }
});
