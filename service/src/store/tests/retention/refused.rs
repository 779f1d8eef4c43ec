//! What nobody removes: too soon, alone, or by what was written into the database.

use audit::segment::Step;

use super::*;

/// What is removed, by whom and since when, is what the log says, whatever was written into the database beside it.
#[tokio::test]
async fn nothing_is_removed_on_the_word_of_a_table() {
    let mut ground = Ground::new().await;
    let removal = ground.enter(0).await.unwrap();
    ground.kept(0, removal).await.unwrap();
    let closed_at = ground.store.segment(0).await.unwrap().unwrap().closed_at;
    let entered_at = ground.store.removal(removal).await.unwrap().unwrap().position;
    ground.grow(400).await;
    let db = ground.db();
    let replace = |position: u64, from: &str, to: &str| {
        format!(
            "UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), '{from}', '{to}') AS BLOB)
             WHERE position = {position}"
        )
    };
    let [first, second] = ground.persons.map(|person| person.to_string());
    let away = "UPDATE leaf SET position = -9 WHERE position =";
    let back = |position: u64| format!("UPDATE leaf SET position = {position} WHERE position = -9");
    // What is altered, and how it is undone.
    let cases = [
        (
            "older",
            replace(closed_at, "2026-11-23", "2026-11-22"),
            replace(closed_at, "2026-11-22", "2026-11-23"),
        ),
        (
            "longer",
            replace(closed_at, "\"256\"", "\"255\""),
            replace(closed_at, "\"255\"", "\"256\""),
        ),
        ("by another", replace(entered_at, &first, &second), replace(entered_at, &second, &first)),
        (
            "with another certificate",
            replace(entered_at, "\"a1\"", "\"a2\""),
            replace(entered_at, "\"a2\"", "\"a1\""),
        ),
        ("an entry since then gone", format!("{away} 399"), back(399)),
        ("an entry gone", format!("{away} 100"), back(100)),
        (
            "an entry altered",
            replace(100, "card.read", "card.rear"),
            replace(100, "card.rear", "card.read"),
        ),
        (
            "a standing",
            "INSERT INTO removed_standing VALUES (zeroblob(32), 0, 1, zeroblob(32))".into(),
            "DELETE FROM removed_standing WHERE until = 0".into(),
        ),
        (
            "an entry kept",
            "INSERT INTO removed_entry SELECT position, entry FROM leaf WHERE position = 7".into(),
            "DELETE FROM removed_entry".into(),
        ),
    ];
    for (what, alter, undo) in cases {
        assert_eq!(db.execute(&alter, []).unwrap(), 1, "{what}");
        let kept = match ground.store.segment(0).await {
            Ok(Some(_)) => ground.kept(0, removal).await.map(drop),
            Ok(None) => Err(StoreError::Damaged("no segment".into())),
            Err(error) => Err(error),
        };
        assert!(matches!(kept, Err(StoreError::Damaged(_))), "{what}: {kept:?}");
        assert_eq!(db.execute(&undo, []).unwrap(), 1, "{what}");
        ground.kept(0, removal).await.unwrap();
    }
    // What was found to be wrong with these entries would be gone with them; what is elsewhere is not.
    for (finding, doubted) in [
        (Finding::Altered { position: 300 }, false),
        (Finding::Column { position: 300, column: "visit" }, false),
        (Finding::TileMissing { level: 0, index: 1 }, false),
        (Finding::TileMissing { level: 0, index: 0 }, true),
    ] {
        let found = ground.store.record_scrub_finding(finding, 1, NOW, act("audit.scrub"));
        found.await.unwrap();
        let kept = ground.kept(0, removal).await;
        let refused = matches!(kept, Err(StoreError::Conflict(Obstacle::LogInDoubt)));
        assert_eq!(refused, doubted, "{kept:?}");
    }
}

/// Nothing is recorded that a checker does not take for a removal.
#[tokio::test]
async fn nothing_is_removed_before_its_term() {
    let ground = Ground::new().await;
    let removal = ground.enter(0).await.unwrap();
    let size = ground.store.log_size();
    let soon = clock::rfc3339(LATER - Duration::microseconds(1));
    for (months, at) in [(MIN_MONTHS, soon), (MIN_MONTHS - 1, clock::rfc3339(LATER))] {
        let kept = ground.kept_after(0, removal, months).await.unwrap();
        let mut entry = ground.act_of(1, REMOVE);
        entry.at = at;
        let refused = ground.store.record_removed(ground.review(removal), kept, entry).await;
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{months}: {refused:?}");
    }
    assert_eq!((ground.store.log_size(), ground.store.log_begins()), (size, 0));
    assert_eq!(assert_valid(&ground.db()), None);
}

/// A segment that was closed late is kept from then on, whatever its entries say.
#[tokio::test]
async fn a_term_counts_from_when_the_segment_was_closed() {
    let place = Place::new();
    let store = open(&place);
    let resident = ResidentId::generate();
    while store.log_size() < 300 {
        store.record_act(act("card.read").about(resident.to_string())).await.unwrap();
    }
    store.history(resident).await.unwrap();
    let draft = store.segment_draft().await.unwrap().unwrap();
    assert_eq!((draft.newest, draft.not_before), (NOW, NOW));
    store.record_segment_closed(draft, act_at(CLOSE, LATER)).await.unwrap();
    let closed = store.segment(0).await.unwrap().unwrap();
    assert_eq!((closed.newest, closed.since), (NOW, LATER));
}

/// That entries were removed is believed of an entry that the log signed, whatever stands in its place.
#[tokio::test]
async fn no_entry_goes_on_the_word_of_a_table() {
    let ground = Ground::new().await;
    let size = ground.store.log_size();
    let segment = ground.store.segment(0).await.unwrap().unwrap().segment;
    let since = audit::segment::Instant::read(&clock::rfc3339(NOW)).unwrap();
    let right =
        audit::segment::Removal { since, months: 6, kept: 0, closed_at: 260, entered_at: 270 };
    let forged = segment.in_entry(Step::Removed(right), ground.act_of(1, REMOVE)).encode().unwrap();
    let db = ground.db();
    // With the columns, and with the hash in its tile.
    let signed: (Vec<u8>, Vec<u8>) = db
        .query_row(
            "SELECT entry, hashes FROM leaf, tile WHERE position = 280 AND level = 0 AND idx = 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let mut tile = signed.1.clone();
    tile[24 * 32..][..32].copy_from_slice(&leaf_hash(&forged));
    let put = |(entry, tile): &(Vec<u8>, Vec<u8>), action: &str| {
        let leaf = "UPDATE leaf SET entry = ?1, action = ?2 WHERE position = 280";
        db.execute(leaf, (entry, action)).unwrap();
        db.execute("UPDATE tile SET hashes = ?1 WHERE level = 0 AND idx = 1", [tile]).unwrap();
    };
    put(&(forged, tile), REMOVE);
    ground.store.follow_removals().await.unwrap();
    assert!(!ground.store.cut().await.unwrap());
    assert_eq!((rows(&db), ground.store.log_begins()), ((0, size), 0));
    assert!(ground.store.entry(7).await.unwrap().is_some());
    let report = checker::checked_with(&db, 1);
    assert!(matches!(report.verdict, Verdict::Tampered(_)), "{report:?}");
    // Neither is a log opened that lost entries, where such an entry says that it did by right.
    let Ground { place, store, .. } = ground;
    drop(store);
    let db = Connection::open(place.path()).unwrap();
    db.execute("DELETE FROM leaf WHERE position < 2", []).unwrap();
    assert!(matches!(place.try_open(), Err(StoreError::Tampered(_))));
}

/// Where a segment begins is what the log signed, so that no row makes the service sign another.
#[tokio::test]
async fn no_segment_is_closed_on_the_word_of_a_table() {
    let mut ground = Ground::new().await;
    ground.grow(600).await;
    ground.store.history(ground.residents[0]).await.unwrap();
    let db = ground.db();
    let newest = audit::segment::Instant::read(&clock::rfc3339(NOW)).unwrap();
    let forged = Segment { first: LENGTH, until: 300, ..ANY };
    let forged = forged.in_entry(Step::Closed { newest }, act(CLOSE)).encode().unwrap();
    let put = "UPDATE leaf SET entry = ?1, action = ?2 WHERE position = 520";
    assert_eq!(db.execute(put, (forged, CLOSE)).unwrap(), 1);
    let draft = ground.store.segment_draft().await;
    assert!(matches!(draft, Err(StoreError::Damaged(_))), "{draft:?}");
}

/// Nor does one hide, so that the same is closed twice.
#[tokio::test]
async fn no_segment_is_closed_twice() {
    let mut ground = Ground::new().await;
    ground.grow(600).await;
    ground.close().await;
    ground.grow(900).await;
    ground.store.history(ground.residents[0]).await.unwrap();
    let drafted = ground.store.segment_draft().await.unwrap().unwrap();
    let db = ground.db();
    let closings: Vec<u64> = {
        let mut select = db.prepare("SELECT position FROM leaf WHERE action = ?1").unwrap();
        select.query_map([CLOSE], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(closings.len(), 2);
    for hidden in [&closings[1..], &closings] {
        for closing in hidden {
            let hide = "UPDATE leaf SET action = 'x' WHERE position = ?1";
            assert_eq!(db.execute(hide, [closing]).unwrap(), 1);
        }
        let draft = ground.store.segment_draft().await;
        assert!(matches!(draft, Err(StoreError::Damaged(_))), "{hidden:?} {draft:?}");
        for closing in hidden {
            db.execute("UPDATE leaf SET action = ?1 WHERE position = ?2", (CLOSE, closing))
                .unwrap();
        }
    }
    // Neither does one come in the place of another from among those that are kept.
    let [first, until] = [2 * LENGTH, 2 * LENGTH + 20];
    let newest = audit::segment::Instant::read(&clock::rfc3339(NOW)).unwrap();
    let forged = Segment { first, until, ..ANY };
    let forged = forged.in_entry(Step::Closed { newest }, act(CLOSE)).encode().unwrap();
    db.execute("INSERT INTO removed_entry VALUES (700, ?1)", [forged]).unwrap();
    assert!(!ground.store.is_removed_kept().await.unwrap());
    assert_eq!(ground.store.segment_draft().await.unwrap(), Some(drafted));
    assert_eq!(ground.store.segments(first, 9).await.unwrap(), []);
}

/// What was rejected stays so, whoever hides that it was.
#[tokio::test]
async fn no_rejection_is_hidden() {
    let ground = Ground::new().await;
    let removal = ground.enter(0).await.unwrap();
    let rejected = ground.reject(removal).await;
    let db = ground.db();
    let hide = "UPDATE leaf SET action = 'x', outcome = 'x' WHERE position = ?1";
    assert_eq!(db.execute(hide, [rejected]).unwrap(), 1);
    // To all who look by columns it waits.
    let state = ground.store.removal(removal).await.unwrap().unwrap().state;
    assert_eq!(state, RemovalState::Pending);
    let kept = ground.kept(0, removal).await;
    assert!(matches!(kept, Err(StoreError::Conflict(Obstacle::ChangeOver))), "{kept:?}");
    let another = "UPDATE leaf SET entry = (SELECT entry FROM leaf WHERE position = 7)
                   WHERE position = ?1";
    assert_eq!(db.execute(another, [rejected]).unwrap(), 1);
    let kept = ground.kept(0, removal).await;
    assert!(matches!(kept, Err(StoreError::Damaged(_))), "{kept:?}");
}

/// What is to be kept of entries has to be there before they go.
#[tokio::test]
async fn no_entry_goes_of_which_nothing_is_kept() {
    for lost in ["DELETE FROM removed_standing", "DELETE FROM removed_entry"] {
        let mut ground = Ground::new().await;
        ground.grow(600).await;
        ground.close().await;
        ground.remove(0).await;
        ground.remove(LENGTH).await;
        assert_ne!(ground.db().execute(lost, []).unwrap(), 0, "{lost}");
        for _ in 0..2 {
            let cut = ground.store.cut().await;
            assert!(matches!(cut, Err(StoreError::Damaged(_))), "{lost}: {cut:?}");
        }
        assert_eq!(rows(&ground.db()).0, 0);
    }
}

/// What is kept of removed entries is held against the entry that removed them.
#[tokio::test]
async fn what_is_kept_of_removed_entries_is_scrubbed() {
    let mut ground = Ground::new().await;
    ground.grow(600).await;
    ground.close().await;
    let is_kept = async || ground.store.is_removed_kept().await.unwrap();
    assert!(is_kept().await);
    ground.remove(0).await;
    ground.remove(LENGTH).await;
    assert!(is_kept().await);
    let db = ground.db();
    for (alter, undo) in [
        (
            "UPDATE removed_standing SET count = count + 1",
            Some("UPDATE removed_standing SET count = count - 1"),
        ),
        (
            "INSERT INTO removed_entry SELECT position, entry FROM leaf WHERE position = 7",
            Some("DELETE FROM removed_entry WHERE position = 7"),
        ),
        (
            "UPDATE removed_entry SET position = -position",
            Some("UPDATE removed_entry SET position = -position"),
        ),
        (
            "INSERT INTO removed_standing VALUES (x'07', 0, 0, x'')",
            Some("DELETE FROM removed_standing WHERE key = x'07'"),
        ),
        ("DELETE FROM removed_entry", None),
    ] {
        assert_ne!(db.execute(alter, []).unwrap(), 0, "{alter}");
        assert!(!is_kept().await, "{alter}");
        if let Some(undo) = undo {
            db.execute(undo, []).unwrap();
            assert!(is_kept().await, "{alter}");
        }
    }
    let entry = act("audit.scrub");
    let recorded = ground.store.record_scrub_finding(Finding::RemovedAltered, 1, NOW, entry);
    recorded.await.unwrap();
    assert_eq!(ground.store.scrub_findings().await.unwrap()[0].finding, Finding::RemovedAltered);
}

/// An index that cannot be made again is not thrown away.
#[tokio::test]
async fn an_index_stays_where_no_other_can_be_made() {
    let ground = Ground::new().await;
    ground.remove(0).await;
    ground.history(ground.about - ground.gone()).await;
    let Ground { place, store, residents, .. } = ground;
    drop(store);
    let index = place.path().with_extension("db.index");
    Connection::open(&index).unwrap().execute("UPDATE state SET origin = 'another'", []).unwrap();
    let db = Connection::open(place.path()).unwrap();
    db.execute("UPDATE removed_standing SET count = count + 1", []).unwrap();
    let store = open(&place);
    assert!(store.history(residents[0]).await.is_err());
    let origin = "SELECT origin FROM state";
    let origin: String =
        Connection::open(&index).unwrap().query_row(origin, [], |row| row.get(0)).unwrap();
    assert_eq!(origin, "another");
}

/// The log signs what was counted, and not what the file of the index says was.
#[tokio::test]
async fn a_segment_is_closed_by_what_was_counted_in_this_run() {
    let mut ground = Ground::new().await;
    ground.grow(600).await;
    ground.store.history(ground.residents[0]).await.unwrap();
    assert_eq!(ground.store.segment_draft().await.unwrap().unwrap().segment.until, 2 * LENGTH);
    drop(ground.store);
    ground.store = open(&ground.place);
    ground.store.history(ground.residents[0]).await.unwrap();
    assert_eq!(ground.store.segment_draft().await.unwrap(), None);
    ground.grow(800).await;
    let SegmentDraft { segment, .. } = ground.close().await;
    assert_eq!((segment.first, segment.until), (LENGTH, 3 * LENGTH));
    assert_eq!(assert_valid(&ground.db()), None);
}

#[tokio::test]
async fn a_log_that_lost_more_than_was_removed_is_not_opened_and_told() {
    let mut ground = Ground::new().await;
    ground.grow(600).await;
    ground.remove(0).await;
    while ground.store.cut().await.unwrap() {}
    let Ground { place, store, .. } = ground;
    drop(store);
    let db = || Connection::open(place.path()).unwrap();
    db().execute("DELETE FROM leaf WHERE position = ?1", [LENGTH]).unwrap();
    assert!(matches!(place.try_open(), Err(StoreError::Tampered(_))));
}
