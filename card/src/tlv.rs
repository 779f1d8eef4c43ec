//! The record around a value: tag, length, value, and nothing else.

use crate::layout::Element;

/// Why a record is not the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRecord {
    /// Ends within tag, length or value.
    #[error("the record is cut short at {0} bytes")]
    Truncated(usize),
    /// Another tag.
    #[error("the record has tag {found:02X} instead of {expected:02X}")]
    Tag {
        /// The tag in the table.
        expected: u8,
        /// The tag on the card.
        found: u8,
    },
    /// Another length: it is always that of the whole field.
    #[error("the record says {found} bytes, the field has {expected}")]
    Length {
        /// The length in the table.
        expected: u16,
        /// The length on the card.
        found: u8,
    },
    /// Bytes after the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
}

/// The value of `element` within its record.
///
/// # Errors
/// [`BadRecord`] unless `record` is exactly the element's tag, its full length, and that many bytes.
pub fn unwrap<'r>(element: &Element, record: &'r [u8]) -> Result<&'r [u8], BadRecord> {
    let [tag, length, value @ ..] = record else {
        return Err(BadRecord::Truncated(record.len()));
    };
    if *tag != element.tag() {
        return Err(BadRecord::Tag { expected: element.tag(), found: *tag });
    }
    if u16::from(*length) != element.length {
        return Err(BadRecord::Length { expected: element.length, found: *length });
    }
    match value.len().checked_sub(usize::from(element.length)) {
        None => Err(BadRecord::Truncated(record.len())),
        Some(0) => Ok(value),
        Some(more) => Err(BadRecord::Trailing(more)),
    }
}

/// The record of `element` holding `value`, which is padded already.
///
/// # Panics
/// When `value` is not as long as the element, which is a record: encoders fill their field.
pub fn wrap(element: &Element, value: &[u8]) -> Vec<u8> {
    assert_eq!(value.len(), usize::from(element.length), "the field is filled to its length");
    [&[element.tag(), element.length as u8], value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ddf1::ef06;
    use hex_literal::hex;
    use proptest::prelude::*;

    #[test]
    fn records_are_exact() {
        type Case<'c> = (&'c str, &'c [u8], Result<&'c [u8], BadRecord>);
        let cases: [Case<'_>; 8] = [
            ("right", &hex!("0C0101"), Ok(&[1])),
            ("empty", &[], Err(BadRecord::Truncated(0))),
            ("tag alone", &hex!("0C"), Err(BadRecord::Truncated(1))),
            ("no value", &hex!("0C01"), Err(BadRecord::Truncated(2))),
            ("next tag", &hex!("0D0101"), Err(BadRecord::Tag { expected: 0x0C, found: 0x0D })),
            ("long length", &hex!("0C020101"), Err(BadRecord::Length { expected: 1, found: 2 })),
            ("zero length", &hex!("0C00"), Err(BadRecord::Length { expected: 1, found: 0 })),
            ("trailing", &hex!("0C010100"), Err(BadRecord::Trailing(1))),
        ];
        for (name, record, expected) in cases {
            assert_eq!(unwrap(&ef06::SEX, record), expected, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn only_what_was_wrapped_unwraps(record in proptest::collection::vec(any::<u8>(), 0..64)) {
            for element in ef06::FILE.elements() {
                if let Ok(value) = unwrap(element, &record) {
                    prop_assert_eq!(wrap(element, value), record.clone());
                }
            }
        }
    }
}
