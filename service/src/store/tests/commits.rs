//! Commits: together, whole, and again after a failure.

use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use hsm::{
    KeyError,
    sm2::{PublicKey, Signature},
};

use tokio::sync::mpsc;

use super::*;
use crate::store::facts::Found;

/// Holds the writer up within a commit until the sender is dropped or used.
fn gate(store: &Store) -> (Sender<()>, tokio::task::JoinHandle<()>, Receiver<()>) {
    let (open, opened) = channel::<()>();
    let (reached, at_gate) = channel();
    let store = store.clone();
    let task = tokio::spawn(async move {
        let waiting = move |_: &rusqlite::Connection| {
            let _ = reached.send(());
            let _ = opened.recv();
            Ok(Found::Same(()))
        };
        store.change(act("gate"), waiting).await.unwrap();
    });
    (open, task, at_gate)
}

/// Limits the pages that the database may have, as a disk that is full does; 0 lifts the limit.
async fn limit_pages(store: &Store, pages: u32) {
    let limit = move |db: &rusqlite::Connection| {
        let pages = if pages == 0 { 1_000_000_000 } else { pages };
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(Found::Same(()))
    };
    store.change(act("limit"), limit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_wait_share_a_commit_and_fail_alone() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let (before, size) = (store.stats(), store.log_size());
    let (open, gate, at_gate) = gate(&store);
    tokio::task::block_in_place(|| at_gate.recv()).unwrap();
    let facts: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            // Every fourth is refused: the number is taken.
            let number = if n % 4 == 0 { "D1".to_owned() } else { format!("E{n}") };
            let identity = identity(h.institution, &number);
            tokio::spawn(async move { (n, store.record_identity(identity, act("a")).await) })
        })
        .collect();
    while store.inner.queued() < 20 {
        tokio::task::yield_now().await;
    }
    drop(open);
    let mut positions = Vec::new();
    for fact in facts {
        match fact.await.unwrap() {
            (n, Err(StoreError::Duplicate(Unique::Number))) => assert_eq!(n % 4, 0),
            (n, recorded) => {
                assert_ne!(n % 4, 0);
                positions.push(recorded.unwrap());
            }
        }
    }
    gate.await.unwrap();
    assert_eq!(store.stats().commits, before.commits + 1, "one commit for all of them");
    assert_eq!(store.stats().committed_leaves, before.committed_leaves + 15);
    assert_eq!(store.log_size(), size + 15);
    for receipt in &positions {
        assert_proven(&store, receipt).await;
    }
}

#[tokio::test]
async fn a_fact_that_panics_fails_alone() {
    let place = Place::new();
    let store = place.open();
    let entry = act("token.issue");
    let failed = store.record(entry, |_, _| panic!("a fact that panics, as this test wants")).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    let receipt = store.record_act(act("token.issue")).await.unwrap();
    assert_eq!(receipt.position, 0);
    assert_proven(&store, &receipt).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_callers_all_get_what_was_recorded() {
    let place = Place::new();
    let store = place.open();
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut receipts = Vec::new();
                for _ in 0..20 {
                    receipts.push(store.record_act(act("card.read")).await.unwrap());
                }
                receipts
            })
        })
        .collect();
    let mut receipts = Vec::new();
    for caller in callers {
        receipts.extend(caller.await.unwrap());
    }
    let mut positions: Vec<_> = receipts.iter().map(|receipt| receipt.position).collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..1280).collect::<Vec<_>>());
    for receipt in receipts.iter().step_by(97) {
        assert_proven(&store, receipt).await;
    }
    assert_eq!(store.stats().committed_leaves, 1280);
    // Proofs between any two states hold as well.
    let (size, note) = store.checkpoint();
    let root = Checkpoint::verify(&note, store.verifier_key()).unwrap().root;
    let anchor: String = store
        .read(|db| {
            Ok(db.query_row("SELECT note FROM checkpoint WHERE size = 1024", [], |r| r.get(0))?)
        })
        .await
        .unwrap();
    let anchor = Checkpoint::verify(&anchor, store.verifier_key()).unwrap();
    let path = store.consistency(1024, size).await.unwrap();
    audit::tree::verify_consistency(1024, &anchor.root, size, &root, &path).unwrap();
    let outside = store.prove(0, size + 1).await;
    assert!(matches!(outside, Err(StoreError::OutsideLog { size: found }) if found == size));
    let outside = store.prove(size, size).await;
    assert!(matches!(outside, Err(StoreError::OutsideLog { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_everything_and_harms_nothing() {
    let place = Place::new();
    let store = place.open();
    assert!(store.is_writable());
    let h = hospital(&store).await;
    limit_pages(&store, 1).await;
    let size = store.log_size();
    // The limit of what is there already: a few facts still fit, then none.
    let mut recorded = 0;
    let refused = loop {
        match store.record_act(act("card.read").with("padding", "x".repeat(500))).await {
            Ok(_) => recorded += 1,
            Err(error) => break error,
        }
        assert!(recorded < 100, "the disk never was full");
    };
    assert!(matches!(refused, StoreError::Unavailable(Some(_))), "{refused:?}");
    assert!(!store.is_writable());
    let refused =
        store.record_token(token(&h), act("token.issue").with("p", "x".repeat(500))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(Some(_)))), "{refused:?}");
    assert_eq!(store.log_size(), size + recorded);
    // Reading goes on meanwhile, and writing as soon as there is room.
    assert!(store.entry(0).await.unwrap().is_some());
    limit_pages(&store, 0).await;
    let receipt = store.record_token(token(&h), act("token.issue")).await.unwrap();
    assert_eq!(receipt.position, size + recorded);
    assert!(store.is_writable());
    assert_proven(&store, &receipt).await;
    drop(store);
    assert_proven(&place.open(), &receipt).await;
}

/// Far less than a disk ever is slow.
const HURRY: Limits = Limits {
    slow: std::time::Duration::from_millis(10),
    patience: std::time::Duration::from_millis(100),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_ever_behind_a_disk_that_does_not_come_back() {
    let place = Place::new();
    let store = place.open();
    store.limit(HURRY);
    let before = store.record_act(act("card.read")).await.unwrap();
    let (open, gate, at_gate) = gate(&store);
    tokio::task::block_in_place(|| at_gate.recv()).unwrap();
    // What waits behind it is taken back in time, and then never done.
    let taken_back = act("token.issue");
    let refused = store.record_act(taken_back.clone()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(Some(_)))), "{refused:?}");
    let pace = store.pace();
    assert!(pace.stuck && pace.slow && pace.waits > Some(HURRY.patience), "{pace:?}");
    // Whoever comes now does not wait, and what only reads goes on.
    let asked = clock::count();
    store.record_act(act("token.issue")).await.unwrap_err();
    assert!(asked.elapsed() < HURRY.patience);
    assert!(store.entry(before.position).await.unwrap().is_some());

    drop(open);
    gate.await.unwrap();
    // The same entry goes in, so it was not there.
    let receipt = store.record_act(taken_back).await.unwrap();
    assert_eq!(receipt.position, before.position + 1);
    assert_proven(&store, &receipt).await;
    let pace = store.pace();
    assert!(!pace.stuck && pace.slow && pace.waits.is_none(), "{pace:?}");
    assert!(pace.slowest > HURRY.patience && pace.last.is_some(), "{pace:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_the_writer_has_taken_nobody_says_that_it_is_not_done() {
    let place = Place::new();
    let store = place.open();
    store.limit(HURRY);
    let (open, opened) = channel::<()>();
    let entry = act("token.issue");
    let held = store.record(entry.clone(), move |_, _| {
        let _ = opened.recv();
        Ok(())
    });
    let heard = bounded(held).await;
    assert!(matches!(heard, Err(StoreError::Unsettled(Some(_)))), "{heard:?}");
    assert!(store.pace().stuck);
    drop(open);
    // It was done after all.
    let later = async {
        loop {
            match store.record_act(entry.clone()).await {
                Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
                answered => break answered,
            }
        }
    };
    assert!(matches!(later.await, Err(StoreError::Duplicate(Unique::Id))));
    assert_eq!(store.log_size(), 1);
}

/// A key of the log in a device that can be pulled out.
struct Unpluggable {
    key: Arc<dyn Sm2Signer>,
    away: Arc<AtomicBool>,
    /// Told of each time that it was asked in vain.
    refused: mpsc::UnboundedSender<()>,
}

impl Sm2Signer for Unpluggable {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, e: &[u8; 32]) -> Result<Signature, KeyError> {
        if self.away.load(Ordering::Relaxed) {
            self.refused.send(()).unwrap();
            return Err(KeyError::Locked);
        }
        self.key.sign(e)
    }
}

/// Nobody writes to a service that says that it cannot be written to.
#[tokio::test]
async fn a_log_that_can_be_written_again_says_so_before_anyone_writes() {
    let place = Place::new();
    let away = Arc::new(AtomicBool::new(false));
    let (refused, mut tried) = mpsc::unbounded_channel();
    let signer = Arc::new(Unpluggable { key: signer(1), away: Arc::clone(&away), refused });
    let keys = LogKeys { signer, ..log_keys(1) };
    let store = Store::open(&place.path(), keys, ORIGIN).unwrap();
    let before = store.record_act(act("card.read")).await.unwrap();
    let head = store.checkpoint();

    away.store(true, Ordering::Relaxed);
    store.record_act(act("card.read")).await.unwrap_err();
    assert!(!store.is_writable());
    // The commit, and two trials, of which the first is over when the second begins.
    for _ in 0..3 {
        tried.recv().await.unwrap();
    }
    assert!(!store.is_writable(), "trying does not make it better");
    away.store(false, Ordering::Relaxed);
    store.writability().wait_for(|writable| *writable).await.unwrap();
    assert_eq!(store.checkpoint(), head, "trying out changes nothing");
    let after = store.record_act(act("card.read")).await.unwrap();
    assert_eq!(after.position, before.position + 1);
    assert_proven(&store, &after).await;
}

/// Sessions are renewed all the while: that needs no leaf, and says nothing of the log.
#[tokio::test]
async fn a_log_that_can_be_written_again_says_so_while_sessions_are_renewed() {
    let place = Place::new();
    let away = Arc::new(AtomicBool::new(false));
    let (refused, _tried) = mpsc::unbounded_channel();
    let signer = Arc::new(Unpluggable { key: signer(1), away: Arc::clone(&away), refused });
    let keys = LogKeys { signer, ..log_keys(1) };
    let store = Store::open(&place.path(), keys, ORIGIN).unwrap();
    let h = hospital(&store).await;
    store.record_session_opened(leased(&h), act("session.open")).await.unwrap();

    away.store(true, Ordering::Relaxed);
    store.record_act(act("card.read")).await.unwrap_err();
    let failed = clock::count();
    while failed.elapsed() < std::time::Duration::from_secs(3) {
        store.renew_lease(&LEASED, NOW).await.unwrap();
        assert!(!store.is_writable(), "a renewal does not say that leaves can be written");
    }
    away.store(false, Ordering::Relaxed);
    let back = clock::count();
    while !store.is_writable() {
        store.renew_lease(&LEASED, NOW).await.unwrap();
        assert!(back.elapsed() < std::time::Duration::from_secs(20), "it never said so");
    }
    store.record_act(act("card.read")).await.unwrap();
}

#[tokio::test]
async fn a_database_has_one_master() {
    let place = Place::new();
    let store = place.open();
    assert!(matches!(place.try_open(), Err(StoreError::InUse)));
    store.record_act(act("card.read")).await.unwrap();
    for file in std::fs::read_dir(place.path().parent().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{:?} is for its owner only", file.file_name());
    }
    drop(store);
    place.open();
}

#[test]
fn the_log_has_the_public_form() {
    let migration = include_str!("../migrations/0001_log.sql");
    assert!(migration.contains(audit::table::CREATE));
    let migration = include_str!("../migrations/0046_removed.sql");
    assert!(migration.contains(audit::table::CREATE_REMOVED));
}

#[tokio::test]
async fn a_database_of_another_schema_is_refused() {
    let place = Place::new();
    drop(place.open());
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    raw.execute("INSERT INTO migration VALUES ('9999_later', x'00')", []).unwrap();
    assert!(matches!(place.try_open(), Err(StoreError::Schema(_))));
    raw.execute("DELETE FROM migration WHERE name = '9999_later'", []).unwrap();
    raw.execute("UPDATE migration SET digest = zeroblob(32) WHERE name = '0001_log'", []).unwrap();
    assert!(matches!(place.try_open(), Err(StoreError::Schema(_))));
}

#[tokio::test]
async fn nothing_is_committed_without_a_checkpoint_of_its_size() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..3 {
        let receipt = store.record_act(act("card.read")).await.unwrap();
        let (size, note) = store.checkpoint();
        assert_eq!(size, receipt.position + 1);
        assert_eq!(Checkpoint::verify(&note, store.verifier_key()).unwrap().size, size);
    }
    let kept: Vec<u64> = store
        .read(|db| {
            let mut select = db.prepare("SELECT size FROM checkpoint ORDER BY size")?;
            let sizes = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(sizes)
        })
        .await
        .unwrap();
    assert_eq!(kept, [0, 3], "the anchor and the newest");
}

#[tokio::test]
async fn a_closed_database_is_whole_in_one_file() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..100 {
        store.record_act(act("card.read")).await.unwrap();
    }
    // Closing moves what is left in the write-ahead log, so that the one file can be copied.
    drop(store);
    let copy = place.path().with_extension("copy");
    std::fs::copy(place.path(), &copy).unwrap();
    let copy = rusqlite::Connection::open(copy).unwrap();
    let leaves: u64 = copy.query_row("SELECT count(*) FROM leaf", [], |row| row.get(0)).unwrap();
    assert_eq!(leaves, 100);
}
