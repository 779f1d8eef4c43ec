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

/// Why a chip gets no row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Untaken {
    /// None waits, or not the one that was named.
    NoRow,
    /// It was begun for another row than the one that was named: what is printed on it, or will be,
    /// is not what is on its chip.
    OtherRow,
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
    pub(super) fn take(
        self: &Arc<Self>,
        factor: [u8; 8],
        named: Option<u32>,
    ) -> Result<Turn, Untaken> {
        let mut turns = self.turns();
        if turns.shut {
            return Err(Untaken::NoRow);
        }
        let own = turns.writing.iter().find(|(_, chip)| **chip == factor).map(|(row, _)| *row);
        let row = match (own, named) {
            (Some(own), Some(named)) if own != named => return Err(Untaken::OtherRow),
            (Some(row), _) | (None, Some(row)) => row,
            (None, None) => {
                let waiting = turns.waiting.iter().find(|row| !turns.busy.contains(row));
                let left = || turns.writing.keys().find(|row| !turns.busy.contains(row));
                *waiting.or_else(left).ok_or(Untaken::NoRow)?
            }
        };
        let known = turns.waiting.contains(&row) || turns.writing.contains_key(&row);
        if !known || !turns.busy.insert(row) {
            return Err(Untaken::NoRow);
        }
        let begun_on = turns.writing.get(&row).copied();
        Ok(Turn { floor: Arc::clone(self), row, begun_on })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_goes_on_with_its_own_row_and_no_other() {
        let (one, other) = ([1; 8], [2; 8]);
        let floor = Arc::new(Floor {
            batch: BatchId::generate(),
            institution: InstitutionId::generate(),
            rows: 3,
            profile: Profile::Full,
            opened_at: UtcTime::UNIX_EPOCH,
            key: Sm4Key::generate(),
            turns: Mutex::default(),
        });
        floor.add([1, 2, 3]);
        let row = |taken: Result<Turn, Untaken>| taken.map(|turn| turn.row);
        let turn = floor.take(one, Some(2)).expect("row 2 waits");
        turn.begun(one);
        assert_eq!(row(floor.take(one, Some(2))), Err(Untaken::NoRow), "somebody is at it");
        drop(turn);
        assert_eq!(row(floor.take(one, Some(3))), Err(Untaken::OtherRow));
        for named in [None, Some(2)] {
            assert_eq!(row(floor.take(one, named)), Ok(2), "{named:?}");
        }
        assert_eq!(row(floor.take(other, None)), Ok(1), "the first that waits");
        assert_eq!(row(floor.take(other, Some(4))), Err(Untaken::NoRow));
        // Whoever names the row of a chip that did not come back takes it over.
        assert_eq!(row(floor.take(other, Some(2))), Ok(2));
    }
}
