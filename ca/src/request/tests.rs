use proptest::prelude::*;

use hsm::sm2::{open_envelope, seal_envelope};

use super::*;
use crate::{
    Order, Profile,
    der::{bit_string, oid as write_oid, set_of},
    workshop::{DOCTOR_KEY, Hospital, ISSUED, PEOPLE_KEY, key, serial},
};

fn name() -> Name {
    Name::of_authority("a hospital", "somebody").expect("a good name")
}

#[test]
fn a_request_proves_its_key() {
    let der = request(&name(), &key(7)).expect("software keys sign");
    let read = CertificateRequest::parse(&der).expect("what is written is read");
    assert_eq!(read.public_key(), key(7).public());
    assert_eq!(*read.subject(), name());
    assert_eq!(format!("{read:?}"), "CertificateRequest(..)");
}

/// CertificationRequest with these parts in place of good ones, for key 7, signed by key `signer`.
fn made(version: &[u8], subject: &[u8], key_info: &[u8], attributes: &[u8], signer: u8) -> Vec<u8> {
    let body = sequence(&[version, subject, key_info, attributes]);
    let signer = key(signer);
    let signature = signer.sign(&key(7).digest(&body)).expect("software keys sign");
    Signed::write(&body, &signature)
}

#[test]
fn a_field_that_is_not_as_it_should_be_is_refused() {
    use RequestError as E;
    let (v1, info, none) =
        (&[tag::INTEGER, 1, 0][..], key(7).public().to_spki_der(), tlv(tag::constructed(0), &[]));
    let subject = name().der().to_vec();
    let challenge = |values: &[&[u8]]| {
        let kind = write_oid(&const_oid::ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7"));
        sequence(&[&kind, &tlv(tag::SET, values)])
    };
    let with = |attributes: Vec<Vec<u8>>| set_of(tag::constructed(0), attributes);
    let empty_id = {
        let body = sequence(&[v1, &subject, &info, &none]);
        let id = SignerId::new(b"").expect("short enough");
        let signature =
            key(7).sign(&key(7).public().digest(&id, &body)).expect("software keys sign");
        Signed::write(&body, &signature)
    };
    let other_algorithm = {
        let good = made(v1, &subject, &info, &none, 7);
        let parts = Signed::read(&good).expect("well formed");
        sequence(&[parts.body, &algorithm::sm3(), &bit_string(parts.signature)])
    };
    let good = made(v1, &subject, &info, &none, 7);
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<RequestError>)> = vec![
        ("as it should be", good.clone(), None),
        ("without a name", made(v1, &sequence(&[]), &info, &none, 7), None),
        ("with an attribute", made(v1, &subject, &info, &with(vec![challenge(&[&[0x0c, 1, b'a']])]), 7), None),
        ("RFC 2986, 4.1: version 2", made(&[tag::INTEGER, 1, 1], &subject, &info, &none, 7), Some(E::Version)),
        ("RFC 2986, 4.1: no attributes field", made(v1, &subject, &info, &[], 7), Some(E::Der(DerError::Tag { expected: 0xa0 }))),
        ("attribute without a value", made(v1, &subject, &info, &with(vec![challenge(&[])]), 7), Some(E::Der(DerError::Count))),
        ("not a key", made(v1, &subject, &sequence(&[]), &none, 7), Some(E::Key)),
        ("signed by another key", made(v1, &subject, &info, &none, 8), Some(E::NoPossession)),
        ("signed with the empty identifier", empty_id, Some(E::NoPossession)),
        ("other algorithm", other_algorithm, Some(E::Algorithm)),
        ("trailing octet", [&good[..], &[0]].concat(), Some(E::Der(DerError::Trailing))),
        ("too long", vec![0x30; CertificateRequest::MAX_LEN + 1], Some(E::TooLong)),
    ];
    for (what, der, why) in cases {
        assert_eq!(CertificateRequest::parse(&der).err(), why, "{what}");
    }
}

#[test]
fn no_octet_can_be_changed() {
    let der = request(&name(), &key(7)).expect("software keys sign");
    let mut unproved = 0;
    for at in 0..der.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = der.clone();
            changed[at] ^= change;
            match CertificateRequest::parse(&changed) {
                Ok(_) => panic!("octet {at}, change {change:02x}"),
                Err(RequestError::NoPossession) => unproved += 1,
                Err(_) => {}
            }
        }
    }
    assert!(unproved > 50, "{unproved} changed requests were well formed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_octets_are_no_request(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(CertificateRequest::parse(&octets).is_err());
    }
}

#[test]
fn an_answer_has_both_certificates_and_the_envelope_under_implicit_tags() {
    let hospital = Hospital::new();
    let order = |profile, subject, of: u8| Order {
        profile,
        subject,
        public_key: key(of).public().clone(),
        days: None,
        identifiers: Vec::new(),
    };
    let subject = hospital.doctor.subject().clone();
    let draft =
        hospital.people.draft(order(Profile::PersonEncryption, subject, 8), serial(8), ISSUED);
    let encryption = draft.and_then(|draft| draft.sign(&key(PEOPLE_KEY))).expect("signed");
    let envelope = seal_envelope(hospital.doctor.public_key(), &key(8));
    let answer = answer(&hospital.doctor, &envelope, &encryption).expect("an envelope");

    let mut fields = Reader::only(&answer, tag::SEQUENCE).expect("a sequence");
    let set = |reader: Reader<'_>| reader.set_elements(2).expect("a set").concat();
    assert_eq!(set(fields.nested(tag::SET).expect("[0]")), hospital.doctor.der());
    let inside = fields.value(tag::constructed(0)).expect("[0]");
    let opened = open_envelope(&key(DOCTOR_KEY), &sequence(&[inside])).expect("the doctor's");
    assert_eq!(opened.public(), encryption.public_key());
    assert_eq!(set(fields.nested(tag::constructed(1)).expect("[1]")), encryption.der());
    fields.end().expect("nothing more");
    assert_eq!(encryption.subject(), hospital.doctor.subject());

    assert!(super::answer(&hospital.doctor, &envelope[1..], &encryption).is_err());
}
