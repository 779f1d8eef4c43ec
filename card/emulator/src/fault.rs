//! Ways in which a card misbehaves, for tests and for the demonstration.
//!
//! A [`Fault`] is one misbehaviour, a [`Script`] says when: always, or at one command. The box of
//! scenes to play, each with the outcome it must have, is [`scene`].

mod look_alike;
pub mod scene;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ::card::key::CardKey;
use ::card::{Apdu, KeyVersion, Response, Status};

/// One misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The answer of the internal key is another one: the card is forged.
    Forged,
    /// Answers are noise of changing length.
    Garbage,
    /// Answers are one byte, which is less than a status word.
    Short,
    /// Answers to reading end half-way, status word and all.
    Half,
    /// Records lack their last byte.
    Truncated,
    /// Records are followed by twenty more bytes.
    Oversized,
    /// Records say that they are one byte longer than they are.
    WrongLength,
    /// One bit of what an answer says is another one.
    Flipped,
    /// Answers to reading are longer than any short answer can be.
    Huge,
    /// Every answer says that one more byte is waiting.
    Endless,
    /// Every reading command is answered with this status word.
    Says(u16),
    /// No command is answered, and the card stays.
    Mute,
    /// Answers come after so long.
    Slow(Duration),
    /// The card leaves the reader instead of answering this command, counted from 1 since reset.
    GoneAt(u32),
    /// The card forgets what was selected and proven, as if it had been reset.
    Reset,
    /// No MAC is right.
    RefusesMac,
    /// The card holds proofs against a challenge from before the last one.
    StaleChallenge,
    /// This key, or every key, is another one.
    WrongKeys(Option<CardKey>),
    /// There is a DDF1 and nothing in it, as on a transit card.
    Transit,
    /// What it says of its holder is somebody else's; answer to reset, serial and keys are its own.
    LookAlike,
}

/// A fault, and at which command: always, or once, counted from 1 since reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// What goes wrong.
    pub fault: Fault,
    /// When; `None` is always.
    pub at: Option<u32>,
}

impl From<Fault> for Script {
    fn from(fault: Fault) -> Self {
        Self { fault, at: None }
    }
}

/// A word that names no fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "faults are {SIMPLE}, says:SW, slow:MILLISECONDS, wrong-keys:KEY, gone-at:N, and each but the \
     last with @N at command N alone"
)]
pub struct UnknownFault;

/// The faults that are one word.
const WORDS: [(&str, Fault); 16] = [
    ("forged", Fault::Forged),
    ("garbage", Fault::Garbage),
    ("short", Fault::Short),
    ("half", Fault::Half),
    ("truncated", Fault::Truncated),
    ("oversized", Fault::Oversized),
    ("wrong-length", Fault::WrongLength),
    ("flipped", Fault::Flipped),
    ("huge", Fault::Huge),
    ("endless", Fault::Endless),
    ("mute", Fault::Mute),
    ("reset", Fault::Reset),
    ("refuses-mac", Fault::RefusesMac),
    ("stale-challenge", Fault::StaleChallenge),
    ("transit", Fault::Transit),
    ("look-alike", Fault::LookAlike),
];

/// The same in a sentence.
struct Simple;
const SIMPLE: Simple = Simple;

impl fmt::Display for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&WORDS.map(|(word, _)| word).join(", "))
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        if let Some((_, fault)) = WORDS.into_iter().find(|(known, _)| *known == word) {
            return Ok(fault);
        }
        let fault = match word.split_once(':').unwrap_or((word, "")) {
            ("says", word) => u16::from_str_radix(word, 16).ok().map(Self::Says),
            ("slow", time) => time.parse().ok().map(|ms| Self::Slow(Duration::from_millis(ms))),
            ("gone-at", count) => count.parse().ok().map(Self::GoneAt),
            ("wrong-keys", "") => Some(Self::WrongKeys(None)),
            ("wrong-keys", key) => CardKey::named(key).map(|key| Self::WrongKeys(Some(key))),
            _ => None,
        };
        fault.ok_or(UnknownFault)
    }
}

impl FromStr for Script {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        let Some((fault, at)) = word.split_once('@') else {
            return Ok(Self::from(word.parse::<Fault>()?));
        };
        Ok(Self { fault: fault.parse()?, at: Some(at.parse().map_err(|_| UnknownFault)?) })
    }
}

/// All misbehaviour of one card.
#[derive(Default)]
pub(crate) struct Faults {
    scripts: Vec<Script>,
    /// The command that is answered, from 1 since reset.
    now: u32,
    noise: u32,
}

impl Faults {
    pub(crate) fn add(&mut self, script: Script) {
        self.scripts.push(script);
    }

    /// The next command, by its number, is what is misbehaved at.
    pub(crate) fn at(&mut self, command: u32) {
        self.now = command;
    }

    fn active(&self) -> impl Iterator<Item = Fault> {
        let now = self.scripts.iter().filter(|script| script.at.is_none_or(|at| at == self.now));
        now.map(|script| script.fault)
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.active().any(|active| active == fault)
    }

    pub(crate) fn gone(&self) -> bool {
        self.has(Fault::GoneAt(self.now))
    }

    /// How long the answer takes.
    pub(crate) fn delay(&self) -> Duration {
        let slow = self.active().filter_map(|fault| match fault {
            Fault::Slow(time) => Some(time),
            _ => None,
        });
        slow.sum()
    }

    pub(crate) fn wrong_key(&self, key: CardKey) -> bool {
        self.has(Fault::WrongKeys(None)) || self.has(Fault::WrongKeys(Some(key)))
    }

    /// Changes an answer that is still one.
    pub(crate) fn spoil(&self, command: &Apdu, mut response: Response) -> Response {
        let [_, ins, ..] = command.header();
        let reads = matches!(ins, 0xB0 | 0xB2);
        for fault in self.active() {
            match fault {
                Fault::Forged if ins == 0x88 => {
                    response.data.iter_mut().for_each(|byte| *byte ^= 0x5A);
                }
                Fault::Truncated if reads => {
                    response.data.pop();
                }
                Fault::Oversized if reads => response.data.extend([0x55; 20]),
                Fault::WrongLength if reads => {
                    if let Some(length) = response.data.get_mut(1) {
                        *length = length.wrapping_add(1);
                    }
                }
                Fault::Flipped => {
                    let middle = response.data.len() / 2;
                    if let Some(byte) = response.data.get_mut(middle) {
                        *byte ^= 1;
                    }
                }
                Fault::Huge if reads => response.data.resize(300, 0x55),
                Fault::Endless => {
                    response =
                        Response { data: vec![0xAA], status: Status::MoreData { available: 1 } };
                }
                Fault::Says(word) if reads => response = Response::of(Status::from(word)),
                Fault::LookAlike if reads => look_alike::disguise(&mut response.data),
                _ => {}
            }
        }
        response
    }

    /// Replaces an answer by bytes that are none.
    pub(crate) fn garble(&mut self, mut answer: Vec<u8>) -> Vec<u8> {
        if self.has(Fault::Short) {
            return vec![0x6F];
        }
        if self.has(Fault::Garbage) {
            self.noise = self.noise.wrapping_add(1);
            let length = 2 + self.noise % 60;
            let mix = |at: u32| (at ^ self.noise).wrapping_mul(0x9E37_79B1) >> 24;
            return (0..length).map(|at| mix(at) as u8).collect();
        }
        if self.has(Fault::Half) && answer.len() > 3 {
            answer.truncate(answer.len() / 2);
        }
        answer
    }
}

/// The key a card with wrong keys has instead: it follows from the right one, and from its name.
pub(crate) fn other_key(key: CardKey, version: KeyVersion) -> [u8; 16] {
    let mut block = [0xA5; 16];
    block[..2].copy_from_slice(&[key.facts().index, version.number()]);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named() {
        let script = |fault, at| Ok(Script { fault, at });
        let cases = [
            ("forged", script(Fault::Forged, None)),
            ("says:6A82", script(Fault::Says(0x6A82), None)),
            ("says:6A82@7", script(Fault::Says(0x6A82), Some(7))),
            ("gone-at:12", script(Fault::GoneAt(12), None)),
            ("slow:250", script(Fault::Slow(Duration::from_millis(250)), None)),
            ("wrong-keys", script(Fault::WrongKeys(None), None)),
            ("wrong-keys:RK1_DDF1", script(Fault::WrongKeys(Some(CardKey::Rk1Ddf1)), None)),
            ("says:", Err(UnknownFault)),
            ("gone-at:x", Err(UnknownFault)),
            ("forged:1", Err(UnknownFault)),
            ("forged@", Err(UnknownFault)),
            ("wrong-keys:RK9", Err(UnknownFault)),
            ("slow:", Err(UnknownFault)),
            ("", Err(UnknownFault)),
        ];
        for (word, fault) in cases {
            assert_eq!(word.parse::<Script>(), fault, "{word}");
        }
        for (word, fault) in WORDS {
            assert_eq!(word.parse(), Ok(fault));
        }
    }
}
