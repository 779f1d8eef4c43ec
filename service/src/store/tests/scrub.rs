//! What the service finds in its own log as it goes over it part by part.

use std::fs;

use audit::{check::Finding, table::ANCHOR};
use rusqlite::Connection;
use tokio::task::JoinSet;

use super::*;

/// Entries of the log: two whole parts and some.
const ENTRIES: u64 = 2100;

async fn log() -> Place {
    let place = Place::new();
    let store = place.open();
    let mut acts = JoinSet::new();
    for n in 0..ENTRIES {
        let (store, act) = (store.clone(), act("card.read").about(format!("resident-{n}")));
        acts.spawn(async move { store.record_act(act).await.map(drop) });
    }
    for recorded in acts.join_all().await {
        recorded.unwrap();
    }
    place
}

fn copy(place: &Place) -> Place {
    let copy = Place::new();
    fs::copy(place.path(), copy.path()).unwrap();
    copy
}

/// What a round finds.
async fn round(store: &Store) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        let report = store.check_part(from, ANCHOR).await.unwrap();
        found.extend(report.findings.listed);
        from += ANCHOR;
        if from >= report.size {
            found.sort_unstable();
            found.dedup();
            return found;
        }
    }
}

#[tokio::test]
async fn whatever_is_done_to_the_log_is_found_by_parts() {
    use Finding::*;
    let whole = log().await;
    #[rustfmt::skip]
    let cases: [(&str, Finding); 12] = [
        ("UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), 'card.read', 'card.reap') AS BLOB) WHERE position = 1500",
         Altered { position: 1500 }),
        ("DELETE FROM leaf WHERE position = 1024", Missing { from: 1024, until: 1025 }),
        ("UPDATE leaf SET resident = 'resident-7' WHERE position = 2047", Column { position: 2047, column: "resident" }),
        ("UPDATE leaf SET action = CAST(x'ff' AS TEXT) WHERE position = 3", Column { position: 3, column: "action" }),
        ("UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND idx = 5",
         TileAltered { level: 0, index: 5, hash: 0 }),
        ("UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 1 AND idx = 0",
         TileAltered { level: 1, index: 0, hash: 0 }),
        ("DELETE FROM tile WHERE level = 0 AND idx = 7", TileMissing { level: 0, index: 7 }),
        ("INSERT INTO tile VALUES (0, 77, zeroblob(32))", TileStray { level: 0, index: 77 }),
        ("INSERT INTO tile VALUES (9, -1, zeroblob(32))", TileStray { level: 9, index: -1 }),
        ("UPDATE checkpoint SET note = replace(note, 'example', 'elpmaxe') WHERE size = 1024", CheckpointAltered { size: 1024 }),
        ("DELETE FROM checkpoint WHERE size = 2048", CheckpointMissing { size: 2048 }),
        ("INSERT INTO leaf SELECT -1, entry, 'copy', at, action, outcome, actor, resident, visit FROM leaf WHERE position = 7",
         Stray { position: -1 }),
    ];
    for (sql, expected) in cases {
        let place = copy(&whole);
        let store = place.open();
        assert_eq!(round(&store).await, [], "before: {sql}");
        Connection::open(place.path()).unwrap().execute_batch(sql).unwrap();
        assert_eq!(round(&store).await, [expected], "{sql}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_found_and_what_comes_after_it_is_looked_at() {
    let place = log().await;
    let mut octets = fs::read(place.path()).unwrap();
    let entry = b"\"resident\":\"resident-1500\"";
    let at = octets.windows(entry.len()).position(|octets| octets == entry).unwrap();
    // The kind of a page that holds it is none.
    octets[at / 4096 * 4096] = 0xff;
    fs::write(place.path(), octets).unwrap();
    let store = place.open();
    let late = "UPDATE leaf SET resident = NULL WHERE position = 2060";
    Connection::open(place.path()).unwrap().execute_batch(late).unwrap();
    let found = round(&store).await;
    assert!(found.contains(&Finding::Unreadable { from: 1024, until: 2048 }), "{found:?}");
    assert!(found.contains(&Finding::Column { position: 2060, column: "resident" }), "{found:?}");
}

#[tokio::test]
async fn a_finding_is_recorded_once_and_until_a_round_does_not_find_it() {
    let place = Place::new();
    let store = place.open();
    let mut scrub = store.scrub_place().await.unwrap();
    assert_eq!(scrub, ScrubPlace { round: 1, position: 0, done: None });
    let [one, other] = [7, 9].map(|position| Finding::Column { position, column: "visit" });
    for (finding, round, news) in
        [(one, 1, true), (one, 1, false), (other, 1, true), (one, 2, false)]
    {
        let recorded = store.record_scrub_finding(finding, round, NOW, act("audit.scrub")).await;
        assert_eq!(matches!(recorded.unwrap(), Change::Recorded(_)), news, "{finding} {round}");
    }
    drop(store);
    let store = place.open();
    let found = async |store: &Store| -> Vec<(Finding, u64)> {
        let found = store.scrub_findings().await.unwrap();
        found.iter().map(|it| (it.finding, it.position)).collect()
    };
    assert_eq!(found(&store).await, [(one, 0), (other, 1)]);
    scrub = ScrubPlace { round: 2, position: 1024, done: Some((NOW, 2000)) };
    store.keep_scrub_place(scrub).await.unwrap();
    assert_eq!(found(&store).await.len(), 2, "the round is not over");
    scrub = ScrubPlace { round: 3, position: 0, ..scrub };
    store.keep_scrub_place(scrub).await.unwrap();
    assert_eq!(found(&store).await, [(one, 0)]);
    assert_eq!(store.scrub_place().await.unwrap(), scrub);
    assert_eq!(store.log_size(), 2, "keeping the place leaves no entry");
}
