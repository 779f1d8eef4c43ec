//! What a reader scanned: both forms of an electronic card's code; what is accepted has this one text.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use card::code::{Code, MAX_CODE};
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(code) = text.parse::<Code>()
    {
        assert!(text.len() <= MAX_CODE);
        assert_eq!(code.to_string(), text);
        assert!(!format!("{code:?}").contains(&text[..64]));
    }
});
