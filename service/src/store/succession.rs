//! A new key of the log takes over.
//!
//! Whoever checks the log has one key. So when the newest checkpoint is signed by an earlier one, the
//! key in use signs every checkpoint that is kept once more, beside the signature that is there: with
//! the new key the whole log is checked, with the old one what it signed. What the new key signs it
//! has seen: the signature of an earlier key, and the root of the tree as the tiles give it. A
//! checkpoint that fails this is left as it is, for the checker to name.

use audit::{checkpoint::Checkpoint, tile::TileReader, tree::root_of};
use rusqlite::Connection;

use super::{
    StoreError,
    tail::{Head, LogSigner, read_tile},
};

/// Signatures that a note keeps: the newest.
const KEPT: usize = 8;

/// The head of the log, signed by the key in use.
pub(super) fn take_over(
    db: &mut Connection,
    head: Head,
    signer: &LogSigner,
) -> Result<Head, StoreError> {
    if Checkpoint::verify(&head.note, signer.key()).is_ok() {
        return Ok(head);
    }
    let transaction = db.transaction()?;
    let rows = transaction
        .prepare("SELECT size, note FROM checkpoint")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(u64, String)>>>()?;
    let mut tiles = TileReader::new(|id| read_tile(&transaction, id));
    let mut notes = Vec::new();
    for (size, note) in rows {
        let Ok(checkpoint) = signer.verify(&note) else { continue };
        let grown = checkpoint.size == size && size <= head.size;
        if grown && root_of(&mut tiles, size).is_ok_and(|root| root == checkpoint.root) {
            notes.push((size, beside(&signer.sign(size, checkpoint.root)?, &note)));
        }
    }
    let mut update = transaction.prepare("UPDATE checkpoint SET note = ?2 WHERE size = ?1")?;
    for (size, note) in &notes {
        update.execute((size, note))?;
    }
    drop(update);
    transaction.commit()?;
    let checkpoints = notes.len();
    let note = notes.into_iter().find(|(size, _)| *size == head.size).map(|(_, note)| note);
    let note = note.ok_or(StoreError::Tampered("its newest checkpoint is not of this tree"))?;
    tracing::info!(checkpoints, "a new key of the log has taken over");
    Ok(Head { size: head.size, note })
}

/// A note with the signatures of another over the same text after its own.
fn beside(note: &str, other: &str) -> String {
    let signatures = other.rsplit_once("\n\n").map_or("", |(_, signatures)| signatures);
    let kept = signatures.split_inclusive('\n').take(KEPT - 1);
    [note, &kept.collect::<String>()].concat()
}
