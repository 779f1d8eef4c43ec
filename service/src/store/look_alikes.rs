//! Residents who look like one, and what staff decided about them.

use std::collections::BTreeSet;

use audit::Entry;
use rusqlite::{Connection, Row};

use super::{
    DecisionId, IdentityId, InstitutionId, Obstacle, Receipt, Resident, ResidentId, Store,
    StoreError, micros::Micros,
};
use crate::{
    clock::UtcTime,
    likeness::{Rule, Verdict},
};

/// Most candidates that are brought up at once: the earliest on record.
const MOST_CANDIDATES: u32 = 100;
/// Most decisions about a resident that are read: the newest.
const MOST_DECISIONS: u32 = 100;

/// By what a resident is compared with others: a keyed digest for each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// The rule.
    pub rule: Rule,
    /// Keyed digest of what the rule compares.
    pub digest: [u8; 32],
}

/// Another resident who looks like the one in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookAlike {
    /// The other.
    pub resident: ResidentId,
    /// Who registered the other.
    pub institution: InstitutionId,
    /// Why they look alike.
    pub rule: Rule,
}

/// A decision about residents who look alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its identifier.
    pub id: DecisionId,
    /// Whom it is about.
    pub resident: ResidentId,
    /// What was decided.
    pub verdict: Verdict,
    /// The others it was decided about.
    pub candidates: Vec<LookAlike>,
    /// Where.
    pub institution: InstitutionId,
    /// Who decided.
    pub identity: IdentityId,
    /// On what grounds, sealed under the resident's data key.
    pub sealed_grounds: Vec<u8>,
    /// When.
    pub decided_at: UtcTime,
}

impl Store {
    /// Residents with one of these likenesses, the earliest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn look_alikes(
        &self,
        likenesses: Vec<Likeness>,
    ) -> Result<Vec<LookAlike>, StoreError> {
        self.read(move |db| {
            let mut found = BTreeSet::new();
            let mut select = db.prepare_cached(
                "SELECT likeness.resident, resident.institution, rule FROM likeness
                 JOIN resident ON resident.id = likeness.resident
                 WHERE digest = ?1 ORDER BY likeness.resident LIMIT ?2",
            )?;
            for likeness in likenesses {
                let rows = select.query_map((likeness.digest, MOST_CANDIDATES), read)?;
                for row in rows {
                    found.insert(row?);
                }
            }
            Ok(found.into_iter().take(MOST_CANDIDATES as usize).collect())
        })
        .await
    }

    /// Residents who look like this one, or have this number as well, and whom nobody told apart
    /// from this one yet.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn look_alikes_of(
        &self,
        resident: ResidentId,
        number_index: [u8; 32],
    ) -> Result<Vec<LookAlike>, StoreError> {
        self.read(move |db| undecided(db, resident, Some(number_index))).await
    }

    /// Records that staff took two for the same person, and nothing else was done.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when somebody in it is not on record.
    pub async fn record_decision(
        &self,
        decision: Decision,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| insert_decision(db, &decision)).await
    }

    /// Decisions about this resident, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn decisions(&self, resident: ResidentId) -> Result<Vec<Decision>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM decision WHERE resident = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let rows = select.query_map((resident, MOST_DECISIONS), |row| {
                Ok(Decision {
                    id: row.get("id")?,
                    resident: row.get("resident")?,
                    verdict: row.get("verdict")?,
                    candidates: Vec::new(),
                    institution: row.get("institution")?,
                    identity: row.get("identity")?,
                    sealed_grounds: row.get("sealed_grounds")?,
                    decided_at: row.get::<_, Micros>("decided_at")?.0,
                })
            })?;
            let mut decisions = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut select = db.prepare_cached(
                "SELECT candidate.resident, resident.institution, rule FROM candidate
                 JOIN resident ON resident.id = candidate.resident
                 WHERE decision = ?1 ORDER BY candidate.resident, rule",
            )?;
            for decision in &mut decisions {
                decision.candidates =
                    select.query_map([decision.id], read)?.collect::<rusqlite::Result<_>>()?;
            }
            Ok(decisions)
        })
        .await
    }

    /// Residents on record since before they were compared, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn unlikened(&self, limit: u32) -> Result<Vec<Resident>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT resident.* FROM unlikened JOIN resident ON resident.id = unlikened.resident
                 ORDER BY resident.id LIMIT ?1",
            )?;
            Ok(select.query_map([limit], Resident::read)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Records by what residents of before are compared.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of them is not on record.
    pub async fn record_likenesses(
        &self,
        residents: Vec<(ResidentId, Vec<Likeness>)>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let mut done = db.prepare_cached("DELETE FROM unlikened WHERE resident = ?1")?;
            for (resident, likenesses) in residents {
                insert_likenesses(db, resident, &likenesses)?;
                done.execute([resident])?;
            }
            Ok(())
        })
        .await
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<LookAlike> {
    Ok(LookAlike { resident: row.get(0)?, institution: row.get(1)?, rule: row.get(2)? })
}

/// Within a fact: by what a resident is compared with those who come later.
pub(super) fn insert_likenesses(
    db: &Connection,
    resident: ResidentId,
    likenesses: &[Likeness],
) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached("INSERT INTO likeness VALUES (?1, ?2, ?3)")?;
    for likeness in likenesses {
        insert.execute((resident, likeness.rule, likeness.digest))?;
    }
    Ok(())
}

/// Within a fact: whoever looks like this resident was decided about, now or before. The decision,
/// if there is one, is put on record.
pub(super) fn settle_look_alikes(
    db: &Connection,
    resident: ResidentId,
    number_index: Option<[u8; 32]>,
    decision: Option<&Decision>,
) -> Result<(), StoreError> {
    let decided = decision.map(|decision| decision.candidates.as_slice()).unwrap_or_default();
    if undecided(db, resident, number_index)?.iter().any(|other| !decided.contains(other)) {
        return Err(StoreError::Conflict(Obstacle::LookAlike));
    }
    decision.map_or(Ok(()), |decision| insert_decision(db, decision))
}

/// Residents who look like this one and were never told apart from this one, and all who have this
/// number: that is asked for each number anew. The earliest first.
fn undecided(
    db: &Connection,
    resident: ResidentId,
    number_index: Option<[u8; 32]>,
) -> Result<Vec<LookAlike>, StoreError> {
    let mut found = BTreeSet::new();
    let mut alike = db.prepare_cached(
        "SELECT other.resident, resident.institution, other.rule
         FROM likeness mine
         JOIN likeness other ON other.digest = mine.digest AND other.resident <> mine.resident
         JOIN resident ON resident.id = other.resident
         WHERE mine.resident = ?1 AND NOT EXISTS (
             SELECT 1 FROM candidate JOIN decision ON decision.id = candidate.decision
             WHERE verdict = ?2 AND (
                 (decision.resident = mine.resident AND candidate.resident = other.resident) OR
                 (decision.resident = other.resident AND candidate.resident = mine.resident)))
         ORDER BY other.resident, other.rule LIMIT ?3",
    )?;
    let rows = alike.query_map((resident, Verdict::DifferentPeople, MOST_CANDIDATES), read)?;
    for row in rows {
        found.insert(row?);
    }
    let mut bound = db.prepare_cached(
        "SELECT binding.resident, resident.institution, ?3 FROM binding
         JOIN resident ON resident.id = binding.resident
         WHERE number_index = ?1 AND ended_at IS NULL AND binding.resident <> ?2
         ORDER BY binding.resident LIMIT ?4",
    )?;
    if let Some(index) = number_index {
        let rows = bound.query_map((index, resident, Rule::Number, MOST_CANDIDATES), read)?;
        for row in rows {
            found.insert(row?);
        }
    }
    Ok(found.into_iter().take(MOST_CANDIDATES as usize).collect())
}

fn insert_decision(db: &Connection, decision: &Decision) -> Result<(), StoreError> {
    let d = decision;
    db.prepare_cached("INSERT INTO decision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute((
        d.id,
        d.resident,
        d.verdict,
        d.institution,
        d.identity,
        &d.sealed_grounds,
        Micros(d.decided_at),
    ))?;
    let mut insert = db.prepare_cached("INSERT INTO candidate VALUES (?1, ?2, ?3)")?;
    for other in &d.candidates {
        insert.execute((d.id, other.resident, other.rule))?;
    }
    Ok(())
}
