//! Values of elements as text: exactly what is on the card, so that an image says all of it.

use ::card::data::{Value, read, write};
use ::card::layout::{Element, File, Profile};

/// Before bytes that have no text.
const HEX: &str = "hex:";

/// An element that was never written. An index says invalid then.
pub(super) fn empty(element: &Element) -> Vec<u8> {
    write(element, &Value::Empty).unwrap_or_else(|_| vec![0xFF; usize::from(element.length)])
}

/// A record or transparent file whose elements were never written.
pub(super) fn empty_run(file: &File, profile: Profile) -> Vec<u8> {
    let mut run = vec![0; usize::from(file.size(profile))];
    for item in file.items(profile) {
        let start = usize::from(item.element.offset());
        run[start..start + usize::from(item.element.length)].copy_from_slice(&empty(&item.element));
    }
    run
}

/// The text of a field. What has none that would read as these very bytes is told in hex.
pub(super) fn text(element: &Element, field: &[u8]) -> String {
    let plain = read(element, field).ok().map(|value| value.to_text());
    match plain {
        Some(text) if !text.starts_with(HEX) && bytes(element, &text).as_deref() == Some(field) => {
            text.to_string()
        }
        _ => format!("{HEX}{}", hex::encode_upper(field)),
    }
}

/// The field that a text stands for; `None` when the element cannot hold it.
pub(super) fn bytes(element: &Element, text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix(HEX) {
        Some(digits) => {
            hex::decode(digits).ok().filter(|bytes| bytes.len() == usize::from(element.length))
        }
        None => write(element, &Value::parse(element, text).ok()?).ok(),
    }
}
