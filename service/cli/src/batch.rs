//! A batch of cards on this side: the rows of a file, and the directory that a batch is kept in so
//! that it can be gone on with.

mod folder;
mod input;
mod messages;

pub(crate) use self::{
    folder::{Folder, Progress, verdict_json},
    input::{Reading, Rows},
};
