//! An image of an emulated card.
#![no_main]

use card_emulator::Image;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(image) = Image::from_toml(text) {
        let again = Image::from_toml(&image.to_toml()).expect("what was read can be written");
        assert_eq!(again.files, image.files);
        assert_eq!(again.blocked, image.blocked);
    }
});
