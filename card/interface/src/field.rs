//! Fields of the card as the interface writes them in C strings: characters of GBK as they are,
//! digits of `cn` fields, hex of `b` fields. Padding is left out.

use card::layout::{Element, Kind};
use zeroize::Zeroizing;

use crate::code::Code;

/// What goes into a C string, or comes from the card for it: personal data, wiped after use.
pub(crate) type Characters = Zeroizing<Vec<u8>>;

/// The form of a C string (nStyle).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// NO: bytes as they are on the card.
    Raw,
    /// AN: characters.
    Text,
    /// CN: digits.
    Digits,
    /// B: hex.
    Hex,
}

impl Style {
    /// The style of that number in the interface specification.
    pub(crate) const fn numbered(style: i32) -> Option<Self> {
        match style {
            0x00 => Some(Self::Raw),
            0x01 => Some(Self::Text),
            0x0F => Some(Self::Digits),
            0xFF => Some(Self::Hex),
            _ => None,
        }
    }

    /// The style of an element's own field.
    pub(crate) const fn of(element: &Element) -> Self {
        match element.kind {
            Kind::Text => Self::Text,
            Kind::Digits | Kind::Amount | Kind::Date | Kind::DateTime => Self::Digits,
            Kind::Flag | Kind::Bytes => Self::Hex,
        }
    }

    /// The characters of a field.
    pub(crate) fn show(self, field: &[u8]) -> Characters {
        // Room for all of it at once: what grows is copied, and the copies are not wiped.
        let mut characters = Zeroizing::new(Vec::with_capacity(2 * field.len()));
        match self {
            Self::Raw => characters.extend_from_slice(field),
            Self::Text => {
                let last = field.iter().rposition(|byte| !matches!(byte, 0x00 | 0x20 | 0xFF));
                characters.extend_from_slice(&field[..last.map_or(0, |last| last + 1)]);
            }
            Self::Digits => {
                let nibbles = field.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
                characters.extend(nibbles.map_while(digit));
            }
            Self::Hex => characters.extend(hex::encode_upper(field).into_bytes()),
        }
        characters
    }

    /// The field of `length` bytes that these characters make.
    pub(crate) fn fill(self, characters: &[u8], length: usize) -> Result<Characters, Code> {
        match self {
            Self::Raw => match characters.len() == length {
                true => Ok(Zeroizing::new(characters.to_vec())),
                false => Err(Code::Parameter),
            },
            Self::Text => padded(characters.iter().copied(), length, 0x00),
            Self::Digits => {
                let nibble = |character: &u8| nibble(*character).ok_or(Code::Parameter);
                let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
                for pair in characters.chunks(2).take(length + 1) {
                    bytes.push(match pair {
                        [high, low] => nibble(high)? << 4 | nibble(low)?,
                        [high, ..] => nibble(high)? << 4 | 0x0F,
                        [] => 0xFF,
                    });
                }
                padded(bytes.iter().copied(), length, 0xFF)
            }
            Self::Hex => {
                let bytes = hex::decode(characters).map_err(|_| Code::Parameter)?;
                Self::Raw.fill(&Zeroizing::new(bytes), length)
            }
        }
    }
}

/// The items of a text in GBK that are joined by bars. The second byte of a character may be that of
/// a bar, and is none.
pub(crate) fn items(text: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            0x81..=0xFE => at += 1,
            b'|' => {
                items.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    items.push(&text[from..]);
    items
}

fn padded(
    given: impl ExactSizeIterator<Item = u8>,
    length: usize,
    padding: u8,
) -> Result<Characters, Code> {
    if given.len() > length {
        return Err(Code::Parameter);
    }
    let mut field = Zeroizing::new(Vec::with_capacity(length));
    field.extend(given);
    field.resize(length, padding);
    Ok(field)
}

/// A nibble `A` is the decimal point of an amount; anything above ends the digits.
fn digit(nibble: u8) -> Option<u8> {
    match nibble {
        0..=9 => Some(b'0' + nibble),
        0x0A => Some(b'.'),
        _ => None,
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'.' => Some(0x0A),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_show_without_their_padding() {
        let cases: [(&str, Style, &[u8], &[u8]); 7] = [
            ("text", Style::Text, b"\xD5\xC5\xC8\xFD\0\0", b"\xD5\xC5\xC8\xFD"),
            ("empty text", Style::Text, &[0; 4], b""),
            ("digits", Style::Digits, &[0x41, 0x01, 0x0F], b"41010"),
            ("no digits", Style::Digits, &[0xFF; 3], b""),
            ("amount", Style::Digits, &[0x12, 0xA5, 0x0F], b"12.50"),
            ("hex", Style::Hex, &[0x01, 0xAB], b"01AB"),
            ("raw", Style::Raw, &[0, 1, 0], &[0, 1, 0]),
        ];
        for (name, style, field, shown) in cases {
            assert_eq!(*style.show(field), shown, "{name}");
            let filled = style.fill(shown, field.len());
            assert_eq!(filled.as_deref().map(Vec::as_slice), Ok(field), "{name}");
        }
    }

    #[test]
    fn items_are_split_at_bars_and_not_within_characters() {
        let cases: [(&[u8], &[&[u8]]); 5] = [
            (b"", &[b""]),
            (b"a||b|", &[b"a", b"", b"b", b""]),
            // 億 and 鹼 end in the byte of a bar.
            (b"\x83\x7C|\xFB\x7C", &[b"\x83\x7C", b"\xFB\x7C"]),
            (b"\xD5\xC5|\xC8\xFD", &[b"\xD5\xC5", b"\xC8\xFD"]),
            // Half a character at the end takes nothing with it.
            (b"a|\x83", &[b"a", b"\x83"]),
        ];
        for (text, expected) in cases {
            assert_eq!(items(text), expected, "{text:02X?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_a_bad_parameter() {
        let cases: [(&str, Style, &[u8]); 6] = [
            ("long text", Style::Text, b"abcde"),
            ("long digits", Style::Digits, b"123456789"),
            ("letters", Style::Digits, b"12x4"),
            ("odd hex", Style::Hex, b"010"),
            ("short hex", Style::Hex, b"0102"),
            ("short", Style::Raw, b"abc"),
        ];
        for (name, style, characters) in cases {
            assert_eq!(style.fill(characters, 4), Err(Code::Parameter), "{name}");
        }
    }
}
