//! SM3 digests and HMAC-SM3 (GB/T 32905-2016; RFC 2104).

use hmac::{Hmac, KeyInit, Mac};
use sm3::{Digest, Sm3};
use subtle::ConstantTimeEq;

/// The SM3 digest of `message`, 32 octets.
#[must_use]
pub fn digest(message: &[u8]) -> [u8; 32] {
    Sm3::digest(message).into()
}

/// HMAC-SM3 under `key` of `parts`, one after the other without separators.
///
/// Where the parts have no fixed lengths the caller writes lengths into them: `["ab", "c"]` and
/// `["a", "bc"]` give the same tag.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // Longer keys are hashed first (RFC 2104, 2), so every length is a key.
    let mut mac = <Hmac<Sm3> as KeyInit>::new_from_slice(key).expect("HMAC takes any key length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Checks an HMAC-SM3 tag in constant time. A shortened tag is refused.
///
/// # Errors
/// [`BadTag`] when `tag` is not the 32 octets of [`hmac()`].
pub fn verify_hmac(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> Result<(), BadTag> {
    if bool::from(hmac(key, parts)[..].ct_eq(tag)) { Ok(()) } else { Err(BadTag) }
}

/// The tag was not made with this key over this data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the tag does not belong to this data")]
pub struct BadTag;

/// An SM3 computation that takes its message in pieces.
///
/// ```
/// let mut hasher = hsm::sm3::Hasher::new();
/// hasher.update(b"a");
/// hasher.update(b"bc");
/// assert_eq!(hasher.finalize(), hsm::sm3::digest(b"abc"));
/// ```
#[derive(Clone, Default)]
pub struct Hasher(Sm3);

impl Hasher {
    /// A hasher that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of the message.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of everything taken.
    #[must_use]
    pub fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher(..)")
    }
}
