use std::fmt;

use const_oid::ObjectIdentifier;

use super::tag;

/// Why octets are not the DER of what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerError {
    /// The input ends within an element.
    #[error("the input ends within an element")]
    Truncated,
    /// Octets follow the last element.
    #[error("octets follow the last element")]
    Trailing,
    /// Another element stands where this one belongs.
    #[error("expected an element with tag {expected:02x}")]
    Tag {
        /// Identifier octet that was looked for.
        expected: u8,
    },
    /// A tag above 30, which none of the formats uses.
    #[error("tag numbers above 30 are not used here")]
    LongTag,
    /// The length is indefinite, not minimal, or above 16 MiB.
    #[error("a length is indefinite, not minimal or too large")]
    Length,
    /// An INTEGER is empty, padded, negative where it may not be, or too large.
    #[error("an INTEGER is not minimal or out of range")]
    Integer,
    /// A BOOLEAN is not FF, or FALSE is written where it is the default.
    #[error("a BOOLEAN is not TRUE as DER writes it")]
    Boolean,
    /// A BIT STRING has unused bits that it may not have.
    #[error("a BIT STRING has misplaced unused bits")]
    BitString,
    /// An OBJECT IDENTIFIER is empty, padded or cut off.
    #[error("an OBJECT IDENTIFIER is malformed")]
    Oid,
    /// A string holds characters that its type does not have, or control characters, or is empty or
    /// too long.
    #[error("a string is malformed")]
    Text,
    /// A time is not in the one form of RFC 5280, 4.1.2.5, or not in the calendar.
    #[error("a time is malformed")]
    Time,
    /// The elements of a SET OF are not in order, or occur twice.
    #[error("the elements of a set are not in ascending order")]
    Order,
    /// A list has no element, or more than this implementation takes.
    #[error("a list is empty or too long")]
    Count,
}

/// Takes elements one by one from the front of its input.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// The content of the one element that `input` consists of.
    pub(crate) fn only(input: &'a [u8], tag: u8) -> Result<Self, DerError> {
        let mut outer = Self::new(input);
        let inner = outer.nested(tag)?;
        outer.end()?;
        Ok(inner)
    }

    /// Says that nothing may be left.
    pub(crate) fn end(self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::Trailing) }
    }

    #[cfg(test)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Identifier octet of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element whatever it is: its tag, its content, and all its octets.
    pub(crate) fn any(&mut self) -> Result<(u8, &'a [u8], &'a [u8]), DerError> {
        let (&tag, after_tag) = self.rest.split_first().ok_or(DerError::Truncated)?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::LongTag);
        }
        let (&first, after_length) = after_tag.split_first().ok_or(DerError::Truncated)?;
        let more = match first {
            0x00..=0x7f => 0,
            0x81..=0x83 => usize::from(first & 0x7f),
            _ => return Err(DerError::Length),
        };
        let octets = after_length.get(..more).ok_or(DerError::Truncated)?;
        let length = match more {
            0 => usize::from(first),
            _ => octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)),
        };
        // X.690, 10.1: the fewest octets that can hold the length.
        if more > 0 && (length < 0x80 || octets[0] == 0) {
            return Err(DerError::Length);
        }
        let content = after_length[more..].get(..length).ok_or(DerError::Truncated)?;
        let (element, rest) = self.rest.split_at(2 + more + length);
        self.rest = rest;
        Ok((tag, content, element))
    }

    /// Content of the next element, which must have this tag.
    pub(crate) fn value(&mut self, tag: u8) -> Result<&'a [u8], DerError> {
        self.expect(tag)?;
        Ok(self.any()?.1)
    }

    /// All octets of the next element, which must have this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Result<&'a [u8], DerError> {
        self.expect(tag)?;
        Ok(self.any()?.2)
    }

    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, DerError> {
        if self.peek() == Some(tag) { self.value(tag).map(Some) } else { Ok(None) }
    }

    pub(crate) fn nested(&mut self, tag: u8) -> Result<Reader<'a>, DerError> {
        self.value(tag).map(Reader::new)
    }

    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, DerError> {
        self.nested(tag::SEQUENCE)
    }

    pub(crate) fn oid(&mut self) -> Result<Oid<'a>, DerError> {
        Oid::read(self.value(tag::OID)?)
    }

    /// `BOOLEAN DEFAULT FALSE`: absent, or TRUE.
    pub(crate) fn default_false(&mut self) -> Result<bool, DerError> {
        match self.optional(tag::BOOLEAN)? {
            None => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(DerError::Boolean),
        }
    }

    /// A BIT STRING of whole octets.
    pub(crate) fn octet_bits(&mut self) -> Result<&'a [u8], DerError> {
        match self.value(tag::BIT_STRING)?.split_first() {
            Some((0, octets)) => Ok(octets),
            _ => Err(DerError::BitString),
        }
    }

    /// An INTEGER from 0 to 2^64 - 1.
    pub(crate) fn unsigned(&mut self) -> Result<u64, DerError> {
        let magnitude = integer(self.value(tag::INTEGER)?)?;
        if magnitude.len() > 8 {
            return Err(DerError::Integer);
        }
        Ok(magnitude.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }

    /// What is left is a SET OF: all octets of each element, in ascending order (X.690, 11.6), at
    /// most `most`.
    pub(crate) fn set_elements(mut self, most: usize) -> Result<Vec<&'a [u8]>, DerError> {
        let mut elements: Vec<&[u8]> = Vec::new();
        while !self.is_empty() {
            let element = self.any()?.2;
            // X.690 compares with the shorter one padded with zeros. One whole element is never the
            // beginning of another, so plain order is the same. A second copy of an element says
            // nothing, and is refused.
            if elements.last().is_some_and(|last| *last >= element) {
                return Err(DerError::Order);
            }
            elements.push(element);
            if elements.len() > most {
                return Err(DerError::Count);
            }
        }
        Ok(elements)
    }

    fn expect(&self, tag: u8) -> Result<(), DerError> {
        if self.peek() == Some(tag) { Ok(()) } else { Err(DerError::Tag { expected: tag }) }
    }
}

/// Magnitude of a non-negative INTEGER from its content octets: big-endian, no leading zero, empty
/// for 0.
pub(crate) fn integer(content: &[u8]) -> Result<&[u8], DerError> {
    match content {
        [] => Err(DerError::Integer),
        [0] => Ok(&[]),
        [0, second, ..] if *second < 0x80 => Err(DerError::Integer),
        [0, magnitude @ ..] => Ok(magnitude),
        [first, ..] if *first >= 0x80 => Err(DerError::Integer),
        magnitude => Ok(magnitude),
    }
}

/// Content octets of a well-formed OBJECT IDENTIFIER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Oid<'a>(&'a [u8]);

impl<'a> Oid<'a> {
    /// Most content octets.
    pub(crate) const MAX_LEN: usize = 32;

    fn read(content: &'a [u8]) -> Result<Self, DerError> {
        let mut starts_arc = true;
        for octet in content {
            if starts_arc && *octet == 0x80 {
                return Err(DerError::Oid);
            }
            starts_arc = octet & 0x80 == 0;
        }
        if content.is_empty() || content.len() > Self::MAX_LEN || !starts_arc {
            return Err(DerError::Oid);
        }
        Ok(Self(content))
    }

    pub(crate) fn octets(self) -> &'a [u8] {
        self.0
    }
}

impl PartialEq<ObjectIdentifier> for Oid<'_> {
    fn eq(&self, other: &ObjectIdentifier) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // X.690, 8.19: the first number holds two arcs, the first of which is 0, 1 or 2.
        let mut arc = 0_u128;
        let mut first = true;
        for octet in self.0 {
            // Arcs are registered by hand and fit many times over; what does not fit is shown as
            // the largest.
            arc = arc.saturating_mul(128).saturating_add(u128::from(octet & 0x7f));
            if octet & 0x80 == 0 {
                let top = (arc / 40).min(2);
                match first {
                    true => write!(f, "{top}.{}", arc - top * 40)?,
                    false => write!(f, ".{arc}")?,
                }
                (arc, first) = (0, false);
            }
        }
        Ok(())
    }
}
