//! Which row is whose turn: the part of a batch that has to be quick, kept in memory and rebuilt
//! from the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use card::layout::Profile;
use hsm::sm4::Sm4Key;

use crate::{
    clock::UtcTime,
    store::{Batch, BatchId, BatchRow, InstitutionId, RowState},
};

/// One open batch.
pub(super) struct Floor {
    pub(super) batch: BatchId,
    pub(super) institution: InstitutionId,
    pub(super) rows: u32,
    /// What its cards have room for, unless a row says so itself.
    pub(super) profile: Profile,
    pub(super) opened_at: UtcTime,
    /// Under which its rows are sealed.
    pub(super) key: Sm4Key,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    waiting: BTreeSet<u32>,
    /// Rows that were begun, and on which chip.
    writing: BTreeMap<u32, [u8; 8]>,
    /// Rows that somebody is at now.
    busy: BTreeSet<u32>,
    /// Nobody gets a row any more.
    shut: bool,
}

/// A row that is somebody's until this is dropped.
pub(super) struct Turn {
    floor: Arc<Floor>,
    pub(super) row: u32,
    /// The chip that the row was begun on before.
    pub(super) begun_on: Option<[u8; 8]>,
}

impl Floor {
    pub(super) fn new(batch: &Batch, key: Sm4Key, rows: &[BatchRow]) -> Self {
        let mut turns = Turns::default();
        for row in rows {
            match (row.state, row.factor) {
                (RowState::Waiting, _) => {
                    turns.waiting.insert(row.number);
                }
                (RowState::Writing, Some(factor)) => {
                    turns.writing.insert(row.number, factor);
                }
                _ => {}
            }
        }
        Self {
            batch: batch.id,
            institution: batch.institution,
            rows: batch.rows,
            profile: batch.profile,
            opened_at: batch.opened_at,
            key,
            turns: Mutex::new(turns),
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows that are ready for cards.
    pub(super) fn add(&self, rows: impl IntoIterator<Item = u32>) {
        self.turns().waiting.extend(rows);
    }

    /// From now on nobody gets a row; refused while somebody is at one.
    pub(super) fn shut(&self) -> bool {
        let mut turns = self.turns();
        turns.shut = turns.busy.is_empty();
        turns.shut
    }

    /// Takes [`shut`](Self::shut) back.
    pub(super) fn reopen(&self) {
        self.turns().shut = false;
    }

    /// A row for the chip: its own when it was begun for one; else the named row, or the first that
    /// waits, or one that was begun on a chip that did not come back.
    pub(super) fn take(self: &Arc<Self>, factor: [u8; 8], named: Option<u32>) -> Option<Turn> {
        let mut turns = self.turns();
        if turns.shut {
            return None;
        }
        let own = turns.writing.iter().find(|(_, chip)| **chip == factor).map(|(row, _)| *row);
        let row = match (own, named) {
            (Some(row), _) => row,
            (None, Some(row)) => row,
            (None, None) => {
                let waiting = turns.waiting.iter().find(|row| !turns.busy.contains(row));
                let left = || turns.writing.keys().find(|row| !turns.busy.contains(row));
                *waiting.or_else(left)?
            }
        };
        let known = turns.waiting.contains(&row) || turns.writing.contains_key(&row);
        if !known || !turns.busy.insert(row) {
            return None;
        }
        let begun_on = turns.writing.get(&row).copied();
        Some(Turn { floor: Arc::clone(self), row, begun_on })
    }
}

impl Turn {
    /// The chip is bound to the row, and that is on record.
    pub(super) fn begun(&self, factor: [u8; 8]) {
        let mut turns = self.floor.turns();
        turns.waiting.remove(&self.row);
        turns.writing.insert(self.row, factor);
    }

    /// The chip was given up; the row waits for another.
    pub(super) fn spoiled(&self) {
        let mut turns = self.floor.turns();
        turns.writing.remove(&self.row);
        turns.waiting.insert(self.row);
    }

    /// The row has its verdict, or is held.
    pub(super) fn done(&self) {
        let mut turns = self.floor.turns();
        turns.writing.remove(&self.row);
        turns.waiting.remove(&self.row);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.floor.turns().busy.remove(&self.row);
    }
}
