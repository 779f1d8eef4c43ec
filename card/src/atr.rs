//! The answer to reset (复位应答, ISO/IEC 7816-3:2006, 8.2), and the card factor in it.

use std::fmt;

/// The longest answer to reset.
pub const MAX_ATR: usize = 33;

/// The card's diversification factor (卡片分散因子): the eight historical bytes, that is maker of the
/// chip, maker of the card, serial of the card. Every key of the card depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardFactor(pub [u8; 8]);

impl fmt::Display for CardFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for CardFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardFactor({self})")
    }
}

/// An answer to reset whose form was checked. Nothing is decided by its interface bytes: they are
/// not established for health cards.
#[derive(Clone, PartialEq, Eq)]
pub struct Atr {
    bytes: Vec<u8>,
    historical: std::ops::Range<usize>,
}

/// Why bytes are not an answer to reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAtr {
    /// Ends before its own format bytes say, or is empty.
    #[error("the answer to reset is cut short")]
    Short,
    /// Goes on after its own format bytes say.
    #[error("{0} bytes follow the end of the answer to reset")]
    Trailing(usize),
    /// More than 33 bytes.
    #[error("an answer to reset of {0} bytes")]
    Long(usize),
    /// The first byte is neither `3B` nor `3F`.
    #[error("an answer to reset cannot start with {0:02X}")]
    Start(u8),
    /// The check byte TCK is wrong.
    #[error("the check byte of the answer to reset is wrong")]
    Check,
}

/// The historical bytes are too few to hold a card factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} historical bytes, a health card has eight")]
pub struct NoCardFactor {
    /// How many there are.
    pub found: usize,
}

impl Atr {
    /// Reads an answer to reset by its format bytes.
    ///
    /// # Errors
    /// [`BadAtr`] when the bytes are not exactly one answer to reset with a right check byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadAtr> {
        if bytes.len() > MAX_ATR {
            return Err(BadAtr::Long(bytes.len()));
        }
        let (&start, &format) =
            (bytes.first().ok_or(BadAtr::Short)?, bytes.get(1).ok_or(BadAtr::Short)?);
        if start != 0x3B && start != 0x3F {
            return Err(BadAtr::Start(start));
        }
        let historical = usize::from(format & 0x0F);
        // Interface bytes TAi, TBi, TCi, TDi follow as the high bits of T0 and of each TDi say.
        let (mut at, mut present, mut checked) = (2, format >> 4, false);
        while present & 8 != 0 {
            at += (present & 7).count_ones() as usize;
            let &td = bytes.get(at).ok_or(BadAtr::Short)?;
            at += 1;
            present = td >> 4;
            checked |= td & 0x0F != 0; // TCK is absent only when T=0 alone is offered
        }
        at += present.count_ones() as usize;
        let end = at + historical;
        let length = end + usize::from(checked);
        if bytes.len() < length {
            return Err(BadAtr::Short);
        }
        if bytes.len() > length {
            return Err(BadAtr::Trailing(bytes.len() - length));
        }
        if checked && bytes[1..].iter().fold(0, |sum, byte| sum ^ byte) != 0 {
            return Err(BadAtr::Check);
        }
        Ok(Self { bytes: bytes.to_vec(), historical: at..end })
    }

    /// The answer a contactless health card gives through PC/SC, `3B 88 80 01` ‖ historical bytes ‖
    /// TCK (PC/SC part 3, 3.1.3.2.3.1): what the emulator and tests use.
    pub fn contactless(factor: CardFactor) -> Self {
        let mut bytes = vec![0x3B, 0x88, 0x80, 0x01];
        bytes.extend(factor.0);
        bytes.push(bytes[1..].iter().fold(0, |sum, byte| sum ^ byte));
        Self { bytes, historical: 4..12 }
    }

    /// All bytes, TS to TCK.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The historical bytes (历史字节), 0 to 15.
    pub fn historical(&self) -> &[u8] {
        &self.bytes[self.historical.clone()]
    }

    /// The card factor: the last eight historical bytes.
    ///
    /// # Errors
    /// [`NoCardFactor`] when there are fewer.
    pub fn card_factor(&self) -> Result<CardFactor, NoCardFactor> {
        let historical = self.historical();
        match historical.last_chunk::<8>() {
            Some(factor) => Ok(CardFactor(*factor)),
            None => Err(NoCardFactor { found: historical.len() }),
        }
    }
}

impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    #[test]
    fn the_factor_is_in_the_historical_bytes() {
        let factor = CardFactor(hex!("1101220100000001"));
        let too_few = |found| Err(NoCardFactor { found });
        let cases: [(&str, &[u8], Result<CardFactor, NoCardFactor>); 5] = [
            ("PC/SC part 3", &hex!("3B888001 1101220100000001 3B"), Ok(factor)),
            ("T=0 contact, no TCK", &hex!("3B68 0000 1101220100000001"), Ok(factor)),
            ("ten bytes: the last eight", &hex!("3B8A8001 AABB 1101220100000001 28"), Ok(factor)),
            ("four bytes", &hex!("3B848001 11012201 36"), too_few(4)),
            ("none", &hex!("3B00"), too_few(0)),
        ];
        for (name, bytes, expected) in cases {
            let atr = Atr::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(atr.card_factor(), expected, "{name}");
            assert_eq!(atr.bytes(), bytes, "{name}");
        }
        assert_eq!(Atr::contactless(factor), Atr::parse(cases[0].1).unwrap());
    }

    #[test]
    fn malformed_answers_are_refused() {
        let cases: [(&str, &[u8], BadAtr); 8] = [
            ("empty", &[], BadAtr::Short),
            ("TS alone", &hex!("3B"), BadAtr::Short),
            ("bad TS", &hex!("3C00"), BadAtr::Start(0x3C)),
            ("cut history", &hex!("3B888001 11012201"), BadAtr::Short),
            ("no TCK", &hex!("3B888001 1101220100000001"), BadAtr::Short),
            ("wrong TCK", &hex!("3B888001 1101220100000001 3A"), BadAtr::Check),
            ("one more byte", &hex!("3B888001 1101220100000001 3B 00"), BadAtr::Trailing(1)),
            ("34 bytes", &[0x3B; 34], BadAtr::Long(34)),
        ];
        for (name, bytes, error) in cases {
            assert_eq!(Atr::parse(bytes), Err(error), "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_parse_or_are_refused(tail in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = vec![0x3B];
            bytes.extend(tail);
            if let Ok(atr) = Atr::parse(&bytes) {
                prop_assert!(atr.historical().len() <= 15);
                prop_assert_eq!(atr.bytes(), &bytes[..]);
            }
        }
    }
}
