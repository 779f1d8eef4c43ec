//! Readers that stay whatever happens around them.

use super::*;

/// Reads that together need each of the readers.
const ENOUGH: usize = 16;

#[tokio::test]
async fn a_read_that_panics_fails_alone() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..ENOUGH {
        let failed: Result<(), _> =
            store.read(|_| panic!("a read that panics, as this test wants")).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(None))), "{failed:?}");
    }
    for _ in 0..ENOUGH {
        assert_eq!(store.entry(0).await.unwrap(), None);
    }
}

#[test]
fn what_else_blocks_does_not_keep_readers_busy() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let place = Place::new();
    let store = place.open();
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let busy = runtime.spawn_blocking(move || opened.recv());
    runtime.block_on(async {
        assert_eq!(store.entry(0).await.unwrap(), None);
        drop(open);
        assert!(busy.await.unwrap().is_err());
    });
}
