//! Misfortunes on request: a file says what befalls the device, so that tests can pull it out.

use std::fs;
use std::path::Path;

/// What befalls the device now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It is not there (`unplugged`), and what was open is lost, even when it comes back.
    Unplugged,
    /// Its signatures have a bit flipped (`garbled`).
    Garbled,
}

impl Fault {
    /// What the file asks for; nothing without a file. What cannot be read or is another word is the
    /// worst.
    pub(crate) fn in_file(file: Option<&Path>) -> Option<Self> {
        let file = file?;
        if !file.exists() {
            return None;
        }
        match fs::read_to_string(file) {
            Ok(word) if word.trim() == "garbled" => Some(Self::Garbled),
            _ => Some(Self::Unplugged),
        }
    }
}
