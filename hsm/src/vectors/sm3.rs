use super::{Accepted, Plan};
use crate::{kdf, sm2, sm3};

#[test]
fn digests() {
    Plan::all("sm3.json").run(|case| {
        let message = case.octets("message");
        assert_eq!(sm3::digest(&message)[..], case.octets("digest"), "{}", case.id());
        // The same in pieces.
        let mut hasher = sm3::Hasher::new();
        message.chunks(7).for_each(|piece| hasher.update(piece));
        assert_eq!(hasher.finalize()[..], case.octets("digest"), "{}", case.id());
        Accepted
    });
}

#[test]
fn hmac() {
    Plan::all("hmac_sm3.json").run(|case| {
        let (key, message) = (case.octets("key"), case.octets("message"));
        sm3::verify_hmac(&key, &[&message], &case.octets("tag")).into()
    });
}

#[test]
fn key_derivation() {
    Plan::all("kdf_sm3.json").run(|case| {
        let bytes = case.number("bytes");
        match case.group["kdf"].as_str().unwrap() {
            "SM2-KDF" => {
                let key = sm2::key_stream(&case.octets("z"), bytes);
                assert_eq!(*key, case.octets("key"), "{}", case.id());
            }
            "HKDF-SM3" => {
                // Our function gives a length fixed by its type; a longer output begins alike.
                let okm = case.octets("okm");
                let (salt, ikm, info) =
                    (case.octets("salt"), case.octets("ikm"), case.octets("info"));
                let long = kdf::hkdf::<128>(&salt, &ikm, &info);
                assert_eq!(long[..bytes], okm, "{}", case.id());
                let prk = sm3::hmac(&salt, &[&ikm]);
                assert_eq!(prk[..], case.octets("prk"), "{}", case.id());
            }
            "PBKDF2-HMAC-SM3" => {
                let iterations = u32::try_from(case.number("iterations")).unwrap();
                let key = kdf::pbkdf2::<128>(
                    &case.octets("password"),
                    &case.octets("salt"),
                    iterations.try_into().unwrap(),
                );
                assert_eq!(key[..bytes], case.octets("key"), "{}", case.id());
            }
            other => panic!("unknown derivation {other}"),
        }
        Accepted
    });
}
