//! The life of an emergency access (紧急访问): it ends by itself or earlier, whoever began it accounts for it, and
//! another person says what they find. There is no way out of it before that.

use crate::{clock::UtcTime, vocabulary::words};

words! {
    /// How an emergency access stands.
    EmergencyState {
        /// It lasts.
        Running = "running",
        /// It is over, and whoever began it still owes an account of it.
        OwesAccount = "owes-account",
        /// That account is late: whoever owes it has no other access until it is given.
        AccountOverdue = "account-overdue",
        /// The account is given, and a reviewer still owes a finding.
        OwesFinding = "owes-finding",
        /// That finding is late.
        FindingOverdue = "finding-overdue",
        /// A reviewer said what they found.
        Reviewed = "reviewed",
    }
}

words! {
    /// What happens to an emergency access.
    EmergencyEvent {
        /// It is ended before its time.
        End = "end",
        /// Its time is over.
        TimeOver = "time-over",
        /// Whoever began it gives the account.
        Account = "account",
        /// The time for what is owed is over.
        Due = "due",
        /// A reviewer gives the finding.
        Review = "review",
    }
}

impl EmergencyState {
    /// The state that follows; nothing where there is no way.
    ///
    /// A finding waits for the account, but not for ever: of somebody who gives none in time it is made without.
    #[must_use]
    pub fn after(self, event: EmergencyEvent) -> Option<Self> {
        use EmergencyEvent::{Account, Due, End, Review, TimeOver};
        match (self, event) {
            (Self::Running, End | TimeOver) => Some(Self::OwesAccount),
            (Self::OwesAccount, Due) => Some(Self::AccountOverdue),
            (Self::OwesAccount | Self::AccountOverdue, Account) => Some(Self::OwesFinding),
            (Self::OwesFinding, Due) => Some(Self::FindingOverdue),
            (Self::AccountOverdue | Self::OwesFinding | Self::FindingOverdue, Review) => {
                Some(Self::Reviewed)
            }
            (Self::Running, Account | Due | Review)
            | (Self::OwesAccount, End | TimeOver | Review)
            | (Self::AccountOverdue, End | TimeOver | Due)
            | (Self::OwesFinding | Self::FindingOverdue, End | TimeOver | Account)
            | (Self::FindingOverdue, Due)
            | (Self::Reviewed, End | TimeOver | Account | Due | Review) => None,
        }
    }
}

/// The times of an emergency access: what was done when, and what is due when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it ends by itself.
    pub ends_at: UtcTime,
    /// When it was ended.
    pub ended_at: Option<UtcTime>,
    /// When the account is late.
    pub account_due: UtcTime,
    /// When the account was given.
    pub accounted_at: Option<UtcTime>,
    /// When the finding is late.
    pub finding_due: UtcTime,
    /// When it was reviewed.
    pub reviewed_at: Option<UtcTime>,
}

impl Times {
    /// How it stands at `now`, or at the last thing on record where the clock is behind that: what is over does not
    /// come back.
    #[must_use]
    pub fn state(&self, now: UtcTime) -> EmergencyState {
        use EmergencyEvent::{Account, Due, End, Review, TimeOver};
        let done = [self.ended_at, self.accounted_at, self.reviewed_at];
        let now = done.into_iter().flatten().fold(now, UtcTime::max);
        let happened = [
            (self.ended_at.is_some(), End),
            (self.ends_at <= now, TimeOver),
            (self.account_due <= self.accounted_at.unwrap_or(now), Due),
            (self.accounted_at.is_some(), Account),
            (self.finding_due <= self.reviewed_at.unwrap_or(now), Due),
            (self.reviewed_at.is_some(), Review),
        ];
        let events = happened.into_iter().filter_map(|(happened, event)| happened.then_some(event));
        // What has no way from where it stands is no news: its time is over after it was ended, too.
        events.fold(EmergencyState::Running, |state, event| state.after(event).unwrap_or(state))
    }

    /// When it was over, or will be.
    #[must_use]
    pub fn over_at(&self) -> UtcTime {
        self.ended_at.unwrap_or(self.ends_at)
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn every_state_has_its_ways_and_no_others() {
        use EmergencyEvent::{Account, Due, End, Review, TimeOver};
        use EmergencyState::{
            AccountOverdue, FindingOverdue, OwesAccount, OwesFinding, Reviewed, Running,
        };
        #[rustfmt::skip]
        let table = [
            (Running, End, Some(OwesAccount)),
            (Running, TimeOver, Some(OwesAccount)),
            (Running, Account, None),
            (Running, Due, None),
            (Running, Review, None),
            (OwesAccount, End, None),
            (OwesAccount, TimeOver, None),
            (OwesAccount, Account, Some(OwesFinding)),
            (OwesAccount, Due, Some(AccountOverdue)),
            (OwesAccount, Review, None),
            (AccountOverdue, End, None),
            (AccountOverdue, TimeOver, None),
            (AccountOverdue, Account, Some(OwesFinding)),
            (AccountOverdue, Due, None),
            (AccountOverdue, Review, Some(Reviewed)),
            (OwesFinding, End, None),
            (OwesFinding, TimeOver, None),
            (OwesFinding, Account, None),
            (OwesFinding, Due, Some(FindingOverdue)),
            (OwesFinding, Review, Some(Reviewed)),
            (FindingOverdue, End, None),
            (FindingOverdue, TimeOver, None),
            (FindingOverdue, Account, None),
            (FindingOverdue, Due, None),
            (FindingOverdue, Review, Some(Reviewed)),
            (Reviewed, End, None),
            (Reviewed, TimeOver, None),
            (Reviewed, Account, None),
            (Reviewed, Due, None),
            (Reviewed, Review, None),
        ];
        let pairs = EmergencyState::ALL
            .iter()
            .flat_map(|state| EmergencyEvent::ALL.iter().map(move |event| (*state, *event)));
        assert!(pairs.eq(table.map(|(state, event, _)| (state, event))), "every pair is here once");
        for (state, event, next) in table {
            assert_eq!(state.after(event), next, "{state} {event}");
        }
    }

    #[test]
    fn the_state_follows_from_times_and_does_not_go_back() {
        let begun = datetime!(2026-11-23 08:00 UTC);
        let after = |hours| begun + Duration::hours(hours);
        let times = Times {
            ends_at: after(1),
            ended_at: None,
            account_due: after(73),
            accounted_at: None,
            finding_due: after(145),
            reviewed_at: None,
        };
        let accounted = Times { accounted_at: Some(after(80)), finding_due: after(152), ..times };
        let reviewed = Times { reviewed_at: Some(after(90)), ..times };
        #[rustfmt::skip]
        let cases = [
            (times, 0, EmergencyState::Running),
            (times, 1, EmergencyState::OwesAccount),
            (times, 73, EmergencyState::AccountOverdue),
            (times, 500, EmergencyState::AccountOverdue),
            (Times { ended_at: Some(begun), ..times }, 0, EmergencyState::OwesAccount),
            (accounted, 80, EmergencyState::OwesFinding),
            (accounted, 152, EmergencyState::FindingOverdue),
            (accounted, 0, EmergencyState::OwesFinding),
            (reviewed, 90, EmergencyState::Reviewed),
            (reviewed, 0, EmergencyState::Reviewed),
            (Times { reviewed_at: Some(after(500)), ..accounted }, 0, EmergencyState::Reviewed),
        ];
        for (times, hours, state) in cases {
            assert_eq!(times.state(after(hours)), state, "{times:?} after {hours} hours");
        }
    }
}
