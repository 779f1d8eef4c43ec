//! What a history says of entries that were removed after their term.

use std::io::BufRead;

use super::pair;
use crate::{
    check::Removed,
    checkpoint::Checkpoint,
    entry::Entry,
    index::{MAX_PATH, Standing, key, root_from},
    lines::{BundleError, Line, Lines, read_pair, write_counted, write_entry},
    segment::{Segment, Step},
    tree::{Hash, MAX_PROOF, leaf_hash, verify_inclusion},
};

/// What is left of entries about a resident that were removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Where the resident stood then.
    pub standing: Standing,
    /// Hashes beside the resident's way in the index of that time, from the leaf upwards.
    pub path: Vec<Hash>,
    /// The entry that removed them.
    pub removal: Line,
    /// Its inclusion proof.
    pub proof: Vec<Hash>,
}

impl Before {
    /// Appends its lines.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        let Self { standing, path, removal, proof } = self;
        let before = pair(standing.count, &standing.chain);
        text.extend_from_slice(
            format!("before {before}\n{}removal ", write_counted("path", path)).as_bytes(),
        );
        write_entry(text, removal.position, &removal.entry);
        text.extend_from_slice(write_counted("proof", proof).as_bytes());
    }

    pub(super) fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<Self, BundleError> {
        let (count, chain) = lines.said("before", read_pair)?;
        let path = lines.hashes("path", MAX_PATH)?;
        let removal = lines.said("removal", |text| Line::read(text.as_bytes()))?;
        let proof = lines.hashes("proof", MAX_PROOF)?;
        Ok(Self { standing: Standing { count, chain }, path, removal, proof })
    }

    /// The segment that was removed, as the entry says.
    fn segment(&self) -> Option<Segment> {
        let Line { position, entry, .. } = &self.removal;
        match Segment::of(&Entry::decode(entry).ok()?, *position)? {
            Ok((Step::Removed(_), segment)) => Some(segment),
            _ => None,
        }
    }

    /// The position below which entries were removed.
    pub fn until(&self) -> Option<u64> {
        self.segment().map(|segment| segment.until)
    }

    /// What the entry says was removed; `None` where it removes nothing.
    pub fn removed(&self) -> Option<Removed> {
        Removed::of(&Entry::decode(&self.removal.entry).ok()?, self.removal.position)
    }

    /// Whether what leads from the signed root to the standing holds together; the index of the history counts `size`
    /// entries.
    pub(super) fn leads_from(&self, checkpoint: &Checkpoint, resident: &str, size: u64) -> bool {
        let Self { standing, path, removal, proof } = self;
        let (leaf, place) = (leaf_hash(&removal.entry), removal.position);
        let included = verify_inclusion(&leaf, place, checkpoint.size, proof, &checkpoint.root);
        leaf == removal.hash
            && included.is_ok()
            && self.segment().is_some_and(|segment| {
                let root = root_from(&key(resident), standing, path);
                segment.until <= size && root == Some(segment.index_root)
            })
    }
}
