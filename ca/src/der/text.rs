use super::{DerError, tag};

/// String types that names are read from. Teletex, BMP and universal strings are refused, as RFC
/// 5280 asks of new names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Printable,
    Utf8,
    Ia5,
}

impl Text {
    pub(crate) fn of_tag(tag: u8) -> Result<Self, DerError> {
        match tag {
            tag::PRINTABLE_STRING => Ok(Self::Printable),
            tag::UTF8_STRING => Ok(Self::Utf8),
            tag::IA5_STRING => Ok(Self::Ia5),
            _ => Err(DerError::Text),
        }
    }

    pub(crate) fn tag(self) -> u8 {
        match self {
            Self::Printable => tag::PRINTABLE_STRING,
            Self::Utf8 => tag::UTF8_STRING,
            Self::Ia5 => tag::IA5_STRING,
        }
    }

    fn holds(self, character: char) -> bool {
        match self {
            Self::Printable => {
                character.is_ascii_alphanumeric() || " '()+,-./:=?".contains(character)
            }
            Self::Utf8 => !character.is_control(),
            Self::Ia5 => character.is_ascii() && !character.is_ascii_control(),
        }
    }
}

/// Text of 1 to 256 octets in which every character belongs to the type and none is a control
/// character.
pub(crate) fn read_text(kind: Text, content: &[u8]) -> Result<&str, DerError> {
    let text = str::from_utf8(content).map_err(|_| DerError::Text)?;
    if !(1..=256).contains(&text.len()) || !text.chars().all(|character| kind.holds(character)) {
        return Err(DerError::Text);
    }
    Ok(text)
}
