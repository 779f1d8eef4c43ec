//! A reading that a desk made without the service.
#![no_main]

use card::offline::{OfflineReading, Proof, Refusal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Whatever is read as a reading names a card and a desk, and a forged card was refused.
    if let Some(reading) = OfflineReading::decode(bytes) {
        assert!(!reading.desk.is_empty());
        let refused = reading.refusal == Some(Refusal::NotGenuine);
        assert_eq!(reading.proof == Proof::Forged, refused);
    }
});
