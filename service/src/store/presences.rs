//! Presences: a card was in this caller's reader a moment ago, and was read; or a code of an
//! electronic card was shown here, and was good.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, types::FromSqlError};

use super::{
    CardId, ElectronicCardId, NewVisit, Obstacle, PresenceId, Receipt, Record, ResidentId, Store,
    StoreError, cards::check_card, electronic_cards::check_electronic_card, micros::Micros,
    sessions::InSession,
};
use crate::clock::UtcTime;

/// Presences that are over, and are deleted as another is recorded, at most.
const CLEARED: u32 = 32;

/// What stands for the resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A card that proved itself in a reader.
    Card(CardId),
    /// A dynamic code, used here.
    DynamicCode(ElectronicCardId),
    /// A signed code, used here.
    SignedCode(ElectronicCardId),
}

impl Evidence {
    /// The word in the table and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Card(_) => "card",
            Self::DynamicCode(_) => "dynamic-code",
            Self::SignedCode(_) => "signed-code",
        }
    }

    /// The card, when it was one.
    #[must_use]
    pub fn card(self) -> Option<CardId> {
        match self {
            Self::Card(card) => Some(card),
            Self::DynamicCode(_) | Self::SignedCode(_) => None,
        }
    }

    /// The electronic card, when it was a code of one.
    #[must_use]
    pub fn electronic_card(self) -> Option<ElectronicCardId> {
        match self {
            Self::Card(_) => None,
            Self::DynamicCode(card) | Self::SignedCode(card) => Some(card),
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(match row.get_ref("evidence")?.as_str()? {
            "card" => Self::Card(row.get("card")?),
            "dynamic-code" => Self::DynamicCode(row.get("electronic_card")?),
            "signed-code" => Self::SignedCode(row.get("electronic_card")?),
            _ => return Err(FromSqlError::InvalidType.into()),
        })
    }
}

/// One presence of a card, or of somebody with a code.
#[derive(Clone, PartialEq, Eq)]
pub struct Presence {
    /// Its identifier.
    pub id: PresenceId,
    /// What stands for the holder.
    pub evidence: Evidence,
    /// Its holder.
    pub resident: ResidentId,
    /// Digest of the session that read it.
    pub session: [u8; 32],
    /// What the card said, sealed.
    pub sealed_reading: Vec<u8>,
    /// When.
    pub read_at: UtcTime,
    /// When it stops standing for the card.
    pub expires_at: UtcTime,
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presence({}, {:?})", self.id, self.evidence)
    }
}

impl Store {
    /// Records a presence with the entry that says the card was read, and deletes some of those
    /// that are over: each holds a sealed copy of a person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the resident has no such card; [`StoreError::Conflict`] when
    /// the session was closed, or the card is not active.
    pub async fn record_presence(
        &self,
        presence: Presence,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let session = InSession::new(&presence.session, presence.read_at);
        self.record(entry, move |db, _| {
            let p = presence;
            session.check(db)?;
            insert_presence(db, p)
        })
        .await
    }

    /// Whether a card of this resident stands for them in this session, whether or not a visit was
    /// opened with it.
    pub async fn has_presence(
        &self,
        session: [u8; 32],
        resident: ResidentId,
        now: UtcTime,
    ) -> Result<bool, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM presence
                 WHERE resident = ?1 AND session = ?2 AND expires_at > ?3)",
            )?;
            Ok(select.query_row((resident, session, Micros(now)), |row| row.get(0))?)
        })
        .await
    }

    /// The presence as recorded, used or not. One that is over may be gone.
    pub async fn presence(&self, id: PresenceId) -> Result<Option<Presence>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM presence WHERE id = ?1")?;
            let presence = select.query_row([id], |row| {
                Ok(Presence {
                    id,
                    evidence: Evidence::read(row)?,
                    resident: row.get("resident")?,
                    session: row.get("session")?,
                    sealed_reading: row.get("sealed_reading")?,
                    read_at: row.get::<_, Micros>("read_at")?.0,
                    expires_at: row.get::<_, Micros>("expires_at")?.0,
                })
            });
            Ok(presence.optional()?)
        })
        .await
    }
}

/// Within a fact: what stands for this resident is theirs, and active. What ended it first wins.
pub(super) fn check_evidence(
    db: &Connection,
    evidence: Evidence,
    resident: ResidentId,
) -> Result<(), StoreError> {
    match evidence {
        Evidence::Card(card) => check_card(db, card, resident),
        Evidence::DynamicCode(card) | Evidence::SignedCode(card) => {
            check_electronic_card(db, card, resident)
        }
    }
}

/// Within a fact: the presence, in place of some of those that are over.
pub(super) fn insert_presence(db: &Connection, p: Presence) -> Result<(), StoreError> {
    check_evidence(db, p.evidence, p.resident)?;
    db.prepare_cached(
        "DELETE FROM presence WHERE id IN
         (SELECT id FROM presence WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
    )?
    .execute((Micros(p.read_at), CLEARED))?;
    db.prepare_cached("INSERT INTO presence VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL)")?
        .execute((
            p.id,
            p.evidence.as_str(),
            p.evidence.card(),
            p.evidence.electronic_card(),
            p.resident,
            p.session,
            p.sealed_reading,
            Micros(p.read_at),
            Micros(p.expires_at),
        ))?;
    Ok(())
}

/// Within a fact: uses up the presence that a visit rests on.
pub(super) fn use_presence(db: &Connection, visit: &NewVisit) -> Result<(), StoreError> {
    let presence: Option<(bool, Micros)> = db
        .prepare_cached(
            "SELECT used_at IS NOT NULL, expires_at FROM presence
             WHERE id = ?1 AND session = ?2 AND resident = ?3
             AND evidence = ?4 AND card IS ?5 AND electronic_card IS ?6",
        )?
        .query_row(
            (
                visit.presence,
                visit.session,
                visit.resident,
                visit.evidence.as_str(),
                visit.evidence.card(),
                visit.evidence.electronic_card(),
            ),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match presence {
        None => return Err(StoreError::NotFound(Record::Presence)),
        Some((true, _)) => return Err(StoreError::Conflict(Obstacle::PresenceUsed)),
        Some((_, expires)) if expires.0 <= visit.opened_at => {
            return Err(StoreError::Conflict(Obstacle::PresenceOver));
        }
        Some(_) => {}
    }
    db.prepare_cached("UPDATE presence SET used_at = ?2 WHERE id = ?1")?
        .execute((visit.presence, Micros(visit.opened_at)))?;
    Ok(())
}
