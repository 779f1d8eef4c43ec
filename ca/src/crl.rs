//! Revocation lists (证书撤销列表, CRL; RFC 5280, 5): drafted and signed, read, verified and asked.
//!
//! A complete list (完全列表) says of each certificate in its [`Scope`] whether it is revoked; a delta list
//! (增量列表) says what has changed since a complete one of the same scope, so that whoever holds that need not fetch
//! all of it again.

mod draft;
mod scope;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    ops::Range,
};

use hsm::sm2::{Signature, SignerId};
use time::{OffsetDateTime, macros::datetime};

use crate::{
    Certificate, Name, Serial, algorithm,
    algorithm::Signed,
    der::{DerError, Reader, read_time, tag},
    extension::{self, Extension, KeyIdentifier, KeyUsage},
    oid,
};

pub use draft::{Changes, CrlDraft};
pub use scope::{Scope, SerialRange};

/// Why a certificate was revoked (RFC 5280, 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No reason is given.
    Unspecified,
    /// The holder's key is or may be in other hands.
    KeyCompromise,
    /// The authority's key is or may be in other hands.
    AuthorityCompromise,
    /// The holder's name or place has changed.
    AffiliationChanged,
    /// There is a newer certificate.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// Suspended, which can be taken back (certificateHold).
    Hold,
    /// A privilege in it was withdrawn.
    PrivilegeWithdrawn,
    /// The key of an attribute authority is or may be in other hands.
    AttributeAuthorityCompromise,
}

impl Reason {
    const CODES: [(Self, u8); 9] = [
        (Self::Unspecified, 0),
        (Self::KeyCompromise, 1),
        (Self::AuthorityCompromise, 2),
        (Self::AffiliationChanged, 3),
        (Self::Superseded, 4),
        (Self::CessationOfOperation, 5),
        (Self::Hold, 6),
        // 8, removeFromCRL, is no reason: see `Crl::releases`.
        (Self::PrivilegeWithdrawn, 9),
        (Self::AttributeAuthorityCompromise, 10),
    ];

    /// Number of the reason in RFC 5280, 5.3.1.
    pub fn code(self) -> u8 {
        let row = Self::CODES.iter().find(|(reason, _)| *reason == self);
        row.expect("the table has a row for each reason").1
    }

    /// The reason with this number, if it belongs in a full list.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(_, number)| *number == code).map(|(reason, _)| *reason)
    }

    /// Whether signatures of any claimed time fall with the certificate, because somebody else may
    /// have made them.
    pub fn is_compromise(self) -> bool {
        matches!(
            self,
            Self::KeyCompromise | Self::AuthorityCompromise | Self::AttributeAuthorityCompromise
        )
    }
}

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its serial number.
    pub serial: Serial,
    /// Since when, to the second.
    pub at: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}

/// Number and period of a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Grows with each list of an issuer.
    pub number: u64,
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// When the next one comes at the latest.
    pub next_update: OffsetDateTime,
}

impl Edition {
    /// When the next list comes of an authority that makes no more: the last moment that there is
    /// (99991231235959Z, as RFC 5280, 4.1.2.5, has it for what does not end).
    pub const NEVER: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);
}

/// A revocation list, read strictly. Who signed it is answered by [`Crl::verify`].
#[derive(Clone)]
pub struct Crl {
    der: Vec<u8>,
    body: Range<usize>,
    issuer: Name,
    authority_key: Option<KeyIdentifier>,
    edition: Edition,
    scope: Scope,
    base: Option<u64>,
    entries: Entries,
    signature: Signature,
}

/// What a list says, by serial number.
#[derive(Clone, Default)]
struct Entries {
    revoked: HashMap<Serial, (OffsetDateTime, Reason)>,
    released: HashSet<Serial>,
}

/// Why octets are not a revocation list that is understood here, or not one of this issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// More than [`Crl::MAX_LEN`] octets.
    #[error("the revocation list is longer than {} octets", Crl::MAX_LEN)]
    TooLong,
    /// Not the DER of a revocation list.
    #[error("reading the revocation list")]
    Der(#[from] DerError),
    /// Not version 2.
    #[error("the revocation list is not of version 2")]
    Version,
    /// Not signed with SM2 and SM3, or the algorithm inside the signed part is another than
    /// outside.
    #[error("the revocation list is not signed with SM2 and SM3")]
    Algorithm,
    /// The signature is not the strict DER of two numbers in range.
    #[error("the revocation list's signature is malformed")]
    Malformed,
    /// The list names no next update after this one, or has no number.
    #[error("the revocation list has no number or no period")]
    Edition,
    /// A certificate is named twice.
    #[error("serial number {serial} occurs twice")]
    Twice {
        /// The serial number.
        serial: Serial,
    },
    /// A reason that is unknown or does not belong in a list of this kind.
    #[error("a reason code is unknown")]
    Reason,
    /// The list is about some kinds of certificates or reasons only, about those of other
    /// authorities, or says so in a way that readers may pass over.
    #[error("the revocation list does not say plainly which certificates it is about")]
    Scope,
    /// The list tells changes, and not plainly since which list before it.
    #[error("the delta list does not say plainly since which list")]
    Base,
    /// A critical extension is not understood: absence from the list may say nothing.
    #[error("critical extension {oid} is not understood")]
    UnknownCritical {
        /// The extension's identifier, dotted.
        oid: String,
    },
    /// The list is another issuer's.
    #[error("the revocation list names another issuer")]
    NameMismatch,
    /// The issuer's key may not sign revocation lists.
    #[error("the issuer's key may not sign revocation lists")]
    WrongKeyUsage,
    /// The issuer did not sign this.
    #[error("the revocation list's signature does not verify")]
    BadSignature,
}

impl Crl {
    /// Most octets a list may have: 160,000 entries.
    pub const MAX_LEN: usize = 8 << 20;

    /// Reads a list, DER.
    ///
    /// # Errors
    /// [`CrlError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > Self::MAX_LEN {
            return Err(CrlError::TooLong);
        }
        let signed = Signed::read(der)?;
        let mut fields = Reader::only(signed.body, tag::SEQUENCE)?;
        if fields.optional(tag::INTEGER)? != Some(&[1]) {
            return Err(CrlError::Version);
        }
        let inner = fields.element(tag::SEQUENCE)?;
        if inner != signed.algorithm || !algorithm::names(inner, &oid::SM2_WITH_SM3)? {
            return Err(CrlError::Algorithm);
        }
        let issuer = Name::read(fields.element(tag::SEQUENCE)?)?;
        let this_update = read_time(&mut fields)?;
        if !matches!(fields.peek(), Some(tag::UTC_TIME | tag::GENERALIZED_TIME)) {
            return Err(CrlError::Edition);
        }
        let next_update = read_time(&mut fields)?;
        let entries = match fields.optional(tag::SEQUENCE)? {
            Some(entries) => Entries::read(Reader::new(entries))?,
            None => Entries::default(),
        };
        let list = fields.optional(tag::constructed(0))?.ok_or(CrlError::Edition)?;
        fields.end()?;
        let (mut authority_key, mut number, mut base) = (None, None, None);
        let mut scope = Scope::All;
        for Extension { oid, critical, value } in
            extension::read_list(Reader::only(list, tag::SEQUENCE)?)?
        {
            if oid == oid::AUTHORITY_KEY_IDENTIFIER {
                authority_key = KeyIdentifier::read_authority(value)?;
            } else if oid == oid::CRL_NUMBER {
                number = Some(read_number(value)?);
            } else if oid == oid::DELTA_CRL_INDICATOR {
                base = Some(read_number(value)?).filter(|_| critical);
                base.ok_or(CrlError::Base)?;
            } else if oid == oid::ISSUING_DISTRIBUTION_POINT {
                scope = Some(Scope::read(value)?).filter(|_| critical).ok_or(CrlError::Scope)?;
            } else if critical {
                return Err(CrlError::UnknownCritical { oid: oid.to_string() });
            }
        }
        let number = number.filter(|_| next_update > this_update).ok_or(CrlError::Edition)?;
        let edition = Edition { number, this_update, next_update };
        match base {
            Some(base) if base >= number => return Err(CrlError::Base),
            None if !entries.released.is_empty() => return Err(CrlError::Reason),
            _ => {}
        }
        let signature = Signature::from_der(signed.signature).map_err(|_| CrlError::Malformed)?;
        let start = signed.body.as_ptr() as usize - der.as_ptr() as usize;
        let body = start..start + signed.body.len();
        let der = der.to_vec();
        Ok(Self { der, body, issuer, authority_key, edition, scope, base, entries, signature })
    }

    /// Whether `issuer` made this list: its name, its key identifier, its right to do so, its
    /// signature.
    ///
    /// # Errors
    /// [`CrlError::NameMismatch`], [`CrlError::WrongKeyUsage`], [`CrlError::BadSignature`].
    pub fn verify(&self, issuer: &Certificate) -> Result<(), CrlError> {
        if !self.names(issuer) {
            return Err(CrlError::NameMismatch);
        }
        if !issuer.key_usage().is_some_and(|usage| usage.contains(KeyUsage::CRL_SIGNING)) {
            return Err(CrlError::WrongKeyUsage);
        }
        let key = issuer.public_key();
        let e = key.digest(&SignerId::DEFAULT, &self.der[self.body.clone()]);
        key.verify(&e, &self.signature).map_err(|_| CrlError::BadSignature)
    }

    /// Whether the list says that `issuer` made it: by name, and by key identifier where both have one.
    pub fn names(&self, issuer: &Certificate) -> bool {
        let same_key = match (&self.authority_key, issuer.key_identifier()) {
            (Some(named), Some(own)) => named == own,
            _ => true,
        };
        self.issuer == *issuer.subject() && same_key
    }

    /// The list, DER, as it was read or made.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Name of the authority whose certificates the list is about.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Number and period.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Which certificates of the authority the list is about.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Of a delta list, the number of the complete list since which it tells the changes.
    pub fn base(&self) -> Option<u64> {
        self.base
    }

    /// How many certificates are revoked, or were since the base of a delta list.
    pub fn len(&self) -> usize {
        self.entries.revoked.len()
    }

    /// Whether no certificate is revoked, or none was since the base of a delta list.
    pub fn is_empty(&self) -> bool {
        self.entries.revoked.is_empty()
    }

    /// What the list says of the certificate with this serial number.
    pub fn revocation(&self, serial: &Serial) -> Option<Revocation> {
        let (at, reason) = *self.entries.revoked.get(serial)?;
        Some(Revocation { serial: serial.clone(), at, reason })
    }

    /// Whether a delta list takes back that this certificate was suspended (removeFromCRL).
    pub fn releases(&self, serial: &Serial) -> bool {
        self.entries.released.contains(serial)
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Edition { number, .. } = self.edition;
        match self.base {
            None => write!(f, "Crl(number {number}, {} revoked)", self.len()),
            Some(base) => write!(f, "Crl(number {number} since {base}, {} revoked)", self.len()),
        }
    }
}

/// The reason code of a certificate that is in force again (removeFromCRL; RFC 5280, 5.3.1).
const RELEASED: u8 = 8;

impl Entries {
    fn read(mut list: Reader<'_>) -> Result<Self, CrlError> {
        let mut entries = Self::default();
        while !list.is_empty() {
            let mut fields = list.sequence()?;
            let serial = Serial::read(fields.value(tag::INTEGER)?)?;
            let at = read_time(&mut fields)?;
            let code = match fields.optional(tag::SEQUENCE)? {
                Some(list) => read_code(Reader::new(list))?,
                None => Reason::Unspecified.code(),
            };
            fields.end()?;
            if entries.revoked.contains_key(&serial) || entries.released.contains(&serial) {
                return Err(CrlError::Twice { serial });
            }
            if code == RELEASED {
                entries.released.insert(serial);
            } else {
                let reason = Reason::from_code(code).ok_or(CrlError::Reason)?;
                entries.revoked.insert(serial, (at, reason));
            }
        }
        match entries.revoked.is_empty() && entries.released.is_empty() {
            true => Err(DerError::Count.into()),
            false => Ok(entries),
        }
    }
}

/// The reason code among the extensions of an entry.
fn read_code(list: Reader<'_>) -> Result<u8, CrlError> {
    let mut read = Reason::Unspecified.code();
    for Extension { oid, critical, value } in extension::read_list(list)? {
        if oid == oid::REASON_CODE {
            let mut outer = Reader::new(value);
            let [code] = *outer.value(tag::ENUMERATED)? else { return Err(CrlError::Reason) };
            outer.end()?;
            read = code;
        } else if critical {
            // Among them certificateIssuer: the entry would be about another authority's
            // certificate.
            return Err(CrlError::UnknownCritical { oid: oid.to_string() });
        }
    }
    Ok(read)
}

fn read_number(value: &[u8]) -> Result<u64, DerError> {
    let mut value = Reader::new(value);
    let number = value.unsigned()?;
    value.end()?;
    Ok(number)
}

#[cfg(test)]
mod tests;
