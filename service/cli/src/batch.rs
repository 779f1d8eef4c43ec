//! A batch of cards on this side: the rows of a file, and the directory that a batch is kept in so
//! that it can be gone on with.

mod folder;
mod input;
mod messages;

/// Largest answer with a manifest, bytes.
pub(crate) const MAX_ANSWER: usize = audit::manifest::MAX_MANIFEST + 64 * 1024;

pub(crate) use self::{
    folder::{Folder, Progress, verdict_json},
    input::{Reading, Rows},
};
