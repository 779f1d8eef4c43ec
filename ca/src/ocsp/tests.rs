use std::fs;

use hsm::Sm2Signer;
use proptest::prelude::*;
use time::{Duration, OffsetDateTime, macros::datetime};

use super::*;
use crate::{
    Certificate, Digest, Issuer, Name, Order, Profile, Serial, algorithm,
    crl::Reason,
    der::{bit_string, oid as write_oid, sequence, write_generalized_time},
    extension, oid,
    workshop::{DEVICES_KEY, Forgery, Hospital, ISSUED, NOW, PEOPLE_KEY, key, serial},
};

const RESPONDER_KEY: u8 = 40;
const PERIOD: Period = Period { this_update: NOW, next_update: datetime!(2026-11-24 09:00:00 UTC) };

/// Who answers for the people's authority.
fn responder(issuer: &Issuer, of: u8) -> Responder {
    let order = Order {
        profile: Profile::StatusResponder,
        subject: Name::of_authority("Test health region", "people-ocsp").expect("a good name"),
        public_key: key(RESPONDER_KEY).public().clone(),
        days: None,
        identifiers: Vec::new(),
    };
    let certificate = issuer.draft(order, serial(RESPONDER_KEY), ISSUED).expect("a draft");
    Responder::new(certificate.sign(&key(of)).expect("signed"), issuer.certificate())
        .expect("may answer")
}

fn id(hospital: &Hospital, digest: Digest, number: u8) -> CertificateId {
    CertificateId::new(digest, hospital.people.certificate(), &serial(number))
}

fn answered(hospital: &Hospital, answers: &[Answer], nonce: Option<&Nonce>) -> Vec<u8> {
    let responder = responder(&hospital.people, PEOPLE_KEY);
    responder.draft(answers, PERIOD, nonce).sign(&key(RESPONDER_KEY)).expect("signed")
}

fn verify(
    der: &[u8],
    issuer: &Certificate,
    id: &CertificateId,
    nonce: Option<&Nonce>,
    now: OffsetDateTime,
) -> Result<Status, ResponseError> {
    Response::parse(der)?.verify(Asked { issuer, id, nonce }, now)
}

#[test]
fn what_is_asked_is_answered() {
    let hospital = Hospital::new();
    let issuer = hospital.people.certificate();
    let nonce = Nonce::new(&[7; 32]).expect("a good length");
    let revoked = |reason| Status::Revoked { at: datetime!(2026-11-24 07:00:00 UTC), reason };
    let statuses = [
        Status::Good,
        revoked(Reason::KeyCompromise),
        revoked(Reason::Unspecified),
        revoked(Reason::Hold),
        Status::Unknown,
    ];
    for digest in [Digest::Sm3, Digest::Sha256, Digest::Sha1] {
        let ids: Vec<_> = (50..55).map(|number| id(&hospital, digest, number)).collect();
        let asked =
            Question::parse(&question(&ids, Some(&nonce))).expect("what is written is read");
        assert_eq!((asked.ids(), asked.nonce()), (&ids[..], Some(&nonce)));
        assert!(asked.ids().iter().all(|id| id.is_of(issuer)));
        assert!(!asked.ids()[0].is_of(hospital.devices.certificate()));
        let answers: Vec<_> = ids
            .iter()
            .zip(statuses)
            .map(|(id, status)| Answer { id: id.clone(), status })
            .collect();
        let der = answered(&hospital, &answers, asked.nonce());
        for Answer { id, status } in &answers {
            assert_eq!(verify(&der, issuer, id, Some(&nonce), NOW), Ok(*status), "{digest:?}");
        }
    }
    let plain = question(&[id(&hospital, Digest::Sm3, 50)], None);
    assert_eq!(Question::parse(&plain).expect("well formed").nonce(), None);
}

/// A response, what was asked of whom and when, and what is wrong.
type Case<'a> = (
    &'a str,
    &'a [u8],
    &'a Certificate,
    &'a CertificateId,
    Option<&'a Nonce>,
    OffsetDateTime,
    Option<ResponseError>,
);

#[test]
fn an_answer_counts_for_its_question_its_issuer_and_its_time_alone() {
    use ResponseError as E;
    let hospital = Hospital::new();
    let issuer = hospital.people.certificate();
    let [nonce, other] = [[7; 16], [8; 16]].map(|octets| Nonce::new(&octets).expect("16 octets"));
    let doctor = id(&hospital, Digest::Sm3, 4);
    let answer = [Answer { id: doctor.clone(), status: Status::Good }];
    let with_nonce = answered(&hospital, &answer, Some(&nonce));
    let contradiction = Answer { id: doctor.clone(), status: Status::Unknown };
    let twice = answered(&hospital, &[answer[0].clone(), contradiction], None);
    let plain = answered(&hospital, &answer, None);
    let skew = Duration::minutes(5);
    let end = PERIOD.next_update;
    let devices = hospital.devices.certificate();
    let desk = CertificateId::new(Digest::Sm3, devices, &serial(4));
    let nurse = id(&hospital, Digest::Sm3, 5);
    let same = CertificateId::new(Digest::Sha1, issuer, &serial(4));
    #[rustfmt::skip]
    let cases: Vec<Case<'_>> = vec![
        ("as it should be", &with_nonce, issuer, &doctor, Some(&nonce), NOW, None),
        ("a nonce nobody asked for", &with_nonce, issuer, &doctor, None, NOW, None),
        ("another nonce", &with_nonce, issuer, &doctor, Some(&other), NOW, Some(E::OtherQuestion)),
        ("no nonce", &plain, issuer, &doctor, Some(&nonce), NOW, Some(E::OtherQuestion)),
        ("another certificate", &plain, issuer, &nurse, None, NOW, Some(E::NotAnswered)),
        ("under another digest", &plain, issuer, &same, None, NOW, Some(E::NotAnswered)),
        ("answered twice", &twice, issuer, &doctor, None, NOW, Some(E::NotAnswered)),
        ("another issuer", &plain, devices, &desk, None, NOW, Some(E::WrongResponder)),
        ("a clock behind", &plain, issuer, &doctor, None, NOW - skew, None),
        ("a clock too far behind", &plain, issuer, &doctor, None, NOW - skew - Duration::SECOND, Some(E::NotYetValid { this_update: NOW })),
        ("a clock ahead", &plain, issuer, &doctor, None, end + skew, None),
        ("a clock too far ahead", &plain, issuer, &doctor, None, end + skew + Duration::SECOND, Some(E::Stale { next_update: end })),
        ("after the responder's end", &plain, issuer, &doctor, None, ISSUED + Duration::days(90), Some(E::ResponderNotValid)),
        ("before the responder", &plain, issuer, &doctor, None, ISSUED - Duration::HOUR, Some(E::ResponderNotValid)),
    ];
    for (what, der, issuer, id, nonce, now, why) in cases {
        assert_eq!(verify(der, issuer, id, nonce, now).err(), why, "{what}");
    }
}

#[test]
fn only_who_was_certified_for_it_answers() {
    let hospital = Hospital::new();
    let people = hospital.people.certificate();
    let genuine = responder(&hospital.people, PEOPLE_KEY).certificate().clone();
    assert!(Responder::new(genuine.clone(), hospital.devices.certificate()).is_err());
    assert!(Responder::new(hospital.doctor.clone(), people).is_err());
    // An authority's own kind of responder, signed by another one in its name.
    let foreign = responder(&hospital.devices, DEVICES_KEY);
    assert!(Responder::new(foreign.certificate().clone(), people).is_err());
    let forgery = || {
        let mut forgery = Forgery::of(&hospital);
        forgery.subject = genuine.subject().der().to_vec();
        forgery.key = key(RESPONDER_KEY).public().to_spki_der();
        forgery.extensions.purposes = vec![crate::ExtendedKeyUsage::OcspSigning];
        forgery.extensions.key_usage = Some(crate::KeyUsage::DIGITAL_SIGNATURE);
        forgery.extensions.no_check = true;
        forgery
    };
    assert!(Responder::new(forgery().certificate(), people).is_ok());
    type Change = fn(&mut Forgery);
    let changes: [(&str, Change); 5] = [
        ("for any purpose", |f| f.extensions.purposes = vec![crate::ExtendedKeyUsage::Any]),
        ("for no purpose", |f| f.extensions.purposes = Vec::new()),
        ("revocable", |f| f.extensions.no_check = false),
        ("no signing key", |f| f.extensions.key_usage = Some(crate::KeyUsage::KEY_AGREEMENT)),
        ("signed by another", |f| f.signer = DEVICES_KEY),
    ];
    for (what, change) in changes {
        let mut changed = forgery();
        change(&mut changed);
        assert!(Responder::new(changed.certificate(), people).is_err(), "{what}");
    }
    // A response by such a one is refused when it is read, too.
    let doctor = id(&hospital, Digest::Sm3, 4);
    let good = [Answer { id: doctor.clone(), status: Status::Good }];
    let der = foreign.draft(&good, PERIOD, None).sign(&key(RESPONDER_KEY)).expect("signed");
    assert_eq!(verify(&der, people, &doctor, None, NOW), Err(ResponseError::WrongResponder));
    // The draft is for one key.
    let responder = responder(&hospital.people, PEOPLE_KEY);
    let draft = responder.draft(&good, PERIOD, None);
    assert!(matches!(draft.sign(&key(PEOPLE_KEY)), Err(crate::IssueError::WrongKey)));
}

/// OCSPRequest with these parts in place of good ones.
fn asked(version: &[u8], list: &[u8], extensions: &[u8], signature: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[version, &sequence(&[list]), extensions]), signature])
}

#[test]
fn a_question_that_is_not_as_it_should_be_is_refused() {
    use QuestionError as E;
    let hospital = Hospital::new();
    let one = sequence(&[id(&hospital, Digest::Sm3, 4).der()]);
    let wrap = |list: &[u8]| tlv(tag::constructed(2), &[&sequence(&[list])]);
    let nonce = |value: &[u8]| wrap(&extension::write(&oid::OCSP_NONCE, value));
    let octets = |length: usize| tlv(tag::OCTET_STRING, &[&vec![1; length]]);
    let critical = |kind| wrap(&extension::write_critical(kind, &[5, 0]));
    let unknown = || Some(E::UnknownCritical { oid: "1.3.6.1.5.5.7.48.1.5".into() });
    let in_single = sequence(&[
        id(&hospital, Digest::Sm3, 4).der(),
        &tlv(
            tag::constructed(0),
            &[&sequence(&[&extension::write_critical(&oid::OCSP_NO_CHECK, &[5, 0])])],
        ),
    ]);
    let md5 = const_oid::ObjectIdentifier::new_unwrap("1.2.840.113549.2.5");
    let certificate_id = |algorithm: &[u8], name: usize, key: usize, serial: &[u8]| {
        sequence(&[&sequence(&[algorithm, &octets(name), &octets(key), serial])])
    };
    let (sm3, serial) = (algorithm::sm3(), serial(4).write());
    let signature = tlv(
        tag::constructed(0),
        &[&sequence(&[&algorithm::sm2_with_sm3(), &bit_string(&[1; 70])])],
    );
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<E>)> = vec![
        ("as it should be", asked(&[], &one, &[], &[]), None),
        ("signed", asked(&[], &one, &[], &signature), None),
        ("an algorithm that is not known", asked(&[], &certificate_id(&sequence(&[&write_oid(&md5)]), 16, 16, &serial), &[], &[]), None),
        ("version 1 spelled out", asked(&tlv(tag::constructed(0), &[&[2, 1, 0]]), &one, &[], &[]), Some(E::Version)),
        ("nothing asked", asked(&[], &[], &[], &[]), Some(E::Count)),
        ("sixteen", asked(&[], &one.repeat(16), &[], &[]), None),
        ("seventeen", asked(&[], &one.repeat(17), &[], &[]), Some(E::Count)),
        ("no extensions", asked(&[], &one, &wrap(&[]), &[]), Some(E::Der(DerError::Count))),
        ("RFC 9654, 2.1: nonce of 128", asked(&[], &one, &nonce(&octets(128)), &[]), None),
        ("nonce of 129", asked(&[], &one, &nonce(&octets(129)), &[]), Some(E::Der(DerError::Count))),
        ("empty nonce", asked(&[], &one, &nonce(&octets(0)), &[]), Some(E::Der(DerError::Count))),
        ("bare nonce", asked(&[], &one, &nonce(&[1; 16]), &[]), Some(E::Der(DerError::Tag { expected: 4 }))),
        ("critical", asked(&[], &one, &critical(&oid::OCSP_NO_CHECK), &[]), unknown()),
        ("critical in a part", asked(&[], &in_single, &[], &[]), unknown()),
        ("name of 31", asked(&[], &certificate_id(&sm3, 31, 32, &serial), &[], &[]), Some(E::Der(DerError::Count))),
        ("key of 20", asked(&[], &certificate_id(&sm3, 32, 20, &serial), &[], &[]), Some(E::Der(DerError::Count))),
        ("serial number 0", asked(&[], &certificate_id(&sm3, 32, 32, &[2, 1, 0]), &[], &[]), Some(E::Der(DerError::Integer))),
        ("negative", asked(&[], &certificate_id(&sm3, 32, 32, &[2, 1, 0x80]), &[], &[]), Some(E::Der(DerError::Integer))),
        ("other parameters", asked(&[], &certificate_id(&sequence(&[&write_oid(&oid::SM3), &[4, 0]]), 32, 32, &serial), &[], &[]), None),
        ("something behind", asked(&[], &one, &[], &[5, 0]), Some(E::Der(DerError::Trailing))),
        ("not DER", vec![0x30, 0x80, 0, 0], Some(E::Der(DerError::Length))),
        ("too long", vec![0x30; Question::MAX_LEN + 1], Some(E::TooLong)),
    ];
    for (what, der, why) in cases {
        assert_eq!(Question::parse(&der).err(), why, "{what}");
    }
    // What cannot be computed again is nobody's.
    let foreign =
        asked(&[], &certificate_id(&sequence(&[&write_oid(&md5)]), 16, 16, &serial), &[], &[]);
    let foreign = Question::parse(&foreign).expect("well formed");
    assert!(!foreign.ids()[0].is_of(hospital.people.certificate()));
}

/// A response with these parts in place of good ones, signed by the people's authority itself.
fn response(responder: &[u8], single: &[u8], extensions: &[u8], certificates: &[u8]) -> Vec<u8> {
    let produced = write_generalized_time(NOW);
    let body = sequence(&[responder, &produced, &sequence(&[single]), extensions]);
    let key = key(PEOPLE_KEY);
    let signature = key.sign(&key.digest(&body)).expect("software keys sign");
    let basic = sequence(&[
        &body,
        &algorithm::sm2_with_sm3(),
        &bit_string(&signature.to_der()),
        certificates,
    ]);
    let bytes = sequence(&[&write_oid(&oid::OCSP_BASIC), &tlv(tag::OCTET_STRING, &[&basic])]);
    sequence(&[&[tag::ENUMERATED, 1, 0], &tlv(tag::constructed(0), &[&bytes])])
}

#[test]
fn a_response_that_is_not_as_it_should_be_is_refused() {
    use ResponseError as E;
    let hospital = Hospital::new();
    let people = hospital.people.certificate();
    let doctor = id(&hospital, Digest::Sm3, 4);
    let name = tlv(tag::constructed(1), &[people.subject().der()]);
    let sha1 = Digest::Sha1.of(people.public_key().as_sec1());
    let by_key = |digest: &[u8]| tlv(tag::constructed(2), &[&tlv(tag::OCTET_STRING, &[digest])]);
    let time = write_generalized_time;
    let until = |at| tlv(tag::constructed(0), &[&time(at)]);
    let single = |status: &[u8], more: &[u8]| {
        sequence(&[doctor.der(), status, &time(NOW), &until(PERIOD.next_update), more])
    };
    let good: &[u8] = &[0x80, 0];
    let revoked = |reason: &[u8]| {
        let reason = tlv(tag::constructed(0), &[&tlv(tag::ENUMERATED, &[reason])]);
        tlv(tag::constructed(1), &[&time(NOW), &reason])
    };
    let fraction = time(NOW + Duration::milliseconds(500));
    let critical = tlv(
        tag::constructed(1),
        &[&sequence(&[&extension::write_critical(&oid::OCSP_NO_CHECK, &[5, 0])])],
    );
    let unknown = || Some(E::UnknownCritical { oid: "1.3.6.1.5.5.7.48.1.5".into() });
    let certificates =
        |count: usize| tlv(tag::constructed(0), &[&sequence(&[&people.der().repeat(count)])]);
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<E>)> = vec![
        ("by the issuer itself", response(&name, &single(good, &[]), &[], &[]), None),
        ("by its key", response(&by_key(&sha1), &single(good, &[]), &[], &[]), None),
        ("by another key", response(&by_key(&[0; 20]), &single(good, &[]), &[], &[]), Some(E::WrongResponder)),
        ("by a digest of 32", response(&by_key(&[0; 32]), &single(good, &[]), &[], &[]), Some(E::Der(DerError::Count))),
        ("with a version", response(&tlv(tag::constructed(0), &[&[2, 1, 0]]), &single(good, &[]), &[], &[]), Some(E::Kind)),
        ("by nobody", response(&[5, 0], &single(good, &[]), &[], &[]), Some(E::Der(DerError::Tag { expected: 0xa1 }))),
        ("no answer", response(&name, &[], &[], &[]), Some(E::NotAnswered)),
        ("good with something in it", response(&name, &single(&[0x80, 1, 0], &[]), &[], &[]), Some(E::Der(DerError::Tag { expected: 0x80 }))),
        ("a fourth status", response(&name, &single(&[0x83, 0], &[]), &[], &[]), Some(E::Der(DerError::Tag { expected: 0x80 }))),
        ("reason 7", response(&name, &single(&revoked(&[7]), &[]), &[], &[]), Some(E::Reason)),
        ("reason of two octets", response(&name, &single(&revoked(&[0, 1]), &[]), &[], &[]), Some(E::Reason)),
        ("no end", response(&name, &sequence(&[doctor.der(), good, &time(NOW)]), &[], &[]), Some(E::NoPeriod)),
        ("end before the begin", response(&name, &sequence(&[doctor.der(), good, &time(NOW), &until(ISSUED)]), &[], &[]), Some(E::NoPeriod)),
        ("fraction of a second", response(&name, &sequence(&[doctor.der(), good, &fraction, &until(PERIOD.next_update)]), &[], &[]), Some(E::Der(DerError::Time))),
        ("critical", response(&name, &single(good, &[]), &critical, &[]), unknown()),
        ("critical in a part", response(&name, &single(good, &critical), &[], &[]), unknown()),
        ("four certificates", response(&name, &single(good, &[]), &[], &certificates(4)), None),
        ("five certificates", response(&name, &single(good, &[]), &[], &certificates(5)), Some(E::Der(DerError::Count))),
        ("no certificate in the list", response(&name, &single(good, &[]), &[], &tlv(tag::constructed(0), &[&sequence(&[&sequence(&[])])])), Some(E::Certificate(crate::CertificateError::Der(DerError::Tag { expected: 0x30 })))),
        ("try later", Failure::TryLater.response(), Some(E::Failed(Failure::TryLater))),
        ("status 4", sequence(&[&[10, 1, 4]]), Some(E::Kind)),
        ("failed with an answer", sequence(&[&[10, 1, 3], &tlv(0xa0, &[&[5, 0]])]), Some(E::Der(DerError::Trailing))),
        ("too long", vec![0x30; Response::MAX_LEN + 1], Some(E::TooLong)),
    ];
    for (what, der, why) in cases {
        assert_eq!(verify(&der, people, &doctor, None, NOW).err(), why, "{what}");
    }
    for (failure, code) in Failure::CODES {
        assert_eq!(failure.response(), [0x30, 3, 0x0a, 1, code]);
        assert_eq!(Response::parse(&failure.response()).err(), Some(E::Failed(failure)));
    }
}

/// Made by the openssl command: three certificates, named by SM3 digests.
#[test]
fn questions_and_answers_of_another_maker_are_read() {
    let read = |file: &str| {
        fs::read(format!("{}/../tests/vectors/openssl/{file}", env!("CARGO_MANIFEST_DIR")))
            .expect(file)
    };
    let pem = |file: &str| {
        Certificate::from_pem(&String::from_utf8(read(file)).expect("text")).expect(file)
    };
    let (issuer, root) = (pem("inter.pem"), pem("root.pem"));
    let asked = Question::parse(&read("ocsp.req.der")).expect("a question");
    let serials: Vec<_> = asked.ids().iter().map(|id| id.serial().to_string()).collect();
    assert_eq!(serials, ["3001", "3006", "9999"]);
    assert!(asked.ids().iter().all(|id| id.is_of(&issuer) && !id.is_of(&root)));
    let own = CertificateId::new(Digest::Sm3, &issuer, pem("sign.pem").serial());
    // The same but for the NULL that openssl writes after SM3.
    assert!(asked.ids()[0].means(&own) && asked.ids()[0] != own);

    let answer = Response::parse(&read("ocsp.resp.der")).expect("a response");
    let at = datetime!(2026-11-22 17:41:53 UTC);
    let expected =
        [Status::Good, Status::Revoked { at, reason: Reason::KeyCompromise }, Status::Unknown];
    let now = at + Duration::days(2);
    for (id, status) in asked.ids().iter().zip(expected) {
        let asked = Asked { issuer: &issuer, id, nonce: asked.nonce() };
        assert_eq!(answer.verify(asked, now), Ok(status), "{id:?}");
        let other = Asked { issuer: &root, ..asked };
        assert_eq!(answer.verify(other, now), Err(ResponseError::WrongResponder));
    }
    assert!(Responder::new(pem("ocsp.pem"), &issuer).is_ok());
}

#[test]
fn no_octet_can_be_changed() {
    let hospital = Hospital::new();
    let issuer = hospital.people.certificate();
    let doctor = id(&hospital, Digest::Sm3, 4);
    let nonce = Nonce::new(&[7; 16]).expect("16 octets");
    let answer = [Answer { id: doctor.clone(), status: Status::Good }];
    let der = answered(&hospital, &answer, Some(&nonce));
    let mut read = 0;
    for at in 0..der.len() {
        for change in [0x01, 0x80] {
            let mut changed = der.clone();
            changed[at] ^= change;
            if let Ok(response) = Response::parse(&changed) {
                read += 1;
                let asked = Asked { issuer, id: &doctor, nonce: Some(&nonce) };
                let verdict = response.verify(asked, NOW);
                assert!(verdict.is_err(), "octet {at}, change {change:02x}");
            }
        }
        assert!(Response::parse(&der[..at]).is_err(), "{at} octets");
    }
    assert!(read > 100, "{read} changed responses were well formed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_octets_are_nothing(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Question::parse(&octets).is_err());
        prop_assert!(Response::parse(&octets).is_err());
    }

    #[test]
    fn a_question_asks_what_it_was_made_of(
        serials in proptest::collection::vec(any::<[u8; 16]>(), 1..=16),
        nonce in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..=128)),
        at in 0_usize..200,
    ) {
        let hospital = Hospital::new();
        let issuer = hospital.people.certificate();
        let ids: Vec<_> = serials
            .into_iter()
            .map(|octets| CertificateId::new(Digest::Sha256, issuer, &Serial::from_random(octets)))
            .collect();
        let nonce = nonce.map(|octets| Nonce::new(&octets).expect("a good length"));
        let der = question(&ids, nonce.as_ref());
        let read = Question::parse(&der).expect("well formed");
        prop_assert_eq!(read.ids(), &ids[..]);
        prop_assert_eq!(read.nonce(), nonce.as_ref());
        // Nothing can be changed and still ask the same.
        let mut changed = der.clone();
        changed[at % der.len()] ^= 1;
        prop_assert_ne!(Question::parse(&changed).ok(), Some(read));
    }
}
