//! The openssl command verifies the certificates of card issuers and SAMs, and the signature of a record: the signed
//! bytes are the first of the file, the signature is the rest.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

use std::path::Path;
use std::process::Command;

use card::certificate::CardCertificate;
use card::{Pin, RecordSigner as _, Sam, SamSecurityModule};
use card_emulator::{InMemory, Masters, sample};
use hsm::sm2::{PublicKey, Signature};

/// Whether openssl accepts `signature` by `key` over SM3(Z ‖ `message`), or over `digest` as it is.
fn openssl(place: &Path, key: &PublicKey, signature: &[u8], over: Over<'_>) -> bool {
    let file = |name: &str, content: &[u8]| {
        let path = place.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let key = file("key.der", &key.to_spki_der());
    let der = Signature::from_raw(signature).unwrap().to_der();
    let signature = file("signature.der", &der);
    let mut command = Command::new("openssl");
    command.args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey"]).arg(key);
    command.arg("-sigfile").arg(signature);
    match over {
        Over::Message(message) => {
            command.args(["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]);
            command.arg("-in").arg(file("message", message));
        }
        Over::Digest(digest) => {
            command.arg("-in").arg(file("digest", digest));
        }
    }
    command.output().unwrap().status.success()
}

enum Over<'m> {
    Message(&'m [u8]),
    Digest(&'m [u8; 32]),
}

#[test]
fn openssl_verifies_card_certificates_and_records() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample::sam_image();
    let issuer = CardCertificate::parse(&image.issuer_certificate).unwrap();
    let issuer_key = &issuer.body().key;
    for certificate in [&image.issuer_certificate[..], &image.certificate[..]] {
        let (body, signature) = certificate.split_at(certificate.len() - 64);
        assert!(openssl(directory.path(), issuer_key, signature, Over::Message(body)));
        let mut changed = body.to_vec();
        changed[40] ^= 1;
        assert!(!openssl(directory.path(), issuer_key, signature, Over::Message(&changed)));
    }

    // A record that the SAM signed, over its digest without an identifier.
    let own = CardCertificate::parse(&image.certificate).unwrap();
    let sam = card_emulator::Sam::new(image, Masters::new(), Box::new(|_| ()));
    let module = SamSecurityModule::new(Sam::open(InMemory::new(sam)).unwrap());
    module.with_sam(|sam| sam.verify(&Pin::from_digits("123456").unwrap())).unwrap();
    let record = [9; 1639];
    let signature = module.sign(&record).unwrap();
    let digest = hsm::sm3::digest(&record);
    let key = &own.body().key;
    assert!(openssl(directory.path(), key, signature.as_raw(), Over::Digest(&digest)));
    assert!(!openssl(directory.path(), key, signature.as_raw(), Over::Message(&record)));
}
