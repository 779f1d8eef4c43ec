//! Emergency accesses (紧急访问): one person's, for one resident, for a short time, and what is owed for it.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, types::FromSqlError};
use time::{Date, Duration};

use super::{
    Change, EmergencyId, IdentityId, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record,
    ResidentId, Store, StoreError, VisitId,
    cards::Day,
    facts::Found,
    micros::Micros,
    sessions::InSession,
    two_persons::{check_two_persons, is_same_person},
};
use crate::{
    clock::UtcTime,
    emergency::{EmergencyEvent, EmergencyState, Times},
    vocabulary::{EmergencyReason, Finding, Role},
};

/// The time in which those that one person begins are counted.
pub const COUNTED_WITHIN: Duration = Duration::hours(1);

/// Those that any identity of a person began.
const OF_PERSON: &str = "identity IN (
    SELECT other.id FROM identity AS one
    JOIN identity AS other ON other.id = one.id OR other.person = one.person WHERE one.id = ?1)";

/// An emergency access that is begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEmergency {
    /// Its identifier.
    pub id: EmergencyId,
    /// Whose data.
    pub resident: ResidentId,
    /// The visit by which the resident was named, if it was so.
    pub visit: Option<VisitId>,
    /// Where.
    pub institution: InstitutionId,
    /// Who began it.
    pub identity: IdentityId,
    /// As what.
    pub role: Role,
    /// Why.
    pub reason: EmergencyReason,
    /// The same in words, sealed under the resident's data key.
    pub sealed_note: Vec<u8>,
    /// When.
    pub begun_at: UtcTime,
    /// When it ends by itself.
    pub ends_at: UtcTime,
    /// When the account of it is late.
    pub account_due: UtcTime,
    /// When the finding is late.
    pub finding_due: UtcTime,
}

/// What a reviewer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyReview {
    /// When.
    pub at: UtcTime,
    /// Who.
    pub by: IdentityId,
    /// What.
    pub finding: Finding,
    /// Why, sealed under the resident's data key.
    pub sealed_note: Vec<u8>,
}

/// An emergency access on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// As it was begun; what is due may have moved since.
    pub begun: NewEmergency,
    /// Position of the leaf that recorded that.
    pub log_position: u64,
    /// When it ended, and who ended it; nobody, where it ended by itself.
    pub ended: Option<(UtcTime, Option<IdentityId>)>,
    /// When the account was given, and what it says, sealed under the resident's data key.
    pub account: Option<(UtcTime, Vec<u8>)>,
    /// What a reviewer found.
    pub review: Option<EmergencyReview>,
    /// When the resident was told, and by whom.
    pub told: Option<(UtcTime, IdentityId)>,
}

impl Emergency {
    /// How it stands at `now`.
    #[must_use]
    pub fn state(&self, now: UtcTime) -> EmergencyState {
        self.times().state(now)
    }

    /// When it was over, or will be.
    #[must_use]
    pub fn over_at(&self) -> UtcTime {
        self.times().over_at()
    }

    fn times(&self) -> Times {
        Times {
            ends_at: self.begun.ends_at,
            ended_at: self.ended.map(|(at, _)| at),
            account_due: self.begun.account_due,
            accounted_at: self.account.as_ref().map(|(at, _)| *at),
            finding_due: self.begun.finding_due,
            reviewed_at: self.review.as_ref().map(|review| review.at),
        }
    }

    /// Refuses what has no way from where it stands.
    fn check(&self, event: EmergencyEvent, now: UtcTime) -> Result<(), StoreError> {
        match self.state(now).after(event) {
            Some(_) => Ok(()),
            None => Err(StoreError::Conflict(Obstacle::EmergencyState)),
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |column| -> rusqlite::Result<UtcTime> { Ok(row.get::<_, Micros>(column)?.0) };
        let done = |column| -> rusqlite::Result<Option<UtcTime>> {
            Ok(row.get::<_, Option<Micros>>(column)?.map(|at| at.0))
        };
        let role = Role::from_word(row.get_ref("role")?.as_str()?);
        let begun = NewEmergency {
            id: row.get("id")?,
            resident: row.get("resident")?,
            visit: row.get("visit")?,
            institution: row.get("institution")?,
            identity: row.get("identity")?,
            role: role.ok_or(FromSqlError::InvalidType)?,
            reason: row.get("reason")?,
            sealed_note: row.get("sealed_note")?,
            begun_at: time("begun_at")?,
            ends_at: time("ends_at")?,
            account_due: time("account_due")?,
            finding_due: time("finding_due")?,
        };
        let review = match done("reviewed_at")? {
            None => None,
            Some(at) => Some(EmergencyReview {
                at,
                by: row.get("reviewed_by")?,
                finding: row.get("finding")?,
                sealed_note: row.get("sealed_finding")?,
            }),
        };
        let ended_by = row.get("ended_by")?;
        let sealed_account: Option<Vec<u8>> = row.get("sealed_account")?;
        let told_by: Option<IdentityId> = row.get("told_by")?;
        Ok(Self {
            begun,
            log_position: row.get("position")?,
            ended: done("ended_at")?.map(|at| (at, ended_by)),
            account: done("accounted_at")?.zip(sealed_account),
            review,
            told: done("told_at")?.zip(told_by),
        })
    }
}

impl Store {
    /// Begins an emergency access, unless the person began `most` of them within [`COUNTED_WITHIN`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the session was closed, or that many were begun.
    pub async fn record_emergency(
        &self,
        emergency: NewEmergency,
        session: [u8; 32],
        most: u32,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let session = InSession::new(&session, emergency.begun_at);
        self.record(entry, move |db, position| {
            let e = emergency;
            session.check(db)?;
            if begun_of(db, e.identity, e.begun_at)? >= most {
                return Err(StoreError::Conflict(Obstacle::TooManyEmergencies));
            }
            db.prepare_cached(
                "INSERT INTO emergency (id, resident, visit, institution, identity, role, reason, sealed_note,
                                        begun_at, ends_at, account_due, finding_due, position)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute((
                e.id,
                e.resident,
                e.visit,
                e.institution,
                e.identity,
                e.role.as_str(),
                e.reason,
                e.sealed_note,
                Micros(e.begun_at),
                Micros(e.ends_at),
                Micros(e.account_due),
                Micros(e.finding_due),
                position,
            ))?;
            Ok(())
        })
        .await
    }

    /// Ends one before its time. Its tokens end with it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it was over.
    pub async fn record_emergency_ended(
        &self,
        id: EmergencyId,
        at: UtcTime,
        by: IdentityId,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            find(db, id)?.check(EmergencyEvent::End, at)?;
            db.prepare_cached("UPDATE emergency SET ended_at = ?2, ended_by = ?3 WHERE id = ?1")?
                .execute((id, Micros(at), by))?;
            Ok(())
        })
        .await
    }

    /// Says of one whose time is over that it ended. [`Change::None`] when that is on record.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_emergency_over(
        &self,
        id: EmergencyId,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            if find(db, id)?.ended.is_some() {
                return Ok(Found::Same(()));
            }
            db.prepare_cached("UPDATE emergency SET ended_at = ends_at WHERE id = ?1")?
                .execute([id])?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// Takes the account of whoever began it; the finding is due at `finding_due` from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it is not owed.
    pub async fn record_emergency_accounted(
        &self,
        id: EmergencyId,
        at: UtcTime,
        sealed_account: Vec<u8>,
        finding_due: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            find(db, id)?.check(EmergencyEvent::Account, at)?;
            db.prepare_cached(
                "UPDATE emergency SET accounted_at = ?2, sealed_account = ?3, finding_due = ?4 WHERE id = ?1",
            )?
            .execute((id, Micros(at), sealed_account, Micros(finding_due)))?;
            Ok(())
        })
        .await
    }

    /// Takes the finding of another person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for whoever began it, and when it cannot be reviewed yet or
    /// was before.
    pub async fn record_emergency_reviewed(
        &self,
        id: EmergencyId,
        review: EmergencyReview,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let emergency = find(db, id)?;
            check_two_persons(db, emergency.begun.identity, review.by)?;
            emergency.check(EmergencyEvent::Review, review.at)?;
            db.prepare_cached(
                "UPDATE emergency SET reviewed_at = ?2, reviewed_by = ?3, finding = ?4, sealed_finding = ?5
                 WHERE id = ?1",
            )?
            .execute((id, Micros(review.at), review.by, review.finding, review.sealed_note))?;
            Ok(())
        })
        .await
    }

    /// Says that the resident was told, by another person than who looked. [`Change::None`] when they were before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for whoever began it.
    pub async fn record_emergency_told(
        &self,
        id: EmergencyId,
        at: UtcTime,
        by: IdentityId,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let emergency = find(db, id)?;
            if emergency.told.is_some() {
                return Ok(Found::Same(()));
            }
            check_two_persons(db, emergency.begun.identity, by)?;
            db.prepare_cached("UPDATE emergency SET told_at = ?2, told_by = ?3 WHERE id = ?1")?
                .execute((id, Micros(at), by))?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// Says that what is late was told on this day. [`Change::None`] when it was, or is late no longer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_emergency_reminded(
        &self,
        id: EmergencyId,
        late: EmergencyState,
        at: UtcTime,
        day: Date,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let same = find(db, id)?.state(at) == late;
            let reminded = db
                .prepare_cached(
                    "UPDATE emergency SET reminded_on = ?2
                     WHERE ?3 AND id = ?1 AND (reminded_on IS NULL OR reminded_on < ?2)",
                )?
                .execute((id, Day(day), same))?;
            Ok(if reminded == 0 { Found::Same(()) } else { Found::Changed(()) })
        })
        .await
    }

    /// One, as last recorded.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read. So do those that follow.
    pub async fn emergency(&self, id: EmergencyId) -> Result<Option<Emergency>, StoreError> {
        let found = self.emergencies("id = ?1", "", (id,)).await?;
        Ok(found.into_iter().next())
    }

    /// Those that a person began by any of their identities, in the order in which they were begun.
    pub async fn emergencies_of(
        &self,
        identity: IdentityId,
        after: Option<EmergencyId>,
        limit: u32,
    ) -> Result<Vec<Emergency>, StoreError> {
        let page = (identity, after, limit.min(MAX_PAGE));
        self.emergencies(OF_PERSON, "AND id > coalesce(?2, '') ORDER BY id LIMIT ?3", page).await
    }

    /// Those that have no finding, in the order in which they were begun.
    pub async fn emergencies_owed(
        &self,
        after: Option<EmergencyId>,
        limit: u32,
    ) -> Result<Vec<Emergency>, StoreError> {
        let page = (after, limit.min(MAX_PAGE));
        let which = "reviewed_at IS NULL AND id > coalesce(?1, '')";
        self.emergencies(which, "ORDER BY id LIMIT ?2", page).await
    }

    /// Those of a resident that no desk told them about.
    pub async fn emergencies_untold(
        &self,
        resident: ResidentId,
    ) -> Result<Vec<Emergency>, StoreError> {
        let which = "resident = ?1 AND told_at IS NULL";
        self.emergencies(which, "ORDER BY id LIMIT ?2", (resident, MAX_PAGE)).await
    }

    /// Those whose time is over without that being on record.
    pub async fn emergencies_over(&self, now: UtcTime) -> Result<Vec<Emergency>, StoreError> {
        let which = "ended_at IS NULL AND ends_at <= ?1";
        self.emergencies(which, "ORDER BY ends_at LIMIT ?2", (Micros(now), MAX_PAGE)).await
    }

    /// Those for which something is late at `now` that was not told on this day.
    pub async fn emergencies_late(
        &self,
        now: UtcTime,
        day: Date,
    ) -> Result<Vec<Emergency>, StoreError> {
        let which = "reviewed_at IS NULL AND (reminded_on IS NULL OR reminded_on < ?2)
            AND CASE WHEN accounted_at IS NULL THEN account_due ELSE finding_due END <= ?1";
        self.emergencies(which, "ORDER BY id LIMIT ?3", (Micros(now), Day(day), MAX_PAGE)).await
    }

    /// How many a person began within [`COUNTED_WITHIN`] before `now`.
    pub async fn emergencies_begun(
        &self,
        identity: IdentityId,
        now: UtcTime,
    ) -> Result<u32, StoreError> {
        self.read(move |db| Ok(begun_of(db, identity, now)?)).await
    }

    /// Whether a person is late with an account.
    pub async fn owes_account(
        &self,
        identity: IdentityId,
        now: UtcTime,
    ) -> Result<bool, StoreError> {
        self.read(move |db| {
            let select = format!(
                "SELECT EXISTS (SELECT 1 FROM emergency WHERE {OF_PERSON}
                 AND reviewed_at IS NULL AND accounted_at IS NULL AND account_due <= ?2)"
            );
            let mut select = db.prepare_cached(&select)?;
            Ok(select.query_row((identity, Micros(now)), |row| row.get(0))?)
        })
        .await
    }

    /// Whether two identities are one, or of one person.
    pub async fn is_same_person(
        &self,
        one: IdentityId,
        other: IdentityId,
    ) -> Result<bool, StoreError> {
        self.read(move |db| Ok(is_same_person(db, one, other)?)).await
    }

    async fn emergencies(
        &self,
        which: &'static str,
        order: &'static str,
        parameters: impl Params + Send + 'static,
    ) -> Result<Vec<Emergency>, StoreError> {
        self.read(move |db| {
            let select = format!("SELECT * FROM emergency WHERE {which} {order}");
            let mut select = db.prepare_cached(&select)?;
            let found = select.query_map(parameters, Emergency::read)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn find(db: &Connection, id: EmergencyId) -> Result<Emergency, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM emergency WHERE id = ?1")?;
    let found = select.query_row([id], Emergency::read).optional()?;
    found.ok_or(StoreError::NotFound(Record::Emergency))
}

fn begun_of(db: &Connection, identity: IdentityId, now: UtcTime) -> rusqlite::Result<u32> {
    let select = format!("SELECT count(*) FROM emergency WHERE {OF_PERSON} AND begun_at > ?2");
    let since = Micros(now - COUNTED_WITHIN);
    db.prepare_cached(&select)?.query_row((identity, since), |row| row.get(0))
}

/// Within a fact: the emergency access lasts. An end that came first wins.
pub(super) fn check_emergency(
    db: &Connection,
    id: EmergencyId,
    now: UtcTime,
) -> Result<(), StoreError> {
    match find(db, id)?.state(now) {
        EmergencyState::Running => Ok(()),
        _ => Err(StoreError::Conflict(Obstacle::EmergencyOver)),
    }
}
