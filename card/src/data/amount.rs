use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::value::BadValue;

/// An amount in yuan (金额), or a measured value: a decimal number without sign.
///
/// On the card it is digits with the decimal point as nibble `A`, left-aligned, filled with `F`:
/// `123.45` is `12 3A 45 FF FF`, and `123` is `12 3F FF FF FF`. The standard's tables say only
/// "N..10,2"; the one reader known to show amounts turns a nibble `A` into the point and leaves
/// digits without it as they are (health-card.md, 2.5), so that is how they are written and read
/// here.
#[derive(Clone, PartialEq, Eq)]
pub struct Amount(Zeroizing<String>);

impl FromStr for Amount {
    type Err = BadValue;

    /// Reads digits, with a point and more digits if wanted. Zeros before the number do not count;
    /// those after the point are kept.
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (whole, decimals) = match text.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (text, None),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
        if !digits(whole) || decimals.is_some_and(|decimals| !digits(decimals)) {
            return Err(BadValue::NotAmount);
        }
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            number => number,
        };
        let number = match decimals {
            Some(decimals) => format!("{whole}.{decimals}"),
            None => whole.to_owned(),
        };
        Ok(Self(Zeroizing::new(number)))
    }
}

impl Amount {
    /// The number as written. It is personal data.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The amount in hundredths (分); `None` when it has more than two decimals or is above
    /// 92 million billion yuan.
    pub fn hundredths(&self) -> Option<u64> {
        let (whole, decimals) = self.0.split_once('.').unwrap_or((&self.0, ""));
        let hundredths = match decimals.len() {
            0..=2 => format!("{decimals:0<2}").parse::<u64>().ok()?,
            _ => return None,
        };
        whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(hundredths)
    }

    /// Reads a field; `None` when it is empty.
    pub(super) fn read(field: &[u8]) -> Result<Option<Self>, BadValue> {
        let mut text = Zeroizing::new(String::with_capacity(2 * field.len()));
        let mut nibbles = field.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
        for nibble in nibbles.by_ref() {
            match nibble {
                0..=9 => text.push(char::from(b'0' + nibble)),
                0x0A => text.push('.'),
                0x0F => break,
                _ => return Err(BadValue::NotAmount),
            }
        }
        match nibbles.all(|nibble| nibble == 0x0F) {
            true if text.is_empty() => Ok(None),
            true => text.parse().map(Some),
            false => Err(BadValue::NotAmount),
        }
    }

    /// Writes it into a field of `room` bytes; `None` when it does not fit.
    pub(super) fn write(&self, room: usize) -> Option<Vec<u8>> {
        let mut field = vec![0xFF; room];
        for (at, sign) in self.0.bytes().enumerate() {
            let nibble = if sign == b'.' { 0x0A } else { sign - b'0' };
            let byte = field.get_mut(at / 2)?;
            *byte = match at % 2 {
                0 => nibble << 4 | 0x0F,
                _ => *byte & 0xF0 | nibble,
            };
        }
        Some(field)
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Amount(..)")
    }
}
