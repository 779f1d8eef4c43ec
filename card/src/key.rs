//! The keys of a card (密钥), their numbers, and the factors that make them the card's own.

use std::fmt;

use crate::atr::CardFactor;
use crate::layout::Directory;
use crate::number::CityCode;

/// A key of the health card. All are 16 bytes; the name is the one of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the facts of each are its line in `CardKey::facts`")]
pub enum CardKey {
    IrkDdf1,
    StkDdf1,
    StkDf01,
    StkDf02,
    StkDf03,
    LkDf01,
    LkDf02,
    LkDf03,
    Uk1Ddf1,
    Uk1Df01,
    Uk1Df02,
    Uk2Df02,
    Uk3Df02,
    Uk1Df03,
    Uk2Df03,
    Rk1Ddf1,
    Rk1Df01,
    Rk1Df02,
    Rk1Df03,
    BkMf,
    StmMf,
}

/// What is fixed about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFacts {
    /// Name in the standard's tables.
    pub name: &'static str,
    /// P2 of EXTERNAL AUTHENTICATE.
    pub id: u8,
    /// How many versions a card holds.
    pub versions: u8,
    /// Key usage of the SAM's DELIVERY command (`80 DE`, P1): the high three bits count the
    /// diversification steps, the low five are the kind.
    pub usage: u8,
    /// Key index of DELIVERY (low five bits of P2).
    pub index: u8,
}

impl CardKey {
    /// Every key, in the order of the SAM's index.
    #[rustfmt::skip]
    pub const ALL: [Self; 21] = [
        Self::IrkDdf1, Self::StkDdf1, Self::StkDf01, Self::StkDf02, Self::StkDf03, Self::LkDf01, Self::LkDf02,
        Self::LkDf03, Self::Uk1Ddf1, Self::Uk1Df01, Self::Uk1Df02, Self::Uk2Df02, Self::Uk3Df02, Self::Uk1Df03,
        Self::Uk2Df03, Self::Rk1Ddf1, Self::Rk1Df01, Self::Rk1Df02, Self::Rk1Df03, Self::BkMf, Self::StmMf,
    ];

    /// The key table, one line a key.
    pub const fn facts(self) -> KeyFacts {
        #[rustfmt::skip]
        let (name, id, versions, usage, index) = match self {
            // internal authentication: is the card genuine
            Self::IrkDdf1 => ("IRK_DDF1", 0x04, 4, 0x47, 0x01),
            // line protection: encrypts and authenticates updates
            Self::StkDdf1 => ("STK_DDF1", 0x02, 1, 0x28, 0x02),
            Self::StkDf01 => ("STK_DF01", 0x82, 1, 0x28, 0x03),
            Self::StkDf02 => ("STK_DF02", 0x82, 1, 0x48, 0x04),
            Self::StkDf03 => ("STK_DF03", 0x82, 1, 0x48, 0x05),
            // application lock; index 06 is a gap
            Self::LkDf01  => ("LK_DF01",  0x83, 1, 0x27, 0x07),
            Self::LkDf02  => ("LK_DF02",  0x83, 1, 0x27, 0x08),
            Self::LkDf03  => ("LK_DF03",  0x83, 1, 0x27, 0x09),
            // update
            Self::Uk1Ddf1 => ("UK1_DDF1", 0x05, 4, 0x27, 0x0A),
            Self::Uk1Df01 => ("UK1_DF01", 0x85, 4, 0x27, 0x0B),
            Self::Uk1Df02 => ("UK1_DF02", 0x85, 4, 0x47, 0x0C),
            Self::Uk2Df02 => ("UK2_DF02", 0x86, 4, 0x47, 0x0D),
            Self::Uk3Df02 => ("UK3_DF02", 0x87, 4, 0x47, 0x0E),
            Self::Uk1Df03 => ("UK1_DF03", 0x85, 4, 0x47, 0x0F),
            Self::Uk2Df03 => ("UK2_DF03", 0x86, 4, 0x27, 0x10),
            // read
            Self::Rk1Ddf1 => ("RK1_DDF1", 0x04, 4, 0x47, 0x11),
            Self::Rk1Df01 => ("RK1_DF01", 0x84, 4, 0x47, 0x12),
            Self::Rk1Df02 => ("RK1_DF02", 0x84, 4, 0x47, 0x13),
            Self::Rk1Df03 => ("RK1_DF03", 0x84, 4, 0x47, 0x14),
            // card block, maintenance
            Self::BkMf    => ("BK_MF",    0x03, 1, 0x27, 0x15),
            Self::StmMf   => ("STM_MF",   0x02, 1, 0x28, 0x16),
        };
        KeyFacts { name, id, versions, usage, index }
    }

    /// The key's name, such as `RK1_DDF1`.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The key of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// The key and version that `text` names: `RK1_DDF1` for the first, `RK1_DDF1/2` for another.
    pub fn spelled(text: &str) -> Option<(Self, KeyVersion)> {
        let (name, version) = match text.split_once('/') {
            Some((name, version)) => (name, KeyVersion::new(version.parse().ok()?)?),
            None => (text, KeyVersion::FIRST),
        };
        let key = Self::named(name)?;
        key.versions().any(|known| known == version).then_some((key, version))
    }

    /// The versions of it that a card holds.
    pub fn versions(self) -> impl Iterator<Item = KeyVersion> {
        (1..=self.facts().versions).filter_map(KeyVersion::new)
    }

    /// Every key a card holds, each version by itself.
    pub fn all_versions() -> impl Iterator<Item = (Self, KeyVersion)> {
        Self::ALL.into_iter().flat_map(|key| key.versions().map(move |version| (key, version)))
    }

    /// The name of its master in a keystore, such as `card-rk1-ddf1`, or `card-rk1-ddf1-v2` for a
    /// version other than the first; the internal key is `card-irk`.
    pub fn master_name(self, version: KeyVersion) -> String {
        let name = match self {
            Self::IrkDdf1 => "card-irk".to_owned(),
            other => format!("card-{}", other.name().to_ascii_lowercase().replace('_', "-")),
        };
        match version {
            KeyVersion::FIRST => name,
            later => format!("{name}-v{later}"),
        }
    }

    /// The directory it belongs to; `None` for keys of the master file.
    pub fn directory(self) -> Option<Directory> {
        Directory::ALL.into_iter().find(|directory| self.name().ends_with(&directory.to_string()))
    }

    /// The key that EXTERNAL AUTHENTICATE names by `id` while `directory` is selected: one that
    /// gives rights there, that is a read or update key (4 to 7 in the low bits of its id).
    pub fn named_by(directory: Directory, id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|key| {
            // The internal key has the id of the read key and answers to INS 88 alone.
            let gives_rights = matches!(id & 0x0F, 4..=7) && *key != Self::IrkDdf1;
            gives_rights && key.directory() == Some(directory) && key.facts().id == id
        })
    }

    /// The key with this index in the SAM's DELIVERY command, which no two keys share.
    pub fn indexed(index: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.facts().index == index)
    }

    /// Which factors lead from the master to the key of one card.
    pub const fn steps(self) -> Steps {
        match self.facts().usage >> 5 {
            2 => Steps::ProvinceAndCard,
            _ => Steps::Card,
        }
    }
}

impl fmt::Display for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Diversification steps from a master to a card key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// The master is one of the home province: only the card factor is applied.
    Card,
    /// The master is national: province factor, then card factor.
    ProvinceAndCard,
}

/// Version of a key on the card, 1 to 4; cards in the field answer to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyVersion(u8);

impl KeyVersion {
    /// The version in use everywhere.
    pub const FIRST: Self = Self(1);

    /// The version `number`, when it is 1 to 4.
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            1..=4 => Some(Self(number)),
            _ => None,
        }
    }

    /// The number as it travels in authentication commands.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The province's diversification factor (省级分散因子): two digits and six zeros, in ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProvinceFactor(pub [u8; 8]);

impl From<&CityCode> for ProvinceFactor {
    fn from(city: &CityCode) -> Self {
        let mut factor = *b"00000000";
        factor[..2].copy_from_slice(&city.as_str().as_bytes()[..2]);
        Self(factor)
    }
}

/// Both factors of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardFactors {
    /// From the application city code, item 57.
    pub province: ProvinceFactor,
    /// From the answer to reset.
    pub card: CardFactor,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_agrees_with_commands_seen_in_the_field() {
        // P2 of `80 DE` is version << 5 | index; health-card.md, 4.1.
        let cases = [
            (CardKey::Uk1Ddf1, 0x2A, Steps::Card),
            (CardKey::Rk1Ddf1, 0x31, Steps::ProvinceAndCard),
            (CardKey::IrkDdf1, 0x21, Steps::ProvinceAndCard),
        ];
        for (key, p2, steps) in cases {
            assert_eq!(KeyVersion::FIRST.number() << 5 | key.facts().index, p2, "{key}");
            assert_eq!(key.steps(), steps, "{key}");
        }
    }

    #[test]
    fn names_and_indexes_are_unique() {
        for (at, key) in CardKey::ALL.into_iter().enumerate() {
            assert_eq!(CardKey::named(key.name()), Some(key));
            let clash =
                CardKey::ALL[..at].iter().find(|other| other.facts().index == key.facts().index);
            assert_eq!(clash, None);
        }
        assert_eq!(CardKey::named("RK9_DDF1"), None);
        let (first, second) = (KeyVersion::FIRST, KeyVersion::new(2).unwrap());
        assert_eq!(CardKey::IrkDdf1.master_name(first), "card-irk");
        assert_eq!(CardKey::Rk1Ddf1.master_name(first), "card-rk1-ddf1");
        assert_eq!(CardKey::Rk1Ddf1.master_name(second), "card-rk1-ddf1-v2");
        let names: BTreeSet<String> =
            CardKey::all_versions().map(|(key, version)| key.master_name(version)).collect();
        // Twelve keys in four versions, nine in one.
        assert_eq!(names.len(), 57);
    }

    #[test]
    fn keys_are_named_by_id_in_their_directory() {
        let cases = [
            (Directory::Ddf1, 0x04, Some(CardKey::Rk1Ddf1)), // not the internal key
            (Directory::Ddf1, 0x05, Some(CardKey::Uk1Ddf1)),
            (Directory::Ddf1, 0x02, None), // a line key gives no right
            (Directory::Ddf1, 0x84, None),
            (Directory::Df02, 0x87, Some(CardKey::Uk3Df02)),
            (Directory::Df03, 0x86, Some(CardKey::Uk2Df03)),
            (Directory::Df01, 0x86, None),
            (Directory::Df01, 0x83, None),
        ];
        for (directory, id, key) in cases {
            assert_eq!(CardKey::named_by(directory, id), key, "{directory} {id:02X}");
        }
        assert_eq!(CardKey::BkMf.directory(), None);
        assert_eq!(CardKey::indexed(0x06), None);
        assert_eq!(CardKey::indexed(0x16), Some(CardKey::StmMf));
    }

    #[test]
    fn the_province_factor_is_two_digits_and_zeros() {
        let city: CityCode = "410100".parse().unwrap();
        assert_eq!(ProvinceFactor::from(&city).0, *b"41000000");
    }
}
