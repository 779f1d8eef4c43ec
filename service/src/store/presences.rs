//! Presences: a card was in this caller's reader a moment ago, and was read.

use audit::Entry;
use rusqlite::OptionalExtension as _;

use super::{CardId, PresenceId, Receipt, ResidentId, Store, StoreError, micros::Micros};
use crate::clock::UtcTime;

/// One presence of a card.
#[derive(Clone, PartialEq, Eq)]
pub struct Presence {
    /// Its identifier.
    pub id: PresenceId,
    /// The card.
    pub card: CardId,
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
        write!(f, "Presence({}, {:?})", self.id, self.card)
    }
}

impl Store {
    /// Records a presence with the entry that says the card was read.
    pub async fn record_presence(
        &self,
        presence: Presence,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let p = presence;
            db.prepare_cached("INSERT INTO presence VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute((
                    p.id,
                    p.card,
                    p.resident,
                    p.session,
                    p.sealed_reading,
                    Micros(p.read_at),
                    Micros(p.expires_at),
                ))?;
            Ok(())
        })
        .await
    }

    /// The presence as recorded, over or not.
    pub async fn presence(&self, id: PresenceId) -> Result<Option<Presence>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM presence WHERE id = ?1")?;
            let presence = select.query_row([id], |row| {
                Ok(Presence {
                    id,
                    card: row.get("card")?,
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
