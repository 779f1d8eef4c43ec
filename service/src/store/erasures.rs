//! Erasures of residents (删除个人信息): one person orders, another reviews (录入、复核), and the approval destroys the
//! resident's data key with everything sealed under it, in one transaction with its entry. The log stays as it is: it
//! never had more than the pseudonym.
//!
//! A copy of the database from before still has the key. [`list`] keeps who was erased beside the database, so that
//! whoever opens an older copy there erases them again.

mod erase;
mod list;
mod places;
mod records;
mod remains;

use std::{collections::HashSet, time::Duration};

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _};

use self::erase::{Order, check_erasable, erase, erase_again};
pub(super) use self::list::List;
pub use self::{
    list::Listed as ListedErasure,
    records::{Erasure, ErasureReview, ErasureRules, ErasureState, NewErasure, Swept},
    remains::Remains,
};
use super::{
    ErasureId, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record, Store, StoreError,
    facts::Found,
    micros::Micros,
    two_persons::{check_entry_stands, check_in_force, check_two_persons},
    wal,
};
use crate::clock::UtcTime;

/// How long an answer waits until what was before is overwritten.
const PATIENCE: Duration = Duration::from_secs(5);

impl Store {
    /// Puts on record that a resident is to be erased.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] while another one waits for a review; [`StoreError::Conflict`] when they are erased
    /// already, have a visit or an emergency access under way, or the basis does not allow it (yet);
    /// [`StoreError::NotFound`] for an unknown resident.
    pub async fn record_erasure_ordered(
        &self,
        erasure: NewErasure,
        rules: ErasureRules,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let e = erasure;
            check_erasable(db, &e, rules.records_years, e.entered_at)?;
            db.prepare_cached(
                "UPDATE erasure SET state = 'expired'
                 WHERE resident = ?1 AND state = 'pending' AND expires_at <= ?2",
            )?
            .execute((e.resident, Micros(e.entered_at)))?;
            db.prepare_cached(
                "INSERT INTO erasure (id, resident, institution, basis, order_reference, entered_by, entered_with,
                                      entered_at, expires_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'pending')",
            )?
            .execute((
                e.id,
                e.resident,
                e.institution,
                e.basis,
                e.order_reference,
                e.entered_by,
                e.entered_with,
                Micros(e.entered_at),
                Micros(e.expires_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// Records that a resident stays on record.
    ///
    /// # Errors
    /// As [`record_erased`](Self::record_erased), as far as the two persons go.
    pub async fn record_erasure_rejected(
        &self,
        review: ErasureReview,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            waiting(db, &review)?;
            db.prepare_cached(
                "UPDATE erasure SET state = 'rejected', reviewed_by = ?2, reviewed_at = ?3 WHERE id = ?1",
            )?
            .execute((review.erasure, review.by, Micros(review.at)))?;
            Ok(())
        })
        .await
    }

    /// Erases a resident. The entry is told how much of what there was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the reviewer is the person who ordered it, it was
    /// reviewed before or its time is over, one of their certificates was revoked or is over, and as for
    /// [`record_erasure_ordered`](Self::record_erasure_ordered).
    pub async fn record_erased(
        &self,
        review: ErasureReview,
        rules: ErasureRules,
        entry: Entry,
    ) -> Result<(Receipt, Swept), StoreError> {
        let told = entry.clone();
        let (listed, receipt) = self
            .submit(&entry, move |db, _| {
                let ordered = waiting(db, &review)?;
                check_entry_stands(db, &ordered.entered_with, review.at)?;
                check_erasable(db, &ordered, rules.records_years, review.at)?;
                let order = Order {
                    resident: ordered.resident,
                    at: review.at,
                    by: Some(review.by),
                    entry: &told.id,
                    row_reasons: (rules.row_reasons)(),
                };
                let erased = erase(db, &order)?;
                db.prepare_cached(
                    "UPDATE erasure SET state = 'approved', reviewed_by = ?2, reviewed_at = ?3, entry = ?4
                     WHERE id = ?1",
                )?
                .execute((review.erasure, review.by, Micros(review.at), &told.id))?;
                let listed = ListedErasure {
                    resident: ordered.resident,
                    erasure: review.erasure,
                    by: review.by,
                    entry: told.id.clone(),
                };
                Ok(Found::Told(listed, Box::new(erased.told_in(told))))
            })
            .await?;
        let receipt = receipt.ok_or(StoreError::Unavailable(None))?;
        Ok((receipt, self.sweep(vec![listed]).await))
    }

    /// Erases a resident again who is on record in an older copy of the database. Whatever is under way there ends.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when they are erased.
    pub async fn record_erased_again(
        &self,
        listed: ListedErasure,
        row_reasons: fn() -> String,
        at: UtcTime,
        entry: Entry,
    ) -> Result<(Receipt, Swept), StoreError> {
        let told = entry.clone();
        let (_, receipt) = self
            .submit(&entry, move |db, _| {
                let order = Order {
                    resident: listed.resident,
                    at,
                    by: Some(listed.by),
                    entry: &told.id,
                    row_reasons: row_reasons(),
                };
                let erased = erase_again(db, order)?;
                Ok(Found::Told((), Box::new(erased.told_in(told))))
            })
            .await?;
        let receipt = receipt.ok_or(StoreError::Unavailable(None))?;
        Ok((receipt, self.sweep(Vec::new()).await))
    }

    /// Residents whom the list beside the database has, and who are on record all the same: the database is an older
    /// copy.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn erasures_missing(&self) -> Result<Vec<ListedErasure>, StoreError> {
        let listed = self.inner.erasures().read()?;
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM resident WHERE id = ?1 AND erased_at IS NULL)",
            )?;
            let mut missing = Vec::new();
            for listed in listed {
                if select.query_row([listed.resident], |row| row.get(0))? {
                    missing.push(listed);
                }
            }
            Ok(missing)
        })
        .await
    }

    /// The erasure as last recorded.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn erasure(&self, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// Erasures of an institution's residents: those that wait for a review first, each the oldest first; at most
    /// `limit` (and [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn erasures(
        &self,
        institution: InstitutionId,
        now: UtcTime,
        after: Option<ErasureId>,
        limit: u32,
    ) -> Result<Vec<Erasure>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "WITH listed AS (
                     SELECT *, state <> 'pending' OR expires_at <= ?2 AS settled
                     FROM erasure WHERE institution = ?1)
                 SELECT * FROM listed
                 WHERE ?3 IS NULL OR (settled, id) > (SELECT settled, id FROM listed WHERE id = ?3)
                 ORDER BY settled, id LIMIT ?4",
            )?;
            let page = (institution, Micros(now), after, limit.min(MAX_PAGE));
            let rows = select.query_map(page, Erasure::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// What follows an erasure that is on record: it goes into the list, and out of the write-ahead log, which has the
    /// pages as they were before.
    async fn sweep(&self, erased: Vec<ListedErasure>) -> Swept {
        let list = self.inner.erasures().clone();
        let listed = tokio::task::spawn_blocking(move || list.append(&erased)).await;
        let listed = match listed {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "an erasure is not in the list beside the database");
                false
            }
            Err(_) => false,
        };
        let overwritten = match self.inner.emptying() {
            Some(emptying) => emptying.is_done(emptying.ask(), PATIENCE).await,
            None => false,
        };
        Swept { listed, overwritten }
    }
}

/// Puts erasures into the list beside the database that are on record and not there, and those out of the write-ahead log
/// that an end of the program left in it.
///
/// Whether the log still has them, since somebody reads what is older.
pub(super) fn settle(db: &Connection, list: &List) -> Result<bool, StoreError> {
    let known = list.read()?;
    let mut select = db.prepare(
        "SELECT resident, id AS erasure, reviewed_by, entry FROM erasure WHERE state = 'approved' ORDER BY id",
    )?;
    let recorded = select.query_map([], |row| {
        Ok(ListedErasure {
            resident: row.get("resident")?,
            erasure: row.get("erasure")?,
            by: row.get("reviewed_by")?,
            entry: row.get("entry")?,
        })
    })?;
    let mut recorded = recorded.collect::<rusqlite::Result<Vec<_>>>()?;
    let owed = !recorded.is_empty() && !wal::is_emptied(db)?;
    let known: HashSet<_> = known.iter().map(|it| it.resident).collect();
    recorded.retain(|it| !known.contains(&it.resident));
    list.append(&recorded)?;
    Ok(owed)
}

/// The erasure under review, if it is one that another person may still review.
fn waiting(db: &Connection, review: &ErasureReview) -> Result<NewErasure, StoreError> {
    let found = find(db, review.erasure)?.ok_or(StoreError::NotFound(Record::PendingChange))?;
    let found = found.at(review.at);
    if found.state != ErasureState::Pending {
        return Err(StoreError::Conflict(Obstacle::ChangeOver));
    }
    check_two_persons(db, found.ordered.entered_by, review.by)?;
    check_in_force(db, &review.with, review.at)?;
    Ok(found.ordered)
}

fn find(db: &Connection, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM erasure WHERE id = ?1")?;
    Ok(select.query_row([id], Erasure::read).optional()?)
}
