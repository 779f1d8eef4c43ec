//! The identity's own certificate, as far as its holder must read it. The service judges it.

use der::{Decode as _, Encode as _, pem::LineEnding};
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
        hex::encode(self.parsed.tbs_certificate().serial_number().as_bytes())
    }

    /// Serial number and issuer as in an IssuerAndSerialNumber, DER each.
    pub(crate) fn issuer_and_serial_der(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let body = self.parsed.tbs_certificate();
        Some((body.issuer().to_der().ok()?, body.serial_number().to_der().ok()?))
    }

    pub(crate) fn subject(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    pub(crate) fn issuer(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// Name of the service whose authorities issued it: the organization in the issuer's name. A
    /// service's name has no character that would be written with an escape.
    pub(crate) fn issuing_service(&self) -> Option<String> {
        self.issuer().split(',').find_map(|part| part.strip_prefix("O=").map(str::to_owned))
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

/// Certificates that the service gave, as one text (RFC 7468, 5).
pub(crate) fn pem_chain(certificates: &[Vec<u8>]) -> Result<String, Failure> {
    let pem = |der: &Vec<u8>| der::pem::encode_string("CERTIFICATE", LineEnding::LF, der);
    let texts: Result<Vec<_>, _> = certificates.iter().map(pem).collect();
    texts.map(|texts| texts.concat()).map_err(|_| problems::SERVICE_ANSWER_MALFORMED.into())
}

fn instant(time: x509_cert::time::Time) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time.to_unix_duration()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ClientKey, sample};

    #[test]
    fn chains_are_read_back_as_they_were_given() {
        let key = ClientKey::generate().unwrap();
        let given = [1, 0x7f].map(|serial| sample::certificate(&key, serial).der().to_vec());
        let text = pem_chain(&given).unwrap();
        let read = x509_cert::Certificate::load_pem_chain(text.as_bytes()).unwrap();
        let again: Vec<_> = read.iter().map(|it| it.to_der().unwrap()).collect();
        assert_eq!(again, given);
        assert_eq!(pem_chain(&[]).unwrap(), "");
        assert_eq!(sample::certificate(&key, 0x0f).serial(), "0f");
    }
}
