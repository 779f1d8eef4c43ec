//! Rules of access that an institution signed (签名的授权规则): a folder with the three texts of
//! [`policy`](crate::policy) and, in [`FILE`], their signed manifest ([`audit::rules`]).
//!
//! Nobody decides by rules of a folder before this was checked (GM/T 0032-2014, 5): the texts are those of the manifest
//! ([`Bundle::of`], when the settings are read), and a key of this service that is believed signed it for this
//! service, with a version that follows those of before ([`admit`], at a start). The rules that the service ships with
//! are part of the program and have no signature.
//!
//! [`signing`] is what `healthcardd policy` does with a folder, [`changes`] what it tells a person who signs, and [`again`]
//! what decisions of the log come to by other rules, or by those that they were made with.

use std::{
    fs::File,
    io::{self, Read as _},
    iter,
    path::{Path, PathBuf},
};

use audit::rules::{MAX_MANIFEST, Manifest, ManifestError};
use hsm::sm2::PublicKey;

use crate::{
    keys::Keys,
    policy::{Policy, Texts},
    store::{OutOfTurn, RulesInUse, RulesRecord},
};

pub mod again;
pub mod changes;
pub mod signing;
#[cfg(test)]
mod tests;

/// The file of a folder of rules that has the signed manifest.
pub const FILE: &str = "bundle.txt";

/// Rules of a folder, with the manifest that names them.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    texts: Texts<'static>,
    manifest: Manifest,
    /// The manifest as it was signed.
    signed: String,
}

/// Why rules of a folder are not used. Whoever reads it is to know what to do, in both languages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// There is no manifest.
    #[error(
        "授权规则没有签名：核对后请运行 healthcardd policy sign {0} · the rules of access are not signed: look at them, then run `healthcardd policy sign {0}`",
        folder.display()
    )]
    NotSigned {
        /// The folder.
        folder: PathBuf,
    },
    /// The manifest could not be read.
    #[error("读取授权规则的清单 · reading the manifest of the rules of access, {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The manifest is none.
    #[error(
        "授权规则的清单格式不符：请恢复原文件，或核对规则后运行 healthcardd policy sign {0} · the manifest of the rules of access is malformed: restore it, or look at the rules and run `healthcardd policy sign {0}`",
        folder.display()
    )]
    Malformed {
        /// The folder.
        folder: PathBuf,
        /// Where.
        #[source]
        source: ManifestError,
    },
    /// A text is not the one that was signed.
    #[error(
        "{file} 在签名后被改动：请恢复原文件，或核对后运行 healthcardd policy sign {0} · {file} was changed after it was signed: restore it, or look at it and run `healthcardd policy sign {0}`",
        folder.display()
    )]
    Altered {
        /// The folder.
        folder: PathBuf,
        /// The file.
        file: &'static str,
    },
    /// Signed for another service.
    #[error(
        "授权规则是为 {service} 签名的：核对后请运行 healthcardd policy sign {0} · the rules of access were signed for {service}: look at them, then run `healthcardd policy sign {0}`",
        folder.display()
    )]
    OtherService {
        /// The folder.
        folder: PathBuf,
        /// That service.
        service: String,
    },
    /// No key that is believed signed the manifest.
    #[error(
        "授权规则的签名不是本服务的规则密钥（policy）所作，或该密钥已泄露：核对规则后请运行 healthcardd policy sign {0} · the rules of access are not signed by this service's key for them (policy), or it is compromised: look at the rules, then run `healthcardd policy sign {0}`",
        folder.display()
    )]
    NotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// Older than rules that were in use.
    #[error(
        "授权规则第 {version} 版早于已启用过的第 {last} 版：如确需恢复旧规则，核对后请运行 healthcardd policy sign {0} 签为新版本 · version {version} of the rules of access is older than version {last}, which was in use: if they are meant, `healthcardd policy sign {0}` makes them a later version",
        folder.display()
    )]
    Older {
        /// The folder.
        folder: PathBuf,
        /// Their version.
        version: u32,
        /// The version that was in use.
        last: u32,
    },
    /// Not the rules that were in use with this version.
    #[error(
        "启用过的第 {version} 版授权规则内容不同：核对后请运行 healthcardd policy sign {0} 签为新版本 · other rules of access of version {version} were in use: look at these, then run `healthcardd policy sign {0}`, which makes them a later version",
        folder.display()
    )]
    OtherTexts {
        /// The folder.
        folder: PathBuf,
        /// Their version.
        version: u32,
    },
    /// The setting names no folder any more, and nobody said that the shipped rules are meant.
    #[error(
        "本服务在用机构授权规则第 {last} 版，设置中却没有 policy：请恢复该设置，或运行 healthcardd policy shipped 改回随附规则 · version {last} of the institution's rules of access is in use, and the settings have no `policy`: restore it, or go back to the shipped rules with `healthcardd policy shipped`"
    )]
    Shipped {
        /// The version in use.
        last: u32,
    },
}

impl Bundle {
    /// Reads the manifest in `folder`, where `texts` were read, and compares them with it.
    ///
    /// # Errors
    /// [`RulesError`]; who signed it is asked by [`admit`].
    pub fn read(folder: &Path, texts: Texts<'static>) -> Result<Self, RulesError> {
        match signed_manifest(folder) {
            Ok(signed) => Self::of(folder, texts, signed),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(RulesError::NotSigned { folder: folder.to_owned() })
            }
            Err(source) => Err(RulesError::Read { path: folder.join(FILE), source }),
        }
    }

    /// These texts with this manifest.
    ///
    /// # Errors
    /// [`RulesError::Malformed`], [`RulesError::Altered`].
    pub fn of(folder: &Path, texts: Texts<'static>, signed: String) -> Result<Self, RulesError> {
        let own = || folder.to_owned();
        let manifest = Manifest::read(&signed)
            .map_err(|source| RulesError::Malformed { folder: own(), source })?;
        for ((file, text), digest) in iter::zip(texts.files(), manifest.files) {
            if hsm::sm3::digest(text.as_bytes()) != digest {
                return Err(RulesError::Altered { folder: own(), file });
            }
        }
        Ok(Self { folder: own(), texts, manifest, signed })
    }

    /// The texts.
    #[must_use]
    pub fn texts(&self) -> &Texts<'static> {
        &self.texts
    }

    /// What is said of them.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest as it was signed.
    #[must_use]
    pub fn signed(&self) -> &str {
        &self.signed
    }

    /// Whether one of these keys signed it.
    fn is_signed_by(&self, keys: &[PublicKey]) -> bool {
        keys.iter().any(|key| audit::rules::check(&self.signed, key.as_sec1()).is_ok())
    }

    /// Why it is not used that does not follow the rules on record.
    #[must_use]
    pub fn refused(&self, why: OutOfTurn) -> RulesError {
        let (folder, version) = (self.folder.clone(), self.manifest.version);
        match why {
            OutOfTurn::Older { last } => RulesError::Older { folder, version, last },
            OutOfTurn::OtherTexts => RulesError::OtherTexts { folder, version },
        }
    }
}

/// The manifest in a folder, and no more than one can be long.
fn signed_manifest(folder: &Path) -> io::Result<String> {
    let mut signed = Vec::new();
    File::open(folder.join(FILE))?.take(MAX_MANIFEST as u64 + 1).read_to_end(&mut signed)?;
    // What is not UTF-8 is no octet that was signed.
    Ok(String::from_utf8_lossy(&signed).into_owned())
}

/// Whether the service decides by `policy`, which is that of `bundle`, or of the program where there is none.
///
/// # Errors
/// [`RulesError`]; then nothing is decided.
pub fn admit(
    policy: &Policy,
    bundle: Option<&Bundle>,
    service: &str,
    keys: &Keys,
    record: &RulesRecord,
) -> Result<(), RulesError> {
    let Some(bundle) = bundle else {
        return match record.in_use {
            RulesInUse::Shipped => Ok(()),
            RulesInUse::Signed { version: last, .. } => Err(RulesError::Shipped { last }),
        };
    };
    let Bundle { folder, manifest, .. } = bundle;
    if !bundle.is_signed_by(&keys.rules_keys()) {
        return Err(RulesError::NotOurs { folder: folder.clone() });
    }
    if manifest.service != service {
        let service = manifest.service.clone();
        return Err(RulesError::OtherService { folder: folder.clone(), service });
    }
    if manifest.digest != *policy.digest() {
        let source = ManifestError::Form { line: 9 };
        return Err(RulesError::Malformed { folder: folder.clone(), source });
    }
    record.admit(manifest.version, &manifest.digest).map_err(|why| bundle.refused(why))
}
