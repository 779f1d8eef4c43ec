//! Codes of electronic cards checked without the service: form, signature, dates, desk. How often a
//! code was used, and whether it or its card has ended, only the service knows.

use card::code::{BadCode, Code, DeskNonce, SIGNER_ID};
use sm2::dsa::{Signature, signature::Verifier as _};
use time::{Duration, OffsetDateTime};

use crate::{
    jws,
    text::{Problem, problems},
};

/// How far the clocks of service and desk may be apart.
const TOLERANCE: Duration = Duration::seconds(30);

/// A code found genuine and in time.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The key that signed it, as the key set names it.
    pub(crate) key_id: String,
    /// Number of the code.
    pub(crate) number: String,
    /// When it ends.
    pub(crate) ends: OffsetDateTime,
    pub(crate) binding: Binding,
}

/// Which desk a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// For the desk whose nonce was given.
    This,
    /// For no desk in particular.
    Any,
    /// For one desk; which, was not looked at.
    Undecided,
}

/// Reads a scan.
pub(crate) fn read(text: &str) -> Result<Code, Problem> {
    text.parse().map_err(|bad| match bad {
        BadCode::NotACode => problems::CODE_FOREIGN,
        _ => problems::CODE_MALFORMED,
    })
}

/// Checks a signed code against published keys.
pub(crate) fn check(
    text: &str,
    jwks: &str,
    desk: Option<&DeskNonce>,
    now: OffsetDateTime,
) -> Result<Checked, Problem> {
    let Code::Signed(code) = read(text)? else { return Err(problems::CODE_ONLINE_ONLY) };
    let body = code.body();
    let (key_id, key) = jws::key_by_digest(jwks, &body.key, SIGNER_ID)?;
    let genuine = Signature::from_slice(code.signature())
        .is_ok_and(|signature| key.verify(&body.octets(), &signature).is_ok());
    if !genuine {
        return Err(problems::CODE_NOT_GENUINE);
    }
    let seconds = |at: OffsetDateTime| u64::try_from(at.unix_timestamp()).unwrap_or_default();
    if code.ends() <= seconds(now - TOLERANCE) {
        return Err(problems::CODE_EXPIRED);
    }
    if body.not_before > seconds(now + TOLERANCE) {
        return Err(problems::CODE_NOT_YET_VALID);
    }
    let binding = match (desk, &body.desk) {
        (Some(desk), Some(bound)) if desk == bound => Binding::This,
        (Some(_), _) => return Err(problems::CODE_OTHER_DESK),
        (None, Some(_)) => Binding::Undecided,
        (None, None) => Binding::Any,
    };
    let ends = i64::try_from(code.ends()).map(OffsetDateTime::from_unix_timestamp);
    let Ok(Ok(ends)) = ends else { return Err(problems::CODE_MALFORMED) };
    Ok(Checked { key_id, number: identifier(&body.number), ends, binding })
}

/// An identifier as records write it: a UUID.
fn identifier(octets: &[u8; 16]) -> String {
    let text = hex::encode(octets);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &text[part]);
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use card::code::{ElectronicId, Unsigned};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use sm2::{
        SecretKey,
        dsa::{SigningKey, signature::Signer as _},
        elliptic_curve::sec1::ToSec1Point as _,
    };
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);
    const KEY: [u8; 32] = [7; 32];

    /// A key that signs codes, as the service would publish it: `kid` of any 32 octets.
    fn jwk(identifier: &str) -> Value {
        let secret = SecretKey::from_slice(&KEY).unwrap();
        let point = secret.public_key().to_sec1_point(false);
        json!({
            "kty": "EC", "crv": "SM2-P-256", "alg": "SGD_SM3_SM2", "use": "sig",
            "kid": URL_SAFE_NO_PAD.encode([9; 32]), "sm2_id": identifier,
            "x": URL_SAFE_NO_PAD.encode(point.x().unwrap()),
            "y": URL_SAFE_NO_PAD.encode(point.y().unwrap()),
        })
    }

    fn set(identifier: &str) -> String {
        json!({ "keys": [{ "kty": "RSA", "kid": "other" }, jwk(identifier)] }).to_string()
    }

    fn body() -> Unsigned {
        Unsigned {
            key: [9; 8],
            number: [1; 16],
            card: ElectronicId([2; 32]),
            not_before: u64::try_from(NOW.unix_timestamp()).unwrap(),
            life: 300,
            desk: None,
        }
    }

    fn signed_as(identifier: &str, body: Unsigned) -> String {
        let secret = SecretKey::from_slice(&KEY).unwrap();
        let key = SigningKey::new(identifier, &secret).unwrap();
        let signature = key.sign(&body.octets());
        let raw = signature.to_bytes().as_slice().try_into().unwrap();
        body.with_signature(raw).unwrap().to_string()
    }

    fn signed(body: Unsigned) -> String {
        signed_as(SIGNER_ID, body)
    }

    fn nonce(octet: u8) -> Option<DeskNonce> {
        DeskNonce::new([octet; 32])
    }

    #[test]
    fn genuine_codes_say_which_desk_they_are_for() {
        let bound = Unsigned { desk: nonce(5), ..body() };
        let cases = [
            (body(), None, Binding::Any),
            (bound.clone(), nonce(5), Binding::This),
            (bound, None, Binding::Undecided),
        ];
        for (body, desk, binding) in cases {
            let found = check(&signed(body), &set(SIGNER_ID), desk.as_ref(), NOW).unwrap();
            assert_eq!(found.binding, binding);
            assert_eq!(found.number, "01010101-0101-0101-0101-010101010101");
            assert_eq!(found.ends, NOW + Duration::minutes(5));
        }
    }

    #[test]
    fn other_codes_are_refused_for_their_reason() {
        let good = signed(body());
        let id = "A".repeat(64);
        let later = |seconds| NOW + Duration::seconds(seconds);
        let ours = set(SIGNER_ID);
        let unnamed = json!({ "keys": [] }).to_string();
        let twice = json!({ "keys": [jwk(SIGNER_ID), jwk(SIGNER_ID)] }).to_string();
        let tokens = set("1234567812345678");
        let other_key = signed(Unsigned { key: [8; 8], ..body() });
        // A signature of the same key over the same octets, but made as for a token.
        let as_token = signed_as("1234567812345678", body());
        let bound = signed(Unsigned { desk: nonce(5), ..body() });
        let cases = [
            ("6901234567892", &*ours, None, NOW, "CODE_FOREIGN"),
            (&id, &ours, None, NOW, "CODE_MALFORMED"),
            (&format!("{id}:1"), &ours, None, NOW, "CODE_ONLINE_ONLY"),
            (&format!("{id}:0:{}", &id[..32]), &ours, None, NOW, "CODE_ONLINE_ONLY"),
            (&good, "{}", None, NOW, "TOKEN_KEYS_MALFORMED"),
            (&good, &twice, None, NOW, "TOKEN_KEYS_MALFORMED"),
            (&good, &tokens, None, NOW, "TOKEN_KEYS_MALFORMED"),
            (&good, &unnamed, None, NOW, "CODE_KEY_UNKNOWN"),
            (&other_key, &ours, None, NOW, "CODE_KEY_UNKNOWN"),
            (&as_token, &ours, None, NOW, "CODE_NOT_GENUINE"),
            (&good, &ours, None, later(331), "CODE_EXPIRED"),
            (&good, &ours, None, later(-31), "CODE_NOT_YET_VALID"),
            (&good, &ours, nonce(5), NOW, "CODE_OTHER_DESK"),
            (&bound, &ours, nonce(6), NOW, "CODE_OTHER_DESK"),
        ];
        for (text, jwks, desk, now, reason) in cases {
            let refused = check(text, jwks, desk.as_ref(), now).unwrap_err();
            assert_eq!(refused.reason, reason, "{text}");
        }
        assert!(check(&good, &ours, None, later(329)).is_ok());
        assert!(check(&good, &ours, None, later(-29)).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn one_character_changed_is_refused(at in 0_usize..254, to in "[0-9A-Z $%*+./:-]") {
            let good = signed(body());
            let mut changed = good.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != good);
            prop_assert!(check(&changed, &set(SIGNER_ID), None, NOW).is_err());
        }
    }
}
