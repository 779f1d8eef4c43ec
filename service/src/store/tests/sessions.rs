//! Sessions with a lease: over in time, and renewed without a leaf.

use std::{fs, sync::mpsc::channel, thread, time::Duration};

use super::*;

/// What is left of the lease when a call comes.
const LEFT: Duration = Duration::from_millis(20);

/// What comes of a fact that waits until the lease is over.
async fn late<T>(
    store: &Store,
    fact: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let (open, opened) = channel::<()>();
    let ahead = store.move_forward(move |_| {
        let _ = opened.recv();
        Ok(())
    });
    let pass = async move {
        let begun = clock::count();
        while begun.elapsed() < LEFT {
            thread::yield_now();
        }
        drop(open);
    };
    let (ahead, answer, ()) = tokio::join!(ahead, fact, pass);
    ahead.unwrap();
    answer
}

#[tokio::test]
async fn a_lease_that_ends_while_a_fact_waits_is_over() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    store.record_session_opened(leased(&h), act("session.open")).await.unwrap();
    let at = NOW + LEASE - LEFT;
    let over = Obstacle::SessionClosed;
    let renewed = late(&store, store.renew_lease(&LEASED, at)).await;
    assert!(matches!(renewed, Err(StoreError::Conflict(found)) if found == over), "{renewed:?}");
    let asked = NewToken { session: LEASED, issued_at: at, ..token(&h) };
    let issued = late(&store, store.record_token(asked, act("token.issue"))).await;
    assert!(matches!(issued, Err(StoreError::Conflict(found)) if found == over), "{issued:?}");
    let read = Presence { session: LEASED, read_at: at, ..presence(h.card, h.resident) };
    let stored = late(&store, store.record_presence(read.clone(), act("card.read"))).await;
    assert!(matches!(stored, Err(StoreError::Conflict(found)) if found == over), "{stored:?}");

    // In time, all of them are there.
    let at = NOW;
    let read = Presence { read_at: at, ..read };
    store.record_presence(read, act("card.read")).await.unwrap();
    let asked = NewToken { session: LEASED, issued_at: at, ..token(&h) };
    store.record_token(asked, act("token.issue")).await.unwrap();
    assert_eq!(store.renew_lease(&LEASED, at + LEASE / 2).await.unwrap(), at + LEASE * 3 / 2);
}

/// At night nothing is written but that sessions go on.
#[tokio::test]
async fn renewals_do_not_make_the_write_ahead_log_grow_for_ever() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    store.record_session_opened(leased(&h), act("session.open")).await.unwrap();
    let before = fs::read(place.path()).unwrap();
    for n in 0..1000 {
        store.renew_lease(&LEASED, NOW + Duration::from_millis(n)).await.unwrap();
        if fs::read(place.path()).unwrap() != before {
            return;
        }
    }
    panic!("nothing was moved into the database file");
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_lease_longer_than_a_lease_is() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    store.record_session_opened(leased(&h), act("session.open")).await.unwrap();
    let until = async || store.session(&LEASED).await.unwrap().unwrap().leased_until;
    assert_eq!(store.cut_leases(NOW).await.unwrap(), 0);
    assert_eq!(until().await, Some(NOW + LEASE));
    let before = NOW - Duration::from_secs(3600);
    assert_eq!(store.cut_leases(before).await.unwrap(), 1);
    assert_eq!(until().await, Some(before + LEASE));
    assert!(store.session(&SESSION).await.unwrap().unwrap().leased_until.is_none(), "it has none");
    // Whoever is still there goes on from there, and whoever is not is over.
    assert_eq!(
        store.renew_lease(&LEASED, before + LEASE / 2).await.unwrap(),
        before + LEASE * 3 / 2
    );
    let left = before + LEASE * 3 / 2;
    assert_eq!(store.sessions_left(left).await.unwrap().len(), 1);
}
