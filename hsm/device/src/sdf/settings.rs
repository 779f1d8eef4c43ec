//! Which device, which keys, and how its maker read the standard.

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

use hsm::KeyUse;
use hsm::key::Label;
use hsm::sdf::{Layout, algorithm};
use hsm::sm2::PublicKey;
use hsm::soft::Passphrase;

/// What is known of a device before it is opened.
#[derive(Debug)]
pub struct SdfSettings {
    /// Its library.
    pub library: PathBuf,
    /// Most sessions that are open at once.
    pub sessions: NonZeroU8,
    /// How long a caller waits for a session.
    pub wait: Duration,
    /// How its maker read the standard.
    pub dialect: Dialect,
    /// Its keys by index.
    pub keys: BTreeMap<u32, SdfKey>,
}

/// A key of the device: the signing pair of its index, or the encryption pair for
/// [`KeyUse::Decrypt`].
#[derive(Debug)]
pub struct SdfKey {
    /// The one thing it does.
    pub key_use: KeyUse,
    /// What people call it.
    pub label: Label,
    /// The access code (私钥访问控制码), where the device asks for one.
    pub access_code: Option<Passphrase>,
    /// The public key, where it is known: verification then needs no device even at the start, and
    /// another device is refused.
    pub public_key: Option<PublicKey>,
}

/// How a maker read the standard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dialect {
    /// How wide the fields of big numbers are.
    pub layout: Layout,
    /// The number of SM2 signatures.
    pub signature_number: SignatureNumber,
    /// The arguments of `SDF_InternalDecrypt_ECC`, which the standard does not have.
    pub decrypt_order: DecryptOrder,
}

/// The number by which a device knows SM2 signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignatureNumber {
    /// SGD_SM2_1, 0x00020200: the number of the algorithm.
    #[default]
    Sm2,
    /// SGD_SM3_SM2, 0x00020201 (GB/T 33560-2017).
    Sm3Sm2,
    /// SGD_SM3_SM2 as older headers compute it, 0x00020101.
    Sm3Sm2Old,
}

impl SignatureNumber {
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Sm2 => algorithm::SM2_SIGN,
            Self::Sm3Sm2 => algorithm::SM3_SM2,
            Self::Sm3Sm2Old => algorithm::SM3_SM2_OLD,
        }
    }
}

/// What follows the session in `SDF_InternalDecrypt_ECC`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DecryptOrder {
    /// The index, then the algorithm.
    #[default]
    IndexFirst,
    /// The algorithm, then the index.
    AlgorithmFirst,
}
