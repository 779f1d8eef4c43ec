use std::fmt;

use crate::{
    Certificate, Serial,
    der::{DerError, Reader, sequence, tag, tlv},
    digest::Digest,
};

/// Which certificate is meant (CertID; RFC 6960, 4.1.1): its serial number, and its issuer by two
/// digests.
///
/// Two are equal when their octets are, so that an answer can repeat what was asked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CertificateId {
    der: Vec<u8>,
    /// `None` for one that is not known here: then it cannot be said whose certificate it is.
    digest: Option<Digest>,
    issuer_name: Vec<u8>,
    issuer_key: Vec<u8>,
    serial: Serial,
}

impl CertificateId {
    /// The certificate of this issuer that has this serial number.
    pub fn new(digest: Digest, issuer: &Certificate, serial: &Serial) -> Self {
        let (issuer_name, issuer_key) = digests(digest, issuer);
        let der = sequence(&[
            &digest.write(),
            &tlv(tag::OCTET_STRING, &[&issuer_name]),
            &tlv(tag::OCTET_STRING, &[&issuer_key]),
            &serial.write(),
        ]);
        Self { der, digest: Some(digest), issuer_name, issuer_key, serial: serial.clone() }
    }

    /// Whether it is about a certificate of this issuer.
    pub fn is_of(&self, issuer: &Certificate) -> bool {
        self.digest.is_some_and(|digest| {
            let (name, key) = digests(digest, issuer);
            self.issuer_name == name && self.issuer_key == key
        })
    }

    /// The serial number.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// As it was read or made, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether both mean the same, however the algorithm's parameters are written.
    pub(super) fn means(&self, other: &Self) -> bool {
        self.digest.is_some()
            && self.digest == other.digest
            && self.issuer_name == other.issuer_name
            && self.issuer_key == other.issuer_key
            && self.serial == other.serial
    }

    pub(super) fn read(element: &[u8]) -> Result<Self, DerError> {
        let mut fields = Reader::only(element, tag::SEQUENCE)?;
        let digest = Digest::read(fields.element(tag::SEQUENCE)?)?;
        let [issuer_name, issuer_key] =
            [fields.value(tag::OCTET_STRING)?, fields.value(tag::OCTET_STRING)?]
                .map(<[u8]>::to_vec);
        let serial = Serial::read(fields.value(tag::INTEGER)?)?;
        fields.end()?;
        let fits = |octets: &[u8]| match digest {
            Some(digest) => octets.len() == digest.length(),
            None => (16..=64).contains(&octets.len()),
        };
        if !fits(&issuer_name) || !fits(&issuer_key) {
            return Err(DerError::Count);
        }
        Ok(Self { der: element.to_vec(), digest, issuer_name, issuer_key, serial })
    }
}

/// Digests of the issuer's name, and of its key without tag, length and unused bits.
fn digests(digest: Digest, issuer: &Certificate) -> (Vec<u8>, Vec<u8>) {
    (digest.of(issuer.subject().der()), digest.of(issuer.public_key().as_sec1()))
}

impl fmt::Debug for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateId({})", self.serial)
    }
}
