//! Making a blank card the card of one person (个人化).
//!
//! What goes on the card is put together and checked first ([`CardContents`]); then a
//! [`Personaliser`] creates files, loads keys, writes and locks; then the card is read back like
//! any other ([`verify`]). Each kind of card software has its own commands for it (health-card.md,
//! 10, no. 7): [`OwnCommands`] speaks those of our emulator, and a [`Script`] plays what the maker
//! of a real card wrote down.
//!
//! Keys go to the card wrapped, from masters that give nothing else ([`IssuingKeys`]).

mod contents;
mod keys;
mod own;
mod script;
mod security_code;
mod verify;

pub use contents::{CardContents, Filling};
pub use keys::{IssuingKeys, KeyFailure};
pub use own::OwnCommands;
pub use script::{BadScript, Script};
pub use security_code::{Cvk, security_code};
pub use verify::{VerifyError, verify};

use crate::apdu::{Apdu, Response, Status};
use crate::atr::Atr;
use crate::command::CardError;
use crate::key::CardFactors;
use crate::transport::{Link, LinkError, Transport, TransportError};

/// Knows how one kind of card software is told to become a health card.
pub trait Personaliser: Send + Sync {
    /// Makes the card of what it finds: a blank card, or one that an earlier attempt left half
    /// made, which is made anew. `randomness` fills eight unpredictable bytes.
    ///
    /// # Errors
    /// [`PersonaliseError`]. The card is then not usable; it may be tried again.
    fn personalise(
        &self,
        link: &mut Link<'_>,
        keys: &IssuingKeys,
        factors: &CardFactors,
        contents: &CardContents,
        randomness: &mut dyn FnMut(&mut [u8; 8]),
    ) -> Result<(), PersonaliseError>;
}

/// Why a card was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersonaliseError {
    /// The card is closed: it has been made already, or never was one of ours.
    #[error("the card is not blank")]
    NotBlank,
    /// The card does not take our transport key: it comes from somebody else.
    #[error("the card does not accept the transport key")]
    OtherTransportKey,
    /// The card has room for more or for less than what it is to become.
    #[error("the card has another capacity")]
    OtherCapacity,
    /// The card refused a step.
    #[error("the card refused to {step}")]
    Refused {
        /// What was attempted.
        step: Step,
        /// What it said.
        #[source]
        source: CardError,
    },
    /// The card or its reader is gone.
    #[error("the reader failed while it was to {step}")]
    Transport {
        /// What was attempted.
        step: Step,
        /// How.
        #[source]
        source: TransportError,
    },
    /// A key could not be derived. The card is not to blame.
    #[error(transparent)]
    Key(#[from] KeyFailure),
    /// A script asks for what is not there.
    #[error("line {line} of the script asks for what this card has not")]
    Script {
        /// The line, from 1.
        line: usize,
    },
}

/// A step of personalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Proving the transport key.
    Open,
    /// Creating directories and files.
    Create,
    /// Loading keys.
    LoadKeys,
    /// Writing files.
    Write,
    /// Ending personalisation.
    Lock,
    /// A command of a script, by its line.
    Line(usize),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Create => f.write_str("create its files"),
            Self::LoadKeys => f.write_str("take its keys"),
            Self::Write => f.write_str("be written"),
            Self::Lock => f.write_str("be locked"),
            Self::Line(line) => write!(f, "obey line {line} of the script"),
        }
    }
}

impl PersonaliseError {
    /// What a failed command says of the card.
    fn at(step: Step, error: LinkError) -> Self {
        match error {
            LinkError::Transport(source) => Self::Transport { step, source },
            LinkError::Card(CardError::Refused(Status::KeyNotFound | Status::WrongState))
                if step == Step::Open =>
            {
                Self::NotBlank
            }
            LinkError::Card(
                CardError::WrongKey { .. }
                | CardError::KeyBlocked
                | CardError::Refused(Status::Failed { .. } | Status::Blocked),
            ) if step == Step::Open => Self::OtherTransportKey,
            LinkError::Card(CardError::Refused(Status::NoSpace | Status::WrongData))
                if step == Step::Create =>
            {
                Self::OtherCapacity
            }
            LinkError::Card(source) => Self::Refused { step, source },
        }
    }
}

/// Eight unpredictable bytes.
fn random(randomness: &mut dyn FnMut(&mut [u8; 8])) -> [u8; 8] {
    let mut bytes = [0; 8];
    randomness(&mut bytes);
    bytes
}

/// A transport that keeps the digest of all that passes: the transcript of a card's making. What
/// passes is personal; keys in it are wrapped.
pub struct Transcribed<'t> {
    inner: &'t mut dyn Transport,
    digest: hsm::sm3::Hasher,
    commands: u32,
}

/// What was done to a card in earlier sessions, from the one on in which it was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earlier {
    /// How many there were; none for a card that is begun.
    pub sessions: u32,
    /// Digest of the last of them that was kept. That of a session that was cut off is lost.
    pub digest: Option<[u8; 32]>,
}

impl<'t> Transcribed<'t> {
    /// Starts a transcript with the card's answer to reset. Of a card that was begun before, it
    /// goes on from what was done then.
    pub fn new(inner: &'t mut dyn Transport, earlier: Earlier) -> Self {
        let mut digest = hsm::sm3::Hasher::new();
        if earlier.sessions > 0 {
            note(&mut digest, &earlier.sessions.to_be_bytes());
            note(&mut digest, earlier.digest.as_ref().map_or(&[], |digest| &digest[..]));
        }
        note(&mut digest, inner.atr().bytes());
        Self { inner, digest, commands: 0 }
    }

    /// SM3 over the answer to reset and every command and answer, each after its length (two
    /// bytes, big-endian); an answer that did not come has length 0. Of a card that was begun
    /// before, the number of earlier sessions (four bytes, big-endian) and the digest of the last
    /// that was kept, or nothing in its place, come first, each after its length.
    pub fn digest(self) -> [u8; 32] {
        self.digest.finalize()
    }

    /// How many commands passed.
    pub fn commands(&self) -> u32 {
        self.commands
    }
}

fn note(digest: &mut hsm::sm3::Hasher, bytes: &[u8]) {
    digest.update(&(bytes.len() as u16).to_be_bytes());
    digest.update(bytes);
}

impl Transport for Transcribed<'_> {
    fn atr(&self) -> &Atr {
        self.inner.atr()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        self.commands += 1;
        note(&mut self.digest, &command.to_bytes());
        let answer = self.inner.transmit(command);
        note(&mut self.digest, &answer.as_ref().map(Response::to_bytes).unwrap_or_default());
        answer
    }
}
