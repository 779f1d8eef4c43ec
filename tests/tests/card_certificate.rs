//! The openssl command verifies the certificates of card issuers and SAMs, and the signature of a record: the signed
//! bytes are the first of the file, the signature is the rest.

use card::certificate::CardCertificate;
use card::{Pin, RecordSigner as _, Sam, SamSecurityModule};
use card_emulator::{InMemory, Masters, sample};
use tests::openssl::{Over, verifies};

#[test]
fn openssl_verifies_card_certificates_and_records() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample::sam_image();
    let issuer = CardCertificate::parse(&image.issuer_certificate).unwrap();
    let issuer_key = &issuer.body().key;
    for certificate in [&image.issuer_certificate[..], &image.certificate[..]] {
        let (body, signature) = certificate.split_at(certificate.len() - 64);
        assert!(verifies(directory.path(), issuer_key, signature, Over::Message(body)));
        let mut changed = body.to_vec();
        changed[40] ^= 1;
        assert!(!verifies(directory.path(), issuer_key, signature, Over::Message(&changed)));
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
    assert!(verifies(directory.path(), key, signature.as_raw(), Over::Digest(&digest)));
    assert!(!verifies(directory.path(), key, signature.as_raw(), Over::Message(&record)));
}
