//! Work that holds its thread for a while.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does such work: what else its thread has to do is handed on meanwhile, where there are other threads.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
