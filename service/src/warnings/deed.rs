//! What a person did, as the log has it.

use audit::{Entry, Outcome};

use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::Act,
    store::{IdentityId, ResidentId},
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
    Act::CardApply,
    Act::CardActivate,
    Act::ConsentGrant,
    Act::VisitOpen,
    Act::EmergencyBegin,
];

/// Acts that say where a card was last in somebody's hands.
pub const CARD_ACTS: &[Act] = &[
    Act::CardRead,
    Act::CodeVerify,
    Act::CardRegister,
    Act::CardActivate,
    Act::CardIssue,
    Act::ElectronicCardApply,
    Act::CodeCreate,
];

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Data of a resident were opened.
    Reading,
    /// A resident's record was looked up at a desk.
    LookUp,
    /// Data were refused, since nothing ties the person to the resident.
    Refused,
    /// The resident, or their card, came to the person: a look-up is then no wonder.
    Tie,
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
    /// From where.
    pub address: String,
    /// About whom.
    pub resident: Option<ResidentId>,
    /// Whether it was within an emergency access.
    pub emergency: bool,
    /// Whether the person was named as attending.
    pub attending: bool,
}

impl Deed {
    /// What an entry says that a person did; nothing where it was nobody on record, or nothing that is looked at.
    #[must_use]
    pub fn read(position: u64, at: UtcTime, entry: &Entry) -> Option<(IdentityId, Self)> {
        let identity = entry.actor.identity.as_ref()?.parse().ok()?;
        let act = Act::from_word(&entry.action)?;
        let detail = |name| entry.detail.get(name).map(String::as_str);
        let granted = entry.outcome == Outcome::Granted;
        let untied = detail("reason") == Some(Reason::NO_RELATION.text().reason);
        let what = match act {
            Act::TokenIssue if !granted && untied => What::Refused,
            Act::TokenIssue | Act::CardDump if granted => What::Reading,
            Act::ResidentRead | Act::NumberRead | Act::GuardianRead if granted => What::LookUp,
            Act::CardRead
            | Act::CodeVerify
            | Act::ResidentRegister
            | Act::CardApply
            | Act::CardActivate
            | Act::ConsentGrant
            | Act::VisitOpen
                if granted =>
            {
                What::Tie
            }
            _ => What::Other,
        };
        let relations = detail("relations").unwrap_or_default();
        let deed = Self {
            position,
            at,
            what,
            address: entry.actor.address.clone().unwrap_or_default(),
            resident: entry.resident.as_ref().and_then(|id| id.parse().ok()),
            emergency: detail("emergency").is_some(),
            attending: relations.split(',').any(|relation| relation == "attending"),
        };
        Some((identity, deed))
    }

    /// Whether the person saw something of the resident by it.
    pub(super) fn sees(&self) -> bool {
        matches!(self.what, What::Reading | What::LookUp)
    }
}
