//! Searching and exporting the log.

use audit::{bundle, check::Verdict};

use time::macros::datetime;

use super::*;
use crate::vocabulary::{AuditQuestion, CountBy};

fn ids(found: &[LogEntry]) -> Vec<u64> {
    found.iter().map(|entry| entry.position).collect()
}

/// Ten entries, one a minute; the odd ones about resident B, every fifth refused.
async fn ten(store: &Store) {
    for n in 0..10i64 {
        let mut entry =
            act_at(if n < 5 { "card.read" } else { "token.issue" }, NOW + Duration::minutes(n))
                .about(if n % 2 == 0 { "resident-a" } else { "resident-b" })
                .in_visit(format!("visit-{}", n / 4));
        if n % 5 == 0 {
            entry.outcome = Outcome::Refused;
            // The word alone, in quotation marks or as another key, is no alert.
            let key = if n == 5 { "alert" } else { "no-alert" };
            entry = entry.with(key, r#"x","alert":"y"#).with("reason", "alert");
        }
        entry.actor.identity = Some(format!("doctor-{}", n % 3));
        store.record_act(entry).await.unwrap();
    }
}

#[tokio::test]
async fn searches_meet_all_conditions_newest_first() {
    let place = Place::new();
    let store = place.open();
    ten(&store).await;
    let text = |text: &str| Some(text.to_owned());
    let all = SearchFilter::default();
    #[rustfmt::skip]
    let cases: [(SearchFilter, &[u64]); 12] = [
        (all.clone(), &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (SearchFilter { resident: text("resident-b"), ..all.clone() }, &[9, 7, 5, 3, 1]),
        (SearchFilter { actor: text("doctor-0"), ..all.clone() }, &[9, 6, 3, 0]),
        (SearchFilter { action: text("card.read"), ..all.clone() }, &[4, 3, 2, 1, 0]),
        (SearchFilter { visit: text("visit-1"), ..all.clone() }, &[7, 6, 5, 4]),
        (SearchFilter { outcome: Some(Outcome::Refused), ..all.clone() }, &[5, 0]),
        (SearchFilter { outcome: Some(Outcome::Granted), resident: text("resident-a"), ..all.clone() }, &[8, 6, 4, 2]),
        (SearchFilter { from: Some(NOW + Duration::minutes(3)), until: Some(NOW + Duration::minutes(6)), ..all.clone() }, &[5, 4, 3]),
        (SearchFilter { resident: text("resident-a"), action: text("token.issue"), visit: text("visit-1"), ..all.clone() }, &[6]),
        (SearchFilter { alerts: true, ..all.clone() }, &[5]),
        (SearchFilter { alerts: true, resident: text("resident-b"), outcome: Some(Outcome::Refused), ..all.clone() }, &[5]),
        (SearchFilter { alerts: true, outcome: Some(Outcome::Granted), ..all }, &[]),
    ];
    for (filter, expected) in cases {
        let (found, next) = store.search(filter.clone(), None, 50).await.unwrap();
        assert_eq!((ids(&found), next), (expected.to_vec(), None), "{filter:?}");
        // The same page by page.
        let (mut paged, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = store.search(filter.clone(), cursor, 2).await.unwrap();
            paged.extend(ids(&page));
            let Some(next) = next else { break };
            cursor = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(paged, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn entries_of_one_moment_are_paged_without_loss() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..7 {
        store.record_act(act("card.read")).await.unwrap();
    }
    let (first, next) = store.search(SearchFilter::default(), None, 4).await.unwrap();
    let (rest, end) = store.search(SearchFilter::default(), next, 4).await.unwrap();
    assert_eq!([ids(&first), ids(&rest)].concat(), [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(end, None);
    for text in [
        "",
        "1",
        "1.",
        ".1",
        "01.2",
        "1.-2",
        "1.99999999999999999999",
        "1.18446744073709551615",
        "1.2.3",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(BadId), "{text}");
    }
}

/// Entries at nine in the evening and midnight of the desk, by two institutions.
async fn two_institutions(store: &Store) {
    for n in 0..8i64 {
        let evening = datetime!(2026-11-23 13:00 UTC);
        let at = evening + Duration::hours(if n < 4 { 0 } else { 3 });
        let act = if n % 4 == 3 { "emergency.begin" } else { "token.issue" };
        let mut entry = act_at(act, at + Duration::minutes(n)).about("r").for_purpose("treatment");
        entry.actor.institution = Some(format!("institution-{}", n % 2));
        entry.actor.role = Some(if n == 0 { "nurse" } else { "doctor" }.to_owned());
        entry.actor.address = Some(format!("10.0.0.{n}"));
        if n == 2 {
            entry.outcome = Outcome::Refused;
            entry = entry.with("reason", "NO_RELATION").under("hash", "relation-to-resident");
        } else if n != 5 {
            entry = entry.in_visit("v").under("hash", "doctor-treats");
        }
        store.record_act(entry).await.unwrap();
    }
}

#[tokio::test]
async fn what_only_an_entry_says_is_searched_counted_and_followed_alike() {
    let place = Place::new();
    let store = place.open();
    two_institutions(&store).await;
    let text = |text: &str| Some(text.to_owned());
    let all = WithinEntry::default();
    let asks = |question| WithinEntry { question: Some(question), ..WithinEntry::default() };
    #[rustfmt::skip]
    let cases: [(WithinEntry, &[u64]); 13] = [
        (WithinEntry { institution: text("institution-1"), ..all.clone() }, &[7, 5, 3, 1]),
        (WithinEntry { role: text("nurse"), ..all.clone() }, &[0]),
        (WithinEntry { address: text("10.0.0.4"), ..all.clone() }, &[4]),
        (WithinEntry { purpose: text("research"), ..all.clone() }, &[]),
        (WithinEntry { rule: text("doctor-treats"), ..all.clone() }, &[7, 6, 4, 3, 1, 0]),
        (WithinEntry { reason: text("NO_RELATION"), ..all.clone() }, &[2]),
        (WithinEntry { institution: text("institution-0"), role: text("doctor"), ..all.clone() }, &[6, 4, 2]),
        (asks(AuditQuestion::AtNight), &[7, 6, 5, 4]),
        (asks(AuditQuestion::Emergencies), &[7, 3]),
        (asks(AuditQuestion::Refusals), &[2]),
        (asks(AuditQuestion::WithoutVisit), &[5]),
        (asks(AuditQuestion::WhoOpened), &[6, 5, 4, 1, 0]),
        (WithinEntry { institution: text("institution-1"), ..asks(AuditQuestion::AtNight) }, &[7, 5]),
    ];
    for (within, expected) in cases {
        let filter = SearchFilter { within, ..SearchFilter::default() };
        let (found, next) = store.search(filter.clone(), None, 50).await.unwrap();
        assert_eq!((ids(&found), next), (expected.to_vec(), None), "{filter:?}");
        let (mut paged, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = store.search(filter.clone(), cursor, 2).await.unwrap();
            paged.extend(ids(&page));
            let Some(next) = next else { break };
            cursor = Some(next);
        }
        assert_eq!(paged, expected, "{filter:?}");
        let mut followed = ids(&store.matching(filter.clone(), 0, 8).await.unwrap());
        followed.reverse();
        assert_eq!(followed, expected, "{filter:?}");
        let counted = store.count(filter, CountBy::Outcome, None).await.unwrap();
        assert_eq!(counted.groups.values().sum::<u64>(), expected.len() as u64);
    }
}

#[tokio::test]
async fn entries_are_counted_by_what_they_say() {
    let place = Place::new();
    let store = place.open();
    two_institutions(&store).await;
    let count = async |by| {
        let counted = store.count(SearchFilter::default(), by, None).await.unwrap();
        assert_eq!(counted.next, None);
        let groups = counted.groups.into_iter();
        groups.map(|(value, entries)| format!("{value} {entries}")).collect::<Vec<_>>()
    };
    assert_eq!(count(CountBy::Day).await, ["2026-11-23 4", "2026-11-24 4"]);
    assert_eq!(count(CountBy::Hour).await, ["00 4", "21 4"]);
    assert_eq!(count(CountBy::Role).await, ["doctor 7", "nurse 1"]);
    assert_eq!(count(CountBy::Reason).await, [" 7", "NO_RELATION 1"]);
    assert_eq!(count(CountBy::Rule).await, [" 1", "doctor-treats 6", "relation-to-resident 1"]);
    assert_eq!(count(CountBy::Purpose).await, ["treatment 8"]);
}

#[tokio::test]
async fn a_call_looks_at_so_many_entries_and_the_next_goes_on() {
    let place = Place::new();
    let store = place.open();
    store.record_act(act("token.issue").for_purpose("research")).await.unwrap();
    // Written as the store would, and faster.
    let mut db = rusqlite::Connection::open(place.path()).unwrap();
    let filler = act("card.read").encode().unwrap();
    let rows = db.transaction().unwrap();
    for position in 1..=u64::from(EXAMINED) + 10 {
        let id = format!("{position:036}");
        rows.prepare_cached("INSERT INTO leaf (position, entry, entry_id, at, action, outcome) VALUES (?1, ?2, ?3, ?4, 'card.read', 'granted')")
            .unwrap()
            .execute((position, &filler, id, 2_000_000_000_000_000 + position))
            .unwrap();
    }
    rows.commit().unwrap();
    let within = WithinEntry { purpose: Some("research".to_owned()), ..WithinEntry::default() };
    let filter = SearchFilter { within, ..SearchFilter::default() };
    let (mut found, mut next) = store.search(filter.clone(), None, 50).await.unwrap();
    assert!(found.is_empty() && next.is_some());
    // On a disk that is slow it takes several.
    while next.is_some() {
        assert!(found.is_empty());
        (found, next) = store.search(filter.clone(), next, 50).await.unwrap();
    }
    assert_eq!(ids(&found), [0]);
    let first = store.count(SearchFilter::default(), CountBy::Action, None).await.unwrap();
    assert_eq!(first.groups["card.read"], u64::from(EXAMINED));
    let rest = store.count(SearchFilter::default(), CountBy::Action, first.next).await.unwrap();
    assert_eq!((rest.groups["card.read"], rest.groups["token.issue"], rest.next), (10, 1, None));
}

#[tokio::test]
async fn exports_are_bundles_that_check() {
    let place = Place::new();
    let store = place.open();
    ten(&store).await;
    for (from, until) in [(0, 10), (0, 0), (3, 7), (9, 10)] {
        let mut pieces = store.export(from, until).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = pieces.recv().await {
            text.extend(piece.unwrap());
        }
        let reader = bundle::Reader::new(&text[..]).unwrap();
        let report = bundle::check(reader, store.verifier_key(), &[]).unwrap();
        assert_eq!(report.verdict, Verdict::Valid, "{from} {until}");
        assert_eq!(report.leaves, until - from);
    }
    assert!(matches!(store.export(3, 11).await, Err(StoreError::OutsideLog { size: 10 })));
    assert!(matches!(store.export(4, 3).await, Err(StoreError::OutsideLog { .. })));
}
