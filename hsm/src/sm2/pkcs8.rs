//! Secret keys as PKCS#8 (RFC 5208) around an ECPrivateKey (RFC 5915), unencrypted.

use super::SecretKey;
use super::asn1::{self, NotDer, Reader, SM2_ALGORITHM, SM2_CURVE};
use der::pem::{self, LineEnding, PemLabel};
use zeroize::Zeroizing;

const PARAMETERS: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0xa1;

/// A few hundred octets hold a key; no PEM text above this is looked at.
const MAX_PEM: usize = 4096;

/// Names the PEM block.
struct Pkcs8;

impl PemLabel for Pkcs8 {
    const PEM_LABEL: &'static str = "PRIVATE KEY";
}

impl SecretKey {
    /// Reads PrivateKeyInfo, DER, version 0 and without attributes. A public key inside must be
    /// that of the secret one.
    ///
    /// # Errors
    /// [`MalformedPrivateKey`] says which of these does not hold.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, MalformedPrivateKey> {
        let (d, public) = fields(der).map_err(|_| MalformedPrivateKey::Structure)?;
        let key = Self::from_be_bytes(d).map_err(|_| MalformedPrivateKey::OutOfRange)?;
        if public.is_some_and(|public| public != key.public().as_sec1()) {
            return Err(MalformedPrivateKey::OtherPublicKey);
        }
        Ok(key)
    }

    /// Reads one "PRIVATE KEY" block (RFC 7468) and nothing beside it.
    ///
    /// # Errors
    /// [`MalformedPrivateKey::Pem`] for other text, otherwise as
    /// [`from_pkcs8_der`](Self::from_pkcs8_der).
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, MalformedPrivateKey> {
        if text.len() > MAX_PEM {
            return Err(MalformedPrivateKey::Pem);
        }
        let (label, der) =
            pem::decode_vec(text.as_bytes()).map_err(|_| MalformedPrivateKey::Pem)?;
        let der = Zeroizing::new(der);
        Pkcs8::validate_pem_label(label).map_err(|_| MalformedPrivateKey::Pem)?;
        Self::from_pkcs8_der(&der)
    }

    /// Writes the key in the clear as one "PRIVATE KEY" block: whoever reads it can sign.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        let d = asn1::element(asn1::OCTET_STRING, &[&self.to_be_bytes()[..]]);
        let public = asn1::element(asn1::BIT_STRING, &[&[0], self.public().as_sec1()]);
        let public = asn1::element(PUBLIC_KEY, &[&public]);
        let key = asn1::element(asn1::SEQUENCE, &[&[asn1::INTEGER, 1, 1], &d, &public]);
        let key = asn1::element(asn1::OCTET_STRING, &[&key]);
        let info = asn1::element(asn1::SEQUENCE, &[&[asn1::INTEGER, 1, 0], SM2_ALGORITHM, &key]);
        let text = pem::encode_string(Pkcs8::PEM_LABEL, LineEnding::LF, &info);
        Zeroizing::new(text.expect("a fixed label and a short key"))
    }
}

fn fields(der: &[u8]) -> Result<(&[u8], Option<&[u8]>), NotDer> {
    let mut outer = Reader::new(der);
    let mut info = outer.sequence()?;
    outer.end()?;
    info.exactly(&[asn1::INTEGER, 1, 0])?;
    info.exactly(SM2_ALGORITHM)?;
    let mut inner = Reader::new(info.element(asn1::OCTET_STRING)?);
    info.end()?;

    let mut key = inner.sequence()?;
    inner.end()?;
    key.exactly(&[asn1::INTEGER, 1, 1])?;
    let d = key.element(asn1::OCTET_STRING)?;
    // Some writers repeat the curve here; it must be the same one.
    if let Some(parameters) = key.optional(PARAMETERS)? {
        let mut parameters = Reader::new(parameters);
        if parameters.element(asn1::OID)? != SM2_CURVE {
            return Err(NotDer);
        }
        parameters.end()?;
    }
    let public = match key.optional(PUBLIC_KEY)? {
        Some(public) => {
            let mut public = Reader::new(public);
            let point = public.bit_string()?;
            public.end()?;
            Some(point)
        }
        None => None,
    };
    key.end()?;
    Ok((d, public))
}

/// Why octets or text are not an SM2 secret key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedPrivateKey {
    /// Not one "PRIVATE KEY" block.
    #[error("not one PEM block of a private key")]
    Pem,
    /// Not the DER of an SM2 key without attributes.
    #[error("not a private key of the SM2 curve in DER")]
    Structure,
    /// The number is not in [1, n-2], or not of 32 octets.
    #[error("the private key is out of range")]
    OutOfRange,
    /// The public key inside belongs to another secret key.
    #[error("the public key does not belong to the private key")]
    OtherPublicKey,
}
