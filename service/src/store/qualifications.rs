//! How long clinicians are qualified (执业资格). After the last day nothing is signed, and all else goes on.

use std::{fmt, str::FromStr};

use audit::Entry;
use rusqlite::Connection;
use time::{Date, macros::format_description};

use super::{
    BadId, Identity, IdentityId, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record, Store,
    StoreError, cards::Day,
};
use crate::clock::{UtcTime, date_at_desk};

/// Where a page of a list of qualifications ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualificationCursor {
    /// Last day.
    pub until: Date,
    /// Whose.
    pub identity: IdentityId,
}

impl fmt::Display for QualificationCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.until, self.identity)
    }
}

impl FromStr for QualificationCursor {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (until, identity) = text.split_once('.').ok_or(BadId)?;
        let form = format_description!("[year]-[month]-[day]");
        let until = Date::parse(until, &form).map_err(|_| BadId)?;
        Ok(Self { until, identity: identity.parse()? })
    }
}

impl Store {
    /// Sets the last day on which somebody is qualified, or that there is none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown identity.
    pub async fn record_qualification(
        &self,
        identity: IdentityId,
        until: Option<Date>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let changed = db
                .prepare_cached("UPDATE identity SET qualified_until = ?2 WHERE id = ?1")?
                .execute((identity, until.map(Day)))?;
            if changed == 1 { Ok(()) } else { Err(StoreError::NotFound(Record::Reference)) }
        })
        .await
    }

    /// Identities whose qualification ends by this day or ended before, the first to end first; of one
    /// institution, or of all. At most `limit` (and [`MAX_PAGE`]), those after `after`.
    pub async fn ending_qualifications(
        &self,
        by: Date,
        institution: Option<InstitutionId>,
        after: Option<QualificationCursor>,
        limit: u32,
    ) -> Result<Vec<Identity>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM identity INDEXED BY identity_qualification
                 WHERE qualified_until <= ?1
                   AND (qualified_until, id) > (coalesce(?2, ''), coalesce(?3, ''))
                   AND (?4 IS NULL OR institution = ?4)
                 ORDER BY qualified_until, id LIMIT ?5",
            )?;
            let (until, id) = after.map(|cursor| (Day(cursor.until), cursor.identity)).unzip();
            let limit = limit.min(MAX_PAGE);
            let rows =
                select.query_map((Day(by), until, id, institution, limit), Identity::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

/// Within a fact that signs: that the signer is qualified on this day.
pub(super) fn check_qualified(
    db: &Connection,
    identity: IdentityId,
    at: UtcTime,
) -> Result<(), StoreError> {
    let until: Option<Day> = db
        .prepare_cached("SELECT qualified_until FROM identity WHERE id = ?1")?
        .query_row([identity], |row| row.get(0))?;
    match until {
        Some(Day(last)) if last < date_at_desk(at) => {
            Err(StoreError::Conflict(Obstacle::QualificationEnded))
        }
        _ => Ok(()),
    }
}
