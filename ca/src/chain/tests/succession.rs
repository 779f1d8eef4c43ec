//! A root that got other keys: what leads from one to the other, and what it means for the past.

use super::*;

/// A root with another key, the authorities that it certifies again, and the links between the two.
struct Successor {
    root: Issuer,
    people: Certificate,
    new_with_old: Certificate,
    old_with_new: Certificate,
}

const NEXT_ROOT_KEY: u8 = 80;

/// A certificate under the name of another one.
fn order(profile: Profile, subject: &Certificate, key: &PublicKey) -> Order {
    Order {
        profile,
        subject: subject.subject().clone(),
        public_key: key.clone(),
        days: None,
        identifiers: Vec::new(),
    }
}

impl Successor {
    fn of(hospital: &Hospital) -> Self {
        let (old, next) = (hospital.root.certificate(), key(NEXT_ROOT_KEY));
        let new_with_old = hospital
            .root
            .draft_link(next.public(), serial(81), (NOW, old.not_after()))
            .and_then(|draft| draft.sign(&key(ROOT_KEY)))
            .expect("a link");
        let root = Issuer::draft_root(order(Profile::Root, old, next.public()), serial(82), NOW)
            .and_then(|draft| draft.sign(&next))
            .and_then(|root| Issuer::new(root, Authority::Root))
            .expect("a root");
        let old_with_new = root
            .draft_link(old.public_key(), serial(83), (old.not_before(), old.not_after()))
            .and_then(|draft| draft.sign(&next))
            .expect("a link");
        let people = hospital.people.certificate();
        let people = order(Profile::IssuingAuthority, people, people.public_key());
        let people = root.draft(people, serial(84), NOW).and_then(|draft| draft.sign(&next));
        Self { root, people: people.expect("an authority"), new_with_old, old_with_new }
    }
}

/// Who trusts one certificate of a root finds to what the other vouches for, and only over the link.
#[test]
fn links_lead_from_either_root_to_the_other() {
    let hospital = Hospital::new();
    let next = Successor::of(&hospital);
    let (old, people) = (hospital.root.certificate(), hospital.people.certificate());
    let mut lists = hospital.crls(1, &[]);
    lists.push(crl(&next.root, NEXT_ROOT_KEY, 1, &[]));
    let ways = |anchor: &Certificate, at_hand: &[&Certificate]| {
        let at_hand: Vec<_> = at_hand.iter().map(|&certificate| certificate.clone()).collect();
        let path = verify(&hospital.doctor, &at_hand, anchor, &lists, Purpose::Login, NOW);
        path.map(|path| path.authorities().len())
    };
    let new = next.root.certificate();
    assert_eq!(ways(old, &[people]), Ok(2));
    assert_eq!(ways(new, &[&next.people]), Ok(2));
    assert_eq!(ways(old, &[&next.people, &next.new_with_old]), Ok(3));
    assert_eq!(ways(new, &[people, &next.old_with_new]), Ok(3));
    for (anchor, at_hand) in [(old, &next.people), (new, people)] {
        let refused = ways(anchor, &[at_hand]);
        assert!(matches!(refused, Err(ChainError::UnknownIssuer { .. })), "{refused:?}");
    }
    // The way leads over one link, and not over the other one.
    assert!(ways(old, &[&next.people, &next.old_with_new]).is_err());
    // A link is not a certificate that may be made longer: below it, too, one authority follows.
    let mut anchors = Anchors::new(old.clone()).expect("a root");
    anchors.add_issuer(next.new_with_old.clone()).expect("vouched for");
    anchors.add_issuer(next.people.clone()).expect("vouched for");
    let lower = (next.people.subject(), PEOPLE_KEY);
    let lower = Forgery::authority(&hospital, 20, lower, &authority("lower")).certificate();
    let refused = anchors.add_issuer(lower);
    assert_eq!(refused, Err(ChainError::PathTooLong { serial: serial(20) }));
}

/// A root that got so many other keys, one after the other: the first of them, what leads to the last, the
/// authority that the last certified, and the last lists of all.
fn succeeded(hospital: &Hospital, times: u8) -> (Vec<Certificate>, Vec<Crl>) {
    let mut lists = vec![hospital.crls(1, &[]).remove(1), crl(&hospital.root, ROOT_KEY, 1, &[])];
    let (mut root, mut of) = (hospital.root.certificate().clone(), ROOT_KEY);
    let mut at_hand = Vec::new();
    for time in 0..times {
        let (next, number) = (NEXT_ROOT_KEY + time, 90 + 3 * time);
        let link = Issuer::new(root.clone(), Authority::Root)
            .and_then(|it| {
                it.draft_link(key(next).public(), serial(number), (NOW, root.not_after()))
            })
            .and_then(|draft| draft.sign(&key(of)));
        at_hand.push(link.expect("a link"));
        let made = order(Profile::Root, &root, key(next).public());
        root = Issuer::draft_root(made, serial(number + 1), NOW)
            .and_then(|draft| draft.sign(&key(next)))
            .expect("a root");
        of = next;
        let issuer = Issuer::new(root.clone(), Authority::Root).expect("a root");
        lists.push(crl(&issuer, of, 1, &[]));
        if time + 1 == times {
            let people = hospital.people.certificate();
            let people = order(Profile::IssuingAuthority, people, people.public_key());
            let people = issuer.draft(people, serial(number + 2), NOW);
            at_hand.push(people.and_then(|it| it.sign(&key(of))).expect("an authority"));
        }
    }
    (at_hand, lists)
}

/// Who trusts the first key of a root finds to what its last one vouches for, over as many links as there may be.
#[test]
fn a_root_that_got_several_keys_leads_to_the_last_and_a_path_has_only_so_many_links() {
    let hospital = Hospital::new();
    let anchor = hospital.root.certificate();
    let most = u8::try_from(Anchors::MAX_LINKS).expect("a few");
    for times in [1, 3, most] {
        let (mut at_hand, lists) = succeeded(&hospital, times);
        for _ in 0..2 {
            let path = verify(&hospital.doctor, &at_hand, anchor, &lists, Purpose::Login, NOW);
            assert_eq!(path.map(|it| it.authorities().len()), Ok(usize::from(times) + 2));
            at_hand.reverse();
        }
        // Each link counts: without one there is no way, and each root's last list is looked at.
        at_hand.remove(usize::from(times) / 2);
        let refused = verify(&hospital.doctor, &at_hand, anchor, &lists, Purpose::Login, NOW);
        assert!(matches!(refused, Err(ChainError::UnknownIssuer { .. })), "{refused:?}");
    }
    let (at_hand, lists) = succeeded(&hospital, most + 1);
    let refused = verify(&hospital.doctor, &at_hand, anchor, &lists, Purpose::Login, NOW);
    assert!(matches!(refused, Err(ChainError::PathTooLong { .. })), "{refused:?}");
    let mut anchors = Anchors::new(anchor.clone()).expect("a root");
    let refused = at_hand.into_iter().map(|it| anchors.add_issuer(it)).find_map(Result::err);
    assert!(matches!(refused, Some(ChainError::PathTooLong { .. })), "{refused:?}");
}

/// Keys of one name that vouch for each other are gone round only so often.
#[test]
fn links_that_lead_in_a_circle_lead_nowhere() {
    let hospital = Hospital::new();
    let next = Successor::of(&hospital);
    let (mut at_hand, lists) = succeeded(&hospital, 1);
    at_hand.push(next.old_with_new.clone());
    // Trusted is another root, to which neither leads.
    let other = Name::of_authority("Test health region", "elsewhere").expect("a good name");
    let other = Order {
        profile: Profile::Root,
        subject: other,
        public_key: key(DOCTOR_KEY).public().clone(),
        days: None,
        identifiers: Vec::new(),
    };
    let other = Issuer::draft_root(other, serial(99), NOW)
        .and_then(|draft| draft.sign(&key(DOCTOR_KEY)))
        .expect("a root");
    let refused = verify(&hospital.doctor, &at_hand, &other, &lists, Purpose::Login, NOW);
    assert!(matches!(refused, Err(ChainError::PathTooLong { .. })), "{refused:?}");
}

/// An authority whose key was lost after the root got another key is out below the root before, too, whatever time is
/// claimed: the list that says so is the next root's.
#[test]
fn an_authority_lost_after_a_succession_is_lost_before_it() {
    let hospital = Hospital::new();
    let next = Successor::of(&hospital);
    let lost = Revocation {
        serial: next.people.serial().clone(),
        at: NOW,
        reason: Reason::AuthorityCompromise,
    };
    let mut anchors = Anchors::new(next.root.certificate().clone()).expect("a root");
    anchors.add_issuer(next.people.clone()).expect("vouched for");
    anchors.add_root(hospital.root.certificate().clone()).expect("a root");
    anchors.add_issuer(hospital.people.certificate().clone()).expect("vouched for");
    for list in hospital.crls(1, &[]).into_iter().take(2) {
        anchors.add_crl(list).expect("of an authority");
    }
    anchors.add_crl(crl(&next.root, NEXT_ROOT_KEY, 2, &[lost])).expect("of the new root");
    for claimed in [NOW - Duration::HOUR, NOW] {
        let moment = Moment { claimed, witnessed: None };
        let judged = anchors.verify_past(&hospital.doctor, Purpose::SignRecord, moment, NOW);
        let reason = Reason::AuthorityCompromise;
        let serial = next.people.serial().clone();
        assert_eq!(judged.err(), Some(ChainError::Revoked { serial, at: NOW, reason }));
    }
}

/// What was signed before the succession is judged below the root that there was.
#[test]
fn a_root_that_was_succeeded_still_vouches_for_the_past() {
    let hospital = Hospital::new();
    let next = Successor::of(&hospital);
    let mut anchors = Anchors::new(next.root.certificate().clone()).expect("a root");
    anchors.add_issuer(next.people.clone()).expect("vouched for");
    anchors.add_crl(crl(&next.root, NEXT_ROOT_KEY, 2, &[])).expect("of the new root");
    let before = NOW - Duration::HOUR;
    let past = Moment { claimed: before, witnessed: Some(before) };
    anchors.add_crl(hospital.crls(1, &[]).remove(1)).expect("of the people's authority");
    let signed = |anchors: &Anchors| {
        anchors.verify_past(&hospital.doctor, Purpose::SignRecord, past, NOW).map(drop)
    };
    assert!(matches!(signed(&anchors), Err(ChainError::NotYetValid { .. })));
    anchors.add_root(hospital.root.certificate().clone()).expect("a root");
    anchors.add_issuer(hospital.people.certificate().clone()).expect("vouched for");
    anchors.add_crl(hospital.crls(1, &[]).remove(0)).expect("of the root before");
    assert_eq!(signed(&anchors), Ok(()));
    let path = anchors.verify(&hospital.doctor, Purpose::Login, NOW).expect("a path");
    assert_eq!(path.without_root(), [Arc::new(next.people.clone())]);
    assert_eq!(anchors.root(), next.root.certificate());
    assert_eq!(anchors.issuers().count(), 2);
    // Whoever has got the key of the root before certifies nobody with it.
    let mut forged = Forgery::of(&hospital);
    forged.issuer = hospital.root.certificate().subject().der().to_vec();
    forged.signer = ROOT_KEY;
    forged.extensions.authority_key = hospital.root.certificate().key_identifier().cloned();
    let refused = anchors.verify(&forged.certificate(), Purpose::Login, NOW);
    assert_eq!(refused.err(), Some(ChainError::UnknownIssuer { serial: serial(9) }));
    // After its end, too, what was signed below it is judged by its last list.
    let end = hospital.root.certificate().not_after();
    let edition = Edition { number: 2, this_update: ISSUED, next_update: Edition::NEVER };
    let last = hospital.root.draft_crl(edition, &Scope::All, None, &[]);
    anchors.add_crl(last.unwrap().sign(&key(ROOT_KEY)).unwrap()).expect("of the root before");
    let later = end + Duration::days(365);
    let edition = Edition { number: 3, this_update: later, next_update: later + Duration::DAY };
    let people = hospital.people.draft_crl(edition, &Scope::All, None, &[]);
    anchors.add_crl(people.unwrap().sign(&key(PEOPLE_KEY)).unwrap()).expect("of the people's");
    let judged = anchors.verify_past(&hospital.doctor, Purpose::SignRecord, past, later);
    assert!(judged.is_ok(), "{judged:?}");
    // Not anybody's root: one that signed itself.
    let refused = anchors.add_root(next.new_with_old);
    assert_eq!(refused, Err(ChainError::NotSelfSigned));
}
