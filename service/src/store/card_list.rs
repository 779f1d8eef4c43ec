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

use super::{CardId, Obstacle, Receipt, Store, StoreError, micros::Micros};
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

/// A card whose state changed since the newest list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedCard {
    /// The card.
    pub id: CardId,
    /// Its chip.
    pub chip_serial: String,
    /// Its state now.
    pub status: CardStatus,
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

    /// Cards whose state changed since the newest list, at most `limit`.
    pub async fn changed_cards(&self, limit: u32) -> Result<Vec<ChangedCard>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT id, chip_serial, status FROM card_list_due JOIN card ON id = card
                 ORDER BY id LIMIT ?1",
            )?;
            let rows = select.query_map([limit], |row| {
                Ok(ChangedCard { id: row.get(0)?, chip_serial: row.get(1)?, status: row.get(2)? })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Records a list with what changes in it since the list `before`, and the cards whose change it
    /// tells. A card whose state has changed again meanwhile waits for the next.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] unless `before` is the newest and the number is greater.
    pub async fn record_card_list(
        &self,
        before: Option<u64>,
        issue: ListIssue,
        changes: Vec<ListChange>,
        told: Vec<ChangedCard>,
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
            let mut done = db.prepare_cached(
                "DELETE FROM card_list_due WHERE card = ?1
                 AND EXISTS (SELECT 1 FROM card WHERE id = ?1 AND status = ?2)",
            )?;
            for card in told {
                done.execute((card.id, card.status))?;
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
