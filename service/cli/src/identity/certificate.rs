//! The identity's own certificate, as far as its holder must read it. The service judges it.

use std::fmt::Write as _;

use der::{Decode as _, Encode as _};
use sm3::{Digest as _, Sm3};
use time::OffsetDateTime;

use crate::{failure::Failure, text::problems};

/// An X.509 certificate and its DER.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

impl Certificate {
    /// Reads DER; another encoding of the same certificate is refused.
    pub(crate) fn parse(der: Vec<u8>) -> Result<Self, Failure> {
        let malformed = || Failure::of(problems::CERTIFICATE_MALFORMED);
        let parsed = x509_cert::Certificate::from_der(&der).map_err(|_| malformed())?;
        if parsed.to_der().map_err(|_| malformed())? != der {
            return Err(malformed());
        }
        Ok(Self { der, parsed })
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// SubjectPublicKeyInfo, DER.
    pub(crate) fn public_key_der(&self) -> Vec<u8> {
        let spki = self.parsed.tbs_certificate().subject_public_key_info();
        spki.to_der().unwrap_or_default()
    }

    /// Serial number, hexadecimal, as the service writes it.
    pub(crate) fn serial(&self) -> String {
        let bytes = self.parsed.tbs_certificate().serial_number().as_bytes();
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Serial number and issuer as in an IssuerAndSerialNumber, DER each.
    pub(crate) fn issuer_and_serial_der(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let body = self.parsed.tbs_certificate();
        Some((body.issuer().to_der().ok()?, body.serial_number().to_der().ok()?))
    }

    pub(crate) fn subject(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    pub(crate) fn not_before(&self) -> OffsetDateTime {
        instant(self.parsed.tbs_certificate().validity().not_before)
    }

    pub(crate) fn not_after(&self) -> OffsetDateTime {
        instant(self.parsed.tbs_certificate().validity().not_after)
    }

    /// SM3 of the whole certificate.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sm3::digest(&self.der).into()
    }
}

fn instant(time: x509_cert::time::Time) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time.to_unix_duration()
}
