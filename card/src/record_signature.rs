//! The transaction signature (交易信息签名) of records of visits, and the certificate beside it.
//!
//! Who signs is asked by trait: a SAM, or a key in a keystore. What is signed is SM3 over the record
//! alone, since the function of the ministry's interface has no identifier (health-card.md, 10, no.
//! 13); records whose digest was made with one are recognised and told apart.

use std::sync::Arc;

use hsm::sm2::{Signature, SignerId};
use hsm::{KeyError, Sm2Signer, sm3};
use time::Date;

use crate::certificate::{CardCertificate, Holder, NotTrusted, SAM_SIZE};
use crate::sam::SamError;

/// Signs records on cards.
pub trait RecordSigner: Send + Sync {
    /// The signer's certificate, as it stands in the record.
    ///
    /// # Errors
    /// [`SignError`] when it cannot be read.
    fn certificate(&self) -> Result<[u8; SAM_SIZE], SignError>;

    /// Signs SM3(`data`), without an identifier.
    ///
    /// # Errors
    /// [`SignError`], and [`SamError::PinNeeded`] within it.
    fn sign(&self, data: &[u8]) -> Result<Signature, SignError>;
}

/// Why a record was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The SAM failed.
    #[error("signing with the SAM")]
    Sam(#[from] SamError),
    /// The key failed.
    #[error("signing with the key for records")]
    Key(#[from] KeyError),
}

/// A signer that is a key in a keystore, with the certificate it has in place of a SAM's.
pub struct KeyRecordSigner {
    key: Arc<dyn Sm2Signer>,
    certificate: [u8; SAM_SIZE],
}

/// A certificate that does not go with the key: of another key, or not of a signer of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certificate is not one of this key for signing records")]
pub struct OtherKey;

impl KeyRecordSigner {
    /// The signer.
    ///
    /// # Errors
    /// [`OtherKey`] when the certificate is not the key's.
    pub fn new(key: Arc<dyn Sm2Signer>, certificate: &CardCertificate) -> Result<Self, OtherKey> {
        let body = certificate.body();
        let certificate = certificate.to_bytes().try_into().map_err(|_| OtherKey)?;
        match body.key == *key.public_key() {
            true => Ok(Self { key, certificate }),
            false => Err(OtherKey),
        }
    }
}

impl RecordSigner for KeyRecordSigner {
    fn certificate(&self) -> Result<[u8; SAM_SIZE], SignError> {
        Ok(self.certificate)
    }

    fn sign(&self, data: &[u8]) -> Result<Signature, SignError> {
        Ok(self.key.sign(&sm3::digest(data))?)
    }
}

/// How the digest under a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestRule {
    /// SM3 of the record: what we write.
    Plain,
    /// SM3 of Z and the record, with the default identifier.
    WithIdentifier,
}

/// Why a record's signature is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRecordSignature {
    /// No certificate of our layout beside it: it cannot be judged here.
    #[error("the record's certificate cannot be read")]
    Unreadable,
    /// The certificate is not vouched for.
    #[error("the record's certificate is not to be relied on")]
    NotTrusted(#[from] NotTrusted),
    /// The certificate is one of an issuer, who signs no records.
    #[error("an issuer's certificate signs no records")]
    NotASigner,
    /// The signature is not over this record.
    #[error("the record's signature does not verify")]
    Wrong,
}

/// Checks the signature over `data` with the certificate beside it, vouched for by `issuer`, as of
/// `day`. The plain digest is tried first.
///
/// # Errors
/// [`BadRecordSignature`].
pub fn verify(
    data: &[u8],
    signature: &[u8; 64],
    certificate: &[u8],
    issuer: &CardCertificate,
    day: Date,
) -> Result<DigestRule, BadRecordSignature> {
    let certificate =
        CardCertificate::parse(certificate).map_err(|_| BadRecordSignature::Unreadable)?;
    certificate.verify(issuer, day)?;
    if !matches!(certificate.body().holder, Holder::Sam(_)) {
        return Err(BadRecordSignature::NotASigner);
    }
    let key = &certificate.body().key;
    let signature = Signature::from_raw(signature).map_err(|_| BadRecordSignature::Wrong)?;
    if key.verify(&sm3::digest(data), &signature).is_ok() {
        return Ok(DigestRule::Plain);
    }
    let with = key.digest(&SignerId::DEFAULT, data);
    key.verify(&with, &signature).map_err(|_| BadRecordSignature::Wrong)?;
    Ok(DigestRule::WithIdentifier)
}

#[cfg(test)]
mod tests {
    use hsm::sm2::SecretKey;
    use time::macros::date;

    use super::*;
    use crate::certificate::{Body, SamSerial};

    const DAY: Date = date!(2026 - 11 - 26);

    fn body(holder: Holder, key: &SecretKey) -> Body {
        Body {
            holder,
            authority: "99".parse().unwrap(),
            subject: "99".parse().unwrap(),
            serial: [1; 8],
            valid_from: date!(2026 - 01 - 01),
            valid_until: date!(2026 - 12 - 31),
            key: key.public().clone(),
        }
    }

    #[test]
    fn both_digests_are_told_apart() {
        let (issuer, key) = (SecretKey::generate(), Arc::new(SecretKey::generate()));
        let authority = body(Holder::Issuer, &issuer).sign(&issuer).unwrap();
        let certificate = body(Holder::Sam(SamSerial([2; 10])), &key).sign(&issuer).unwrap();
        let signer = KeyRecordSigner::new(key.clone(), &certificate).unwrap();
        let stored = signer.certificate().unwrap();
        let record = [7; 1639];
        let check = |signature: &Signature, record: &[u8]| {
            verify(record, signature.as_raw(), &stored, &authority, DAY)
        };

        let plain = signer.sign(&record).unwrap();
        assert_eq!(check(&plain, &record), Ok(DigestRule::Plain));
        let with = key.sign(&key.digest(&record)).unwrap();
        assert_eq!(check(&with, &record), Ok(DigestRule::WithIdentifier));
        for at in [0, 800, 1638] {
            let mut flipped = record;
            flipped[at] ^= 1;
            assert_eq!(check(&plain, &flipped), Err(BadRecordSignature::Wrong), "byte {at}");
        }

        let other = body(Holder::Issuer, &key).sign(&*key).unwrap();
        let untrusted = verify(&record, plain.as_raw(), &stored, &other, DAY);
        assert_eq!(untrusted, Err(BadRecordSignature::NotTrusted(NotTrusted::Signature)));
        let unreadable = verify(&record, plain.as_raw(), &[0; 190], &authority, DAY);
        assert_eq!(unreadable, Err(BadRecordSignature::Unreadable));
        let issuers = issuer.sign(&sm3::digest(&record)).unwrap();
        let signed = verify(&record, issuers.as_raw(), &authority.to_bytes(), &authority, DAY);
        assert_eq!(signed, Err(BadRecordSignature::NotASigner));
        assert!(matches!(KeyRecordSigner::new(key, &authority), Err(OtherKey)));
    }
}
