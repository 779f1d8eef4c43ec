//! Access tokens (访问令牌): compact JWS, the one place that knows their form.
//!
//! `alg` is SGD_SM3_SM2, the signature r ‖ s (64 octets) is SM2 with the default identifier over the
//! octets of `header.payload`. The text of GM/T 0125 could not be read: that is our choice, and it
//! is written into every published key (`sm2_id`), so that a verifier need not guess.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hsm::{
    KeyError, Sm2Signer,
    sm2::{PublicKey, Signature, SignerId},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::vocabulary::{DataClass, Purpose, Role};

/// Name of the signature algorithm (GM/T 0125.1-2022).
const ALGORITHM: &str = "SGD_SM3_SM2";
/// The default identifier, as [`SignerId::DEFAULT`].
const DEFAULT_ID: &str = "1234567812345678";
/// Type of the token (RFC 9068).
const TYPE: &str = "at+jwt";
/// Largest token that is looked at.
pub const MAX_TOKEN: usize = 4096;

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// What a token says (RFC 7519, RFC 9068, and the claims of this service).
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Name of the service that issued it.
    pub iss: String,
    /// Identity of the clinician.
    pub sub: String,
    /// The resource server it is for.
    pub aud: String,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// Ends at, seconds since 1970.
    pub exp: i64,
    /// Identifier of the token.
    pub jti: String,
    /// The holder's key.
    pub cnf: Confirmation,
    /// Role the clinician acts in.
    pub role: Role,
    /// Institution the clinician acts for.
    pub institution: String,
    /// The resident, by pseudonym.
    pub resident: String,
    /// The visit.
    pub visit: String,
    /// Why.
    pub purpose: Purpose,
    /// What may be seen.
    pub data: Data,
    /// How surely the clinician was identified: `certificate`, by a signature of their own key.
    pub proofing: String,
    /// Masking level (脱敏级别) the resource server applies: `none` or `partial`.
    pub mask: String,
    /// Ground of the decision.
    pub policy: Ground,
    /// `id` of the entry in the audit log that recorded the issue.
    pub log: String,
}

/// Key that the token is bound to (RFC 7800).
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Thumbprint as RFC 7638, but with SM3, of the holder's key.
    #[serde(rename = "jkt#SM3")]
    pub thumbprint: String,
}

/// What may be seen (授权分级分类分域).
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Highest grade, 1 to 5.
    pub grade: u8,
    /// Kinds.
    pub classes: Vec<DataClass>,
    /// Domain: the institution whose data it is.
    pub domain: String,
}

/// Ground of a decision.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// SM3 of the rules, hexadecimal.
    pub hash: String,
    /// The rule that allowed it.
    pub rule: String,
}

/// Why a text is not a good token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// Longer than 4096 octets.
    #[error("the token is longer than {MAX_TOKEN} octets")]
    TooLong,
    /// Not three parts of base64url without padding, or not the claims we write.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm or type than ours.
    #[error("the token names another algorithm or type")]
    Algorithm,
    /// Signed with a key that is not published.
    #[error("the token names an unknown key")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    Signature,
}

/// Signs tokens with the newest key, and knows the keys that verify.
pub struct TokenKeys {
    signer: Arc<dyn Sm2Signer>,
    header: String,
    /// Newest first; the first is the signer's.
    published: Vec<(String, PublicKey)>,
}

impl TokenKeys {
    /// `signer` signs; tokens of `earlier` keys are still verified.
    #[must_use]
    pub fn new(signer: Arc<dyn Sm2Signer>, earlier: Vec<PublicKey>) -> Self {
        let kid = thumbprint(signer.public_key());
        let header = format!(r#"{{"alg":"{ALGORITHM}","typ":"{TYPE}","kid":"{kid}"}}"#);
        let published = std::iter::once(signer.public_key().clone())
            .chain(earlier)
            .map(|key| (thumbprint(&key), key))
            .collect();
        Self { signer, header: URL_SAFE_NO_PAD.encode(header), published }
    }

    /// Writes and signs a token.
    ///
    /// # Errors
    /// [`KeyError`] when the signing key is not available.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let payload = serde_json::to_vec(claims).expect("claims are plain strings and numbers");
        let mut token = self.header.clone();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.signer.sign(&self.signer.digest(token.as_bytes()))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_raw(), &mut token);
        Ok(token)
    }

    /// Checks form and signature. Time, audience and revocation are the caller's to check.
    ///
    /// # Errors
    /// [`BadToken`] says what is wrong.
    pub fn verify(&self, token: &str) -> Result<Claims, BadToken> {
        if token.len() > MAX_TOKEN {
            return Err(BadToken::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(BadToken::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(BadToken::Malformed)?;
        let header: Header = parse(header)?;
        if header.alg != ALGORITHM || header.typ != TYPE {
            return Err(BadToken::Algorithm);
        }
        let (_, key) = self
            .published
            .iter()
            .find(|(kid, _)| *kid == header.kid)
            .ok_or(BadToken::UnknownKey)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| BadToken::Malformed)?;
        let signature = Signature::from_raw(&signature).map_err(|_| BadToken::Signature)?;
        let e = key.digest(&SignerId::DEFAULT, signed.as_bytes());
        key.verify(&e, &signature).map_err(|_| BadToken::Signature)?;
        parse(payload)
    }

    /// The published keys as JSON Web Keys (RFC 7517), newest first.
    #[must_use]
    pub fn published(&self) -> Vec<Value> {
        self.published.iter().map(|(_, key)| json_web_key(key, DEFAULT_ID)).collect()
    }
}

/// A published key, with the identifier of the signer (`sm2_id`) that its signatures are made with.
pub(crate) fn json_web_key(key: &PublicKey, sm2_id: &str) -> Value {
    let (x, y) = coordinates(key);
    serde_json::json!({
        "kty": "EC", "crv": "SM2-P-256", "x": x, "y": y,
        "use": "sig", "alg": ALGORITHM, "kid": thumbprint(key),
        "sm2_id": sm2_id,
    })
}

/// Thumbprint of a key as RFC 7638, but with SM3, base64url.
#[must_use]
pub fn thumbprint(key: &PublicKey) -> String {
    URL_SAFE_NO_PAD.encode(thumbprint_octets(key))
}

/// The thumbprint before it is written.
pub(crate) fn thumbprint_octets(key: &PublicKey) -> [u8; 32] {
    let (x, y) = coordinates(key);
    let canonical = format!(r#"{{"crv":"SM2-P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    hsm::sm3::digest(canonical.as_bytes())
}

fn coordinates(key: &PublicKey) -> (String, String) {
    let (x, y) = key.as_sec1()[1..].split_at(32);
    (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
}

fn parse<T: DeserializeOwned>(part: &str) -> Result<T, BadToken> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| BadToken::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| BadToken::Malformed)
}

#[cfg(test)]
mod tests {
    use hsm::sm2::SecretKey;

    use super::*;

    fn keys() -> TokenKeys {
        TokenKeys::new(Arc::new(SecretKey::generate()), Vec::new())
    }

    fn claims() -> Claims {
        Claims {
            iss: "desk.example".into(),
            sub: "019a".into(),
            aud: "emr.example".into(),
            iat: 1,
            nbf: 1,
            exp: 901,
            jti: "019b".into(),
            cnf: Confirmation { thumbprint: "t".into() },
            role: Role::Doctor,
            institution: "019c".into(),
            resident: "019d".into(),
            visit: "019e".into(),
            purpose: Purpose::Treatment,
            data: Data { grade: 3, classes: vec![DataClass::Health], domain: "019c".into() },
            proofing: "certificate".into(),
            mask: "none".into(),
            policy: Ground { hash: "00".into(), rule: "doctor-treats".into() },
            log: "019f".into(),
        }
    }

    #[test]
    fn a_token_is_read_back() {
        let keys = keys();
        assert_eq!(keys.verify(&keys.sign(&claims()).unwrap()), Ok(claims()));
    }

    #[test]
    fn a_token_of_an_earlier_key_still_verifies() {
        let old = SecretKey::generate();
        let earlier = old.public_key().clone();
        let token = TokenKeys::new(Arc::new(old), Vec::new()).sign(&claims()).unwrap();
        let keys = TokenKeys::new(Arc::new(SecretKey::generate()), vec![earlier]);
        assert_eq!(keys.verify(&token), Ok(claims()));
    }

    #[test]
    fn any_changed_octet_is_refused() {
        let keys = keys();
        let token = keys.sign(&claims()).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            if changed != token {
                assert!(keys.verify(&changed).is_err(), "octet {at}");
            }
        }
    }

    #[test]
    fn foreign_forms_are_refused_by_name() {
        let keys = keys();
        let token = keys.sign(&claims()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let payload = signed.split_once('.').unwrap().1;
        let with_header =
            |header: &str| format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header));
        let kid = thumbprint(keys.signer.public_key());
        let cases = [
            ("empty", String::new(), BadToken::Malformed),
            ("two parts", signed.to_owned(), BadToken::Malformed),
            ("no signature", format!("{signed}."), BadToken::Signature),
            (
                "alg none",
                with_header(&format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}"}}"#)),
                BadToken::Algorithm,
            ),
            (
                "other typ",
                with_header(&format!(r#"{{"alg":"SGD_SM3_SM2","typ":"JWT","kid":"{kid}"}}"#)),
                BadToken::Algorithm,
            ),
            (
                "crit",
                with_header(&format!(
                    r#"{{"alg":"SGD_SM3_SM2","typ":"at+jwt","kid":"{kid}","crit":["x"]}}"#
                )),
                BadToken::Malformed,
            ),
            (
                "unknown key",
                with_header(r#"{"alg":"SGD_SM3_SM2","typ":"at+jwt","kid":"k"}"#),
                BadToken::UnknownKey,
            ),
            (
                "same header, other spelling",
                with_header(&format!(r#"{{ "alg":"SGD_SM3_SM2","typ":"at+jwt","kid":"{kid}"}}"#)),
                BadToken::Signature,
            ),
            ("padded", format!("{token}="), BadToken::Malformed),
            ("too long", "a".repeat(MAX_TOKEN + 1), BadToken::TooLong),
        ];
        for (what, token, error) in cases {
            assert_eq!(keys.verify(&token), Err(error), "{what}");
        }
    }

    #[test]
    fn a_der_signature_is_not_accepted_in_place_of_the_raw_one() {
        let keys = keys();
        let token = keys.sign(&claims()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let raw = Signature::from_raw(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let der = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw.to_der()));
        assert_eq!(keys.verify(&der), Err(BadToken::Signature));
    }
}
