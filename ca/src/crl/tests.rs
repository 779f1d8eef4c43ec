use proptest::prelude::*;
use time::Duration;

use super::*;
use crate::{
    der::{bit_string, oid as write_oid},
    workshop::{Hospital, ISSUED, NOW, PEOPLE_KEY, ROOT_KEY, crl, key, serial},
};

fn revocation(number: u8, reason: Reason) -> Revocation {
    Revocation { serial: serial(number), at: NOW, reason }
}

#[test]
fn what_is_listed_is_found() {
    let hospital = Hospital::new();
    let all: Vec<Revocation> = Reason::CODES
        .iter()
        .zip(10..)
        .map(|((reason, _), number)| revocation(number, *reason))
        .collect();
    let list = crl(&hospital.people, PEOPLE_KEY, 7, &all);
    let read = Crl::parse(list.der()).expect("what is written is read");
    assert_eq!(read.verify(hospital.people.certificate()), Ok(()));
    assert_eq!(read.len(), all.len());
    for entry in &all {
        assert_eq!(read.revocation(&entry.serial).as_ref(), Some(entry));
    }
    assert_eq!(read.revocation(&serial(99)), None);
    assert_eq!(read.edition().number, 7);
    assert_eq!(read.edition().next_update, ISSUED + Duration::days(7));
    assert!(crl(&hospital.people, PEOPLE_KEY, 1, &[]).is_empty());
}

#[test]
fn as_many_certificates_as_are_promised_have_room() {
    let hospital = Hospital::new();
    let entry = |number: u32| {
        let mut octets = [0xff; 16];
        octets[12..].copy_from_slice(&number.to_be_bytes());
        Revocation { serial: Serial::from_random(octets), at: NOW, reason: Reason::KeyCompromise }
    };
    let all: Vec<Revocation> = (0..160_000).map(entry).collect();
    let list = crl(&hospital.people, PEOPLE_KEY, 1, &all);
    assert_eq!(
        (list.len(), list.revocation(&all[99_999].serial)),
        (160_000, Some(all[99_999].clone()))
    );
}

#[test]
fn a_list_that_says_nothing_clear_is_not_drafted() {
    let hospital = Hospital::new();
    let edition = Edition { number: 1, this_update: ISSUED, next_update: NOW };
    let twice = [revocation(10, Reason::Hold), revocation(10, Reason::KeyCompromise)];
    let empty = Edition { next_update: ISSUED, ..edition };
    for (edition, entries) in [(edition, &twice[..]), (empty, &[])] {
        assert!(matches!(hospital.people.draft_crl(edition, entries), Err(IssueError::BadList)));
    }
    let draft = hospital.people.draft_crl(edition, &[]).expect("a draft");
    assert!(matches!(draft.sign(&key(ROOT_KEY)), Err(IssueError::WrongKey)));
}

/// TBSCertList with these parts in place of good ones, signed by the people's authority.
fn list(
    version: &[u8],
    algorithm: &[u8],
    times: &[u8],
    entries: &[u8],
    extensions: &[u8],
) -> Vec<u8> {
    let name = Hospital::new().people.certificate().subject().clone();
    let body = sequence(&[version, algorithm, name.der(), times, entries, extensions]);
    let key = key(PEOPLE_KEY);
    let signature = key.sign(&key.digest(&body)).expect("software keys sign");
    sequence(&[&body, &algorithm::sm2_with_sm3(), &bit_string(&signature.to_der())])
}

#[test]
fn a_field_that_is_not_as_it_should_be_is_refused() {
    use CrlError as E;
    let v2: &[u8] = &[tag::INTEGER, 1, 1];
    let algorithm = algorithm::sm2_with_sm3();
    let times = [write_time(ISSUED), write_time(NOW)].concat();
    let wrap = |list: &[u8]| tlv(tag::constructed(0), &[&sequence(&[list])]);
    let number = extension::write(&oid::CRL_NUMBER, &unsigned(&[1]));
    let with_number = wrap(&number);
    let entry = write_entry(&revocation(10, Reason::KeyCompromise));
    let with = |kind: &const_oid::ObjectIdentifier, value: &[u8]| {
        wrap(&[&number[..], &extension::write_critical(kind, value)].concat())
    };
    let partial = const_oid::ObjectIdentifier::new_unwrap("2.5.29.28");
    let delta = const_oid::ObjectIdentifier::new_unwrap("2.5.29.27");
    let coded = |extension: &[u8]| {
        sequence(&[&sequence(&[&serial(10).write(), &write_time(NOW), &sequence(&[extension])])])
    };
    let reason =
        |code| coded(&extension::write(&oid::REASON_CODE, &tlv(tag::ENUMERATED, &[&[code]])));
    let issuer = const_oid::ObjectIdentifier::new_unwrap("2.5.29.29");
    let padded = extension::write(&oid::CRL_NUMBER, &tlv(tag::INTEGER, &[&[0, 1]]));
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<CrlError>)> = vec![
        ("as it should be", list(v2, &algorithm, &times, &sequence(&[&entry]), &with_number), None),
        ("version 1", list(&[], &algorithm, &times, &[], &[]), Some(E::Version)),
        ("other algorithm inside", list(v2, &algorithm::sm3(), &times, &[], &with_number), Some(E::Algorithm)),
        ("NULL inside only", list(v2, &sequence(&[&write_oid(&oid::SM2_WITH_SM3), &[5, 0]]), &times, &[], &with_number), Some(E::Algorithm)),
        ("RFC 5280, 5.1.2.5: no next update", list(v2, &algorithm, &write_time(NOW), &[], &with_number), Some(E::Edition)),
        ("next update before this one", list(v2, &algorithm, &[write_time(NOW), write_time(ISSUED)].concat(), &[], &with_number), Some(E::Edition)),
        ("RFC 5280, 5.2.3: no number", list(v2, &algorithm, &times, &[], &[]), Some(E::Edition)),
        ("extensions without a number", list(v2, &algorithm, &times, &[], &wrap(&extension::write(&oid::AUTHORITY_KEY_IDENTIFIER, &[0x30, 0]))), Some(E::Edition)),
        ("padded number", list(v2, &algorithm, &times, &[], &wrap(&padded)), Some(E::Der(DerError::Integer))),
        ("RFC 5280, 5.1.2.6: empty list", list(v2, &algorithm, &times, &sequence(&[]), &with_number), Some(E::Der(DerError::Count))),
        ("entry twice", list(v2, &algorithm, &times, &sequence(&[&entry, &entry]), &with_number), Some(E::Twice { serial: serial(10) })),
        ("RFC 5280, 5.2.5: partial list", list(v2, &algorithm, &times, &[], &with(&partial, &[0x30, 0])), Some(E::UnknownCritical { oid: "2.5.29.28".into() })),
        ("RFC 5280, 5.2.4: delta list", list(v2, &algorithm, &times, &[], &with(&delta, &[2, 1, 1])), Some(E::UnknownCritical { oid: "2.5.29.27".into() })),
        ("RFC 5280, 5.3.1: reason 7", list(v2, &algorithm, &times, &reason(7), &with_number), Some(E::Reason)),
        ("RFC 5280, 5.3.1: removed from a delta list", list(v2, &algorithm, &times, &reason(8), &with_number), Some(E::Reason)),
        ("RFC 5280, 5.3.3: another issuer's certificate", list(v2, &algorithm, &times, &coded(&extension::write_critical(&issuer, &[0x30, 0])), &with_number), Some(E::UnknownCritical { oid: "2.5.29.29".into() })),
    ];
    for (what, der, why) in cases {
        assert_eq!(Crl::parse(&der).err(), why, "{what}");
    }
    assert_eq!(Crl::parse(&vec![0x30; Crl::MAX_LEN + 1]).err(), Some(E::TooLong));
}

#[test]
fn a_list_counts_for_the_issuer_that_made_it() {
    let hospital = Hospital::new();
    let list = crl(&hospital.people, PEOPLE_KEY, 1, &[]);
    assert_eq!(list.verify(hospital.devices.certificate()), Err(CrlError::NameMismatch));
    assert_eq!(list.verify(&hospital.doctor), Err(CrlError::NameMismatch));
    let mut forged = crate::workshop::Forgery::of(&hospital);
    forged.subject = hospital.people.certificate().subject().der().to_vec();
    forged.extensions.subject_key = None;
    assert_eq!(list.verify(&forged.certificate()), Err(CrlError::WrongKeyUsage));
    forged.extensions.key_usage = Some(KeyUsage::CRL_SIGNING);
    assert_eq!(list.verify(&forged.certificate()), Err(CrlError::BadSignature));
}

#[test]
fn no_octet_can_be_changed() {
    let hospital = Hospital::new();
    let list = crl(&hospital.people, PEOPLE_KEY, 1, &[revocation(10, Reason::KeyCompromise)]);
    let mut read = 0;
    for at in 0..list.der().len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = list.der().to_vec();
            changed[at] ^= change;
            if let Ok(list) = Crl::parse(&changed) {
                read += 1;
                assert!(
                    list.verify(hospital.people.certificate()).is_err(),
                    "octet {at}, change {change:02x}"
                );
            }
        }
        assert!(Crl::parse(&list.der()[..at]).is_err(), "{at} octets");
    }
    assert!(read > 100, "{read} changed lists were well formed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_octets_are_no_list(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Crl::parse(&octets).is_err());
    }
}
