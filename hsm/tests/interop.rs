//! Keys, signatures and ciphertexts that OpenSSL 3.0 and GmSSL 3.3 made.
#![expect(clippy::unwrap_used, reason = "in a test, a step that fails fails the test")]

use hsm::Sm2Decrypter;
use hsm::sm2::{
    BadSignature, Ciphertext, MalformedPrivateKey, PublicKey, SecretKey, Signature, SignerId,
};

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(file(name)).unwrap()
}

fn public_key(name: &str) -> PublicKey {
    let (label, der) = der::pem::decode_vec(text(name).trim_end().as_bytes())
        .map(|(label, der)| (label.to_owned(), der))
        .unwrap();
    assert_eq!(label, "PUBLIC KEY");
    PublicKey::from_spki_der(&der).unwrap()
}

#[test]
fn signatures_of_others_verify() {
    let empty = SignerId::new(b"").unwrap();
    for (source, key, message, signature, id, verdict) in [
        (
            "OpenSSL",
            "openssl/sign.pub.pem",
            "openssl/message.bin",
            "openssl/message.sig",
            SignerId::DEFAULT,
            Ok(()),
        ),
        (
            "OpenSSL without an identifier takes the empty one",
            "openssl/sign.pub.pem",
            "openssl/message.bin",
            "openssl/message.no-distid.sig",
            SignerId::DEFAULT,
            Err(BadSignature),
        ),
        (
            "the same",
            "openssl/sign.pub.pem",
            "openssl/message.bin",
            "openssl/message.no-distid.sig",
            empty,
            Ok(()),
        ),
        (
            "GmSSL",
            "gmssl/sign.pub.pem",
            "gmssl/message.bin",
            "gmssl/message.sig",
            SignerId::DEFAULT,
            Ok(()),
        ),
    ] {
        let key = public_key(key);
        let signature = Signature::from_der(&file(signature)).unwrap();
        assert_eq!(key.verify(&key.digest(&id, &file(message)), &signature), verdict, "{source}");
    }
}

#[test]
fn a_ciphertext_of_openssl_decrypts() {
    let key = SecretKey::from_pkcs8_pem(&text("openssl/sign.key")).unwrap();
    let ciphertext = Ciphertext::from_der(&file("openssl/message.enc.der")).unwrap();
    assert_eq!(*key.decrypt(&ciphertext).unwrap(), file("openssl/message.bin"));
}

#[test]
fn private_keys_of_openssl_are_read_and_written_alike() {
    let key = SecretKey::from_pkcs8_pem(&text("openssl/sign.key")).unwrap();
    assert_eq!(*key.public(), public_key("openssl/sign.pub.pem"));
    assert_eq!(*key.to_pkcs8_pem(), text("openssl/sign.key"));
    let der = SecretKey::from_pkcs8_der(&file("openssl/sign.pkcs8.der")).unwrap();
    assert_eq!(der.public(), key.public());
    // Only unencrypted PKCS#8 is read.
    for name in ["openssl/sign.sec1.pem", "openssl/sign.enc-sm4-sha256.pem", "gmssl/sign.key.pem"] {
        let refused = SecretKey::from_pkcs8_pem(&text(name)).unwrap_err();
        assert_eq!(refused, MalformedPrivateKey::Pem, "{name}");
    }
}
