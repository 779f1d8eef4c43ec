//! A log whose key was replaced.

use audit::{
    check::{Finding, Gap, Verdict},
    table::ANCHOR,
};
use rusqlite::Connection;

use super::{checker::checked_with, *};

/// Opens with the key of `seed`, believing those of `earlier`.
fn open(place: &Place, seed: u8, earlier: &[u8]) -> Result<Store, StoreError> {
    let earlier = earlier.iter().map(|seed| signer(*seed).public_key().clone()).collect();
    Store::open(&place.path(), LogKeys { earlier, ..log_keys(seed) }, ORIGIN)
}

/// A closed log that key 1 signed, with an anchor and a few entries more.
async fn signed_by_the_first() -> Place {
    let place = Place::new();
    let store = place.open();
    for _ in 0..ANCHOR + 3 {
        store.record_act(act("card.read")).await.unwrap();
    }
    drop(store);
    place
}

#[tokio::test]
async fn the_next_key_signs_what_the_one_before_signed() {
    let place = signed_by_the_first().await;
    let refused = open(&place, 2, &[]);
    assert!(matches!(refused, Err(StoreError::Tampered(_))), "a key that nothing vouches for");
    let store = open(&place, 2, &[3, 1]).unwrap();
    let (_, note) = store.checkpoint();
    for seed in [1, 2] {
        let key = super::super::tail::LogSigner::new(log_keys(seed), ORIGIN).unwrap();
        assert!(Checkpoint::verify(&note, key.key()).is_ok(), "{seed}");
    }
    store.record_act(act("card.read")).await.unwrap();
    drop(store);
    // Nothing rests on the first one any more, so it may be compromised.
    drop(open(&place, 2, &[]).unwrap());
    let refused = open(&place, 1, &[]);
    assert!(matches!(refused, Err(StoreError::Tampered(_))), "the key of before opens no more");

    let db = Connection::open(place.path()).unwrap();
    assert_eq!(checked_with(&db, 2).verdict, Verdict::Valid);
    // The first one knows what it signed, to its last entry, and says that there is more.
    let ends = Verdict::Unverifiable(vec![Gap::Succeeded { size: ANCHOR + 3 }]);
    assert_eq!(checked_with(&db, 1).verdict, ends);
    db.execute("UPDATE leaf SET entry = CAST(entry || x'20' AS BLOB) WHERE position = 9", [])
        .unwrap();
    for seed in [1, 2] {
        let Verdict::Tampered(found) = checked_with(&db, seed).verdict else { panic!("{seed}") };
        assert_eq!(found.listed, [Finding::Altered { position: 9 }], "{seed}");
    }
}

#[tokio::test]
async fn each_key_has_a_checkpoint_that_it_signed() {
    let place = signed_by_the_first().await;
    for (seed, earlier) in [(2, &[1][..]), (3, &[2, 1])] {
        let store = open(&place, seed, earlier).unwrap();
        for _ in 0..3 {
            store.record_act(act("card.read")).await.unwrap();
        }
        drop(store);
    }
    let store = open(&place, 3, &[2, 1, 9]).unwrap();
    let found = store.keys_over_time().await.unwrap();
    let sizes: Vec<_> = found
        .iter()
        .map(|(key, note)| note.as_ref().map(|note| Checkpoint::verify(note, key).unwrap().size))
        .collect();
    assert_eq!(sizes, [Some(ANCHOR + 9), Some(ANCHOR + 6), Some(ANCHOR + 3), None]);
    assert_eq!(found[0].0, *store.verifier_key());
}

#[tokio::test]
async fn the_next_key_does_not_sign_what_was_altered() {
    let place = signed_by_the_first().await;
    let db = Connection::open(place.path()).unwrap();
    let alter = "UPDATE checkpoint SET note = replace(note, char(10) || '1024', char(10) || '1023')
                 WHERE size = 1024";
    assert_eq!(db.execute(alter, []).unwrap(), 1);
    drop(open(&place, 2, &[1]).unwrap());
    let Verdict::Tampered(found) = checked_with(&db, 2).verdict else { panic!("it passed") };
    assert_eq!(found.listed, [Finding::CheckpointAltered { size: ANCHOR }]);
}
