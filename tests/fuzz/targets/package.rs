//! A package of evidence, checked under whatever key it names, and its texts beside the entries.
#![no_main]

use std::io::Cursor;

use audit::{
    cosignature::WitnessKey,
    package::{Container, Manifest, check, vouchers},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(mut container) = Container::open(Cursor::new(data)) {
        let _ = check(&mut container, None, &[]);
    }
    if let Some(manifest) = std::str::from_utf8(data).ok().and_then(|text| Manifest::read(text).ok()) {
        assert_eq!(manifest.to_string().as_bytes(), data);
    }
    if let Ok(read) = vouchers::read(vouchers::WITNESSES, data) {
        let _: Option<&WitnessKey> = read.first().map(|it| &it.key);
        assert_eq!(vouchers::write(vouchers::WITNESSES, &read).as_bytes(), data);
    }
    if let Ok(read) = vouchers::read::<audit::note::OfLog>(vouchers::LOG_KEYS, data) {
        assert_eq!(vouchers::write(vouchers::LOG_KEYS, &read).as_bytes(), data);
    }
});
