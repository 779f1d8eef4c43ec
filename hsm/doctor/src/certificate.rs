//! Certificates: how the algorithms are named, whose convention the issuer signs by, and the extensions that makers
//! write differently.

use hsm::sm2::PublicKey;

use crate::{
    ber::{self, BIT_STRING, BOOLEAN, Element, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE},
    key::{self, Curve},
    signature::{self, Convention, Form, Identifier, Preimage},
};

/// Identity of the holder (GM/T 0015-2012; 个人身份标识码).
const IDENTIFY_CODE: &str = "1.2.156.10260.4.1.1";
/// Entity unique identifier of the health sector (实体唯一标识), as provincial authorities write it.
const ENTITY_IDENTIFIER: &str = "1.2.86.21.1.1";
/// SM2 with SM3 (GB/T 33560-2017).
const SM2_WITH_SM3: &str = "1.2.156.10197.1.501";
const KEY_USAGE: &str = "2.5.29.15";

/// What stands in the parameters of an algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parameters {
    /// Nothing, as it should be.
    Absent,
    /// NULL: authorities of earlier years; to be accepted.
    Null,
    /// Something else.
    Other,
}

/// An algorithm as it is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Algorithm {
    /// Its identifier.
    pub oid: String,
    /// Its parameters.
    pub parameters: Parameters,
}

/// What the key of the certificate is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The signing certificate of a pair (签名证书).
    Signing,
    /// The encryption certificate of a pair (加密证书).
    Encryption,
    /// Both at once, which the rule of two certificates forbids.
    Both,
    /// It signs certificates or lists.
    Authority,
}

/// How a choice or a text is written in an extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tagging {
    /// The tag of the choice around the text.
    Explicit,
    /// The tag of the choice in the place of the text's.
    Implicit,
    /// The text alone.
    Bare,
    /// No ASN.1 at all: the octets of the text.
    Text,
}

/// An extension that makers write differently.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its identifier.
    pub oid: &'static str,
    /// How it is written. What it says is the holder's, and is not told.
    pub tagging: Tagging,
}

/// What was found in a certificate.
#[derive(Clone, Debug)]
pub struct Read {
    /// Whether octets follow it.
    pub trailing: bool,
    /// The algorithm named within what is signed.
    pub inner: Algorithm,
    /// The algorithm named beside the signature: has to be the same.
    pub outer: Algorithm,
    /// The curve of the holder's key, as it is named.
    pub curve: Option<Curve>,
    /// The holder's key; nothing when it is none of SM2.
    pub key: Option<PublicKey>,
    /// Whether issuer and subject are the same.
    pub self_issued: bool,
    /// What the key is for; nothing when it does not say.
    pub role: Option<Role>,
    /// Extensions with the holder's identity.
    pub identities: Vec<Identity>,
    /// How the signature is written and made; nothing was tried without a key of the issuer.
    pub signature: Option<Vec<Convention>>,
}

impl Read {
    /// Whether it is what the standards ask for, the issuer's signature included when it was tried.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        let signed = |it: &Convention| {
            let default = matches!(it.preimage, Preimage::WithZ(Identifier::Default, ..));
            it.is_standard() && default && it.form == Form::Der
        };
        let algorithm = self.inner.oid == SM2_WITH_SM3
            && self.inner.parameters != Parameters::Other
            && self.inner == self.outer;
        algorithm
            && self.curve == Some(Curve::Named)
            && self.key.is_some()
            && self.role != Some(Role::Both)
            && self.signature.as_ref().is_none_or(|tried| tried.iter().any(signed))
            && !self.trailing
    }
}

/// Parts of a certificate.
pub(crate) struct Parts<'a> {
    body: Element<'a>,
    inner: Element<'a>,
    outer: Element<'a>,
    issuer: Element<'a>,
    subject: Element<'a>,
    pub(crate) key: Element<'a>,
    extensions: Option<Element<'a>>,
    signature: &'a [u8],
}

pub(crate) fn parts(certificate: Element<'_>) -> Option<Parts<'_>> {
    let mut fields = certificate.elements();
    let (body, outer) = (fields.of(SEQUENCE)?, fields.of(SEQUENCE)?);
    let signature = fields.of(BIT_STRING)?.bits()?;
    let mut fields = body.elements();
    fields.of(0xa0);
    fields.of(INTEGER)?;
    let inner = fields.of(SEQUENCE)?;
    let issuer = fields.of(SEQUENCE)?;
    fields.of(SEQUENCE)?;
    let subject = fields.of(SEQUENCE)?;
    let key = fields.of(SEQUENCE)?;
    let mut extensions = None;
    while let Some(field) = fields.next() {
        if field.tag == 0xa3 {
            extensions = field.elements().of(SEQUENCE);
        }
    }
    Some(Parts { body, inner, outer, issuer, subject, key, extensions, signature })
}

/// Looks a certificate through; nothing when it is none. The issuer is a key or a certificate, and the certificate
/// itself when it names itself as its issuer.
#[must_use]
pub fn read(octets: &[u8], issuer: Option<&PublicKey>, suggested: &[Vec<u8>]) -> Option<Read> {
    let (outer, trailing) = ber::first(octets, SEQUENCE)?;
    let parts = parts(outer)?;
    let (curve, key) = match key::info_parts(parts.key) {
        Some((curve, _, key)) => (Some(curve), key),
        None => (None, None),
    };
    let self_issued = parts.issuer.content == parts.subject.content;
    let extensions = extensions(parts.extensions);
    let find = |oid: &str| extensions.iter().find(|(found, _)| found == oid);
    let identities = [IDENTIFY_CODE, ENTITY_IDENTIFIER].into_iter().filter_map(|oid| {
        let (_, value) = find(oid)?;
        Some(Identity { oid, tagging: tagging(value) })
    });
    let signer = issuer.or_else(|| key.as_ref().filter(|_| self_issued));
    let signature = signer
        .map(|signer| signature::conventions(signer, parts.signature, parts.body.whole, suggested));
    Some(Read {
        trailing,
        inner: algorithm(parts.inner)?,
        outer: algorithm(parts.outer)?,
        curve,
        self_issued,
        role: find(KEY_USAGE).and_then(|(_, value)| role(value)),
        identities: identities.collect(),
        signature,
        key,
    })
}

fn algorithm(algorithm: Element<'_>) -> Option<Algorithm> {
    let mut fields = algorithm.elements();
    let oid = fields.of(OID)?.oid()?;
    let parameters = match fields.next() {
        None => Parameters::Absent,
        Some(it) if it.tag == NULL && it.content.is_empty() => Parameters::Null,
        Some(_) => Parameters::Other,
    };
    Some(Algorithm { oid, parameters })
}

fn extensions(extensions: Option<Element<'_>>) -> Vec<(String, &[u8])> {
    let mut found = Vec::new();
    let Some(extensions) = extensions else { return found };
    let mut extensions = extensions.elements();
    while let Some(extension) = extensions.of(SEQUENCE) {
        let mut fields = extension.elements();
        let oid = fields.of(OID).and_then(|it| it.oid());
        fields.of(BOOLEAN);
        if let (Some(oid), Some(value)) = (oid, fields.of(OCTET_STRING)) {
            found.push((oid, value.content));
        }
    }
    found
}

fn role(value: &[u8]) -> Option<Role> {
    let (bits, _) = ber::first(value, BIT_STRING)?;
    let usage = *bits.content.get(1)?;
    // digitalSignature and nonRepudiation; keyEncipherment, dataEncipherment and keyAgreement; keyCertSign and
    // cRLSign (RFC 5280, 4.2.1.3).
    match (usage & 0xc0 != 0, usage & 0x38 != 0, usage & 0x06 != 0) {
        (_, _, true) => Some(Role::Authority),
        (true, true, _) => Some(Role::Both),
        (true, false, _) => Some(Role::Signing),
        (false, true, _) => Some(Role::Encryption),
        (false, false, _) => None,
    }
}

fn tagging(value: &[u8]) -> Tagging {
    let mut elements = ber::Elements(value);
    match elements.next() {
        Some(element) if elements.is_empty() => match element.tag {
            0xa0..=0xbf => Tagging::Explicit,
            0x80..=0x9f => Tagging::Implicit,
            _ => Tagging::Bare,
        },
        _ => Tagging::Text,
    }
}

#[cfg(test)]
mod tests;
