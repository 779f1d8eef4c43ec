//! Commands and answers as bytes (ISO/IEC 7816-4:2005, 5.1; short form only, as health cards use).

use std::fmt;

use zeroize::Zeroize as _;

/// The most data one short command carries.
pub const MAX_COMMAND_DATA: usize = 255;

/// The most data one short answer carries.
pub const MAX_ANSWER_DATA: usize = 256;

/// A command for the card (命令 APDU).
#[derive(Clone, PartialEq, Eq)]
pub struct Apdu {
    header: [u8; 4],
    data: Vec<u8>,
    expected: Option<u16>,
}

/// Why bytes are not a short command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadApdu {
    /// Fewer than the four bytes of a header.
    #[error("a command of {0} bytes has no header")]
    NoHeader(usize),
    /// Lc does not agree with the bytes that follow.
    #[error("Lc disagrees with the {0} bytes after it")]
    Length(usize),
    /// A command of the extended form.
    #[error("extended length is not used on this card")]
    Extended,
}

impl Apdu {
    /// A command of CLA, INS, P1, P2 with neither data nor an expected answer.
    pub fn new(header: [u8; 4]) -> Self {
        Self { header, data: Vec::new(), expected: None }
    }

    /// The same command with `data`.
    ///
    /// # Panics
    /// With more than [`MAX_COMMAND_DATA`] bytes: callers send fields of fixed size.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        assert!(self.data.len() <= MAX_COMMAND_DATA, "a short command carries 255 bytes");
        self
    }

    /// The same command expecting `length` bytes, 1 to 256 (Le; 256 is written `00`).
    ///
    /// # Panics
    /// With a length outside that range.
    #[must_use]
    pub fn expecting(mut self, length: u16) -> Self {
        assert!((1..=256).contains(&length), "a short answer has 1 to 256 bytes");
        self.expected = Some(length);
        self
    }

    /// The same command expecting nothing.
    #[must_use]
    pub fn expecting_nothing(mut self) -> Self {
        self.expected = None;
        self
    }

    /// CLA, INS, P1, P2.
    pub fn header(&self) -> [u8; 4] {
        self.header
    }

    /// The command's data.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// How many bytes are expected, 1 to 256; `None` when none are.
    pub fn expected(&self) -> Option<u16> {
        self.expected
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(6 + self.data.len());
        bytes.extend(self.header);
        if !self.data.is_empty() {
            bytes.push(self.data.len() as u8);
            bytes.extend(&self.data);
        }
        if let Some(length) = self.expected {
            bytes.push(length as u8); // 256 is written 00
        }
        bytes
    }

    /// Reads the bytes of a short command, cases 1 to 4.
    ///
    /// # Errors
    /// [`BadApdu`] when the bytes are not exactly one such command.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadApdu> {
        let Some((header, rest)) = bytes.split_first_chunk::<4>() else {
            return Err(BadApdu::NoHeader(bytes.len()));
        };
        let expected = |le: u8| if le == 0 { 256 } else { u16::from(le) };
        let command = Self::new(*header);
        match rest {
            [] => Ok(command),
            [le] => Ok(command.expecting(expected(*le))),
            [0, _, _, ..] => Err(BadApdu::Extended),
            [lc, body @ ..] => {
                let lc = usize::from(*lc);
                match body.len().checked_sub(lc) {
                    Some(0) if lc > 0 => Ok(command.with_data(body)),
                    Some(1) if lc > 0 => {
                        Ok(command.with_data(&body[..lc]).expecting(expected(body[lc])))
                    }
                    _ => Err(BadApdu::Length(body.len())),
                }
            }
        }
    }
}

/// What travels may be a PIN: it is wiped.
impl Drop for Apdu {
    fn drop(&mut self) {
        self.data.zeroize();
    }
}

/// Header and sizes only: what travels may be a secret or personal.
impl fmt::Debug for Apdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [cla, ins, p1, p2] = self.header;
        write!(f, "{cla:02X} {ins:02X} {p1:02X} {p2:02X}, {} data bytes", self.data.len())
    }
}

/// The card's answer to one command (响应 APDU).
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// What came before the status word, at most 256 bytes.
    pub data: Vec<u8>,
    /// The status word.
    pub status: Status,
}

/// Bytes that are no answer: shorter than a status word or longer than a short answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes are not an answer of a card")]
pub struct BadResponse {
    /// How many bytes came.
    pub length: usize,
}

impl Response {
    /// An answer of a status word alone.
    pub fn of(status: Status) -> Self {
        Self { data: Vec::new(), status }
    }

    /// A successful answer.
    pub fn done(data: impl Into<Vec<u8>>) -> Self {
        Self { data: data.into(), status: Status::Done }
    }

    /// Reads an answer: up to 256 bytes of data, then the status word.
    ///
    /// # Errors
    /// [`BadResponse`] for any other size.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadResponse> {
        match bytes.split_last_chunk::<2>() {
            Some((data, word)) if data.len() <= MAX_ANSWER_DATA => {
                Ok(Self { data: data.to_vec(), status: Status::from(u16::from_be_bytes(*word)) })
            }
            _ => Err(BadResponse { length: bytes.len() }),
        }
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.data.clone();
        bytes.extend(self.status.word().to_be_bytes());
        bytes
    }
}

/// Size and status only: answers hold personal data.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} data bytes, {}", self.data.len(), self.status)
    }
}

/// A status word (状态字): those seen on health cards and those they inherit (GB/T 16649.4, PBOC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `9000`.
    Done,
    /// `61xx`: `available` bytes wait for GET RESPONSE; 0 means 256 or more.
    MoreData {
        /// How many bytes.
        available: u8,
    },
    /// `6281`: the answer may be corrupted.
    Corrupted,
    /// `6283`: the selected file is invalidated.
    FileInvalidated,
    /// `63Cx`, and `6300` as no count: authentication failed.
    Failed {
        /// Tries that are left, when the card tells.
        tries_left: Option<u8>,
    },
    /// `6581`: memory failure.
    MemoryFailure,
    /// `6700`: wrong Lc or Le.
    WrongLength,
    /// `6901`: not accepted in this state.
    WrongState,
    /// `6981`: the command does not fit the file's structure.
    WrongStructure,
    /// `6982`: the right to do this was not proven.
    NotAllowed,
    /// `6983`: the key is blocked after too many failures.
    Blocked,
    /// `6984`: the challenge is missing or was used.
    NoChallenge,
    /// `6985`: conditions of use are not satisfied.
    NotNow,
    /// `6986`: no elementary file is selected.
    NoFile,
    /// `6987`: the command must be protected.
    Unprotected,
    /// `6988`: the command's protection is wrong.
    BadProtection,
    /// `6A80`: the data are wrong.
    WrongData,
    /// `6A81`: not supported, or the card is blocked.
    NotSupported,
    /// `6A82`: file not found.
    FileNotFound,
    /// `6A83`: record not found.
    RecordNotFound,
    /// `6A84`: no space.
    NoSpace,
    /// `6A86`: P1 or P2 is wrong.
    WrongParameters,
    /// `6A88`: key not found.
    KeyNotFound,
    /// `6B00`: the offset lies outside the file.
    WrongOffset,
    /// `6Cxx`: the command is to be sent again with this Le; 0 means 256.
    RightLength {
        /// The Le that fits.
        length: u8,
    },
    /// `6D00`: no such instruction.
    UnknownInstruction,
    /// `6E00`: no such class.
    UnknownClass,
    /// `9302`: wrong MAC, as PBOC cards say it.
    WrongMac,
    /// `9303`: the application is blocked for good.
    ApplicationBlocked,
    /// Any other word.
    Other(u16),
}

/// Words without a parameter. One line a word.
const WORDS: [(u16, Status); 25] = [
    (0x9000, Status::Done),
    (0x6281, Status::Corrupted),
    (0x6283, Status::FileInvalidated),
    (0x6300, Status::Failed { tries_left: None }),
    (0x6581, Status::MemoryFailure),
    (0x6700, Status::WrongLength),
    (0x6901, Status::WrongState),
    (0x6981, Status::WrongStructure),
    (0x6982, Status::NotAllowed),
    (0x6983, Status::Blocked),
    (0x6984, Status::NoChallenge),
    (0x6985, Status::NotNow),
    (0x6986, Status::NoFile),
    (0x6987, Status::Unprotected),
    (0x6988, Status::BadProtection),
    (0x6A80, Status::WrongData),
    (0x6A81, Status::NotSupported),
    (0x6A82, Status::FileNotFound),
    (0x6A83, Status::RecordNotFound),
    (0x6A84, Status::NoSpace),
    (0x6A86, Status::WrongParameters),
    (0x6A88, Status::KeyNotFound),
    (0x6B00, Status::WrongOffset),
    (0x6D00, Status::UnknownInstruction),
    (0x6E00, Status::UnknownClass),
];

/// The two words of PBOC cards.
const PBOC_WORDS: [(u16, Status); 2] =
    [(0x9302, Status::WrongMac), (0x9303, Status::ApplicationBlocked)];

impl From<u16> for Status {
    fn from(word: u16) -> Self {
        let low = word.to_be_bytes()[1];
        match word {
            0x6100..=0x61FF => Self::MoreData { available: low },
            0x63C0..=0x63CF => Self::Failed { tries_left: Some(low & 0x0F) },
            0x6C00..=0x6CFF => Self::RightLength { length: low },
            _ => WORDS
                .iter()
                .chain(&PBOC_WORDS)
                .find(|(known, _)| *known == word)
                .map_or(Self::Other(word), |(_, status)| *status),
        }
    }
}

impl Status {
    /// Whether the card says that the file or application exists and is blocked.
    pub fn is_blocking(self) -> bool {
        matches!(self, Self::FileInvalidated | Self::ApplicationBlocked)
    }

    /// The status word.
    pub fn word(self) -> u16 {
        match self {
            Self::MoreData { available } => 0x6100 | u16::from(available),
            Self::Failed { tries_left: Some(tries) } => 0x63C0 | u16::from(tries & 0x0F),
            Self::RightLength { length } => 0x6C00 | u16::from(length),
            Self::Other(word) => word,
            plain => WORDS
                .iter()
                .chain(&PBOC_WORDS)
                .find(|(_, status)| *status == plain)
                .map_or(0x6F00, |(word, _)| *word),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_read_as_they_are_written() {
        // ISO/IEC 7816-4:2005, 5.1: the four cases.
        let cases: [(&str, &[u8], Result<Apdu, BadApdu>); 12] = [
            ("case 1", &[0, 0x84, 0, 0], Ok(Apdu::new([0, 0x84, 0, 0]))),
            ("case 2", &[0, 0x84, 0, 0, 8], Ok(Apdu::new([0, 0x84, 0, 0]).expecting(8))),
            ("case 2, 256", &[0, 0xB2, 1, 4, 0], Ok(Apdu::new([0, 0xB2, 1, 4]).expecting(256))),
            (
                "case 3",
                &[0, 0xA4, 0, 0, 2, 0x3F, 0],
                Ok(Apdu::new([0, 0xA4, 0, 0]).with_data([0x3F, 0])),
            ),
            (
                "case 4",
                &[0, 0x88, 0, 0, 1, 9, 8],
                Ok(Apdu::new([0, 0x88, 0, 0]).with_data([9]).expecting(8)),
            ),
            ("empty", &[], Err(BadApdu::NoHeader(0))),
            ("cut header", &[0, 0x84, 0], Err(BadApdu::NoHeader(3))),
            ("Lc too long", &[0, 0xA4, 0, 0, 3, 1, 2], Err(BadApdu::Length(2))),
            ("Lc too short", &[0, 0xA4, 0, 0, 1, 1, 2, 3], Err(BadApdu::Length(3))),
            ("extended Le", &[0, 0xB0, 0, 0, 0, 1, 0], Err(BadApdu::Extended)),
            ("extended Lc", &[0, 0xD6, 0, 0, 0, 0, 1, 9], Err(BadApdu::Extended)),
            ("Lc zero and Le", &[0, 0xD6, 0, 0, 0, 1], Err(BadApdu::Length(1))),
        ];
        for (name, bytes, expected) in cases {
            let read = Apdu::parse(bytes);
            assert_eq!(read, expected, "{name}");
            if let Ok(command) = read {
                assert_eq!(command.to_bytes(), bytes, "{name}");
            }
        }
    }

    #[test]
    fn a_command_prints_no_data() {
        let command = Apdu::new([0, 0x20, 0, 0x81]).with_data(*b"123456");
        assert_eq!(format!("{command:?}"), "00 20 00 81, 6 data bytes");
        let answer = Response::done(*b"secret");
        assert_eq!(format!("{answer:?}"), "6 data bytes, 9000");
    }

    #[test]
    fn answers_have_a_status_word_and_at_most_256_bytes() {
        assert_eq!(Response::parse(&[]), Err(BadResponse { length: 0 }));
        assert_eq!(Response::parse(&[0x90]), Err(BadResponse { length: 1 }));
        assert_eq!(Response::parse(&[0x90, 0]), Ok(Response::of(Status::Done)));
        assert!(Response::parse(&[0; 258]).is_ok());
        assert_eq!(Response::parse(&[0; 259]), Err(BadResponse { length: 259 }));
    }

    #[test]
    fn every_status_word_survives() {
        for word in 0..=u16::MAX {
            assert_eq!(Status::from(word).word(), word);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn what_parses_writes_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..270)) {
            if let Ok(command) = Apdu::parse(&bytes) {
                prop_assert_eq!(command.to_bytes(), bytes);
            }
        }
    }
}
