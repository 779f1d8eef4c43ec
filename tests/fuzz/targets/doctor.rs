//! What `healthcard doctor sm2` reads: the first byte says as what the rest is looked at, after it was taken out of
//! whatever it is wrapped in.
#![no_main]

use hsm::sm2::SecretKey;
use sm2_doctor::{certificate, ciphertext, key, reproduce, signature, wrapping};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let (octets, _) = wrapping::unwrap(rest);
    let secret = SecretKey::from_be_bytes(&[0x39; 32]).expect("in range");
    match kind % 4 {
        0 => {
            for (_, signature) in signature::forms(&octets) {
                assert!(!signature.to_der().is_empty());
            }
        }
        1 => {
            for reading in ciphertext::readings(&octets, Some(&secret)) {
                assert!(!reproduce::ciphertext(&reading.ciphertext).openssl.is_empty());
            }
        }
        2 => {
            let read = key::read(&octets);
            if let Some(secret) = key::secret(&octets) {
                let public = key::public(&octets).map(|key| *key.as_sec1());
                assert!(read.is_none() || public == Some(*secret.public().as_sec1()));
            }
        }
        _ => {
            let _ = certificate::read(&octets, Some(secret.public()), &[]);
        }
    }
});
