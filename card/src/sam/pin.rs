use std::fmt;

use zeroize::Zeroizing;

/// The PIN of a SAM: 4 to 12 digits, wiped when dropped and never printed.
pub struct Pin {
    /// Two digits to a byte, filled with `F` on the right.
    block: Zeroizing<Vec<u8>>,
}

/// Text that is no PIN. What was typed is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN has 4 to 12 digits")]
pub struct BadPin;

impl Pin {
    /// The PIN of these digits.
    ///
    /// # Errors
    /// [`BadPin`] unless there are 4 to 12 digits and nothing else.
    pub fn from_digits(digits: &str) -> Result<Self, BadPin> {
        let digits = digits.as_bytes();
        if !(4..=12).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(BadPin);
        }
        let nibble = |digit: Option<&u8>| digit.map_or(0x0F, |digit| digit - b'0');
        let mut block = Zeroizing::new(Vec::with_capacity(6));
        block.extend(digits.chunks(2).map(|two| (two[0] - b'0') << 4 | nibble(two.get(1))));
        Ok(Self { block })
    }

    /// The PIN as it travels.
    pub(super) fn expose(&self) -> &[u8] {
        &self.block
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}
