//! The log on its way out: a bundle, in pieces, and the history of a resident.

use audit::{
    Entry,
    bundle::{Header, Line, write_end, write_entry},
    history::{self, Statement},
    tile::TileReader,
    tree::{Hash, Node, NodeReader as _, leaf_hash, left_nodes, right_nodes},
};
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::{FoundBefore, HistoryFound, ResidentId, Store, StoreError, tail::read_tile};

/// Entries read at a time.
const BATCH: u64 = 512;
/// Pieces that may wait to be taken.
const WAITING: usize = 4;

impl Store {
    /// The entries from position `from` up to and without `until` as a bundle
    /// ([`audit::bundle`]), checked against the newest checkpoint. Reading goes on only as far as
    /// pieces are taken; it ends when the receiver is dropped.
    ///
    /// # Errors
    /// [`StoreError::OutsideLog`] and [`StoreError::Removed`] at once; any other as the last piece.
    pub async fn export(
        &self,
        from: u64,
        until: u64,
    ) -> Result<mpsc::Receiver<Result<Vec<u8>, StoreError>>, StoreError> {
        let (size, checkpoint) = self.checkpoint();
        if from > until || until > size {
            return Err(StoreError::OutsideLog { size });
        }
        let begins = self.log_begins();
        if from < begins {
            return Err(StoreError::Removed { begins });
        }
        let key = self.verifier_key().clone();
        let (left, right) = (left_nodes(from), right_nodes(until, size));
        let (left, right) =
            self.read(move |db| Ok((hashes(db, left)?, hashes(db, right)?))).await?;
        let header = Header { key, from, until, size, left, right, checkpoint };
        let (pieces, taken) = mpsc::channel(WAITING);
        let store = self.clone();
        tokio::spawn(async move {
            if pieces.send(Ok(header.write().into_bytes())).await.is_err() {
                return;
            }
            let mut at = from;
            while at < until {
                let end = until.min(at + BATCH);
                let piece = store.read(move |db| entries(db, at, end)).await;
                let piece = match (piece, store.log_begins()) {
                    // They were removed since it began.
                    (Ok(None), begins) if at < begins => Err(StoreError::Removed { begins }),
                    (piece, _) => piece.and_then(|it| it.ok_or_else(|| missing(at, end))),
                };
                let failed = piece.is_err();
                if pieces.send(piece).await.is_err() || failed {
                    return;
                }
                at = end;
            }
            let mut end = Vec::new();
            write_end(&mut end, until - from);
            // Nobody is left to tell when the receiver is gone.
            drop(pieces.send(Ok(end)).await);
        });
        Ok(taken)
    }
}

impl Store {
    /// The history of a resident as a file ([`audit::history`]): what was found, and the entry at `position` that states
    /// the index it was found in.
    ///
    /// # Errors
    /// [`StoreError::OutsideLog`] for a position that is not on disk.
    pub async fn history_file(
        &self,
        resident: ResidentId,
        index: Statement,
        found: HistoryFound,
        statement: &Entry,
        position: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let HistoryFound { standing, path, before, entries } = found;
        let entry = statement.encode().map_err(StoreError::Entry)?;
        let (size, checkpoint) = self.checkpoint();
        let before = match before {
            Some(FoundBefore { proved: (standing, path), position, entry }) => {
                let proof = self.prove(position, size).await?;
                let removal = Line { position, hash: leaf_hash(&entry), entry };
                Some(history::Before { standing, path, removal, proof })
            }
            None => None,
        };
        let header = history::Header {
            key: self.verifier_key().clone(),
            resident: resident.to_string(),
            index,
            standing,
            path,
            before,
            statement: Line { position, hash: leaf_hash(&entry), entry },
            proof: self.prove(position, size).await?,
            checkpoint,
        };
        let mut file = header.write();
        entries.iter().for_each(|it| write_entry(&mut file, it.position, &it.entry));
        write_end(&mut file, entries.len() as u64);
        Ok(file)
    }
}

fn hashes(db: &Connection, nodes: Vec<Node>) -> Result<Vec<Hash>, StoreError> {
    let mut tiles = TileReader::new(|id| read_tile(db, id));
    let hashes = nodes.into_iter().map(|node| tiles.node(node)).collect::<Result<_, _>>();
    hashes.map_err(|error| StoreError::Damaged(error.to_string()))
}

fn missing(from: u64, until: u64) -> StoreError {
    StoreError::Damaged(format!("entries are missing between {from} and {until}"))
}

/// The lines of the entries `from..until`, if every one is there.
fn entries(db: &Connection, from: u64, until: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT position, entry FROM leaf WHERE position >= ?1 AND position < ?2 ORDER BY position",
    )?;
    let mut rows = select.query((from, until))?;
    let mut lines = Vec::new();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let position = row.get(0)?;
        let entry = row.get_ref(1)?.as_blob();
        let entry = entry.map_err(|_| StoreError::Damaged(format!("the entry at {position}")))?;
        write_entry(&mut lines, position, entry);
        count += 1;
    }
    Ok((count == until - from).then_some(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_entry_is_not_exported_as_an_empty_one() {
        let db = Connection::open_in_memory().unwrap();
        // Not STRICT, as after somebody's work on the schema.
        db.execute_batch("CREATE TABLE leaf (position INTEGER PRIMARY KEY, entry)").unwrap();
        for (value, damaged) in [("x'7b7d'", false), ("NULL", true), ("7", true), ("'{}'", true)] {
            db.execute(&format!("REPLACE INTO leaf VALUES (0, {value})"), []).unwrap();
            let lines = entries(&db, 0, 1);
            match damaged {
                true => assert!(
                    matches!(&lines, Err(StoreError::Damaged(what)) if what.contains("at 0")),
                    "{value}: {lines:?}"
                ),
                false => assert!(lines.unwrap().is_some_and(|it| !it.is_empty()), "{value}"),
            }
        }
    }
}
