use time::Date;

use super::APPLICATION;
use crate::certificate::SamSerial;
use crate::layout::MASTER_FILE;
use crate::value;

/// A file of a SAM (health-card.md, 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SamFile {
    /// Public data (公共信息).
    Public,
    /// Terminal number (终端信息).
    Terminal,
    /// Public data of the application (公共应用信息).
    Application,
    /// The card issuer's certificate (发卡机构证书).
    IssuerCertificate,
    /// The SAM's certificate (SAM卡证书).
    Certificate,
}

impl SamFile {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Public,
        Self::Terminal,
        Self::Application,
        Self::IssuerCertificate,
        Self::Certificate,
    ];

    /// Directory, file identifier, size.
    pub const fn facts(self) -> (u16, u16, u16) {
        match self {
            Self::Public => (MASTER_FILE, 0x0015, 14),
            Self::Terminal => (MASTER_FILE, 0x0016, 6),
            Self::Application => (APPLICATION, 0x001A, 25),
            Self::IssuerCertificate => (APPLICATION, 0x001B, 180),
            Self::Certificate => (APPLICATION, 0x001C, 190),
        }
    }
}

/// A file that is not as the standard says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file {file:?} of the SAM is malformed")]
pub struct BadSamFile {
    /// Which one.
    pub file: SamFile,
}

/// What a SAM says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicFile {
    /// Its serial.
    pub serial: SamSerial,
    /// Its version.
    pub version: u8,
    /// Type of key card (密钥卡类型).
    pub key_card: u8,
    /// Version of its command set.
    pub commands: u8,
    /// The issuer's byte of its FCI.
    pub issuer_fci: u8,
}

impl PublicFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`BadSamFile`] unless there are 14 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadSamFile> {
        match bytes.split_first_chunk() {
            Some((serial, &[version, key_card, commands, issuer_fci])) => {
                let serial = SamSerial(*serial);
                Ok(Self { serial, version, key_card, commands, issuer_fci })
            }
            _ => Err(BadSamFile { file: SamFile::Public }),
        }
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let rest = [self.version, self.key_card, self.commands, self.issuer_fci];
        [&self.serial.0[..], &rest].concat()
    }
}

/// Number of a terminal (终端号): province, city, issuer, serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalNumber(pub [u8; 6]);

impl TerminalNumber {
    /// Reads the file.
    ///
    /// # Errors
    /// [`BadSamFile`] unless there are 6 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadSamFile> {
        bytes.try_into().map(Self).map_err(|_| BadSamFile { file: SamFile::Terminal })
    }
}

impl std::fmt::Display for TerminalNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Whose a SAM is, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationFile {
    /// Key index of the national application.
    pub key_index: u8,
    /// Identifier of the issuer.
    pub issuer: [u8; 8],
    /// Identifier of the receiver.
    pub receiver: [u8; 8],
    /// First day.
    pub valid_from: Date,
    /// Last day.
    pub valid_until: Date,
}

impl ApplicationFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`BadSamFile`] unless there are 25 bytes with two days that exist.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadSamFile> {
        let read = || {
            let (&[key_index], rest) = bytes.split_first_chunk()?;
            let (issuer, rest) = rest.split_first_chunk()?;
            let (receiver, rest) = rest.split_first_chunk()?;
            let (from, until) = rest.split_first_chunk::<4>()?;
            let until = <&[u8; 4]>::try_from(until).ok()?;
            let day = |field: &[u8; 4]| value::read_date(field).ok().flatten();
            let (valid_from, valid_until) = (day(from)?, day(until)?);
            let (issuer, receiver) = (*issuer, *receiver);
            Some(Self { key_index, issuer, receiver, valid_from, valid_until })
        };
        read().ok_or(BadSamFile { file: SamFile::Application })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let days = [value::write_date(self.valid_from), value::write_date(self.valid_until)];
        [&[self.key_index], &self.issuer[..], &self.receiver, &days.concat()].concat()
    }
}
