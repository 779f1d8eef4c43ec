//! Revocation lists (证书撤销列表, CRL; RFC 5280, 5): drafted and signed, read, verified and asked.

use std::{collections::HashMap, fmt, ops::Range};

use hsm::{
    Sm2Signer,
    sm2::{PublicKey, Signature, SignerId},
};
use time::OffsetDateTime;

use crate::{
    Certificate, IssueError, Issuer, Name, Serial, algorithm,
    algorithm::Signed,
    der::{DerError, Reader, read_time, sequence, tag, tlv, unsigned, write_time},
    extension::{self, Extension, KeyIdentifier, KeyUsage},
    issuer::sign_body,
    oid,
};

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
        // 8, removeFromCRL, belongs to delta lists, which are not used.
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

/// A revocation list of which every signed octet is fixed, and which nobody has signed yet.
#[derive(Debug)]
pub struct CrlDraft {
    body: Vec<u8>,
    signer: PublicKey,
}

impl Issuer {
    /// Fixes a revocation list with all certificates of this authority that were ever revoked,
    /// expired ones included: a signature of ten years ago is judged by today's list.
    ///
    /// # Errors
    /// [`IssueError::BadList`], when the period is empty or a serial number occurs twice.
    pub fn draft_crl(
        &self,
        edition: Edition,
        revoked: &[Revocation],
    ) -> Result<CrlDraft, IssueError> {
        let mut sorted: Vec<&Revocation> = revoked.iter().collect();
        sorted.sort_by(|one, other| one.serial.cmp(&other.serial));
        let twice = sorted.windows(2).any(|pair| pair[0].serial == pair[1].serial);
        if twice || edition.next_update <= edition.this_update {
            return Err(IssueError::BadList);
        }
        let entries: Vec<u8> = sorted.into_iter().flat_map(write_entry).collect();
        // The list is absent, not empty, when nothing is revoked (5.1.2.6).
        let entries = if entries.is_empty() { entries } else { sequence(&[&entries]) };
        // The authority's own key identifier, not the one of the authority above it (5.2.1).
        let extensions = sequence(&[
            &extension::write(
                &oid::AUTHORITY_KEY_IDENTIFIER,
                &self.key_identifier().write_authority(),
            ),
            &extension::write(&oid::CRL_NUMBER, &unsigned(&edition.number.to_be_bytes())),
        ]);
        let body = sequence(&[
            &[tag::INTEGER, 1, 1],
            &algorithm::sm2_with_sm3(),
            self.certificate().subject().der(),
            &write_time(edition.this_update),
            &write_time(edition.next_update),
            &entries,
            &tlv(tag::constructed(0), &[&extensions]),
        ]);
        Ok(CrlDraft { body, signer: self.certificate().public_key().clone() })
    }
}

fn write_entry(revocation: &Revocation) -> Vec<u8> {
    let reason = match revocation.reason {
        // An absent reason says the same, and should be preferred (5.3.1).
        Reason::Unspecified => Vec::new(),
        reason => {
            let code = tlv(tag::ENUMERATED, &[&[reason.code()]]);
            sequence(&[&extension::write(&oid::REASON_CODE, &code)])
        }
    };
    sequence(&[&revocation.serial.write(), &write_time(revocation.at), &reason])
}

impl CrlDraft {
    /// The list's body (TBSCertList, DER), to be recorded before the key is touched.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Signs the body, and reads back what was made.
    ///
    /// # Errors
    /// [`IssueError::WrongKey`], [`IssueError::Sign`], [`IssueError::FalseSignature`], or
    /// [`IssueError::BadList`] when the list has grown beyond [`Crl::MAX_LEN`].
    pub fn sign(self, key: &dyn Sm2Signer) -> Result<Crl, IssueError> {
        let signature = sign_body(&self.body, &self.signer, key)?;
        Crl::parse(&Signed::write(&self.body, &signature)).map_err(|_| IssueError::BadList)
    }
}

/// A revocation list, read strictly. Who signed it is answered by [`Crl::verify`].
#[derive(Clone)]
pub struct Crl {
    der: Vec<u8>,
    body: Range<usize>,
    issuer: Name,
    authority_key: Option<KeyIdentifier>,
    edition: Edition,
    revoked: HashMap<Serial, (OffsetDateTime, Reason)>,
    signature: Signature,
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
    /// A reason that is unknown or does not belong in a full list.
    #[error("a reason code is unknown")]
    Reason,
    /// A critical extension is not understood: the list may be partial, and absence from it would
    /// say nothing.
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
        let revoked = match fields.optional(tag::SEQUENCE)? {
            Some(entries) => read_entries(Reader::new(entries))?,
            None => HashMap::new(),
        };
        let list = fields.optional(tag::constructed(0))?.ok_or(CrlError::Edition)?;
        fields.end()?;
        let (mut authority_key, mut number) = (None, None);
        for Extension { oid, critical, value } in
            extension::read_list(Reader::only(list, tag::SEQUENCE)?)?
        {
            if oid == oid::AUTHORITY_KEY_IDENTIFIER {
                authority_key = KeyIdentifier::read_authority(value)?;
            } else if oid == oid::CRL_NUMBER {
                let mut value = Reader::new(value);
                number = Some(value.unsigned()?);
                value.end()?;
            } else if critical {
                // Among them issuingDistributionPoint and deltaCRLIndicator: both make a list
                // partial.
                return Err(CrlError::UnknownCritical { oid: oid.to_string() });
            }
        }
        let number = number.filter(|_| next_update > this_update).ok_or(CrlError::Edition)?;
        let edition = Edition { number, this_update, next_update };
        let signature = Signature::from_der(signed.signature).map_err(|_| CrlError::Malformed)?;
        let start = signed.body.as_ptr() as usize - der.as_ptr() as usize;
        let body = start..start + signed.body.len();
        Ok(Self { der: der.to_vec(), body, issuer, authority_key, edition, revoked, signature })
    }

    /// Whether `issuer` made this list: its name, its key identifier, its right to do so, its
    /// signature.
    ///
    /// # Errors
    /// [`CrlError::NameMismatch`], [`CrlError::WrongKeyUsage`], [`CrlError::BadSignature`].
    pub fn verify(&self, issuer: &Certificate) -> Result<(), CrlError> {
        let other_key = match (&self.authority_key, issuer.key_identifier()) {
            (Some(named), Some(own)) => named != own,
            _ => false,
        };
        if self.issuer != *issuer.subject() || other_key {
            return Err(CrlError::NameMismatch);
        }
        if !issuer.key_usage().is_some_and(|usage| usage.contains(KeyUsage::CRL_SIGNING)) {
            return Err(CrlError::WrongKeyUsage);
        }
        let key = issuer.public_key();
        let e = key.digest(&SignerId::DEFAULT, &self.der[self.body.clone()]);
        key.verify(&e, &self.signature).map_err(|_| CrlError::BadSignature)
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

    /// How many certificates are revoked.
    pub fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether no certificate is revoked.
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }

    /// What the list says of the certificate with this serial number.
    pub fn revocation(&self, serial: &Serial) -> Option<Revocation> {
        let (at, reason) = *self.revoked.get(serial)?;
        Some(Revocation { serial: serial.clone(), at, reason })
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl(number {}, {} revoked)", self.edition.number, self.len())
    }
}

fn read_entries(
    mut entries: Reader<'_>,
) -> Result<HashMap<Serial, (OffsetDateTime, Reason)>, CrlError> {
    let mut revoked = HashMap::new();
    while !entries.is_empty() {
        let mut fields = entries.sequence()?;
        let serial = Serial::read(fields.value(tag::INTEGER)?)?;
        let at = read_time(&mut fields)?;
        let mut reason = Reason::Unspecified;
        if let Some(list) = fields.optional(tag::SEQUENCE)? {
            for Extension { oid, critical, value } in extension::read_list(Reader::new(list))? {
                if oid == oid::REASON_CODE {
                    let mut outer = Reader::new(value);
                    let code = match outer.value(tag::ENUMERATED)? {
                        [code] => Reason::from_code(*code),
                        _ => None,
                    };
                    outer.end()?;
                    reason = code.ok_or(CrlError::Reason)?;
                } else if critical {
                    // Among them certificateIssuer: the entry would be about another authority's
                    // certificate.
                    return Err(CrlError::UnknownCritical { oid: oid.to_string() });
                }
            }
        }
        fields.end()?;
        if revoked.contains_key(&serial) {
            return Err(CrlError::Twice { serial });
        }
        revoked.insert(serial, (at, reason));
    }
    if revoked.is_empty() { Err(DerError::Count.into()) } else { Ok(revoked) }
}

#[cfg(test)]
mod tests;
