//! Certificates that take the place of others before those end: the same holder, the same key.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _};

use super::{
    CertificateDraft, Obstacle, Receipt, Record, Store, StoreError,
    certificates::{Relations, SUPERSEDED, insert_draft},
    micros::Micros,
};

/// A certificate that is about to be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalDraft {
    /// Serial number of the one in force, hexadecimal.
    pub renews: String,
    /// The next.
    pub draft: CertificateDraft,
}

impl Store {
    /// Records what is about to be signed to renew a signing certificate, and the encryption certificate
    /// that makes a pair with it if there is one; its key stays in use for as long.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for what is not on record; [`StoreError::Conflict`] for one that is not in
    /// force or is for another holder or key; [`StoreError::Duplicate`] for one that was renewed before, or
    /// a serial number that was used.
    pub async fn record_renewal_draft(
        &self,
        signing: RenewalDraft,
        encryption: Option<RenewalDraft>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let serial = signing.draft.serial.clone();
            renew(db, signing, None)?;
            let Some(encryption) = encryption else { return Ok(()) };
            db.prepare_cached(
                "UPDATE escrowed_key SET until = max(until, ?2)
                 WHERE key_digest = ?1 AND state = 'in-use'",
            )?
            .execute((encryption.draft.key_digest, Micros(encryption.draft.not_after)))?;
            renew(db, encryption, Some(&serial))
        })
        .await
    }
}

fn renew(db: &Connection, next: RenewalDraft, pair_of: Option<&str>) -> Result<(), StoreError> {
    let RenewalDraft { renews, draft } = next;
    let goes_on: Option<bool> = db
        .prepare_cached(
            "SELECT der IS NOT NULL AND revoked_at IS NULL AND not_after >= ?2
                AND identity IS ?3 AND key_digest = ?4
             FROM certificate WHERE serial = ?1",
        )?
        .query_row((&renews, Micros(draft.drafted_at), draft.identity, draft.key_digest), |row| {
            row.get(0)
        })
        .optional()?;
    match goes_on {
        None => Err(StoreError::NotFound(Record::Certificate)),
        Some(false) => Err(StoreError::Conflict(Obstacle::CertificateNotValid)),
        Some(true) => {
            // One that was never signed, as far as is known, does not stand in the way for ever.
            db.prepare_cached(
                "UPDATE certificate SET revoked_at = ?2, revocation_reason = ?3
                 WHERE renews = ?1 AND der IS NULL AND revoked_at IS NULL",
            )?
            .execute((&renews, Micros(draft.drafted_at), SUPERSEDED))?;
            insert_draft(db, draft, Relations { pair_of, renews: Some(&renews) })
        }
    }
}
