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
    /// Which card.
    pub card: String,
    /// Whether it was used at a desk; otherwise it was made, or taken into use.
    pub at_desk: bool,
    /// The institution.
    pub institution: String,
    /// Whose.
    pub resident: ResidentId,
}

/// What happened to a card before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardBefore {
    /// When it was last used, or came to be.
    pub last: Option<CardUse>,
    /// When it was last used at a desk.
    pub at_desk: Option<CardUse>,
}

impl CardUse {
    /// What an entry says of a card; nothing where it says nothing of one that holds.
    #[must_use]
    pub fn read(position: u64, at: UtcTime, entry: &Entry) -> Option<Self> {
        let object = entry.object.as_ref()?;
        let act = Act::from_word(&entry.action).filter(|act| CARD_ACTS.contains(act))?;
        let of_card = ["card", "electronic-card"].contains(&&*object.kind);
        if entry.outcome != Outcome::Granted || !of_card {
            return None;
        }
        Some(Self {
            position,
            at,
            card: object.id.clone(),
            at_desk: matches!(act, Act::CardRead | Act::CardDump | Act::CodeVerify),
            institution: entry.actor.institution.clone()?,
            resident: entry.resident.as_ref()?.parse().ok()?,
        })
    }

    /// What the rules say of this use, by what was before.
    #[must_use]
    pub fn findings(&self, before: &CardBefore, settings: &Settings) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.at_desk {
            return findings;
        }
        let mut find = |rule, before: &Self, found: BTreeMap<String, String>| {
            if settings.is_on(rule) {
                findings.push(Finding {
                    rule,
                    day: date_at_desk(self.at),
                    step: 0,
                    resident: Some(self.resident),
                    evidence: cut(vec![before.position, self.position]),
                    found,
                });
            }
        };
        if let Some(before) = &before.at_desk {
            let minutes = (self.at - before.at).whole_minutes().abs();
            let elsewhere = before.institution != self.institution;
            if elsewhere && minutes < settings.card_at_two_desks.minutes.into() {
                let place = before.institution.clone();
                let found = facts([("minutes", minutes.to_string()), ("before", place)]);
                find(WarningRule::CardAtTwoDesks, before, found);
            }
        }
        if let Some(before) = &before.last {
            let days = (self.at - before.at).whole_days();
            if days >= settings.dormant_card.days.into() {
                find(WarningRule::DormantCard, before, facts([("days", days.to_string())]));
            }
        }
        findings
    }
}

impl CardBefore {
    /// Takes what happened to the card before that; whether no more has to be known.
    pub fn take(&mut self, happened: CardUse) -> bool {
        if happened.at_desk && self.at_desk.is_none() {
            self.at_desk = Some(happened.clone());
        }
        self.last.get_or_insert(happened);
        self.at_desk.is_some()
    }
}
