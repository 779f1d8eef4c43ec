//! The transcript of a key ceremony (密钥仪式记录): which keys there were at its end, who was there, and
//! when; signed by the key of the root, and checked with the root certificate alone.
//!
//! ```text
//! healthcard.v1 key ceremony
//! service healthcard.localhost
//! program healthcardd 0.1.0
//! began 2026-11-26T08:00:00.000000Z
//! ended 2026-11-26T08:05:00.000000Z
//! participant custodian 1
//! key soft:ca-root sign-certificates 1 active thumbprint <43 of base64url>
//! key soft:card-cvk card-master 1 active check-value 2677F4
//!
//! <64 hex: digest of line 1>
//! …
//! signature <128 hex: r ‖ s>
//! ```
//!
//! Participants are named by their role. What identifies a key is its thumbprint (SM3, RFC 7638) or its
//! check value. The digest of a line is SM3 over its number, four octets, big-endian, and its text; the
//! signature is SM2 over the first line and all digests as they stand, with the signer identifier
//! [`SIGNER_ID`], so that it is none of a certificate. A line that was changed is named.

use sm2::dsa::signature::Verifier as _;
use sm3::{Digest, Sm3};

#[cfg(test)]
mod tests;

/// The identifier of the signer, which enters the signature.
pub const SIGNER_ID: &str = "healthcard.v1/key-ceremony";
/// Most bytes of a transcript.
pub const MAX_TRANSCRIPT: usize = 4 * 1024 * 1024;
/// Most bytes of a line.
const MAX_LINE: usize = 512;
const TITLE: &str = "healthcard.v1 key ceremony";

/// What a ceremony leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Name of the service.
    pub service: String,
    /// Name and version of the program.
    pub program: String,
    /// When it began, as entries of the log write it.
    pub began: String,
    /// When it ended.
    pub ended: String,
    /// Who was there, by role.
    pub participants: Vec<String>,
    /// The keys at the end.
    pub keys: Vec<CeremonyKey>,
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyKey {
    /// Its reference, as in `soft:token`.
    pub reference: String,
    /// What it is for.
    pub key_use: String,
    /// Its version.
    pub version: u32,
    /// Its state.
    pub state: String,
    /// What it is compared by.
    pub compared: Compared,
}

/// What two holders of a key compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Of a key pair.
    Thumbprint(String),
    /// Of a secret key.
    CheckValue(String),
}

/// Why a transcript is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TranscriptError {
    /// Not of the form.
    #[error("not the transcript of a key ceremony: line {line} is not what belongs there")]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// The key of the root certificate is none.
    #[error("the key of the root certificate is not an SM2 key")]
    Key,
    /// The root did not sign these digests.
    #[error("the transcript is not signed by this root, or its digests were changed")]
    NotSigned,
    /// Lines that are not those that were signed.
    #[error("the transcript was changed after it was signed, in {} lines", lines.len())]
    Altered {
        /// The lines, from 1. One beyond those that were signed, or that is missing, counts as well.
        lines: Vec<usize>,
    },
}

impl Transcript {
    /// The signed transcript. `sign` gets the octets to be signed with SM2 and [`SIGNER_ID`], and
    /// answers r ‖ s.
    ///
    /// # Errors
    /// Those of `sign`.
    pub fn sign<E>(&self, sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>) -> Result<String, E> {
        let lines = self.lines();
        let digests: String =
            (1..).zip(&lines).map(|(number, line)| digest(number, line) + "\n").collect();
        let signature = hex::encode(sign(signed(&digests).as_bytes())?);
        Ok(format!("{}\n\n{digests}signature {signature}\n", lines.join("\n")))
    }

    fn lines(&self) -> Vec<String> {
        let head = [
            TITLE.to_owned(),
            format!("service {}", self.service),
            format!("program {}", self.program),
            format!("began {}", self.began),
            format!("ended {}", self.ended),
        ];
        let participants = self.participants.iter().map(|role| format!("participant {role}"));
        let keys = self.keys.iter().map(CeremonyKey::line);
        head.into_iter().chain(participants).chain(keys).collect()
    }
}

impl CeremonyKey {
    fn line(&self) -> String {
        let Self { reference, key_use, version, state, compared } = self;
        let (kind, value) = match compared {
            Compared::Thumbprint(value) => ("thumbprint", value),
            Compared::CheckValue(value) => ("check-value", value),
        };
        format!("key {reference} {key_use} {version} {state} {kind} {value}")
    }

    fn read(words: &str) -> Option<Self> {
        let words: Vec<&str> = words.split(' ').collect();
        let [reference, key_use, version, state, kind, value] = words[..] else { return None };
        let compared = match kind {
            "thumbprint" => Compared::Thumbprint(value.to_owned()),
            "check-value" => Compared::CheckValue(value.to_owned()),
            _ => return None,
        };
        let number: u32 = version.parse().ok().filter(|n: &u32| n.to_string() == version)?;
        Some(Self {
            reference: reference.to_owned(),
            key_use: key_use.to_owned(),
            version: number,
            state: state.to_owned(),
            compared,
        })
    }
}

/// Reads a transcript and checks it with the public key of the root, 04 ‖ X ‖ Y. It asks no service.
///
/// # Errors
/// [`TranscriptError`], which names the lines that were changed.
pub fn check(text: &str, root: &[u8]) -> Result<Transcript, TranscriptError> {
    let form = |line| TranscriptError::Form { line };
    let key = sm2::dsa::VerifyingKey::from_sec1_bytes(SIGNER_ID, root)
        .map_err(|_| TranscriptError::Key)?;
    if text.len() > MAX_TRANSCRIPT {
        return Err(form(1));
    }
    let (lines, seal) = text.split_once("\n\n").ok_or(form(1))?;
    let lines: Vec<&str> = lines.split('\n').collect();
    let (digests, signature) = seal.rsplit_once("signature ").ok_or(form(lines.len() + 2))?;
    let last = || form(text.lines().count());
    let signature = signature.strip_suffix('\n').ok_or_else(last)?;
    let octets = hex::decode(signature).map_err(|_| last())?;
    if hex::encode(&octets) != signature {
        return Err(last());
    }
    let signature = sm2::dsa::Signature::from_slice(&octets).map_err(|_| last())?;
    key.verify(signed(digests).as_bytes(), &signature).map_err(|_| TranscriptError::NotSigned)?;

    // The digests are the root's from here on.
    let digests: Vec<&str> = digests.lines().collect();
    let most = lines.len().max(digests.len());
    let genuine = |at: &usize| match (lines.get(*at), digests.get(*at)) {
        (Some(line), Some(signed)) => digest(at + 1, line) == *signed,
        _ => false,
    };
    let altered: Vec<usize> = (0..most).filter(|at| !genuine(at)).map(|at| at + 1).collect();
    match altered.is_empty() {
        true => read(&lines),
        false => Err(TranscriptError::Altered { lines: altered }),
    }
}

/// Reads lines that were signed.
fn read(lines: &[&str]) -> Result<Transcript, TranscriptError> {
    let value = |at: usize, name: &str| {
        let line = lines.get(at).filter(|line| is_line(line));
        let value = line.and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map(str::to_owned).ok_or(TranscriptError::Form { line: at + 1 })
    };
    if lines.first() != Some(&TITLE) {
        return Err(TranscriptError::Form { line: 1 });
    }
    let mut transcript = Transcript {
        service: value(1, "service")?,
        program: value(2, "program")?,
        began: value(3, "began")?,
        ended: value(4, "ended")?,
        participants: Vec::new(),
        keys: Vec::new(),
    };
    let mut at = 5;
    while let Ok(role) = value(at, "participant") {
        transcript.participants.push(role);
        at += 1;
    }
    for at in at..lines.len() {
        let key = CeremonyKey::read(&value(at, "key")?);
        transcript.keys.push(key.ok_or(TranscriptError::Form { line: at + 1 })?);
    }
    Ok(transcript)
}

/// Not empty, not endless, and nothing that a terminal would obey.
fn is_line(line: &str) -> bool {
    line.len() <= MAX_LINE && !line.chars().any(char::is_control)
}

fn digest(number: usize, line: &str) -> String {
    let number = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    hex::encode(Sm3::new().chain_update(number).chain_update(line).finalize())
}

/// What is signed.
fn signed(digests: &str) -> String {
    format!("{TITLE}\n{digests}")
}
