use std::{fmt, ops::Range};

use hsm::{
    sm2::{BadSignature, PublicKey, Signature, SignerId},
    sm3,
};
use time::OffsetDateTime;

use crate::{
    Name, Serial, algorithm,
    algorithm::Signed,
    der::{DerError, Reader, read_time, tag},
    extension::{
        BasicConstraints, ExtendedKeyUsage, ExtensionError, Extensions, KeyIdentifier, KeyUsage,
        OtherExtension,
    },
    oid, pem,
};

/// An X.509 certificate on SM2 (数字证书; GM/T 0015, RFC 5280), read strictly.
///
/// Holding one says that its octets are well formed, not that anybody vouches for it: that is
/// [`chain`](crate::chain)'s question. Two certificates are equal when their octets are.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    body: Range<usize>,
    serial: Serial,
    issuer: Name,
    subject: Name,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    public_key: PublicKey,
    extensions: Extensions,
    signature: Signature,
}

/// Why octets are not a certificate that is understood here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// More than [`Certificate::MAX_LEN`] octets.
    #[error("the certificate is longer than {} octets", Certificate::MAX_LEN)]
    TooLong,
    /// Not the DER of a certificate.
    #[error("reading the certificate")]
    Der(#[from] DerError),
    /// Not X.509 version 3.
    #[error("the certificate is not of version 3")]
    Version,
    /// Not signed with SM2 and SM3, or the algorithm inside the signed part is another than
    /// outside.
    #[error("the certificate is not signed with SM2 and SM3")]
    Algorithm,
    /// The key is not a point of the SM2 curve, named by its identifier.
    #[error("the certificate's key is not an SM2 key")]
    Key,
    /// The signature is not the strict DER of two numbers in range.
    #[error("the certificate's signature is malformed")]
    Signature,
    /// The issuer or the subject has no name.
    #[error("the certificate names no issuer or no subject")]
    NoName,
    /// It would end before it begins.
    #[error("the certificate ends before it begins")]
    Validity,
    /// A critical extension is not understood (RFC 5280, 4.2).
    #[error("critical extension {oid} is not understood")]
    UnknownCritical {
        /// The extension's identifier, dotted.
        oid: String,
    },
    /// It is an authority, but its basicConstraints are not critical (RFC 5280, 4.2.1.9).
    #[error("the basic constraints of an authority are not critical")]
    NotCritical,
}

impl From<ExtensionError> for CertificateError {
    fn from(error: ExtensionError) -> Self {
        match error {
            ExtensionError::Der(error) => Self::Der(error),
            ExtensionError::UnknownCritical(oid) => Self::UnknownCritical { oid },
            ExtensionError::NotCritical => Self::NotCritical,
        }
    }
}

impl Certificate {
    /// Most octets a certificate may have.
    pub const MAX_LEN: usize = 4096;

    /// Reads a certificate, DER.
    ///
    /// # Errors
    /// [`CertificateError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > Self::MAX_LEN {
            return Err(CertificateError::TooLong);
        }
        let signed = Signed::read(der)?;
        let mut fields = Reader::only(signed.body, tag::SEQUENCE)?;

        // version [0] EXPLICIT INTEGER DEFAULT v1
        match fields.optional(tag::constructed(0))? {
            Some([tag::INTEGER, 1, 2]) => {}
            _ => return Err(CertificateError::Version),
        }
        let serial = Serial::read(fields.value(tag::INTEGER)?)?;
        let inner = fields.element(tag::SEQUENCE)?;
        if inner != signed.algorithm || !algorithm::names(inner, &oid::SM2_WITH_SM3)? {
            return Err(CertificateError::Algorithm);
        }
        let issuer = Name::read(fields.element(tag::SEQUENCE)?)?;
        let mut validity = fields.sequence()?;
        let (not_before, not_after) = (read_time(&mut validity)?, read_time(&mut validity)?);
        validity.end()?;
        let subject = Name::read(fields.element(tag::SEQUENCE)?)?;
        let key = fields.element(tag::SEQUENCE)?;
        let public_key = PublicKey::from_spki_der(key).map_err(|_| CertificateError::Key)?;
        // Unique identifiers [1] and [2] are not used in the national profile, nor by anybody since
        // 1996.
        let extensions = match fields.optional(tag::constructed(3))? {
            Some(list) => Extensions::read(Reader::only(list, tag::SEQUENCE)?)?,
            None => Extensions::none(),
        };
        fields.end()?;

        if issuer.is_empty() || subject.is_empty() {
            return Err(CertificateError::NoName);
        }
        if not_after < not_before {
            return Err(CertificateError::Validity);
        }
        let signature =
            Signature::from_der(signed.signature).map_err(|_| CertificateError::Signature)?;
        // The body is a part of `der`: its place is found by where it begins.
        let start = signed.body.as_ptr() as usize - der.as_ptr() as usize;
        let body = start..start + signed.body.len();
        Ok(Self {
            der: der.to_vec(),
            body,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            public_key,
            extensions,
            signature,
        })
    }

    /// Reads one certificate in PEM, with nothing else in the text but white space.
    ///
    /// # Errors
    /// [`pem::PemError`], when the armour is wrong or what it holds is not a certificate.
    pub fn from_pem(text: &str) -> Result<Self, pem::PemError> {
        let der = pem::decode_one(text, pem::CERTIFICATE, Self::MAX_LEN)?;
        Ok(Self::parse(&der)?)
    }

    /// The certificate, DER, as it was read or made.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, &self.der)
    }

    /// The part that is signed (TBSCertificate), DER.
    pub fn body(&self) -> &[u8] {
        &self.der[self.body.clone()]
    }

    /// Serial number, unique for its issuer.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Name of the authority that signed.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Name of the holder.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// First second in which it is valid, UTC.
    pub fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    /// Last second in which it is valid, UTC.
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// The holder's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// What the key may do; `None` when the certificate does not say.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.extensions.key_usage
    }

    /// Purposes the key is restricted to; empty when it is not restricted.
    pub fn purposes(&self) -> &[ExtendedKeyUsage] {
        &self.extensions.purposes
    }

    /// Whether a reader that does not know the purposes has to refuse the certificate, as RFC 3161,
    /// 2.3, asks of who stamps times.
    pub fn purposes_are_critical(&self) -> bool {
        self.extensions.purposes_critical
    }

    /// Whether the issuer says that it never revokes this one, so that nobody needs to ask
    /// (id-pkix-ocsp-nocheck; RFC 6960, 4.2.2.2.1).
    pub fn is_never_checked(&self) -> bool {
        self.extensions.no_check
    }

    /// Whether the holder is an authority (basicConstraints cA).
    pub fn is_ca(&self) -> bool {
        matches!(self.extensions.constraints, BasicConstraints::Authority { .. })
    }

    /// How many authorities may follow below this one; `None` when it is not an authority or has no
    /// limit.
    pub fn path_length(&self) -> Option<u8> {
        match self.extensions.constraints {
            BasicConstraints::Authority { path_length } => path_length,
            BasicConstraints::EndEntity => None,
        }
    }

    /// Identifier of the holder's key, as the certificate gives it.
    pub fn key_identifier(&self) -> Option<&KeyIdentifier> {
        self.extensions.subject_key.as_ref()
    }

    /// Identifier of the key that signed, as the certificate gives it.
    pub fn authority_key_identifier(&self) -> Option<&KeyIdentifier> {
        self.extensions.authority_key.as_ref()
    }

    /// Where the issuer's revocation list is offered.
    pub fn crl_url(&self) -> Option<&str> {
        self.extensions.crl_url.as_deref()
    }

    /// Where the issuer's certificate is offered.
    pub fn issuer_url(&self) -> Option<&str> {
        self.extensions.issuer_url.as_deref()
    }

    /// Where the certificate's status is told (OCSP).
    pub fn status_url(&self) -> Option<&str> {
        self.extensions.status_url.as_deref()
    }

    /// Extensions that are not critical and have no meaning here, or one that its reader gives them.
    pub(crate) fn others(&self) -> &[OtherExtension] {
        &self.extensions.others
    }

    /// SM3 of the whole certificate: names these octets and no others.
    pub fn thumbprint(&self) -> [u8; 32] {
        sm3::digest(&self.der)
    }

    /// Whether `key` signed this certificate.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.is_signed_by_with(key, PublicKey::verify)
    }

    /// Whether `key` signed this certificate, which `verify` says as [`PublicKey::verify`] does
    /// ([`VerifiedSignatures`](hsm::sm2::VerifiedSignatures)).
    pub fn is_signed_by_with(
        &self,
        key: &PublicKey,
        verify: impl FnOnce(&PublicKey, &[u8; 32], &Signature) -> Result<(), BadSignature>,
    ) -> bool {
        verify(key, &key.digest(&SignerId::DEFAULT, self.body()), &self.signature).is_ok()
    }

    /// A body that nobody has signed yet, to look at what would be signed. It has a signature that verifies
    /// with no key.
    pub(crate) fn unsigned(body: &[u8]) -> Result<Self, CertificateError> {
        let nobodys = Signature::from_raw(&[1; 64]).map_err(|_| CertificateError::Signature)?;
        Self::assemble(body, &nobodys)
    }

    /// Puts the signature to a body that was built here.
    pub(crate) fn assemble(body: &[u8], signature: &Signature) -> Result<Self, CertificateError> {
        Self::parse(&Signed::write(body, signature))
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

/// Shows which certificate it is, and no name.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, authority: {})", self.serial, self.is_ca())
    }
}

#[cfg(test)]
mod tests;
