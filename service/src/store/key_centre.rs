//! Encryption key pairs that the key management centre (密钥管理中心) holds: made ahead (备用), in use (在用), or past
//! it (历史). What is secret of them comes here sealed.

use audit::Entry;
use rusqlite::{Connection, Row, types::FromSqlError};

use super::{
    CertificateDraft, EscrowedKeyId, IdentityId, MAX_PAGE, Obstacle, Receipt, Store, StoreError,
    certificates::{Relations, insert_draft, sign_draft},
    facts::Found,
    micros::Micros,
};
use crate::clock::UtcTime;

/// A key pair to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEscrowedKey {
    /// Its identifier, to which it is sealed.
    pub id: EscrowedKeyId,
    /// SM3 of the public key.
    pub key_digest: [u8; 32],
    /// The public key: a point, uncompressed.
    pub public_key: Vec<u8>,
    /// The secret key, sealed.
    pub sealed: Vec<u8>,
}

/// Which of the centre's stores a key pair is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStore {
    /// Made ahead, and nobody's (备用库).
    Spare,
    /// Somebody's, who has a certificate for it (在用库).
    InUse,
    /// Somebody's, whose certificates for it are over or revoked (历史库).
    History,
}

impl KeyStore {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "spare" => Some(Self::Spare),
            "in-use" => Some(Self::InUse),
            "history" => Some(Self::History),
            _ => None,
        }
    }
}

/// A key pair that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscrowedKey {
    /// The pair.
    pub pair: NewEscrowedKey,
    /// Where it is.
    pub store: KeyStore,
    /// Whose it is; nobody's while it is spare.
    pub holder: Option<IdentityId>,
    /// When it was taken from the spare ones.
    pub taken_at: Option<UtcTime>,
    /// When it went into the history.
    pub ended_at: Option<UtcTime>,
}

impl EscrowedKey {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let unknown = || rusqlite::Error::from(FromSqlError::InvalidType);
        Ok(Self {
            pair: NewEscrowedKey {
                id: row.get("id")?,
                key_digest: row.get("key_digest")?,
                public_key: row.get("public_key")?,
                sealed: row.get("sealed")?,
            },
            store: KeyStore::from_word(&row.get::<_, String>("state")?).ok_or_else(unknown)?,
            holder: row.get("holder")?,
            taken_at: row.get::<_, Option<Micros>>("taken_at")?.map(|at| at.0),
            ended_at: row.get::<_, Option<Micros>>("ended_at")?.map(|at| at.0),
        })
    }
}

/// How many key pairs each store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// Made ahead.
    pub spare: u64,
    /// In use.
    pub in_use: u64,
    /// Past use.
    pub history: u64,
}

/// The drafts of a certificate pair, for one holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairDraft {
    /// Whom both are for.
    pub holder: IdentityId,
    /// The signing certificate, for a key that the holder made.
    pub signing: CertificateDraft,
    /// The encryption certificate.
    pub encryption: CertificateDraft,
    /// The spare key pair that it is for.
    pub key: EscrowedKeyId,
}

/// A certificate that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDraft {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// The certificate, DER.
    pub der: Vec<u8>,
}

impl Store {
    /// Puts key pairs among the spare ones.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] for one that is held already.
    pub async fn record_spare_keys(
        &self,
        keys: Vec<NewEscrowedKey>,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let mut insert = db.prepare_cached(
                "INSERT INTO escrowed_key (id, key_digest, public_key, sealed, state, made_at)
                 VALUES (?1, ?2, ?3, ?4, 'spare', ?5)",
            )?;
            for key in keys {
                let NewEscrowedKey { id, key_digest, public_key, sealed } = key;
                insert.execute((id, key_digest, public_key, sealed, Micros(at)))?;
            }
            Ok(())
        })
        .await
    }

    /// Records certificates that were signed together: all, or none.
    ///
    /// # Errors
    /// As for [`record_certificate_signed`](Self::record_certificate_signed).
    pub async fn record_all_signed(
        &self,
        signed: Vec<SignedDraft>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, position| {
            let mut signed = signed.into_iter();
            signed.try_for_each(|signed| sign_draft(db, &signed.serial, &signed.der, position))
        })
        .await
    }

    /// Puts the key pairs into the history whose certificates are over; how many. Nothing is appended
    /// where there is none.
    pub async fn record_keys_past(&self, now: UtcTime, entry: Entry) -> Result<usize, StoreError> {
        let past = move |db: &Connection, _| {
            let moved = db
                .prepare_cached(
                    "UPDATE escrowed_key SET state = 'history', ended_at = ?1
                     WHERE state = 'in-use' AND until < ?1",
                )?
                .execute([Micros(now)])?;
            Ok(if moved > 0 { Found::Changed(moved) } else { Found::Same(0) })
        };
        Ok(self.submit(&entry, past).await?.0)
    }

    /// Spare key pairs in the order they were made, those after `after`, at most `limit` (and
    /// [`MAX_PAGE`]).
    pub async fn spare_keys(
        &self,
        after: Option<EscrowedKeyId>,
        limit: u32,
    ) -> Result<Vec<EscrowedKey>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM escrowed_key WHERE state = 'spare' AND id > coalesce(?1, '')
                 ORDER BY id LIMIT ?2",
            )?;
            let rows = select.query_map((after, limit.min(MAX_PAGE)), EscrowedKey::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// How many key pairs each store has.
    pub async fn key_counts(&self) -> Result<KeyCounts, StoreError> {
        self.read(|db| {
            let mut counts = KeyCounts::default();
            let mut select =
                db.prepare_cached("SELECT state, count(*) FROM escrowed_key GROUP BY state")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let count = row.get(1)?;
                match KeyStore::from_word(&row.get::<_, String>(0)?) {
                    Some(KeyStore::Spare) => counts.spare = count,
                    Some(KeyStore::InUse) => counts.in_use = count,
                    Some(KeyStore::History) => counts.history = count,
                    None => return Err(StoreError::Damaged("a store of keys".to_owned())),
                }
            }
            Ok(counts)
        })
        .await
    }
}

/// Within a fact: records what is about to be signed for a pair, and takes the spare key pair into use.
pub(super) fn insert_pair_draft(db: &Connection, pair: PairDraft) -> Result<(), StoreError> {
    let PairDraft { holder, signing, encryption, key } = pair;
    let (at, until) = (Micros(encryption.drafted_at), Micros(encryption.not_after));
    let taken = db
        .prepare_cached(
            "UPDATE escrowed_key SET state = 'in-use', holder = ?2, taken_at = ?3, until = ?4
             WHERE id = ?1 AND state = 'spare' AND key_digest = ?5",
        )?
        .execute((key, holder, at, until, encryption.key_digest))?;
    if taken != 1 {
        return Err(StoreError::Conflict(Obstacle::KeyNotSpare));
    }
    let signing_serial = signing.serial.clone();
    insert_draft(db, signing, Relations::default())?;
    let pair_of = Some(signing_serial.as_str());
    insert_draft(db, encryption, Relations { pair_of, renews: None })
}

/// Within a fact that revokes certificates: the key pairs that have no other certificate in force go
/// into the history.
pub(super) fn end_keys_of(db: &Connection, serial: &str, at: UtcTime) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE escrowed_key SET state = 'history', ended_at = ?2
         WHERE state = 'in-use'
           AND key_digest IN (SELECT key_digest FROM certificate WHERE serial = ?1 OR pair_of = ?1)
           AND NOT EXISTS (SELECT 1 FROM certificate AS other
                           WHERE other.key_digest = escrowed_key.key_digest
                             AND other.revoked_at IS NULL)",
    )?
    .execute((serial, Micros(at)))?;
    Ok(())
}
