//! The file of a custodian's share.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(share) = text.parse::<hsm::soft::Share>() {
        assert_eq!(*share.to_text(), text, "there is one text of a share");
    }
});
