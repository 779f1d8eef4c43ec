//! What the maker of a card wrote down: the commands that make a blank card of theirs, with places
//! for data and keys.
//!
//! ```text
//! # a comment
//! > 00A40000 3F00                    header, then data; Lc is worked out
//! < 9000                             the answers that are accepted
//! > 00840000 le=08
//! < 9000 challenge                   eight bytes that the next proof or key is made under
//! > 00820000 {prove}                 proof of the transport key, 17 bytes
//! < 9000
//! > 80E00000 DDF1
//! < 9000 6985                        there already is as good
//! > 84D40111 {key:RK1_DDF1}          the key, wrapped under the transport key, and the MAC
//! < 9000
//! > 00820005 {prove:UK1_DDF1}
//! < 9000
//! > 00DC0104 {record:DDF1/EF05/1}    a record, tag and length included
//! < 9000
//! > 00D60000 {file:DDF1/EF07/0/250}  bytes of a file: from, how many
//! < 9000
//! ```
//!
//! A script holds no key and no person. It is parsed strictly: a script that asks for a file or key
//! that no card has, or proves something without a challenge, is refused before a card is touched.

use std::str::FromStr;

use super::{CardContents, Filling, IssuingKeys, PersonaliseError, Personaliser, Step, random};
use crate::apdu::{Apdu, Response};
use crate::command::personalise::WriteKey;
use crate::command::{CardError, Instruction};
use crate::key::{CardFactors, CardKey, KeyVersion};
use crate::layout::{self, FileName, Structure};
use crate::transport::{Link, LinkError};

/// Most bytes of a script.
const MAX_SCRIPT: usize = 256 * 1024;
/// Most bytes of data of one command.
const MAX_DATA: usize = 255;

/// A script that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    commands: Vec<Command>,
}

/// Why a text is no script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadScript {
    /// More than 256 KiB.
    #[error("the script is too long")]
    TooLong,
    /// No command in it.
    #[error("the script has no command")]
    Empty,
    /// A line that is none of a script, or not in its place.
    #[error("line {line} of the script is not what belongs there")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// A place for what no card has.
    #[error("line {line} of the script names what no card has")]
    Place {
        /// The line, from 1.
        line: usize,
    },
    /// Something is proven or loaded without a challenge since the last.
    #[error("line {line} of the script needs a challenge before it")]
    NoChallenge {
        /// The line, from 1.
        line: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Command {
    line: usize,
    header: [u8; 4],
    data: Vec<Part>,
    expected: Option<u16>,
    accepts: Vec<[u8; 2]>,
    /// The answer is a challenge.
    challenge: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    ProveTransport,
    Prove(CardKey),
    Key(CardKey, KeyVersion),
    Record(FileName, u8),
    File { name: FileName, from: u16, length: u8 },
}

impl Part {
    fn needs_challenge(&self) -> bool {
        matches!(self, Self::ProveTransport | Self::Prove(_) | Self::Key(..))
    }

    fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::ProveTransport | Self::Prove(_) => 17,
            Self::Key(..) => 20,
            Self::Record(name, number) => {
                let element = layout::file(*name).and_then(|file| {
                    file.elements().iter().find(|element| element.record() == *number)
                });
                element.map_or(0, |element| usize::from(element.record_size()))
            }
            Self::File { length, .. } => usize::from(*length),
        }
    }
}

impl FromStr for Script {
    type Err = BadScript;

    fn from_str(text: &str) -> Result<Self, BadScript> {
        if text.len() > MAX_SCRIPT {
            return Err(BadScript::TooLong);
        }
        let mut commands: Vec<Command> = Vec::new();
        let mut waiting: Option<Command> = None;
        let mut challenged = false;
        for (line, text) in text.lines().enumerate().map(|(at, text)| (at + 1, text.trim())) {
            let bad = BadScript::Line { line };
            match (text.split_at_checked(1), waiting.take()) {
                (None, none) => waiting = none,
                (Some(("#", _)), none) => waiting = none,
                (Some((">", rest)), None) => {
                    let command = command(line, rest)?;
                    if command.data.iter().any(Part::needs_challenge) {
                        // A card forgets its challenge with the first use.
                        if !std::mem::take(&mut challenged) {
                            return Err(BadScript::NoChallenge { line });
                        }
                    }
                    waiting = Some(command);
                }
                (Some(("<", rest)), Some(mut command)) => {
                    answers(rest, &mut command).ok_or(bad)?;
                    challenged |= command.challenge;
                    commands.push(command);
                }
                _ => return Err(bad),
            }
        }
        match (waiting, commands.is_empty()) {
            (Some(command), _) => Err(BadScript::Line { line: command.line }),
            (None, true) => Err(BadScript::Empty),
            (None, false) => Ok(Self { commands }),
        }
    }
}

/// Header, data, and what is expected.
fn command(line: usize, text: &str) -> Result<Command, BadScript> {
    let bad = BadScript::Line { line };
    let mut data: Vec<Part> = Vec::new();
    let (mut header, mut expected): (Vec<u8>, _) = (Vec::new(), None);
    for word in text.split_ascii_whitespace() {
        if expected.is_some() {
            return Err(bad); // it is the last word
        }
        if let Some(le) = word.strip_prefix("le=") {
            let [le] = hex(le).ok_or(bad)?[..] else { return Err(bad) };
            expected = Some(if le == 0 { 256 } else { u16::from(le) });
        } else if let Some(place) = word.strip_prefix('{') {
            let place = place.strip_suffix('}').ok_or(bad)?;
            data.push(part(place).ok_or(BadScript::Place { line })?);
        } else {
            let mut bytes = hex(word).ok_or(bad)?;
            if data.is_empty() && header.len() < 4 {
                let rest = bytes.split_off(bytes.len().min(4 - header.len()));
                header.extend(bytes);
                bytes = rest;
            }
            if !bytes.is_empty() {
                data.push(Part::Bytes(bytes));
            }
        }
    }
    let header = header.try_into().map_err(|_| bad)?;
    // A MAC covers the whole command: a key stands alone.
    let has_key = data.iter().any(|part| matches!(part, Part::Key(..)));
    let length: usize = data.iter().map(Part::length).sum();
    if (has_key && data.len() != 1) || length > MAX_DATA {
        return Err(bad);
    }
    Ok(Command { line, header, data, expected, accepts: Vec::new(), challenge: false })
}

/// What a card may answer.
fn answers(text: &str, command: &mut Command) -> Option<()> {
    for word in text.split_ascii_whitespace() {
        match word {
            "challenge" if command.expected.is_some() && !command.challenge => {
                command.challenge = true;
            }
            word => command.accepts.push(hex(word)?.try_into().ok()?),
        }
    }
    (!command.accepts.is_empty()).then_some(())
}

/// A place for data or for a key.
fn part(place: &str) -> Option<Part> {
    let (kind, rest) = place.split_once(':').unwrap_or((place, ""));
    let named =
        |directory: &str, file: &str| format!("{directory}/{file}").parse::<FileName>().ok();
    match (kind, rest.split('/').collect::<Vec<_>>().as_slice()) {
        ("prove", [""]) if !place.contains(':') => Some(Part::ProveTransport),
        ("prove", [_]) => Some(Part::Prove(CardKey::named(rest)?)),
        ("key", [..]) => CardKey::spelled(rest).map(|(key, version)| Part::Key(key, version)),
        ("record", [directory, file, number]) => {
            let part = Part::Record(named(directory, file)?, number.parse().ok()?);
            (part.length() > 0).then_some(part)
        }
        ("file", [directory, file, from, length]) => {
            let (name, from) = (named(directory, file)?, from.parse::<u16>().ok()?);
            let length = length.parse::<u8>().ok().filter(|length| *length > 0)?;
            let Structure::Transparent { size, .. } = layout::file(name)?.structure else {
                return None;
            };
            let end = from.checked_add(u16::from(length))?;
            (end <= size).then_some(Part::File { name, from, length })
        }
        _ => None,
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    if rest.is_empty() && !pairs.is_empty() { bytes } else { None }
}

impl Command {
    /// The data of the command for one card, under its last challenge.
    fn data(
        &self,
        keys: &IssuingKeys,
        factors: &CardFactors,
        contents: &CardContents,
        challenge: &[u8; 8],
        random: &mut dyn FnMut() -> [u8; 8],
    ) -> Result<Vec<u8>, PersonaliseError> {
        let missing = PersonaliseError::Script { line: self.line };
        let mut data = Vec::with_capacity(MAX_DATA);
        for part in &self.data {
            match part {
                Part::Bytes(bytes) => data.extend(bytes),
                Part::ProveTransport => {
                    let proof = keys.transport_proof(&factors.card, challenge, random())?;
                    data.extend(proof.encode().data());
                }
                Part::Prove(key) => {
                    let proof = keys.proof(*key, factors, challenge, random())?;
                    data.extend(proof.encode().data());
                }
                Part::Key(key, version) => {
                    let (session, wrapped) = keys.wrapped(*key, *version, factors, challenge)?;
                    data.extend(WriteKey::sealed(&session, self.header, &wrapped));
                }
                Part::Record(name, number) => match contents.file(*name) {
                    Some(Filling::Records(records)) if records.contains_key(number) => {
                        data.extend(&records[number]);
                    }
                    _ => return Err(missing),
                },
                Part::File { name, from, length } => {
                    let bytes = match contents.file(*name) {
                        Some(Filling::Bytes(bytes)) => bytes.as_slice(),
                        _ => &[],
                    };
                    // Beyond what the card is to have there are zeros.
                    let from = usize::from(*from);
                    let places = from..from + usize::from(*length);
                    data.extend(places.map(|at| bytes.get(at).unwrap_or(&0)));
                }
            }
        }
        Ok(data)
    }
}

/// A command as it is sent, whose answer is judged by the script.
struct Sent(Apdu);

impl Instruction for Sent {
    type Answer = Response;

    fn encode(&self) -> Apdu {
        self.0.clone()
    }

    fn decode(&self, response: Response) -> Result<Response, CardError> {
        Ok(response)
    }
}

impl Personaliser for Script {
    fn personalise(
        &self,
        link: &mut Link<'_>,
        keys: &IssuingKeys,
        factors: &CardFactors,
        contents: &CardContents,
        randomness: &mut dyn FnMut(&mut [u8; 8]),
    ) -> Result<(), PersonaliseError> {
        let mut challenge = [0; 8];
        for command in &self.commands {
            let mut random = || random(randomness);
            let data = command.data(keys, factors, contents, &challenge, &mut random)?;
            let mut apdu = Apdu::new(command.header).with_data(data);
            if let Some(length) = command.expected {
                apdu = apdu.expecting(length);
            }
            // A card that knows no transport key is not blank, whoever asks.
            let step = match command.data.contains(&Part::ProveTransport) {
                true => Step::Open,
                false => Step::Line(command.line),
            };
            let failed = |error| PersonaliseError::at(step, error);
            let response = link.run(&Sent(apdu)).map_err(failed)?;
            let refused = CardError::Refused(response.status);
            let bytes = response.to_bytes();
            let (data, status) = bytes.split_last_chunk::<2>().expect("an answer has a status");
            if !command.accepts.contains(status) {
                return Err(failed(LinkError::Card(refused)));
            }
            if command.challenge {
                let short = CardError::Length { expected: 8, found: data.len() };
                challenge = data.try_into().map_err(|_| failed(LinkError::Card(short)))?;
            }
        }
        Ok(())
    }
}
