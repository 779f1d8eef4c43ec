//! Ways in which a card misbehaves, for tests and for the demonstration.

use std::str::FromStr;

use ::card::{Apdu, Response, Status};

/// One misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The internal key is another one: the card is forged.
    Forged,
    /// Answers are noise of changing length.
    Garbage,
    /// Answers are one byte, which is less than a status word.
    Short,
    /// Records lack their last byte.
    Truncated,
    /// Records are followed by twenty more bytes.
    Oversized,
    /// Answers to reading are longer than any short answer can be.
    Huge,
    /// Every answer says that one more byte is waiting.
    Endless,
    /// Every reading command is answered with this status word.
    Says(u16),
    /// No command is answered, and the card stays.
    Mute,
    /// The card leaves the reader instead of answering this command, counted from 1 since reset.
    GoneAt(u32),
}

/// A word that names no fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "faults are forged, garbage, short, truncated, oversized, huge, endless, mute, says:SW, gone-at:N"
)]
pub struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        match word.split_once(':').unwrap_or((word, "")) {
            ("forged", "") => Ok(Self::Forged),
            ("garbage", "") => Ok(Self::Garbage),
            ("short", "") => Ok(Self::Short),
            ("truncated", "") => Ok(Self::Truncated),
            ("oversized", "") => Ok(Self::Oversized),
            ("huge", "") => Ok(Self::Huge),
            ("endless", "") => Ok(Self::Endless),
            ("mute", "") => Ok(Self::Mute),
            ("says", word) => {
                u16::from_str_radix(word, 16).map(Self::Says).map_err(|_| UnknownFault)
            }
            ("gone-at", count) => count.parse().map(Self::GoneAt).map_err(|_| UnknownFault),
            _ => Err(UnknownFault),
        }
    }
}

/// All misbehaviour of one card.
#[derive(Default)]
pub(crate) struct Faults {
    active: Vec<Fault>,
    noise: u32,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.active.push(fault);
    }

    pub(crate) fn gone_at(&self, command: u32) -> bool {
        self.active.contains(&Fault::GoneAt(command))
    }

    pub(crate) fn mute(&self) -> bool {
        self.active.contains(&Fault::Mute)
    }

    /// Changes an answer that is still one.
    pub(crate) fn spoil(&self, command: &Apdu, mut response: Response) -> Response {
        let [_, ins, ..] = command.header();
        let reads = matches!(ins, 0xB0 | 0xB2);
        for fault in &self.active {
            match fault {
                Fault::Forged if ins == 0x88 => {
                    response.data.iter_mut().for_each(|byte| *byte ^= 0x5A);
                }
                Fault::Truncated if reads => {
                    response.data.pop();
                }
                Fault::Oversized if reads => response.data.extend([0x55; 20]),
                Fault::Huge if reads => response.data.resize(300, 0x55),
                Fault::Endless => {
                    response =
                        Response { data: vec![0xAA], status: Status::MoreData { available: 1 } };
                }
                Fault::Says(word) if reads => response = Response::of(Status::from(*word)),
                _ => {}
            }
        }
        response
    }

    /// Replaces an answer by bytes that are none.
    pub(crate) fn garble(&mut self, answer: Vec<u8>) -> Vec<u8> {
        if self.active.contains(&Fault::Short) {
            return vec![0x6F];
        }
        if self.active.contains(&Fault::Garbage) {
            self.noise = self.noise.wrapping_add(1);
            let length = 2 + self.noise % 60;
            let mix = |at: u32| (at ^ self.noise).wrapping_mul(0x9E37_79B1) >> 24;
            return (0..length).map(|at| mix(at) as u8).collect();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named() {
        let cases = [
            ("forged", Ok(Fault::Forged)),
            ("says:6A82", Ok(Fault::Says(0x6A82))),
            ("gone-at:12", Ok(Fault::GoneAt(12))),
            ("says:", Err(UnknownFault)),
            ("gone-at:x", Err(UnknownFault)),
            ("forged:1", Err(UnknownFault)),
            ("", Err(UnknownFault)),
        ];
        for (word, fault) in cases {
            assert_eq!(word.parse::<Fault>(), fault, "{word}");
        }
    }
}
