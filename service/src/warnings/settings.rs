//! How the rules are tuned (预警规则参数): a section of the settings file.

use std::{collections::BTreeSet, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::WarningRule;

/// What each rule looks for. A rule that is not `on` says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// One person acts from two places at once.
    pub two_places: TwoPlaces,
    /// Somebody who does not work at night reads at night.
    pub night_reading: NightReading,
    /// Somebody reads, or tries to, what nothing ties them to.
    pub without_relation: WithoutRelation,
    /// Somebody reads about far more residents than they usually do.
    pub unusual_volume: UnusualVolume,
    /// Somebody looks up themselves, a colleague or a namesake.
    pub familiar_resident: FamiliarResident,
    /// A card is used at desks of two institutions within a short time.
    pub card_at_two_desks: CardAtTwoDesks,
    /// A card is used again after a long time.
    pub dormant_card: DormantCard,
}

/// See [`WarningRule::TwoPlaces`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwoPlaces {
    /// Whether it is looked for.
    pub on: bool,
    /// Back at the first place within so many minutes, 1 to 240.
    pub minutes: u32,
    /// Addresses that agree in so many bits are one place: of IPv4, 8 to 32, and of IPv6, 16 to 128.
    pub ipv4_bits: u8,
    /// See `ipv4_bits`.
    pub ipv6_bits: u8,
    /// Addresses of servers through which people work, which are no place; at most 64.
    pub servers: BTreeSet<IpAddr>,
}

/// See [`WarningRule::NightReading`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NightReading {
    /// Whether it is looked for.
    pub on: bool,
    /// The night begins and ends with these hours at the desk, 0 to 23.
    pub from: u8,
    /// See `from`.
    pub until: u8,
    /// Residents in one night, emergency accesses aside, 1 to 10000.
    pub residents: u32,
    /// Whoever worked in so many nights of the last fourteen works at night, 1 to 15; with 15 nobody does.
    pub usual_nights: u32,
}

/// See [`WarningRule::WithoutRelation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WithoutRelation {
    /// Whether it is looked for.
    pub on: bool,
    /// Residents, 1 to 10000.
    pub residents: u32,
    /// Within so many minutes, 1 to 1440.
    pub minutes: u32,
}

/// See [`WarningRule::UnusualVolume`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnusualVolume {
    /// Whether it is looked for.
    pub on: bool,
    /// More residents in a day than so many times the mean of the person's days of the last fourteen, 2 to 100.
    pub times: u32,
    /// And more than so many, 1 to 10000.
    pub residents: u32,
}

/// See [`WarningRule::FamiliarResident`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FamiliarResident {
    /// Whether it is looked for.
    pub on: bool,
}

/// See [`WarningRule::CardAtTwoDesks`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CardAtTwoDesks {
    /// Whether it is looked for.
    pub on: bool,
    /// Within so many minutes, 1 to 1440.
    pub minutes: u32,
}

/// See [`WarningRule::DormantCard`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DormantCard {
    /// Whether it is looked for.
    pub on: bool,
    /// After so many days, 7 to 3650.
    pub days: u32,
}

impl Default for TwoPlaces {
    fn default() -> Self {
        Self { on: true, minutes: 15, ipv4_bits: 24, ipv6_bits: 56, servers: BTreeSet::new() }
    }
}

impl Default for NightReading {
    fn default() -> Self {
        Self { on: true, from: 23, until: 6, residents: 3, usual_nights: 3 }
    }
}

impl Default for WithoutRelation {
    fn default() -> Self {
        Self { on: true, residents: 5, minutes: 60 }
    }
}

impl Default for UnusualVolume {
    fn default() -> Self {
        Self { on: true, times: 3, residents: 60 }
    }
}

impl Default for FamiliarResident {
    fn default() -> Self {
        Self { on: true }
    }
}

impl Default for CardAtTwoDesks {
    fn default() -> Self {
        Self { on: true, minutes: 60 }
    }
}

impl Default for DormantCard {
    fn default() -> Self {
        Self { on: true, days: 730 }
    }
}

/// A number that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct BadSettings {
    /// Which.
    pub setting: &'static str,
    /// What it must be.
    pub why: &'static str,
}

impl Settings {
    /// These settings, if every number is in its range.
    ///
    /// # Errors
    /// [`BadSettings`] names the first one that is not.
    pub fn checked(self) -> Result<Self, BadSettings> {
        let of_day = 1..=1440;
        let residents = 1..=10_000;
        let rules = [
            (
                (1..=240).contains(&self.two_places.minutes),
                "warnings.two_places.minutes",
                "1 to 240",
            ),
            (
                (8..=32).contains(&self.two_places.ipv4_bits),
                "warnings.two_places.ipv4_bits",
                "8 to 32",
            ),
            (
                (16..=128).contains(&self.two_places.ipv6_bits),
                "warnings.two_places.ipv6_bits",
                "16 to 128",
            ),
            (
                self.two_places.servers.len() <= 64,
                "warnings.two_places.servers",
                "at most 64 addresses",
            ),
            (
                self.night_reading.from < 24 && self.night_reading.until < 24,
                "warnings.night_reading",
                "hours from 0 to 23",
            ),
            (
                self.night_reading.from != self.night_reading.until,
                "warnings.night_reading",
                "a night that is neither empty nor the whole day",
            ),
            (
                residents.contains(&self.night_reading.residents),
                "warnings.night_reading.residents",
                "1 to 10000",
            ),
            (
                (1..=15).contains(&self.night_reading.usual_nights),
                "warnings.night_reading.usual_nights",
                "1 to 15",
            ),
            (
                residents.contains(&self.without_relation.residents),
                "warnings.without_relation.residents",
                "1 to 10000",
            ),
            (
                of_day.contains(&self.without_relation.minutes),
                "warnings.without_relation.minutes",
                "1 to 1440",
            ),
            (
                (2..=100).contains(&self.unusual_volume.times),
                "warnings.unusual_volume.times",
                "2 to 100",
            ),
            (
                residents.contains(&self.unusual_volume.residents),
                "warnings.unusual_volume.residents",
                "1 to 10000",
            ),
            (
                of_day.contains(&self.card_at_two_desks.minutes),
                "warnings.card_at_two_desks.minutes",
                "1 to 1440",
            ),
            (
                (7..=3650).contains(&self.dormant_card.days),
                "warnings.dormant_card.days",
                "7 to 3650",
            ),
        ];
        match rules.into_iter().find(|(good, ..)| !good) {
            Some((_, setting, why)) => Err(BadSettings { setting, why }),
            None => Ok(self),
        }
    }

    /// Whether a rule is looked for.
    #[must_use]
    pub fn is_on(&self, rule: WarningRule) -> bool {
        match rule {
            WarningRule::TwoPlaces => self.two_places.on,
            WarningRule::NightReading => self.night_reading.on,
            WarningRule::WithoutRelation => self.without_relation.on,
            WarningRule::UnusualVolume => self.unusual_volume.on,
            WarningRule::FamiliarResident => self.familiar_resident.on,
            WarningRule::CardAtTwoDesks => self.card_at_two_desks.on,
            WarningRule::DormantCard => self.dormant_card.on,
        }
    }
}
