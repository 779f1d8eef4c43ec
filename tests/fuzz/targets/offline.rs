//! A reading that a desk made without the service.
#![no_main]

use card::offline::OfflineReading;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Whatever is read as a reading names a card and a desk.
    if let Some(reading) = OfflineReading::decode(bytes) {
        assert!(!reading.desk.is_empty());
    }
});
