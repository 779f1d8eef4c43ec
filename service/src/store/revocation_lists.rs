//! What revocation lists say, and the newest of them.

use std::collections::BTreeMap;

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{Obstacle, Receipt, Store, StoreError, micros::Micros};
use crate::clock::UtcTime;

/// A line of a revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedSerial {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// When.
    pub revoked_at: UtcTime,
    /// Why (RFC 5280, 5.3.1).
    pub reason: u32,
}

/// Which list: of whose certificates, and of all of them or of those of one range of serial numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPart {
    /// Name of the authority.
    pub issuer: String,
    /// The octet that the serial numbers begin with, hexadecimal; `None` for all of them.
    pub range: Option<String>,
}

/// What the next lists of a part say, read in one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// What is revoked or suspended, by serial number.
    pub revoked: Vec<RevokedSerial>,
    /// How many changes there were ever, of all authorities.
    pub changes: u64,
    /// Number of the oldest list that somebody may still hold, with the serial numbers of what has
    /// changed since; `None` when there is no such list, or too much has changed.
    pub since: Option<(u64, Vec<String>)>,
}

/// Revocation lists of one part that were made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationLists {
    /// What they are about.
    pub part: ListPart,
    /// Their number (RFC 5280, 5.2.3): each authority counts through all its lists.
    pub number: u64,
    /// The complete list, DER.
    pub complete: Vec<u8>,
    /// What has changed since an earlier one, DER.
    pub delta: Option<Vec<u8>>,
}

/// Most changes that are told apart from the complete list.
const MOST_CHANGES: usize = 10_000;

impl ListPart {
    fn key(&self) -> (&str, &str) {
        (&self.issuer, self.range.as_deref().unwrap_or_default())
    }

    /// First serial number of the part, and the first after it: texts are compared by octets, and
    /// no digit comes after `f`.
    fn bounds(&self) -> (String, String) {
        let first = self.range.clone().unwrap_or_default();
        let last = format!("{first}g");
        (first, last)
    }
}

impl Store {
    /// How many certificates of an authority are revoked or suspended.
    pub async fn count_revoked(&self, issuer: &str) -> Result<usize, StoreError> {
        let issuer = issuer.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT count(*) FROM certificate WHERE issuer = ?1 AND revoked_at IS NOT NULL",
            )?;
            Ok(select.query_row([issuer], |row| row.get(0))?)
        })
        .await
    }

    /// These certificates by the names of the authorities that issued them.
    pub async fn by_issuer(
        &self,
        serials: &[String],
    ) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        let serials = serials.to_vec();
        self.read(move |db| {
            let mut select =
                db.prepare_cached("SELECT issuer FROM certificate WHERE serial = ?1")?;
            let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for serial in serials {
                let issuer = select.query_row([&serial], |row| row.get(0)).optional()?;
                if let Some(issuer) = issuer {
                    found.entry(issuer).or_default().push(serial);
                }
            }
            Ok(found)
        })
        .await
    }

    /// What the next lists of a part say.
    pub async fn revocations(
        &self,
        part: &ListPart,
        now: UtcTime,
    ) -> Result<Revocations, StoreError> {
        let part = part.clone();
        self.read(move |db| {
            // One moment for all of it.
            let db = db.unchecked_transaction()?;
            let changes = db
                .prepare_cached(
                    "SELECT seq FROM sqlite_sequence WHERE name = 'certificate_change'",
                )?
                .query_row([], |row| row.get(0))
                .optional()?
                .unwrap_or_default();
            let revoked = revoked(&db, &part)?;
            Ok(Revocations { revoked, changes, since: since(&db, &part, now)? })
        })
        .await
    }

    /// Records lists that were made together; only the newest of a part stay.
    ///
    /// `changes` is how many were known when they were made, and `next_update` when nobody relies on
    /// them any more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when one of this number or a greater one is on record.
    pub async fn record_revocation_lists(
        &self,
        lists: RevocationLists,
        changes: u64,
        (now, next_update): (UtcTime, UtcTime),
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let (issuer, range) = lists.part.key();
            if last_number(db, issuer)?.is_some_and(|last| last >= lists.number) {
                return Err(StoreError::Conflict(Obstacle::OlderRevocationList));
            }
            db.prepare_cached(
                "INSERT INTO revocation_list (issuer, range, number, complete, delta)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (issuer, range) DO UPDATE SET
                 number = excluded.number, complete = excluded.complete, delta = excluded.delta",
            )?
            .execute((issuer, range, lists.number, &lists.complete, &lists.delta))?;
            db.prepare_cached(
                "INSERT INTO revocation_list_base (issuer, range, number, next_update, changes)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((issuer, range, lists.number, Micros(next_update), changes))?;
            // Nobody builds on a list that is over, nor asks what changed before all that are not.
            db.prepare_cached("DELETE FROM revocation_list_base WHERE next_update <= ?1")?
                .execute([Micros(now)])?;
            db.prepare_cached(
                "DELETE FROM certificate_change
                 WHERE id <= (SELECT min(changes) FROM revocation_list_base)",
            )?
            .execute([])?;
            Ok(())
        })
        .await
    }

    /// Number of the newest list of an authority, whatever it is about.
    pub async fn last_list_number(&self, issuer: &str) -> Result<Option<u64>, StoreError> {
        let issuer = issuer.to_owned();
        self.read(move |db| Ok(last_number(db, &issuer)?)).await
    }

    /// The newest lists of all authorities.
    pub async fn revocation_lists(&self) -> Result<Vec<RevocationLists>, StoreError> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT * FROM revocation_list ORDER BY issuer, range")?;
            let rows = select.query_map([], RevocationLists::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Records an address below which certificates say that their lists are.
    pub async fn record_list_address(
        &self,
        url: &str,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let url = url.to_owned();
        self.record(entry, move |db, _| {
            db.prepare_cached("INSERT OR IGNORE INTO list_address (url) VALUES (?1)")?
                .execute([url])?;
            // From now on lists of ranges are about more addresses; a delta list builds on one about the same.
            db.prepare_cached("DELETE FROM revocation_list_base WHERE range <> ''")?.execute([])?;
            Ok(())
        })
        .await
    }

    /// All addresses below which a certificate may say that its list is, the first first.
    pub async fn list_addresses(&self) -> Result<Vec<String>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT url FROM list_address ORDER BY rowid")?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

impl RevocationLists {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let range: String = row.get("range")?;
        let range = Some(range).filter(|range| !range.is_empty());
        Ok(Self {
            part: ListPart { issuer: row.get("issuer")?, range },
            number: row.get("number")?,
            complete: row.get("complete")?,
            delta: row.get("delta")?,
        })
    }
}

fn last_number(db: &Connection, issuer: &str) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT max(number) FROM revocation_list WHERE issuer = ?1")?
        .query_row([issuer], |row| row.get(0))
}

fn revoked(db: &Connection, part: &ListPart) -> rusqlite::Result<Vec<RevokedSerial>> {
    let (first, last) = part.bounds();
    let mut select = db.prepare_cached(
        "SELECT serial, revoked_at, revocation_reason FROM certificate
         WHERE issuer = ?1 AND serial >= ?2 AND serial < ?3 AND revoked_at IS NOT NULL
         ORDER BY serial",
    )?;
    let rows = select.query_map((&part.issuer, first, last), |row| {
        Ok(RevokedSerial {
            serial: row.get(0)?,
            revoked_at: row.get::<_, Micros>(1)?.0,
            reason: row.get(2)?,
        })
    })?;
    rows.collect()
}

fn since(
    db: &Connection,
    part: &ListPart,
    now: UtcTime,
) -> rusqlite::Result<Option<(u64, Vec<String>)>> {
    let (issuer, range) = part.key();
    let base: Option<(u64, u64)> = db
        .prepare_cached(
            "SELECT number, changes FROM revocation_list_base
             WHERE issuer = ?1 AND range = ?2 AND next_update > ?3 ORDER BY number LIMIT 1",
        )?
        .query_row((issuer, range, Micros(now)), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, known)) = base else { return Ok(None) };
    let (first, last) = part.bounds();
    let mut select = db.prepare_cached(
        "SELECT DISTINCT serial FROM certificate_change
         WHERE issuer = ?1 AND id > ?2 AND serial >= ?3 AND serial < ?4 LIMIT ?5",
    )?;
    let changed = select
        .query_map((issuer, known, first, last, MOST_CHANGES + 1), |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((changed.len() <= MOST_CHANGES).then_some((number, changed)))
}
