//! Enveloped keys (密钥对保护数据格式, GM/T 0009-2012, 7.4): how an encryption key pair made by a key
//! management centre travels to its owner.

use super::asn1::{self, NotDer, Reader};
use super::{Ciphertext, MalformedCiphertext, PublicKey, SecretKey};
use crate::key::{KeyError, Sm2Decrypter};
use crate::sm4::Sm4Key;
use zeroize::Zeroizing;

/// AlgorithmIdentifier 1.2.156.10197.1.104.1, SM4-ECB without parameters.
const SM4_ECB: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68, 0x01];
/// 1.2.156.10197.1.104: SM4 without a mode, which some writers put for ECB.
const SM4: &[u8] = &[0x30, 0x09, 0x06, 0x07, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68];

/// Encloses `secret` for the owner of `recipient`; gives SM2EnvelopedKey in DER.
///
/// The structure carries no signature: whoever hands it on says who made it.
#[must_use]
pub fn seal_envelope(recipient: &PublicKey, secret: &SecretKey) -> Vec<u8> {
    let key = Sm4Key::generate();
    let wrapped = recipient.encrypt(key.expose()).expect("16 octets can be encrypted");
    let encrypted = key.encrypt_ecb(&secret.to_be_bytes()[..]).expect("32 octets are two blocks");
    let public = asn1::element(asn1::BIT_STRING, &[&[0], secret.public().as_sec1()]);
    let encrypted = asn1::element(asn1::BIT_STRING, &[&[0], &encrypted]);
    asn1::element(asn1::SEQUENCE, &[SM4_ECB, &wrapped, &public, &encrypted]).to_vec()
}

/// Takes the key pair out of an SM2EnvelopedKey made for `recipient`.
///
/// # Errors
/// [`EnvelopeError::Structure`] for anything but its one DER encoding with SM4 in ECB mode,
/// [`EnvelopeError::Ciphertext`] when the wrapped key is malformed, [`EnvelopeError::Open`] when
/// `recipient` cannot decrypt it, [`EnvelopeError::OtherKeyPair`] when the two halves do not
/// belong together: ECB authenticates nothing, so this is the check on the content.
pub fn open_envelope(recipient: &dyn Sm2Decrypter, der: &[u8]) -> Result<SecretKey, EnvelopeError> {
    let (wrapped, public, encrypted) = fields(der).map_err(|_| EnvelopeError::Structure)?;
    let wrapped = Ciphertext::from_der(&wrapped)?;
    let key = recipient.decrypt(&wrapped).map_err(EnvelopeError::Open)?;
    let key: &[u8; 16] = key.as_slice().try_into().map_err(|_| EnvelopeError::Structure)?;
    let Ok(key) = Sm4Key::fill(|octets| {
        octets.copy_from_slice(key);
        Ok::<(), std::convert::Infallible>(())
    });
    let secret = key.decrypt_ecb(encrypted).map_err(|_| EnvelopeError::Structure)?;
    let secret = SecretKey::from_be_bytes(&secret).map_err(|_| EnvelopeError::OtherKeyPair)?;
    if secret.public().as_sec1() != public {
        return Err(EnvelopeError::OtherKeyPair);
    }
    Ok(secret)
}

type Fields<'a> = (Zeroizing<Vec<u8>>, &'a [u8], &'a [u8]);

fn fields(der: &[u8]) -> Result<Fields<'_>, NotDer> {
    let mut outer = Reader::new(der);
    let mut envelope = outer.sequence()?;
    outer.end()?;
    envelope.exactly(SM4_ECB).or_else(|_| envelope.exactly(SM4))?;
    let wrapped = asn1::element(asn1::SEQUENCE, &[envelope.element(asn1::SEQUENCE)?]);
    let (public, encrypted) = (envelope.bit_string()?, envelope.bit_string()?);
    envelope.end()?;
    if encrypted.len() != 32 {
        return Err(NotDer);
    }
    Ok((wrapped, public, encrypted))
}

/// Why an enveloped key was not taken out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not the DER of an enveloped key with SM4 in ECB mode.
    #[error("not an enveloped SM2 key")]
    Structure,
    /// The wrapped symmetric key is not an SM2 ciphertext.
    #[error("reading the wrapped key")]
    Ciphertext(#[from] MalformedCiphertext),
    /// The recipient's key did not decrypt the wrapped key.
    #[error("unwrapping the key")]
    Open(#[source] KeyError),
    /// The enclosed secret key is not that of the enclosed public key.
    #[error("the enclosed keys are not a pair")]
    OtherKeyPair,
}
