use hsm::Sm2Signer as _;
use proptest::prelude::*;
use time::Duration;

use super::*;
use crate::{
    IssueError,
    der::{bit_string, oid as write_oid, sequence, tlv, unsigned, write_time},
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
        assert!(matches!(
            hospital.people.draft_crl(edition, &Scope::All, None, entries),
            Err(IssueError::BadList)
        ));
    }
    let draft = hospital.people.draft_crl(edition, &Scope::All, None, &[]).expect("a draft");
    assert!(matches!(draft.sign(&key(ROOT_KEY)), Err(IssueError::WrongKey)));

    let points = |count| Scope::Points(vec!["http://ca.example.invalid/40.crl".to_owned(); count]);
    for (scope, delta_url) in [(points(0), None), (points(65), None)] {
        let refused = hospital.people.draft_crl(edition, &scope, delta_url, &[]);
        assert!(matches!(refused, Err(IssueError::BadList)));
    }
    for (scope, delta_url) in
        [(Scope::Points(vec!["http://县/".to_owned()]), None), (Scope::All, Some("with space"))]
    {
        let refused = hospital.people.draft_crl(edition, &scope, delta_url, &[]);
        assert!(matches!(refused, Err(IssueError::BadUrl)));
    }
    let both = Changes { revoked: vec![revocation(10, Reason::Hold)], released: vec![serial(10)] };
    for (base, changes) in [(0, &both), (1, &Changes::default()), (2, &Changes::default())] {
        let refused = hospital.people.draft_delta_crl(edition, &Scope::All, base, changes);
        assert!(matches!(refused, Err(IssueError::BadList)), "{base}");
    }
}

#[test]
fn a_list_says_which_certificates_it_is_about() {
    let hospital = Hospital::new();
    let edition = Edition { number: 3, this_update: ISSUED, next_update: NOW };
    let points = ["http://ca.example.invalid/crl", "http://ca.example.invalid/41.crl"];
    let all: Vec<String> = points.map(str::to_owned).into();
    for (scope, covers) in [
        (Scope::All, true),
        (Scope::Points(all.clone()), true),
        (Scope::Points(all[1..].to_vec()), false),
    ] {
        let draft = hospital.people.draft_crl(edition, &scope, None, &[]).expect("a draft");
        let list = draft.sign(&key(PEOPLE_KEY)).expect("signed");
        let read = Crl::parse(list.der()).expect("what is written is read");
        assert_eq!((read.scope(), read.base()), (&scope, None));
        // The doctor's certificate names the first of them.
        assert_eq!(read.scope().covers(&hospital.doctor), covers);
        assert_eq!(read.scope().covers(&hospital.desk), covers);
        assert_eq!(
            read.scope().covers(hospital.root.certificate()),
            scope == Scope::All,
            "it names no list"
        );
    }
}

#[test]
fn a_delta_list_says_what_has_changed_since_which_list() {
    let hospital = Hospital::new();
    let edition = Edition { number: 9, this_update: ISSUED, next_update: NOW };
    let changes = Changes {
        revoked: vec![revocation(30, Reason::KeyCompromise), revocation(10, Reason::Hold)],
        released: vec![serial(20)],
    };
    let scope = Scope::Points(vec!["http://ca.example.invalid/41.crl".to_owned()]);
    let draft = hospital.people.draft_delta_crl(edition, &scope, 4, &changes).expect("a draft");
    let list = draft.sign(&key(PEOPLE_KEY)).expect("signed");
    let read = Crl::parse(list.der()).expect("what is written is read");
    assert_eq!(read.verify(hospital.people.certificate()), Ok(()));
    assert_eq!((read.base(), read.scope(), read.len()), (Some(4), &scope, 2));
    for entry in &changes.revoked {
        assert_eq!(read.revocation(&entry.serial).as_ref(), Some(entry));
    }
    assert_eq!(read.revocation(&serial(20)), None);
    assert!(read.releases(&serial(20)) && !read.releases(&serial(10)));
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
    let entry = draft::write(&serial(10), NOW, Some(Reason::KeyCompromise.code()));
    let with = |kind: &const_oid::ObjectIdentifier, value: &[u8]| {
        wrap(&[&number[..], &extension::write_critical(kind, value)].concat())
    };
    let passed_over = |kind: &const_oid::ObjectIdentifier, value: &[u8]| {
        wrap(&[&number[..], &extension::write(kind, value)].concat())
    };
    let narrowed = |fields: &[u8]| with(&oid::ISSUING_DISTRIBUTION_POINT, &sequence(&[fields]));
    let uri = tlv(tag::context(6), &[b"http://ca/crl"]);
    let full = |names: &[u8]| tlv(tag::constructed(0), &[&tlv(tag::constructed(0), &[names])]);
    let only_people = [full(&uri), tlv(tag::context(1), &[&[0xff]])].concat();
    let mail = tlv(tag::context(1), &[b"ca@example.invalid"]);
    let relative = tlv(tag::constructed(0), &[&tlv(tag::constructed(1), &[])]);
    let point = oid::ISSUING_DISTRIBUTION_POINT;
    let delta = |base: u8| with(&oid::DELTA_CRL_INDICATOR, &[2, 1, base]);
    let base = [2, 1, 0];
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
        ("a part of the certificates", list(v2, &algorithm, &times, &[], &narrowed(&full(&uri))), None),
        ("RFC 5280, 5.2.5: nothing said", list(v2, &algorithm, &times, &[], &narrowed(&[])), Some(E::Scope)),
        ("not critical", list(v2, &algorithm, &times, &[], &passed_over(&point, &sequence(&[&full(&uri)]))), Some(E::Scope)),
        ("certificates of people only", list(v2, &algorithm, &times, &[], &narrowed(&only_people)), Some(E::Scope)),
        ("some reasons only", list(v2, &algorithm, &times, &[], &narrowed(&tlv(tag::context(3), &[&[6, 0x40]]))), Some(E::Scope)),
        ("other issuers too", list(v2, &algorithm, &times, &[], &narrowed(&tlv(tag::context(4), &[&[0xff]]))), Some(E::Scope)),
        ("a mail address", list(v2, &algorithm, &times, &[], &narrowed(&full(&mail))), Some(E::Scope)),
        ("an address and a mail address", list(v2, &algorithm, &times, &[], &narrowed(&full(&[&uri[..], &mail].concat()))), Some(E::Scope)),
        ("no address", list(v2, &algorithm, &times, &[], &narrowed(&full(&[]))), Some(E::Scope)),
        ("more addresses than there are ranges", list(v2, &algorithm, &times, &[], &narrowed(&full(&uri.repeat(65)))), Some(E::Scope)),
        ("name relative to the issuer", list(v2, &algorithm, &times, &[], &narrowed(&relative)), Some(E::Scope)),
        ("changes", list(v2, &algorithm, &times, &reason(8), &delta(0)), None),
        ("RFC 5280, 5.2.4: since a later list", list(v2, &algorithm, &times, &[], &delta(1)), Some(E::Base)),
        ("not critical", list(v2, &algorithm, &times, &[], &passed_over(&oid::DELTA_CRL_INDICATOR, &base)), Some(E::Base)),
        ("RFC 5280, 5.2.6: another critical one", list(v2, &algorithm, &times, &[], &with(&oid::FRESHEST_CRL, &[0x30, 0])), Some(E::UnknownCritical { oid: "2.5.29.46".into() })),
        ("RFC 5280, 5.3.1: reason 7", list(v2, &algorithm, &times, &reason(7), &with_number), Some(E::Reason)),
        ("RFC 5280, 5.3.1: released in a complete list", list(v2, &algorithm, &times, &reason(8), &with_number), Some(E::Reason)),
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
