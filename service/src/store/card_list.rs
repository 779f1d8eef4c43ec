//! The signed list of cards that are not to be served: what was issued, and what has changed since.
//!
//! An entry stands in the lists from one number to before another, so that each of the last
//! [`WINDOW`] lists can be told, and the way from it to the newest.

use audit::Entry;
use card::status_list::{self, Listing, Tag};
use rusqlite::{
    OptionalExtension as _, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::{ChipState, Obstacle, Receipt, Store, StoreError, micros::Micros};
use crate::{card_life::CardStatus, clock::UtcTime};

/// Lists that deltas lead from, besides the newest.
const WINDOW: u32 = 4096;

/// A list that was issued, without its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListIssue {
    /// Its number, greater than that of any list before it.
    pub number: u64,
    /// When.
    pub issued_at: UtcTime,
    /// Under which chips are named.
    pub salt: [u8; 16],
    /// Thumbprint of the key that signed it.
    pub key_id: [u8; 32],
    /// r ‖ s.
    pub signature: [u8; 64],
}

/// A chip that something happened to since the newest list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedChip {
    /// Its issuing serial.
    pub serial: String,
    /// What is to be said of it now: by the state of its card, or, when there is none on record, by what
    /// became of the chip while one was made.
    pub listing: Option<Listing>,
}

/// What is to be said of the chips that are due.
const DUE: &str = "SELECT due.chip_serial, card.status, batch_chip.state
     FROM card_list_due AS due
     LEFT JOIN card ON card.chip_serial = due.chip_serial
     LEFT JOIN batch_chip ON batch_chip.chip_serial = due.chip_serial";

impl ChangedChip {
    /// A row of [`DUE`].
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (card, chip): (Option<CardStatus>, Option<ChipState>) = (row.get(1)?, row.get(2)?);
        let listing = match card {
            Some(status) => status.listing(),
            None => chip.and_then(ChipState::listing),
        };
        Ok(Self { serial: row.get(0)?, listing })
    }
}

/// What a list says of a chip, or that it says nothing of it.
pub type ListChange = (Tag, Option<Listing>);

struct StoredTag(Tag);

impl ToSql for StoredTag {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.0.as_slice().into())
    }
}

impl FromSql for StoredTag {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 12]>::column_result(value).map(|tag| Self(Tag(tag)))
    }
}

struct StoredListing(Listing);

impl ToSql for StoredListing {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.code().into())
    }
}

impl FromSql for StoredListing {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Listing::from_code(u8::column_result(value)?).map(Self).ok_or(FromSqlError::InvalidType)
    }
}

impl Store {
    /// The newest list, and its entries.
    pub async fn card_list(
        &self,
    ) -> Result<Option<(ListIssue, Vec<status_list::Entry>)>, StoreError> {
        self.read(|db| {
            // One view of both tables.
            let view = db.unchecked_transaction()?;
            let issue = view
                .prepare_cached("SELECT * FROM card_list ORDER BY number DESC LIMIT 1")?
                .query_row([], |row| {
                    Ok(ListIssue {
                        number: row.get("number")?,
                        issued_at: row.get::<_, Micros>("issued_at")?.0,
                        salt: row.get("salt")?,
                        key_id: row.get("key_id")?,
                        signature: row.get("signature")?,
                    })
                })
                .optional()?;
            let Some(issue) = issue else { return Ok(None) };
            let mut select = view
                .prepare_cached("SELECT tag, listing FROM card_list_entry WHERE until IS NULL")?;
            let entry = |row: &Row<'_>| -> rusqlite::Result<status_list::Entry> {
                let (tag, listing): (StoredTag, StoredListing) = (row.get(0)?, row.get(1)?);
                Ok(status_list::Entry { tag: tag.0, listing: listing.0 })
            };
            let entries = select.query_map([], entry)?.collect::<rusqlite::Result<_>>()?;
            Ok(Some((issue, entries)))
        })
        .await
    }

    /// What list `number` said of the chips that list `later`, or one between them, says something
    /// else of. `None` when that list was never issued, or too long ago.
    pub async fn card_list_before(
        &self,
        number: u64,
        later: u64,
    ) -> Result<Option<Vec<ListChange>>, StoreError> {
        let (Ok(number), Ok(later)) = (i64::try_from(number), i64::try_from(later)) else {
            return Ok(None);
        };
        self.read(move |db| {
            let view = db.unchecked_transaction()?;
            let known: bool = view
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM card_list WHERE number = ?1)")?
                .query_row([number], |row| row.get(0))?;
            if !known {
                return Ok(None);
            }
            let mut select = view.prepare_cached(
                "SELECT tag, max(CASE WHEN since <= ?1 THEN listing END) FROM
                     (SELECT tag, listing, since FROM card_list_entry
                      WHERE since > ?1 AND since <= ?2
                      UNION ALL
                      SELECT tag, listing, since FROM card_list_entry
                      WHERE until > ?1 AND until <= ?2 AND since <= ?1)
                 GROUP BY tag",
            )?;
            let change = |row: &Row<'_>| -> rusqlite::Result<ListChange> {
                let (tag, listing): (StoredTag, Option<StoredListing>) = (row.get(0)?, row.get(1)?);
                Ok((tag.0, listing.map(|listing| listing.0)))
            };
            Ok(Some(select.query_map([number, later], change)?.collect::<rusqlite::Result<_>>()?))
        })
        .await
    }

    /// Chips that something happened to since the newest list, at most `limit`.
    pub async fn changed_chips(&self, limit: u32) -> Result<Vec<ChangedChip>, StoreError> {
        self.read(move |db| {
            let mut select =
                db.prepare_cached(&format!("{DUE} ORDER BY due.chip_serial LIMIT ?1"))?;
            let rows = select.query_map([limit], ChangedChip::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Records a list with what changes in it since the list `before`, and the chips whose change it
    /// tells. One of which something else is to be said meanwhile waits for the next.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] unless `before` is the newest and the number is greater.
    pub async fn record_card_list(
        &self,
        before: Option<u64>,
        issue: ListIssue,
        changes: Vec<ListChange>,
        told: Vec<ChangedChip>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let ListIssue { number, issued_at, salt, key_id, signature } = issue;
            let newest: Option<u64> = db
                .prepare_cached("SELECT max(number) FROM card_list")?
                .query_row([], |row| row.get(0))?;
            if newest != before || newest.is_some_and(|newest| number <= newest) {
                return Err(StoreError::Conflict(Obstacle::OtherCardList));
            }
            db.prepare_cached("INSERT INTO card_list VALUES (?1, ?2, ?3, ?4, ?5)")?.execute((
                number,
                Micros(issued_at),
                salt,
                key_id,
                signature,
            ))?;
            let mut end = db.prepare_cached(
                "UPDATE card_list_entry SET until = ?2 WHERE tag = ?1 AND until IS NULL",
            )?;
            let mut begin =
                db.prepare_cached("INSERT INTO card_list_entry VALUES (?1, ?2, ?3, NULL)")?;
            for (tag, listing) in changes {
                let tag = StoredTag(tag);
                end.execute((&tag, number))?;
                if let Some(listing) = listing {
                    begin.execute((&tag, StoredListing(listing), number))?;
                }
            }
            let mut now = db.prepare_cached(&format!("{DUE} WHERE due.chip_serial = ?1"))?;
            let mut done = db.prepare_cached("DELETE FROM card_list_due WHERE chip_serial = ?1")?;
            for chip in told {
                let now = now.query_row([&chip.serial], ChangedChip::read).optional()?;
                if now.as_ref() == Some(&chip) {
                    done.execute([&chip.serial])?;
                }
            }
            let oldest: Option<u64> = db
                .prepare_cached(
                    "SELECT number FROM card_list ORDER BY number DESC LIMIT 1 OFFSET ?1",
                )?
                .query_row([WINDOW], |row| row.get(0))
                .optional()?;
            if let Some(oldest) = oldest {
                db.prepare_cached("DELETE FROM card_list WHERE number < ?1")?.execute([oldest])?;
                db.prepare_cached("DELETE FROM card_list_entry WHERE until <= ?1")?
                    .execute([oldest])?;
            }
            Ok(())
        })
        .await
    }
}
