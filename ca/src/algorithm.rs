use crate::{
    der::{DerError, Reader, bit_string, oid, sequence, tag},
    oid,
};
use hsm::sm2::Signature;

/// AlgorithmIdentifier of SM2 with SM3, as written here: without parameters.
pub(crate) fn sm2_with_sm3() -> Vec<u8> {
    sequence(&[&oid(&oid::SM2_WITH_SM3)])
}

/// AlgorithmIdentifier of SM3, as written here: without parameters.
pub(crate) fn sm3() -> Vec<u8> {
    sequence(&[&oid(&oid::SM3)])
}

/// Whether an AlgorithmIdentifier names this algorithm; parameters are absent or NULL, nothing
/// else.
pub(crate) fn names(
    element: &[u8],
    algorithm: &const_oid::ObjectIdentifier,
) -> Result<bool, DerError> {
    let mut fields = Reader::only(element, tag::SEQUENCE)?;
    if fields.oid()? != *algorithm {
        return Ok(false);
    }
    Ok(fields.is_empty() || (fields.optional(tag::NULL)? == Some(&[]) && fields.is_empty()))
}

/// What certificates, requests and revocation lists have in common (RFC 5280, 4.1.1): a body, the
/// algorithm, and the signature over the body's octets.
pub(crate) struct Signed<'a> {
    /// The body, all octets of its element: this is what is signed.
    pub(crate) body: &'a [u8],
    /// The outer AlgorithmIdentifier, all octets of its element.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, DerError> {
        let mut fields = Reader::only(der, tag::SEQUENCE)?;
        let body = fields.element(tag::SEQUENCE)?;
        let algorithm = fields.element(tag::SEQUENCE)?;
        let signature = fields.octet_bits()?;
        fields.end()?;
        Ok(Self { body, algorithm, signature })
    }

    pub(crate) fn write(body: &[u8], signature: &Signature) -> Vec<u8> {
        sequence(&[body, &sm2_with_sm3(), &bit_string(&signature.to_der())])
    }
}
