use std::fmt;

use hsm::{sm2::Signature, sm3};
use time::{Duration, OffsetDateTime};

use super::{CmsError, SignedAttributes, attributes::ContentType, digest_of};
use crate::{
    Certificate, Name, Serial, algorithm,
    chain::{Anchors, Moment, Purpose},
    der::{Reader, oid, sequence, set_of, tag, tlv},
    oid,
};

/// How far apart the clocks of a signer and of a witness may be.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// A signed message with one signer, read strictly. Whether it may be relied on is answered by
/// [`SignedData::verify`].
#[derive(Clone)]
pub struct SignedData {
    attributes: SignedAttributes,
    signer: Certificate,
    /// Certificates beside the signer's.
    others: Vec<Certificate>,
    content: Option<Vec<u8>>,
    signature: Signature,
}

/// Whether the signature must itself say with which certificate it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// signingCertificateV2 must be there, as in everything made here: no other certificate for the
    /// same key can be put in the place of the signer's.
    Required,
    /// It may be missing, as in signatures of tools that leave it out. If it is there, it must be
    /// right.
    IfPresent,
}

/// Who signed, once that is established.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The signer's certificate.
    pub certificate: Certificate,
    /// When the signer says it was signed.
    pub signing_time: OffsetDateTime,
}

impl SignedData {
    /// Most octets a message may have.
    pub const MAX_LEN: usize = 64 << 10;

    /// Most certificates in a message.
    pub const MAX_CERTIFICATES: usize = 8;

    /// Puts a message together: detached, with the signer's certificate and the authorities above
    /// it without the root. DER.
    ///
    /// # Errors
    /// [`CmsError::OtherCertificate`] when the attributes were prepared for another certificate,
    /// and [`CmsError::BadSignature`] when the signature is not over these attributes.
    pub fn complete<'a>(
        attributes: &SignedAttributes,
        signer: &Certificate,
        authorities: impl IntoIterator<Item = &'a Certificate>,
        signature: &Signature,
    ) -> Result<Vec<u8>, CmsError> {
        if attributes.names(signer) != Some(true) {
            return Err(CmsError::OtherCertificate);
        }
        let key = signer.public_key();
        key.verify(&digest_of(key, attributes.der()), signature)
            .map_err(|_| CmsError::BadSignature)?;

        let mut certificates: Vec<Vec<u8>> = vec![signer.der().to_vec()];
        certificates.extend(authorities.into_iter().map(|authority| authority.der().to_vec()));
        certificates.sort();
        certificates.dedup();
        // SignerInfo, version 1 as the signer is named by issuer and serial number (RFC 5652, 5.3).
        let signer_info = sequence(&[
            &[tag::INTEGER, 1, 1],
            &sequence(&[signer.issuer().der(), &signer.serial().write()]),
            &algorithm::sm3(),
            &tlv(tag::constructed(0), &[attributes_content(attributes)]),
            &algorithm::sm2_with_sm3(),
            &tlv(tag::OCTET_STRING, &[&signature.to_der()]),
        ]);
        let signed_data = sequence(&[
            &[tag::INTEGER, 1, 1],
            &set_of(tag::SET, vec![algorithm::sm3()]),
            &sequence(&[&oid(&oid::DATA)]),
            &set_of(tag::constructed(0), certificates),
            &set_of(tag::SET, vec![signer_info]),
        ]);
        let content = tlv(tag::constructed(0), &[&signed_data]);
        Ok(sequence(&[&oid(&oid::SIGNED_DATA), &content]))
    }

    /// Reads a message, DER.
    ///
    /// # Errors
    /// [`CmsError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, CmsError> {
        if der.len() > Self::MAX_LEN {
            return Err(CmsError::TooLong);
        }
        let mut outer = Reader::only(der, tag::SEQUENCE)?;
        let kind = outer.oid()?;
        let world = match () {
            () if kind == oid::SIGNED_DATA => ContentType::Rfc5652,
            () if kind == oid::GM_SIGNED_DATA => ContentType::Gm0010,
            () => return Err(CmsError::ContentType),
        };
        let mut explicit = outer.nested(tag::constructed(0))?;
        outer.end()?;
        let mut fields = explicit.sequence()?;
        explicit.end()?;

        if fields.value(tag::INTEGER)? != [1] {
            return Err(CmsError::ContentType);
        }
        match fields.nested(tag::SET)?.set_elements(1)?[..] {
            [digest] if algorithm::names(digest, &oid::SM3)? => {}
            _ => return Err(CmsError::Algorithm),
        }
        let mut encapsulated = fields.sequence()?;
        let content_type = ContentType::read(&mut encapsulated)?;
        let content = match encapsulated.optional(tag::constructed(0))? {
            Some(explicit) => {
                let mut explicit = Reader::new(explicit);
                let content = explicit.value(tag::OCTET_STRING)?.to_vec();
                explicit.end()?;
                Some(content)
            }
            None => None,
        };
        encapsulated.end()?;
        let certificates = fields.optional(tag::constructed(0))?.ok_or(CmsError::NoCertificate)?;
        let certificates = Reader::new(certificates).set_elements(Self::MAX_CERTIFICATES)?;
        if fields.peek() == Some(tag::constructed(1)) {
            return Err(CmsError::Unsigned);
        }
        let signers = fields.nested(tag::SET)?.set_elements(16)?;
        fields.end()?;
        let [signer_info] = signers[..] else { return Err(CmsError::Signers(signers.len())) };

        let SignerInfo { issuer, serial, attributes, signature } = SignerInfo::read(signer_info)?;
        if attributes.content_type != content_type || content_type != world {
            return Err(CmsError::ContentType);
        }
        let mut others =
            certificates.into_iter().map(Certificate::parse).collect::<Result<Vec<_>, _>>()?;
        let at =
            others.iter().position(|other| *other.issuer() == issuer && *other.serial() == serial);
        let signer = others.swap_remove(at.ok_or(CmsError::NoCertificate)?);
        Ok(Self { attributes, signer, others, content, signature })
    }

    /// Whether this is a signature over the record with this SM3 digest, by somebody who may sign
    /// records, at a time when they could. Judged by what is known `now`; `witnessed` is when
    /// somebody else, such as the audit log, had seen it.
    ///
    /// # Errors
    /// [`CmsError`], for the first thing found wrong.
    pub fn verify(
        &self,
        record_digest: &[u8; 32],
        anchors: &Anchors,
        binding: Binding,
        witnessed: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<Signer, CmsError> {
        let attributes = &self.attributes;
        let attached = self.content.as_ref().map(|content| sm3::digest(content));
        if attributes.record_digest() != record_digest
            || attached.is_some_and(|digest| digest != *record_digest)
        {
            return Err(CmsError::OtherRecord);
        }
        match (attributes.names(&self.signer), binding) {
            (Some(true), _) | (None, Binding::IfPresent) => {}
            (None, Binding::Required) => {
                return Err(CmsError::MissingAttribute("signingCertificateV2"));
            }
            (Some(false), _) => return Err(CmsError::OtherCertificate),
        }
        let key = self.signer.public_key();
        let e = digest_of(key, attributes.der());
        key.verify(&e, &self.signature).map_err(|_| CmsError::BadSignature)?;

        let claimed = attributes.signing_time();
        if claimed > now.min(witnessed.unwrap_or(now)) + CLOCK_SKEW {
            return Err(CmsError::FutureTime);
        }
        let moment = Moment { claimed, witnessed };
        let path = anchors.verify_past(&self.signer, Purpose::SignRecord, moment, now)?;
        // Nobody signed the list of certificates: one that is not needed has no business in it.
        let on_path =
            |other: &Certificate| path.authorities().iter().any(|above| **above == *other);
        if !self.others.iter().all(on_path) {
            return Err(CmsError::StrangeCertificate);
        }
        Ok(Signer { certificate: self.signer.clone(), signing_time: claimed })
    }

    /// What was signed.
    pub fn attributes(&self) -> &SignedAttributes {
        &self.attributes
    }

    /// The certificate of the one who claims to have signed.
    pub fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// The record, when it is attached.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }
}

/// Shows who signed and when, and nothing of an attached record.
impl fmt::Debug for SignedData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signing_time = self.attributes.signing_time();
        write!(f, "SignedData(by {}, {signing_time})", self.signer.serial())
    }
}

struct SignerInfo {
    issuer: Name,
    serial: Serial,
    attributes: SignedAttributes,
    signature: Signature,
}

impl SignerInfo {
    fn read(der: &[u8]) -> Result<Self, CmsError> {
        let mut fields = Reader::only(der, tag::SEQUENCE)?;
        if fields.value(tag::INTEGER)? != [1] {
            return Err(CmsError::ContentType);
        }
        let mut named = fields.sequence()?;
        let issuer = Name::read(named.element(tag::SEQUENCE)?)?;
        let serial = Serial::read(named.value(tag::INTEGER)?)?;
        named.end()?;
        if !algorithm::names(fields.element(tag::SEQUENCE)?, &oid::SM3)? {
            return Err(CmsError::Algorithm);
        }
        let attributes = fields.optional(tag::constructed(0))?.ok_or(CmsError::NoAttributes)?;
        // They are written under [0], and signed as a SET OF (RFC 5652, 5.4).
        let attributes = SignedAttributes::parse(&tlv(tag::SET, &[attributes]))?;
        if !algorithm::names(fields.element(tag::SEQUENCE)?, &oid::SM2_WITH_SM3)? {
            return Err(CmsError::Algorithm);
        }
        let signature = fields.value(tag::OCTET_STRING)?;
        let signature = Signature::from_der(signature).map_err(|_| CmsError::Signature)?;
        if fields.peek() == Some(tag::constructed(1)) {
            return Err(CmsError::Unsigned);
        }
        fields.end()?;
        Ok(Self { issuer, serial, attributes, signature })
    }
}

/// The attributes without the tag of the SET OF.
fn attributes_content(attributes: &SignedAttributes) -> &[u8] {
    let mut set = Reader::new(attributes.der());
    set.value(tag::SET).expect("signed attributes are a SET OF")
}
