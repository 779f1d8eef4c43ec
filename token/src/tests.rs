//! Tokens of every wrong form, and sets of keys.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hsm::{Sm2Signer as _, sm2::Signature};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    Actor, BadJws, Claims, KeySet, MAX_TOKEN, RestsOn,
    keys::{BadKeySet, PublishedKey, SM2_ID},
    read,
    testing::{Issuer, claims},
};

fn header(issuer: &Issuer) -> Value {
    json!({"alg": "SGD_SM3_SM2", "typ": "at+jwt", "kid": issuer.kid()})
}

fn with(mut value: Value, member: &str, new: Value) -> Value {
    value[member] = new;
    value
}

fn without(mut value: Value, member: &str) -> Value {
    value.as_object_mut().unwrap().remove(member);
    value
}

#[test]
fn a_token_is_read_back() {
    let issuer = Issuer::new();
    assert_eq!(read(&issuer.sign(&claims()), &issuer.keys()), Ok(claims()));
}

#[test]
fn who_acts_is_said_once_and_of_the_resident() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    let act = Some(Actor { sub: "019a".into() });
    let exchanged = Claims { sub: claims().resident, act, ..claims() };
    assert_eq!(read(&issuer.sign(&exchanged), &keys), Ok(exchanged.clone()));
    assert_eq!((exchanged.clinician(), claims().clinician()), ("019a", "019a"));

    let good = serde_json::to_value(&exchanged).unwrap();
    let resident = &exchanged.resident;
    for (what, claims) in [
        ("for somebody else", with(good.clone(), "sub", json!("019f"))),
        ("for themselves", with(good.clone(), "act", json!({"sub": resident}))),
        ("nobody acts", with(good.clone(), "act", json!({}))),
        ("nobody is named", with(good.clone(), "act", json!({"sub": ""}))),
        ("null", with(good.clone(), "act", Value::Null)),
        ("a text", with(good.clone(), "act", json!("019a"))),
        (
            "for another in turn",
            with(good.clone(), "act", json!({"sub": "019a", "act": {"sub": "019b"}})),
        ),
        (
            "of another issuer",
            with(good.clone(), "act", json!({"sub": "019a", "iss": "desk.example"})),
        ),
        ("who may act", with(good.clone(), "may_act", json!({"sub": "019a"}))),
    ] {
        let token = issuer.sign_json(&header(&issuer), &claims);
        assert_eq!(read(&token, &keys), Err(BadJws::Malformed), "{what}");
    }
}

#[test]
fn any_changed_octet_is_refused() {
    let issuer = Issuer::new();
    let (keys, token) = (issuer.keys(), issuer.sign(&claims()));
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(changed == token || read(&changed, &keys).is_err(), "octet {at}");
    }
}

#[test]
fn headers_of_every_wrong_kind_are_refused_though_the_signature_is_good() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    let good = header(&issuer);
    let cases = [
        ("alg none", with(good.clone(), "alg", json!("none")), BadJws::Algorithm),
        ("alg HS256", with(good.clone(), "alg", json!("HS256")), BadJws::Algorithm),
        ("alg ES256", with(good.clone(), "alg", json!("ES256")), BadJws::Algorithm),
        (
            "alg in small letters",
            with(good.clone(), "alg", json!("sgd_sm3_sm2")),
            BadJws::Algorithm,
        ),
        ("no alg", without(good.clone(), "alg"), BadJws::Malformed),
        ("alg is a list", with(good.clone(), "alg", json!(["SGD_SM3_SM2"])), BadJws::Malformed),
        ("another typ", with(good.clone(), "typ", json!("JWT")), BadJws::Algorithm),
        ("typ of a proof", with(good.clone(), "typ", json!("dpop+jwt")), BadJws::Algorithm),
        ("no typ", without(good.clone(), "typ"), BadJws::Malformed),
        ("crit", with(good.clone(), "crit", json!(["x"])), BadJws::Malformed),
        ("empty crit", with(good.clone(), "crit", json!([])), BadJws::Malformed),
        ("jwk", with(good.clone(), "jwk", json!({})), BadJws::Malformed),
        ("jku", with(good.clone(), "jku", json!("https://evil.example")), BadJws::Malformed),
        ("b64", with(good.clone(), "b64", json!(false)), BadJws::Malformed),
        ("an unknown kid", with(good.clone(), "kid", json!("k")), BadJws::UnknownKey),
        ("an empty kid", with(good.clone(), "kid", json!("")), BadJws::UnknownKey),
        ("no kid", without(good.clone(), "kid"), BadJws::Malformed),
        ("no object", json!("SGD_SM3_SM2"), BadJws::Malformed),
    ];
    let claims = serde_json::to_value(claims()).unwrap();
    assert!(read(&issuer.sign_json(&good, &claims), &keys).is_ok());
    for (what, header, refusal) in cases {
        assert_eq!(read(&issuer.sign_json(&header, &claims), &keys), Err(refusal), "{what}");
    }
}

#[test]
fn claims_of_every_wrong_kind_are_refused_though_the_signature_is_good() {
    let issuer = Issuer::new();
    let (keys, header) = (issuer.keys(), header(&issuer));
    let good = serde_json::to_value(claims()).unwrap();
    let cases = [
        ("a member more", with(good.clone(), "admin", json!(true))),
        ("no audience", without(good.clone(), "aud")),
        ("several audiences", with(good.clone(), "aud", json!(["emr.example"]))),
        ("an unknown role", with(good.clone(), "role", json!("root"))),
        ("an unknown purpose", with(good.clone(), "purpose", json!("curiosity"))),
        ("an unknown mask", with(good.clone(), "mask", json!("some"))),
        ("no mask", without(good.clone(), "mask")),
        ("grade 0", with(good.clone(), "data", with(good["data"].clone(), "grade", json!(0)))),
        ("grade 6", with(good.clone(), "data", with(good["data"].clone(), "grade", json!(6)))),
        (
            "an unknown class",
            with(good.clone(), "data", with(good["data"].clone(), "classes", json!(["all"]))),
        ),
        ("a fraction of a second", with(good.clone(), "exp", json!(1300.5))),
        ("a time as text", with(good.clone(), "exp", json!("1300"))),
        ("a time beyond all times", with(good.clone(), "exp", json!(1e30))),
        ("a thumbprint of SHA-256", with(good.clone(), "cnf", json!({"jkt": "t"}))),
        ("rests on nothing", without(good.clone(), "visit")),
        ("rests on null", with(good.clone(), "visit", json!(null))),
        ("rests on two things", with(good.clone(), "consent", json!("c"))),
        ("rests on a visit and null", with(good.clone(), "emergency", json!(null))),
        ("no object", json!([])),
    ];
    for (what, claims) in cases {
        let token = issuer.sign_json(&header, &claims);
        assert_eq!(read(&token, &keys), Err(BadJws::Malformed), "{what}");
    }
}

#[test]
fn a_token_rests_on_one_thing() {
    let issuer = Issuer::new();
    let cases = [
        Claims { visit: None, emergency: Some("e".into()), ..claims() },
        Claims { visit: None, consent: Some("c".into()), ..claims() },
        claims(),
    ];
    let on = [RestsOn::Emergency("e"), RestsOn::Consent("c"), RestsOn::Visit("019e")];
    for (claims, on) in cases.into_iter().zip(on) {
        let read = read(&issuer.sign(&claims), &issuer.keys()).unwrap();
        assert_eq!((read.rests_on(), &read), (Some(on), &claims));
    }
}

#[test]
fn members_that_are_there_twice_are_refused() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let (header, claims) = (header(&issuer).to_string(), serde_json::to_string(&claims()).unwrap());
    let twice = |json: &str, member: &str| json.replacen('{', &format!("{{{member},"), 1);
    let cases = [
        (twice(&header, r#""alg":"none""#), claims.clone()),
        (twice(&header, r#""alg":"SGD_SM3_SM2""#), claims.clone()),
        (header.clone(), twice(&claims, r#""aud":"other.example""#)),
        // The same name in another spelling.
        (header.clone(), twice(&claims, r#""\u0061ud":"other.example""#)),
        (header.clone(), twice(&claims, r#""visit":"other""#)),
        (header.clone(), claims.replacen(r#"{"grade""#, r#"{"grade":5,"grade""#, 1)),
    ];
    for (header, claims) in cases {
        let token = issuer.seal(format!("{}.{}", part(&header), part(&claims)));
        assert_eq!(read(&token, &keys), Err(BadJws::Malformed), "{header} {claims}");
    }
}

#[test]
fn other_encodings_are_refused() {
    let issuer = Issuer::new();
    let (keys, token) = (issuer.keys(), issuer.sign(&claims()));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let raw = Signature::from_raw(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let der = URL_SAFE_NO_PAD.encode(raw.to_der());
    let cases = [
        ("nothing", String::new(), BadJws::Malformed),
        ("two parts", signed.to_owned(), BadJws::Malformed),
        ("four parts", format!("{token}.{signature}"), BadJws::Malformed),
        ("no signature", format!("{signed}."), BadJws::Signature),
        ("a signature in DER", format!("{signed}.{der}"), BadJws::Signature),
        ("a signature of zeros", format!("{signed}.{}", "A".repeat(86)), BadJws::Signature),
        ("padding", format!("{token}="), BadJws::Malformed),
        ("a line's end", format!("{token}\n"), BadJws::Malformed),
        ("unused bits", format!("{signed}.{}", "A".repeat(85) + "B"), BadJws::Malformed),
        ("base64", format!("{header}.{payload}+/.{signature}"), BadJws::Signature),
        ("too long", "a".repeat(MAX_TOKEN + 1), BadJws::TooLong),
    ];
    for (what, token, refusal) in cases {
        assert_eq!(read(&token, &keys), Err(refusal), "{what}");
    }
}

fn published(issuer: &Issuer) -> Value {
    serde_json::to_value(PublishedKey::new(issuer.0.public_key(), SM2_ID)).unwrap()
}

fn set(keys: &[Value]) -> Result<KeySet, BadKeySet> {
    KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn published_keys_of_all_kinds_are_read_and_those_for_tokens_used() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let another = |member: &str, new: &str| {
        let key = with(published(&other), member, json!(new));
        set(&[published(&issuer), key]).unwrap()
    };
    let cases = [
        another("crv", "P-256"),
        another("alg", "ES256"),
        another("use", "enc"),
        another("sm2_id", "healthcard-code"),
        set(&[published(&issuer), with(published(&other), "key_ops", json!(["sign"]))]).unwrap(),
        set(&[published(&issuer), without(published(&other), "sm2_id")]).unwrap(),
        set(&[
            published(&issuer),
            json!({"kty": "RSA", "kid": other.kid(), "n": "x", "e": "AQAB"}),
        ])
        .unwrap(),
    ];
    for keys in cases {
        assert!(read(&issuer.sign(&claims()), &keys).is_ok());
        assert_eq!(read(&other.sign(&claims()), &keys), Err(BadJws::OtherKey), "{keys:?}");
    }
    let keys = set(&[published(&issuer), without(published(&other), "kid")]).unwrap();
    assert_eq!(read(&other.sign(&claims()), &keys), Err(BadJws::UnknownKey));
    // The name of one key over the signature of another.
    let both = set(&[published(&issuer), published(&other)]).unwrap();
    let forged = other.sign_json(&header(&issuer), &serde_json::to_value(claims()).unwrap());
    assert_eq!(read(&forged, &both), Err(BadJws::Signature));
}

#[test]
fn sets_that_are_none_are_refused() {
    let issuer = Issuer::new();
    let key = published(&issuer);
    let cases = [
        (vec![], BadKeySet::NoneForTokens),
        (vec![with(key.clone(), "use", json!("enc"))], BadKeySet::NoneForTokens),
        (vec![key.clone(), key.clone()], BadKeySet::SameName),
        (vec![with(key.clone(), "d", json!("AA"))], BadKeySet::Secret),
        (vec![with(key.clone(), "x", key["y"].clone())], BadKeySet::Malformed),
        (vec![with(key.clone(), "x", json!("AA"))], BadKeySet::Malformed),
        (vec![without(key.clone(), "y")], BadKeySet::Malformed),
        (vec![with(key.clone(), "kid", json!("k".repeat(129)))], BadKeySet::Malformed),
        (vec![json!({"kty": "oct"}); 257], BadKeySet::TooLarge),
    ];
    for (keys, refusal) in cases {
        assert_eq!(set(&keys).err(), Some(refusal), "{keys:?}");
    }
    for (text, refusal) in [
        (&b"{}"[..], BadKeySet::Malformed),
        (br#"{"keys":[{"kty":"EC","kty":"EC"}]}"#, BadKeySet::Malformed),
        (&[b' '; 128 * 1024 + 1], BadKeySet::TooLarge),
    ] {
        assert_eq!(KeySet::from_json(text).err(), Some(refusal));
    }
}

proptest! {
    #[test]
    fn nothing_arbitrary_is_a_token(text in "\\PC{0,300}", octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let issuer = Issuer::new();
        prop_assert!(read(&text, &issuer.keys()).is_err());
        prop_assert!(KeySet::from_json(&octets).is_err());
    }
}
