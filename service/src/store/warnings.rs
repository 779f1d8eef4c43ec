//! Warnings of misuse (监测预警) on record.

use std::collections::BTreeMap;

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, types::FromSqlError};
use time::Date;

use super::{
    Change, IdentityId, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record, ResidentId, Store,
    StoreError, WarningId, cards::Day, facts::Found, micros::Micros,
    two_persons::check_two_persons,
};
use crate::{
    clock::UtcTime,
    warnings::{WarningRule, WarningVerdict},
};

/// A warning to be put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWarning {
    /// Its identifier.
    pub id: WarningId,
    /// The rule.
    pub rule: WarningRule,
    /// The day for which it is said.
    pub day: Date,
    /// How often what is counted has doubled.
    pub step: u32,
    /// Whom or what it is about.
    pub subject: String,
    /// Who did what brought it about.
    pub identity: IdentityId,
    /// Where they work.
    pub institution: InstitutionId,
    /// About whom, if about one resident.
    pub resident: Option<ResidentId>,
    /// The card, if it is about one.
    pub card: Option<String>,
    /// Positions in the log of what it rests on.
    pub evidence: Vec<u64>,
    /// When the last of it was.
    pub at: UtcTime,
    /// What was counted.
    pub found: BTreeMap<String, String>,
    /// How the rules were tuned.
    pub settings: String,
    /// When it was raised.
    pub raised_at: UtcTime,
}

/// What somebody found who looked into a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarningReview {
    /// When.
    pub at: UtcTime,
    /// Who.
    pub by: IdentityId,
    /// What.
    pub verdict: WarningVerdict,
    /// Why, sealed under the service's data key.
    pub sealed_note: Vec<u8>,
}

/// A warning on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// As it was raised.
    pub raised: NewWarning,
    /// Position of the leaf that recorded that: later warnings have later ones.
    pub log_position: u64,
    /// What somebody found.
    pub review: Option<WarningReview>,
}

/// Which warnings are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarningFilter {
    /// Only those that nobody has looked into.
    pub open: bool,
    /// Only those of this rule.
    pub rule: Option<WarningRule>,
}

impl Warning {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let review = match row.get::<_, Option<Micros>>("closed_at")? {
            None => None,
            Some(at) => Some(WarningReview {
                at: at.0,
                by: row.get("closed_by")?,
                verdict: row.get("verdict")?,
                sealed_note: row.get("sealed_note")?,
            }),
        };
        let evidence = row.get_ref("evidence")?.as_str()?.split(',').map(str::parse);
        let found = serde_json::from_str(row.get_ref("found")?.as_str()?);
        let raised = NewWarning {
            id: row.get("id")?,
            rule: row.get("rule")?,
            day: row.get::<_, Day>("day")?.0,
            step: row.get("step")?,
            subject: row.get("subject")?,
            identity: row.get("identity")?,
            institution: row.get("institution")?,
            resident: row.get("resident")?,
            card: row.get("card")?,
            evidence: evidence.collect::<Result<_, _>>().map_err(FromSqlError::other)?,
            at: row.get::<_, Micros>("at")?.0,
            found: found.map_err(FromSqlError::other)?,
            settings: row.get("settings")?,
            raised_at: row.get::<_, Micros>("raised_at")?.0,
        };
        Ok(Self { raised, log_position: row.get("position")?, review })
    }
}

impl Store {
    /// Raises a warning. [`Change::None`] when the rule said as much of the same on the same day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_warning(
        &self,
        warning: NewWarning,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        let found = serde_json::to_string(&warning.found)
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        let change = move |db: &Connection, position| {
            let w = warning;
            let evidence: Vec<_> = w.evidence.iter().map(u64::to_string).collect();
            let raised = db
                .prepare_cached(
                    "INSERT INTO warning (id, rule, day, step, subject, identity, institution, resident, card,
                                          evidence, at, found, settings, raised_at, position)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                     ON CONFLICT (rule, subject, day, step) DO NOTHING",
                )?
                .execute((
                    w.id,
                    w.rule,
                    Day(w.day),
                    w.step,
                    w.subject,
                    w.identity,
                    w.institution,
                    w.resident,
                    w.card,
                    evidence.join(","),
                    Micros(w.at),
                    found,
                    w.settings,
                    Micros(w.raised_at),
                    position,
                ))?;
            Ok(if raised == 0 { Found::Same(()) } else { Found::Changed(()) })
        };
        let (_, receipt) = self.submit(&entry, change).await?;
        Ok(receipt.map_or(Change::None, Change::Recorded))
    }

    /// Closes a warning with what somebody found.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for whom it is about, and when it was closed.
    pub async fn record_warning_closed(
        &self,
        id: WarningId,
        review: WarningReview,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let found: Option<(IdentityId, bool)> = db
                .prepare_cached("SELECT identity, closed_at IS NULL FROM warning WHERE id = ?1")?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (identity, open) = found.ok_or(StoreError::NotFound(Record::Warning))?;
            check_two_persons(db, identity, review.by)?;
            if !open {
                return Err(StoreError::Conflict(Obstacle::WarningClosed));
            }
            db.prepare_cached(
                "UPDATE warning SET closed_at = ?2, closed_by = ?3, verdict = ?4, sealed_note = ?5 WHERE id = ?1",
            )?
            .execute((id, Micros(review.at), review.by, review.verdict, review.sealed_note))?;
            Ok(())
        })
        .await
    }

    /// One, as last recorded.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read. So do those that follow.
    pub async fn warning(&self, id: WarningId) -> Result<Option<Warning>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM warning WHERE id = ?1")?;
            Ok(select.query_row([id], Warning::read).optional()?)
        })
        .await
    }

    /// Warnings, the newest first, from before this place in the log on.
    pub async fn warnings(
        &self,
        filter: WarningFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Warning>, StoreError> {
        let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        self.read(move |db| {
            let open = if filter.open { "AND closed_at IS NULL" } else { "" };
            let select = format!(
                "SELECT * FROM warning WHERE position < ?1 AND rule = coalesce(?2, rule) {open}
                 ORDER BY position DESC LIMIT ?3"
            );
            let mut select = db.prepare_cached(&select)?;
            let page = (before, filter.rule, limit.min(MAX_PAGE));
            let found = select.query_map(page, Warning::read)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Warnings that were raised after this place in the log, in their order.
    pub async fn warnings_after(&self, after: u64) -> Result<Vec<Warning>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM warning WHERE position > ?1 ORDER BY position LIMIT ?2",
            )?;
            let found = select.query_map((after, MAX_PAGE), Warning::read)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}
