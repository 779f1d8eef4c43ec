use std::fs;

use hsm::{Sm2Signer, sm3};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime, macros::datetime};

use super::*;
use crate::{
    Certificate, ChainError, ExtendedKeyUsage, KeyUsage, Name, Order, Profile, Serial, algorithm,
    chain::Anchors,
    cms::{Attributes, CmsError, World, envelope},
    der::{oid as write_oid, write_generalized_time},
    extension, oid,
    workshop::{DEVICES_KEY, Forgery, Hospital, ISSUED, NOW, key, serial},
};

const STAMPER_KEY: u8 = 41;
const FILE: &[u8] = "病程记录".as_bytes();

fn stamper(hospital: &Hospital) -> Stamper {
    let order = Order {
        profile: Profile::TimeStamping,
        subject: Name::of_authority("Test health region", "tsa").expect("a good name"),
        public_key: key(STAMPER_KEY).public().clone(),
        days: None,
        identifiers: Vec::new(),
    };
    let draft = hospital.devices.draft(order, serial(STAMPER_KEY), ISSUED).expect("a draft");
    Stamper::new(draft.sign(&key(DEVICES_KEY)).expect("signed")).expect("may stamp")
}

fn terms(world: World) -> Terms {
    Terms { policy: "2.25.42".parse().expect("an OID"), accuracy: Duration::SECOND, world }
}

fn stamped(stamper: &Stamper, query: &Query, world: World, at: OffsetDateTime) -> Vec<u8> {
    let draft = stamper.draft(query, &terms(world), serial(7), at);
    draft.sign(&key(STAMPER_KEY)).expect("signed")
}

fn asked(digest: Digest, nonce: Option<&Nonce>) -> Query {
    let der = query(&Imprint::of(digest, FILE), nonce);
    Query::parse(&der).expect("what is written is read")
}

#[test]
fn what_is_stamped_is_verified() {
    let hospital = Hospital::new();
    let stamper = stamper(&hospital);
    let at = NOW + Duration::microseconds(120);
    for digest in [Digest::Sm3, Digest::Sha256] {
        for world in [World::Rfc5652, World::Gm0010] {
            for nonce in [None, Some(Nonce::new([0x80; 16])), Some(Nonce::new([0; 16]))] {
                let imprint = Imprint::of(digest, FILE);
                let query = asked(digest, nonce.as_ref());
                assert_eq!((query.imprint(), query.nonce()), (&imprint, nonce.as_ref()));
                let reply = stamped(&stamper, &query, world, at);
                let reply = Reply::parse(&reply).expect("what is written is read");
                let statement = reply
                    .token()
                    .verify(
                        &imprint,
                        nonce.as_ref(),
                        None,
                        &hospital.anchors(),
                        NOW + Duration::HOUR,
                    )
                    .expect("verifies");
                assert_eq!((statement.at, &statement.serial), (at, &serial(7)));
                assert_eq!(statement.accuracy, Some(Duration::SECOND));
                assert_eq!(statement.policy.to_string(), "2.25.42");
                assert!(!statement.ordered);
            }
        }
    }
}

#[test]
fn a_token_counts_for_its_thing_its_query_and_its_stamper_alone() {
    use TokenError as E;
    let hospital = Hospital::new();
    let (anchors, stamper) = (hospital.anchors(), stamper(&hospital));
    let (imprint, nonce) = (Imprint::of(Digest::Sm3, FILE), Nonce::new([9; 16]));
    let reply = stamped(&stamper, &asked(Digest::Sm3, Some(&nonce)), World::Rfc5652, NOW);
    let reply = Reply::parse(&reply).expect("well formed");
    let verify = |imprint: &Imprint, nonce: Option<&Nonce>, anchors: &Anchors, now| {
        reply.token().verify(imprint, nonce, None, anchors, now).err()
    };
    assert_eq!(verify(&imprint, Some(&nonce), &anchors, NOW), None);
    assert_eq!(verify(&imprint, None, &anchors, NOW), None);
    let other = Imprint::of(Digest::Sm3, b"another");
    assert_eq!(verify(&other, None, &anchors, NOW), Some(E::OtherImprint));
    let same = Imprint::of(Digest::Sha256, FILE);
    assert_eq!(verify(&same, None, &anchors, NOW), Some(E::OtherImprint));
    let another = Nonce::new([8; 16]);
    assert_eq!(verify(&imprint, Some(&another), &anchors, NOW), Some(E::OtherQuery));
    let early = NOW - Duration::minutes(5);
    assert_eq!(verify(&imprint, None, &anchors, early), None);
    let early = early - Duration::SECOND;
    assert_eq!(verify(&imprint, None, &anchors, early), Some(E::FutureTime));
    let strange = Anchors::new(hospital.root.certificate().clone()).expect("a root");
    let why = ChainError::UnknownIssuer { serial: serial(STAMPER_KEY) };
    assert_eq!(verify(&imprint, None, &strange, NOW), Some(E::Chain(why)));

    // Before the stamper's certificate.
    let before = ISSUED - Duration::HOUR;
    let reply = stamped(&stamper, &asked(Digest::Sm3, None), World::Rfc5652, before);
    let token = Reply::parse(&reply).expect("well formed").token().clone();
    let why = ChainError::NotYetValid { serial: serial(STAMPER_KEY), from: ISSUED };
    let refused = token.verify(&imprint, None, None, &anchors, NOW).err();
    assert_eq!(refused, Some(E::Chain(why)));

    // Without the certificate in it, somebody must have it.
    let bare = sequence(&[&[tag::INTEGER, 1, 1], &imprint.write()]);
    let bare = Query::parse(&bare).expect("well formed");
    assert!(!bare.wants_certificate());
    let reply = stamped(&stamper, &bare, World::Rfc5652, NOW);
    let token = Reply::parse(&reply).expect("well formed").token().clone();
    assert_eq!(token.certificate(), None);
    let verify = |known| token.verify(&imprint, None, known, &anchors, NOW).err();
    let own = stamper.certificate().clone();
    assert_eq!(verify(None), Some(E::NoCertificate));
    assert_eq!(verify(Some(&own)), None);
    assert_eq!(verify(Some(&hospital.doctor)), Some(E::OtherCertificate));
}

#[test]
fn only_who_was_certified_for_it_stamps() {
    let hospital = Hospital::new();
    assert!(Stamper::new(hospital.doctor.clone()).is_err());
    let forgery = || {
        let mut forgery = Forgery::of(&hospital);
        forgery.extensions.purposes = vec![ExtendedKeyUsage::TimeStamping];
        forgery.extensions.purposes_critical = true;
        forgery
    };
    assert!(Stamper::new(forgery().certificate()).is_ok());
    type Change = fn(&mut Forgery);
    let changes: [(&str, Change); 4] = [
        ("not critical", |f| f.extensions.purposes_critical = false),
        ("for another purpose too", |f| f.extensions.purposes.push(ExtendedKeyUsage::ClientAuth)),
        ("for no purpose", |f| f.extensions.purposes.clear()),
        ("no signing key", |f| f.extensions.key_usage = Some(KeyUsage::KEY_AGREEMENT)),
    ];
    for (what, change) in changes {
        let mut changed = forgery();
        change(&mut changed);
        assert!(Stamper::new(changed.certificate()).is_err(), "{what}");
    }
    // The draft is for one key.
    let stamper = stamper(&hospital);
    let query = asked(Digest::Sm3, None);
    let draft = stamper.draft(&query, &terms(World::Rfc5652), serial(7), NOW);
    assert!(matches!(draft.sign(&key(DEVICES_KEY)), Err(crate::IssueError::WrongKey)));
}

#[test]
fn a_query_that_is_not_as_it_should_be_is_refused() {
    use QueryError as E;
    let imprint = Imprint::of(Digest::Sm3, FILE).write();
    let query = |version: &[u8], imprint: &[u8], more: &[&[u8]]| {
        sequence(&[version, imprint, &more.concat()])
    };
    let v1: &[u8] = &[tag::INTEGER, 1, 1];
    let digest = |algorithm: &[u8], length: usize| {
        sequence(&[algorithm, &tlv(tag::OCTET_STRING, &[&vec![1; length]])])
    };
    let null = |oid| sequence(&[&write_oid(oid), &[tag::NULL, 0]]);
    let number = |octets: &[u8]| tlv(tag::INTEGER, &[octets]);
    let extension = extension::write(&oid::OCSP_NONCE, &[5, 0]);
    let extensions = tlv(tag::constructed(0), &[&extension]);
    let policy: &[u8] = &[tag::OID, 2, 0x29, 1];
    let true_: &[u8] = &[tag::BOOLEAN, 1, 0xff];
    let big = [&[1][..], &[0; 32]].concat();
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<E>, Failure)> = vec![
        ("as it should be", query(v1, &imprint, &[policy, &number(&[7]), true_]), None, Failure::BadRequest),
        ("version 2", query(&[2, 1, 2], &imprint, &[]), Some(E::Version), Failure::BadDataFormat),
        ("SHA-1", query(v1, &digest(&null(&oid::SHA1), 20), &[]), Some(E::Digest), Failure::BadAlgorithm),
        ("no digest", query(v1, &digest(&null(&oid::DATA), 32), &[]), Some(E::Digest), Failure::BadAlgorithm),
        ("SM3 of 31", query(v1, &digest(&algorithm::sm3(), 31), &[]), Some(E::Der(DerError::Count)), Failure::BadDataFormat),
        ("nonce of 32", query(v1, &imprint, &[&number(&big[..32])]), None, Failure::BadRequest),
        ("nonce of 33", query(v1, &imprint, &[&number(&big)]), Some(E::Der(DerError::Integer)), Failure::BadDataFormat),
        ("negative nonce", query(v1, &imprint, &[&number(&[0x80])]), Some(E::Der(DerError::Integer)), Failure::BadDataFormat),
        ("FALSE written", query(v1, &imprint, &[&[tag::BOOLEAN, 1, 0]]), Some(E::Der(DerError::Boolean)), Failure::BadDataFormat),
        ("extension", query(v1, &imprint, &[&extensions]), Some(E::Extension), Failure::UnacceptedExtension),
        ("out of order", query(v1, &imprint, &[true_, policy]), Some(E::Der(DerError::Trailing)), Failure::BadDataFormat),
        ("not DER", vec![0x30, 0x80, 0, 0], Some(E::Der(DerError::Length)), Failure::BadDataFormat),
        ("too long", vec![0x30; Query::MAX_LEN + 1], Some(E::TooLong), Failure::BadDataFormat),
    ];
    for (what, der, why, failure) in cases {
        let refused = Query::parse(&der).err();
        assert_eq!(refused, why, "{what}");
        assert!(refused.is_none_or(|refused| refused.failure() == failure), "{what}");
    }
}

/// TSTInfo with these parts in place of good ones, signed as a token.
fn token(
    hospital: &Hospital,
    version: u8,
    time: &[u8],
    more: &[u8],
    certificates: usize,
) -> Vec<u8> {
    let statement = sequence(&[
        &[tag::INTEGER, 1, version],
        &[tag::OID, 2, 0x29, 1],
        &Imprint::of(Digest::Sm3, FILE).write(),
        &[tag::INTEGER, 1, 7],
        time,
        more,
    ]);
    let own = stamper(hospital).certificate().clone();
    let attributes = Attributes::write(&oid::TST_INFO, &sm3::digest(&statement), &own);
    let stamper_key = key(STAMPER_KEY);
    let signature = stamper_key.sign(&stamper_key.digest(&attributes)).expect("software keys sign");
    let content = tlv(tag::constructed(0), &[&tlv(tag::OCTET_STRING, &[&statement])]);
    let encapsulated = sequence(&[&write_oid(&oid::TST_INFO), &content]);
    let sent = [own.der().to_vec(), hospital.doctor.der().to_vec()][..certificates].to_vec();
    envelope::write(World::Rfc5652, 3, &encapsulated, sent, &own, &attributes, &signature)
}

#[test]
fn a_token_that_is_not_as_it_should_be_is_refused() {
    use TokenError as E;
    let hospital = Hospital::new();
    let time = write_generalized_time(NOW);
    let text = |text: &str| tlv(tag::GENERALIZED_TIME, &[text.as_bytes()]);
    let accuracy = |parts: &[u8]| sequence(&[parts]);
    let statement = |why| Some(E::Statement(why));
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<E>)> = vec![
        ("as it should be", token(&hospital, 1, &time, &[], 1), None),
        ("version 2", token(&hospital, 2, &time, &[], 1), Some(E::Unknown)),
        ("with extensions", token(&hospital, 1, &time, &tlv(tag::constructed(1), &[&[5, 0]]), 1), Some(E::Unknown)),
        ("a certificate more", token(&hospital, 1, &time, &[], 2), Some(E::StrangeCertificate)),
        ("a fraction", token(&hospital, 1, &text("20261124080000.5Z"), &[], 1), None),
        ("RFC 3161, 2.4.2: a trailing 0", token(&hospital, 1, &text("20261124080000.50Z"), &[], 1), statement(DerError::Time)),
        ("no digit after the point", token(&hospital, 1, &text("20261124080000.Z"), &[], 1), statement(DerError::Time)),
        ("ten digits", token(&hospital, 1, &text("20261124080000.1234567891Z"), &[], 1), statement(DerError::Time)),
        ("local time", token(&hospital, 1, &text("20261124080000"), &[], 1), statement(DerError::Time)),
        ("UTCTime", token(&hospital, 1, &tlv(tag::UTC_TIME, &[b"261124080000Z"]), &[], 1), statement(DerError::Tag { expected: 0x18 })),
        ("no such day", token(&hospital, 1, &text("20260230080000Z"), &[], 1), statement(DerError::Time)),
        ("accuracy in all parts", token(&hospital, 1, &time, &accuracy(&[2, 1, 1, 0x80, 2, 3, 0xe7, 0x81, 1, 5]), 1), None),
        ("1000 milliseconds", token(&hospital, 1, &time, &accuracy(&[0x80, 2, 3, 0xe8]), 1), statement(DerError::Integer)),
        ("out of order", token(&hospital, 1, &time, &accuracy(&[0x81, 1, 5, 0x80, 1, 5]), 1), statement(DerError::Trailing)),
        ("ordered", token(&hospital, 1, &time, &[tag::BOOLEAN, 1, 0xff], 1), None),
        ("not a token", hospital.doctor.der().to_vec(), Some(E::Message(CmsError::Der(DerError::Tag { expected: tag::OID })))),
        ("too long", vec![0x30; Token::MAX_LEN + 1], Some(E::TooLong)),
    ];
    for (what, der, why) in cases {
        assert_eq!(Token::parse(&der).err(), why, "{what}");
    }
    let exact = token(&hospital, 1, &time, &accuracy(&[2, 1, 1, 0x80, 2, 3, 0xe7, 0x81, 1, 5]), 1);
    let read = Token::parse(&exact).expect("well formed");
    assert_eq!(read.statement().accuracy, Some(Duration::microseconds(1_999_005)));
}

#[test]
fn a_reply_says_why_there_is_no_token() {
    let hospital = Hospital::new();
    for (failure, _) in Failure::BITS {
        let refused = Reply::parse(&failure.reply()).err();
        assert_eq!(refused, Some(ReplyError::Rejected(Some(failure))));
    }
    let good = token(&hospital, 1, &write_generalized_time(NOW), &[], 1);
    let status = |status: u8, more: &[u8]| sequence(&[&[tag::INTEGER, 1, status], more]);
    let text = sequence(&[&tlv(tag::UTF8_STRING, &["时间不可用".as_bytes()])]);
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<ReplyError>)> = vec![
        ("granted", sequence(&[&status(0, &[]), &good]), None),
        ("granted otherwise", sequence(&[&status(1, &text), &good]), None),
        ("granted, no token", sequence(&[&status(0, &[])]), Some(ReplyError::Der(DerError::Tag { expected: 0x30 }))),
        ("rejected, with a token", sequence(&[&status(2, &[]), &good]), Some(ReplyError::Status)),
        ("rejected", sequence(&[&status(2, &text)]), Some(ReplyError::Rejected(None))),
        ("another bit", sequence(&[&status(2, &[3, 2, 4, 0x10])]), Some(ReplyError::Rejected(None))),
        ("waiting", sequence(&[&status(3, &[])]), Some(ReplyError::Rejected(None))),
        ("status 6", sequence(&[&status(6, &[])]), Some(ReplyError::Status)),
        ("too long", vec![0x30; Reply::MAX_LEN + 1], Some(ReplyError::TooLong)),
    ];
    for (what, der, why) in cases {
        assert_eq!(Reply::parse(&der).err(), why, "{what}");
    }
}

#[test]
fn policies_are_shown_as_they_are_read() {
    for (text, good) in [
        ("1.2.3.4.5.6", true),
        ("2.25.329800735698586629295641978511506172918", true),
        ("2.999", true),
        ("0.39", true),
        ("1.40", false),
        ("3.1", false),
        ("1", false),
        ("", false),
        ("1.02", false),
        ("1.2.", false),
        ("1.-2", false),
        ("1.+2", false),
        ("2.25.340282366920938463463374607431768211456", false),
        (
            "1.2.3.340282366920938463463374607431768211455.340282366920938463463374607431768211455",
            false,
        ),
    ] {
        let read = text.parse::<Policy>().map(|policy| policy.to_string());
        assert_eq!(read, if good { Ok(text.to_owned()) } else { Err(BadPolicy) }, "{text}");
    }
}

/// A query made by the openssl command, stamped by Bouncy Castle.
#[test]
fn queries_and_tokens_of_another_maker_are_read() {
    let read = |file: &str| {
        fs::read(format!("{}/../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"))).expect(file)
    };
    let pem = |file: &str| {
        Certificate::from_pem(&String::from_utf8(read(file)).expect("text")).expect(file)
    };
    let query = Query::parse(&read("openssl/message.tsq.der")).expect("a query");
    assert_eq!(*query.imprint(), Imprint::of(Digest::Sm3, &read("openssl/message.bin")));
    assert!(query.wants_certificate() && query.policy().is_none());

    let reply = Reply::parse(&read("bouncycastle/timestamp.resp.der")).expect("a reply");
    let token = reply.token();
    assert_eq!(token.der(), read("bouncycastle/timestamp.token.der"));
    assert_eq!(token.certificate(), Some(&pem("openssl/tsa.pem")));
    let statement = token.statement();
    assert_eq!(statement.at, datetime!(2027-01-01 00:00 UTC));
    assert_eq!(statement.serial.to_string(), "2a");
    assert_eq!(statement.policy.to_string(), "1.2.3.4.5.6");
    assert_eq!(statement.accuracy, Some(Duration::SECOND));
    assert_eq!(statement.nonce.as_ref(), query.nonce());
    let root = pem("openssl/root.pem");
    let mut anchors = Anchors::new(root.clone()).expect("a root");
    anchors.add_issuer(pem("openssl/inter.pem")).expect("vouched for");
    let list = crate::crl::Crl::parse(&read("openssl/inter.crl.der")).expect("a list");
    anchors.add_crl(list).expect("theirs");
    let verify = |nonce: Option<&Nonce>| {
        token.verify(query.imprint(), nonce, None, &anchors, statement.at).err()
    };
    // All is right up to the root's revocation list, which the vectors do not have.
    let stale = |error| matches!(error, Some(TokenError::Chain(ChainError::CrlMissing { .. })));
    assert!(stale(verify(query.nonce())), "{:?}", verify(query.nonce()));
    assert_eq!(verify(Some(&Nonce::new([1; 16]))), Some(TokenError::OtherQuery));
}

#[test]
fn no_octet_can_be_changed() {
    let hospital = Hospital::new();
    let (anchors, stamper) = (hospital.anchors(), stamper(&hospital));
    let (imprint, nonce) = (Imprint::of(Digest::Sm3, FILE), Nonce::new([9; 16]));
    let query = asked(Digest::Sm3, Some(&nonce));
    let der = stamped(&stamper, &query, World::Rfc5652, NOW);
    let der = Reply::parse(&der).expect("well formed").token().der().to_vec();
    let mut read = 0;
    for at in 0..der.len() {
        for change in [0x01, 0x80] {
            let mut changed = der.clone();
            changed[at] ^= change;
            if let Ok(token) = Token::parse(&changed) {
                read += 1;
                let verdict = token.verify(&imprint, Some(&nonce), None, &anchors, NOW);
                assert!(verdict.is_err(), "octet {at}, change {change:02x}");
            }
        }
        assert!(Token::parse(&der[..at]).is_err(), "{at} octets");
    }
    assert!(read > 100, "{read} changed tokens were well formed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_octets_are_nothing(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Query::parse(&octets).is_err());
        prop_assert!(Reply::parse(&octets).is_err());
        prop_assert!(Token::parse(&octets).is_err());
    }

    #[test]
    fn a_statement_says_what_it_was_made_of(
        number: [u8; 16],
        nonce: Option<[u8; 16]>,
        nanoseconds in 0_i64..4_000_000_000_000_000_000,
        accuracy in proptest::option::of(0_i64..10_000_000_000),
        ordered: bool,
        named: bool,
    ) {
        let hospital = Hospital::new();
        let made = Statement {
            policy: "2.25.42".parse().expect("an OID"),
            imprint: Imprint::of(Digest::Sha256, &number),
            serial: Serial::from_random(number),
            at: OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(nanoseconds),
            accuracy: accuracy.map(Duration::microseconds),
            ordered,
            nonce: nonce.map(Nonce::new),
            stamper: named.then(|| hospital.doctor.subject().clone()),
        };
        prop_assert_eq!(Statement::read(&made.write()), Ok(Some(made)));
    }
}
