//! Erasures as they stand on record.

use rusqlite::{Row, types::FromSqlError};

use crate::{
    clock::UtcTime,
    store::{ErasureId, IdentityId, InstitutionId, ResidentId, micros::Micros},
    vocabulary::ErasureBasis,
};

/// An erasure to be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewErasure {
    /// Its identifier.
    pub id: ErasureId,
    /// Who is to be erased.
    pub resident: ResidentId,
    /// Who registered them.
    pub institution: InstitutionId,
    /// Why.
    pub basis: ErasureBasis,
    /// Number of the order, where it is one.
    pub order_reference: Option<String>,
    /// Who enters it.
    pub entered_by: IdentityId,
    /// Serial number of the certificate with which they did.
    pub entered_with: String,
    /// When.
    pub entered_at: UtcTime,
    /// Until when it can be approved.
    pub expires_at: UtcTime,
}

/// How an erasure stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureState {
    /// It waits for another person, until its time is over.
    Pending,
    /// Its time is over.
    Expired,
    /// The resident is erased.
    Approved {
        /// Who reviewed it.
        by: IdentityId,
        /// When.
        at: UtcTime,
        /// The entry of the log that says so.
        entry: String,
    },
    /// The resident stays on record.
    Rejected {
        /// Who reviewed it.
        by: IdentityId,
        /// When.
        at: UtcTime,
    },
}

/// An erasure on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// What was ordered.
    pub ordered: NewErasure,
    /// How it stands.
    pub state: ErasureState,
}

/// A review of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureReview {
    /// The erasure.
    pub erasure: ErasureId,
    /// Who reviews it.
    pub by: IdentityId,
    /// Serial number of the certificate with which they do.
    pub with: String,
    /// When.
    pub at: UtcTime,
}

/// What has to be kept, and what is said of rows of batches.
#[derive(Clone, Copy, Debug)]
pub struct ErasureRules {
    /// Years that what is on record of a visit is kept after its end.
    pub records_years: i32,
    /// Why rows that wait for the resident's card make none: `field:CODE`.
    pub row_reasons: fn() -> String,
}

/// What is done to the files once an erasure is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Whether it is in the list beside the database, by which an older copy is erased again. If not, the next start
    /// puts it there.
    pub listed: bool,
    /// Whether the files of the database hold nothing of before any more. If not, somebody was still reading it, and
    /// it is overwritten soon, at the latest when the store is closed.
    pub overwritten: bool,
}

impl Erasure {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let reviewed = || -> rusqlite::Result<(IdentityId, UtcTime)> {
            Ok((row.get("reviewed_by")?, row.get::<_, Micros>("reviewed_at")?.0))
        };
        let state = match row.get_ref("state")?.as_str()? {
            "pending" => ErasureState::Pending,
            "expired" => ErasureState::Expired,
            "approved" => {
                let (by, at) = reviewed()?;
                ErasureState::Approved { by, at, entry: row.get("entry")? }
            }
            "rejected" => {
                let (by, at) = reviewed()?;
                ErasureState::Rejected { by, at }
            }
            _ => return Err(FromSqlError::InvalidType.into()),
        };
        let ordered = NewErasure {
            id: row.get("id")?,
            resident: row.get("resident")?,
            institution: row.get("institution")?,
            basis: row.get("basis")?,
            order_reference: row.get("order_reference")?,
            entered_by: row.get("entered_by")?,
            entered_with: row.get("entered_with")?,
            entered_at: row.get::<_, Micros>("entered_at")?.0,
            expires_at: row.get::<_, Micros>("expires_at")?.0,
        };
        Ok(Self { ordered, state })
    }

    /// The same at `now`: what nobody reviewed in its time is over.
    #[must_use]
    pub fn at(mut self, now: UtcTime) -> Self {
        if self.state == ErasureState::Pending && self.ordered.expires_at <= now {
            self.state = ErasureState::Expired;
        }
        self
    }
}
