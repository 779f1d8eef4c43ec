//! Removal of the log's oldest entries when their term is over: one person enters, another reviews (录入、复核). Both stand
//! in the log and nowhere else, as does what was removed; the entries themselves go a few at a time.

mod kept;
mod signed;

use std::collections::BTreeMap;

use audit::{
    Entry,
    segment::{ENTER, REJECT, REMOVE, Segment, Step},
};
use rusqlite::Connection;
use time::Duration;

pub use self::kept::KeptOfSegment;
pub(super) use self::{
    kept::{are_kept, root_of_standings, standings_until},
    signed::{
        Removals, Removed, Said, as_signed, in_force, removed_until, said, tree_of, walk,
        with_action,
    },
};
use super::{
    ClosedSegment, IdentityId, Obstacle, Receipt, Record, RemovalId, Store, StoreError,
    micros::Micros,
    segments,
    two_persons::{check_entry_stands, check_in_force, check_two_persons},
};
use crate::clock::UtcTime;

/// How long a removal waits for its review.
const REVIEW: Duration = Duration::days(3);
/// Entries that go in one commit: all others wait for it, some 60 ms, as each is in many pages that are overwritten.
const SLICE: u32 = 32;
/// The detail with the identifier of a removal.
const REMOVAL: &str = "removal";

/// How a removal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalState {
    /// It waits for another person, until its time is over.
    Pending,
    /// The entries are removed.
    Approved,
    /// They stay.
    Rejected,
}

/// A removal that somebody entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its identifier.
    pub id: RemovalId,
    /// What is to be removed.
    pub segment: Segment,
    /// Who entered it.
    pub entered_by: IdentityId,
    /// Serial number of the certificate with which they did.
    pub entered_with: String,
    /// When.
    pub entered_at: UtcTime,
    /// Position of the entry in which it was.
    pub position: u64,
    /// How it stands.
    pub state: RemovalState,
}

impl Removal {
    fn of(said: Said) -> Option<Self> {
        let Said { position, step: Step::Entered, segment, entry } = said else { return None };
        Some(Self {
            id: entry.detail.get(REMOVAL)?.parse().ok()?,
            segment,
            entered_by: entry.actor.identity.as_ref()?.parse().ok()?,
            entered_with: entry.actor.certificate.clone()?,
            entered_at: Micros::of(&entry).ok()?.0,
            position,
            state: RemovalState::Pending,
        })
    }

    /// Until when it can be approved.
    #[must_use]
    pub fn expires_at(&self) -> UtcTime {
        self.entered_at + REVIEW
    }

    /// Whether it waits for its review at a time.
    #[must_use]
    pub fn waits(&self, at: UtcTime) -> bool {
        self.state == RemovalState::Pending && at < self.expires_at()
    }
}

/// A review of a removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovalReview {
    /// The removal.
    pub removal: RemovalId,
    /// Who reviews it.
    pub by: IdentityId,
    /// Serial number of the certificate with which they do.
    pub with: String,
    /// When.
    pub at: UtcTime,
}

impl Store {
    /// Enters that a segment is to be removed; the entry is about `removal`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for a segment that is not the oldest that is there, or of which a removal waits for its
    /// review.
    pub async fn record_removal(
        &self,
        removal: RemovalId,
        segment: Segment,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let entry = segment.in_entry(Step::Entered, entry.with(REMOVAL, removal.to_string()));
        self.record(entry, move |db, _| {
            check_oldest(db, segment)?;
            match removals(db)?.iter().any(|it| it.segment == segment && it.waits(at)) {
                true => Err(StoreError::Conflict(Obstacle::RemovalPending)),
                false => Ok(()),
            }
        })
        .await
    }

    /// The removal as last recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn removal(&self, id: RemovalId) -> Result<Option<Removal>, StoreError> {
        self.read(move |db| find(&*db.unchecked_transaction()?, id)).await
    }

    /// Removals that wait for their review at a time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting_removals(&self, at: UtcTime) -> Result<Vec<Removal>, StoreError> {
        let all = self.read(|db| removals(&*db.unchecked_transaction()?)).await?;
        Ok(all.into_iter().filter(|it| it.waits(at)).collect())
    }

    /// A removal that waits for this reviewer, before anything else is looked at for it.
    ///
    /// # Errors
    /// As [`record_removal_rejected`](Self::record_removal_rejected).
    pub async fn removal_to_review(&self, review: RemovalReview) -> Result<Removal, StoreError> {
        self.read(move |db| check_review(db, &review)).await
    }

    /// Takes a removal back that another person entered.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for the person who entered it, and for one that is over.
    pub async fn record_removal_rejected(
        &self,
        review: RemovalReview,
        removal: &Removal,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let entered_at = removal.position;
        let entry = entry.with(REMOVAL, review.removal.to_string());
        let entry = removal.segment.in_entry(Step::Rejected { entered_at }, entry);
        self.record(entry, move |db, _| {
            check_in_force(db, &review.with, review.at)?;
            match check_review(db, &review)?.position == entered_at {
                true => Ok(()),
                false => Err(StoreError::Conflict(Obstacle::ChangeOver)),
            }
        })
        .await
    }

    /// Approves a removal that another person entered: from here on the entries are removed, though they go a few at a time.
    /// What follows from them was [kept](Self::keep) before.
    ///
    /// # Errors
    /// As [`record_removal_rejected`](Self::record_removal_rejected), and [`StoreError::Conflict`] where the certificate
    /// with which it was entered is not in force any more, or another segment is the oldest.
    pub async fn record_removed(
        &self,
        review: RemovalReview,
        kept: KeptOfSegment,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let (segment, right) = (kept.segment, kept.right);
        let entry = entry.with(REMOVAL, review.removal.to_string());
        let entry = segment.in_entry(Step::Removed(right), entry);
        // Whatever is recorded is what whoever checks the log takes for a removal.
        if !matches!(Segment::of(&entry, u64::MAX), Some(Ok(_))) {
            return Err(StoreError::Damaged("a removal before its term".into()));
        }
        let receipt = self
            .record(entry, move |db, position| {
                let removal = check_review(db, &review)?;
                if removal.position != right.entered_at || removal.segment != segment {
                    return Err(StoreError::Conflict(Obstacle::ChangeOver));
                }
                check_entry_stands(db, &removal.entered_with, review.at)?;
                check_in_force(db, &review.with, review.at)?;
                check_oldest(db, segment)?;
                let mut put = db.prepare_cached(
                    "REPLACE INTO removed_entry (position, entry) VALUES (?1, ?2)",
                )?;
                kept.check_since(db, position)?;
                for (position, entry) in kept.entries {
                    put.execute((position, entry))?;
                }
                Ok(())
            })
            .await?;
        // It is done; whoever looks after the log follows as well.
        if let Err(error) = self.follow_removals().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "what was removed is not known to all readers yet");
        }
        Ok(receipt)
    }

    /// Has some entries go that were removed; whether there are more.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where what is to be kept of them is not there: then they stay.
    pub async fn cut(&self) -> Result<bool, StoreError> {
        let Some(removed) = self.inner.removals().last() else { return Ok(false) };
        let until = removed.segment.until;
        if self.read(|db| Ok(first(db)?)).await? >= until {
            return Ok(false);
        }
        if self.inner.removals().mark_kept(until) {
            let kept = self.is_removed_kept().await;
            if !matches!(kept, Ok(true)) {
                self.inner.removals().mark_kept(0);
                kept?;
                return Err(StoreError::Damaged("what is kept of removed entries".into()));
            }
        }
        self.move_forward(move |db| {
            // From the beginning: what is there is always a whole log from somewhere on.
            db.prepare_cached(
                "DELETE FROM leaf WHERE position IN
                    (SELECT position FROM leaf WHERE position >= 0 AND position < ?1
                     ORDER BY position LIMIT ?2)",
            )?
            .execute((until, SLICE))?;
            Ok(first(db)? < until)
        })
        .await
    }
}

/// The first entry that is there.
pub(super) fn first(db: &Connection) -> rusqlite::Result<u64> {
    let first = "SELECT coalesce(min(position), 0) FROM leaf WHERE position >= 0";
    db.prepare_cached(first)?.query_row([], |row| row.get(0))
}

/// What was entered, in the order of the log, and what became of it as far as entries are found that say so.
fn removals(db: &Connection) -> Result<Vec<Removal>, StoreError> {
    let begins = removed_until(db)?;
    let mut states = BTreeMap::new();
    for action in [REJECT, REMOVE] {
        let over = said(db, action, begins)?.into_iter().filter_map(|it| match it.step {
            Step::Rejected { entered_at } => Some((entered_at, RemovalState::Rejected)),
            Step::Removed(right) => Some((right.entered_at, RemovalState::Approved)),
            _ => None,
        });
        states.extend(over);
    }
    let mut all: Vec<Removal> =
        said(db, ENTER, begins)?.into_iter().filter_map(Removal::of).collect();
    for it in &mut all {
        it.state = states.get(&it.position).copied().unwrap_or(RemovalState::Pending);
    }
    Ok(all)
}

fn find(db: &Connection, id: RemovalId) -> Result<Option<Removal>, StoreError> {
    Ok(removals(db)?.into_iter().find(|it| it.id == id))
}

/// That a segment is closed, and the oldest that is there.
fn check_oldest(db: &Connection, segment: Segment) -> Result<(), StoreError> {
    let closed = segments::closed(db)?;
    let found = closed.iter().find(|it| it.segment == segment);
    if found.is_none() {
        return Err(StoreError::NotFound(Record::Segment));
    }
    let oldest = closed.iter().find(|it: &&ClosedSegment| it.removed_at.is_none());
    match oldest == found {
        true => Ok(()),
        false => Err(StoreError::Conflict(Obstacle::OtherSegment)),
    }
}

/// That a removal waits for this reviewer.
fn check_review(db: &Connection, review: &RemovalReview) -> Result<Removal, StoreError> {
    let RemovalReview { removal, by, at, .. } = review;
    let found = find(db, *removal)?.ok_or(StoreError::NotFound(Record::PendingChange))?;
    check_two_persons(db, found.entered_by, *by)?;
    match found.waits(*at) {
        true => Ok(found),
        false => Err(StoreError::Conflict(Obstacle::ChangeOver)),
    }
}
