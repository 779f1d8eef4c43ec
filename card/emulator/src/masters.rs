//! Where the masters of cards come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::card::{CardKey, KeyVersion};
use card_emulator::personalise::{self, LooseMaster, Masters};
use clap::Args;
use hsm::sm4::Sm4Key;
use hsm::soft::{Passphrase, SoftKeystore};
use hsm::{CardMaster, KeyRef};
use zeroize::Zeroizing;

use super::Failure;

#[derive(Args)]
pub(super) struct Source {
    /// Keystore with the card masters.
    #[arg(
        long,
        value_name = "FILE",
        requires = "passphrase_file",
        conflicts_with = "master_key_file",
        required_unless_present = "master_key_file"
    )]
    keystore: Option<PathBuf>,
    /// File with the keystore's passphrase.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// File with one master for all keys, 32 hex digits, readable by its owner alone; masters of
    /// further versions follow from it.
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

impl Source {
    /// Every master, some under another name than the usual one.
    pub(super) fn masters(
        &self,
        renamed: &[((CardKey, KeyVersion), KeyRef)],
    ) -> Result<Masters, Failure> {
        if let Some(path) = &self.master_key_file {
            return Ok(Masters::single(hex_key(path)?));
        }
        let name = |key: CardKey, version: KeyVersion| {
            let named = renamed.iter().find(|(named, _)| *named == (key, version));
            let usual = format!("soft:{}", key.master_name(version));
            match named {
                Some((_, reference)) => reference.clone(),
                None => usual.parse().expect("letters, digits and hyphens"),
            }
        };
        Ok(Masters::of_keystore(&self.opened()?, name)?)
    }

    /// The master of transport keys.
    pub(super) fn transport_master(&self) -> Result<Arc<dyn CardMaster>, Failure> {
        match &self.master_key_file {
            Some(path) => Ok(Arc::new(LooseMaster(hex_key(path)?))),
            None => Ok(personalise::transport_master(&self.opened()?)?),
        }
    }

    /// The source itself, for a SAM, which computes with its masters as they are.
    pub(super) fn place(&self) -> Result<Place<'_>, Failure> {
        match (&self.master_key_file, &self.keystore, &self.passphrase_file) {
            (Some(path), ..) => Ok(Place::Single(octets(path)?)),
            (None, Some(file), Some(passphrase_file)) => {
                Ok(Place::Keystore { keystore: self.opened()?, file, passphrase_file })
            }
            _ => Err("give --keystore and --passphrase-file, or --master-key-file".into()),
        }
    }

    fn opened(&self) -> Result<SoftKeystore, Failure> {
        let (Some(keystore), Some(passphrase)) = (&self.keystore, &self.passphrase_file) else {
            return Err("give --keystore and --passphrase-file, or --master-key-file".into());
        };
        Ok(SoftKeystore::open(keystore, &Passphrase::from_file(passphrase)?)?)
    }
}

/// Where masters are.
pub(super) enum Place<'s> {
    /// One for all keys.
    Single(Zeroizing<[u8; 16]>),
    /// In a keystore.
    Keystore {
        /// Opened.
        keystore: SoftKeystore,
        /// Its file.
        file: &'s Path,
        /// The file with its passphrase.
        passphrase_file: &'s Path,
    },
}

fn hex_key(path: &Path) -> Result<Sm4Key, Failure> {
    let octets = octets(path)?;
    Sm4Key::fill(|key| {
        *key = *octets;
        Ok(())
    })
}

/// A key of 32 hex digits in a file that nobody else can read.
fn octets(path: &Path) -> Result<Zeroizing<[u8; 16]>, Failure> {
    use std::os::unix::fs::MetadataExt;
    let name = path.display();
    let failed = |error| format!("reading {name}: {error}");
    if std::fs::metadata(path).map_err(failed)?.mode() & 0o077 != 0 {
        return Err(format!("{name} can be read by others: chmod 600 it").into());
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
    let mut key = Zeroizing::new([0; 16]);
    hex::decode_to_slice(text.trim(), &mut *key)
        .map_err(|_| format!("{name} does not hold 32 hex digits"))?;
    Ok(key)
}
