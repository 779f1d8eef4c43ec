use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hsm::{
    Sm2Signer as _,
    sm2::{SecretKey, Signature},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Confirmation, jws,
    keys::thumbprint,
    snapshot::{self, EndedToken, MAX_ENDED, MAX_SNAPSHOT},
    testing::{Issuer, claims, prove, sign_proof},
};

const REQUEST: Request<'_> =
    Request { method: "GET", uri: "https://emr.example/fhir/Patient/1?_format=json" };
const NAME: &str = "0123456789abcdef";

struct Scene {
    issuer: Issuer,
    holder: SecretKey,
    verifier: Verifier,
}

impl Scene {
    fn new() -> Self {
        let (issuer, holder) = (Issuer::new(), SecretKey::generate());
        let verifier = Verifier::new("desk.example", "emr.example", issuer.keys());
        Self { issuer, holder, verifier }
    }

    fn claims(&self) -> Claims {
        Claims {
            cnf: Confirmation { thumbprint: thumbprint(self.holder.public_key()) },
            ..claims()
        }
    }

    fn token(&self) -> String {
        self.issuer.sign(&self.claims())
    }

    /// Shows these claims with a good and new proof.
    fn show(&self, claims: &Claims, now: i64) -> Result<Checked, Refusal> {
        let token = self.issuer.sign(claims);
        let name = format!("{:032x}", u128::from_le_bytes(*token.as_bytes().last_chunk().unwrap()));
        let proof = prove(&self.holder, &token, REQUEST, &name, now);
        self.verifier.check(&token, Some(&proof), REQUEST, now)
    }

    fn snapshot(&self, now: i64, ended: &[&str]) -> String {
        self.snapshot_of("desk.example", now, ended)
    }

    fn snapshot_of(&self, issuer: &str, now: i64, ended: &[&str]) -> String {
        let ended =
            ended.iter().map(|id| EndedToken { id: (*id).to_owned(), issued_at: 1000 }).collect();
        let kid = self.issuer.kid();
        self.issuer.seal(snapshot::signing_input(&kid, issuer, now, now + 60, ended))
    }
}

#[test]
fn a_token_with_a_proof_is_good_for_its_time() {
    let scene = Scene::new();
    let good = scene.show(&scene.claims(), 1000).unwrap();
    assert_eq!(good, Checked { claims: scene.claims(), snapshot_age: None });
    let cases = [
        (969, Err(Refusal::TokenNotYetValid)),
        (970, Ok(())),
        (1300, Ok(())),
        (1329, Ok(())),
        (1330, Err(Refusal::TokenExpired)),
        (i64::MAX, Err(Refusal::TokenExpired)),
        (i64::MIN, Err(Refusal::TokenNotYetValid)),
    ];
    for (now, expected) in cases {
        assert_eq!(scene.show(&scene.claims(), now).map(drop), expected, "at {now}");
    }
}

#[test]
fn tokens_of_others_for_others_and_of_other_times_are_refused() {
    let scene = Scene::new();
    let cases = [
        (Claims { iss: "other.example".into(), ..scene.claims() }, Refusal::TokenOtherIssuer),
        (Claims { iss: "desk.example/".into(), ..scene.claims() }, Refusal::TokenOtherIssuer),
        (Claims { aud: "lab.example".into(), ..scene.claims() }, Refusal::TokenOtherAudience),
        (Claims { nbf: 1100, ..scene.claims() }, Refusal::TokenNotYetValid),
        (Claims { iat: 1100, ..scene.claims() }, Refusal::TokenNotYetValid),
        (Claims { exp: 900, ..scene.claims() }, Refusal::TokenExpired),
        (Claims { exp: i64::MIN, ..scene.claims() }, Refusal::TokenExpired),
    ];
    for (claims, refusal) in cases {
        assert_eq!(scene.show(&claims, 1050), Err(refusal));
    }
}

#[test]
fn a_key_is_succeeded_without_a_failed_check() {
    let (scene, next) = (Scene::new(), Issuer::new());
    let claims = scene.claims();
    let token = next.sign(&claims);
    let proof = prove(&scene.holder, &token, REQUEST, NAME, 1000);
    let check = || scene.verifier.check(&token, Some(&proof), REQUEST, 1000);
    let refused = check().unwrap_err();
    assert!(refused == Refusal::TokenKeyUnknown && refused.asks_for_keys());
    let both = [next.0.public_key(), scene.issuer.0.public_key()].into_iter().collect();
    scene.verifier.take_keys(both);
    // The proof was not used up, and tokens of the key before are still good.
    assert!(check().is_ok());
    assert!(scene.show(&claims, 1000).is_ok());
}

#[test]
fn a_proof_of_another_kind_request_token_key_or_time_is_refused() {
    let scene = Scene::new();
    let (token, now) = (scene.token(), 1000);
    let other_token = scene.issuer.sign(&Claims { jti: "other".into(), ..scene.claims() });
    let by = |key, token, request, now| prove(key, token, request, NAME, now);
    let holder = &scene.holder;
    let post = Request { method: "POST", ..REQUEST };
    let lower = Request { method: "get", ..REQUEST };
    let elsewhere = Request { uri: "https://emr.example/fhir/Patient/2", ..REQUEST };
    let good = by(holder, &token, REQUEST, now);
    let cases = [
        ("another method", by(holder, &token, post, now), Refusal::ProofOtherRequest),
        ("a method in small letters", by(holder, &token, lower, now), Refusal::ProofOtherRequest),
        ("another address", by(holder, &token, elsewhere, now), Refusal::ProofOtherRequest),
        ("another token", by(holder, &other_token, REQUEST, now), Refusal::ProofOtherToken),
        ("another key", by(&SecretKey::generate(), &token, REQUEST, now), Refusal::ProofOtherKey),
        ("91 seconds old", by(holder, &token, REQUEST, now - 91), Refusal::ProofStale),
        ("31 seconds ahead", by(holder, &token, REQUEST, now + 31), Refusal::ProofStale),
        ("long ago", by(holder, &token, REQUEST, i64::MIN), Refusal::ProofStale),
        ("a short name", prove(holder, &token, REQUEST, "short", now), Refusal::ProofMalformed),
        ("a token", token.clone(), Refusal::ProofMalformed),
        ("nothing", String::new(), Refusal::ProofMalformed),
        ("too long", "a".repeat(4097), Refusal::ProofMalformed),
        (
            "a changed octet",
            good.replacen(&good[good.len() - 9..], "AAAAAAAAA", 1),
            Refusal::ProofSignature,
        ),
    ];
    for (what, proof, refusal) in cases {
        let checked = scene.verifier.check(&token, Some(&proof), REQUEST, now);
        assert_eq!(checked, Err(refusal), "{what}");
    }
    assert_eq!(scene.verifier.check(&token, None, REQUEST, now), Err(Refusal::ProofMissing));
    assert!(scene.verifier.check(&token, Some(&good), REQUEST, now).is_ok());
    let again = scene.verifier.check(&token, Some(&good), REQUEST, now + 60);
    assert_eq!(again, Err(Refusal::ProofReplayed));
}

#[test]
fn a_proof_of_another_form_is_refused_though_it_is_signed() {
    let scene = Scene::new();
    let token = scene.token();
    let good = proof::signing_input(scene.holder.public_key(), &token, REQUEST, NAME, 1000);
    let (header, said) = good.split_once('.').unwrap();
    let read =
        |part| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let (header, said) = (read(header), read(said));
    let with = |value: &Value, at: &str, new: Value| {
        let mut value = value.clone();
        *value.pointer_mut(at).unwrap() = new;
        value
    };
    let more = |value: &Value, member: &str, new: Value| {
        let mut value = value.clone();
        value[member] = new;
        value
    };
    let cases = [
        (with(&header, "/alg", json!("none")), said.clone(), Refusal::ProofAlgorithm),
        (with(&header, "/alg", json!("ES256")), said.clone(), Refusal::ProofAlgorithm),
        (with(&header, "/typ", json!("at+jwt")), said.clone(), Refusal::ProofAlgorithm),
        (with(&header, "/jwk/crv", json!("P-256")), said.clone(), Refusal::ProofAlgorithm),
        (with(&header, "/jwk/kty", json!("oct")), said.clone(), Refusal::ProofAlgorithm),
        (
            with(&header, "/jwk/sm2_id", json!("1234567812345678")),
            said.clone(),
            Refusal::ProofAlgorithm,
        ),
        (
            with(&header, "/jwk/x", header["jwk"]["y"].clone()),
            said.clone(),
            Refusal::ProofMalformed,
        ),
        (
            with(&header, "/jwk", more(&header["jwk"], "d", json!("AA"))),
            said.clone(),
            Refusal::ProofMalformed,
        ),
        (more(&header, "kid", json!("k")), said.clone(), Refusal::ProofMalformed),
        (more(&header, "crit", json!(["b64"])), said.clone(), Refusal::ProofMalformed),
        (header.clone(), more(&said, "admin", json!(true)), Refusal::ProofMalformed),
        (header.clone(), with(&said, "/iat", json!("1000")), Refusal::ProofMalformed),
        (header.clone(), with(&said, "/htu", json!(REQUEST.uri)), Refusal::ProofOtherRequest),
        (header.clone(), with(&said, "/ath", json!("")), Refusal::ProofOtherToken),
    ];
    let check = |proof: &str| scene.verifier.check(&token, Some(proof), REQUEST, 1000);
    for (header, said, refusal) in cases {
        let proof = sign_proof(&scene.holder, jws::encode(&header, &said));
        assert_eq!(check(&proof), Err(refusal), "{header} {said}");
    }
    let proof = sign_proof(&scene.holder, good.clone());
    let signature = URL_SAFE_NO_PAD.decode(proof.rsplit_once('.').unwrap().1).unwrap();
    let der = Signature::from_raw(&signature).unwrap().to_der();
    let der = format!("{good}.{}", URL_SAFE_NO_PAD.encode(der));
    assert_eq!(check(&der), Err(Refusal::ProofSignature));
}

#[test]
fn a_proof_is_no_log_in_and_no_record_and_none_of_these_is_a_proof() {
    let scene = Scene::new();
    let token = scene.token();
    let input = proof::signing_input(scene.holder.public_key(), &token, REQUEST, NAME, 1000);
    // Log-ins and records are signed with the default identifier.
    let e = scene.holder.digest(input.as_bytes());
    let as_record = jws::signed(input.clone(), &scene.holder.sign(&e).unwrap());
    let checked = scene.verifier.check(&token, Some(&as_record), REQUEST, 1000);
    assert_eq!(checked, Err(Refusal::ProofSignature));

    let proof = sign_proof(&scene.holder, input.clone());
    let raw = URL_SAFE_NO_PAD.decode(proof.rsplit_once('.').unwrap().1).unwrap();
    let signature = Signature::from_raw(&raw).unwrap();
    assert!(scene.holder.public_key().verify(&e, &signature).is_err());
}

#[test]
fn a_token_that_the_snapshot_names_is_refused_and_others_have_its_age() {
    let scene = Scene::new();
    scene.verifier.take_snapshot(&scene.snapshot(1000, &["019b"]), 1000).unwrap();
    assert_eq!(scene.show(&scene.claims(), 1007), Err(Refusal::TokenEnded));
    let other = Claims { jti: "019f".into(), ..scene.claims() };
    let age = scene.show(&other, 1007).unwrap().snapshot_age;
    assert_eq!(age, Some(Duration::from_secs(7)));
}

#[test]
fn a_snapshot_that_is_demanded_is_there_and_not_too_old() {
    let scene = Scene::new();
    let verifier = Verifier::new("desk.example", "emr.example", scene.issuer.keys())
        .demand_snapshot(Duration::from_secs(60));
    let scene = Scene { verifier, ..scene };
    assert_eq!(scene.show(&scene.claims(), 1000), Err(Refusal::SnapshotMissing));
    scene.verifier.take_snapshot(&scene.snapshot(1000, &[]), 1000).unwrap();
    assert!(scene.show(&scene.claims(), 1060).is_ok());
    assert_eq!(scene.show(&scene.claims(), 1061), Err(Refusal::SnapshotTooOld));
    scene.verifier.take_snapshot(&scene.snapshot(1061, &[]), 1061).unwrap();
    assert!(scene.show(&scene.claims(), 1061).is_ok());
}

#[test]
fn only_a_good_and_later_snapshot_is_taken() {
    let scene = Scene::new();
    let good = scene.snapshot(1000, &["019b"]);
    scene.verifier.take_snapshot(&good, 1000).unwrap();
    let stranger = Scene::new();
    let signature = |text: &str| text.rsplit_once('.').unwrap().1.to_owned();
    let later = scene.snapshot(1100, &[]);
    let forged = later.replacen(&signature(&later), &signature(&good), 1);
    let cases = [
        ("older", scene.snapshot(999, &[]), Refusal::SnapshotOlder),
        ("from the future", scene.snapshot(1131, &[]), Refusal::SnapshotNotYetValid),
        (
            "of another issuer",
            scene.snapshot_of("other.example", 1100, &[]),
            Refusal::SnapshotOtherIssuer,
        ),
        ("by another key", stranger.snapshot(1100, &[]), Refusal::SnapshotKeyUnknown),
        ("forged", forged, Refusal::SnapshotSignature),
        ("a token", scene.token(), Refusal::SnapshotMalformed),
        ("nothing", String::new(), Refusal::SnapshotMalformed),
        ("too long", "a".repeat(MAX_SNAPSHOT + 1), Refusal::SnapshotMalformed),
    ];
    for (what, text, refusal) in cases {
        assert_eq!(scene.verifier.take_snapshot(&text, 1100).err(), Some(refusal), "{what}");
        assert_eq!(scene.show(&scene.claims(), 1001), Err(Refusal::TokenEnded), "{what}");
    }
    let used = scene.verifier.take_snapshot(&good, 1100).unwrap();
    assert_eq!((used.made_at(), used.next_update(), used.issuer()), (1000, 1060, "desk.example"));
    // A snapshot is no token.
    let checked = scene.verifier.check(&good, None, REQUEST, 1000);
    assert_eq!(checked, Err(Refusal::TokenAlgorithm));
}

#[test]
fn a_snapshot_of_too_many_says_what_it_does_not_cover() {
    let scene = Scene::new();
    let ended = (0..MAX_ENDED as i64 + 50)
        .map(|at| EndedToken {
            id: format!("0195f4c0-0000-7000-8000-{at:012x}"),
            issued_at: 1000 + at / 100,
        })
        .collect();
    let text = scene.issuer.seal(snapshot::signing_input(
        &scene.issuer.kid(),
        "desk.example",
        1500,
        1560,
        ended,
    ));
    assert!(text.len() <= MAX_SNAPSHOT, "{} octets", text.len());
    let verifier = &scene.verifier;
    verifier.take_snapshot(&text, 1500).unwrap();
    let of = |jti: &str, iat| Claims { jti: jti.into(), iat, exp: 2000, ..scene.claims() };
    let named = format!("0195f4c0-0000-7000-8000-{:012x}", MAX_ENDED + 49);
    assert_eq!(scene.show(&of(&named, 1200), 1500), Err(Refusal::TokenEnded));
    assert_eq!(scene.show(&of("another", 1000), 1500), Err(Refusal::TokenNotCovered));
    assert!(scene.show(&of("another", 1001), 1500).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_proof_with_any_octet_changed_is_refused(at in 0_usize..700, new in "[A-Za-z0-9_.-]") {
        let scene = Scene::new();
        let token = scene.token();
        let good = prove(&scene.holder, &token, REQUEST, NAME, 1000);
        let at = at % good.len();
        let changed = format!("{}{new}{}", &good[..at], &good[at + 1..]);
        let checked = scene.verifier.check(&token, Some(&changed), REQUEST, 1000);
        prop_assert_eq!(checked.is_ok(), changed == good);
    }

    #[test]
    fn nothing_arbitrary_is_a_snapshot_or_a_proof(text in "\\PC{0,200}") {
        let scene = Scene::new();
        prop_assert!(scene.verifier.take_snapshot(&text, 1000).is_err());
        prop_assert!(scene.verifier.check(&scene.token(), Some(&text), REQUEST, 1000).is_err());
    }
}
