//! Shares of what opens a keystore, one for each custodian (密钥分量), and their files.
//!
//! ```text
//! healthcard keystore share 1
//! keystore 32 hexadecimal digits: the salt of the keystore's passphrase
//! set 16 hexadecimal digits: random, the same in the shares that were made together
//! threshold 2
//! index 1
//! share 64 hexadecimal digits
//! check 16 hexadecimal digits: the first of SM3 over the lines above
//! ```
//!
//! The secret that is shared is what PBKDF2 makes of the passphrase. So shares are good until the
//! passphrase is changed, and the passphrase stays the other way to open the keystore.

use super::disk::{self, SecretFileError};
use super::shamir::{self, Octets};
use crate::{random, sm3};
use std::fmt::{self, Write};
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

const FIRST_LINE: &str = "healthcard keystore share 1";
/// The longest file in octets.
const LONGEST: usize = 512;

/// One of several shares that open a keystore together. Wiped when dropped, never printed.
pub struct Share {
    keystore: [u8; 16],
    set: [u8; 8],
    threshold: u8,
    index: u8,
    octets: Octets,
}

impl Share {
    /// Most shares of a keystore.
    pub const MOST: u8 = 16;

    /// Reads the file of a share, of its owner alone.
    ///
    /// # Errors
    /// [`ShareError`].
    pub fn from_file(path: &Path) -> Result<Self, ShareError> {
        let octets = disk::read(path, LONGEST)?;
        std::str::from_utf8(&octets).map_err(|_| ShareError::NotAShare)?.parse()
    }

    /// The text of its file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        // Room for all of it: the buffer never moves and leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(LONGEST));
        let Self { threshold, index, .. } = self;
        let _ = write!(text, "{FIRST_LINE}\nkeystore ");
        push_hex(&mut text, &self.keystore);
        text.push_str("\nset ");
        push_hex(&mut text, &self.set);
        let _ = write!(text, "\nthreshold {threshold}\nindex {index}\nshare ");
        push_hex(&mut text, &self.octets[..]);
        text.push('\n');
        let check = checksum(&text);
        text.push_str("check ");
        push_hex(&mut text, &check);
        text.push('\n');
        text
    }

    /// Its number among those made together, from 1.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.index
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} of {})", self.index, self.threshold)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let Some((FIRST_LINE, rest)) = text.split_once('\n') else {
            return Err(ShareError::NotAShare);
        };
        let mut fields = rest.split('\n');
        let mut field = |name: &'static str| {
            let line = fields.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or(ShareError::Malformed(name))
        };
        let number = |name, text: &str| {
            let number: Option<u8> = text.parse().ok();
            // One way to write it.
            number.filter(|n| n.to_string() == text).ok_or(ShareError::Malformed(name))
        };
        let mut share = Self {
            keystore: [0; 16],
            set: [0; 8],
            threshold: 0,
            index: 0,
            octets: Octets::default(),
        };
        read_hex("keystore", field("keystore")?, &mut share.keystore)?;
        read_hex("set", field("set")?, &mut share.set)?;
        share.threshold = number("threshold", field("threshold")?)?;
        share.index = number("index", field("index")?)?;
        read_hex("share", field("share")?, &mut share.octets[..])?;
        let mut check = [0; 8];
        read_hex("check", field("check")?, &mut check)?;
        if (fields.next(), fields.next()) != (Some(""), None) {
            return Err(ShareError::Malformed("the end"));
        }
        let above = text.rfind("check ").expect("the field was read");
        if checksum(&text[..above]) != check {
            return Err(ShareError::Altered);
        }
        if !(2..=Self::MOST).contains(&share.threshold) {
            return Err(ShareError::Malformed("threshold"));
        }
        if !(1..=Self::MOST).contains(&share.index) {
            return Err(ShareError::Malformed("index"));
        }
        Ok(share)
    }
}

/// Makes the shares of a keystore.
pub(super) fn make(
    keystore: [u8; 16],
    secret: &[u8; 32],
    threshold: u8,
    count: u8,
) -> Result<Vec<Share>, ShareError> {
    if threshold < 2 || threshold > count || count > Share::MOST {
        return Err(ShareError::Numbers { threshold, count });
    }
    let mut set = [0; 8];
    random::fill(&mut set);
    let shares = (1..).zip(shamir::split(secret, threshold, count));
    Ok(shares.map(|(index, octets)| Share { keystore, set, threshold, index, octets }).collect())
}

/// What opens the keystore, from enough of its shares.
pub(super) fn combine(keystore: [u8; 16], shares: &[Share]) -> Result<Octets, ShareError> {
    let first = shares.first().ok_or(ShareError::TooFew { given: 0, needed: 2 })?;
    for (position, share) in shares.iter().enumerate() {
        let index = share.index;
        if share.keystore != keystore {
            return Err(ShareError::OtherKeystore { index });
        }
        if (share.set, share.threshold) != (first.set, first.threshold) {
            return Err(ShareError::OtherSet { index, first: first.index });
        }
        if shares[..position].iter().any(|other| other.index == index) {
            return Err(ShareError::Repeated { index });
        }
    }
    let needed = first.threshold;
    if shares.len() < usize::from(needed) {
        return Err(ShareError::TooFew { given: shares.len(), needed });
    }
    // More than are needed give the same, and each of them counts: a forged one is noticed.
    let points: Vec<_> = shares.iter().map(|share| (share.index, &*share.octets)).collect();
    Ok(shamir::combine(&points))
}

/// Why there is no share, or shares do not open a keystore.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The file could not be read safely.
    #[error("reading the share")]
    File(#[from] SecretFileError),
    /// The text does not begin as a share does.
    #[error("the file is not a share of a keystore")]
    NotAShare,
    /// A line is not as it is written.
    #[error("the share has no proper line {0}")]
    Malformed(&'static str),
    /// The checksum does not match: a digit was changed.
    #[error("the share was altered: its check does not match")]
    Altered,
    /// So many shares cannot be made.
    #[error("{threshold} of {count} shares: at least 2 are needed to open, at most 16 are made")]
    Numbers {
        /// How many were to open the keystore.
        threshold: u8,
        /// How many were to be made.
        count: u8,
    },
    /// More custodians are needed.
    #[error("{given} shares were given, {needed} are needed")]
    TooFew {
        /// How many were given.
        given: usize,
        /// How many are needed.
        needed: u8,
    },
    /// One share was given twice.
    #[error("share {index} was given twice")]
    Repeated {
        /// Its number.
        index: u8,
    },
    /// The share belongs to another keystore, or the passphrase was changed since.
    #[error("share {index} is of another keystore, or of before its passphrase was changed")]
    OtherKeystore {
        /// Its number.
        index: u8,
    },
    /// The share was not made together with the first.
    #[error("share {index} was not made together with share {first}")]
    OtherSet {
        /// Its number.
        index: u8,
        /// That of the first.
        first: u8,
    },
    /// Each share is whole, and together they give something else: one was forged.
    #[error("the shares do not open this keystore: at least one is not what was made")]
    Forged,
}

fn checksum(text: &str) -> [u8; 8] {
    *sm3::digest(text.as_bytes()).first_chunk().expect("32 octets")
}

fn push_hex(text: &mut String, octets: &[u8]) {
    for octet in octets {
        for digit in [octet >> 4, octet & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits"));
        }
    }
}

/// Reads lower-case hexadecimal digits into a place of the right length.
fn read_hex(name: &'static str, text: &str, octets: &mut [u8]) -> Result<(), ShareError> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * octets.len() {
        return Err(ShareError::Malformed(name));
    }
    for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or(ShareError::Malformed(name))?;
        *octet = high << 4 | low;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYSTORE: [u8; 16] = [7; 16];
    const SECRET: [u8; 32] = [9; 32];

    fn made() -> Vec<Share> {
        make(KEYSTORE, &SECRET, 2, 3).unwrap()
    }

    fn again(share: &Share) -> Share {
        share.to_text().parse().unwrap()
    }

    #[test]
    fn two_of_three_open_and_are_read_as_written() {
        let shares = made();
        for pair in [[0, 1], [1, 2], [2, 0]] {
            let pair = pair.map(|position| again(&shares[position]));
            assert_eq!(*combine(KEYSTORE, &pair).unwrap(), SECRET);
        }
        let all: Vec<Share> = shares.iter().map(again).collect();
        assert_eq!(*combine(KEYSTORE, &all).unwrap(), SECRET);
        assert_eq!(format!("{:?}", all[2]), "Share(3 of 2)");
    }

    #[test]
    fn shares_that_do_not_belong_together_are_named() {
        let (shares, others) = (made(), made());
        let refusal = |shares: &[&Share]| {
            let shares: Vec<Share> = shares.iter().map(|share| again(share)).collect();
            combine(KEYSTORE, &shares).unwrap_err()
        };
        assert!(matches!(refusal(&[]), ShareError::TooFew { given: 0, needed: 2 }));
        assert!(matches!(refusal(&[&shares[1]]), ShareError::TooFew { given: 1, needed: 2 }));
        let repeated = refusal(&[&shares[1], &shares[0], &shares[1]]);
        assert!(matches!(repeated, ShareError::Repeated { index: 2 }), "{repeated}");
        let other = refusal(&[&shares[0], &others[2]]);
        assert!(matches!(other, ShareError::OtherSet { index: 3, first: 1 }), "{other}");
        let foreign = combine([8; 16], &made()).unwrap_err();
        assert!(matches!(foreign, ShareError::OtherKeystore { index: 1 }), "{foreign}");
    }

    #[test]
    fn numbers_that_protect_nothing_are_refused() {
        for (threshold, count, made) in [
            (0, 0, false),
            (1, 3, false),
            (2, 1, false),
            (2, 2, true),
            (16, 16, true),
            (2, 17, false),
        ] {
            assert_eq!(make(KEYSTORE, &SECRET, threshold, count).is_ok(), made);
        }
    }

    #[test]
    fn every_changed_character_is_refused() {
        let text = made()[0].to_text();
        for position in 0..text.len() {
            for change in [b'0', b'1', b'2', b' ', b'\n', b'f'] {
                let mut changed = text.as_bytes().to_vec();
                changed[position] = change;
                if changed != text.as_bytes() {
                    let changed = String::from_utf8(changed).unwrap();
                    assert!(changed.parse::<Share>().is_err(), "{change} at {position}");
                }
            }
            let cut = text[..position].parse::<Share>();
            assert!(cut.is_err(), "cut at {position}");
        }
        let digit = text.replace("index 1", "index 2").parse::<Share>().unwrap_err();
        assert!(matches!(digit, ShareError::Altered), "{digit}");
        let longer = format!("{}\n", *text).parse::<Share>().unwrap_err();
        assert!(matches!(longer, ShareError::Malformed("the end")), "{longer}");
    }

    #[test]
    fn what_is_written_with_a_right_check_has_bounds() {
        let text = made()[0].to_text();
        for (from, to, line) in [
            ("threshold 2", "threshold 1", "threshold"),
            ("threshold 2", "threshold 17", "threshold"),
            ("threshold 2", "threshold 02", "threshold"),
            ("index 1", "index 0", "index"),
            ("index 1", "index 17", "index"),
            ("index 1", "index 256", "index"),
        ] {
            let changed = text.replace(from, to);
            let above = changed.rfind("check ").unwrap();
            let check = hex::encode(checksum(&changed[..above]));
            let refusal = format!("{}check {check}\n", &changed[..above]).parse::<Share>();
            assert!(matches!(refusal, Err(ShareError::Malformed(l)) if l == line), "{to}");
        }
    }

    proptest! {
        #[test]
        fn other_texts_are_no_shares(rest in ".{0,200}", begun in any::<bool>()) {
            let text = if begun { format!("{FIRST_LINE}\n{rest}") } else { rest };
            prop_assert!(text.parse::<Share>().is_err());
        }
    }
}
