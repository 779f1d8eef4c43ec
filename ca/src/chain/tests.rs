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
mod succession;

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
