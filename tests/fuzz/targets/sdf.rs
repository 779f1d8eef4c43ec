//! Structures that a cryptographic device answers: keys, signatures, ciphertexts with their lengths.
#![no_main]

use hsm::sdf::{Code, Layout};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for layout in [Layout::Bits512, Layout::Bits256] {
        if let Ok(key) = layout.read_public_key(data) {
            assert!(data.starts_with(&layout.public_key(&key)));
        }
        if let Ok(signature) = layout.read_signature(data) {
            assert!(data.starts_with(&layout.signature(&signature)));
        }
        if let Ok(cipher) = layout.read_cipher(data) {
            assert!(data.starts_with(&layout.cipher(&cipher).expect("it was within bounds")));
        }
    }
    if let Some((number, _)) = data.split_first_chunk() {
        let number = u32::from_be_bytes(*number);
        assert!(Code::numbered(number).is_none_or(|code| code.number() == number));
    }
});
