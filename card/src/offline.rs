//! What a desk saw of a card while it could not ask the service, kept so that only the service can
//! read it.
//!
//! Without the service a desk reads what anyone may read ([`read_free`](crate::read_free)), looks the
//! chip up in the last [list](crate::status_list), and with a SAM has the card prove itself. What it
//! saw and did is told to the service later. Until then it lies on the desk's disk encrypted to the service with SM2: whoever
//! takes the disk, even with the desk's own key, reads nothing of it.
//!
//! The octets that are encrypted; numbers are big-endian:
//!
//! ```text
//!   1  version of the form, 02
//!  16  identifier, random
//!   8  when, seconds since 1970
//!   8  card diversification factor
//!   8  number of the list that was looked into; 0 when there was none
//!   1  what it said: 0 there was none, 1 not listed, 2 grey, 3 black
//!   1  what the card proved: 0 nothing, 1 that it is genuine, 2 that it is not
//!   1  why it was refused: 0 it was not, 1 it is listed, 2 it is not genuine, 3 it is over, 4 it
//!      contradicts itself
//!   1  length, and the identity of the desk
//!   1  length, and the issuing serial (item 10)
//!   1  length, and the card number (item 8)
//! ```
//!
//! Form 01 is read as well: it lacks what was proven and refused, which is nothing.

#[cfg(test)]
mod tests;

use std::fmt;

use hsm::Sm2Decrypter;
use hsm::sm2::{Ciphertext, PublicKey};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::atr::CardFactor;
use crate::number::{CardNumber, ChipSerial};

const VERSION: u8 = 2;
/// The form of before desks had a SAM.
const VERSION_WITHOUT_PROOF: u8 = 1;
/// The end of the times that are told: also in the zone of a desk it is within year 9999.
const END_OF_TIME: i64 = 253_402_214_400;
/// Longest name of an identity, octets.
const MAX_DESK: usize = 64;
/// Most octets of a sealed reading.
pub const MAX_SEALED: usize = 512;

/// What the list at the desk said of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There was no list.
    NoList,
    /// It is not listed.
    NotListed,
    /// It is on the grey list: ask the service.
    Grey,
    /// It is on the black list: refuse it.
    Black,
}

impl Standing {
    /// All, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::NoList, Self::NotListed, Self::Grey, Self::Black];

    fn code(self) -> u8 {
        match self {
            Self::NoList => 0,
            Self::NotListed => 1,
            Self::Grey => 2,
            Self::Black => 3,
        }
    }

    /// The word in logs and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoList => "no-list",
            Self::NotListed => "not-listed",
            Self::Grey => "grey",
            Self::Black => "black",
        }
    }
}

/// What a card proved to the desk's SAM (internal authentication).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: there was no SAM, or it was not asked.
    None,
    /// That it is genuine.
    Genuine,
    /// That it is not.
    Forged,
}

impl Proof {
    /// All, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::None, Self::Genuine, Self::Forged];

    fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Genuine => 1,
            Self::Forged => 2,
        }
    }

    /// The word in logs and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Genuine => "genuine",
            Self::Forged => "forged",
        }
    }
}

/// Why a desk refused a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is on the list, black or grey.
    Listed,
    /// It did not prove that it is genuine.
    NotGenuine,
    /// It is past its validity.
    Expired,
    /// It contradicts itself.
    Inconsistent,
}

impl Refusal {
    /// All, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Listed, Self::NotGenuine, Self::Expired, Self::Inconsistent];

    fn code(self) -> u8 {
        match self {
            Self::Listed => 1,
            Self::NotGenuine => 2,
            Self::Expired => 3,
            Self::Inconsistent => 4,
        }
    }

    /// The word in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::NotGenuine => "not-genuine",
            Self::Expired => "expired",
            Self::Inconsistent => "inconsistent",
        }
    }
}

/// A card that was in a reader while the service could not be asked. Personal data: the card number
/// is the holder's ID number.
#[derive(Clone, PartialEq, Eq)]
pub struct OfflineReading {
    /// Names it, so that it is recorded once however often it is sent.
    pub id: [u8; 16],
    /// Identity of the desk.
    pub desk: String,
    /// When, in whole seconds, by the desk's clock.
    pub at: OffsetDateTime,
    /// Of the answer to reset.
    pub factor: CardFactor,
    /// Issuing serial, as the card said it.
    pub chip_serial: ChipSerial,
    /// Card number, as the card said it.
    pub card_number: CardNumber,
    /// Number of the list that was looked into; 0 when there was none.
    pub list: u64,
    /// What it said.
    pub standing: Standing,
    /// What the card proved to the desk.
    pub proof: Proof,
    /// Why the desk refused it, if it did.
    pub refusal: Option<Refusal>,
}

impl fmt::Debug for OfflineReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfflineReading({:?}, list {}, ..)", self.standing, self.list)
    }
}

/// The service's key that desks encrypt to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey(PublicKey);

impl SealingKey {
    /// Reads a point of the curve, uncompressed (65 octets).
    ///
    /// # Errors
    /// [`BadSealingKey`].
    pub fn from_sec1(octets: &[u8]) -> Result<Self, BadSealingKey> {
        PublicKey::from_sec1(octets).map(Self).map_err(|_| BadSealingKey)
    }

    /// The point, uncompressed.
    #[must_use]
    pub fn as_sec1(&self) -> &[u8; 65] {
        self.0.as_sec1()
    }
}

/// The octets are no point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key")]
pub struct BadSealingKey;

/// Why a sealed reading could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not sealed to this key, or was changed.
    #[error("the reading is not sealed to this service, or was changed")]
    Sealed,
    /// What was sealed is not of this form.
    #[error("the reading has another form")]
    Form,
}

impl OfflineReading {
    /// Encrypts it to the service.
    ///
    /// # Panics
    /// When the name of the desk is longer than 64 octets: names of identities have 36.
    #[must_use]
    pub fn seal(&self, to: &SealingKey) -> Vec<u8> {
        to.0.encrypt(&self.encode()).expect("its length is within what SM2 encrypts")
    }

    /// Opens what a desk sealed.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(sealed: &[u8], key: &dyn Sm2Decrypter) -> Result<Self, OpenError> {
        if sealed.len() > MAX_SEALED {
            return Err(OpenError::Sealed);
        }
        let ciphertext = Ciphertext::from_der(sealed).map_err(|_| OpenError::Sealed)?;
        let plain = key.decrypt(&ciphertext).map_err(|_| OpenError::Sealed)?;
        Self::decode(&plain).ok_or(OpenError::Form)
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        assert!(self.desk.len() <= MAX_DESK, "the name of an identity is short");
        let mut out = Zeroizing::new(vec![VERSION]);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&self.at.unix_timestamp().to_be_bytes());
        out.extend_from_slice(&self.factor.0);
        out.extend_from_slice(&self.list.to_be_bytes());
        out.push(self.standing.code());
        out.push(self.proof.code());
        out.push(self.refusal.map_or(0, Refusal::code));
        for text in [self.desk.as_str(), self.chip_serial.as_str(), self.card_number.as_str()] {
            out.push(u8::try_from(text.len()).expect("numbers of a card are short"));
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    /// Reads the form it is written in, or the one of before.
    #[must_use]
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        let [version @ (VERSION | VERSION_WITHOUT_PROOF)] = take(rest)? else { return None };
        let id = take(rest)?;
        let seconds = u64::from_be_bytes(take(rest)?);
        let seconds = i64::try_from(seconds).ok().filter(|it| *it < END_OF_TIME)?;
        let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        let factor = CardFactor(take(rest)?);
        let list = u64::from_be_bytes(take(rest)?);
        let [code] = take(rest)?;
        let standing = Standing::ALL.into_iter().find(|standing| standing.code() == code)?;
        let (proof, refusal) = match version {
            VERSION => judged(rest)?,
            _ => (Proof::None, None),
        };
        let desk = text(rest)?;
        let chip_serial = text(rest)?.parse().ok()?;
        let card_number = text(rest)?.parse().ok()?;
        let plain = !desk.is_empty() && desk.len() <= MAX_DESK && desk.is_ascii();
        let told = (standing == Standing::NoList) == (list == 0);
        let listed = matches!(standing, Standing::Grey | Standing::Black);
        let agreed = match refusal {
            // Desks of before showed cards that are listed, with a warning.
            None => !listed || version == VERSION_WITHOUT_PROOF,
            Some(Refusal::Listed) => listed,
            Some(Refusal::NotGenuine) => true,
            Some(Refusal::Expired | Refusal::Inconsistent) => proof == Proof::Genuine && !listed,
        };
        let forged = (proof == Proof::Forged) == (refusal == Some(Refusal::NotGenuine));
        (plain && told && agreed && forged && rest.is_empty()).then(|| Self {
            id,
            desk: desk.to_owned(),
            at,
            factor,
            chip_serial,
            card_number,
            list,
            standing,
            proof,
            refusal,
        })
    }
}

/// What was proven, and why the card was refused.
fn judged(rest: &mut &[u8]) -> Option<(Proof, Option<Refusal>)> {
    let [proof, refusal] = take(rest)?;
    let proof = Proof::ALL.into_iter().find(|it| it.code() == proof)?;
    let refusal = match refusal {
        0 => None,
        code => Some(Refusal::ALL.into_iter().find(|it| it.code() == code)?),
    };
    Some((proof, refusal))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let [length] = take(rest)?;
    let (taken, left) = rest.split_at_checked(usize::from(length))?;
    *rest = left;
    std::str::from_utf8(taken).ok()
}
