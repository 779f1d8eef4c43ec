//! sm2sig_sm3 (RFC 8998, 3.2.1), with two identifiers of the signer: that of certificates, and that of handshakes. A
//! signature of the one kind is none of the other.

use std::{fmt, sync::Arc};

use hsm::{
    Sm2Signer,
    sm2::{PublicKey, Signature, SignerId},
};
use rustls::{
    Error, SignatureAlgorithm, SignatureScheme,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{
        AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
        SubjectPublicKeyInfoDer,
    },
    sign::{CertifiedKey, Signer, SigningKey},
};

/// sm2sig_sm3.
pub const SIGNATURE_SCHEME: SignatureScheme = SignatureScheme::Unknown(0x0708);

/// Identifier of whoever signs a certificate (GM/T 0009-2012, 10).
const OF_CERTIFICATES: &str = "1234567812345678";
/// Identifier of whoever signs a handshake (RFC 8998, 3.2.1).
const OF_HANDSHAKES: &str = "TLSv1.3+GM+Cipher+Suite";

/// id-ecPublicKey (1.2.840.10045.2.1) on the curve 1.2.156.10197.1.301, DER.
const PUBLIC_KEY: [u8; 19] = [
    0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55,
    0x01, 0x82, 0x2D,
];
/// SM2 over SM3 (1.2.156.10197.1.501) without parameters, DER.
const SIGNATURE: [u8; 10] = [0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x83, 0x75];

/// A key with which an end of a connection shows who it is.
pub trait HandshakeKey: Send + Sync {
    /// The public key: SubjectPublicKeyInfo, DER.
    fn public_key(&self) -> Vec<u8>;

    /// Signs `message` with SM2 over SM3, with `identifier` as the signer's: SEQUENCE of *r* and *s*, DER.
    ///
    /// # Errors
    /// [`CannotSign`].
    fn sign(&self, identifier: &str, message: &[u8]) -> Result<Vec<u8>, CannotSign>;
}

/// The key of a handshake was not at hand; the keystore has said why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of the handshake could not be used")]
pub struct CannotSign;

/// A key of a keystore.
impl HandshakeKey for Arc<dyn Sm2Signer> {
    fn public_key(&self) -> Vec<u8> {
        Sm2Signer::public_key(&**self).to_spki_der()
    }

    fn sign(&self, identifier: &str, message: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let identifier = SignerId::new(identifier.as_bytes()).map_err(|_| CannotSign)?;
        let e = Sm2Signer::public_key(&**self).digest(&identifier, message);
        let signature = Sm2Signer::sign(&**self, &e).map_err(|_| CannotSign)?;
        Ok(signature.to_der())
    }
}

/// A chain, the holder's certificate first, with its key.
///
/// # Errors
/// [`Error::InconsistentKeys`] when the first certificate is for another key.
pub fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: impl HandshakeKey + 'static,
) -> Result<CertifiedKey, Error> {
    let public = key.public_key();
    let certified = CertifiedKey::new(chain, Arc::new(Key { public, key: Arc::new(key) }));
    certified.keys_match()?;
    Ok(certified)
}

struct Key {
    public: Vec<u8>,
    key: Arc<dyn HandshakeKey>,
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SIGNATURE_SCHEME).then(|| Box::new(Handshake(Arc::clone(&self.key))) as _)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(&*self.public))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

struct Handshake(Arc<dyn HandshakeKey>);

impl Signer for Handshake {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(OF_HANDSHAKES, message).map_err(|cause| Error::General(cause.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SIGNATURE_SCHEME
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(..)")
    }
}

/// What signatures of certificates, and of handshakes, are checked with.
#[must_use]
pub fn signature_verification() -> WebPkiSupportedAlgorithms {
    ALGORITHMS
}

pub(crate) static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[&Verification(OF_CERTIFICATES)],
    mapping: &[(SIGNATURE_SCHEME, &[&Verification(OF_HANDSHAKES)])],
};

/// Checks signatures of signers with this identifier.
#[derive(Debug)]
struct Verification(&'static str);

impl SignatureVerificationAlgorithm for Verification {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(&PUBLIC_KEY)
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(&SIGNATURE)
    }

    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = PublicKey::from_sec1(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        let identifier = SignerId::new(self.0.as_bytes()).map_err(|_| InvalidSignature)?;
        key.verify(&key.digest(&identifier, message), &signature).map_err(|_| InvalidSignature)
    }
}

#[cfg(test)]
mod tests {
    use hsm::sm2::SecretKey;

    use super::*;

    /// Both verifications, and signatures that a key made under `identifier`.
    fn verdicts(identifier: &str) -> (bool, bool) {
        let key: Arc<dyn Sm2Signer> = Arc::new(SecretKey::generate());
        let public = *Sm2Signer::public_key(&*key).as_sec1();
        let signature = key.sign(identifier, b"message").unwrap();
        let verdict = |by: &dyn SignatureVerificationAlgorithm| {
            by.verify_signature(&public, b"message", &signature).is_ok()
        };
        (verdict(ALGORITHMS.all[0]), verdict(ALGORITHMS.mapping[0].1[0]))
    }

    #[test]
    fn each_kind_of_signature_has_its_identifier() {
        assert_eq!(verdicts(OF_CERTIFICATES), (true, false));
        assert_eq!(verdicts(OF_HANDSHAKES), (false, true));
        assert_eq!(verdicts(""), (false, false));
    }

    #[test]
    fn signatures_and_keys_have_one_encoding() {
        let key: Arc<dyn Sm2Signer> = Arc::new(SecretKey::generate());
        let public = *Sm2Signer::public_key(&*key).as_sec1();
        let good = key.sign(OF_HANDSHAKES, b"message").unwrap();
        let verify = |public: &[u8], message: &[u8], signature: &[u8]| {
            ALGORITHMS.mapping[0].1[0].verify_signature(public, message, signature).is_ok()
        };
        assert!(verify(&public, b"message", &good));
        assert!(!verify(&public, b"massage", &good));
        assert!(!verify(&public[..64], b"message", &good));
        let compressed = [&[2 + (public[64] & 1)][..], &public[1..33]].concat();
        assert!(!verify(&compressed, b"message", &good));
        let raw = *Signature::from_der(&good).unwrap().as_raw();
        assert!(!verify(&public, b"message", &raw), "r and s without their SEQUENCE");
        assert!(!verify(&public, b"message", &[&good[..], &[0]].concat()));
        assert!(!verify(&public, b"message", &[]));
    }

    #[test]
    fn other_schemes_are_not_signed_with() {
        let signer: Arc<dyn Sm2Signer> = Arc::new(SecretKey::generate());
        let key = Key { public: signer.public_key(), key: Arc::new(signer) };
        let others = [SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519];
        assert!(key.choose_scheme(&others).is_none() && key.choose_scheme(&[]).is_none());
        let chosen = key.choose_scheme(&[others[0], SIGNATURE_SCHEME]).unwrap();
        assert_eq!(chosen.scheme(), SIGNATURE_SCHEME);
        assert_eq!(format!("{key:?} {chosen:?}"), "Key(..) Handshake(..)");
    }
}
