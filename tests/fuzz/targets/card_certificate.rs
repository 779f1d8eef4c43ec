//! Certificates of card issuers and SAMs, and a record's signature beside one.
#![no_main]

use card::certificate::CardCertificate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = CardCertificate::parse(data) {
        assert_eq!(certificate.to_bytes(), data);
        let day = certificate.body().valid_from;
        let _ = certificate.verify(&certificate, day);
        let _ = card::record_signature::verify(data, &[1; 64], data, &certificate, day);
    }
    let _ = CardCertificate::stored(data);
});
