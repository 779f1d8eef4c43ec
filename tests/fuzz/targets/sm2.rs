//! Keys, signatures and ciphertexts; what is accepted has this one encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use hsm::sm2::{Ciphertext, PublicKey, SecretKey, Signature};
    if let Ok(signature) = Signature::from_der(data) {
        assert_eq!(signature.to_der(), data);
    }
    if let Ok(key) = PublicKey::from_spki_der(data) {
        assert_eq!(key.to_spki_der(), data);
    }
    let _ = PublicKey::from_sec1(data);
    let _ = SecretKey::from_pkcs8_der(data);
    let _ = Ciphertext::from_der(data);
});
