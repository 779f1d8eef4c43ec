//! The sealed file: a header in the clear, then everything else under one seal.
//!
//! ```text
//!  0  8   "hckeys\r\n": the line break shows a file that was sent as text
//!  8  2   format, 2; 1 has another content and is read as well
//! 10  2   key derivation, 1 = PBKDF2-HMAC-SM3
//! 12  4   iterations
//! 16  16  salt
//! 32  8   check value of the passphrase
//! 40  4   length of the sealed part
//! 44  8   checksum: the first octets of SM3 over 0..44
//! 52  …   nonce (12) ‖ ciphertext ‖ tag (16), SM4-GCM; associated data are 0..52
//! ```
//!
//! Numbers are big-endian. PBKDF2 gives 32 octets, of which HKDF-SM3 makes the sealing key and the
//! check value, so that the one says nothing about the other.

use super::share::{self, Share, ShareError};
use super::{KeystoreError, Passphrase, Unseal};
use crate::sm4::{SEAL_OVERHEAD, Sm4Key};
use crate::{kdf, random, sm3};
use std::fmt;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// The longest keystore file in octets.
pub(super) const MAX_FILE: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"hckeys\r\n";
const FORMAT: u16 = 2;
/// What is read, and written no more.
const OLD_FORMAT: u16 = 1;
const PBKDF2_HMAC_SM3: u16 = 1;
const CHECKED: usize = 44;
const HEADER: usize = 52;

/// How often PBKDF2 iterates: what each guess of the passphrase costs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Iterations(NonZeroU32);

impl Iterations {
    /// The least that is accepted.
    pub const MINIMUM: Self = Self(NonZeroU32::new(100_000).expect("not 0"));
    /// What new keystores use.
    pub const DEFAULT: Self = Self(NonZeroU32::new(600_000).expect("not 0"));
    /// The most that is accepted, so that a forged file cannot occupy the processor for long.
    pub const MAXIMUM: Self = Self(NonZeroU32::new(10_000_000).expect("not 0"));

    /// A number of iterations from [`MINIMUM`](Self::MINIMUM) to [`MAXIMUM`](Self::MAXIMUM).
    ///
    /// # Errors
    /// [`IterationsOutOfBounds`] otherwise.
    pub fn new(iterations: u32) -> Result<Self, IterationsOutOfBounds> {
        NonZeroU32::new(iterations)
            .map(Self)
            .filter(|iterations| (Self::MINIMUM..=Self::MAXIMUM).contains(iterations))
            .ok_or(IterationsOutOfBounds(iterations))
    }
}

impl fmt::Display for Iterations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of iterations that protects too little or costs too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} iterations are not between 100,000 and 10,000,000")]
pub struct IterationsOutOfBounds(
    /// The number that was given.
    pub u32,
);

/// What was under the seal.
pub(super) enum Content {
    /// Of the format that is written.
    Present(Zeroizing<Vec<u8>>),
    /// Of the one before.
    Old(Zeroizing<Vec<u8>>),
}

/// What a passphrase became: seals the file again without asking for it.
pub(super) struct Vault {
    iterations: Iterations,
    salt: [u8; 16],
    /// What PBKDF2 made of the passphrase, and what shares of custodians give.
    root: Box<Zeroizing<[u8; 32]>>,
    check: [u8; 8],
    key: Sm4Key,
}

impl Vault {
    /// A vault with a fresh salt.
    pub(super) fn new(passphrase: &Passphrase, iterations: Iterations) -> Self {
        let mut salt = [0; 16];
        random::fill(&mut salt);
        Self::derive(passphrase, iterations, salt)
    }

    /// Reads a file: the header with no cost, then the passphrase or the shares, then the seal.
    pub(super) fn open(
        octets: &[u8],
        unseal: Unseal<'_>,
    ) -> Result<(Self, Content), KeystoreError> {
        let (format, header, sealed) = split(octets)?;
        let mut fields = Fields(&header[12..]);
        let iterations = Iterations::new(u32::from_be_bytes(fields.take()))?;
        let (salt, check) = (fields.take(), fields.take::<8>());

        let vault = match unseal {
            Unseal::Passphrase(passphrase) => Self::derive(passphrase, iterations, salt),
            Unseal::Shares(shares) => {
                Self::of(Box::new(share::combine(salt, shares)?), iterations, salt)
            }
        };
        // Public on both sides: the check value stands in the file.
        if vault.check != check {
            return Err(match unseal {
                Unseal::Passphrase(_) => KeystoreError::WrongPassphrase,
                Unseal::Shares(_) => ShareError::Forged.into(),
            });
        }
        let content = vault.key.open(header, sealed).map_err(|_| KeystoreError::ContentDamaged)?;
        Ok((
            vault,
            if format == OLD_FORMAT { Content::Old(content) } else { Content::Present(content) },
        ))
    }

    /// Writes a file.
    pub(super) fn seal(&self, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + SEAL_OVERHEAD).unwrap_or(u32::MAX);
        let mut file = Vec::with_capacity(HEADER + content.len() + SEAL_OVERHEAD);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&FORMAT.to_be_bytes());
        file.extend_from_slice(&PBKDF2_HMAC_SM3.to_be_bytes());
        file.extend_from_slice(&self.iterations.0.get().to_be_bytes());
        file.extend_from_slice(&self.salt);
        file.extend_from_slice(&self.check);
        file.extend_from_slice(&length.to_be_bytes());
        let checksum = checksum(&file);
        file.extend_from_slice(&checksum);
        let sealed = self.key.seal(&file, content);
        file.extend_from_slice(&sealed);
        file
    }

    /// Shares for custodians, any `threshold` of which open the file.
    pub(super) fn shares(&self, threshold: u8, count: u8) -> Result<Vec<Share>, ShareError> {
        share::make(self.salt, &self.root, threshold, count)
    }

    fn derive(passphrase: &Passphrase, iterations: Iterations, salt: [u8; 16]) -> Self {
        let root = kdf::pbkdf2::<32>(passphrase.expose(), &salt, iterations.0);
        Self::of(Box::new(root), iterations, salt)
    }

    fn of(root: Box<Zeroizing<[u8; 32]>>, iterations: Iterations, salt: [u8; 16]) -> Self {
        let check = *kdf::hkdf(b"", &root[..], b"healthcard keystore 1 check");
        let Ok(key) = Sm4Key::fill(|key| {
            key.copy_from_slice(
                &kdf::hkdf::<16>(b"", &root[..], b"healthcard keystore 1 seal")[..],
            );
            Ok::<(), std::convert::Infallible>(())
        });
        Self { iterations, salt, root, check, key }
    }
}

/// The format, the header and the sealed part, once everything in the clear is as it should be.
fn split(octets: &[u8]) -> Result<(u16, &[u8; HEADER], &[u8]), KeystoreError> {
    if !octets.starts_with(MAGIC) {
        return Err(KeystoreError::NotAKeystore);
    }
    let (header, sealed) = octets
        .split_first_chunk::<HEADER>()
        .ok_or(KeystoreError::Length { expected: HEADER + SEAL_OVERHEAD, found: octets.len() })?;
    // The format comes first: another one may have another header.
    let mut fields = Fields(&header[8..]);
    let format = u16::from_be_bytes(fields.take());
    let known = [OLD_FORMAT, FORMAT].contains(&format);
    if checksum(&header[..CHECKED]) != header[CHECKED..] {
        return Err(if known {
            KeystoreError::HeaderDamaged
        } else {
            KeystoreError::UnknownFormat(format)
        });
    }
    if !known || u16::from_be_bytes(fields.take()) != PBKDF2_HMAC_SM3 {
        return Err(KeystoreError::UnknownFormat(format));
    }
    let mut length = Fields(&header[40..]);
    let expected = HEADER + u32::from_be_bytes(length.take()) as usize;
    if octets.len() != expected {
        return Err(KeystoreError::Length { expected, found: octets.len() });
    }
    Ok((format, header, sealed))
}

fn checksum(header: &[u8]) -> [u8; 8] {
    *sm3::digest(header).first_chunk().expect("32 octets")
}

/// Takes fields off a header of known length.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the header holds its fields");
        self.0 = rest;
        *field
    }
}
