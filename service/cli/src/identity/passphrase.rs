//! Passphrases come from a file or the terminal, never from an argument or the environment.

use std::{fmt, path::Path};

use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    files,
    screen::Screen,
    text::{self, problems},
};

/// A passphrase of 1 to 1024 bytes, wiped when dropped.
pub(crate) struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Checks the length.
    pub(crate) fn new(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes);
        (1..=1024).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Reads a file that only its owner may read. One line end at its end is not part of it.
    pub(crate) fn from_file(path: &Path) -> Result<Self, Failure> {
        let unusable = || Failure::of(problems::PASSPHRASE_UNUSABLE).about(path.display());
        let bytes = files::read(path, 1026)?;
        if files::is_exposed(path).unwrap_or(true) {
            return Err(unusable());
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self::new(line.to_vec()).ok_or_else(unusable)
    }

    /// Asks at the terminal.
    pub(crate) fn ask(screen: Screen) -> Result<Self, Failure> {
        if !screen.can_ask() {
            return Err(problems::PASSPHRASE_NEEDED.into());
        }
        let typed = rpassword::prompt_password(text::ASK_PASSPHRASE.speak(screen.lang))
            .map_err(|error| Failure::of(problems::PASSPHRASE_NEEDED).about(error))?;
        Self::new(typed.into_bytes()).ok_or_else(|| problems::PASSPHRASE_WRONG.into())
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Audience;

    #[test]
    fn files_are_read_with_care() {
        let dir = tempfile::tempdir().unwrap();
        type Case<'a> = (&'a [u8], Audience, Result<&'a [u8], &'a str>);
        let cases: [Case<'_>; 7] = [
            (b"word\n", Audience::Owner, Ok(b"word")),
            (b"word\r\n", Audience::Owner, Ok(b"word")),
            (b" word \n\n", Audience::Owner, Ok(b" word \n")),
            (b"word", Audience::Everyone, Err("PASSPHRASE_UNUSABLE")),
            (b"\n", Audience::Owner, Err("PASSPHRASE_UNUSABLE")),
            (&[b'a'; 1025], Audience::Owner, Err("PASSPHRASE_UNUSABLE")),
            (&[b'a'; 1027], Audience::Owner, Err("FILE_TOO_LARGE")),
        ];
        for (bytes, audience, expected) in cases {
            let path = dir.path().join("passphrase");
            files::write(&path, bytes, audience).unwrap();
            let read = Passphrase::from_file(&path);
            match expected {
                Ok(word) => assert_eq!(read.unwrap().expose(), word),
                Err(reason) => assert_eq!(read.unwrap_err().reason, reason, "{bytes:?}"),
            }
        }
    }
}
