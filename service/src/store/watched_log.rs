//! The log as it is looked at for warnings of misuse (监测预警): what people did, and what happened to cards.

use std::{ops::RangeInclusive, path::Path};

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};
use time::Date;

use super::{IdentityId, InstitutionId, Store, StoreError, cards::Day, micros::Micros, schema};
use crate::{
    clock::UtcTime,
    policy::Act,
    warnings::{ACTS, CARD_ACTS, CardBefore, CardUse, Deed, WarningRule},
};

/// Most acts of one person that are looked at again, the newest.
const MOST_DEEDS: u32 = 20_000;
/// Most acts about one resident among which the last use of a card is looked for.
const MOST_CARD_ACTS: u32 = 1000;

/// Whether somebody with this digest of an ID number works at an institution.
const WORKS_AT: &str =
    "SELECT EXISTS (SELECT 1 FROM identity WHERE person = ?1 AND institution = ?2)";
/// All identities of whoever has this one.
const IDENTITIES: &str = "
    SELECT ?1 UNION
    SELECT other.id FROM identity AS one JOIN identity AS other ON other.person = one.person
    WHERE one.id = ?1";

/// A leaf as the rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLeaf {
    /// Its place in the log.
    pub position: u64,
    /// When.
    pub at: UtcTime,
    /// The leaf itself.
    pub entry: Vec<u8>,
}

impl Store {
    /// How far the log was looked at.
    pub async fn watched(&self) -> Result<u64, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT position FROM watched")?;
            Ok(select.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
        })
        .await
    }

    /// Keeps how far the log was looked at.
    pub async fn keep_watched(&self, position: u64) -> Result<(), StoreError> {
        self.move_forward(move |db| {
            db.prepare_cached(
                "INSERT INTO watched VALUES (1, ?1)
                 ON CONFLICT (one) DO UPDATE SET position = excluded.position",
            )?
            .execute([position])?;
            Ok(())
        })
        .await
    }

    /// Leaves with acts that the rules look at, among those from one position up to another.
    pub async fn watched_leaves(&self, from: u64, until: u64) -> Result<Vec<SeenLeaf>, StoreError> {
        self.read(move |db| watched_leaves(db, from, until)).await
    }

    /// What a person did by any of their identities from a time on and no later than another, before a place in the log, as
    /// far as the rules look at it. What is no entry is passed over.
    pub async fn deeds_of(
        &self,
        identity: IdentityId,
        times: RangeInclusive<UtcTime>,
        before: u64,
    ) -> Result<Vec<Deed>, StoreError> {
        self.read(move |db| {
            let select = format!(
                "SELECT position, at, entry FROM leaf INDEXED BY leaf_actor
                 WHERE actor = ?1 AND at >= ?2 AND at <= ?3 AND position < ?4 AND action IN ({})
                 ORDER BY at DESC, position DESC LIMIT ?5",
                list(ACTS)
            );
            let mut select = db.prepare_cached(&select)?;
            let mut deeds = Vec::new();
            for identity in identities_of(db, identity)? {
                let (from, until) = (Micros(*times.start()), Micros(*times.end()));
                let rows = select
                    .query_map((identity, from, until, before, MOST_DEEDS), SeenLeaf::read)?;
                for leaf in rows {
                    deeds.extend(leaf?.deed().map(|(_, deed)| deed));
                }
            }
            deeds.sort_unstable_by_key(|deed| deed.position);
            Ok(deeds)
        })
        .await
    }

    /// The first identity of whoever has this one: of one person it is the same, whichever of theirs is asked about.
    pub async fn person_of(&self, identity: IdentityId) -> Result<IdentityId, StoreError> {
        self.read(move |db| Ok(first_identity(db, identity)?)).await
    }

    /// What happened to a card before it was used here.
    pub async fn card_before(&self, used: CardUse) -> Result<CardBefore, StoreError> {
        self.read(move |db| card_before(db, &used)).await
    }

    /// Whether a member of staff of an institution has this keyed digest of an ID number.
    pub async fn works_at(
        &self,
        person: [u8; 32],
        institution: InstitutionId,
    ) -> Result<bool, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(WORKS_AT)?;
            Ok(select.query_row((person, institution), |row| row.get(0))?)
        })
        .await
    }
}

impl SeenLeaf {
    /// The entry; nothing where the leaf is none.
    #[must_use]
    pub fn entry(&self) -> Option<Entry> {
        Entry::decode(&self.entry).ok()
    }

    /// What a person did, and by which identity.
    #[must_use]
    pub fn deed(&self) -> Option<(IdentityId, Deed)> {
        Deed::read(self.position, self.at, &self.entry()?)
    }

    fn card_use(&self) -> Option<CardUse> {
        CardUse::read(self.position, self.at, &self.entry()?)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { position: row.get(0)?, at: row.get::<_, Micros>(1)?.0, entry: row.get(2)? })
    }
}

/// By their place: the planner would read the whole index of actions.
fn watched() -> String {
    format!(
        "SELECT position, at, entry FROM leaf NOT INDEXED
         WHERE position >= ?1 AND position < ?2 AND action IN ({}) ORDER BY position",
        list(ACTS)
    )
}

fn watched_leaves(db: &Connection, from: u64, until: u64) -> Result<Vec<SeenLeaf>, StoreError> {
    let mut select = db.prepare_cached(&watched())?;
    let found = select.query_map((from, until), SeenLeaf::read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn card_before(db: &Connection, used: &CardUse) -> Result<CardBefore, StoreError> {
    let select = format!(
        "SELECT position, at, entry FROM leaf INDEXED BY leaf_resident
         WHERE resident = ?1 AND position < ?2 AND action IN ({})
         ORDER BY at DESC, position DESC LIMIT ?3",
        list(CARD_ACTS)
    );
    let mut select = db.prepare_cached(&select)?;
    let mut rows = select.query((used.resident, used.position, MOST_CARD_ACTS))?;
    let mut before = CardBefore::default();
    while let Some(row) = rows.next()? {
        let happened = SeenLeaf::read(row)?.card_use();
        if happened.is_some_and(|it| it.card == used.card && before.take(it)) {
            break;
        }
    }
    Ok(before)
}

fn identities_of(db: &Connection, identity: IdentityId) -> rusqlite::Result<Vec<IdentityId>> {
    db.prepare_cached(IDENTITIES)?.query_map([identity], |row| row.get(0))?.collect()
}

fn first_identity(db: &Connection, identity: IdentityId) -> rusqlite::Result<IdentityId> {
    Ok(identities_of(db, identity)?.into_iter().min().unwrap_or(identity))
}

/// Acts as SQL lists them: words of this program.
fn list(acts: &[Act]) -> String {
    let words: Vec<_> = acts.iter().map(|act| format!("'{act}'")).collect();
    words.join(", ")
}

/// A database that a service may have open, read for its warnings and what they were found in. Nothing of it is changed.
#[derive(Debug)]
pub struct WarningLog {
    db: Connection,
    next: u64,
    size: u64,
}

/// Positions that are looked through in one go.
const STRIDE: u64 = 10_000;

impl WarningLog {
    /// That of the database at `path`, from a time on.
    ///
    /// # Errors
    /// [`StoreError`] when there is no database, or it cannot be read.
    pub fn open(path: &Path, from: UtcTime) -> Result<Self, StoreError> {
        let db = schema::open_reader(path)?;
        let size: u64 =
            db.query_row("SELECT coalesce(max(position) + 1, 0) FROM leaf", [], |row| row.get(0))?;
        let first = "SELECT min(position) FROM leaf INDEXED BY leaf_at WHERE at >= ?1";
        let next = db.query_row(first, [Micros(from)], |row| row.get::<_, Option<u64>>(0))?;
        Ok(Self { next: next.unwrap_or(size), size, db })
    }

    /// The next leaves that the rules look at; nothing at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn page(&mut self) -> Result<Option<Vec<SeenLeaf>>, StoreError> {
        if self.next >= self.size {
            return Ok(None);
        }
        let (from, until) = (self.next, self.size.min(self.next + STRIDE));
        self.next = until;
        watched_leaves(&self.db, from, until).map(Some)
    }

    /// What happened to a card before it was used here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn card_before(&self, used: &CardUse) -> Result<CardBefore, StoreError> {
        card_before(&self.db, used)
    }

    /// The first identity of whoever has this one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn person_of(&self, identity: IdentityId) -> Result<IdentityId, StoreError> {
        Ok(first_identity(&self.db, identity)?)
    }

    /// What was raised for days from this one on, by rule, subject and day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn raised(&self, from: Date) -> Result<Vec<(WarningRule, String, Date)>, StoreError> {
        let select = "SELECT rule, subject, day FROM warning WHERE day >= ?1 AND step = 0";
        let mut select = self.db.prepare(select)?;
        let found = select.query_map([Day(from)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Day>(2)?.0))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The log is looked at every second, and has millions of leaves.
    #[test]
    fn leaves_are_found_by_their_place_and_cards_and_people_by_an_index() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        let plan = |select: &str| -> String {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {select}")).unwrap();
            let mut rows = plan.raw_query();
            let mut told = String::new();
            while let Some(row) = rows.next().unwrap() {
                told.push_str(&row.get::<_, String>("detail").unwrap());
                told.push('\n');
            }
            told
        };
        let leaves = plan(&watched());
        assert!(
            leaves.contains("USING INTEGER PRIMARY KEY") && !leaves.contains("TEMP"),
            "{leaves}"
        );
        let colleagues = plan(WORKS_AT);
        assert!(
            colleagues.contains("identity_person") && !colleagues.contains("SCAN identity"),
            "{colleagues}"
        );
        let persons = plan(IDENTITIES);
        assert!(
            persons.contains("identity_person") && !persons.contains("SCAN other"),
            "{persons}"
        );
    }
}
