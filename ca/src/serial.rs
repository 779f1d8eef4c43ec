use std::{fmt, str::FromStr};

use crate::der::{DerError, integer, unsigned};

/// Serial number of a certificate: positive, at most 20 octets as an INTEGER (RFC 5280, 4.1.2.2).
///
/// Shown and read as lower-case hexadecimal, two digits an octet, without leading zero octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

/// Text or octets are not a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number is 1 to 20 octets, positive, in hexadecimal")]
pub struct BadSerial;

impl Serial {
    /// Makes a serial number of 16 octets from 16 random ones; 126 bits of them stay as they are.
    ///
    /// The length is the same for all, so that no serial number is the beginning of another in
    /// listings.
    pub fn from_random(mut octets: [u8; 16]) -> Self {
        octets[0] = octets[0] & 0x3f | 0x40;
        Self(octets.to_vec())
    }

    /// From a big-endian magnitude without leading zeros.
    ///
    /// # Errors
    /// [`BadSerial`] when it is empty, starts with zero, or needs more than 20 octets as an
    /// INTEGER.
    pub fn from_octets(magnitude: &[u8]) -> Result<Self, BadSerial> {
        match magnitude {
            [] | [0, ..] => Err(BadSerial),
            [first, ..] if magnitude.len() + usize::from(first >> 7) > 20 => Err(BadSerial),
            _ => Ok(Self(magnitude.to_vec())),
        }
    }

    /// The magnitude, big-endian, without leading zeros.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// From the content octets of an INTEGER.
    pub(crate) fn read(content: &[u8]) -> Result<Self, DerError> {
        Self::from_octets(integer(content)?).map_err(|BadSerial| DerError::Integer)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        unsigned(&self.0)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl FromStr for Serial {
    type Err = BadSerial;

    fn from_str(text: &str) -> Result<Self, BadSerial> {
        if text.len() > 40 || !text.len().is_multiple_of(2) {
            return Err(BadSerial);
        }
        let digits = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<Vec<u8>>>()
            .ok_or(BadSerial)?;
        let octets: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        Self::from_octets(&octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_it_is_shown() {
        for (text, shown) in [
            ("01", Ok("01")),
            ("3006", Ok("3006")),
            ("AB", Ok("ab")),
            (
                "7fffffffffffffffffffffffffffffffffffffff",
                Ok("7fffffffffffffffffffffffffffffffffffffff"),
            ),
            (
                "ffffffffffffffffffffffffffffffffffffff",
                Ok("ffffffffffffffffffffffffffffffffffffff"),
            ),
            // Its INTEGER would take 21 octets.
            ("80ffffffffffffffffffffffffffffffffffffff", Err(BadSerial)),
            ("", Err(BadSerial)),
            ("00", Err(BadSerial)),
            ("0001", Err(BadSerial)),
            ("123", Err(BadSerial)),
            ("0x12", Err(BadSerial)),
            ("１２", Err(BadSerial)),
            ("+1", Err(BadSerial)),
        ] {
            let read = text.parse::<Serial>().map(|serial| serial.to_string());
            assert_eq!(read, shown.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn random_octets_make_positive_numbers_of_one_length() {
        for octets in [[0; 16], [0xff; 16], [0x80; 16]] {
            let serial = Serial::from_random(octets);
            assert_eq!(serial.octets().len(), 16);
            assert!(serial.octets()[0] < 0x80 && serial.octets()[1..] == octets[1..]);
        }
    }
}
