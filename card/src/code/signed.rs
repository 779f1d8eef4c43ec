//! Our own form of a code: signed with SM2, bound to a desk where the desk asked for that.
//!
//! ```text
//! text     "HCC1:" base45(octets)         capital letters, digits and signs of a QR code's
//!                                          alphanumeric mode (RFC 9285), 254 characters
//! octets     1  version: 1
//!            1  type: 0, used a counted number of times
//!            8  the key: first octets of its thumbprint (RFC 7638 with SM3), as in the key set
//!           16  number of the code
//!           32  card id
//!            8  not before: seconds since 1970, big-endian
//!            4  life, seconds, 1 to 86,400, big-endian
//!           32  nonce of the desk it is bound to; zeros when it is bound to none
//!           64  signature r ‖ s (GB/T 32918.2) over the octets before it
//! ```
//!
//! The signer's identifier is [`SIGNER_ID`], not the default one. It enters the signature through Z,
//! so that no signature of this kind is one of an access token or a record, and none of those is one
//! of this kind, even if a key were used for both. `HC1:` was not taken as a prefix: it is the one of
//! the European vaccination certificates, and readers in the field act on it.

use std::{fmt, str::FromStr};

use subtle::ConstantTimeEq as _;

use super::{BadCode, ElectronicId};

/// Identifier of the signer (可辨别标识) in every signature of a code.
pub const SIGNER_ID: &str = "healthcard.v1.code";

/// What every version begins with; a digit and a colon follow.
const PREFIX: &str = "HCC";
const VERSION: u8 = 1;
/// The only type so far: good for a counted number of uses.
const COUNTED: u8 = 0;
/// Octets that are signed.
const BODY: usize = 102;
const LENGTH: usize = BODY + 64;
/// Longest life, seconds.
const MAX_LIFE: u32 = 86_400;
/// The last second of the year 9999.
const MAX_TIME: u64 = 253_402_300_799;

/// What a desk gives so that a code can be bound to it: 32 octets, not all zero.
#[derive(Clone)]
pub struct DeskNonce([u8; 32]);

impl DeskNonce {
    /// Takes what a desk gave. `None` for zeros, which stand for no desk at all.
    #[must_use]
    pub fn new(octets: [u8; 32]) -> Option<Self> {
        (octets != [0; 32]).then_some(Self(octets))
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for DeskNonce {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for DeskNonce {}

impl fmt::Debug for DeskNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeskNonce(..)")
    }
}

/// A code before it is signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// First octets of the thumbprint of the key that signs.
    pub key: [u8; 8],
    /// Number of the code.
    pub number: [u8; 16],
    /// The card.
    pub card: ElectronicId,
    /// From when it is good, seconds since 1970.
    pub not_before: u64,
    /// For how many seconds, 1 to 86,400.
    pub life: u32,
    /// The desk it is for, when it is for one alone.
    pub desk: Option<DeskNonce>,
}

impl Unsigned {
    /// The octets that are signed.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let desk = self.desk.as_ref().map_or(&[0; 32], DeskNonce::octets);
        [
            &[VERSION, COUNTED][..],
            &self.key,
            &self.number,
            &self.card.0,
            &self.not_before.to_be_bytes(),
            &self.life.to_be_bytes(),
            desk,
        ]
        .concat()
    }

    /// The code, with a signature over [`octets`](Self::octets).
    ///
    /// # Errors
    /// [`BadCode::Layout`] for a life or time that a code cannot have.
    pub fn with_signature(self, signature: [u8; 64]) -> Result<SignedCode, BadCode> {
        if !(1..=MAX_LIFE).contains(&self.life) || self.not_before > MAX_TIME {
            return Err(BadCode::Layout);
        }
        Ok(SignedCode { body: self, signature })
    }
}

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsigned(..)")
    }
}

/// A signed code: of the right form. Whether the signature is right is for whoever has the key.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedCode {
    body: Unsigned,
    signature: [u8; 64],
}

impl SignedCode {
    /// What it says.
    #[must_use]
    pub fn body(&self) -> &Unsigned {
        &self.body
    }

    /// The card.
    #[must_use]
    pub fn card(&self) -> &ElectronicId {
        &self.body.card
    }

    /// The second from which it is good no longer, since 1970.
    #[must_use]
    pub fn ends(&self) -> u64 {
        self.body.not_before + u64::from(self.body.life)
    }

    /// r ‖ s over the octets of the [`body`](Self::body).
    #[must_use]
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

/// Reads a text that names itself a signed code; `None` for any other.
pub(super) fn recognise(text: &str) -> Option<Result<SignedCode, BadCode>> {
    let (version, rest) = text.strip_prefix(PREFIX)?.split_once(':')?;
    if version.is_empty() || version.len() > 3 || !version.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if version != "1" {
        return Some(Err(BadCode::UnknownVersion));
    }
    Some(read(rest))
}

fn read(text: &str) -> Result<SignedCode, BadCode> {
    let octets = base45::decode(text).map_err(|_| BadCode::Encoding)?;
    // One way of writing each code only.
    if base45::encode(&octets) != text {
        return Err(BadCode::Encoding);
    }
    let octets: [u8; LENGTH] = octets.try_into().map_err(|_| BadCode::Layout)?;
    let mut input = Input(&octets);
    let [version, kind] = input.take();
    if version != VERSION {
        return Err(BadCode::UnknownVersion);
    }
    if kind != COUNTED {
        return Err(BadCode::UnknownType);
    }
    Unsigned {
        key: input.take(),
        number: input.take(),
        card: ElectronicId(input.take()),
        not_before: u64::from_be_bytes(input.take()),
        life: u32::from_be_bytes(input.take()),
        desk: DeskNonce::new(input.take()),
    }
    .with_signature(input.take())
}

/// Octets whose number was compared before: the fields of a code.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the fields add up to LENGTH");
        self.0 = rest;
        *field
    }
}

impl FromStr for SignedCode {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        recognise(text).unwrap_or(Err(BadCode::NotACode))
    }
}

impl fmt::Display for SignedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = [&self.body.octets()[..], &self.signature].concat();
        write!(f, "{PREFIX}{VERSION}:{}", base45::encode(&octets))
    }
}

impl fmt::Debug for SignedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedCode(..)")
    }
}
