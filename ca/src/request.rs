//! Certification requests (证书请求, PKCS#10, RFC 2986): a key, and proof that the asker holds it; and
//! how a request for a certificate pair is answered (GM/T 0092-2020).

use std::fmt;

use hsm::{
    KeyError, Sm2Signer,
    sm2::{BadSignature, PublicKey, Signature, SignerId},
};

use crate::{
    Certificate, Name, algorithm,
    algorithm::Signed,
    der::{DerError, Reader, sequence, set_of, tag, tlv},
    oid,
};

/// A request whose signature was checked with the key that it names.
///
/// Its subject is what the asker wrote and proves nothing; requested extensions are not even looked
/// at.
#[derive(Clone)]
pub struct CertificateRequest {
    subject: Name,
    public_key: PublicKey,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More than [`CertificateRequest::MAX_LEN`] octets.
    #[error("the request is longer than {} octets", CertificateRequest::MAX_LEN)]
    TooLong,
    /// Not the DER of a PKCS#10 request.
    #[error("reading the certification request")]
    Der(#[from] DerError),
    /// Not version 1, the only one there is.
    #[error("the request is not of version 1")]
    Version,
    /// Not signed with SM2 and SM3.
    #[error("the request is not signed with SM2 and SM3")]
    Algorithm,
    /// The key is not a point of the SM2 curve, named by its identifier.
    #[error("the request's key is not an SM2 key")]
    Key,
    /// The signature is not the strict DER of two numbers in range.
    #[error("the request's signature is malformed")]
    Signature,
    /// The signature does not verify with the key and the default identifier. Tools left alone sign
    /// with the empty one: for `openssl req`, `-sigopt distid:1234567812345678` is missing.
    #[error("the request's signature does not prove possession of its key")]
    NoPossession,
}

impl CertificateRequest {
    /// Most octets a request may have.
    pub const MAX_LEN: usize = 4096;

    /// Reads a request, DER, and checks its proof of possession.
    ///
    /// # Errors
    /// [`RequestError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, RequestError> {
        Self::parse_with(der, PublicKey::verify)
    }

    /// Reads a request, DER, whose proof of possession `verify` checks as [`PublicKey::verify`] does
    /// ([`VerifiedSignatures`](hsm::sm2::VerifiedSignatures)).
    ///
    /// # Errors
    /// [`RequestError`], when one octet is not as it should be.
    pub fn parse_with(
        der: &[u8],
        verify: impl FnOnce(&PublicKey, &[u8; 32], &Signature) -> Result<(), BadSignature>,
    ) -> Result<Self, RequestError> {
        if der.len() > Self::MAX_LEN {
            return Err(RequestError::TooLong);
        }
        let signed = Signed::read(der)?;
        if !algorithm::names(signed.algorithm, &oid::SM2_WITH_SM3)? {
            return Err(RequestError::Algorithm);
        }
        let mut fields = Reader::only(signed.body, tag::SEQUENCE)?;
        if fields.value(tag::INTEGER)? != [0] {
            return Err(RequestError::Version);
        }
        let subject = Name::read(fields.element(tag::SEQUENCE)?)?;
        let key = fields.element(tag::SEQUENCE)?;
        let public_key = PublicKey::from_spki_der(key).map_err(|_| RequestError::Key)?;
        read_attributes(fields.nested(tag::constructed(0))?)?;
        fields.end()?;

        let signature =
            Signature::from_der(signed.signature).map_err(|_| RequestError::Signature)?;
        verify(&public_key, &public_key.digest(&SignerId::DEFAULT, signed.body), &signature)
            .map_err(|_| RequestError::NoPossession)?;
        Ok(Self { subject, public_key })
    }

    /// The key that the asker holds.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The name that the asker wrote. Unchecked; not used for issuing.
    pub fn subject(&self) -> &Name {
        &self.subject
    }
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateRequest(..)")
    }
}

/// Attributes must be well formed, so that nothing hides in them; none has a meaning here.
fn read_attributes(attributes: Reader<'_>) -> Result<(), DerError> {
    for attribute in attributes.set_elements(16)? {
        let mut fields = Reader::only(attribute, tag::SEQUENCE)?;
        fields.oid()?;
        if fields.nested(tag::SET)?.set_elements(16)?.is_empty() {
            return Err(DerError::Count);
        }
        fields.end()?;
    }
    Ok(())
}

/// Makes a request for the key of `signer`, DER.
///
/// # Errors
/// Whatever the key answers.
pub fn request(subject: &Name, signer: &dyn Sm2Signer) -> Result<Vec<u8>, KeyError> {
    let body = sequence(&[
        &[tag::INTEGER, 1, 0],
        subject.der(),
        &signer.public_key().to_spki_der(),
        &tlv(tag::constructed(0), &[]),
    ]);
    let signature = signer.sign(&signer.digest(&body))?;
    Ok(Signed::write(&body, &signature))
}

/// The answer to a request for a pair (CSRResponse, GM/T 0092-2020, 8 and annex A), DER: both
/// certificates, and the encryption key, enveloped to the key that made the request.
///
/// Each set has the one certificate of the holder; authorities travel beside the answer. Tags are
/// implicit, as the standard's module says, so that `[0]` stands in place of the envelope's SEQUENCE.
///
/// # Errors
/// [`DerError`], when `envelope` is not a SEQUENCE.
pub fn answer(
    signing: &Certificate,
    envelope: &[u8],
    encryption: &Certificate,
) -> Result<Vec<u8>, DerError> {
    let mut outer = Reader::new(envelope);
    let envelope = outer.value(tag::SEQUENCE)?;
    outer.end()?;
    Ok(sequence(&[
        &set_of(tag::SET, vec![signing.der().to_vec()]),
        &tlv(tag::constructed(0), &[envelope]),
        &set_of(tag::constructed(1), vec![encryption.der().to_vec()]),
    ]))
}

#[cfg(test)]
mod tests;
