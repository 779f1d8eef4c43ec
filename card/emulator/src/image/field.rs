//! Values of elements as text: exactly what is on the card, so that an image says all of it.

use ::card::layout::{Element, File, Kind, Profile};
use ::card::value;
use time::Date;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");

/// Before bytes that have no text.
const HEX: &str = "hex:";

/// An element that was never written: text is filled with zeros, all else with ones, of which an
/// index knows `FF` as invalid and dates and digits as nothing. Certificates and signatures are
/// zeros.
pub(super) fn empty(element: &Element) -> Vec<u8> {
    let fill = match (element.kind, element.length) {
        (Kind::Text, _) => 0x00,
        (Kind::Bytes, 2..) => 0x00,
        _ => 0xFF,
    };
    vec![fill; usize::from(element.length)]
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
    match plain_text(element, field) {
        Some(text) if !text.starts_with(HEX) && bytes(element, &text).as_deref() == Some(field) => {
            text
        }
        _ => format!("{HEX}{}", hex::encode_upper(field)),
    }
}

fn plain_text(element: &Element, field: &[u8]) -> Option<String> {
    match element.kind {
        Kind::Text => value::read_text(field).ok()?,
        Kind::Digits => value::read_digits(field).ok(),
        Kind::Amount => Some(amount_text(field)),
        Kind::Date => value::read_date(field).ok()?.map(day),
        Kind::DateTime => {
            let digits = value::read_digits(field).ok()?;
            let time = digits.get(8..14)?;
            let date = value::read_date(field.get(..4)?).ok()??;
            Some(format!("{}T{}:{}:{}", day(date), &time[..2], &time[2..4], &time[4..]))
        }
        Kind::Flag => match field {
            [0] => Some("false".to_owned()),
            [1] => Some("true".to_owned()),
            _ => None,
        },
        Kind::Bytes => match field {
            [code] if element.codes.is_some() => Some(code.to_string()),
            bytes => Some(hex::encode_upper(bytes)),
        },
    }
}

/// The field that a text stands for; `None` when the element cannot hold it.
pub(super) fn bytes(element: &Element, text: &str) -> Option<Vec<u8>> {
    let room = usize::from(element.length);
    if let Some(digits) = text.strip_prefix(HEX) {
        return hex::decode(digits).ok().filter(|bytes| bytes.len() == room);
    }
    match element.kind {
        Kind::Text => {
            let (mut bytes, _) = value::write_text(text, room).ok()?;
            bytes.resize(room, 0);
            Some(bytes)
        }
        Kind::Digits => value::write_digits(text, room),
        Kind::Amount => amount_bytes(text, room),
        Kind::Date => Some(value::write_date(Date::parse(text, DAY).ok()?)),
        Kind::DateTime => {
            let (date, time) = text.split_once('T')?;
            let date = value::write_date(Date::parse(date, DAY).ok()?);
            let digits = time.replace(':', "");
            let spelled = time.len() == 8 && time.split(':').all(|part| part.len() == 2);
            let time = value::write_digits(&digits, 3).filter(|_| spelled)?;
            Some([date, time].concat())
        }
        Kind::Flag => match text {
            "false" => Some(vec![0]),
            "true" => Some(vec![1]),
            _ => None,
        },
        Kind::Bytes if element.codes.is_some() && room == 1 => Some(vec![text.parse().ok()?]),
        Kind::Bytes => hex::decode(text).ok().filter(|bytes| bytes.len() == room),
    }
}

fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// Digits and, for a nibble `A`, a point.
fn amount_text(field: &[u8]) -> String {
    let nibbles = field.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let sign = |nibble: u8| match nibble {
        0x0A => Some('.'),
        0x00..=0x09 => Some(char::from(b'0' + nibble)),
        _ => None,
    };
    nibbles.map_while(sign).collect()
}

fn amount_bytes(text: &str, room: usize) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'.' => Some(0x0A),
        b'0'..=b'9' => Some(byte - b'0'),
        _ => None,
    };
    let mut nibbles: Vec<u8> = text.bytes().map(digit).collect::<Option<_>>()?;
    if nibbles.len() > 2 * room {
        return None;
    }
    nibbles.resize(2 * room, 0x0F);
    Some(nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
