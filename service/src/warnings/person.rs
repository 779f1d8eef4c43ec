//! What is said of a person, by what they did within a day and how they worked in the fortnight before.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
};

use time::{Date, Duration, OffsetDateTime, Time, macros::offset};

use super::{Deed, Familiarity, Finding, Settings, WarningRule, What, cut, facts};
use crate::{
    clock::{UtcTime, date_at_desk},
    store::ResidentId,
};

/// Days by which somebody's day is measured.
pub const BASELINE_DAYS: i64 = 14;
/// How long a single act is remembered.
const REMEMBERED: Duration = Duration::hours(24);
/// Acts of one person that are remembered; of more the newest.
const MOST_DEEDS: usize = 4096;

/// A person as the rules see them: built from what the log says of them, one act after the other.
#[derive(Debug, Default)]
pub struct Person {
    deeds: VecDeque<Deed>,
    /// Days before today, in their order.
    days: VecDeque<Day>,
    today: Option<Today>,
}

#[derive(Debug)]
struct Day {
    date: Date,
    residents: usize,
    night: bool,
}

#[derive(Debug)]
struct Today {
    date: Date,
    residents: BTreeSet<ResidentId>,
    night: bool,
}

impl Person {
    /// Takes the next thing the person did, and says what the rules find in it. How the resident is familiar to them
    /// has to be known only where it [matters](Self::may_be_familiar).
    pub fn take(
        &mut self,
        deed: Deed,
        familiarity: Option<Familiarity>,
        settings: &Settings,
    ) -> Vec<Finding> {
        self.turn_page(&deed, settings);
        while self.deeds.front().is_some_and(|old| old.at < deed.at - REMEMBERED)
            || self.deeds.len() >= MOST_DEEDS
        {
            self.deeds.pop_front();
        }
        self.deeds.push_back(deed);
        let Some(deed) = self.deeds.back() else { return Vec::new() };
        let rules = [
            (WarningRule::TwoPlaces, self.two_places(deed, settings)),
            (WarningRule::NightReading, self.night_reading(deed, settings)),
            (WarningRule::WithoutRelation, self.without_relation(deed, settings)),
            (WarningRule::UnusualVolume, self.unusual_volume(deed, settings)),
            (WarningRule::FamiliarResident, self.familiar_resident(deed, familiarity)),
        ];
        let found = rules.into_iter().filter(|(rule, _)| settings.is_on(*rule));
        found
            .filter_map(|(rule, said)| {
                let Said { about, evidence, found } = said?;
                let day = date_at_desk(deed.at);
                Some(Finding { rule, day, resident: about, evidence: cut(evidence), found })
            })
            .collect()
    }

    /// Whether it matters, for what the person does next, how the resident is familiar to them.
    #[must_use]
    pub fn may_be_familiar(&self, deed: &Deed) -> bool {
        match deed.what {
            What::Reading => !deed.attending,
            What::LookUp => !self.has_tie(deed.resident),
            What::Refused | What::Tie | What::Other => false,
        }
    }

    /// Ends the days before that of this act. An act that the clock put on an earlier day counts for the last one.
    fn turn_page(&mut self, deed: &Deed, settings: &Settings) {
        let date = date_at_desk(deed.at);
        if let Some(today) = self.today.take_if(|today| today.date < date) {
            let Today { date, residents, night } = today;
            self.days.push_back(Day { date, residents: residents.len(), night });
        }
        let oldest = date - Duration::days(BASELINE_DAYS);
        while self.days.front().is_some_and(|day| day.date < oldest) {
            self.days.pop_front();
        }
        let today = self.today.get_or_insert_with(|| Today {
            date,
            residents: BTreeSet::new(),
            night: false,
        });
        today.night |= night_of(deed.at, settings).is_some();
        if let Some(resident) = deed.resident.filter(|_| deed.sees()) {
            today.residents.insert(resident);
        }
    }

    /// What they did within so many minutes before, the newest first, this act left out.
    fn before(&self, deed: &Deed, minutes: u32) -> impl Iterator<Item = &Deed> {
        let from = deed.at - Duration::minutes(minutes.into());
        self.deeds.iter().rev().skip(1).take_while(move |old| old.at >= from)
    }

    fn two_places(&self, deed: &Deed, settings: &Settings) -> Option<Said> {
        let rule = &settings.two_places;
        let place = |deed: &Deed| {
            let address = deed.address.parse().ok().filter(|it| !rule.servers.contains(it))?;
            Some(network(address, rule.ipv4_bits, rule.ipv6_bits))
        };
        let here = place(deed)?;
        let mut there = None;
        for old in self.before(deed, rule.minutes) {
            let Some(at) = place(old) else { continue };
            match there {
                None if at != here => there = Some(old),
                Some(other) if at == here => {
                    let minutes = (deed.at - old.at).whole_minutes().to_string();
                    let found = facts([
                        ("here", deed.address.clone()),
                        ("there", other.address.clone()),
                        ("minutes", minutes),
                    ]);
                    let evidence = vec![old.position, other.position, deed.position];
                    return Some(Said { about: None, evidence, found });
                }
                None | Some(_) => {}
            }
        }
        None
    }

    fn night_reading(&self, deed: &Deed, settings: &Settings) -> Option<Said> {
        let rule = &settings.night_reading;
        let began = night_of(deed.at, settings).filter(|_| deed.sees() && !deed.emergency)?;
        let of_night = |old: &&Deed| old.at >= began && old.sees() && !old.emergency;
        let seen = first_of_each(self.deeds.iter().filter(of_night));
        let evening = date_at_desk(began);
        let nights = self.days.iter().filter(|day| day.night && day.date < evening).count();
        let many = seen.len() >= rule.residents as usize && nights < rule.usual_nights as usize;
        many.then(|| Said {
            about: None,
            found: facts([("residents", seen.len().to_string()), ("nights", nights.to_string())]),
            evidence: with(seen, deed),
        })
    }

    fn without_relation(&self, deed: &Deed, settings: &Settings) -> Option<Said> {
        let rule = &settings.without_relation;
        let ties = self.deeds.iter().filter(|old| old.what == What::Tie);
        let ties: BTreeSet<_> = ties.map(|old| old.resident).collect();
        let untied = |deed: &Deed| match deed.what {
            What::Refused => true,
            What::LookUp => !ties.contains(&deed.resident),
            What::Reading | What::Tie | What::Other => false,
        };
        if !untied(deed) {
            return None;
        }
        let mut deeds: Vec<_> = self.before(deed, rule.minutes).filter(|old| untied(old)).collect();
        deeds.reverse();
        deeds.push(deed);
        let refused = first_of_each(deeds.iter().copied().filter(|it| it.what == What::Refused));
        let looked_up = first_of_each(deeds.iter().copied().filter(|it| it.what == What::LookUp));
        let residents: BTreeSet<_> = refused.keys().chain(looked_up.keys()).collect();
        (residents.len() >= rule.residents as usize).then(|| Said {
            about: None,
            found: facts([
                ("refused", refused.len().to_string()),
                ("looked-up", looked_up.len().to_string()),
            ]),
            evidence: with(refused.into_iter().chain(looked_up), deed),
        })
    }

    fn unusual_volume(&self, deed: &Deed, settings: &Settings) -> Option<Said> {
        let rule = &settings.unusual_volume;
        let today = self.today.as_ref().filter(|_| deed.sees())?;
        let worked = self.days.iter().filter(|day| day.residents > 0);
        let (days, sum) = worked.fold((0, 0), |(days, sum), day| (days + 1, sum + day.residents));
        let now = today.residents.len();
        // A mean of nothing is nothing: whoever begins here is measured by the number alone.
        let many =
            now > rule.residents as usize && (days == 0 || now * days > sum * rule.times as usize);
        many.then(|| {
            let of_day = |old: &&Deed| old.sees() && date_at_desk(old.at) == today.date;
            let usual = if days == 0 { 0 } else { sum.div_ceil(days) };
            Said {
                about: None,
                found: facts([
                    ("residents", now.to_string()),
                    ("usual", usual.to_string()),
                    ("days", days.to_string()),
                ]),
                evidence: with(first_of_each(self.deeds.iter().filter(of_day)), deed),
            }
        })
    }

    fn familiar_resident(&self, deed: &Deed, familiarity: Option<Familiarity>) -> Option<Said> {
        let familiarity = familiarity.filter(|_| self.may_be_familiar(deed))?;
        Some(Said {
            about: deed.resident,
            evidence: vec![deed.position],
            found: facts([("familiarity", familiarity.to_string())]),
        })
    }

    /// Whether the resident or their card came to the person within a day.
    fn has_tie(&self, resident: Option<ResidentId>) -> bool {
        self.deeds.iter().any(|old| old.what == What::Tie && old.resident == resident)
    }
}

/// What a rule says.
struct Said {
    about: Option<ResidentId>,
    evidence: Vec<u64>,
    found: BTreeMap<String, String>,
}

/// Where each resident comes first.
fn first_of_each<'a>(deeds: impl Iterator<Item = &'a Deed>) -> BTreeMap<ResidentId, u64> {
    let mut first = BTreeMap::new();
    for deed in deeds {
        if let Some(resident) = deed.resident {
            first.entry(resident).or_insert(deed.position);
        }
    }
    first
}

fn with(seen: impl IntoIterator<Item = (ResidentId, u64)>, last: &Deed) -> Vec<u64> {
    seen.into_iter().map(|(_, position)| position).chain([last.position]).collect()
}

/// When the night began that a time is in.
fn night_of(at: UtcTime, settings: &Settings) -> Option<UtcTime> {
    let (from, until) = (settings.night_reading.from, settings.night_reading.until);
    let local = at.to_offset(offset!(+8));
    let hour = local.hour();
    let evening = match from < until {
        true => (from..until).contains(&hour).then_some(local.date()),
        false if hour >= from => Some(local.date()),
        false if hour < until => local.date().previous_day(),
        false => None,
    }?;
    let begins = Time::from_hms(from, 0, 0).ok()?;
    Some(OffsetDateTime::new_in_offset(evening, begins, offset!(+8)))
}

/// The network that an address is in.
fn network(address: IpAddr, ipv4_bits: u8, ipv6_bits: u8) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(it) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(ipv4_bits)).unwrap_or(0);
            IpAddr::V4((u32::from(it) & mask).into())
        }
        IpAddr::V6(it) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(ipv6_bits)).unwrap_or(0);
            IpAddr::V6((u128::from(it) & mask).into())
        }
    }
}
