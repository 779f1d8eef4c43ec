//! What reads as a resident identity number, which nothing that is public may hold.

/// Whether 18 characters in a row are a resident identity number by their form, date and check
/// character (GB 11643-1999), or 15 digits with none beside them one of the form before (GB 11643-1989),
/// which has no check character. Full-width characters count as what they look like.
///
/// A name is public for as long as any signature lives, so this looks twice where a slip of a
/// caller would do harm.
pub(crate) fn holds_id_number(text: &str) -> bool {
    let octets: Vec<u8> = text.chars().map(narrow).collect();
    octets.windows(18).any(is_id_number)
        || octets.split(|octet| !octet.is_ascii_digit()).any(is_id_number_of_before)
}

/// The ASCII character that one looks like; 0 for others, which no number has.
fn narrow(character: char) -> u8 {
    // FULLWIDTH EXCLAMATION MARK to FULLWIDTH TILDE stand as ASCII does.
    let character = match character {
        '\u{FF01}'..='\u{FF5E}' => u32::from(character) - 0xFF01 + 0x21,
        _ => u32::from(character),
    };
    u8::try_from(character).ok().filter(u8::is_ascii).unwrap_or_default()
}

fn is_id_number(run: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let (digits, check) = run.split_at(17);
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
    (1800..2200).contains(&number(&digits[6..10]))
        && is_day(&digits[10..14])
        && check[0].to_ascii_uppercase() == b"10X98765432"[sum as usize % 11]
}

/// Region, two digits of the year, month, day, and three digits.
fn is_id_number_of_before(digits: &[u8]) -> bool {
    digits.len() == 15 && digits[0] != b'0' && is_day(&digits[8..12])
}

/// Month and day.
fn is_day(digits: &[u8]) -> bool {
    (1..=12).contains(&number(&digits[..2])) && (1..=31).contains(&number(&digits[2..]))
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A number of 18 characters with its check character (GB 11643-1999).
    fn numbers() -> impl Strategy<Value = String> {
        let parts = (100_000..=999_999_u32, 1800..2200_u32, 1..=12_u32, 1..=31_u32, 0..1000_u32);
        parts.prop_map(|(region, year, month, day, order)| {
            let digits = format!("{region}{year}{month:02}{day:02}{order:03}");
            let check =
                b"0123456789X".iter().map(|check| format!("{digits}{}", char::from(*check)));
            check.into_iter().find(|it| is_id_number(it.as_bytes())).unwrap()
        })
    }

    /// One of 15 digits (GB 11643-1989).
    fn numbers_of_before() -> impl Strategy<Value = String> {
        let parts = (100_000..=999_999_u32, 0..100_u32, 1..=12_u32, 1..=31_u32, 0..1000_u32);
        parts.prop_map(|(region, year, month, day, order)| {
            format!("{region}{year:02}{month:02}{day:02}{order:03}")
        })
    }

    /// Some characters as their full-width forms, and `X` as `x`.
    fn written(number: &str, wide: &[bool]) -> String {
        let wide = wide.iter().chain(std::iter::repeat(&false));
        let write = |(character, wide): (char, &bool)| match wide {
            true => char::from_u32(u32::from(character) - 0x21 + 0xFF01).unwrap(),
            false => character.to_ascii_lowercase(),
        };
        number.chars().zip(wide).map(write).collect()
    }

    proptest! {
        #[test]
        fn a_number_is_found_wherever_and_however_it_stands(
            number in numbers(),
            wide in proptest::collection::vec(any::<bool>(), 18),
            before in "\\PC{0,20}",
            after in "\\PC{0,20}",
        ) {
            let number = written(&number, &wide);
            let text = format!("{before}{number}{after}");
            prop_assert!(holds_id_number(&text));
        }

        #[test]
        fn one_of_before_is_found_where_no_digit_stands_beside_it(
            number in numbers_of_before(),
            wide in proptest::collection::vec(any::<bool>(), 15),
            before in "(\\PC{0,20}[^0-9０-９])?",
            after in "([^0-9０-９]\\PC{0,20})?",
        ) {
            let number = written(&number, &wide);
            let text = format!("{before}{number}{after}");
            prop_assert!(holds_id_number(&text));
        }

        #[test]
        fn what_has_no_fifteen_digits_in_a_row_holds_none(
            text in "([0-9０-９]{0,14}[^0-9０-９])*[0-9０-９]{0,14}",
        ) {
            prop_assert!(!holds_id_number(&text));
        }
    }

    #[test]
    fn numbers_of_other_kinds_are_none() {
        for text in [
            // The check character is another.
            "11010519491231003X",
            // No such month, no such day; a region does not begin with 0.
            "110105491331002",
            "110105491232002",
            "010105491231002",
            // One of the form before within a longer number.
            "1101054912310020",
            "０110105491231002",
            // Neither digits of other scripts nor what stands behind them.
            "١١٠١٠٥٤٩١٢٣١٠٠٢",
            "",
        ] {
            assert!(!holds_id_number(text), "{text}");
        }
    }
}
