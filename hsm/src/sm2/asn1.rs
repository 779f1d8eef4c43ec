//! The few DER shapes of SM2, read strictly: one encoding per value, nothing after it (X.690, 10).

use zeroize::Zeroizing;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// id-ecPublicKey and 1.2.156.10197.1.301, the algorithm of every SM2 key, as a whole element.
pub(crate) const SM2_ALGORITHM: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // 1.2.840.10045.2.1
    0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d, // 1.2.156.10197.1.301
];
/// The content of the curve's object identifier.
pub(crate) const SM2_CURVE: &[u8] = &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];

/// The octets are not the one DER encoding of what was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NotDer;

/// Reads elements one after another.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// Takes the next element, which must have this tag, and gives its content.
    pub(crate) fn element(&mut self, tag: u8) -> Result<&'a [u8], NotDer> {
        let [found, length, rest @ ..] = self.0 else { return Err(NotDer) };
        if *found != tag {
            return Err(NotDer);
        }
        // Definite and shortest length (X.690, 10.1).
        let (length, rest) = match (length, rest) {
            (0..=0x7f, rest) => (usize::from(*length), rest),
            (0x81, [length @ 0x80..=0xff, rest @ ..]) => (usize::from(*length), rest),
            (0x82, [high @ 0x01..=0xff, low, rest @ ..]) => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            (0x83, [high @ 0x01..=0xff, middle, low, rest @ ..]) => {
                (u32::from_be_bytes([0, *high, *middle, *low]) as usize, rest)
            }
            _ => return Err(NotDer),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(NotDer)?;
        self.0 = rest;
        Ok(content)
    }

    /// Takes the next element only if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, NotDer> {
        if self.0.first() == Some(&tag) { self.element(tag).map(Some) } else { Ok(None) }
    }

    /// Takes a SEQUENCE and gives a reader of its elements.
    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, NotDer> {
        self.element(SEQUENCE).map(Reader)
    }

    /// Takes an INTEGER in its shortest form (X.690, 8.3.2): two's complement, big-endian.
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], NotDer> {
        match self.element(INTEGER)? {
            [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(NotDer),
            content => Ok(content),
        }
    }

    /// Takes a non-negative INTEGER below 2²⁵⁶.
    pub(crate) fn number(&mut self) -> Result<[u8; 32], NotDer> {
        let magnitude = match self.integer()? {
            [0x80..=0xff, ..] => return Err(NotDer),
            [0x00, magnitude @ ..] if !magnitude.is_empty() => magnitude,
            magnitude => magnitude,
        };
        let mut number = [0; 32];
        let start = 32_usize.checked_sub(magnitude.len()).ok_or(NotDer)?;
        number[start..].copy_from_slice(magnitude);
        Ok(number)
    }

    /// Takes a BIT STRING of whole octets.
    pub(crate) fn bit_string(&mut self) -> Result<&'a [u8], NotDer> {
        match self.element(BIT_STRING)? {
            [0, octets @ ..] => Ok(octets),
            _ => Err(NotDer),
        }
    }

    /// Takes exactly these octets.
    pub(crate) fn exactly(&mut self, octets: &[u8]) -> Result<(), NotDer> {
        self.0 = self.0.strip_prefix(octets).ok_or(NotDer)?;
        Ok(())
    }

    /// Nothing is left.
    pub(crate) fn end(self) -> Result<(), NotDer> {
        if self.0.is_empty() { Ok(()) } else { Err(NotDer) }
    }
}

/// Writes an element made of `parts`. The buffer wipes itself, since keys are written with it.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let octets = length.to_be_bytes();
    let significant = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];

    // One allocation, so that no outgrown buffer is left behind unwiped.
    let mut written = Zeroizing::new(Vec::with_capacity(2 + octets.len() + length));
    written.push(tag);
    if length <= 0x7f {
        written.push(length as u8);
    } else {
        written.push(0x80 | significant.len() as u8);
        written.extend_from_slice(significant);
    }
    for part in parts {
        written.extend_from_slice(part);
    }
    written
}

/// Writes a non-negative INTEGER in its shortest form.
pub(crate) fn number(value: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let zeros = value.iter().take_while(|octet| **octet == 0).count().min(31);
    let magnitude = &value[zeros..];
    let sign: &[u8] = if magnitude[0] >= 0x80 { &[0] } else { &[] };
    element(INTEGER, &[sign, magnitude])
}
