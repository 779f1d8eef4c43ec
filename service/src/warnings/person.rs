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
/// How far a clock that is set may move without anybody minding.
pub const CLOCK_STEP: Duration = Duration::minutes(5);
/// How long a single act is remembered.
const REMEMBERED: Duration = Duration::hours(24);
/// Acts of one person that are remembered; of more the newest.
const MOST_DEEDS: usize = 2048;

/// A person as the rules see them: built from what the log says of them, one act after the other.
#[derive(Debug, Default)]
pub struct Person {
    deeds: VecDeque<Deed>,
    /// Days before today, in their order, with how many residents they saw.
    days: VecDeque<(Date, usize)>,
    /// Evenings of the nights in which they did something.
    nights: BTreeSet<Date>,
    today: Option<Today>,
    /// What was said today already, and how far it had grown.
    told: BTreeMap<(WarningRule, Option<ResidentId>), (Date, u32)>,
}

#[derive(Debug)]
struct Today {
    date: Date,
    residents: BTreeSet<ResidentId>,
}

/// What a rule says.
struct Said {
    /// The day at the desk; of a night, that of its evening.
    day: Date,
    about: Option<ResidentId>,
    /// How often what is counted has doubled since it was said first.
    step: u32,
    evidence: Vec<u64>,
    found: BTreeMap<String, String>,
}

impl Person {
    /// Takes something that the person did, of which nothing is to be said.
    pub fn remember(&mut self, deed: Deed, settings: &Settings) {
        self.turn_page(&deed, settings);
        self.deeds.retain(|old| old.at <= deed.at + CLOCK_STEP);
        while self.deeds.front().is_some_and(|old| old.at < deed.at - REMEMBERED)
            || self.deeds.len() >= MOST_DEEDS
        {
            self.deeds.pop_front();
        }
        self.deeds.push_back(deed);
    }

    /// Takes the next thing the person did, and says what the rules find in it that was not said today. How the resident
    /// is familiar to them has to be known only where it [matters](Self::may_be_familiar).
    pub fn take(
        &mut self,
        deed: Deed,
        familiarity: Option<Familiarity>,
        settings: &Settings,
    ) -> Vec<Finding> {
        // That their card came by the same act makes them no stranger either.
        let familiarity = familiarity.filter(|_| self.may_be_familiar(&deed, settings));
        self.remember(deed, settings);
        let Some(deed) = self.deeds.back() else { return Vec::new() };
        let rules = [
            WarningRule::TwoPlaces,
            WarningRule::NightReading,
            WarningRule::WithoutRelation,
            WarningRule::UnusualVolume,
            WarningRule::FamiliarResident,
        ];
        let mut findings = Vec::new();
        for rule in rules.into_iter().filter(|rule| settings.is_on(*rule)) {
            let said = match rule {
                WarningRule::TwoPlaces => self.two_places(deed, settings),
                WarningRule::NightReading => self.night_reading(deed, settings),
                WarningRule::WithoutRelation => self.without_relation(deed, settings),
                WarningRule::UnusualVolume => self.unusual_volume(deed, settings),
                _ => familiarity.map(|familiarity| familiar_resident(deed, familiarity)),
            };
            let Some(Said { day, about, step, evidence, found }) = said else { continue };
            let evidence = cut(evidence);
            findings.push(Finding { rule, day, step, resident: about, evidence, found });
        }
        for finding in &findings {
            self.told.insert((finding.rule, finding.resident), (finding.day, finding.step));
        }
        findings
    }

    /// Whether it matters, for what the person does next, how the resident is familiar to them.
    #[must_use]
    pub fn may_be_familiar(&self, deed: &Deed, settings: &Settings) -> bool {
        let rule = WarningRule::FamiliarResident;
        settings.is_on(rule)
            && deed.sees()
            && !deed.attending
            && !deed.tie
            && !self.was_told(rule, deed.resident, date_at_desk(deed.at), 0)
            && !self.deeds.iter().any(|old| old.tie && old.resident == deed.resident)
    }

    /// When the person did the last thing that is remembered.
    #[must_use]
    pub fn last(&self) -> Option<UtcTime> {
        self.deeds.back().map(|deed| deed.at)
    }

    fn was_told(&self, rule: WarningRule, about: Option<ResidentId>, day: Date, step: u32) -> bool {
        let told = self.told.get(&(rule, about));
        told.is_some_and(|(on, said)| *on == day && *said >= step)
    }

    /// Ends the days before that of this act, and takes back those of a clock that was ahead.
    fn turn_page(&mut self, deed: &Deed, settings: &Settings) {
        let date = date_at_desk(deed.at);
        if let Some(today) = self.today.take_if(|today| today.date != date) {
            if today.date < date {
                self.days.push_back((today.date, today.residents.len()));
            } else if date_at_desk(deed.at + CLOCK_STEP) == today.date {
                // A clock that was set back a little at midnight.
                self.today = Some(today);
            }
        }
        let oldest = date - Duration::days(BASELINE_DAYS);
        let tomorrow = date.next_day().unwrap_or(date);
        self.days.retain(|(day, _)| (oldest..date).contains(day));
        self.nights.retain(|evening| (oldest - Duration::DAY..tomorrow).contains(evening));
        // A night is told of by its evening.
        let yesterday = date.previous_day().unwrap_or(date);
        self.told.retain(|(rule, _), (day, _)| {
            *day == date || (*rule == WarningRule::NightReading && *day == yesterday)
        });
        let today = self.today.get_or_insert_with(|| Today { date, residents: BTreeSet::new() });
        if let Some(resident) = deed.resident.filter(|_| deed.sees()) {
            today.residents.insert(resident);
        }
        self.nights.extend(night_of(deed.at, settings).map(date_at_desk));
    }

    /// What they did within so many minutes before, the newest first, this act left out.
    fn before(&self, deed: &Deed, minutes: u32) -> impl Iterator<Item = &Deed> {
        let from = deed.at - Duration::minutes(minutes.into());
        self.deeds.iter().rev().skip(1).take_while(move |old| old.at >= from)
    }

    fn two_places(&self, deed: &Deed, settings: &Settings) -> Option<Said> {
        let rule = &settings.two_places;
        let day = date_at_desk(deed.at);
        if self.was_told(WarningRule::TwoPlaces, None, day, 0) {
            return None;
        }
        let place = |deed: &Deed| {
            let address = deed.address.filter(|it| !rule.servers.contains(it))?;
            Some((address, network(address, rule.ipv4_bits, rule.ipv6_bits)))
        };
        let (address, here) = place(deed)?;
        let mut there = None;
        for old in self.before(deed, rule.minutes) {
            // One machine may have an address of each family.
            let Some((from, at)) = place(old).filter(|it| it.1.is_ipv4() == here.is_ipv4()) else {
                continue;
            };
            match there {
                None if at != here => there = Some((old.position, from)),
                Some((other, from)) if at == here => {
                    let minutes = (deed.at - old.at).whole_minutes().to_string();
                    let found = facts([
                        ("here", address.to_string()),
                        ("there", from.to_string()),
                        ("minutes", minutes),
                    ]);
                    let evidence = vec![old.position, other, deed.position];
                    return Some(Said { day, about: None, step: 0, evidence, found });
                }
                None | Some(_) => {}
            }
        }
        None
    }

    fn night_reading(&self, deed: &Deed, settings: &Settings) -> Option<Said> {
        let rule = &settings.night_reading;
        let began = night_of(deed.at, settings).filter(|_| deed.sees() && !deed.emergency)?;
        let evening = date_at_desk(began);
        let before = evening - Duration::days(BASELINE_DAYS)..evening;
        let nights = self.nights.range(before).count();
        if nights >= rule.usual_nights as usize {
            return None;
        }
        let of_night = |old: &&Deed| old.at >= began && old.sees() && !old.emergency;
        let seen = first_of_each(self.deeds.iter().filter(of_night));
        let step = self.grown(WarningRule::NightReading, evening, seen.len(), rule.residents)?;
        Some(Said {
            day: evening,
            about: None,
            step,
            found: facts([("residents", seen.len().to_string()), ("nights", nights.to_string())]),
            evidence: with(seen, deed),
        })
    }

    fn without_relation(&self, deed: &Deed, settings: &Settings) -> Option<Said> {
        let rule = &settings.without_relation;
        if !matches!(deed.what, What::Refused | What::LookUp) {
            return None;
        }
        let ties = self.deeds.iter().filter(|old| old.tie);
        let ties: BTreeSet<_> = ties.map(|old| old.resident).collect();
        let untied = |deed: &Deed, what| deed.what == what && !ties.contains(&deed.resident);
        let mut deeds: Vec<_> = self.before(deed, rule.minutes).collect();
        deeds.reverse();
        deeds.push(deed);
        let of = |what| first_of_each(deeds.iter().copied().filter(|it| untied(it, what)));
        let (refused, looked_up) = (of(What::Refused), of(What::LookUp));
        let residents: BTreeSet<_> = refused.keys().chain(looked_up.keys()).collect();
        let many = residents.len();
        // One who came to the desk before brings nothing about.
        deed.resident.filter(|resident| residents.contains(resident))?;
        let day = date_at_desk(deed.at);
        let step = self.grown(WarningRule::WithoutRelation, day, many, rule.residents)?;
        Some(Said {
            day,
            about: None,
            step,
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
        let worked = self.days.iter().filter(|(_, residents)| *residents > 0);
        let (days, sum) = worked.fold((0, 0), |(days, sum), day| (days + 1, sum + day.1));
        let now = today.residents.len();
        // Whoever begins here is measured by the number alone.
        if days > 0 && now * days <= sum * rule.times as usize {
            return None;
        }
        let least = rule.residents.saturating_add(1);
        let step = self.grown(WarningRule::UnusualVolume, today.date, now, least)?;
        let of_day = |old: &&Deed| old.sees() && date_at_desk(old.at) == today.date;
        let usual = if days == 0 { 0 } else { sum.div_ceil(days) };
        Some(Said {
            day: today.date,
            about: None,
            step,
            found: facts([
                ("residents", now.to_string()),
                ("usual", usual.to_string()),
                ("days", days.to_string()),
            ]),
            evidence: with(first_of_each(self.deeds.iter().filter(of_day)), deed),
        })
    }

    /// How often a count has doubled since it was as many as a rule speaks of; nothing where it is fewer, or was told.
    fn grown(&self, rule: WarningRule, day: Date, count: usize, least: u32) -> Option<u32> {
        let times = count.checked_div(least as usize).filter(|times| *times > 0)?;
        let step = times.ilog2();
        (!self.was_told(rule, None, day, step)).then_some(step)
    }
}

fn familiar_resident(deed: &Deed, familiarity: Familiarity) -> Said {
    Said {
        day: date_at_desk(deed.at),
        about: deed.resident,
        step: 0,
        evidence: vec![deed.position],
        found: facts([("familiarity", familiarity.to_string())]),
    }
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
