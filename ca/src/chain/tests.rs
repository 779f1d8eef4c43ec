use std::{fs, sync::Arc};

use time::{Duration, macros::datetime};

use super::*;
use crate::{
    Authority, Issuer, Name, Order, Profile,
    crl::{Edition, Reason, Scope},
    extension::BasicConstraints,
    workshop::{
        DOCTOR_KEY, Forgery, Hospital, ISSUED, NOW, PEOPLE_KEY, ROOT_KEY, crl, key, serial,
    },
};

mod lists;

fn authority(name: &str) -> Name {
    Name::of_authority("Test health region", name).expect("a good name")
}

#[test]
fn a_certificate_that_all_vouch_for_is_relied_on() {
    let hospital = Hospital::new();
    let anchors = hospital.anchors();
    for (leaf, purpose) in [
        (&hospital.doctor, Purpose::Login),
        (&hospital.doctor, Purpose::SignRecord),
        (&hospital.desk, Purpose::Login),
    ] {
        let path = anchors.verify(leaf, purpose, NOW).expect("good");
        assert_eq!(path.authorities().len(), 2);
        assert_eq!(*path.authorities()[1], *anchors.root());
        assert_eq!(path.without_root().len(), 1);
    }
    let intermediates =
        [hospital.devices.certificate().clone(), hospital.people.certificate().clone()];
    let (crls, root) = (hospital.crls(1, &[]), anchors.root());
    let path =
        verify(&hospital.doctor, &intermediates, root, &crls, Purpose::Login, NOW).expect("good");
    assert_eq!(*path.authorities()[0], intermediates[1]);
}

type Change = fn(&mut Forgery);

#[test]
fn a_certificate_that_should_not_have_been_made_is_refused() {
    use ChainError as E;
    let nine = || serial(9);
    #[rustfmt::skip]
    let cases: Vec<(&str, Change, Purpose, ChainError)> = vec![
        ("signed by somebody else", |f| f.signer = DOCTOR_KEY, Purpose::Login, E::BadSignature { serial: nine() }),
        ("issuer's name is unknown", |f| f.issuer = authority("somebody").der().to_vec(), Purpose::Login, E::UnknownIssuer { serial: nine() }),
        ("names the root, signed by the people's authority", |f| { f.issuer = authority("root").der().to_vec(); f.extensions.authority_key = None }, Purpose::Login, E::BadSignature { serial: nine() }),
        ("issuer's key identifier is another", |f| f.extensions.authority_key = f.extensions.subject_key.clone(), Purpose::Login, E::UnknownIssuer { serial: nine() }),
        ("validity to come", |f| f.validity.0 = NOW + Duration::SECOND, Purpose::Login, E::NotYetValid { serial: nine(), from: NOW + Duration::SECOND }),
        ("validity over", |f| f.validity.1 = NOW - Duration::SECOND, Purpose::Login, E::Expired { serial: nine(), to: NOW - Duration::SECOND }),
        ("key usage absent", |f| f.extensions.key_usage = None, Purpose::Login, E::WrongKeyUsage { serial: nine() }),
        ("key for encryption only (双证书)", |f| f.extensions.key_usage = Some(KeyUsage::KEY_ENCIPHERMENT | KeyUsage::DATA_ENCIPHERMENT), Purpose::Login, E::WrongKeyUsage { serial: nine() }),
        ("presence only, asked to sign a record", |f| f.extensions.key_usage = Some(KeyUsage::DIGITAL_SIGNATURE), Purpose::SignRecord, E::WrongKeyUsage { serial: nine() }),
        ("binding only, asked to log in", |f| f.extensions.key_usage = Some(KeyUsage::CONTENT_COMMITMENT), Purpose::Login, E::WrongKeyUsage { serial: nine() }),
        ("an authority logs in", |f| f.extensions.constraints = BasicConstraints::Authority { path_length: None }, Purpose::Login, E::WrongKeyUsage { serial: nine() }),
        ("restricted to servers", |f| f.extensions.purposes = vec![ExtendedKeyUsage::ServerAuth], Purpose::Login, E::WrongPurpose { serial: nine() }),
        ("a doctor answers as the service", |_| {}, Purpose::Serve, E::WrongPurpose { serial: nine() }),
    ];
    let hospital = Hospital::new();
    let (anchors, crls) = (hospital.anchors(), hospital.crls(1, &[]));
    let intermediates = [hospital.people.certificate().clone()];
    assert!(anchors.verify(&Forgery::of(&hospital).certificate(), Purpose::Login, NOW).is_ok());
    for (what, change, purpose, why) in cases {
        let mut forgery = Forgery::of(&hospital);
        change(&mut forgery);
        let leaf = forgery.certificate();
        assert_eq!(anchors.verify(&leaf, purpose, NOW).err(), Some(why.clone()), "{what}");
        let once = verify(&leaf, &intermediates, anchors.root(), &crls, purpose, NOW);
        assert_eq!(once.err(), Some(why), "{what}, at once");
    }
}

#[test]
fn purposes_that_are_absent_or_any_restrict_nothing() {
    let hospital = Hospital::new();
    for purposes in [vec![], vec![ExtendedKeyUsage::Any]] {
        let mut forgery = Forgery::of(&hospital);
        forgery.extensions.purposes = purposes;
        assert!(hospital.anchors().verify(&forgery.certificate(), Purpose::Serve, NOW).is_ok());
    }
}

#[test]
fn validity_counts_whole_seconds() {
    let hospital = Hospital::new();
    let (from, to) = (hospital.doctor.not_before(), hospital.doctor.not_after());
    let millisecond = Duration::MILLISECOND;
    for (at, valid) in [
        (from - millisecond, false),
        (from, true),
        (to, true),
        (to + millisecond * 999, true),
        (to + Duration::SECOND, false),
    ] {
        assert_eq!(valid_at(&hospital.doctor, at).is_ok(), valid, "{at}");
    }
}

#[test]
fn an_authority_that_nobody_made_one_is_refused() {
    use ChainError as E;
    const LOWER: u8 = 20;
    let hospital = Hospital::new();
    let (root, people) = (authority("root"), authority("people"));
    let sub =
        |issuer: (&Name, u8)| Forgery::authority(&hospital, LOWER, issuer, &authority("lower"));
    let number = || serial(LOWER);
    let under_root = (&root, ROOT_KEY);
    let mut not_one = sub(under_root);
    not_one.extensions.constraints = BasicConstraints::EndEntity;
    let mut no_usage = sub(under_root);
    no_usage.extensions.key_usage = Some(KeyUsage::DIGITAL_SIGNATURE);
    let mut forged = sub(under_root);
    forged.signer = LOWER;
    #[rustfmt::skip]
    let cases = [
        ("under the root", sub(under_root), None),
        ("basicConstraints of a holder", not_one, Some(E::NotAnAuthority { serial: number() })),
        ("keyUsage of a holder", no_usage, Some(E::WrongKeyUsage { serial: number() })),
        ("signed by itself", forged, Some(E::BadSignature { serial: number() })),
        ("under an authority with path length 0", sub((&people, PEOPLE_KEY)), Some(E::PathTooLong { serial: number() })),
        ("under a doctor", sub((hospital.doctor.subject(), DOCTOR_KEY)), Some(E::UnknownIssuer { serial: number() })),
    ];
    for (what, forgery, why) in cases {
        let mut anchors = hospital.anchors();
        assert_eq!(anchors.add_issuer(forgery.certificate()).err(), why, "{what}");
        assert_eq!(anchors.issuers().count(), if why.is_none() { 3 } else { 2 }, "{what}");
    }
}

/// An authority that was renewed has two certificates for one key, and one list for both.
#[test]
fn a_renewed_authority_vouches_for_what_it_issued_before() {
    let hospital = Hospital::new();
    let (root, people) = (authority("root"), authority("people"));
    let mut old = Forgery::authority(&hospital, PEOPLE_KEY, (&root, ROOT_KEY), &people);
    old.serial = serial(70).write();
    old.validity.1 = NOW - Duration::HOUR;
    let old = old.certificate();
    let mut anchors = Anchors::new(hospital.root.certificate().clone()).expect("a root");
    anchors.add_issuer(old.clone()).expect("vouched for");
    hospital
        .crls(1, &[])
        .into_iter()
        .take(2)
        .try_for_each(|crl| anchors.add_crl(crl))
        .expect("theirs");
    let expired = ChainError::Expired { serial: serial(70), to: old.not_after() };
    assert_eq!(anchors.verify(&hospital.doctor, Purpose::Login, NOW).err(), Some(expired));
    anchors.add_issuer(hospital.people.certificate().clone()).expect("vouched for");
    assert_eq!(anchors.crls().count(), 3, "the list that is held counts for both");
    anchors.add_crl(crl(&hospital.people, PEOPLE_KEY, 2, &[])).expect("newer");
    assert_eq!(anchors.crls().filter(|crl| crl.edition().number == 2).count(), 2);
    let path = anchors.verify(&hospital.doctor, Purpose::Login, NOW).expect("good");
    assert_eq!(*path.authorities()[0], *hospital.people.certificate());
}

#[test]
fn a_lost_key_is_lost_under_each_certificate_of_it() {
    let hospital = Hospital::new();
    let (root, people) = (authority("root"), authority("people"));
    let mut second = Forgery::authority(&hospital, PEOPLE_KEY, (&root, ROOT_KEY), &people);
    second.serial = serial(71).write();
    let second = second.certificate();
    let at = NOW - Duration::HOUR;
    for (lost, reason, good) in [
        (hospital.people.certificate(), Reason::Superseded, true),
        (&second, Reason::Superseded, true),
        (hospital.people.certificate(), Reason::AuthorityCompromise, false),
        (&second, Reason::AuthorityCompromise, false),
    ] {
        let mut anchors = hospital.anchors();
        anchors.add_issuer(second.clone()).expect("vouched for");
        let list = crl(&hospital.root, ROOT_KEY, 2, &[revocation(lost, at, reason)]);
        anchors.add_crl(list).expect("newer");
        let revoked = ChainError::Revoked { serial: lost.serial().clone(), at, reason };
        let result = anchors.verify(&hospital.doctor, Purpose::Login, NOW);
        assert_eq!(result.err(), (!good).then_some(revoked), "{lost:?} {reason:?}");
    }
}

#[test]
fn a_path_is_only_so_long() {
    let hospital = Hospital::new();
    // A root without a limit, and authorities without one, each under the one before.
    let top = authority("endless");
    let mut root = Forgery::authority(&hospital, 30, (&top, 30), &top);
    root.extensions.authority_key = None;
    let root = root.certificate();
    let mut anchors = Anchors::new(root.clone()).expect("a root");
    let (mut above, mut all) = ((top, 30), Vec::new());
    for of in 31..36 {
        let name = authority(&format!("level {of}"));
        let lower = Forgery::authority(&hospital, of, (&above.0, above.1), &name).certificate();
        let refused = anchors.add_issuer(lower.clone()).err();
        let too_deep = usize::from(of - 30) > Anchors::MAX_DEPTH;
        match of {
            _ if !too_deep => assert_eq!(refused, None),
            34 => assert_eq!(refused, Some(ChainError::PathTooLong { serial: serial(of) })),
            // The one above it was refused, and so is not known.
            _ => assert_eq!(refused, Some(ChainError::UnknownIssuer { serial: serial(of) })),
        }
        all.push(lower);
        above = (name, of);
    }
    let mut leaf = Forgery::of(&hospital);
    (leaf.issuer, leaf.signer) = (above.0.der().to_vec(), above.1);
    leaf.extensions.authority_key = None;
    let once = verify(&leaf.certificate(), &all, &root, &[], Purpose::Login, NOW);
    assert_eq!(once.err(), Some(ChainError::PathTooLong { serial: serial(32) }));
}

#[test]
fn two_authorities_that_name_each_other_lead_nowhere() {
    let hospital = Hospital::new();
    let (one, other) = (authority("one"), authority("other"));
    let ring = [
        Forgery::authority(&hospital, 40, (&other, 41), &one).certificate(),
        Forgery::authority(&hospital, 41, (&one, 40), &other).certificate(),
    ];
    let mut leaf = Forgery::of(&hospital);
    (leaf.issuer, leaf.signer) = (one.der().to_vec(), 40);
    leaf.extensions.authority_key = None;
    let root = hospital.root.certificate();
    let once = verify(&leaf.certificate(), &ring, root, &[], Purpose::Login, NOW);
    assert!(matches!(once, Err(ChainError::PathTooLong { .. })), "{once:?}");
}

#[test]
fn a_root_that_is_none_is_no_anchor() {
    let hospital = Hospital::new();
    let people = hospital.people.certificate();
    assert_eq!(Anchors::new(people.clone()).err(), Some(ChainError::NotSelfSigned));
    let doctor = ChainError::NotAnAuthority { serial: hospital.doctor.serial().clone() };
    assert_eq!(Anchors::new(hospital.doctor.clone()).err(), Some(doctor));
    // The right name and another key's signature.
    let root = authority("root");
    let mut forged = Forgery::authority(&hospital, ROOT_KEY, (&root, PEOPLE_KEY), &root);
    forged.extensions.authority_key = None;
    assert_eq!(Anchors::new(forged.certificate()).err(), Some(ChainError::NotSelfSigned));
}

fn revocation(of: &Certificate, at: OffsetDateTime, reason: Reason) -> Revocation {
    Revocation { serial: of.serial().clone(), at, reason }
}

#[test]
fn what_is_revoked_is_refused() {
    let hospital = Hospital::new();
    let (doctor, people) = (&hospital.doctor, hospital.people.certificate());
    let at = NOW - Duration::HOUR;
    for reason in
        [Reason::Hold, Reason::Unspecified, Reason::KeyCompromise, Reason::CessationOfOperation]
    {
        let mut anchors = hospital.anchors();
        anchors
            .add_crl(crl(&hospital.people, PEOPLE_KEY, 2, &[revocation(doctor, at, reason)]))
            .expect("newer");
        let revoked = ChainError::Revoked { serial: doctor.serial().clone(), at, reason };
        assert_eq!(anchors.verify(doctor, Purpose::Login, NOW).err(), Some(revoked));
        assert!(
            anchors.verify(&hospital.desk, Purpose::Login, NOW).is_ok(),
            "another authority's holder"
        );
    }
    // Its authority is revoked by the root.
    let mut anchors = hospital.anchors();
    anchors
        .add_crl(crl(
            &hospital.root,
            ROOT_KEY,
            2,
            &[revocation(people, at, Reason::AuthorityCompromise)],
        ))
        .expect("newer");
    let revoked = ChainError::Revoked {
        serial: people.serial().clone(),
        at,
        reason: Reason::AuthorityCompromise,
    };
    assert_eq!(anchors.verify(doctor, Purpose::Login, NOW).err(), Some(revoked));
    // Listed with a date to come: revoked all the same, as somebody decided so.
    let mut anchors = hospital.anchors();
    let later = revocation(doctor, NOW + Duration::DAY, Reason::Superseded);
    anchors.add_crl(crl(&hospital.people, PEOPLE_KEY, 2, &[later])).expect("newer");
    assert!(matches!(anchors.verify(doctor, Purpose::Login, NOW), Err(ChainError::Revoked { .. })));
}

#[test]
fn a_list_is_needed_and_has_to_be_current() {
    let hospital = Hospital::new();
    let mut bare = Anchors::new(hospital.root.certificate().clone()).expect("a root");
    bare.add_issuer(hospital.people.certificate().clone()).expect("vouched for");
    let missing =
        |of: &crate::Issuer| ChainError::CrlMissing { issuer: of.certificate().serial().clone() };
    assert_eq!(
        bare.verify(&hospital.doctor, Purpose::Login, NOW).err(),
        Some(missing(&hospital.people))
    );
    bare.add_crl(crl(&hospital.people, PEOPLE_KEY, 1, &[])).expect("theirs");
    assert_eq!(
        bare.verify(&hospital.doctor, Purpose::Login, NOW).err(),
        Some(missing(&hospital.root))
    );

    let anchors = hospital.anchors();
    let issuer = || hospital.people.certificate().serial().clone();
    let (made, next) = (ISSUED, ISSUED + Duration::days(7));
    assert!(anchors.verify(&hospital.doctor, Purpose::Login, next).is_ok());
    assert_eq!(
        anchors.verify(&hospital.doctor, Purpose::Login, next + Duration::MILLISECOND).err(),
        Some(ChainError::CrlStale { issuer: issuer(), next_update: next })
    );
    let moment = Moment { claimed: made, witnessed: None };
    assert_eq!(
        anchors
            .verify_past(&hospital.doctor, Purpose::Login, moment, made - Duration::SECOND)
            .err(),
        Some(ChainError::CrlNotYetValid { issuer: issuer(), this_update: made })
    );
}

#[test]
fn a_signature_outlives_its_certificate_unless_the_key_got_lost() {
    let hospital = Hospital::new();
    let doctor = &hospital.doctor;
    let (signed, revoked) = (ISSUED + Duration::hours(2), ISSUED + Duration::hours(5));
    let after = revoked + Duration::HOUR;
    #[rustfmt::skip]
    let cases = [
        // reason                       claimed witnessed     good
        (Reason::CessationOfOperation,  signed, None,         true),
        (Reason::CessationOfOperation,  signed, Some(signed), true),
        (Reason::CessationOfOperation,  after,  None,         false),
        (Reason::CessationOfOperation,  signed, Some(after),  false),
        (Reason::KeyCompromise,         signed, None,         false),
        (Reason::KeyCompromise,         signed, Some(signed), true),
        (Reason::KeyCompromise,         signed, Some(after),  false),
        (Reason::Hold,                  signed, None,         true),
    ];
    for (reason, claimed, witnessed, good) in cases {
        let mut anchors = hospital.anchors();
        anchors
            .add_crl(crl(&hospital.people, PEOPLE_KEY, 2, &[revocation(doctor, revoked, reason)]))
            .expect("newer");
        let result =
            anchors.verify_past(doctor, Purpose::SignRecord, Moment { claimed, witnessed }, NOW);
        let why = ChainError::Revoked { serial: doctor.serial().clone(), at: revoked, reason };
        assert_eq!(result.err(), (!good).then_some(why), "{reason:?} {claimed} {witnessed:?}");
    }
}

#[test]
fn a_signature_is_made_while_its_certificate_is_valid() {
    let hospital = Hospital::new();
    let anchors = hospital.anchors();
    let before = ISSUED - Duration::SECOND;
    for moment in [
        Moment { claimed: before, witnessed: None },
        Moment { claimed: NOW, witnessed: Some(before) },
    ] {
        let result = anchors.verify_past(&hospital.doctor, Purpose::SignRecord, moment, NOW);
        let why =
            ChainError::NotYetValid { serial: hospital.doctor.serial().clone(), from: ISSUED };
        assert_eq!(result.err(), Some(why), "{moment:?}");
    }
}

/// A chain, a list and a revoked certificate made by the openssl command.
#[test]
fn the_chain_of_another_maker_is_judged() {
    let read = |file: &str| {
        fs::read(format!("{}/../tests/vectors/openssl/{file}", env!("CARGO_MANIFEST_DIR")))
            .expect(file)
    };
    let pem = |file: &str| {
        Certificate::from_pem(&String::from_utf8(read(file)).expect("text")).expect(file)
    };
    let now = datetime!(2026-11-24 00:00:00 UTC);
    let crls = [Crl::parse(&read("inter.crl.der")).expect("a list")];
    assert_eq!((crls[0].len(), crls[0].edition().number), (1, 1));
    let (root, inter) = (pem("root.pem"), pem("inter.pem"));

    // The vectors have no list of the root, so the intermediate is the anchor of nothing: it is not
    // self-signed.
    let missing = ChainError::CrlMissing { issuer: root.serial().clone() };
    for (file, purpose, why) in [
        ("sign.pem", Purpose::SignRecord, missing.clone()),
        ("sign.pem", Purpose::Login, missing.clone()),
        ("tls.pem", Purpose::Serve, missing),
        (
            "enc.pem",
            Purpose::Login,
            ChainError::WrongKeyUsage { serial: pem("enc.pem").serial().clone() },
        ),
        (
            "tsa.pem",
            Purpose::SignRecord,
            ChainError::WrongPurpose { serial: pem("tsa.pem").serial().clone() },
        ),
        (
            "revoked.pem",
            Purpose::SignRecord,
            ChainError::Revoked {
                serial: pem("revoked.pem").serial().clone(),
                at: datetime!(2026-11-22 17:41:53 UTC),
                reason: Reason::KeyCompromise,
            },
        ),
    ] {
        let result = verify(&pem(file), std::slice::from_ref(&inter), &root, &crls, purpose, now);
        assert_eq!(result.err(), Some(why), "{file} {purpose:?}");
    }
    assert_eq!(crls[0].verify(&root), Err(CrlError::NameMismatch));
}

/// A root with another key, the authorities that it certifies again, and the links between the two.
struct Successor {
    root: Issuer,
    people: Certificate,
    new_with_old: Certificate,
    old_with_new: Certificate,
}

const NEXT_ROOT_KEY: u8 = 80;

impl Successor {
    fn of(hospital: &Hospital) -> Self {
        let (old, next) = (hospital.root.certificate(), key(NEXT_ROOT_KEY));
        let order = |profile, subject: &Certificate, key: &PublicKey| Order {
            profile,
            subject: subject.subject().clone(),
            public_key: key.clone(),
            days: None,
            identifiers: Vec::new(),
        };
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
        let order = |profile, subject: &Certificate, key: &PublicKey| Order {
            profile,
            subject: subject.subject().clone(),
            public_key: key.clone(),
            days: None,
            identifiers: Vec::new(),
        };
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
