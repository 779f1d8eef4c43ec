//! Keys: public ones, private ones, and how they are written.

use hsm::sm2::SecretKey;

use crate::{
    ber::{self, BIT_STRING, Element, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE},
    certificate,
};

pub use hsm::sm2::PublicKey;

/// id-ecPublicKey (RFC 5480).
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
/// SM2, and the name of its curve (GB/T 33560-2017).
const SM2: &str = "1.2.156.10197.1.301";
/// PBES2 and PBKDF2 (RFC 8018).
const PBES2: &str = "1.2.840.113549.1.5.13";
const PBKDF2: &str = "1.2.840.113549.1.5.12";

/// HMAC-SM3: the standard's identifier, and that of the OpenSSL family.
pub const HMAC_SM3: [&str; 2] = ["1.2.156.10197.1.401.2", "1.2.156.10197.1.401.3.1"];
/// SM4; the mode is one number more.
const SM4: &str = "1.2.156.10197.1.104.";

/// How a point is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PointForm {
    /// 04 ‖ X ‖ Y.
    Uncompressed,
    /// X ‖ Y without the octet before them.
    WithoutPrefix,
    /// 02 or 03, and X.
    Compressed,
    /// 06 or 07, X and Y.
    Hybrid,
}

/// How the algorithm of a key names the curve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Curve {
    /// id-ecPublicKey with the name 1.2.156.10197.1.301: what the standards ask for.
    Named,
    /// id-ecPublicKey with the parameters written out: whoever believes them can be given another base point.
    Explicit,
    /// 1.2.156.10197.1.301 stands in the place of id-ecPublicKey.
    AlgorithmItself,
    /// The name of another curve, or another algorithm.
    Other(String),
}

/// What stands around a public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublicForm {
    /// SubjectPublicKeyInfo.
    Info(Curve),
    /// Within a certificate.
    Certificate(Curve),
    /// The point alone.
    Bare,
    /// ECCrefPublicKey of devices, by the octets that each coordinate has room for: 64 or 32 (GM/T 0018).
    Device(u8),
}

/// What stands around a private key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PrivateForm {
    /// PrivateKeyInfo (PKCS#8).
    Info(Curve),
    /// ECPrivateKey (SEC 1, RFC 5915).
    Sec1,
    /// The number alone, 32 octets.
    Bare,
    /// ECCrefPrivateKey of devices, by the octets that the number has room for.
    Device(u8),
}

/// How a private key is encrypted (PKCS#8, PBES2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encryption {
    /// Identifier of the function under PBKDF2; the standard's default when it is left out.
    pub prf: Option<String>,
    /// Identifier of the cipher.
    pub cipher: String,
    /// Rounds of PBKDF2.
    pub rounds: u64,
}

/// A key that was recognized.
#[derive(Clone, Debug)]
pub enum Key {
    /// A public key.
    Public {
        /// What stands around it.
        form: PublicForm,
        /// How its point is written.
        point: PointForm,
        /// The key; nothing when it is no point of the curve.
        key: Option<PublicKey>,
    },
    /// A private key. Nothing of it is told but its public key.
    Private {
        /// What stands around it.
        form: PrivateForm,
        /// Its public key; nothing when the number is out of range.
        key: Option<PublicKey>,
        /// Whether a public key that stands beside it is its own; nothing where none does.
        matches: Option<bool>,
    },
    /// A private key that is encrypted.
    Encrypted(Encryption),
}

/// A key and what is wrong around it.
#[derive(Clone, Debug)]
pub struct Read {
    /// The key.
    pub key: Key,
    /// Whether octets follow it.
    pub trailing: bool,
}

impl Read {
    /// Whether it is what the standards ask for: a key of the curve by its name, or in a device's form; when
    /// encrypted, with SM4 under HMAC-SM3.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        let sound = match &self.key {
            Key::Public { form, point, key } => {
                let form = match form {
                    PublicForm::Info(curve) | PublicForm::Certificate(curve) => {
                        *curve == Curve::Named && *point == PointForm::Uncompressed
                    }
                    PublicForm::Bare => *point == PointForm::Uncompressed,
                    PublicForm::Device(_) => true,
                };
                form && key.is_some()
            }
            Key::Private { form, key, matches } => {
                let named = !matches!(form, PrivateForm::Info(curve) if *curve != Curve::Named);
                named && key.is_some() && *matches != Some(false)
            }
            Key::Encrypted(encryption) => encryption.is_national(),
        };
        sound && !self.trailing
    }
}

impl Encryption {
    /// Whether both algorithms are national ones. HMAC-SM3 has two identifiers in use.
    #[must_use]
    pub fn is_national(&self) -> bool {
        let prf = self.prf.as_deref();
        prf.is_some_and(|prf| HMAC_SM3.contains(&prf)) && self.cipher.starts_with(SM4)
    }
}

/// Recognizes a key; nothing when it is none.
#[must_use]
pub fn read(octets: &[u8]) -> Option<Read> {
    let bare = |key| Read { key, trailing: false };
    match octets.len() {
        32 => return Some(bare(private(PrivateForm::Bare, octets, None))),
        33 | 65 | 64 => {
            if let Some((point, key)) = point(octets) {
                return Some(bare(Key::Public { form: PublicForm::Bare, point, key }));
            }
        }
        _ => {}
    }
    device(octets).map(bare).or_else(|| {
        let (outer, trailing) = ber::first(octets, SEQUENCE)?;
        let read = [info, private_info, sec1, encrypted, of_certificate];
        let key = read.iter().find_map(|read| read(outer))?;
        Some(Read { key, trailing })
    })
}

/// The private key within, for trying what it opens.
#[must_use]
pub fn secret(octets: &[u8]) -> Option<SecretKey> {
    let (_, number) = match octets.len() {
        32 => (PrivateForm::Bare, octets),
        _ => match device_number(octets) {
            Some(found) => found,
            None => {
                let (outer, _) = ber::first(octets, SEQUENCE)?;
                let (_, inner) = private_info_parts(outer).unzip();
                (PrivateForm::Sec1, sec1_parts(inner.unwrap_or(outer))?.0)
            }
        },
    };
    SecretKey::from_be_bytes(number).ok()
}

/// The public key within, whatever it is written in.
#[must_use]
pub fn public(octets: &[u8]) -> Option<PublicKey> {
    match read(octets)?.key {
        Key::Public { key, .. } | Key::Private { key, .. } => key,
        Key::Encrypted(_) => None,
    }
}

/// A point, and whether it is one of the curve.
fn point(octets: &[u8]) -> Option<(PointForm, Option<PublicKey>)> {
    let key = |octets: &[u8]| PublicKey::from_sec1(octets).ok();
    match octets {
        [4, ..] if octets.len() == 65 => Some((PointForm::Uncompressed, key(octets))),
        [6 | 7, rest @ ..] if rest.len() == 64 => {
            Some((PointForm::Hybrid, key(&[&[4], rest].concat())))
        }
        [2 | 3, ..] if octets.len() == 33 => {
            use sm2::elliptic_curve::sec1::ToSec1Point as _;
            let expanded = sm2::PublicKey::from_sec1_bytes(octets).ok();
            let key = expanded.and_then(|point| key(point.to_sec1_point(false).as_bytes()));
            Some((PointForm::Compressed, key))
        }
        _ if octets.len() == 64 => Some((PointForm::WithoutPrefix, key(&[&[4], octets].concat()))),
        _ => None,
    }
}

/// What devices write: a number of bits, low octet first, and numbers with zeros before them.
fn device(octets: &[u8]) -> Option<Key> {
    for room in [64, 32] {
        let Some(rest) = octets.strip_prefix(&256_u32.to_le_bytes()) else { break };
        if rest.len() != 2 * room {
            continue;
        }
        let (x, y) = rest.split_at(room);
        let (x, y) = (right(x)?, right(y)?);
        if let Ok(key) = PublicKey::from_sec1(&[&[4], x, y].concat()) {
            let form = PublicForm::Device(room as u8);
            return Some(Key::Public { form, point: PointForm::WithoutPrefix, key: Some(key) });
        }
    }
    let (form, number) = device_number(octets)?;
    Some(private(form, number, None))
}

fn device_number(octets: &[u8]) -> Option<(PrivateForm, &[u8])> {
    let rest = octets.strip_prefix(&256_u32.to_le_bytes())?;
    let room = u8::try_from(rest.len()).ok().filter(|room| [32, 64].contains(room))?;
    Some((PrivateForm::Device(room), right(rest)?))
}

/// The last 32 octets, when all before them are zero.
fn right(octets: &[u8]) -> Option<&[u8]> {
    let (zeros, number) = octets.split_at_checked(octets.len().checked_sub(32)?)?;
    zeros.iter().all(|octet| *octet == 0).then_some(number)
}

/// SubjectPublicKeyInfo.
fn info(outer: Element<'_>) -> Option<Key> {
    let (curve, point, key) = info_parts(outer)?;
    Some(Key::Public { form: PublicForm::Info(curve), point, key })
}

pub(crate) fn info_parts(outer: Element<'_>) -> Option<(Curve, PointForm, Option<PublicKey>)> {
    let mut fields = outer.elements();
    let (algorithm, key) = (fields.of(SEQUENCE)?, fields.of(BIT_STRING)?);
    let (form, key) = point(key.bits()?)?;
    let curve = curve(algorithm)?;
    let key = key.filter(|_| !matches!(curve, Curve::Other(_)));
    Some((curve, form, key))
}

fn of_certificate(outer: Element<'_>) -> Option<Key> {
    let (curve, point, key) = info_parts(certificate::parts(outer)?.key)?;
    Some(Key::Public { form: PublicForm::Certificate(curve), point, key })
}

/// The curve that an AlgorithmIdentifier names.
fn curve(algorithm: Element<'_>) -> Option<Curve> {
    let mut fields = algorithm.elements();
    let name = fields.of(OID)?.oid()?;
    let parameters = fields.next();
    Some(match (name.as_str(), parameters) {
        (EC_PUBLIC_KEY, Some(parameters)) if parameters.tag == SEQUENCE => Curve::Explicit,
        (EC_PUBLIC_KEY, Some(parameters)) => match parameters.oid() {
            Some(curve) if curve == SM2 => Curve::Named,
            Some(curve) => Curve::Other(curve),
            None => Curve::Other(name),
        },
        (SM2, parameters) if parameters.is_none_or(|it| [NULL, OID].contains(&it.tag)) => {
            Curve::AlgorithmItself
        }
        _ => Curve::Other(name),
    })
}

fn private(form: PrivateForm, number: &[u8], beside: Option<&[u8]>) -> Key {
    let key = SecretKey::from_be_bytes(number).ok().map(|secret| secret.public().clone());
    let matches = beside.map(|beside| key.as_ref().is_some_and(|key| key.as_sec1() == beside));
    Key::Private { form, key, matches }
}

/// ECPrivateKey: the number, and the public key beside it.
fn sec1(outer: Element<'_>) -> Option<Key> {
    let (number, beside) = sec1_parts(outer)?;
    Some(private(PrivateForm::Sec1, number, beside))
}

fn sec1_parts(outer: Element<'_>) -> Option<(&[u8], Option<&[u8]>)> {
    let mut fields = outer.elements();
    let version = fields.of(INTEGER)?;
    let number = fields.of(OCTET_STRING)?;
    if version.content != [1] {
        return None;
    }
    fields.of(0xa0);
    let beside = fields.of(0xa1).and_then(|it| it.elements().next()?.bits());
    Some((number.content, beside))
}

/// PrivateKeyInfo: the curve, and the ECPrivateKey within.
fn private_info_parts(outer: Element<'_>) -> Option<(Curve, Element<'_>)> {
    let mut fields = outer.elements();
    let version = fields.of(INTEGER)?;
    let (algorithm, key) = (fields.of(SEQUENCE)?, fields.of(OCTET_STRING)?);
    let version = matches!(version.content, [0 | 1]);
    let (inner, _) = ber::first(key.content, SEQUENCE)?;
    version.then_some((curve(algorithm)?, inner))
}

fn private_info(outer: Element<'_>) -> Option<Key> {
    let (curve, inner) = private_info_parts(outer)?;
    let (number, beside) = sec1_parts(inner)?;
    Some(private(PrivateForm::Info(curve), number, beside))
}

/// EncryptedPrivateKeyInfo with PBES2 and PBKDF2.
fn encrypted(outer: Element<'_>) -> Option<Key> {
    let mut fields = outer.elements();
    let (algorithm, _) = (fields.of(SEQUENCE)?, fields.of(OCTET_STRING)?);
    let mut algorithm = algorithm.elements();
    if algorithm.of(OID)?.oid()? != PBES2 {
        return None;
    }
    let mut parameters = algorithm.of(SEQUENCE)?.elements();
    let (mut derivation, mut cipher) =
        (parameters.of(SEQUENCE)?.elements(), parameters.of(SEQUENCE)?.elements());
    if derivation.of(OID)?.oid()? != PBKDF2 {
        return None;
    }
    let mut derivation = derivation.of(SEQUENCE)?.elements();
    derivation.of(OCTET_STRING)?;
    let (rounds, _) = derivation.of(INTEGER)?.number()?;
    let (high, low) = rounds.split_last_chunk::<8>()?;
    let rounds = if high == [0; 24] { u64::from_be_bytes(*low) } else { u64::MAX };
    derivation.of(INTEGER);
    let prf = match derivation.of(SEQUENCE) {
        Some(prf) => Some(prf.elements().of(OID)?.oid()?),
        None => None,
    };
    let cipher = cipher.of(OID)?.oid()?;
    Some(Key::Encrypted(Encryption { prf, cipher, rounds }))
}

/// The SubjectPublicKeyInfo in PEM, for commands of others.
#[must_use]
pub fn pem(key: &PublicKey) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(key.to_spki_der());
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests;
