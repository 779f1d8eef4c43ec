//! The manifest of a bundle of rules of access.
#![no_main]

use audit::rules::{self, Manifest};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The generator of the curve: the fuzzer does not sign.
    const KEY: [u8; 65] = *b"\x04\
        \x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94\
        \x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89\x33\x4c\x74\xc7\
        \xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53\
        \xd0\xa9\x87\x7c\xc6\x2a\x47\x40\x02\xdf\x32\xe5\x21\x39\xf0\xa0";
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(rules::check(text, &KEY).is_err(), "signed by nobody");
    // There is one form: what is read is written as it was.
    if let Ok(manifest) = Manifest::read(text) {
        assert!(text.starts_with(&format!("{manifest}\nsignature ")));
    }
});
