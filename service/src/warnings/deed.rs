//! What a person did, as the log has it.

use std::net::IpAddr;

use audit::{Entry, Outcome};

use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::Act,
    store::{IdentityId, ResidentId},
    vocabulary::Role,
};

/// Acts that the rules look at.
pub const ACTS: &[Act] = &[
    Act::SessionOpen,
    Act::TokenIssue,
    Act::TokenExplain,
    Act::RecordSign,
    Act::CardDump,
    Act::ResidentRead,
    Act::NumberRead,
    Act::GuardianRead,
    Act::ResidentRegister,
    Act::CardRead,
    Act::CodeVerify,
    Act::CardActivate,
    Act::ConsentGrant,
    Act::VisitOpen,
    Act::VisitRead,
    Act::EmergencyBegin,
];

/// Acts that say where a card was last in somebody's hands, or when it came to be.
pub const CARD_ACTS: &[Act] = &[
    Act::CardRead,
    Act::CardDump,
    Act::CodeVerify,
    Act::CardRegister,
    Act::CardActivate,
    Act::CardIssue,
    Act::ElectronicCardApply,
];

/// Reasons for which somebody is refused whom nothing ties to a resident.
const UNTIED: [Reason; 3] =
    [Reason::NO_RELATION, Reason::REGISTERED_ELSEWHERE, Reason::OTHER_INSTITUTION];
/// The rule that says so where a decision is explained.
const UNTIED_RULE: &str = "relation-to-resident";

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Data of a resident were opened.
    Reading,
    /// A resident's record was looked up at a desk.
    LookUp,
    /// Data were refused, since nothing ties the person to the resident.
    Refused,
    /// Something else, which says where the person is.
    Other,
}

/// One act of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Its place in the log.
    pub position: u64,
    /// When.
    pub at: UtcTime,
    /// What.
    pub what: What,
    /// Whether the resident, or their card, came to the person by it: a look-up is then no wonder.
    pub tie: bool,
    /// From where.
    pub address: Option<IpAddr>,
    /// About whom.
    pub resident: Option<ResidentId>,
    /// Whether it was within an emergency access.
    pub emergency: bool,
    /// Whether the person was named as attending, or saw what is their own or their ward's by right.
    pub attending: bool,
}

impl Deed {
    /// What an entry says that a person did; nothing where it was no person on record, or nothing that is looked at.
    #[must_use]
    pub fn read(position: u64, at: UtcTime, entry: &Entry) -> Option<(IdentityId, Self)> {
        let identity = entry.actor.identity.as_ref()?.parse().ok()?;
        let role = entry.actor.role.as_deref().and_then(Role::from_word)?;
        let act = Act::from_word(&entry.action).filter(|act| ACTS.contains(act))?;
        // Programs and desks' devices have no nights, colleagues or places that they cannot be at once.
        if matches!(role, Role::System | Role::Desk) {
            return None;
        }
        let detail = |name| entry.detail.get(name).map(String::as_str);
        let granted = entry.outcome == Outcome::Granted;
        let untied = detail("reason")
            .is_some_and(|said| UNTIED.iter().any(|reason| reason.text().reason == said));
        let explained = act == Act::TokenExplain
            && detail("decision") == Some("refused")
            && entry.policy.as_ref().is_some_and(|policy| policy.rule == UNTIED_RULE);
        let what = match act {
            _ if explained || !granted && untied => What::Refused,
            Act::TokenIssue | Act::CardDump if granted => What::Reading,
            Act::ResidentRead | Act::NumberRead | Act::GuardianRead if granted => What::LookUp,
            _ => What::Other,
        };
        let tie = granted
            && matches!(
                act,
                Act::CardRead
                    | Act::CardDump
                    | Act::CodeVerify
                    | Act::ResidentRegister
                    | Act::CardActivate
                    | Act::ConsentGrant
                    | Act::VisitOpen
            );
        let relations = detail("relations").unwrap_or_default();
        let deed = Self {
            position,
            at,
            what,
            tie,
            address: entry.actor.address.as_ref().and_then(|address| address.parse().ok()),
            resident: entry.resident.as_ref().and_then(|id| id.parse().ok()),
            emergency: detail("emergency").is_some(),
            attending: relations
                .split(',')
                .any(|relation| ["attending", "resident", "guardian"].contains(&relation)),
        };
        Some((identity, deed))
    }

    /// Whether the person saw something of the resident by it.
    pub(super) fn sees(&self) -> bool {
        matches!(self.what, What::Reading | What::LookUp)
    }
}
