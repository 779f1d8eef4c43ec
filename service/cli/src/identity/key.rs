//! The client's own SM2 key. It is made here and never leaves.

use std::fmt;

use der::{
    Decode as _, Encode as _,
    pem::{LineEnding, PemLabel as _},
};
use pkcs8::{
    DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, PrivateKeyInfoRef,
};
use sm2::{
    Scalar, SecretKey,
    dsa::{SigningKey, signature::Signer as _},
    pke::DecryptingKey,
};
use zeroize::Zeroizing;

use super::{Passphrase, protection};
use crate::{failure::Failure, text::problems};

/// Identifier of the signer when nothing else is agreed (GM/T 0009-2012, 10).
pub(crate) const DEFAULT_IDENTIFIER: &str = "1234567812345678";

const PEM_ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// An SM2 private key, wiped when dropped.
pub(crate) struct ClientKey(SecretKey);

impl ClientKey {
    /// Makes a key from the system's randomness.
    pub(crate) fn generate() -> Result<Self, Failure> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(bytes.as_mut()).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
            // All but one in 2^32 candidates are in range.
            if let Some(key) = SecretKey::from_slice(bytes.as_ref()).ok().and_then(Self::admit) {
                return Ok(key);
            }
        }
    }

    /// Refuses d = n-1, for which 1 + d has no inverse (GM/T 0009-2012, 5.1).
    fn admit(key: SecretKey) -> Option<Self> {
        (*key.to_nonzero_scalar() != -Scalar::ONE).then_some(Self(key))
    }

    /// A key from its number *d*, 32 bytes, big-endian.
    pub(super) fn from_octets(octets: &[u8; 32]) -> Option<Self> {
        SecretKey::from_slice(octets).ok().and_then(Self::admit)
    }

    /// Reads PKCS#8 in PEM, with the passphrase of an encrypted one.
    pub(crate) fn from_pem(pem: &[u8], passphrase: Option<&Passphrase>) -> Result<Self, Failure> {
        let malformed = || Failure::of(problems::KEY_MALFORMED);
        let (label, bytes) = der::pem::decode_vec(pem).map_err(|_| malformed())?;
        let bytes = Zeroizing::new(bytes);
        let plain = match label {
            PEM_ENCRYPTED => {
                let needed = || Failure::of(problems::PASSPHRASE_NEEDED);
                protection::open(&bytes, passphrase.ok_or_else(needed)?)?
            }
            _ if label == PrivateKeyInfoRef::PEM_LABEL => bytes,
            _ => return Err(malformed()),
        };
        // A reader of BER would take other encodings of the same key.
        PrivateKeyInfoRef::from_der(&plain).map_err(|_| malformed())?;
        SecretKey::from_pkcs8_der(&plain).ok().and_then(Self::admit).ok_or_else(malformed)
    }

    /// Whether the PEM text says that it is encrypted.
    pub(crate) fn is_encrypted(pem: &[u8]) -> bool {
        der::pem::decode_label(pem) == Ok(PEM_ENCRYPTED)
    }

    /// Writes PKCS#8 in PEM, encrypted if there is a passphrase.
    pub(crate) fn to_pem(
        &self,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<String>, Failure> {
        let malformed = |_| Failure::of(problems::KEY_MALFORMED);
        let plain = self.0.to_pkcs8_der().map_err(|_| problems::KEY_MALFORMED)?;
        let Some(passphrase) = passphrase else {
            return plain
                .to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)
                .map_err(|_| problems::KEY_MALFORMED.into());
        };
        let sealed = protection::seal(plain.as_bytes(), passphrase)?;
        der::pem::encode_string(PEM_ENCRYPTED, LineEnding::LF, &sealed)
            .map(Zeroizing::new)
            .map_err(malformed)
    }

    /// SubjectPublicKeyInfo, DER.
    pub(crate) fn public_key_der(&self) -> Vec<u8> {
        self.0
            .public_key()
            .to_public_key_der()
            .map(|document| document.into_vec())
            .expect("a point of the curve has an encoding")
    }

    /// The point of the curve, 04 ‖ X ‖ Y.
    pub(crate) fn public_point(&self) -> Box<[u8]> {
        self.0.public_key().to_sec1_bytes()
    }

    /// Signs a message with the default identifier; r ‖ s, 64 bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.sign_raw_as(DEFAULT_IDENTIFIER, message)
    }

    /// The same as a DER SEQUENCE, which certificates and requests use (GM/T 0009-2012, 7.3).
    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(DEFAULT_IDENTIFIER, message)
            .expect("an identifier of 16 octets is short enough")
    }

    /// Decrypts an SM2Cipher, DER, in the order C1 C3 C2 (GM/T 0009-2012, 7.2).
    pub(super) fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        // Made for the occasion, since this type does not wipe itself.
        let key = DecryptingKey::from_nonzero_scalar(self.0.to_nonzero_scalar()).ok()?;
        key.decrypt_der(ciphertext).ok().map(Zeroizing::new)
    }

    /// The same under another identifier than the default one; nothing when that is too long.
    pub(crate) fn sign_as(&self, identifier: &str, message: &[u8]) -> Option<Vec<u8>> {
        let signature = SigningKey::new(identifier, &self.0).ok()?.sign(message);
        signature.to_der().to_der().ok()
    }

    /// r ‖ s under an identifier of our own.
    pub(crate) fn sign_raw_as(&self, identifier: &'static str, message: &[u8]) -> [u8; 64] {
        // Made for the occasion, since this type does not wipe itself.
        let key = SigningKey::new(identifier, &self.0).expect("our identifiers are short enough");
        key.sign(message).to_bytes().into()
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use sm2::{
        PublicKey,
        dsa::{Signature, VerifyingKey, signature::Verifier as _},
        pkcs8::DecodePublicKey as _,
    };

    use super::*;

    #[test]
    fn keys_survive_their_file() {
        let key = ClientKey::generate().unwrap();
        let pem = key.to_pem(None).unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let read = ClientKey::from_pem(pem.as_bytes(), None).unwrap();
        assert_eq!(read.public_key_der(), key.public_key_der());
        assert_eq!(format!("{read:?}"), "ClientKey(..)");
    }

    #[test]
    fn encrypted_keys_need_their_passphrase() {
        let key = ClientKey::generate().unwrap();
        let [right, wrong] = [b"correct horse".to_vec(), b"wrong".to_vec()]
            .map(|octets| Passphrase::new(octets).unwrap());
        let pem = key.to_pem(Some(&right)).unwrap();
        assert!(ClientKey::is_encrypted(pem.as_bytes()));
        let read = ClientKey::from_pem(pem.as_bytes(), Some(&right)).unwrap();
        assert_eq!(read.public_key_der(), key.public_key_der());
        let refused = ClientKey::from_pem(pem.as_bytes(), Some(&wrong)).unwrap_err();
        assert_eq!(refused.reason, "PASSPHRASE_WRONG");
        let refused = ClientKey::from_pem(pem.as_bytes(), None).unwrap_err();
        assert_eq!(refused.reason, "PASSPHRASE_NEEDED");
    }

    #[test]
    fn signatures_verify_under_the_default_identifier() {
        let key = ClientKey::generate().unwrap();
        let public = PublicKey::from_public_key_der(&key.public_key_der()).unwrap();
        let verifier = VerifyingKey::new(DEFAULT_IDENTIFIER, public).unwrap();
        let raw = Signature::from_slice(&key.sign(b"message")).unwrap();
        verifier.verify(b"message", &raw).unwrap();
        let der = Signature::from_der(&key.sign_der(b"message")).unwrap();
        verifier.verify(b"message", &der).unwrap();
        assert!(verifier.verify(b"massage", &raw).is_err());
    }

    #[test]
    fn other_files_are_refused() {
        let largest = -Scalar::ONE;
        let top = SecretKey::from_slice(&largest.to_bytes()).unwrap();
        let top = top.to_pkcs8_pem(LineEnding::LF).unwrap();
        let cases: [(&str, &str); 4] = [
            ("nothing", ""),
            ("not PEM", "key"),
            ("a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            ("d = n-1", &top),
        ];
        for (what, pem) in cases {
            let refused = ClientKey::from_pem(pem.as_bytes(), None).unwrap_err();
            assert_eq!(refused.reason, "KEY_MALFORMED", "{what}");
        }
    }
}
