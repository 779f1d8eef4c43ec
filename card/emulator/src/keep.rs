//! Images that follow their cards.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use card_emulator::Image;
use card_emulator::card::Keeper;

/// Writes the image to `path` at each change.
pub(super) fn in_file(path: &Path) -> Keeper {
    let path = path.to_owned();
    Box::new(move |image| {
        if let Err(error) = replace(&path, image) {
            eprintln!("vcard: saving {}: {error}", path.display());
        }
    })
}

/// Whole or not at all: a new file takes the place of the old one.
fn replace(path: &Path, image: &Image) -> io::Result<()> {
    let beside = path.with_extension("saving");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(image.to_toml().as_bytes())?;
    fs::rename(&beside, path)
}
