//! Which lists are taken, and what they say together.

use super::*;
use crate::{
    Issuer, Serial,
    crl::{Changes, Edition, Revocation, Scope},
    workshop::{delta, key},
};

fn held(serial: &Serial) -> Revocation {
    Revocation { serial: serial.clone(), at: ISSUED, reason: Reason::Hold }
}

fn is_revoked(anchors: &Anchors, hospital: &Hospital) -> bool {
    match anchors.verify(&hospital.doctor, Purpose::Login, NOW) {
        Ok(_) => false,
        Err(ChainError::Revoked { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_list_is_taken_from_its_authority_only_and_never_older() {
    let hospital = Hospital::new();
    let mut anchors = hospital.anchors();
    anchors.add_crl(crl(&hospital.people, PEOPLE_KEY, 5, &[])).expect("newer");
    let older = anchors.add_crl(crl(&hospital.people, PEOPLE_KEY, 4, &[])).err();
    assert_eq!(older, Some(ChainError::CrlOlder { offered: 4, held: 5 }));

    let stranger =
        Forgery::authority(&hospital, 50, (&authority("root"), ROOT_KEY), &authority("stranger"));
    let stranger =
        crate::Issuer::new(stranger.certificate(), crate::Authority::People).expect("an authority");
    let unknown = anchors.add_crl(crl(&stranger, 50, 1, &[])).err();
    assert_eq!(unknown, Some(ChainError::Crl(CrlError::NameMismatch)));

    // The name of the devices' authority and no key identifier, signed by the people's key.
    let mut posing = Forgery::authority(
        &hospital,
        PEOPLE_KEY,
        (&authority("root"), ROOT_KEY),
        &authority("devices"),
    );
    posing.extensions.subject_key = hospital.devices.certificate().key_identifier().cloned();
    let posing =
        crate::Issuer::new(posing.certificate(), crate::Authority::People).expect("an authority");
    let forged = anchors.add_crl(crl(&posing, PEOPLE_KEY, 9, &[])).err();
    assert_eq!(forged, Some(ChainError::Crl(CrlError::BadSignature)));
    assert_eq!(anchors.crls().map(|crl| crl.edition().number).collect::<Vec<_>>(), [1, 5, 1]);
}

/// A list about those whose certificates name this address.
fn of_part(issuer: &Issuer, number: u64, url: &str, revoked: &[Revocation]) -> Crl {
    let edition = Edition { number, this_update: ISSUED, next_update: ISSUED + Duration::days(7) };
    let scope = Scope::Points(vec![url.to_owned()]);
    let draft = issuer.draft_crl(edition, &scope, None, revoked);
    draft.and_then(|draft| draft.sign(&key(PEOPLE_KEY))).expect("a list")
}

#[test]
fn a_list_about_some_says_nothing_of_others() {
    let hospital = Hospital::new();
    let named = hospital.doctor.crl_url().expect("it names a list").to_owned();
    let lost = [held(hospital.doctor.serial())];
    let mut anchors = Anchors::new(hospital.root.certificate().clone()).expect("a root");
    anchors.add_issuer(hospital.people.certificate().clone()).expect("vouched for");
    anchors.add_crl(crl(&hospital.root, ROOT_KEY, 1, &[])).expect("theirs");
    anchors
        .add_crl(of_part(&hospital.people, 9, "http://ca.example.invalid/other", &lost))
        .expect("theirs");
    assert_eq!(
        anchors.verify(&hospital.doctor, Purpose::Login, NOW).err(),
        Some(ChainError::CrlMissing { issuer: hospital.people.certificate().serial().clone() })
    );
    anchors.add_crl(of_part(&hospital.people, 2, &named, &[])).expect("theirs");
    assert!(!is_revoked(&anchors, &hospital), "the later list is not about the doctor");
    assert_eq!(anchors.crls().count(), 3);

    // Of one that is about all and one about some, the newer says how it is.
    anchors.add_crl(crl(&hospital.people, PEOPLE_KEY, 3, &lost)).expect("theirs");
    assert!(is_revoked(&anchors, &hospital));
    anchors.add_crl(of_part(&hospital.people, 4, &named, &[])).expect("newer");
    assert!(!is_revoked(&anchors, &hospital));
    let older = anchors.add_crl(of_part(&hospital.people, 3, &named, &lost)).err();
    assert_eq!(older, Some(ChainError::CrlOlder { offered: 3, held: 4 }));
}

#[test]
fn a_list_about_more_addresses_takes_the_place_of_one_about_some_of_them() {
    let hospital = Hospital::new();
    let named = hospital.doctor.crl_url().expect("it names a list").to_owned();
    let mut anchors = hospital.anchors();
    let before = anchors.crls().count();
    anchors.add_crl(of_part(&hospital.people, 2, &named, &[])).expect("theirs");
    let edition =
        Edition { number: 3, this_update: ISSUED, next_update: ISSUED + Duration::days(7) };
    let both = Scope::Points(vec![named, "http://other.example.invalid/crl".to_owned()]);
    let wider = hospital.people.draft_crl(edition, &both, None, &[]);
    let wider = wider.and_then(|draft| draft.sign(&key(PEOPLE_KEY))).expect("a list");
    anchors.add_crl(wider).expect("theirs");
    assert_eq!(anchors.crls().count(), before + 1, "that of all stays, that of one address goes");
}

#[test]
fn changes_count_from_the_list_that_they_build_on() {
    let hospital = Hospital::new();
    let people = &hospital.people;
    let doctor = hospital.doctor.serial();
    let suspended = Changes { revoked: vec![held(doctor)], released: Vec::new() };
    let released = Changes { revoked: Vec::new(), released: vec![doctor.clone()] };
    let mut anchors = hospital.anchors();
    let mut add = |crl: Crl| {
        anchors.add_crl(crl).map(|()| {
            let answer = anchors.verify(&hospital.doctor, Purpose::Login, NOW);
            matches!(answer, Err(ChainError::Revoked { .. }))
        })
    };
    // List 1 is held of each authority.
    let too_new = delta(people, PEOPLE_KEY, (2, 3), &suspended);
    assert_eq!(add(too_new), Err(ChainError::CrlBaseMissing { base: 2 }));
    assert_eq!(add(delta(people, PEOPLE_KEY, (1, 3), &suspended)), Ok(true));
    let older = delta(people, PEOPLE_KEY, (1, 2), &Changes::default());
    assert_eq!(add(older), Err(ChainError::CrlOlder { offered: 2, held: 3 }));
    let older = crl(people, PEOPLE_KEY, 2, &[]);
    assert_eq!(add(older), Err(ChainError::CrlOlder { offered: 2, held: 3 }));
    // Each tells all changes since its base: the next takes the place of the one before.
    assert_eq!(add(delta(people, PEOPLE_KEY, (1, 4), &Changes::default())), Ok(false));
    // A complete list takes the place of both.
    assert_eq!(add(crl(people, PEOPLE_KEY, 5, &[held(doctor)])), Ok(true));
    assert_eq!(add(delta(people, PEOPLE_KEY, (1, 6), &released)), Ok(false));
    assert_eq!(add(delta(people, PEOPLE_KEY, (5, 7), &Changes::default())), Ok(true));
    // Nothing brings back what was revoked for good.
    let at = ISSUED;
    let lost = Revocation { serial: doctor.clone(), at, reason: Reason::KeyCompromise };
    assert_eq!(add(crl(people, PEOPLE_KEY, 8, &[lost])), Ok(true));
    assert_eq!(add(delta(people, PEOPLE_KEY, (8, 9), &released)), Ok(true));
}

#[test]
fn changes_are_taken_with_their_base_in_any_order() {
    let hospital = Hospital::new();
    let revoked = Changes { revoked: vec![held(hospital.doctor.serial())], released: Vec::new() };
    let mut lists = vec![delta(&hospital.people, PEOPLE_KEY, (1, 2), &revoked)];
    lists.extend(hospital.crls(1, &[]));
    let intermediates = [hospital.people.certificate().clone()];
    let root = hospital.root.certificate();
    let verify =
        |lists: &[Crl]| verify(&hospital.doctor, &intermediates, root, lists, Purpose::Login, NOW);
    assert!(matches!(verify(&lists), Err(ChainError::Revoked { .. })));
    assert!(verify(&lists[1..]).is_ok());
    assert_eq!(verify(&lists[..1]).err(), Some(ChainError::CrlBaseMissing { base: 1 }));
}
