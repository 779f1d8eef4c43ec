//! Consents (授权确认): what residents agreed to, or object to.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, types::FromSqlError};
use time::Duration;

use super::{
    Change, ConsentId, IdentityId, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record, ResidentId,
    Store, StoreError, facts::Found, micros::Micros, sessions::InSession,
    two_persons::check_two_persons,
};
use crate::{
    clock::UtcTime,
    vocabulary::{ConsentKind, ConsentState, DataClass, Grade, Purpose},
};

/// How long a second person has to say that they saw it given.
const WITNESS_WITHIN: Duration = Duration::hours(1);

/// Most consents of a resident that are in force at once: each decision about them looks through all.
const MOST_IN_FORCE: u32 = 200;

/// A consent to be put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConsent {
    /// Its identifier.
    pub id: ConsentId,
    /// Whose data.
    pub resident: ResidentId,
    /// Whether they agree or object.
    pub kind: ConsentKind,
    /// What for.
    pub purpose: Purpose,
    /// Which kinds of data.
    pub classes: Vec<DataClass>,
    /// The highest grade that they agree to; of an objection the lowest that they object to.
    pub grade: Grade,
    /// The institution that may see it; of an objection every one, where none is named.
    pub recipient: Option<InstitutionId>,
    /// The one person there who may, if only one may.
    pub person: Option<IdentityId>,
    /// The institution that keeps the data; every one, where none is named.
    pub records: Option<InstitutionId>,
    /// The guardian who said it in the resident's place.
    pub guardian: Option<ResidentId>,
    /// What stood for who said it: the word of [`Evidence`](super::Evidence).
    pub evidence: String,
    /// Where.
    pub institution: InstitutionId,
    /// Who recorded it.
    pub identity: IdentityId,
    /// When.
    pub given_at: UtcTime,
    /// Until when.
    pub ends_at: UtcTime,
    /// Whether a second person has to have seen it.
    pub witness_due: bool,
}

impl NewConsent {
    /// Whether this person may see data by it.
    #[must_use]
    pub fn is_for(&self, institution: InstitutionId, person: IdentityId) -> bool {
        self.kind != ConsentKind::Object
            && self.recipient == Some(institution)
            && self.person.is_none_or(|it| it == person)
    }
}

/// A consent on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// As it was given.
    pub given: NewConsent,
    /// Position of the leaf that recorded it.
    pub log_position: u64,
    /// Who saw it given, and when they said so.
    pub witnessed: Option<(IdentityId, UtcTime)>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<UtcTime>,
}

/// Who asks for which data, as consents are looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought<'a> {
    /// The institution that asks.
    pub institution: InstitutionId,
    /// The person who asks.
    pub person: IdentityId,
    /// What for.
    pub purpose: Purpose,
    /// Which kinds.
    pub classes: &'a [DataClass],
    /// The highest grade.
    pub grade: Grade,
    /// Who keeps it.
    pub records: InstitutionId,
}

impl Consent {
    /// How it stands at `now`.
    #[must_use]
    pub fn state(&self, now: UtcTime) -> ConsentState {
        match (self.withdrawn_at, self.given.witness_due && self.witnessed.is_none()) {
            (Some(_), _) => ConsentState::Withdrawn,
            (None, true) if self.given.given_at + WITNESS_WITHIN <= now => ConsentState::Void,
            (None, true) => ConsentState::AwaitsWitness,
            (None, false) if self.given.ends_at <= now => ConsentState::Over,
            (None, false) => ConsentState::InForce,
        }
    }

    /// Whether it is about whoever asks, there.
    fn is_about(&self, sought: &Sought<'_>) -> bool {
        self.given.recipient.is_none_or(|it| it == sought.institution)
            && self.given.person.is_none_or(|it| it == sought.person)
            && self.given.records.is_none_or(|it| it == sought.records)
    }

    /// Whether what they agreed to is all that is sought.
    #[must_use]
    pub fn covers(&self, sought: &Sought<'_>) -> bool {
        self.given.kind == ConsentKind::Permit
            && self.given.recipient.is_some()
            && self.is_about(sought)
            && self.given.purpose == sought.purpose
            && sought.grade <= self.given.grade
            && sought.classes.iter().all(|class| self.given.classes.contains(class))
    }

    /// Whether they object to any of what is sought.
    #[must_use]
    pub fn objects_to(&self, sought: &Sought<'_>) -> bool {
        self.given.kind == ConsentKind::Object
            && self.is_about(sought)
            && self.given.purpose == sought.purpose
            && sought.grade >= self.given.grade
            && sought.classes.iter().any(|class| self.given.classes.contains(class))
    }

    /// Whether it makes whoever asks the family doctor.
    #[must_use]
    pub fn contracts(&self, sought: &Sought<'_>) -> bool {
        self.given.kind == ConsentKind::FamilyDoctor
            && self.given.person == Some(sought.person)
            && self.given.recipient == Some(sought.institution)
            && self.is_about(sought)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |column| -> rusqlite::Result<Option<UtcTime>> {
            Ok(row.get::<_, Option<Micros>>(column)?.map(|at| at.0))
        };
        let witness: Option<IdentityId> = row.get("witness")?;
        let given = NewConsent {
            id: row.get("id")?,
            resident: row.get("resident")?,
            kind: row.get("kind")?,
            purpose: Purpose::from_word(row.get_ref("purpose")?.as_str()?)
                .ok_or(FromSqlError::InvalidType)?,
            classes: classes(row.get_ref("classes")?.as_str()?)?,
            grade: Grade::new(row.get("grade")?).ok_or(FromSqlError::InvalidType)?,
            recipient: row.get("recipient")?,
            person: row.get("person")?,
            records: row.get("records")?,
            guardian: row.get("guardian")?,
            evidence: row.get("evidence")?,
            institution: row.get("institution")?,
            identity: row.get("identity")?,
            given_at: row.get::<_, Micros>("given_at")?.0,
            ends_at: row.get::<_, Micros>("ends_at")?.0,
            witness_due: row.get("witness_due")?,
        };
        Ok(Self {
            given,
            log_position: row.get("position")?,
            witnessed: witness.zip(time("witnessed_at")?),
            withdrawn_at: time("withdrawn_at")?,
        })
    }
}

/// Kinds of data as the table keeps them.
fn classes(text: &str) -> Result<Vec<DataClass>, FromSqlError> {
    let classes = text.split(',').map(DataClass::from_word);
    classes.collect::<Option<_>>().ok_or(FromSqlError::InvalidType)
}

fn find(db: &Connection, id: ConsentId) -> Result<Option<Consent>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM consent WHERE id = ?1")?;
    Ok(select.query_row([id], Consent::read).optional()?)
}

/// Ends what is seen of a resident now, emergencies aside: whoever may go on in spite of an objection asks again.
fn end_routine_tokens(
    db: &Connection,
    resident: ResidentId,
    at: UtcTime,
) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE token SET revoked_at = ?2
         WHERE resident = ?1 AND expires_at > ?2 AND revoked_at IS NULL AND emergency IS NULL",
    )?
    .execute((resident, Micros(at)))?;
    Ok(())
}

/// Refuses what rests on a consent that is no longer in force.
pub(super) fn check_consent(
    db: &Connection,
    id: ConsentId,
    now: UtcTime,
) -> Result<(), StoreError> {
    match find(db, id)? {
        None => Err(StoreError::NotFound(Record::Consent)),
        Some(consent) if consent.state(now) == ConsentState::InForce => Ok(()),
        Some(_) => Err(StoreError::Conflict(Obstacle::ConsentOver)),
    }
}

impl Store {
    /// Puts a consent on record.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the session was closed meanwhile, or the resident has 200 of them.
    pub async fn record_consent(
        &self,
        consent: NewConsent,
        session: [u8; 32],
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let session = InSession::new(&session, consent.given_at);
        self.record(entry, move |db, position| {
            let c = consent;
            session.check(db)?;
            let standing: u32 = db
                .prepare_cached(
                    "SELECT count(*) FROM consent WHERE resident = ?1 AND withdrawn_at IS NULL AND ends_at > ?2",
                )?
                .query_row((c.resident, Micros(c.given_at)), |row| row.get(0))?;
            if standing >= MOST_IN_FORCE {
                return Err(StoreError::Conflict(Obstacle::ConsentsTooMany));
            }
            let classes: Vec<_> = c.classes.iter().map(|class| class.as_str()).collect();
            db.prepare_cached(
                "INSERT INTO consent VALUES (:id, :resident, :kind, :purpose, :classes, :grade, :recipient,
                     :person, :records, :guardian, :evidence, :institution, :identity, :given_at, :ends_at,
                     :position, :witness_due, NULL, NULL, NULL, NULL)",
            )?
            .execute(rusqlite::named_params! {
                ":id": c.id, ":resident": c.resident, ":kind": c.kind, ":purpose": c.purpose.as_str(),
                ":classes": classes.join(","), ":grade": c.grade.level(), ":recipient": c.recipient,
                ":person": c.person, ":records": c.records, ":guardian": c.guardian,
                ":evidence": c.evidence, ":institution": c.institution, ":identity": c.identity,
                ":given_at": Micros(c.given_at), ":ends_at": Micros(c.ends_at),
                ":position": position, ":witness_due": c.witness_due,
            })?;
            if c.kind == ConsentKind::Object {
                end_routine_tokens(db, c.resident, c.given_at)?;
            }
            Ok(())
        })
        .await
    }

    /// A consent.
    pub async fn consent(&self, id: ConsentId) -> Result<Option<Consent>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// What a resident agreed to or objects to, the newest first.
    pub async fn consents_of(
        &self,
        resident: ResidentId,
        before: Option<ConsentId>,
        limit: u32,
    ) -> Result<Vec<Consent>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM consent WHERE resident = ?1 AND (?2 IS NULL OR id < ?2)
                 ORDER BY id DESC LIMIT ?3",
            )?;
            let found = select.query_map((resident, before, limit.min(MAX_PAGE)), Consent::read)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Consents by which this person may see data, the newest first.
    pub async fn consents_for(
        &self,
        institution: InstitutionId,
        person: IdentityId,
        before: Option<ConsentId>,
        limit: u32,
    ) -> Result<Vec<Consent>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM consent WHERE recipient = ?1 AND (person IS NULL OR person = ?2)
                     AND kind <> 'object' AND (?3 IS NULL OR id < ?3)
                 ORDER BY id DESC LIMIT ?4",
            )?;
            let page = (institution, person, before, limit.min(MAX_PAGE));
            let found = select.query_map(page, Consent::read)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// What a resident agreed to or objects to that may be in force and concern somebody at this institution.
    pub async fn consents_about(
        &self,
        resident: ResidentId,
        institution: InstitutionId,
        now: UtcTime,
    ) -> Result<Vec<Consent>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM consent WHERE resident = ?1 AND (recipient = ?2 OR recipient IS NULL)
                     AND withdrawn_at IS NULL AND ends_at > ?3
                 ORDER BY id DESC",
            )?;
            let found = select.query_map((resident, institution, Micros(now)), Consent::read)?;
            let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
            found.retain(|consent| consent.state(now) == ConsentState::InForce);
            Ok(found)
        })
        .await
    }

    /// Until when the last of those consents goes on that were given by `given_until`; `None` when none does at `now`.
    pub async fn last_consent_over(
        &self,
        given_until: UtcTime,
        now: UtcTime,
    ) -> Result<Option<UtcTime>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM consent WHERE given_at <= ?1 AND ends_at > ?2 AND withdrawn_at IS NULL",
            )?;
            let mut last = None;
            for consent in select.query_map((Micros(given_until), Micros(now)), Consent::read)? {
                let consent = consent?;
                if consent.state(now) != ConsentState::Void {
                    last = last.max(Some(consent.given.ends_at));
                }
            }
            Ok(last)
        })
        .await
    }

    /// A second person says that they saw it given.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it does not wait for one, or it is who recorded it.
    pub async fn record_consent_witnessed(
        &self,
        id: ConsentId,
        witness: IdentityId,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let consent = find(db, id)?.ok_or(StoreError::NotFound(Record::Consent))?;
            if consent.state(at) != ConsentState::AwaitsWitness {
                return Err(StoreError::Conflict(Obstacle::ConsentOver));
            }
            check_two_persons(db, consent.given.identity, witness)?;
            if let Some(person) = consent.given.person {
                check_two_persons(db, person, witness)?;
            }
            db.prepare_cached("UPDATE consent SET witness = ?2, witnessed_at = ?3 WHERE id = ?1")?
                .execute((id, witness, Micros(at)))?;
            Ok(())
        })
        .await
    }

    /// Withdraws a consent, and with it what rests on it. [`Change::None`] when it was withdrawn before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_consent_withdrawn(
        &self,
        id: ConsentId,
        by: IdentityId,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let consent = find(db, id)?.ok_or(StoreError::NotFound(Record::Consent))?;
            if consent.withdrawn_at.is_some() {
                return Ok(Found::Same(()));
            }
            db.prepare_cached(
                "UPDATE consent SET withdrawn_at = ?2, withdrawn_by = ?3 WHERE id = ?1",
            )?
            .execute((id, Micros(at), by))?;
            Ok(Found::Changed(()))
        })
        .await
    }
}
