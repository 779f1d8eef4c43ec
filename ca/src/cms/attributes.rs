use const_oid::ObjectIdentifier;
use time::OffsetDateTime;

use super::{CmsError, World};
use crate::{
    Certificate, Name, Serial, algorithm,
    der::{Oid, Reader, oid, read_time, sequence, set_of, tag, tlv, write_time},
    oid,
};

/// What a signer signs (签名属性; RFC 5652, 5.3 and 11): the record's digest, the time, and which
/// certificate.
///
/// As DER it is a SET OF four attributes, each a SEQUENCE of its type and a SET of one value, in
/// this order: contentType (data), signingTime, messageDigest (SM3 of the record),
/// signingCertificateV2 (SM3 of the certificate; RFC 5035).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttributes {
    der: Vec<u8>,
    pub(super) content_type: World,
    digest: [u8; 32],
    signing_time: OffsetDateTime,
    pub(super) certificate: Option<CertificateId>,
}

/// ESSCertIDv2 (RFC 5035, 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateId {
    thumbprint: [u8; 32],
    issuer_serial: Option<(Name, Serial)>,
}

impl SignedAttributes {
    /// Fixes what the holder of `signer` has to sign for a record with this SM3 digest. The time is
    /// cut to whole seconds.
    pub fn prepare(
        signer: &Certificate,
        record_digest: &[u8; 32],
        signing_time: OffsetDateTime,
    ) -> Self {
        let der = set_of(
            tag::SET,
            vec![
                attribute(&oid::CONTENT_TYPE, &oid(&oid::DATA)),
                attribute(&oid::SIGNING_TIME, &write_time(signing_time)),
                attribute(&oid::MESSAGE_DIGEST, &tlv(tag::OCTET_STRING, &[record_digest])),
                attribute(&oid::SIGNING_CERTIFICATE_V2, &CertificateId::of(signer).write()),
            ],
        );
        Self::parse(&der).expect("attributes written here read back")
    }

    /// Reads the attributes as they are signed: a SET OF, DER.
    ///
    /// # Errors
    /// [`CmsError`], when one octet is not as it should be.
    pub fn parse(der: &[u8]) -> Result<Self, CmsError> {
        let Attributes { content_type, digest, signing_time, certificate } = Attributes::read(der)?;
        Ok(Self {
            der: der.to_vec(),
            content_type: data_of(content_type)?,
            digest,
            signing_time: signing_time.ok_or(CmsError::MissingAttribute("signingTime"))?,
            certificate,
        })
    }

    /// The octets to be signed: a SET OF, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SM3 of the record.
    pub fn record_digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// When the signer says it was signed, to the second.
    pub fn signing_time(&self) -> OffsetDateTime {
        self.signing_time
    }

    /// Whether the attributes name this certificate; `None` when they name none at all.
    pub fn names(&self, certificate: &Certificate) -> Option<bool> {
        self.certificate.as_ref().map(|id| id.is_of(certificate))
    }
}

/// Whose plain data it is.
pub(super) fn data_of(kind: Oid<'_>) -> Result<World, CmsError> {
    match () {
        () if kind == oid::DATA => Ok(World::Rfc5652),
        () if kind == oid::GM_DATA => Ok(World::Gm0010),
        () => Err(CmsError::ContentType),
    }
}

/// Signed attributes of a message about anything.
pub(crate) struct Attributes<'a> {
    pub(crate) content_type: Oid<'a>,
    pub(crate) digest: [u8; 32],
    pub(crate) signing_time: Option<OffsetDateTime>,
    pub(crate) certificate: Option<CertificateId>,
}

impl<'a> Attributes<'a> {
    /// Reads them as they are signed: a SET OF, DER.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, CmsError> {
        let (mut content_type, mut digest, mut signing_time, mut certificate) =
            (None, None, None, None);
        for element in Reader::only(der, tag::SET)?.set_elements(16)? {
            let mut fields = Reader::only(element, tag::SEQUENCE)?;
            let kind = fields.oid()?;
            let mut values = fields.nested(tag::SET)?;
            fields.end()?;
            let refused = || CmsError::Attribute { oid: kind.to_string() };
            if kind == oid::CONTENT_TYPE && content_type.is_none() {
                content_type = Some(values.oid()?);
            } else if kind == oid::MESSAGE_DIGEST && digest.is_none() {
                let value = values.value(tag::OCTET_STRING)?;
                digest = Some(<[u8; 32]>::try_from(value).map_err(|_| CmsError::Algorithm)?);
            } else if kind == oid::SIGNING_TIME && signing_time.is_none() {
                signing_time = Some(read_time(&mut values)?);
            } else if kind == oid::SIGNING_CERTIFICATE_V2 && certificate.is_none() {
                certificate = Some(CertificateId::read(&mut values)?);
            } else if kind == oid::ALGORITHM_PROTECTION {
                read_algorithm_protection(&mut values)?;
            } else {
                return Err(refused());
            }
            values.end().map_err(|_| refused())?;
        }
        Ok(Self {
            content_type: content_type.ok_or(CmsError::MissingAttribute("contentType"))?,
            digest: digest.ok_or(CmsError::MissingAttribute("messageDigest"))?,
            signing_time,
            certificate,
        })
    }

    /// Attributes of a message about `content_type` whose digest is this, signed with `signer`'s
    /// key: a SET OF three, without the time.
    pub(crate) fn write(
        content_type: &ObjectIdentifier,
        digest: &[u8; 32],
        signer: &Certificate,
    ) -> Vec<u8> {
        set_of(
            tag::SET,
            vec![
                attribute(&oid::CONTENT_TYPE, &oid(content_type)),
                attribute(&oid::MESSAGE_DIGEST, &tlv(tag::OCTET_STRING, &[digest])),
                attribute(&oid::SIGNING_CERTIFICATE_V2, &CertificateId::of(signer).write()),
            ],
        )
    }
}

impl CertificateId {
    fn of(certificate: &Certificate) -> Self {
        let issuer_serial = Some((certificate.issuer().clone(), certificate.serial().clone()));
        Self { thumbprint: certificate.thumbprint(), issuer_serial }
    }

    pub(crate) fn is_of(&self, certificate: &Certificate) -> bool {
        let same = match &self.issuer_serial {
            Some((issuer, serial)) => {
                issuer == certificate.issuer() && serial == certificate.serial()
            }
            None => true,
        };
        same && self.thumbprint == certificate.thumbprint()
    }

    /// SigningCertificateV2 with one certificate and no policies.
    fn write(&self) -> Vec<u8> {
        let issuer_serial =
            self.issuer_serial.as_ref().map_or_else(Vec::new, |(issuer, serial)| {
                let directory_name = tlv(tag::constructed(4), &[issuer.der()]);
                sequence(&[&sequence(&[&directory_name]), &serial.write()])
            });
        let hash = tlv(tag::OCTET_STRING, &[&self.thumbprint]);
        let id = sequence(&[&algorithm::sm3(), &hash, &issuer_serial]);
        sequence(&[&sequence(&[&id])])
    }

    fn read(values: &mut Reader<'_>) -> Result<Self, CmsError> {
        let mut outer = values.sequence()?;
        let mut ids = outer.sequence()?;
        outer.end()?;
        let mut id = ids.sequence()?;
        ids.end()?;
        // The default of hashAlgorithm is SHA-256, so that SM3 is always written.
        if !algorithm::names(id.element(tag::SEQUENCE)?, &oid::SM3)? {
            return Err(CmsError::Algorithm);
        }
        let thumbprint = id.value(tag::OCTET_STRING)?;
        let thumbprint = <[u8; 32]>::try_from(thumbprint).map_err(|_| CmsError::Algorithm)?;
        let issuer_serial = match id.optional(tag::SEQUENCE)? {
            Some(fields) => {
                let mut fields = Reader::new(fields);
                let mut names = fields.sequence()?;
                let mut directory_name = names.nested(tag::constructed(4))?;
                names.end()?;
                let name = Name::read(directory_name.element(tag::SEQUENCE)?)?;
                directory_name.end()?;
                let serial = Serial::read(fields.value(tag::INTEGER)?)?;
                fields.end()?;
                Some((name, serial))
            }
            None => None,
        };
        id.end()?;
        Ok(Self { thumbprint, issuer_serial })
    }
}

fn attribute(kind: &ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(kind), &tlv(tag::SET, &[value])])
}

/// CMSAlgorithmProtection (RFC 6211), which some signers add: it must say what is used anyway.
fn read_algorithm_protection(values: &mut Reader<'_>) -> Result<(), CmsError> {
    let mut fields = values.sequence()?;
    let digest = fields.element(tag::SEQUENCE)?;
    // signatureAlgorithm [1] IMPLICIT
    let signature = fields.value(tag::constructed(1)).map(|content| sequence(&[content]))?;
    fields.end()?;
    let right =
        algorithm::names(digest, &oid::SM3)? && algorithm::names(&signature, &oid::SM2_WITH_SM3)?;
    if right { Ok(()) } else { Err(CmsError::Algorithm) }
}
