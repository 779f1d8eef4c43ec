//! The manifest of a bundle of rules of access (授权规则): which texts an institution works by, as which version, signed
//! with the key that its service keeps for this alone.
//!
//! ```text
//! healthcard.v1 rules of access
//! service healthcard.localhost
//! name county-hospital
//! version 3
//! made 2026-11-27T08:00:00.000000Z
//! rules.toml <64 hex: SM3 of the file>
//! access.cedar <64 hex>
//! cases.toml <64 hex>
//! digest <64 hex: what tokens and entries of the log name these rules by>
//!
//! signature <128 hex: r ‖ s>
//! ```
//!
//! `digest` is SM3 over the three files, each preceded by its length in octets, eight octets, big-endian. The signature
//! is SM2 over all lines up to and with that one, with the signer identifier [`SIGNER_ID`], so that it is none of
//! anything else. There is one form only. Whoever decides checks it before the rules are used (GM/T 0032-2014, 5).

use std::{fmt, iter};

use sm2::dsa::{Signature, VerifyingKey, signature::Verifier as _};

use crate::{entry::is_instant, note::decimal, tree::Hash};

#[cfg(test)]
mod tests;

/// The identifier of the signer, which enters the signature.
pub const SIGNER_ID: &str = "healthcard.v1/rules";
/// The texts of a bundle, by the names of their files.
pub const FILES: [&str; 3] = ["rules.toml", "access.cedar", "cases.toml"];
/// Most bytes of a signed manifest.
pub const MAX_MANIFEST: usize = 2048;
/// Most bytes of a line.
const MAX_LINE: usize = 300;
const TITLE: &str = "healthcard.v1 rules of access";

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the service that the rules are for.
    pub service: String,
    /// What people call the rules: one line.
    pub name: String,
    /// Their version, from 1. All rules of a service are counted together, whatever their names.
    pub version: u32,
    /// When they were signed, as entries of the log write it.
    pub made: String,
    /// SM3 of each text, in the order of [`FILES`].
    pub files: [Hash; 3],
    /// What decisions name the rules by.
    pub digest: Hash,
}

/// Why a manifest is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not of the form.
    #[error("not a manifest of rules: line {line} is not what belongs there")]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// The key to check with is none.
    #[error("the key is not an SM2 key")]
    Key,
    /// The holder of the key did not sign it.
    #[error("the manifest is not signed by this key")]
    NotSigned,
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, name, version, made, files, digest } = self;
        writeln!(f, "{TITLE}\nservice {service}\nname {name}\nversion {version}\nmade {made}")?;
        for (file, digest) in iter::zip(FILES, files) {
            writeln!(f, "{file} {}", hex::encode(digest))?;
        }
        writeln!(f, "digest {}", hex::encode(digest))
    }
}

impl Manifest {
    /// The signed manifest. `sign` gets the octets to be signed with SM2 and [`SIGNER_ID`], and answers r ‖ s.
    ///
    /// # Errors
    /// Those of `sign`.
    pub fn sign<E>(&self, sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>) -> Result<String, E> {
        let text = self.to_string();
        let signature = hex::encode(sign(text.as_bytes())?);
        Ok(format!("{text}\nsignature {signature}\n"))
    }

    /// Reads a manifest and checks its form. Who signed it is another question: [`check`].
    ///
    /// # Errors
    /// [`ManifestError::Form`].
    pub fn read(text: &str) -> Result<Self, ManifestError> {
        read(text).map(|(manifest, _)| manifest)
    }
}

/// Reads a manifest and checks it with a public key, 04 ‖ X ‖ Y. It asks no service, and looks at no file: that the
/// texts are those of the manifest is for whoever has them.
///
/// # Errors
/// [`ManifestError`].
pub fn check(text: &str, key: &[u8]) -> Result<Manifest, ManifestError> {
    let (manifest, signature) = read(text)?;
    let key = VerifyingKey::from_sec1_bytes(SIGNER_ID, key).map_err(|_| ManifestError::Key)?;
    let signature = Signature::from_slice(&signature).map_err(|_| ManifestError::NotSigned)?;
    key.verify(manifest.to_string().as_bytes(), &signature)
        .map_err(|_| ManifestError::NotSigned)?;
    Ok(manifest)
}

/// The manifest and its signature.
fn read(text: &str) -> Result<(Manifest, [u8; 64]), ManifestError> {
    let mut lines = Lines { text, number: 0 };
    if text.len() > MAX_MANIFEST || lines.next()? != TITLE {
        return Err(ManifestError::Form { line: 1 });
    }
    let manifest = Manifest {
        service: lines.value("service", word)?,
        name: lines.value("name", |name| Some(name.to_owned()).filter(|it| it.trim() == name))?,
        version: lines.value("version", |text| {
            u32::try_from(decimal(text)?).ok().filter(|version| *version > 0)
        })?,
        made: lines.value("made", |text| is_instant(text).then(|| text.to_owned()))?,
        files: {
            let [rules, access, cases] = FILES;
            [lines.value(rules, octets)?, lines.value(access, octets)?, lines.value(cases, octets)?]
        },
        digest: lines.value("digest", octets)?,
    };
    if !lines.next()?.is_empty() {
        return Err(lines.wrong());
    }
    let signature = lines.value("signature", octets)?;
    match lines.text {
        "" => Ok((manifest, signature)),
        _ => Err(ManifestError::Form { line: lines.number + 1 }),
    }
}

/// Lines of a text, each with its end.
struct Lines<'a> {
    text: &'a str,
    /// Of the line that was given out last, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    fn wrong(&self) -> ManifestError {
        ManifestError::Form { line: self.number }
    }

    /// The next line: not endless, and nothing that a terminal would obey.
    fn next(&mut self) -> Result<&'a str, ManifestError> {
        self.number += 1;
        let (line, rest) = self.text.split_once('\n').ok_or(self.wrong())?;
        self.text = rest;
        match line.len() <= MAX_LINE && !line.chars().any(char::is_control) {
            true => Ok(line),
            false => Err(self.wrong()),
        }
    }

    /// The value of the next line, which has this name.
    fn value<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, ManifestError> {
        let value = self.next()?.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        value.filter(|value| !value.is_empty()).and_then(read).ok_or(self.wrong())
    }
}

fn word(text: &str) -> Option<String> {
    (!text.contains(' ')).then(|| text.to_owned())
}

/// So many octets, hexadecimal in lower case.
fn octets<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut octets = [0; N];
    hex::decode_to_slice(text, &mut octets).ok()?;
    (hex::encode(octets) == text).then_some(octets)
}
