//! When two people on record look like one: by what they are compared, and in which spelling.
//!
//! Spelling is evened out so that a guard is not fooled by a keyboard: width of signs, capitals,
//! spaces, the middle dot between parts of a name and its many code points, hyphens. Simplified and
//! traditional characters, and characters that merely sound alike, are not taken for each other. A
//! phone alone is no ground: families share one.

use time::Date;

use crate::{numbers::half_width, vocabulary::words};

words! {
    /// By which rule two residents look like one.
    Rule {
        /// Same name and date of birth, under another ID number.
        NameAndBirthDate = "name-and-birth-date",
        /// Same name and phone, under another ID number.
        NameAndPhone = "name-and-phone",
        /// The same number is bound to both.
        Number = "number",
    }
}

words! {
    /// What staff decided about people who look alike.
    Verdict {
        /// They are different people; staff saw their documents.
        DifferentPeople = "different-people",
        /// They are the same person; nothing is done.
        SamePerson = "same-person",
    }
}

/// What two people are compared by: name and date of birth.
#[must_use]
pub fn name_and_birth_date(name: &str, birth_date: Date) -> String {
    format!("{}|{birth_date}", name_key(name))
}

/// What two people are compared by: name and phone. `None` when the phone is too short to tell.
#[must_use]
pub fn name_and_phone(name: &str, phone: &str) -> Option<String> {
    phone_key(phone).map(|phone| format!("{}|{phone}", name_key(name)))
}

/// A name without what differs from keyboard to keyboard. Never empty for a name that is not.
fn name_key(name: &str) -> String {
    let wide = half_width(name);
    let key: String =
        wide.chars().filter(|c| !is_between(*c)).flat_map(char::to_uppercase).collect();
    // A name of nothing but dots is compared as it is.
    if key.is_empty() { wide } else { key }
}

/// Spaces, hyphens, apostrophes, and the dots that are written between parts of a name.
fn is_between(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '\'' | '`' | '\u{b4}' | '\u{b7}' | '\u{387}' | '\u{2010}'..='\u{2015}'
        )
        || matches!(c, '\u{2018}' | '\u{2019}' | '\u{2022}' | '\u{2024}' | '\u{2027}' | '\u{2212}')
        || matches!(c, '\u{2219}' | '\u{22c5}' | '\u{2e31}' | '\u{3002}' | '\u{30fb}' | '\u{ff65}')
}

/// The digits of a phone without the prefix of the country; `None` when they are fewer than seven.
fn phone_key(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let own = match phone.trim_start().starts_with('+') {
        true => digits.strip_prefix("86").unwrap_or(&digits),
        false => digits.strip_prefix("0086").unwrap_or(&digits),
    };
    (own.len() >= 7).then(|| own.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    #[test]
    fn one_name_has_one_key() {
        for (one, other) in [
            ("买买提·艾力", "买买提•艾力"),
            ("买买提·艾力", "买买提．艾力"),
            ("买买提·艾力", "买买提.艾力"),
            ("买买提·艾力", "买买提・艾力"),
            ("买买提·艾力", "买买提 艾力"),
            ("买买提·艾力", "买买提艾力"),
            ("王　伟", "王伟"),
            ("Jean-Luc", "JEAN LUC"),
            ("ＬＩ　Ｎａ", "li na"),
        ] {
            assert_eq!(name_key(one), name_key(other), "{one} {other}");
        }
        for (one, other) in [("王伟", "王玮"), ("李娜", "李娜娜"), ("·", "-")] {
            assert_ne!(name_key(one), name_key(other), "{one} {other}");
        }
    }

    #[test]
    fn name_and_date_do_not_run_into_each_other() {
        let born = date!(1990 - 03 - 07);
        assert_eq!(name_and_birth_date("王 伟", born), "王伟|1990-03-07");
        assert_ne!(
            name_and_birth_date("王伟", born),
            name_and_birth_date("王伟", date!(1990 - 03 - 08))
        );
    }

    #[test]
    fn one_phone_has_one_key() {
        for phone in ["13800138000", "+86 138 0013 8000", "0086-13800138000", "(138)00138000"] {
            assert_eq!(phone_key(phone).as_deref(), Some("13800138000"), "{phone}");
        }
        assert_eq!(phone_key("010-6123 4567").as_deref(), Some("01061234567"));
        assert_eq!(phone_key("110"), None);
        assert_eq!(name_and_phone("王伟", "110"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_key_is_its_own_key(name in "\\PC{1,12}") {
            let key = name_key(&name);
            prop_assert!(!key.is_empty());
            // Some letters have capitals of several letters, which are their own capitals.
            prop_assert_eq!(name_key(&key), key);
        }

        #[test]
        fn what_stands_between_changes_nothing(
            parts in proptest::collection::vec("[\u{4e00}-\u{9fa5}]{1,3}", 1..4),
            between in "[ ·•．.・\u{3000}-]{1}",
        ) {
            prop_assert_eq!(name_key(&parts.join(&between)), name_key(&parts.concat()));
        }
    }
}
