//! Proofs of the log, checked here before anything is claimed: what the service says of itself is
//! not evidence.

use audit::{
    Entry,
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    tree::{self, Hash},
};
use proto::v1::{ConsistencyResponse, ProveAuditEntryResponse};

use crate::{failure::Failure, text::problems};

/// Reads a signed checkpoint.
pub(crate) fn checkpoint(note: &str, key: &VerifierKey) -> Result<Checkpoint, Failure> {
    Checkpoint::verify(note, key).map_err(|error| {
        let problem = match &error {
            NoteError::BadSignature => problems::CHECKPOINT_INVALID,
            _ => problems::CHECKPOINT_UNUSABLE,
        };
        Failure::of(problem).about(error)
    })
}

/// Checks that the entry given stands at `position` under a checkpoint: the one `held`, or the one
/// that came along.
pub(crate) fn inclusion(
    answer: &ProveAuditEntryResponse,
    position: u64,
    held: Option<&str>,
    key: &VerifierKey,
) -> Result<Checkpoint, Failure> {
    let invalid = || Failure::of(problems::PROOF_INVALID);
    let checkpoint = checkpoint(held.unwrap_or(&answer.checkpoint), key)?;
    if answer.position != position || answer.tree_size != checkpoint.size {
        return Err(invalid());
    }
    let path = hashes(&answer.path).ok_or_else(invalid)?;
    let leaf = tree::leaf_hash(&answer.entry);
    tree::verify_inclusion(&leaf, position, checkpoint.size, &path, &checkpoint.root)
        .map_err(|error| invalid().about(error))?;
    Entry::decode(&answer.entry).map_err(|error| invalid().about(error))?;
    Ok(checkpoint)
}

/// Checks that the log of the newer checkpoint begins with that of the older; the newer one.
pub(crate) fn consistency(
    answer: &ConsistencyResponse,
    older: &Checkpoint,
    key: &VerifierKey,
) -> Result<Checkpoint, Failure> {
    let invalid = || Failure::of(problems::PROOF_INVALID);
    let newer = checkpoint(&answer.checkpoint, key)?;
    if answer.first_size != older.size || answer.second_size != newer.size {
        return Err(invalid());
    }
    // Every log begins with the empty one; there is nothing to prove.
    if older.size > 0 {
        let path = hashes(&answer.path).ok_or_else(invalid)?;
        tree::verify_consistency(older.size, &older.root, newer.size, &newer.root, &path)
            .map_err(|error| invalid().about(error))?;
    }
    Ok(newer)
}

/// Whether the log of this size and root begins with that of the older checkpoint, by what was answered for these sizes.
pub(crate) fn begins_with(
    answer: &ConsistencyResponse,
    older: &Checkpoint,
    size: u64,
    root: &Hash,
) -> Result<bool, Failure> {
    let path = hashes(&answer.path);
    let path = path.filter(|_| (answer.first_size, answer.second_size) == (older.size, size));
    let path = path.ok_or(problems::PROOF_INVALID)?;
    Ok(tree::verify_consistency(older.size, &older.root, size, root, &path).is_ok())
}

pub(crate) fn hashes(path: &[Vec<u8>]) -> Option<Vec<Hash>> {
    path.iter().map(|hash| hash.as_slice().try_into().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// A log of two entries and its checkpoints of both sizes.
    struct Log {
        entries: Vec<Vec<u8>>,
        notes: [String; 2],
        key: VerifierKey,
    }

    fn log() -> Log {
        let log = testing::Log::of(2);
        let notes = [1, 2].map(|size| log.checkpoint(size));
        Log { entries: log.leaves(), notes, key: log.key }
    }

    impl Log {
        fn prove(&self) -> ProveAuditEntryResponse {
            ProveAuditEntryResponse {
                position: 1,
                tree_size: 2,
                entry: self.entries[1].clone(),
                path: vec![tree::leaf_hash(&self.entries[0]).to_vec()],
                checkpoint: self.notes[1].clone(),
            }
        }

        fn grow(&self) -> ConsistencyResponse {
            ConsistencyResponse {
                first_size: 1,
                second_size: 2,
                path: vec![tree::leaf_hash(&self.entries[1]).to_vec()],
                checkpoint: self.notes[1].clone(),
            }
        }
    }

    #[test]
    fn entries_in_the_log_are_proved() {
        let log = log();
        assert_eq!(inclusion(&log.prove(), 1, None, &log.key).unwrap().size, 2);
        inclusion(&log.prove(), 1, Some(&log.notes[1]), &log.key).unwrap();
    }

    #[test]
    fn claims_that_do_not_fit_are_refused() {
        let (log, other) = (log(), log());
        let with = |change: &dyn Fn(&mut ProveAuditEntryResponse)| {
            let mut answer = log.prove();
            change(&mut answer);
            answer
        };
        let cases = [
            ("another entry", with(&|it| it.entry = log.entries[0].clone()), "PROOF_INVALID"),
            ("one byte", with(&|it| it.entry[9] ^= 1), "PROOF_INVALID"),
            ("another position", with(&|it| it.position = 0), "PROOF_INVALID"),
            ("another size", with(&|it| it.tree_size = 3), "PROOF_INVALID"),
            ("no path", with(&|it| it.path.clear()), "PROOF_INVALID"),
            ("a short hash", with(&|it| it.path[0].truncate(31)), "PROOF_INVALID"),
            ("another path", with(&|it| it.path[0][0] ^= 1), "PROOF_INVALID"),
            (
                "an older checkpoint",
                with(&|it| it.checkpoint = log.notes[0].clone()),
                "PROOF_INVALID",
            ),
            ("no checkpoint", with(&|it| it.checkpoint.clear()), "CHECKPOINT_UNUSABLE"),
            (
                "a checkpoint of another signer",
                with(&|it| it.checkpoint = other.notes[1].clone()),
                "CHECKPOINT_UNUSABLE",
            ),
            (
                "an edited checkpoint",
                with(&|it| it.checkpoint = it.checkpoint.replacen("\n2\n", "\n3\n", 1)),
                "CHECKPOINT_INVALID",
            ),
        ];
        for (what, answer, reason) in cases {
            let refused = inclusion(&answer, 1, None, &log.key).unwrap_err();
            assert_eq!(refused.reason, reason, "{what}");
        }
    }

    #[test]
    fn log_that_only_grew_is_consistent() {
        let log = log();
        let older = checkpoint(&log.notes[0], &log.key).unwrap();
        assert_eq!(consistency(&log.grow(), &older, &log.key).unwrap().size, 2);
        let forked = Checkpoint { root: [7; 32], ..older };
        let refused = consistency(&log.grow(), &forked, &log.key).unwrap_err();
        assert_eq!((refused.reason.as_str(), refused.exit.code()), ("PROOF_INVALID", 4));
    }

    #[test]
    fn a_log_begins_with_what_it_grew_from() {
        let log = log();
        let [older, newer] = [0, 1].map(|at| checkpoint(&log.notes[at], &log.key).unwrap());
        let begins = |older: &Checkpoint, root| begins_with(&log.grow(), older, 2, root);
        assert_eq!(begins(&older, &newer.root).ok(), Some(true));
        assert_eq!(begins(&older, &[7; 32]).ok(), Some(false));
        let forked = Checkpoint { root: [7; 32], ..older.clone() };
        assert_eq!(begins(&forked, &newer.root).ok(), Some(false));
        let unproved = ConsistencyResponse { path: Vec::new(), ..log.grow() };
        assert_eq!(begins_with(&unproved, &older, 2, &newer.root).ok(), Some(false));
        // An answer to another question proves nothing.
        let others: [fn(&mut ConsistencyResponse); 3] =
            [|it| it.first_size = 0, |it| it.second_size = 3, |it| it.path[0].truncate(31)];
        for change in others {
            let mut answer = log.grow();
            change(&mut answer);
            let refused = begins_with(&answer, &older, 2, &newer.root).unwrap_err();
            assert_eq!(refused.reason, "PROOF_INVALID");
        }
    }
}
