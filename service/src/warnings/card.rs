//! What is said of a card.

use std::collections::BTreeMap;

use audit::{Entry, Outcome};

use super::{CARD_ACTS, Finding, Settings, WarningRule, cut, facts};
use crate::{
    clock::{UtcTime, date_at_desk},
    policy::Act,
    store::ResidentId,
};

/// A card, or an electronic card, as it was used, or came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardUse {
    /// Place in the log.
    pub position: u64,
    /// When.
    pub at: UtcTime,
    /// Whether it was used at a desk; otherwise it was made, taken into use or shown on a phone.
    pub at_desk: bool,
    /// The institution.
    pub institution: String,
    /// Whose.
    pub resident: ResidentId,
}

impl CardUse {
    /// What an entry says of a card; nothing where it says nothing of one that holds.
    #[must_use]
    pub fn read(position: u64, at: UtcTime, entry: &Entry) -> Option<(String, Self)> {
        let object = entry.object.as_ref()?;
        let act = Act::from_word(&entry.action).filter(|act| CARD_ACTS.contains(act))?;
        let of_card = ["card", "electronic-card"].contains(&&*object.kind);
        if entry.outcome != Outcome::Granted || !of_card {
            return None;
        }
        let used = Self {
            position,
            at,
            at_desk: matches!(act, Act::CardRead | Act::CodeVerify),
            institution: entry.actor.institution.clone()?,
            resident: entry.resident.as_ref()?.parse().ok()?,
        };
        Some((object.id.clone(), used))
    }

    /// What the rules say of this use, by the one before.
    #[must_use]
    pub fn findings(&self, before: Option<&Self>, settings: &Settings) -> Vec<Finding> {
        let Some(before) = before.filter(|_| self.at_desk) else { return Vec::new() };
        let since = self.at - before.at;
        let mut findings = Vec::new();
        let mut find = |rule, found: BTreeMap<String, String>| {
            if settings.is_on(rule) {
                findings.push(Finding {
                    rule,
                    day: date_at_desk(self.at),
                    resident: Some(self.resident),
                    evidence: cut(vec![before.position, self.position]),
                    found,
                });
            }
        };
        let elsewhere = before.at_desk && before.institution != self.institution;
        if elsewhere && since.whole_minutes().abs() < settings.card_at_two_desks.minutes.into() {
            let minutes = since.whole_minutes().abs().to_string();
            let found = facts([("minutes", minutes), ("before", before.institution.clone())]);
            find(WarningRule::CardAtTwoDesks, found);
        }
        if since.whole_days() >= settings.dormant_card.days.into() {
            find(WarningRule::DormantCard, facts([("days", since.whole_days().to_string())]));
        }
        findings
    }
}
