//! Searching and exporting the log.

use audit::{bundle, check::Verdict};

use super::*;

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
        let report = bundle::check(reader, store.verifier_key()).unwrap();
        assert_eq!(report.verdict, Verdict::Valid, "{from} {until}");
        assert_eq!(report.leaves, until - from);
    }
    assert!(matches!(store.export(3, 11).await, Err(StoreError::OutsideLog { size: 10 })));
    assert!(matches!(store.export(4, 3).await, Err(StoreError::OutsideLog { .. })));
}
