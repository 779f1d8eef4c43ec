//! Protection of the key file by a passphrase: PKCS#8 EncryptedPrivateKeyInfo with PBES2
//! (RFC 8018, 6.2), PBKDF2 over HMAC-SM3 and SM4-CBC.

use cbc::cipher::{
    BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7,
};
use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{Any, AnyRef, ObjectIdentifier, OctetString},
};
use sm3::Sm3;
use sm4::Sm4;
use zeroize::Zeroizing;

use super::Passphrase;
use crate::{failure::Failure, text::problems};

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
/// SM3 with key (GB/T 33560-2017, annex A).
const HMAC_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.401.2");
/// The number that the OpenSSL family uses for the same.
const HMAC_SM3_OPENSSL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.401.3.1");
const SM4_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.2");

/// Rounds written; about a tenth of a second.
const ROUNDS: u32 = 100_000;
/// Rounds accepted: fewer protect nothing, more would only stall.
const ACCEPTED_ROUNDS: std::ops::RangeInclusive<u32> = 10_000..=10_000_000;

#[derive(Sequence)]
struct Encrypted {
    algorithm: Algorithm,
    data: OctetString,
}

#[derive(Sequence)]
struct Algorithm {
    oid: ObjectIdentifier,
    parameters: Any,
}

#[derive(Sequence)]
struct Pbes2 {
    derivation: Algorithm,
    cipher: Algorithm,
}

#[derive(Sequence)]
struct Pbkdf2 {
    salt: OctetString,
    rounds: u32,
    #[asn1(optional = "true")]
    key_length: Option<u16>,
    /// The default, HMAC with SHA-1, is not accepted, so it is required here.
    function: Function,
}

#[derive(Sequence)]
struct Function {
    oid: ObjectIdentifier,
    #[asn1(optional = "true")]
    parameters: Option<Any>,
}

/// Encrypts PKCS#8 DER.
pub(super) fn seal(plain: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>, Failure> {
    let mut salt = [0; 16];
    let mut iv = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
    getrandom::fill(&mut iv).map_err(|_| problems::RANDOMNESS_UNAVAILABLE)?;
    let key = derive(passphrase, &salt, ROUNDS);
    let data =
        cbc::Encryptor::<Sm4>::new((&*key).into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(plain);
    encode(&salt, &iv, data).map_err(|_| problems::KEY_MALFORMED.into())
}

fn encode(salt: &[u8], iv: &[u8], data: Vec<u8>) -> der::Result<Vec<u8>> {
    let derivation = Pbkdf2 {
        salt: OctetString::new(salt)?,
        rounds: ROUNDS,
        key_length: Some(16),
        function: Function { oid: HMAC_SM3, parameters: Some(AnyRef::NULL.into()) },
    };
    let scheme = Pbes2 {
        derivation: Algorithm { oid: PBKDF2, parameters: Any::encode_from(&derivation)? },
        cipher: Algorithm { oid: SM4_CBC, parameters: Any::encode_from(&OctetString::new(iv)?)? },
    };
    let algorithm = Algorithm { oid: PBES2, parameters: Any::encode_from(&scheme)? };
    Encrypted { algorithm, data: OctetString::new(data)? }.to_der()
}

/// Decrypts to PKCS#8 DER.
pub(super) fn open(sealed: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let parts = decode(sealed).ok_or(problems::KEY_MALFORMED)?;
    let key = derive(passphrase, parts.salt.as_bytes(), parts.rounds);
    let plain = cbc::Decryptor::<Sm4>::new((&*key).into(), &parts.iv.into())
        .decrypt_padded_vec::<Pkcs7>(parts.data.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| problems::PASSPHRASE_WRONG)?;
    // One wrong passphrase in 256 yields good padding, and then no DER.
    match pkcs8::PrivateKeyInfoRef::from_der(&plain) {
        Ok(_) => Ok(plain),
        Err(_) => Err(problems::PASSPHRASE_WRONG.into()),
    }
}

struct Parts {
    salt: OctetString,
    rounds: u32,
    iv: [u8; 16],
    data: OctetString,
}

fn decode(sealed: &[u8]) -> Option<Parts> {
    let Encrypted { algorithm, data } = Encrypted::from_der(sealed).ok()?;
    let scheme: Pbes2 = parameters(algorithm, PBES2)?;
    let derivation: Pbkdf2 = parameters(scheme.derivation, PBKDF2)?;
    let iv: OctetString = parameters(scheme.cipher, SM4_CBC)?;
    let function = derivation.function;
    let known = matches!(function.oid, HMAC_SM3 | HMAC_SM3_OPENSSL)
        && function.parameters.is_none_or(|given| given == Any::from(AnyRef::NULL))
        && derivation.key_length.is_none_or(|length| length == 16)
        && ACCEPTED_ROUNDS.contains(&derivation.rounds)
        && (8..=64).contains(&derivation.salt.as_bytes().len());
    known.then_some(())?;
    let iv = iv.as_bytes().try_into().ok()?;
    Some(Parts { salt: derivation.salt, rounds: derivation.rounds, iv, data })
}

/// The parameters of an algorithm, if it is the one expected.
fn parameters<T>(algorithm: Algorithm, expected: ObjectIdentifier) -> Option<T>
where
    T: for<'a> der::Decode<'a>,
{
    (algorithm.oid == expected).then_some(())?;
    T::from_der(&algorithm.parameters.to_der().ok()?).ok()
}

fn derive(passphrase: &Passphrase, salt: &[u8], rounds: u32) -> Zeroizing<[u8; 16]> {
    let mut key = Zeroizing::new([0; 16]);
    pbkdf2::pbkdf2_hmac::<Sm3>(passphrase.expose(), salt, rounds, key.as_mut());
    key
}
