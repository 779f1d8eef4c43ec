//! Card sessions as text: recorded from one card, replayed against another or without any.
//!
//! ```text
//! # a comment
//! atr 3B 88 80 01 11 01 22 01 00 00 00 01 3B
//! > 00 84 00 00 08
//! < 11 22 33 44 55 66 77 88 90 00
//! ! removed
//! ```
//!
//! A transcript holds what the card said, in clear: record test cards only.

use std::fmt::Write as _;
use std::str::FromStr;

use super::{Transport, TransportError};
use crate::apdu::{Apdu, Response};
use crate::atr::Atr;

/// A recorded session.
#[derive(Clone)]
pub struct Transcript {
    atr: Atr,
    steps: Vec<Step>,
}

/// One command and what became of it.
#[derive(Clone)]
struct Step {
    command: Vec<u8>,
    /// `None`: the card was removed.
    answer: Option<Vec<u8>>,
}

/// Text that is no transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the transcript is not what belongs there")]
pub struct BadTranscript {
    /// The line, from 1; 0 when the text lacks an answer to reset.
    pub line: usize,
}

impl FromStr for Transcript {
    type Err = BadTranscript;

    fn from_str(text: &str) -> Result<Self, BadTranscript> {
        let mut atr = None;
        let mut steps: Vec<Step> = Vec::new();
        let mut waiting: Option<Vec<u8>> = None;
        for (line, text) in text.lines().enumerate().map(|(at, text)| (at + 1, text.trim())) {
            let bad = BadTranscript { line };
            let (mark, rest) = text.split_once(' ').unwrap_or((text, ""));
            match (mark, waiting.take()) {
                ("" | "#", command) => waiting = command,
                ("atr", None) if atr.is_none() => {
                    atr = Some(Atr::parse(&hex(rest).ok_or(bad)?).map_err(|_| bad)?);
                }
                (">", None) => waiting = Some(hex(rest).ok_or(bad)?),
                ("<", Some(command)) => {
                    steps.push(Step { command, answer: Some(hex(rest).ok_or(bad)?) });
                }
                ("!", Some(command)) if rest == "removed" => {
                    steps.push(Step { command, answer: None });
                }
                _ => return Err(bad),
            }
        }
        match (atr, waiting) {
            (Some(atr), None) => Ok(Self { atr, steps }),
            _ => Err(BadTranscript { line: 0 }),
        }
    }
}

impl std::fmt::Display for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "atr {}", self.atr)?;
        for step in &self.steps {
            writeln!(f, "> {}", spell(&step.command))?;
            match &step.answer {
                Some(answer) => writeln!(f, "< {}", spell(answer))?,
                None => writeln!(f, "! removed")?,
            }
        }
        Ok(())
    }
}

fn spell(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").expect("a string takes all");
        text
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|c| *c != b' ')
        .map(|c| char::from(c).to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// A card that says what a transcript says, and fails on any other command.
pub struct Replay {
    transcript: Transcript,
    at: usize,
}

impl Replay {
    /// A card at the start of `transcript`.
    pub fn new(transcript: Transcript) -> Self {
        Self { transcript, at: 0 }
    }

    /// How many steps were not asked for.
    pub fn left(&self) -> usize {
        self.transcript.steps.len() - self.at
    }
}

impl Transport for Replay {
    fn atr(&self) -> &Atr {
        &self.transcript.atr
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        let step = self.transcript.steps.get(self.at);
        self.at += 1;
        match step {
            Some(step) if step.command == command.to_bytes() => match &step.answer {
                Some(answer) => Ok(Response::parse(answer)?),
                None => Err(TransportError::CardRemoved),
            },
            Some(_) => Err(TransportError::Failed(format!("step {} is another command", self.at))),
            None => Err(TransportError::Failed(format!("the transcript ends before {}", self.at))),
        }
    }
}

/// Writes down what passes over another transport.
pub struct Recorder<T> {
    inner: T,
    transcript: Transcript,
}

impl<T: Transport> Recorder<T> {
    /// A recorder over `inner`.
    pub fn new(inner: T) -> Self {
        let transcript = Transcript { atr: inner.atr().clone(), steps: Vec::new() };
        Self { inner, transcript }
    }

    /// What passed so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

impl<T: Transport> Transport for Recorder<T> {
    fn atr(&self) -> &Atr {
        self.inner.atr()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        let outcome = self.inner.transmit(command);
        let answer = match &outcome {
            Ok(response) => Some(response.to_bytes()),
            Err(TransportError::CardRemoved) => None,
            Err(_) => return outcome,
        };
        self.transcript.steps.push(Step { command: command.to_bytes(), answer });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_are_read_line_by_line() {
        let atr = "atr 3B00";
        let cases = [
            ("whole", format!("# x\n{atr}\n\n> 00 84\n< 90 00\n> 01\n! removed\n"), Ok(2)),
            ("no atr", "> 00\n< 9000".to_owned(), Err(0)),
            ("no answer", format!("{atr}\n> 00"), Err(0)),
            ("answer first", format!("{atr}\n< 9000"), Err(2)),
            ("odd hex", format!("{atr}\n> 008"), Err(2)),
            ("no hex", format!("{atr}\n> xy"), Err(2)),
            ("bad atr", "atr 3B01".to_owned(), Err(1)),
        ];
        for (name, text, expected) in cases {
            let steps = text.parse::<Transcript>().map(|t| t.steps.len()).map_err(|e| e.line);
            assert_eq!(steps, expected, "{name}");
        }
    }

    #[test]
    fn another_command_is_refused() {
        let text = "atr 3B00\n> 00840000\n< 9000\n";
        let transcript: Transcript = text.parse().unwrap();
        assert_eq!(transcript.to_string(), text);
        let mut card = Replay::new(transcript);
        let refused = card.transmit(&Apdu::new([0, 0x84, 0, 1]));
        assert!(matches!(refused, Err(TransportError::Failed(_))));
    }
}
