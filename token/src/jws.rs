//! The form in which tokens, and whatever else comes with them, are signed: compact JWS (RFC 7515, 7.1).
//!
//! There is one algorithm and one encoding of everything, so that nothing in a header chooses how the rest is read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hsm::sm2::{BadSignature, PreparedKey, Signature};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::keys::KeySet;

/// Name of the signature algorithm (GM/T 0125.1-2022).
pub const ALGORITHM: &str = "SGD_SM3_SM2";

/// Why a text is not what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BadJws {
    /// Longer than such a text may be.
    #[error("it is longer than it may be")]
    TooLong,
    /// Not three parts of base64url without padding, or with other members than it has to have.
    #[error("it is malformed")]
    Malformed,
    /// Another algorithm or type than it has to have.
    #[error("it names another algorithm or type")]
    Algorithm,
    /// Signed with a key that is not published.
    #[error("it names an unknown key")]
    UnknownKey,
    /// Signed with a key that is published for something else.
    #[error("it names a key that is for something else")]
    OtherKey,
    /// The signature does not verify.
    #[error("its signature does not verify")]
    Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// What has to be signed: header and payload as they are sent.
///
/// # Panics
/// When `payload` is nothing that JSON can say, such as a map whose keys are not strings.
#[must_use]
pub fn signing_input(typ: &str, kid: &str, payload: &impl Serialize) -> String {
    encode(&Header { alg: ALGORITHM, typ, kid }, payload)
}

/// `header.payload`.
pub(crate) fn encode(header: &impl Serialize, payload: &impl Serialize) -> String {
    let part = |json: serde_json::Result<Vec<u8>>| json.expect("plain strings and numbers");
    let mut text = URL_SAFE_NO_PAD.encode(part(serde_json::to_vec(header)));
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(part(serde_json::to_vec(payload)), &mut text);
    text
}

/// The whole: what was signed, and the signature.
#[must_use]
pub fn signed(mut signing_input: String, signature: &Signature) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.as_raw(), &mut signing_input);
    signing_input
}

/// How a signature over *e* is checked.
pub type Verify<'a> = &'a dyn Fn(&PreparedKey, &[u8; 32], &Signature) -> Result<(), BadSignature>;

/// Reads a text of type `typ` and at most `most` octets that one of `keys` signed.
///
/// # Errors
/// [`BadJws`] says what is wrong with it.
pub fn open<T: DeserializeOwned>(
    text: &str,
    typ: &str,
    most: usize,
    keys: &KeySet,
) -> Result<T, BadJws> {
    open_by(text, typ, most, keys, &PreparedKey::verify)
}

pub(crate) fn open_by<T: DeserializeOwned>(
    text: &str,
    typ: &str,
    most: usize,
    keys: &KeySet,
    verify: Verify<'_>,
) -> Result<T, BadJws> {
    let parts = Compact::split(text, most)?;
    let header = octets(parts.header)?;
    let header: Header<'_> = json(&header)?;
    if header.alg != ALGORITHM || header.typ != typ {
        return Err(BadJws::Algorithm);
    }
    let key = keys.find(header.kid)?;
    let signature = parts.signature()?;
    let e = key.public_key().digest(&crate::keys::IDENTIFIER, parts.signed.as_bytes());
    verify(key, &e, &signature).map_err(|_| BadJws::Signature)?;
    json(&octets(parts.payload)?)
}

/// A compact JWS taken apart.
pub(crate) struct Compact<'a> {
    /// `header.payload`.
    pub(crate) signed: &'a str,
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    pub(crate) fn split(text: &'a str, most: usize) -> Result<Self, BadJws> {
        if text.len() > most {
            return Err(BadJws::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(BadJws::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(BadJws::Malformed)?;
        if payload.contains('.') {
            return Err(BadJws::Malformed);
        }
        Ok(Self { signed, header, payload, signature })
    }

    /// r ‖ s; never DER.
    pub(crate) fn signature(&self) -> Result<Signature, BadJws> {
        Signature::from_raw(&octets(self.signature)?).map_err(|_| BadJws::Signature)
    }
}

/// base64url without padding; unused bits are zero.
pub(crate) fn octets(part: &str) -> Result<Vec<u8>, BadJws> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| BadJws::Malformed)
}

pub(crate) fn json<'de, T: Deserialize<'de>>(octets: &'de [u8]) -> Result<T, BadJws> {
    serde_json::from_slice(octets).map_err(|_| BadJws::Malformed)
}
