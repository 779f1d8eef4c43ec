//! Signed notes in the C2SP form, and the keys that sign them.
//!
//! C2SP defines neither SM2 nor SM3. The forms are kept: signature type `ff`, followed by the identifier of a [`Kind`]; the
//! key id is the first four bytes of SM3(name ‖ 0A ‖ ff ‖ identifier ‖ public key), the public key as 65 bytes 04 ‖ X ‖ Y.
//! It does not claim to conform to C2SP.

use std::{fmt, marker::PhantomData, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sm2::dsa::signature::Verifier as _;
use sm3::{Digest, Sm3};

/// Most bytes of a signed note.
pub const MAX_NOTE: usize = 8 * 1024;
/// Most bytes of an origin or key name.
pub const MAX_NAME: usize = 128;
/// Most signatures that are read on a note.
const MAX_SIGNATURES: usize = 16;
/// Signature types that C2SP has not assigned begin so.
const UNASSIGNED: u8 = 0xff;
/// GB/T 32918.2-2016 leaves the identifier to the parties; this is the customary one.
const SIGNER_ID: &str = "1234567812345678";

/// Why text is not a checkpoint, or is not signed by the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Not a signed note of this form.
    #[error("not a signed note")]
    Form,
    /// The text of the note is not a checkpoint.
    #[error("the note is not a checkpoint")]
    NotCheckpoint,
    /// No signature by this key.
    #[error("the note carries no signature by the key of the log")]
    NotSigned,
    /// The signature that names this key does not verify.
    #[error("the signature of the note is wrong")]
    BadSignature,
    /// Correctly signed, for another log.
    #[error("the checkpoint is one of another log")]
    OtherLog,
}

/// Why text is not a verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The name is empty, too long, or has white space, control characters or a plus sign.
    #[error("not a name of a log")]
    Name,
    /// Not of the form name+id+key.
    #[error("not a verifier key")]
    Form,
    /// A key of another kind of signature.
    #[error("a verifier key of another kind")]
    Kind,
    /// The key id is not the one of this name and key.
    #[error("the verifier key has another identifier than its name and key give")]
    Id,
    /// The key is not a point of the curve.
    #[error("the verifier key is not a valid SM2 key")]
    Point,
}

mod sealed {
    pub trait Sealed {}
}

/// What a key's signatures mean: one key's are never taken for another's.
pub trait Kind: sealed::Sealed {
    /// Names the kind of signature after the type octet `ff`.
    const IDENTIFIER: &'static str;
    /// The key's own type, for a debugger.
    const TYPE: &'static str;
}

/// That of a log: this is my tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfLog {}

/// That of a witness: at that time I have seen this tree, and it grew from what I had seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfWitness {}

impl sealed::Sealed for OfLog {}
impl sealed::Sealed for OfWitness {}

impl Kind for OfLog {
    const IDENTIFIER: &'static str = "healthcard.v1/SM2-SM3";
    const TYPE: &'static str = "VerifierKey";
}

impl Kind for OfWitness {
    const IDENTIFIER: &'static str = "healthcard.v1/SM2-SM3-cosignature";
    const TYPE: &'static str = "WitnessKey";
}

/// The key that notes are checked with, and the name of who signs them: `name+id+base64`.
pub struct NoteKey<K> {
    name: String,
    id: [u8; 4],
    public_key: [u8; 65],
    key: sm2::dsa::VerifyingKey,
    kind: PhantomData<K>,
}

impl<K: Kind> NoteKey<K> {
    /// From the signer's name and its public key, 65 bytes 04 ‖ X ‖ Y.
    pub fn new(name: &str, public_key: &[u8; 65]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        if public_key[0] != 0x04 {
            return Err(KeyError::Point);
        }
        let key = sm2::dsa::VerifyingKey::from_sec1_bytes(SIGNER_ID, public_key)
            .map_err(|_| KeyError::Point)?;
        let digest = Sm3::new()
            .chain_update(name)
            .chain_update([b'\n', UNASSIGNED])
            .chain_update(K::IDENTIFIER)
            .chain_update(public_key)
            .finalize();
        let id = [digest[0], digest[1], digest[2], digest[3]];
        Ok(Self { name: name.to_owned(), id, public_key: *public_key, key, kind: PhantomData })
    }

    /// Name of the signer: the log, or the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key, 04 ‖ X ‖ Y.
    pub fn public_key(&self) -> &[u8; 65] {
        &self.public_key
    }

    /// The line of a signature of this key, with its newline.
    pub(crate) fn line(&self, value: &[u8]) -> String {
        let blob = [&self.id[..], value].concat();
        format!("\u{2014} {} {}\n", self.name, BASE64.encode(blob))
    }

    /// The signatures of this key on a note. A line of another key is another's statement.
    pub(crate) fn signatures<'n>(&self, note: &'n Note<'_>) -> impl Iterator<Item = &'n [u8]> {
        let own = |line: &&NoteSignature<'_>| line.name == self.name && line.id == self.id;
        note.signatures.iter().filter(own).map(|line| &*line.value)
    }

    /// Whether another key of the same name signed the note above this one: a new key of the log
    /// puts its signature over those that are there. It is not checked, and proves nothing.
    pub(crate) fn is_succeeded_in(&self, note: &str) -> bool {
        let own = |signature: &NoteSignature<'_>| signature.name == self.name;
        let first = Note::parse(note).ok().and_then(|note| note.signatures.into_iter().find(own));
        first.is_some_and(|first| first.id != self.id)
    }

    /// Whether it is the signature of this key over these octets.
    pub(crate) fn verify(&self, text: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        // Refuses anything but 64 bytes with r and s in [1, n-1].
        let signature =
            sm2::dsa::Signature::from_slice(signature).map_err(|_| NoteError::BadSignature)?;
        self.key.verify(text, &signature).map_err(|_| NoteError::BadSignature)
    }
}

impl<K> Clone for NoteKey<K> {
    fn clone(&self) -> Self {
        let Self { name, id, public_key, key, kind } = self;
        Self { name: name.clone(), id: *id, public_key: *public_key, key: key.clone(), kind: *kind }
    }
}

impl<K> PartialEq for NoteKey<K> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.public_key == other.public_key
    }
}

impl<K> Eq for NoteKey<K> {}

impl<K: Kind> fmt::Debug for NoteKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", K::TYPE)
    }
}

impl<K: Kind> fmt::Display for NoteKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![UNASSIGNED];
        key.extend_from_slice(K::IDENTIFIER.as_bytes());
        key.extend_from_slice(&self.public_key);
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), BASE64.encode(key))
    }
}

impl<K: Kind> FromStr for NoteKey<K> {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        if id.len() != 8 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(KeyError::Form);
        }
        let key = BASE64.decode(key).map_err(|_| KeyError::Form)?;
        let public_key = key
            .strip_prefix(&[UNASSIGNED])
            .and_then(|key| key.strip_prefix(K::IDENTIFIER.as_bytes()))
            .ok_or(KeyError::Kind)?;
        let key = Self::new(name, public_key.try_into().map_err(|_| KeyError::Point)?)?;
        if hex::encode(key.id) == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// A signed note taken apart.
pub(crate) struct Note<'a> {
    /// With its last newline, without the blank line.
    pub(crate) text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

struct NoteSignature<'a> {
    name: &'a str,
    id: [u8; 4],
    value: Vec<u8>,
}

impl<'a> Note<'a> {
    /// How many signatures there are, whosever they are.
    pub(crate) fn signed(&self) -> usize {
        self.signatures.len()
    }

    pub(crate) fn parse(note: &'a str) -> Result<Self, NoteError> {
        let printable = |c: char| c == '\n' || !c.is_control();
        if note.len() > MAX_NOTE || !note.ends_with('\n') || !note.chars().all(printable) {
            return Err(NoteError::Form);
        }
        // The last blank line ends the text; the text keeps its own newline.
        let end = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, signatures) = (&note[..=end], &note[end + 2..]);
        let signatures: Vec<_> =
            signatures.split_terminator('\n').map(Self::signature).collect::<Result<_, _>>()?;
        if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Form);
        }
        Ok(Self { text, signatures })
    }

    fn signature(line: &'a str) -> Result<NoteSignature<'a>, NoteError> {
        let line = line.strip_prefix("\u{2014} ").ok_or(NoteError::Form)?;
        let (name, blob) = line.split_once(' ').ok_or(NoteError::Form)?;
        let blob = BASE64.decode(blob).map_err(|_| NoteError::Form)?;
        let (id, value) = blob.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if !is_name(name) || value.is_empty() {
            return Err(NoteError::Form);
        }
        Ok(NoteSignature { name, id: *id, value: value.to_vec() })
    }
}

/// A number in decimal without sign or leading zeros, as all numbers in these formats.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    if plain { text.parse().ok() } else { None }
}

/// C2SP: a key name is not empty and has neither spaces nor plus signs.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(allowed)
}
