//! The suites (RFC 8998, 2), and the provider that has them and nothing else.

use hsm::random::{RandomSource as _, SystemRandom};
use rustls::{
    CipherSuite, CipherSuiteCommon, Error, SupportedCipherSuite, Tls13CipherSuite,
    crypto::{CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, tls13::HkdfUsingHmac},
    pki_types::PrivateKeyDer,
    sign::SigningKey,
};
use std::sync::Arc;

use crate::{
    exchange::CURVE_SM2,
    hash::{HmacSm3, Sm3},
    record::{CCM, GCM},
    signature::ALGORITHMS,
};

/// TLS_SM4_GCM_SM3.
pub static SM4_GCM_SM3: SupportedCipherSuite = SupportedCipherSuite::Tls13(&Tls13CipherSuite {
    // As for AES-GCM: the limit follows from the block's 128 bits (RFC 8446, 5.5).
    common: common(0x00C6, 1 << 24),
    hkdf_provider: &HkdfUsingHmac(&HmacSm3),
    aead_alg: &GCM,
    quic: None,
});

/// TLS_SM4_CCM_SM3.
pub static SM4_CCM_SM3: SupportedCipherSuite = SupportedCipherSuite::Tls13(&Tls13CipherSuite {
    common: common(0x00C7, 1 << 23),
    hkdf_provider: &HkdfUsingHmac(&HmacSm3),
    aead_alg: &CCM,
    quic: None,
});

const fn common(suite: u16, confidentiality_limit: u64) -> CipherSuiteCommon {
    CipherSuiteCommon {
        suite: CipherSuite::Unknown(suite),
        hash_provider: &Sm3,
        confidentiality_limit,
    }
}

/// Both suites, GCM first; the one curve, and the one signature. It reads no private keys: they are behind
/// [`HandshakeKey`](crate::HandshakeKey).
#[must_use]
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![SM4_GCM_SM3, SM4_CCM_SM3],
        kx_groups: vec![&CURVE_SM2],
        signature_verification_algorithms: ALGORITHMS,
        secure_random: &System,
        key_provider: &NoKeys,
    }
}

#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, octets: &mut [u8]) -> Result<(), GetRandomFailed> {
        SystemRandom.fill(octets).map_err(|_| GetRandomFailed)
    }
}

#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("keys stay in their keystore".to_owned()))
    }
}
