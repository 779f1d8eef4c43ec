//! The certificates of cards: the card issuer's (发卡机构证书, 180 bytes) and a SAM's (SAM卡证书, 190 bytes).
//!
//! Their fields are not published. The layout here is ours (health-card.md, 10, no. 11), for cards
//! that we issue; whatever else a card holds there is [`Stored::Opaque`].

use hsm::sm2::{PublicKey, Signature, SignerId};
use hsm::{KeyError, Sm2Signer};
use time::Date;

use crate::data::IssuerCode;
use crate::value;

/// Size of an issuer's certificate.
pub const ISSUER_SIZE: usize = 180;
/// Size of a SAM's certificate, as it also stands in every signed record.
pub const SAM_SIZE: usize = 190;
/// Size of the signature at the end, over everything before it.
const SIGNATURE: usize = 64;

/// First byte of the layout.
const FORMAT: u8 = 0x31;
/// Signature algorithm, key algorithm, curve, length of the key: SM2 on its only curve.
const ALGORITHMS: [u8; 4] = [0x04, 0x04, 0x00, 0x40];
/// Bytes kept for later, zero.
const RESERVED: [u8; 8] = [0; 8];
/// Bytes of a code: 22 digits.
const CODE: usize = 11;

/// Serial of a SAM (SAM卡序列号), also in its public file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SamSerial(pub [u8; 10]);

impl std::fmt::Display for SamSerial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A card issuer (发卡机构): its key signs certificates of SAMs.
    Issuer,
    /// A SAM, or a keystore in its place: its key signs records on cards.
    Sam(SamSerial),
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Whose it is.
    pub holder: Holder,
    /// Code of whoever signed it.
    pub authority: IssuerCode,
    /// Code of the issuer, or of the issuer the SAM belongs to.
    pub subject: IssuerCode,
    /// Serial of the certificate.
    pub serial: [u8; 8],
    /// First day.
    pub valid_from: Date,
    /// Last day.
    pub valid_until: Date,
    /// The holder's public key.
    pub key: PublicKey,
}

/// A certificate with its signature, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardCertificate {
    body: Body,
    signature: Signature,
}

/// What stands where a certificate belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A certificate of our layout.
    Known(Box<CardCertificate>),
    /// Something else, kept as it is.
    Opaque(Vec<u8>),
}

/// Why bytes are no certificate of our layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCertificate {
    /// Neither 180 nor 190 bytes, or not the size of its kind.
    #[error("a certificate of {0} bytes")]
    Length(usize),
    /// Another layout.
    #[error("the certificate starts with {0:02X}")]
    Format(u8),
    /// Another kind of holder.
    #[error("the certificate is of kind {0:02X}")]
    Kind(u8),
    /// A code that is not 1 to 22 digits.
    #[error("the certificate has a code that is not digits")]
    Code,
    /// A day that does not exist, or an end before the start.
    #[error("the certificate has a wrong date")]
    Dates,
    /// Other algorithms than SM2 with SM3.
    #[error("the certificate is for other algorithms")]
    Algorithms,
    /// No point of the curve.
    #[error("the certificate holds no public key")]
    Key,
    /// Something in the bytes kept for later.
    #[error("the certificate uses bytes that are kept for later")]
    Reserved,
    /// No signature.
    #[error("the certificate holds no signature")]
    Signature,
}

/// Why a certificate is not to be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTrusted {
    /// The other certificate is not one of an issuer.
    #[error("only a card issuer's certificate vouches for others")]
    NotAnIssuer,
    /// Another issuer's code stands in it.
    #[error("the certificate names another authority")]
    OtherAuthority,
    /// The signature is not by that issuer.
    #[error("the certificate's signature does not verify")]
    Signature,
    /// Not valid on the day in question.
    #[error("the certificate is not valid on {0}")]
    NotOn(Date),
}

impl Body {
    /// Everything that is signed: all bytes but the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let code = |code: &IssuerCode| {
            value::write_digits(code.as_str(), CODE).expect("a code has at most 22 digits")
        };
        let kind = match self.holder {
            Holder::Issuer => 0x01,
            Holder::Sam(_) => 0x02,
        };
        let mut bytes = vec![FORMAT, kind];
        bytes.extend(code(&self.authority));
        bytes.extend(code(&self.subject));
        if let Holder::Sam(serial) = self.holder {
            bytes.extend(serial.0);
        }
        bytes.extend(self.serial);
        bytes.extend(value::write_date(self.valid_from));
        bytes.extend(value::write_date(self.valid_until));
        bytes.extend(ALGORITHMS);
        bytes.extend(&self.key.as_sec1()[1..]);
        bytes.extend(RESERVED);
        bytes
    }

    /// The certificate, signed with the authority's key over the default identifier.
    ///
    /// # Errors
    /// [`KeyError`] of the key.
    pub fn sign(self, authority: &dyn Sm2Signer) -> Result<CardCertificate, KeyError> {
        let signature = authority.sign(&authority.digest(&self.to_bytes()))?;
        Ok(CardCertificate { body: self, signature })
    }
}

impl CardCertificate {
    /// Reads a certificate of our layout.
    ///
    /// # Errors
    /// [`BadCertificate`] unless the bytes are exactly what [`to_bytes`](Self::to_bytes) writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadCertificate> {
        if !matches!(bytes.len(), ISSUER_SIZE | SAM_SIZE) {
            return Err(BadCertificate::Length(bytes.len()));
        }
        let (signed, signature) = bytes.split_at(bytes.len() - SIGNATURE);
        let mut rest = Fields(signed);
        let [format, kind] = rest.take();
        if format != FORMAT {
            return Err(BadCertificate::Format(format));
        }
        let is_sam = match (kind, bytes.len()) {
            (0x01, ISSUER_SIZE) => false,
            (0x02, SAM_SIZE) => true,
            (0x01 | 0x02, length) => return Err(BadCertificate::Length(length)),
            (other, _) => return Err(BadCertificate::Kind(other)),
        };
        let authority = code(&rest.take())?;
        let subject = code(&rest.take())?;
        let holder = if is_sam { Holder::Sam(SamSerial(rest.take())) } else { Holder::Issuer };
        let serial = rest.take();
        let [valid_from, valid_until] = [date(&rest.take())?, date(&rest.take())?];
        if valid_until < valid_from {
            return Err(BadCertificate::Dates);
        }
        if rest.take() != ALGORITHMS {
            return Err(BadCertificate::Algorithms);
        }
        let point: [u8; 64] = rest.take();
        let key = PublicKey::from_sec1(&[&[0x04], &point[..]].concat());
        let key = key.map_err(|_| BadCertificate::Key)?;
        if rest.take() != RESERVED {
            return Err(BadCertificate::Reserved);
        }
        let signature = Signature::from_raw(signature).map_err(|_| BadCertificate::Signature)?;
        let body = Body { holder, authority, subject, serial, valid_from, valid_until, key };
        Ok(Self { body, signature })
    }

    /// Reads whatever stands where a certificate belongs.
    pub fn stored(bytes: &[u8]) -> Stored {
        match Self::parse(bytes) {
            Ok(certificate) => Stored::Known(Box::new(certificate)),
            Err(_) => Stored::Opaque(bytes.to_vec()),
        }
    }

    /// The bytes on the card: 180 of an issuer, 190 of a SAM.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.body.to_bytes()[..], self.signature.as_raw()].concat()
    }

    /// What it says.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Checks that the key of `authority`, an issuer's certificate, signed this one, and that it
    /// holds on `day`. An issuer that is its own authority is checked against itself.
    ///
    /// # Errors
    /// [`NotTrusted`].
    pub fn verify(&self, authority: &Self, day: Date) -> Result<(), NotTrusted> {
        if authority.body.holder != Holder::Issuer {
            return Err(NotTrusted::NotAnIssuer);
        }
        if authority.body.subject != self.body.authority {
            return Err(NotTrusted::OtherAuthority);
        }
        let key = &authority.body.key;
        let e = key.digest(&SignerId::DEFAULT, &self.body.to_bytes());
        key.verify(&e, &self.signature).map_err(|_| NotTrusted::Signature)?;
        match (self.body.valid_from..=self.body.valid_until).contains(&day) {
            true => Ok(()),
            false => Err(NotTrusted::NotOn(day)),
        }
    }
}

/// The signed bytes, taken field by field. Their length was checked.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("fields fill the checked length");
        self.0 = rest;
        *field
    }
}

/// 1 to 22 digits.
fn code(field: &[u8; CODE]) -> Result<IssuerCode, BadCertificate> {
    let digits = value::read_digits(field).map_err(|_| BadCertificate::Code)?;
    match digits.len() {
        0 => Err(BadCertificate::Code),
        _ => digits.parse().map_err(|_| BadCertificate::Code),
    }
}

fn date(field: &[u8; 4]) -> Result<Date, BadCertificate> {
    value::read_date(field).ok().flatten().ok_or(BadCertificate::Dates)
}

#[cfg(test)]
mod tests;
