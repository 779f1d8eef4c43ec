//! Extensions of certificates (RFC 5280, 4.2): the ones that are understood, read strictly and
//! written in one way.

use std::{fmt, ops::BitOr};

use const_oid::ObjectIdentifier;
use hsm::{sm2::PublicKey, sm3};

use crate::{
    der::{
        DerError, Oid, Reader, Text, boolean_true, oid, read_text, sequence, tag, tlv, unsigned,
    },
    oid,
};

/// The value of an extension that says all by being there.
const NULL: [u8; 2] = [tag::NULL, 0];

/// What a key may do (密钥用法, keyUsage; RFC 5280, 4.2.1.3). A set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// Sign data that only proves presence: logins, handshakes.
    pub const DIGITAL_SIGNATURE: Self = Self(1 << 15);
    /// Sign what shall bind the signer: records (nonRepudiation, 不可否认).
    pub const CONTENT_COMMITMENT: Self = Self(1 << 14);
    /// Encrypt keys.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 13);
    /// Encrypt data.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 12);
    /// Agree on keys.
    pub const KEY_AGREEMENT: Self = Self(1 << 11);
    /// Sign certificates.
    pub const CERTIFICATE_SIGNING: Self = Self(1 << 10);
    /// Sign revocation lists.
    pub const CRL_SIGNING: Self = Self(1 << 9);

    /// Whether every use of `other` is among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a use of `other` is among these.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Named bits: no trailing zero bits, at least one bit set, nine at most (X.690, 11.2.2).
    fn read(value: &[u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(value);
        let content = outer.value(tag::BIT_STRING)?;
        outer.end()?;
        let (unused, bits) = match content {
            [unused, first] => (*unused, u16::from_be_bytes([*first, 0])),
            [unused, first, last] if *last == 0x80 => {
                (*unused, u16::from_be_bytes([*first, *last]))
            }
            _ => return Err(DerError::BitString),
        };
        let last = content[content.len() - 1];
        if last == 0 || u32::from(unused) != last.trailing_zeros() {
            return Err(DerError::BitString);
        }
        Ok(Self(bits))
    }

    fn write(self) -> Vec<u8> {
        // No profile has the ninth bit, decipherOnly.
        let [first, _] = self.0.to_be_bytes();
        tlv(tag::BIT_STRING, &[&[first.trailing_zeros() as u8, first]])
    }
}

impl BitOr for KeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl KeyUsage {
    /// [`BitOr`] for constants.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyUsage({:016b})", self.0)
    }
}

/// A purpose that a certificate names (extKeyUsage; RFC 5280, 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExtendedKeyUsage {
    /// id-kp-serverAuth: answering as a server.
    ServerAuth,
    /// id-kp-clientAuth: logging in.
    ClientAuth,
    /// id-kp-documentSigning: signing records (RFC 9336).
    DocumentSigning,
    /// id-kp-OCSPSigning: answering for an authority what the status of its certificates is.
    OcspSigning,
    /// id-kp-timeStamping: saying when something was seen.
    TimeStamping,
    /// anyExtendedKeyUsage.
    Any,
    /// One that nothing here asks for.
    Other,
}

impl ExtendedKeyUsage {
    const KNOWN: [(Self, ObjectIdentifier); 6] = [
        (Self::ServerAuth, oid::SERVER_AUTH),
        (Self::ClientAuth, oid::CLIENT_AUTH),
        (Self::DocumentSigning, oid::DOCUMENT_SIGNING),
        (Self::OcspSigning, oid::OCSP_SIGNING),
        (Self::TimeStamping, oid::TIME_STAMPING),
        (Self::Any, oid::ANY_PURPOSE),
    ];

    fn of(oid: Oid<'_>) -> Self {
        Self::KNOWN.iter().find(|(_, known)| oid == *known).map_or(Self::Other, |(usage, _)| *usage)
    }

    fn oid(self) -> Option<ObjectIdentifier> {
        Self::KNOWN.iter().find(|(usage, _)| *usage == self).map(|(_, oid)| *oid)
    }
}

/// Whether the subject is an authority, and how many more may follow below it (RFC 5280, 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BasicConstraints {
    EndEntity,
    Authority { path_length: Option<u8> },
}

impl BasicConstraints {
    fn read(value: &[u8]) -> Result<Self, DerError> {
        let mut fields = Reader::only(value, tag::SEQUENCE)?;
        let authority = fields.default_false()?;
        let path_length = match authority && !fields.is_empty() {
            true => Some(u8::try_from(fields.unsigned()?).map_err(|_| DerError::Integer)?),
            false => None,
        };
        fields.end()?;
        Ok(if authority { Self::Authority { path_length } } else { Self::EndEntity })
    }

    fn write(self) -> Vec<u8> {
        match self {
            Self::EndEntity => sequence(&[]),
            Self::Authority { path_length: None } => sequence(&[&boolean_true()]),
            Self::Authority { path_length: Some(length) } => {
                sequence(&[&boolean_true(), &unsigned(&[length])])
            }
        }
    }
}

/// Identifier of a key (密钥标识符): first 20 octets of the SM3 digest of the point, as RFC 7093 method
/// 1 does with SHA-256.
///
/// Foreign certificates have other lengths and other ways to make one; only equality counts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyIdentifier(Vec<u8>);

impl KeyIdentifier {
    /// The identifier that certificates issued here give to `key`.
    pub fn of(key: &PublicKey) -> Self {
        Self(sm3::digest(key.as_sec1())[..20].to_vec())
    }

    /// The octets, 1 to 64 of them.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    fn from_content(content: &[u8]) -> Result<Self, DerError> {
        match content.len() {
            1..=64 => Ok(Self(content.to_vec())),
            _ => Err(DerError::Count),
        }
    }

    fn read_subject(value: &[u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(value);
        let identifier = Self::from_content(outer.value(tag::OCTET_STRING)?)?;
        outer.end()?;
        Ok(identifier)
    }

    /// AuthorityKeyIdentifier: issuer and serial, if they are there, are of no use to a reader that
    /// has the name.
    pub(crate) fn read_authority(value: &[u8]) -> Result<Option<Self>, DerError> {
        let mut fields = Reader::only(value, tag::SEQUENCE)?;
        let identifier = fields.optional(tag::context(0))?;
        let issuer = fields.optional(tag::constructed(1))?;
        let serial = fields.optional(tag::context(2))?;
        fields.end()?;
        if issuer.is_some() != serial.is_some() {
            return Err(DerError::Tag { expected: tag::context(2) });
        }
        identifier.map(Self::from_content).transpose()
    }

    fn write_subject(&self) -> Vec<u8> {
        tlv(tag::OCTET_STRING, &[&self.0])
    }

    pub(crate) fn write_authority(&self) -> Vec<u8> {
        sequence(&[&tlv(tag::context(0), &[&self.0])])
    }
}

impl fmt::Debug for KeyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// One element of `Extensions`.
pub(crate) struct Extension<'a> {
    pub(crate) oid: Oid<'a>,
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// Reads `Extensions` (RFC 5280, 4.1): at least one, at most 32, none twice.
pub(crate) fn read_list(mut list: Reader<'_>) -> Result<Vec<Extension<'_>>, DerError> {
    let mut extensions: Vec<Extension<'_>> = Vec::new();
    while !list.is_empty() {
        let mut fields = list.sequence()?;
        let oid = fields.oid()?;
        let critical = fields.default_false()?;
        let value = fields.value(tag::OCTET_STRING)?;
        fields.end()?;
        if extensions.iter().any(|extension| extension.oid == oid) {
            return Err(DerError::Order);
        }
        extensions.push(Extension { oid, critical, value });
    }
    if !(1..=32).contains(&extensions.len()) {
        return Err(DerError::Count);
    }
    Ok(extensions)
}

pub(crate) fn write_critical(kind: &ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(kind), &boolean_true(), &tlv(tag::OCTET_STRING, &[value])])
}

pub(crate) fn write(kind: &ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(kind), &tlv(tag::OCTET_STRING, &[value])])
}

/// The extensions of one certificate, as far as they are understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extensions {
    pub(crate) constraints: BasicConstraints,
    pub(crate) key_usage: Option<KeyUsage>,
    /// Empty when the key is not restricted to purposes.
    pub(crate) purposes: Vec<ExtendedKeyUsage>,
    /// Whether readers that do not know the purposes have to refuse the certificate.
    pub(crate) purposes_critical: bool,
    /// Whether the certificate itself is never revoked (RFC 6960, 4.2.2.2.1).
    pub(crate) no_check: bool,
    pub(crate) subject_key: Option<KeyIdentifier>,
    pub(crate) authority_key: Option<KeyIdentifier>,
    pub(crate) crl_url: Option<String>,
    pub(crate) issuer_url: Option<String>,
    pub(crate) status_url: Option<String>,
    /// Those that are not critical and not understood, as they are.
    pub(crate) others: Vec<OtherExtension>,
}

/// An extension that is kept and not understood. What it says may be about a person: it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OtherExtension {
    /// Content octets of its identifier.
    pub(crate) oid: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl fmt::Debug for OtherExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtherExtension({} octets)", self.value.len())
    }
}

/// Why the extensions of a certificate were refused.
#[derive(Debug)]
pub(crate) enum ExtensionError {
    Der(DerError),
    /// An extension is critical and not understood; its identifier, dotted.
    UnknownCritical(String),
    /// An authority whose basicConstraints may be ignored by readers.
    NotCritical,
}

impl From<DerError> for ExtensionError {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

impl Extensions {
    pub(crate) fn none() -> Self {
        Self {
            constraints: BasicConstraints::EndEntity,
            key_usage: None,
            purposes: Vec::new(),
            purposes_critical: false,
            no_check: false,
            subject_key: None,
            authority_key: None,
            crl_url: None,
            issuer_url: None,
            status_url: None,
            others: Vec::new(),
        }
    }

    pub(crate) fn read(list: Reader<'_>) -> Result<Self, ExtensionError> {
        let mut read = Self::none();
        for Extension { oid, critical, value } in read_list(list)? {
            if oid == oid::BASIC_CONSTRAINTS {
                read.constraints = BasicConstraints::read(value)?;
                if read.constraints != BasicConstraints::EndEntity && !critical {
                    return Err(ExtensionError::NotCritical);
                }
            } else if oid == oid::KEY_USAGE {
                read.key_usage = Some(KeyUsage::read(value)?);
            } else if oid == oid::EXTENDED_KEY_USAGE {
                read.purposes = read_purposes(value)?;
                read.purposes_critical = critical;
            } else if oid == oid::OCSP_NO_CHECK {
                if value != NULL {
                    return Err(DerError::Tag { expected: tag::NULL }.into());
                }
                read.no_check = true;
            } else if oid == oid::SUBJECT_KEY_IDENTIFIER {
                read.subject_key = Some(KeyIdentifier::read_subject(value)?);
            } else if oid == oid::AUTHORITY_KEY_IDENTIFIER {
                read.authority_key = KeyIdentifier::read_authority(value)?;
            } else if oid == oid::CRL_DISTRIBUTION_POINTS {
                read.crl_url = read_crl_url(value)?;
            } else if oid == oid::AUTHORITY_INFORMATION_ACCESS {
                (read.status_url, read.issuer_url) = read_access(value)?;
            } else if critical {
                return Err(ExtensionError::UnknownCritical(oid.to_string()));
            } else {
                read.others
                    .push(OtherExtension { oid: oid.octets().to_vec(), value: value.to_vec() });
            }
        }
        Ok(read)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut list = write_critical(&oid::BASIC_CONSTRAINTS, &self.constraints.write());
        if let Some(usage) = self.key_usage {
            list.extend(write_critical(&oid::KEY_USAGE, &usage.write()));
        }
        if !self.purposes.is_empty() {
            let oids = self.purposes.iter().filter_map(|purpose| purpose.oid());
            let oids: Vec<u8> = oids.flat_map(|purpose| oid(&purpose)).collect();
            let write = if self.purposes_critical { write_critical } else { write };
            list.extend(write(&oid::EXTENDED_KEY_USAGE, &sequence(&[&oids])));
        }
        if self.no_check {
            list.extend(write(&oid::OCSP_NO_CHECK, &NULL));
        }
        if let Some(key) = &self.subject_key {
            list.extend(write(&oid::SUBJECT_KEY_IDENTIFIER, &key.write_subject()));
        }
        if let Some(key) = &self.authority_key {
            list.extend(write(&oid::AUTHORITY_KEY_IDENTIFIER, &key.write_authority()));
        }
        if let Some(url) = &self.crl_url {
            list.extend(write(&oid::CRL_DISTRIBUTION_POINTS, &write_point(url)));
        }
        let accesses = [(oid::OCSP, &self.status_url), (oid::CA_ISSUERS, &self.issuer_url)];
        let accesses: Vec<u8> = accesses
            .iter()
            .filter_map(|(method, url)| Some((method, url.as_deref()?)))
            .flat_map(|(method, url)| sequence(&[&oid(method), &uri(url)]))
            .collect();
        if !accesses.is_empty() {
            list.extend(write(&oid::AUTHORITY_INFORMATION_ACCESS, &sequence(&[&accesses])));
        }
        for OtherExtension { oid, value } in &self.others {
            list.extend(sequence(&[&tlv(tag::OID, &[oid]), &tlv(tag::OCTET_STRING, &[value])]));
        }
        sequence(&[&list])
    }
}

/// GeneralName of a URI.
pub(crate) fn uri(url: &str) -> Vec<u8> {
    tlv(tag::context(6), &[url.as_bytes()])
}

/// CRLDistributionPoints with one point that has one address.
pub(crate) fn write_point(url: &str) -> Vec<u8> {
    let full_name = tlv(tag::constructed(0), &[&uri(url)]);
    sequence(&[&sequence(&[&tlv(tag::constructed(0), &[&full_name])])])
}

fn read_purposes(value: &[u8]) -> Result<Vec<ExtendedKeyUsage>, DerError> {
    let mut list = Reader::only(value, tag::SEQUENCE)?;
    let mut purposes = Vec::new();
    while !list.is_empty() {
        purposes.push(ExtendedKeyUsage::of(list.oid()?));
    }
    if !(1..=16).contains(&purposes.len()) {
        return Err(DerError::Count);
    }
    Ok(purposes)
}

/// The first URI of the first distribution point, if it starts with one. Other kinds of name lead
/// nowhere from here.
fn read_crl_url(value: &[u8]) -> Result<Option<String>, DerError> {
    let mut points = Reader::only(value, tag::SEQUENCE)?;
    let mut point = points.sequence()?;
    while !points.is_empty() {
        points.sequence()?;
    }
    let Some(name) = point.optional(tag::constructed(0))? else { return Ok(None) };
    let Some(full) = Reader::new(name).optional(tag::constructed(0))? else { return Ok(None) };
    read_uri(Reader::new(full))
}

/// The first URI at which the certificate's status is told, and the first at which the issuer's
/// certificate can be had.
fn read_access(value: &[u8]) -> Result<(Option<String>, Option<String>), DerError> {
    let mut descriptions = Reader::only(value, tag::SEQUENCE)?;
    let (mut status, mut issuer) = (None, None);
    while !descriptions.is_empty() {
        let mut access = descriptions.sequence()?;
        let method = access.oid()?;
        if method == oid::OCSP && status.is_none() {
            status = read_uri(access)?;
        } else if method == oid::CA_ISSUERS && issuer.is_none() {
            issuer = read_uri(access)?;
        }
    }
    Ok((status, issuer))
}

/// All of GeneralNames, 1 to `most`, if each is a URI.
pub(crate) fn read_uris(
    mut names: Reader<'_>,
    most: usize,
) -> Result<Option<Vec<String>>, DerError> {
    let mut uris = Vec::new();
    while !names.is_empty() {
        let Some(text) = names.optional(tag::context(6))? else { return Ok(None) };
        uris.push(read_text(Text::Ia5, text)?.to_owned());
    }
    Ok(Some(uris).filter(|uris| (1..=most).contains(&uris.len())))
}

fn read_uri(mut names: Reader<'_>) -> Result<Option<String>, DerError> {
    let content = names.optional(tag::context(6))?;
    content.map(|text| read_text(Text::Ia5, text).map(str::to_owned)).transpose()
}
