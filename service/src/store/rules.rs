//! Rules of access that an institution signed, in the order in which the service took them into use.

use std::path::Path;

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{Change, Receipt, Store, StoreError, facts::Found, micros::Micros, schema};
use crate::clock::UtcTime;

/// Rules that are about to be taken into use.
#[derive(Clone, Debug)]
pub struct NewRules {
    /// Their version.
    pub version: u32,
    /// What decisions name them by.
    pub digest: [u8; 32],
    /// Their signed manifest.
    pub manifest: String,
    /// Their texts, in the order of the manifest.
    pub texts: [String; 3],
    /// When.
    pub at: UtcTime,
}

/// Which rules there were, as far as the next ones have to follow them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesRecord {
    /// Version and digest of those with the highest version.
    pub highest: Option<(u32, [u8; 32])>,
    /// Those that were taken into use last.
    pub in_use: RulesInUse,
}

/// Rules that were taken into use last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesInUse {
    /// Those that the service ships with: from the beginning, or since somebody had it go back to them.
    Shipped,
    /// Those of an institution.
    Signed {
        /// Their version.
        version: u32,
        /// What decisions name them by.
        digest: [u8; 32],
        /// Their texts, in the order of the manifest.
        texts: [String; 3],
    },
}

/// Why rules do not follow those on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfTurn {
    /// There were rules of a later version.
    Older {
        /// That version.
        last: u32,
    },
    /// There were other rules of the same version.
    OtherTexts,
}

/// What became of rules that were to be taken into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// They are in use from now on.
    Recorded(Receipt),
    /// They were in use before: nothing was appended.
    Before,
    /// They are not taken: nothing was appended.
    Refused(OutOfTurn),
}

impl RulesRecord {
    /// Whether rules of this version may be used.
    ///
    /// # Errors
    /// [`OutOfTurn`].
    pub fn admit(&self, version: u32, digest: &[u8; 32]) -> Result<(), OutOfTurn> {
        match self.highest {
            Some((last, _)) if version < last => Err(OutOfTurn::Older { last }),
            Some((last, known)) if version == last && known != *digest => {
                Err(OutOfTurn::OtherTexts)
            }
            _ => Ok(()),
        }
    }

    /// Whether these are the rules that were taken into use last.
    #[must_use]
    pub fn uses(&self, of: u32) -> bool {
        matches!(self.in_use, RulesInUse::Signed { version, .. } if version == of)
    }

    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let highest = db
            .prepare_cached(
                "SELECT version, digest FROM rules WHERE version IS NOT NULL
                 ORDER BY version DESC, id DESC LIMIT 1",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let in_use = db
            .prepare_cached(
                "SELECT version, digest, rules, access, cases FROM rules ORDER BY id DESC LIMIT 1",
            )?
            .query_row([], in_use)
            .optional()?;
        Ok(Self { highest, in_use: in_use.unwrap_or(RulesInUse::Shipped) })
    }

    /// The record of a database that a service may have open. Nothing of it is changed.
    ///
    /// # Errors
    /// [`StoreError`] when there is no database, or it cannot be read.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let db = schema::open_reader(path)?;
        match are_kept(&db)? {
            true => Ok(Self::read(&db)?),
            false => Ok(Self { highest: None, in_use: RulesInUse::Shipped }),
        }
    }
}

/// Whether rules are on record at all: not in a database that no service of this version opened yet.
pub(super) fn are_kept(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'rules'")?
        .exists([])
}

fn in_use(row: &Row<'_>) -> rusqlite::Result<RulesInUse> {
    let Some(version) = row.get(0)? else { return Ok(RulesInUse::Shipped) };
    let texts = [row.get(2)?, row.get(3)?, row.get(4)?];
    Ok(RulesInUse::Signed { version, digest: row.get(1)?, texts })
}

impl Store {
    /// Which rules there were.
    pub async fn rules(&self) -> Result<RulesRecord, StoreError> {
        self.read(|db| Ok(RulesRecord::read(db)?)).await
    }

    /// Takes rules into use, unless they do not follow those on record.
    pub async fn record_rules_taken(
        &self,
        rules: NewRules,
        entry: Entry,
    ) -> Result<Taken, StoreError> {
        let (refused, receipt) = self
            .submit(&entry, move |db, _| {
                let record = RulesRecord::read(db)?;
                let NewRules { version, digest, manifest, texts: [rules, access, cases], at } =
                    rules;
                if let Err(refused) = record.admit(version, &digest) {
                    return Ok(Found::Same(Some(refused)));
                }
                if record.uses(version) {
                    return Ok(Found::Same(None));
                }
                db.prepare_cached(
                    "INSERT INTO rules (taken_at, version, digest, manifest, rules, access, cases)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute((
                    Micros(at),
                    version,
                    digest,
                    manifest,
                    rules,
                    access,
                    cases,
                ))?;
                Ok(Found::Changed(None))
            })
            .await?;
        Ok(match (receipt, refused) {
            (Some(receipt), _) => Taken::Recorded(receipt),
            (None, Some(refused)) => Taken::Refused(refused),
            (None, None) => Taken::Before,
        })
    }

    /// Goes back to the rules that the service ships with. Rules that are signed from now on still follow those of
    /// before.
    pub async fn record_rules_shipped(
        &self,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            if RulesRecord::read(db)?.in_use == RulesInUse::Shipped {
                return Ok(Found::Same(()));
            }
            db.prepare_cached("INSERT INTO rules (taken_at) VALUES (?1)")?.execute([Micros(at)])?;
            Ok(Found::Changed(()))
        })
        .await
    }
}
