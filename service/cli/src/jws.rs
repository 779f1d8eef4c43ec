//! Access tokens, and the keys they come with, checked without the service: compact JWS (RFC 7515), `alg` SGD_SM3_SM2.
//!
//! The signature is r ‖ s, 64 octets, over `header.payload` with the default identifier; each
//! published key says so in `sm2_id`. Everything else is refused rather than guessed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sm2::dsa::{Signature, VerifyingKey, signature::Verifier as _};
use time::{Duration, OffsetDateTime};

use crate::{
    identity::DEFAULT_IDENTIFIER,
    text::{Problem, problems},
};

pub(crate) const ALGORITHM: &str = "SGD_SM3_SM2";
/// Type of an access token (RFC 9068, 2.1).
const TYPE: &str = "at+jwt";
pub(crate) const CURVE: &str = "SM2-P-256";
/// Largest token, bytes.
const LIMIT: usize = 16 * 1024;
/// How far the clocks of issuer and verifier may be apart.
const TOLERANCE: Duration = Duration::seconds(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Map<String, Value>>,
}

/// A key of the set that this program can use.
#[derive(Deserialize)]
struct Key {
    kty: String,
    crv: String,
    alg: String,
    kid: String,
    x: String,
    y: String,
    sm2_id: String,
}

/// The claims that decide; the rest is for the resource server.
#[derive(Deserialize)]
struct Deciding {
    aud: String,
    nbf: i64,
    exp: i64,
}

/// A token found genuine, in time, and for this audience.
#[derive(Debug)]
pub(crate) struct Genuine {
    pub(crate) key_id: String,
    pub(crate) claims: Map<String, Value>,
}

/// Checks a token against published keys. Says nothing about revocation.
pub(crate) fn check(
    token: &str,
    jwks: &str,
    audience: &str,
    now: OffsetDateTime,
) -> Result<Genuine, Problem> {
    let genuine = statement(token, jwks, TYPE)?;
    let deciding: Deciding = serde_json::from_value(Value::Object(genuine.claims.clone()))
        .map_err(|_| problems::TOKEN_MALFORMED)?;
    if deciding.aud != audience {
        return Err(problems::TOKEN_OTHER_AUDIENCE);
    }
    let seconds = |at: OffsetDateTime| at.unix_timestamp();
    if deciding.exp <= seconds(now - TOLERANCE) {
        return Err(problems::TOKEN_EXPIRED);
    }
    if deciding.nbf > seconds(now + TOLERANCE) {
        return Err(problems::TOKEN_NOT_YET_VALID);
    }
    Ok(genuine)
}

/// Checks form and signature of a statement of a type against published keys.
pub(crate) fn statement(token: &str, jwks: &str, typ: &str) -> Result<Genuine, Problem> {
    if token.len() > LIMIT {
        return Err(problems::TOKEN_MALFORMED);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(problems::TOKEN_MALFORMED)?;
    let (header, payload) = match signed.split_once('.') {
        Some((header, payload)) if !payload.contains('.') => (header, payload),
        _ => return Err(problems::TOKEN_MALFORMED),
    };
    let header: Header = part(header)?;
    if header.alg != ALGORITHM || header.typ != typ {
        return Err(problems::TOKEN_ALGORITHM);
    }
    let (_, key) = key(jwks, |kid| kid == header.kid, DEFAULT_IDENTIFIER)?
        .ok_or(problems::TOKEN_KEY_UNKNOWN)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| problems::TOKEN_MALFORMED)?;
    let genuine = Signature::from_slice(&signature)
        .is_ok_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok());
    if !genuine {
        return Err(problems::TOKEN_SIGNATURE);
    }
    Ok(Genuine { key_id: header.kid, claims: part(payload)? })
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| problems::TOKEN_MALFORMED)?;
    serde_json::from_slice(&bytes).map_err(|_| problems::TOKEN_MALFORMED)
}

/// The key whose name, which is its thumbprint, begins with these octets; and the name.
pub(crate) fn key_by_digest(
    jwks: &str,
    begins: &[u8; 8],
    identifier: &str,
) -> Result<(String, VerifyingKey), Problem> {
    let named =
        |kid: &str| URL_SAFE_NO_PAD.decode(kid).is_ok_and(|octets| octets.starts_with(begins));
    key(jwks, named, identifier)?.ok_or(problems::CODE_KEY_UNKNOWN)
}

/// The key of that name, for signatures with this identifier of the signer. A set may hold keys of
/// other kinds, but not two of one name.
pub(crate) fn key(
    jwks: &str,
    named: impl Fn(&str) -> bool,
    identifier: &str,
) -> Result<Option<(String, VerifyingKey)>, Problem> {
    let set: Keys = serde_json::from_str(jwks).map_err(|_| problems::TOKEN_KEYS_MALFORMED)?;
    let kid = |key: &Map<String, Value>| key.get("kid").and_then(Value::as_str).is_some_and(&named);
    let mut named = set.keys.into_iter().filter(kid);
    let Some(found) = named.next() else { return Ok(None) };
    if named.next().is_some() {
        return Err(problems::TOKEN_KEYS_MALFORMED);
    }
    let key: Key =
        serde_json::from_value(found.into()).map_err(|_| problems::TOKEN_KEYS_MALFORMED)?;
    let usable =
        key.kty == "EC" && key.crv == CURVE && key.alg == ALGORITHM && key.sm2_id == identifier;
    let coordinate = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        <[u8; 32]>::try_from(bytes).ok()
    };
    let (x, y) = (coordinate(&key.x), coordinate(&key.y));
    let (Some(x), Some(y), true) = (x, y, usable) else {
        return Err(problems::TOKEN_KEYS_MALFORMED);
    };
    let point = [&[4][..], &x, &y].concat();
    VerifyingKey::from_sec1_bytes(identifier, &point)
        .map(|verifying| Some((key.kid, verifying)))
        .map_err(|_| problems::TOKEN_KEYS_MALFORMED)
}

#[cfg(test)]
mod tests {
    use der::Decode as _;
    use proptest::prelude::*;
    use serde_json::json;
    use time::macros::datetime;
    use x509_cert::spki::SubjectPublicKeyInfoOwned;

    use super::*;
    use crate::identity::ClientKey;

    const NOW: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);

    fn jwk(key: &ClientKey) -> Value {
        let spki = SubjectPublicKeyInfoOwned::from_der(&key.public_key_der()).unwrap();
        let point = spki.subject_public_key.raw_bytes().to_vec();
        json!({
            "kty": "EC", "crv": CURVE, "alg": ALGORITHM, "use": "sig", "kid": "k1",
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
            "sm2_id": DEFAULT_IDENTIFIER,
        })
    }

    fn token(key: &ClientKey, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn header() -> Value {
        json!({"alg": ALGORITHM, "typ": TYPE, "kid": "k1"})
    }

    fn claims() -> Value {
        let now = NOW.unix_timestamp();
        json!({"aud": "emr.example", "nbf": now, "exp": now + 300, "jti": "t1"})
    }

    #[test]
    fn genuine_tokens_pass() {
        let key = ClientKey::generate().unwrap();
        let jwks = json!({"keys": [{"kty": "RSA", "kid": "other"}, jwk(&key)]}).to_string();
        let token = token(&key, &header(), &claims());
        let genuine = check(&token, &jwks, "emr.example", NOW).unwrap();
        assert_eq!((genuine.key_id.as_str(), &genuine.claims["jti"]), ("k1", &json!("t1")));
    }

    #[test]
    fn other_tokens_are_refused_for_their_reason() {
        let key = ClientKey::generate().unwrap();
        let stranger = ClientKey::generate().unwrap();
        let jwks = json!({"keys": [jwk(&key)]}).to_string();
        let with = |mut value: Value, name: &str, new: Value| {
            value[name] = new;
            value
        };
        let signed = |header: Value, claims: Value| token(&key, &header, &claims);
        let now = NOW.unix_timestamp();
        let good = signed(header(), claims());
        let (body, _) = good.rsplit_once('.').unwrap();
        let der = URL_SAFE_NO_PAD.encode(key.sign_der(body.as_bytes()));
        let cases: Vec<(&str, String, Problem)> = vec![
            ("nothing", String::new(), problems::TOKEN_MALFORMED),
            ("two parts", body.to_owned(), problems::TOKEN_MALFORMED),
            ("four parts", format!("{good}.AAAA"), problems::TOKEN_MALFORMED),
            ("padding", format!("{good}=="), problems::TOKEN_MALFORMED),
            ("no signature", format!("{body}."), problems::TOKEN_SIGNATURE),
            ("a DER signature", format!("{body}.{der}"), problems::TOKEN_SIGNATURE),
            ("another signer", token(&stranger, &header(), &claims()), problems::TOKEN_SIGNATURE),
            (
                "none",
                signed(with(header(), "alg", json!("none")), claims()),
                problems::TOKEN_ALGORITHM,
            ),
            (
                "ES256",
                signed(with(header(), "alg", json!("ES256")), claims()),
                problems::TOKEN_ALGORITHM,
            ),
            (
                "another type",
                signed(with(header(), "typ", json!("JWT")), claims()),
                problems::TOKEN_ALGORITHM,
            ),
            (
                "crit",
                signed(with(header(), "crit", json!(["x"])), claims()),
                problems::TOKEN_MALFORMED,
            ),
            (
                "another key",
                signed(with(header(), "kid", json!("k2")), claims()),
                problems::TOKEN_KEY_UNKNOWN,
            ),
            (
                "another audience",
                signed(header(), with(claims(), "aud", json!("pacs.example"))),
                problems::TOKEN_OTHER_AUDIENCE,
            ),
            (
                "expired",
                signed(header(), with(claims(), "exp", json!(now - 30))),
                problems::TOKEN_EXPIRED,
            ),
            (
                "early",
                signed(header(), with(claims(), "nbf", json!(now + 31))),
                problems::TOKEN_NOT_YET_VALID,
            ),
            (
                "no end",
                signed(header(), with(claims(), "exp", Value::Null)),
                problems::TOKEN_MALFORMED,
            ),
        ];
        for (what, token, problem) in cases {
            let verdict = check(&token, &jwks, "emr.example", NOW);
            assert_eq!(verdict.err(), Some(problem), "{what}");
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let key = ClientKey::generate().unwrap();
        let token = token(&key, &header(), &claims());
        let with = |name: &str, new: Value| {
            let mut value = jwk(&key);
            value[name] = new;
            json!({"keys": [value]})
        };
        let off_curve = URL_SAFE_NO_PAD.encode([1; 32]);
        let cases: Vec<(&str, Value, Problem)> = vec![
            ("no set", json!([]), problems::TOKEN_KEYS_MALFORMED),
            ("no keys", json!({"keys": []}), problems::TOKEN_KEY_UNKNOWN),
            (
                "two of one name",
                json!({"keys": [jwk(&key), jwk(&key)]}),
                problems::TOKEN_KEYS_MALFORMED,
            ),
            ("another identifier", with("sm2_id", json!("")), problems::TOKEN_KEYS_MALFORMED),
            ("another curve", with("crv", json!("P-256")), problems::TOKEN_KEYS_MALFORMED),
            ("another algorithm", with("alg", json!("ES256")), problems::TOKEN_KEYS_MALFORMED),
            ("not on the curve", with("y", json!(off_curve)), problems::TOKEN_KEYS_MALFORMED),
            ("short", with("x", json!("AAAA")), problems::TOKEN_KEYS_MALFORMED),
        ];
        for (what, jwks, problem) in cases {
            let verdict = check(&token, &jwks.to_string(), "emr.example", NOW);
            assert_eq!(verdict.err(), Some(problem), "{what}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn arbitrary_tokens_and_keys_are_refused(token in ".{0,64}", jwks in ".{0,64}") {
            prop_assert!(check(&token, &jwks, "emr.example", NOW).is_err());
        }

        #[test]
        fn one_character_changed_is_refused(at in 0_usize..400, to in "[A-Za-z0-9_.-]") {
            let key = ClientKey::generate().unwrap();
            let jwks = json!({"keys": [jwk(&key)]}).to_string();
            let good = token(&key, &header(), &claims());
            let at = at % good.len();
            let mut changed = good.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != good);
            prop_assert!(check(&changed, &jwks, "emr.example", NOW).is_err(), "{}", changed);
        }
    }
}
