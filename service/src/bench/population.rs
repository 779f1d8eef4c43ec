//! A region's worth of people and what they do: the entries that a log is filled with.

use audit::{Actor, Entry, Outcome};
use time::Duration;
use uuid::Uuid;

use crate::{clock, clock::UtcTime};

/// Residents (居民).
const RESIDENTS: u64 = 1_000_000;
/// Members of staff, and the institutions that they work at.
const STAFF: u64 = 2_000;
const INSTITUTIONS: u64 = 20;
/// Visits that are open at a time, and acts that one of them has.
const VISITS: usize = 4_096;
const ACTS_OF_VISIT: u64 = 8;
/// How long the log goes back.
const BACK: Duration = Duration::days(730);
/// Acts that are remembered, to be asked about, and how many others there are for each.
const REMEMBERED: usize = 4_096;
const FORGOTTEN: u64 = 8;

/// Whoever acts and whoever is acted for, from one seed the same.
pub(super) struct Population {
    random: u64,
    at: UtcTime,
    step: Duration,
    visits: Vec<(u64, Uuid)>,
    /// Residents that were acted for, and who did.
    remembered: Vec<(String, String)>,
}

impl Population {
    /// Those who make `entries` entries until `now`.
    pub(super) fn new(entries: u64, now: UtcTime) -> Self {
        let step = BACK / i32::try_from(entries).unwrap_or(i32::MAX);
        Self {
            random: 7,
            at: now - BACK - Duration::MINUTE,
            step,
            visits: Vec::new(),
            remembered: Vec::new(),
        }
    }

    /// The same people, as another caller has to do with them.
    pub(super) fn another(&self, caller: u64) -> Self {
        let (visits, remembered) = (Vec::new(), Vec::new());
        let random = mixed(self.random ^ (caller + 1));
        Self { random, at: self.at, step: self.step, visits, remembered }
    }

    /// The next act.
    pub(super) fn act(&mut self) -> Entry {
        self.at += self.step;
        let entry = self.entry(self.at);
        if self.below(FORGOTTEN) == 0
            && let (Some(resident), Some(staff)) = (&entry.resident, &entry.actor.identity)
        {
            self.remember((resident.clone(), staff.clone()));
        }
        entry
    }

    /// An act at this time.
    pub(super) fn entry(&mut self, at: UtcTime) -> Entry {
        let visit = self.below(VISITS as u64) as usize;
        if self.visits.len() <= visit || self.below(ACTS_OF_VISIT) == 0 {
            let opened = (self.resident(), Uuid::now_v7());
            match self.visits.get_mut(visit) {
                Some(place) => *place = opened,
                None => self.visits.push(opened),
            }
        }
        let (resident, visit) = self.visits[visit.min(self.visits.len() - 1)];
        let (resident, visit) = (resident_id(resident), visit.to_string());
        let staff = self.below(STAFF);
        let id = || Uuid::now_v7().to_string();
        let made = |action: &str, outcome| {
            let at = clock::rfc3339(at);
            Entry::new(id(), at, action, outcome, actor(staff))
                .under("9c".repeat(32), "doctor-treats")
        };
        let granted = |action| made(action, Outcome::Granted);
        let treated =
            |entry: Entry| entry.about(&*resident).in_visit(&*visit).for_purpose("treatment");
        // Of 100,000 acts.
        match self.below(100_000) {
            0..45_000 => treated(granted("token.issue")).on("token", id()).with("grade", "3"),
            45_000..60_000 => granted("card.read").about(&*resident).on("card", id()),
            60_000..70_000 => granted("resident.read").about(&*resident),
            70_000..80_000 => treated(granted("record.sign")).on("signature", id()),
            80_000..88_000 => granted("session.open"),
            88_000..95_000 => treated(granted("visit.open")).on("visit", &*visit),
            95_000..97_500 => granted("card.dump").about(&*resident).in_visit(&*visit),
            97_500..99_995 => made("token.issue", Outcome::Refused)
                .about(&*resident)
                .for_purpose("treatment")
                .with("reason", "NO_RELATION"),
            _ => granted("emergency.begin").about(&*resident).with("emergency", id()),
        }
    }

    /// A resident who was acted for, and somebody who acted.
    pub(super) fn somebody(&mut self) -> Option<(String, String)> {
        let at = self.below(self.remembered.len().max(1) as u64) as usize;
        self.remembered.get(at).cloned()
    }

    /// Some come often and most seldom: the first of a million ten times as often as the ten-thousandth.
    fn resident(&mut self) -> u64 {
        let even = self.below(RESIDENTS);
        even * even / RESIDENTS
    }

    fn remember(&mut self, act: (String, String)) {
        if self.remembered.len() < REMEMBERED {
            self.remembered.push(act);
        } else {
            let place = self.below(REMEMBERED as u64) as usize;
            self.remembered[place] = act;
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.random) % limit
    }
}

/// Whoever is acted for most often.
pub(super) fn busiest() -> String {
    resident_id(0)
}

/// Identifiers do not follow who comes often.
fn resident_id(resident: u64) -> String {
    id(1, mixed(resident))
}

fn staff_id(staff: u64) -> String {
    id(2, mixed(staff))
}

fn id(kind: u64, number: u64) -> String {
    Uuid::from_u64_pair(0x0193_6b1e_7c00_7000 | kind, number >> 2 | 1 << 63).to_string()
}

fn actor(staff: u64) -> Actor {
    Actor {
        identity: Some(staff_id(staff)),
        certificate: Some(format!("{staff:032x}")),
        role: Some(if staff.is_multiple_of(3) { "nurse" } else { "doctor" }.to_owned()),
        institution: Some(id(3, mixed(staff % INSTITUTIONS))),
        address: Some(format!("10.0.{}.{}", staff / 250, staff % 250)),
    }
}

/// SplitMix64: even, and the same everywhere.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
