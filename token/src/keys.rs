//! The keys that tokens are checked with: a JSON Web Key Set (RFC 7517), as the service publishes it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hsm::sm2::{PreparedKey, PublicKey, SignerId};
use serde::{Deserialize, Serialize};

use crate::jws::{ALGORITHM, BadJws};

/// The identifier that tokens are signed with, as a published key says it (`sm2_id`).
pub const SM2_ID: &str = "1234567812345678";
pub(crate) const IDENTIFIER: SignerId = SignerId::DEFAULT;

pub(crate) const KEY_TYPE: &str = "EC";
pub(crate) const CURVE: &str = "SM2-P-256";
/// How long a set may be used before it is fetched again, seconds. A key is published for at least as long before it signs
/// tokens, so that whoever keeps to it never meets a token that was signed with a key they could not have.
pub const KEPT: i64 = 300;
/// Largest set that is looked at, octets.
pub const MAX_SET: usize = 128 * 1024;
/// Most keys of a set.
const MAX_KEYS: usize = 256;
/// Longest name of a key, octets.
const MAX_NAME: usize = 128;

/// A published key (GM/T 0125.4-2022 as far as it is known), with the identifier that its signatures are made with.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct PublishedKey {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
    kid: String,
    sm2_id: String,
}

impl PublishedKey {
    /// `sm2_id` is the identifier of the signer.
    #[must_use]
    pub fn new(key: &PublicKey, sm2_id: &str) -> Self {
        let (x, y) = coordinates(key);
        let (kid, sm2_id) = (thumbprint(key), sm2_id.to_owned());
        Self { kty: KEY_TYPE, crv: CURVE, x, y, purpose: "sig", alg: ALGORITHM, kid, sm2_id }
    }
}

/// Thumbprint of a key as RFC 7638, but with SM3, base64url.
#[must_use]
pub fn thumbprint(key: &PublicKey) -> String {
    URL_SAFE_NO_PAD.encode(thumbprint_octets(key))
}

/// The thumbprint before it is written.
#[must_use]
pub fn thumbprint_octets(key: &PublicKey) -> [u8; 32] {
    let (x, y) = coordinates(key);
    let canonical = format!(r#"{{"crv":"{CURVE}","kty":"{KEY_TYPE}","x":"{x}","y":"{y}"}}"#);
    hsm::sm3::digest(canonical.as_bytes())
}

pub(crate) fn coordinates(key: &PublicKey) -> (String, String) {
    let (x, y) = key.as_sec1()[1..].split_at(32);
    (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
}

/// The point that x and y are the coordinates of, each 32 octets in base64url.
pub(crate) fn point(x: &str, y: &str) -> Option<PublicKey> {
    let coordinate =
        |text: &str| -> Option<[u8; 32]> { URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok() };
    PublicKey::from_sec1(&[&[4][..], &coordinate(x)?, &coordinate(y)?].concat()).ok()
}

/// Keys by their names, ready to verify.
#[derive(Clone)]
pub struct KeySet(Vec<(String, Key)>);

#[derive(Clone)]
enum Key {
    ForTokens(Box<PreparedKey>),
    /// On another curve, for another use, or with another identifier.
    Other,
}

/// Why a text is no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKeySet {
    /// More than 128 KiB, or more than 256 keys.
    #[error("the key set is too large")]
    TooLarge,
    /// No JSON Web Key Set, or a key for tokens that is no point of the curve.
    #[error("the key set is malformed")]
    Malformed,
    /// Two keys have one name.
    #[error("two keys of the set have one name")]
    SameName,
    /// A key is given with its secret.
    #[error("the key set gives a secret away")]
    Secret,
    /// There is none that tokens are signed with.
    #[error("the key set has no key for tokens")]
    NoneForTokens,
}

#[derive(Deserialize)]
struct JsonWebKeySet {
    keys: Vec<JsonWebKey>,
}

/// The members that decide (RFC 7517, 4). Others are ignored, as it demands; none of these may be there twice.
#[derive(Deserialize)]
struct JsonWebKey {
    kty: String,
    kid: Option<String>,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    sm2_id: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// Reads a set as it is published. Keys of other kinds, and without a name, may be among it.
    ///
    /// # Errors
    /// [`BadKeySet`].
    pub fn from_json(json: &[u8]) -> Result<Self, BadKeySet> {
        if json.len() > MAX_SET {
            return Err(BadKeySet::TooLarge);
        }
        let set: JsonWebKeySet = serde_json::from_slice(json).map_err(|_| BadKeySet::Malformed)?;
        if set.keys.len() > MAX_KEYS {
            return Err(BadKeySet::TooLarge);
        }
        let mut keys: Vec<(String, Key)> = Vec::new();
        for key in set.keys {
            let read = key.read()?;
            let Some(name) = key.kid else { continue };
            if name.is_empty() || name.len() > MAX_NAME {
                return Err(BadKeySet::Malformed);
            }
            if keys.iter().any(|(other, _)| *other == name) {
                return Err(BadKeySet::SameName);
            }
            keys.push((name, read));
        }
        let usable = keys.iter().any(|(_, key)| matches!(key, Key::ForTokens(_)));
        usable.then_some(Self(keys)).ok_or(BadKeySet::NoneForTokens)
    }

    pub(crate) fn find(&self, name: &str) -> Result<&PreparedKey, BadJws> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((_, Key::ForTokens(key))) => Ok(key),
            Some((_, Key::Other)) => Err(BadJws::OtherKey),
            None => Err(BadJws::UnknownKey),
        }
    }
}

/// Keys that tokens are signed with, named as the service names them.
impl<'a> FromIterator<&'a PublicKey> for KeySet {
    fn from_iter<I: IntoIterator<Item = &'a PublicKey>>(keys: I) -> Self {
        let named = |key: &PublicKey| (thumbprint(key), Key::ForTokens(Box::new(key.prepare())));
        Self(keys.into_iter().map(named).collect())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl JsonWebKey {
    fn read(&self) -> Result<Key, BadKeySet> {
        if self.kty != KEY_TYPE {
            return Ok(Key::Other);
        }
        if self.d.is_some() {
            return Err(BadKeySet::Secret);
        }
        let says = |member: &Option<String>, what| member.as_deref() == Some(what);
        let verifies = |allowed: &Vec<String>| allowed.iter().any(|it| it == "verify");
        let for_tokens = says(&self.crv, CURVE)
            && says(&self.alg, ALGORITHM)
            && says(&self.purpose, "sig")
            && says(&self.sm2_id, SM2_ID)
            && self.key_ops.as_ref().is_none_or(verifies);
        if !for_tokens {
            return Ok(Key::Other);
        }
        let (Some(x), Some(y)) = (&self.x, &self.y) else { return Err(BadKeySet::Malformed) };
        let key = point(x, y).ok_or(BadKeySet::Malformed)?;
        Ok(Key::ForTokens(Box::new(key.prepare())))
    }
}
