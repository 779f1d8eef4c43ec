//! Referrals (转诊): residents whom one institution sent to another.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    Change, IdentityId, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record, ReferralId, ResidentId,
    Store, StoreError, VisitId, facts::Found, micros::Micros, visits::check_visit,
};
use crate::clock::UtcTime;

/// A referral to be put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReferral {
    /// Its identifier.
    pub id: ReferralId,
    /// Who is sent.
    pub resident: ResidentId,
    /// In which visit it was decided.
    pub visit: VisitId,
    /// The institution that sends, and keeps the data.
    pub institution: InstitutionId,
    /// Where they are sent.
    pub recipient: InstitutionId,
    /// Who decided it.
    pub identity: IdentityId,
    /// When.
    pub made_at: UtcTime,
    /// Until when data may be seen on its ground.
    pub ends_at: UtcTime,
}

/// A referral on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// As it was made.
    pub made: NewReferral,
    /// When it was ended early.
    pub ended_at: Option<UtcTime>,
}

impl Referral {
    /// Whether it stands at `now`.
    #[must_use]
    pub fn stands(&self, now: UtcTime) -> bool {
        self.ended_at.is_none() && now < self.made.ends_at
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let made = NewReferral {
            id: row.get("id")?,
            resident: row.get("resident")?,
            visit: row.get("visit")?,
            institution: row.get("institution")?,
            recipient: row.get("recipient")?,
            identity: row.get("identity")?,
            made_at: row.get::<_, Micros>("made_at")?.0,
            ends_at: row.get::<_, Micros>("ends_at")?.0,
        };
        let ended_at = row.get::<_, Option<Micros>>("ended_at")?.map(|at| at.0);
        Ok(Self { made, ended_at })
    }
}

fn find(db: &Connection, id: ReferralId) -> Result<Option<Referral>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM referral WHERE id = ?1")?;
    Ok(select.query_row([id], Referral::read).optional()?)
}

/// Refuses what rests on a referral that no longer stands.
pub(super) fn check_referral(
    db: &Connection,
    id: ReferralId,
    now: UtcTime,
) -> Result<(), StoreError> {
    match find(db, id)? {
        None => Err(StoreError::NotFound(Record::Referral)),
        Some(referral) if referral.stands(now) => Ok(()),
        Some(_) => Err(StoreError::Conflict(Obstacle::ReferralOver)),
    }
}

impl Store {
    /// Puts a referral on record.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the visit was closed meanwhile.
    pub async fn record_referral(
        &self,
        referral: NewReferral,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let r = referral;
            check_visit(db, r.visit)?;
            db.prepare_cached(
                "INSERT INTO referral VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, NULL)",
            )?
            .execute((
                r.id,
                r.resident,
                r.visit,
                r.institution,
                r.recipient,
                r.identity,
                Micros(r.made_at),
                Micros(r.ends_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// A referral.
    pub async fn referral(&self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// Referrals of a resident from or to an institution, the newest first.
    pub async fn referrals_of(
        &self,
        resident: ResidentId,
        institution: InstitutionId,
    ) -> Result<Vec<Referral>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM referral WHERE resident = ?1 AND (institution = ?2 OR recipient = ?2)
                 ORDER BY id DESC LIMIT ?3",
            )?;
            let found = select.query_map((resident, institution, MAX_PAGE), Referral::read)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The referral that stands by which one institution sent a resident to another.
    pub async fn referral_between(
        &self,
        resident: ResidentId,
        from: InstitutionId,
        to: InstitutionId,
        now: UtcTime,
    ) -> Result<Option<Referral>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM referral
                 WHERE resident = ?1 AND recipient = ?2 AND institution = ?3 AND ended_at IS NULL AND ends_at > ?4
                 ORDER BY ends_at DESC LIMIT 1",
            )?;
            Ok(select.query_row((resident, to, from, Micros(now)), Referral::read).optional()?)
        })
        .await
    }

    /// Ends a referral, and with it what rests on it. [`Change::None`] when it is over.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_referral_ended(
        &self,
        id: ReferralId,
        by: IdentityId,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let referral = find(db, id)?.ok_or(StoreError::NotFound(Record::Referral))?;
            if !referral.stands(at) {
                return Ok(Found::Same(()));
            }
            db.prepare_cached("UPDATE referral SET ended_at = ?2, ended_by = ?3 WHERE id = ?1")?
                .execute((id, Micros(at), by))?;
            Ok(Found::Changed(()))
        })
        .await
    }
}
