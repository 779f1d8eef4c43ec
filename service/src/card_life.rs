//! The life of a card (卡生命周期): its states, and what may be done in each. Pure; the store asks it
//! within the transaction that makes the change.
//!
//! ```text
//!              issue            activate          report loss
//!   applied ─────────► pre-issued ──────► active ◄────────────► lost ──┐ replace, when the
//!                                         ▲  │ ▲     release     │     │ report has stood long
//!                                unfreeze │  │ │ blacklist       │     │ enough
//!                                         │  │ └──────────┐      │     ▼
//!                                         ▼  ▼            ▼      ▼   cancelled: final;
//!                                        frozen ──────► blacklisted  from every state
//!                                               ◄──────
//!                                          lifted by two persons
//! ```
//!
//! A card whose blacklisting is lifted comes back frozen: what it was before, lost or frozen, is not
//! undone by the way, and somebody who has seen the card unfreezes it.

use card::status_list::{self, Level, Listing};

use crate::vocabulary::words;

words! {
    /// What may be done with a card (卡状态).
    CardStatus {
        /// Applied for, and not made yet (已申请).
        Applied = "applied",
        /// Made, and waiting for its holder (预发放).
        PreIssued = "pre-issued",
        /// In force (正常).
        Active = "active",
        /// Reported lost (挂失).
        Lost = "lost",
        /// Out of use for a while, by an institution (冻结).
        Frozen = "frozen",
        /// Used illegally (黑名单).
        Blacklisted = "blacklisted",
        /// Out of use for good (注销).
        Cancelled = "cancelled",
    }
}

words! {
    /// What is done to a card on record.
    CardAct {
        /// The card that was applied for is made (制卡).
        Issue = "issue",
        /// The holder takes it into use (激活).
        Activate = "activate",
        /// Reported lost (挂失).
        ReportLoss = "report-loss",
        /// The report is taken back (解挂).
        Release = "release",
        /// Frozen (冻结).
        Freeze = "freeze",
        /// Unfrozen (解冻).
        Unfreeze = "unfreeze",
        /// Put on the blacklist for illegal use (列入黑名单).
        Blacklist = "blacklist",
        /// Taken off it, by two persons (移出黑名单).
        Unblacklist = "unblacklist",
        /// Cancelled (注销).
        Cancel = "cancel",
        /// Another card takes its place, by two persons (补卡、换卡). The report of a lost card must
        /// have stood for the time that is set.
        Replace = "replace",
        /// Its end is moved (延期).
        Renew = "renew",
    }
}

words! {
    /// Why a card is replaced (补换卡原因).
    ReplacementCause {
        /// The card is damaged (损坏).
        Damaged = "damaged",
        /// It was lost (遗失).
        Lost = "lost",
        /// It is past its end (到期).
        Expired = "expired",
        /// Its chip cannot be read (芯片不可读).
        Unreadable = "unreadable",
        /// What is printed on it changed (卡面信息变更).
        DataChanged = "data-changed",
    }
}

words! {
    /// Why a card is taken off the blacklist (移出黑名单原因).
    LiftingCause {
        /// It should not have been put there (误列).
        Mistake = "mistake",
        /// The matter was settled (已处理).
        Settled = "settled",
    }
}

/// Why an act is not possible in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is so already.
    Already(CardStatus),
    /// A card in this state cannot have this done to it.
    Is(CardStatus),
}

impl Refusal {
    /// The state that stands in the way.
    #[must_use]
    pub fn status(self) -> CardStatus {
        match self {
            Self::Already(status) | Self::Is(status) => status,
        }
    }
}

impl CardStatus {
    /// The state after an act.
    ///
    /// # Errors
    /// [`Refusal`] when the act is not possible in this one.
    pub fn after(self, act: CardAct) -> Result<Self, Refusal> {
        use CardAct as A;
        use CardStatus as S;
        match (self, act) {
            (S::Applied, A::Issue) => Ok(S::PreIssued),
            (S::PreIssued, A::Activate) => Ok(S::Active),
            (S::Active, A::ReportLoss) => Ok(S::Lost),
            (S::Lost, A::Release) => Ok(S::Active),
            (S::Active, A::Freeze) => Ok(S::Frozen),
            (S::Frozen, A::Unfreeze) => Ok(S::Active),
            (S::Active | S::Lost | S::Frozen, A::Blacklist) => Ok(S::Blacklisted),
            (S::Blacklisted, A::Unblacklist) => Ok(S::Frozen),
            (S::Lost | S::Cancelled, A::Replace) => Ok(S::Cancelled),
            (S::Active, A::Renew) => Ok(S::Active),
            (S::Cancelled, A::Cancel) => Err(Refusal::Already(self)),
            (_, A::Cancel) => Ok(S::Cancelled),
            (S::PreIssued, A::Issue)
            | (S::Active, A::Activate | A::Release | A::Unfreeze)
            | (S::Lost, A::ReportLoss)
            | (S::Frozen, A::Freeze)
            | (S::Blacklisted, A::Blacklist) => Err(Refusal::Already(self)),
            _ => Err(Refusal::Is(self)),
        }
    }

    /// What the list of cards that are not to be served says of such a card. One that is only applied
    /// for has no chip to be listed by. One that was made and not taken into use is grey: whoever
    /// shows it where the service cannot be asked did not get it from staff, or not yet.
    #[must_use]
    pub fn listing(self) -> Option<Listing> {
        use status_list::Reason;
        let (level, reason) = match self {
            Self::Applied | Self::Active => return None,
            Self::PreIssued => (Level::Grey, Reason::NotActivated),
            Self::Lost => (Level::Black, Reason::Loss),
            Self::Frozen => (Level::Grey, Reason::Frozen),
            Self::Blacklisted => (Level::Black, Reason::IllegalUse),
            Self::Cancelled => (Level::Black, Reason::Cancelled),
        };
        Some(Listing { level, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of state and act, written out: the state after it, `=` for what is so already,
    /// and `-` for what cannot be.
    const TABLE: &str = "
        state        issue       activate  report-loss  release  freeze  unfreeze  blacklist    unblacklist  cancel     replace    renew
        applied      pre-issued  -         -            -        -       -         -            -            cancelled  -          -
        pre-issued   =           active    -            -        -       -         -            -            cancelled  -          -
        active       -           =         lost         =        frozen  =         blacklisted  -            cancelled  -          active
        lost         -           -         =            active   -       -         blacklisted  -            cancelled  cancelled  -
        frozen       -           -         -            -        =       active    blacklisted  -            cancelled  -          -
        blacklisted  -           -         -            -        -       -         =            frozen       cancelled  -          -
        cancelled    -           -         -            -        -       -         -            -            =          cancelled  -
    ";

    #[test]
    fn every_act_in_every_state_has_its_outcome() {
        let mut lines = TABLE.lines().map(str::trim).filter(|line| !line.is_empty());
        let acts: Vec<CardAct> = lines
            .next()
            .unwrap()
            .split_whitespace()
            .skip(1)
            .map(|word| CardAct::from_word(word).unwrap())
            .collect();
        assert_eq!(acts, CardAct::ALL);
        let mut states = Vec::new();
        for line in lines {
            let mut words = line.split_whitespace();
            let status = CardStatus::from_word(words.next().unwrap()).unwrap();
            let outcomes: Vec<&str> = words.collect();
            assert_eq!(outcomes.len(), acts.len(), "{status}");
            for (act, outcome) in acts.iter().zip(outcomes) {
                let expected = match outcome {
                    "-" => Err(Refusal::Is(status)),
                    "=" => Err(Refusal::Already(status)),
                    word => Ok(CardStatus::from_word(word).unwrap()),
                };
                assert_eq!(status.after(*act), expected, "{status}, {act}");
            }
            states.push(status);
        }
        assert_eq!(states, CardStatus::ALL);
    }

    #[test]
    fn only_cancelling_is_final() {
        for status in CardStatus::ALL {
            let ways_out = CardAct::ALL
                .iter()
                .filter_map(|act| status.after(*act).ok())
                .filter(|after| after != status)
                .count();
            assert_eq!(ways_out == 0, *status == CardStatus::Cancelled, "{status}");
        }
    }

    #[test]
    fn a_card_out_of_force_is_listed_and_one_in_force_is_not() {
        for status in CardStatus::ALL {
            use CardStatus as S;
            let listed = !matches!(status, S::Applied | S::Active);
            assert_eq!(status.listing().is_some(), listed, "{status}");
        }
    }
}
