//! What signed messages have in common, whatever they are about (RFC 5652, 5.1; GM/T 0010): one
//! signer with signed attributes, SM2 and SM3, and nothing in them that nobody signed.

use hsm::sm2::Signature;

use super::CmsError;
use crate::{
    Certificate, Name, Serial, algorithm,
    der::{Oid, Reader, oid, sequence, set_of, tag, tlv},
    oid,
};

/// Under which numbers a message and plain data go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Those of RFC 5652, which every reader knows.
    Rfc5652,
    /// Those of GM/T 0010 (and GB/T 35275).
    Gm0010,
}

/// A message taken apart. Nothing of it is checked against anything.
pub(crate) struct Envelope<'a> {
    pub(crate) world: World,
    pub(crate) version: u8,
    pub(crate) content_type: Oid<'a>,
    pub(crate) content: Option<&'a [u8]>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) issuer: Name,
    pub(crate) serial: Serial,
    /// As they were signed: a SET OF, DER.
    pub(crate) attributes: Vec<u8>,
    pub(crate) signature: Signature,
}

/// Most certificates in a message.
pub(crate) const MAX_CERTIFICATES: usize = 8;

impl<'a> Envelope<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, CmsError> {
        let mut outer = Reader::only(der, tag::SEQUENCE)?;
        let kind = outer.oid()?;
        let world = match () {
            () if kind == oid::SIGNED_DATA => World::Rfc5652,
            () if kind == oid::GM_SIGNED_DATA => World::Gm0010,
            () => return Err(CmsError::ContentType),
        };
        let mut explicit = outer.nested(tag::constructed(0))?;
        outer.end()?;
        let mut fields = explicit.sequence()?;
        explicit.end()?;

        let &[version] = fields.value(tag::INTEGER)? else { return Err(CmsError::ContentType) };
        match fields.nested(tag::SET)?.set_elements(1)?[..] {
            [digest] if algorithm::names(digest, &oid::SM3)? => {}
            _ => return Err(CmsError::Algorithm),
        }
        let mut encapsulated = fields.sequence()?;
        let content_type = encapsulated.oid()?;
        let content = match encapsulated.optional(tag::constructed(0))? {
            Some(explicit) => {
                let mut explicit = Reader::new(explicit);
                let content = explicit.value(tag::OCTET_STRING)?;
                explicit.end()?;
                Some(content)
            }
            None => None,
        };
        encapsulated.end()?;
        let certificates = match fields.optional(tag::constructed(0))? {
            Some(set) => Reader::new(set).set_elements(MAX_CERTIFICATES)?,
            None => Vec::new(),
        };
        if fields.peek() == Some(tag::constructed(1)) {
            return Err(CmsError::Unsigned);
        }
        let signers = fields.nested(tag::SET)?.set_elements(16)?;
        fields.end()?;
        let [signer] = signers[..] else { return Err(CmsError::Signers(signers.len())) };

        let mut fields = Reader::only(signer, tag::SEQUENCE)?;
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
        let attributes = tlv(tag::SET, &[attributes]);
        if !algorithm::names(fields.element(tag::SEQUENCE)?, &oid::SM2_WITH_SM3)? {
            return Err(CmsError::Algorithm);
        }
        let signature = fields.value(tag::OCTET_STRING)?;
        let signature = Signature::from_der(signature).map_err(|_| CmsError::Signature)?;
        if fields.peek() == Some(tag::constructed(1)) {
            return Err(CmsError::Unsigned);
        }
        fields.end()?;
        let certificates =
            certificates.into_iter().map(Certificate::parse).collect::<Result<_, _>>()?;
        Ok(Self {
            world,
            version,
            content_type,
            content,
            certificates,
            issuer,
            serial,
            attributes,
            signature,
        })
    }

    /// Where the signer's certificate is among those in the message.
    pub(crate) fn signer(&self) -> Option<usize> {
        let is = |it: &Certificate| *it.issuer() == self.issuer && *it.serial() == self.serial;
        self.certificates.iter().position(is)
    }
}

/// Puts a message together. `attributes` as they were signed, a SET OF; certificates in any order.
pub(crate) fn write(
    world: World,
    version: u8,
    encapsulated: &[u8],
    mut certificates: Vec<Vec<u8>>,
    signer: &Certificate,
    attributes: &[u8],
    signature: &Signature,
) -> Vec<u8> {
    certificates.sort();
    certificates.dedup();
    let certificates = match certificates.is_empty() {
        true => Vec::new(),
        false => set_of(tag::constructed(0), certificates),
    };
    let mut set = Reader::new(attributes);
    let attributes = set.value(tag::SET).expect("signed attributes are a SET OF");
    // SignerInfo, version 1 as the signer is named by issuer and serial number (RFC 5652, 5.3).
    let signer_info = sequence(&[
        &[tag::INTEGER, 1, 1],
        &sequence(&[signer.issuer().der(), &signer.serial().write()]),
        &algorithm::sm3(),
        &tlv(tag::constructed(0), &[attributes]),
        &algorithm::sm2_with_sm3(),
        &tlv(tag::OCTET_STRING, &[&signature.to_der()]),
    ]);
    let signed_data = sequence(&[
        &[tag::INTEGER, 1, version],
        &set_of(tag::SET, vec![algorithm::sm3()]),
        encapsulated,
        &certificates,
        &set_of(tag::SET, vec![signer_info]),
    ]);
    let kind = match world {
        World::Rfc5652 => oid::SIGNED_DATA,
        World::Gm0010 => oid::GM_SIGNED_DATA,
    };
    sequence(&[&oid(&kind), &tlv(tag::constructed(0), &[&signed_data])])
}
