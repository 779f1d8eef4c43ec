//! Warnings of misuse (监测预警): what the log says of people and cards that somebody should look into.
//!
//! Every rule is a function of the log, of the settings and of who is on record: whatever was found can be found again. A
//! rule says something once a day, or a night, of the same person, or of the same card, and again when what it counts has doubled.

pub mod again;
mod card;
mod deed;
mod person;
mod settings;
mod told;

use std::collections::BTreeMap;

use time::Date;

pub use card::{CardBefore, CardUse};
pub use deed::{ACTS, CARD_ACTS, Deed, What};
pub use person::{BASELINE_DAYS, CLOCK_STEP, Person};
pub use settings::{BadSettings, Settings};

use crate::{
    store::{IdentityId, ResidentId},
    vocabulary::words,
};

/// Most positions that stand for a warning; of more the first are kept, and the last, which brought it about.
const MOST_EVIDENCE: usize = 100;

words! {
    /// What is looked for.
    WarningRule {
        /// One person acts from two places at once.
        TwoPlaces = "two-places",
        /// Somebody who does not work at night reads at night.
        NightReading = "night-reading",
        /// Somebody reads, or tries to, what nothing ties them to.
        WithoutRelation = "without-relation",
        /// Somebody reads about far more residents than they usually do.
        UnusualVolume = "unusual-volume",
        /// Somebody looks up themselves, a colleague or a namesake.
        FamiliarResident = "familiar-resident",
        /// A card is used at desks of two institutions within a short time.
        CardAtTwoDesks = "card-at-two-desks",
        /// A card is used again after a long time.
        DormantCard = "dormant-card",
    }
}

words! {
    /// What somebody found who looked into a warning.
    WarningVerdict {
        /// There was a good reason.
        Explained = "explained",
        /// Nothing happened: the rule was wrong.
        Mistaken = "mistaken",
        /// It was misuse.
        Misuse = "misuse",
        /// The institution has to look into it.
        NeedsInquiry = "needs-inquiry",
    }
}

words! {
    /// How a resident is familiar to whoever reads about them.
    Familiarity {
        /// It is they themselves.
        Themselves = "themselves",
        /// They work at the same institution.
        Colleague = "colleague",
        /// They have the same name.
        Namesake = "namesake",
    }
}

/// Something that a rule says of a person or a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: WarningRule,
    /// The day at the desk on which it is said; of a night, that of its evening.
    pub day: Date,
    /// How often what is counted has doubled since there was enough to say so: with each it is said again.
    pub step: u32,
    /// The resident, where it is about one.
    pub resident: Option<ResidentId>,
    /// Positions in the log of what it rests on, in their order; the last one brought it about.
    pub evidence: Vec<u64>,
    /// What was counted or compared, by its name.
    pub found: BTreeMap<String, String>,
}

impl Finding {
    /// Whom or what it is about: a card, or a person by the first of their identities.
    #[must_use]
    pub fn subject(&self, person: IdentityId, card: Option<&str>) -> String {
        match (card, self.resident) {
            (Some(card), _) => card.to_owned(),
            (None, Some(resident)) => format!("{person} {resident}"),
            (None, None) => person.to_string(),
        }
    }

    /// What was found, in Chinese and in English.
    #[must_use]
    pub fn told(&self) -> [String; 2] {
        told::found(self.rule, &self.found)
    }
}

/// What was found, as it is on record, in Chinese and in English.
#[must_use]
pub fn found_in_words(rule: WarningRule, found: &BTreeMap<String, String>) -> [String; 2] {
    told::found(rule, found)
}

/// What stands for a warning, no more than is kept of it.
fn cut(mut evidence: Vec<u64>) -> Vec<u64> {
    evidence.sort_unstable();
    evidence.dedup();
    if evidence.len() > MOST_EVIDENCE {
        let last = evidence[evidence.len() - 1];
        evidence.truncate(MOST_EVIDENCE - 1);
        evidence.push(last);
    }
    evidence
}

fn facts<const N: usize>(facts: [(&str, String); N]) -> BTreeMap<String, String> {
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests;
