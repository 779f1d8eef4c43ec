//! Cards from application to end.

use rusqlite::Connection;
use time::macros::date;

use super::*;
use crate::card_life::Refusal;

pub(super) fn later(days: i64) -> UtcTime {
    NOW + Duration::days(days)
}

/// The acts that bring an active card into each state but applied and pre-issued.
const WAYS: [(CardStatus, &[CardAct]); 5] = [
    (CardStatus::Active, &[]),
    (CardStatus::Lost, &[CardAct::ReportLoss]),
    (CardStatus::Frozen, &[CardAct::Freeze]),
    (CardStatus::Blacklisted, &[CardAct::Blacklist]),
    (CardStatus::Cancelled, &[CardAct::Cancel]),
];

/// A hospital whose card is in a state.
pub(super) async fn in_state(store: &Store, status: CardStatus) -> Hospital {
    let mut h = hospital(store).await;
    if matches!(status, CardStatus::Applied | CardStatus::PreIssued) {
        store.record_card_act(h.card, CardAct::Cancel, NOW, act("card.cancel")).await.unwrap();
        h.card = CardId::generate();
        let new = NewApplication {
            id: h.card,
            resident: h.resident,
            institution: h.institution,
            applied_at: NOW,
        };
        store.record_card_applied(new, act("card.apply")).await.unwrap();
    }
    if status == CardStatus::PreIssued {
        let made = chip("0000000002");
        let entry = act("card.register");
        store.record_card_issued(h.card, h.resident, made, NOW, entry).await.unwrap();
    }
    let way = WAYS.iter().find(|(to, _)| *to == status);
    for what in way.map_or(&[][..], |(_, way)| way) {
        store.record_card_act(h.card, *what, NOW, act("card.change")).await.unwrap();
    }
    assert_eq!(store.card(h.card).await.unwrap().unwrap().status, status);
    h
}

#[tokio::test]
async fn a_card_on_record_does_as_the_table_says() {
    // Acts that need more than the card have ways of their own.
    let special = [CardAct::Issue, CardAct::Replace, CardAct::Unblacklist, CardAct::Renew];
    for from in CardStatus::ALL {
        for what in CardAct::ALL.iter().filter(|what| !special.contains(what)) {
            let place = Place::new();
            let store = place.open();
            let h = in_state(&store, *from).await;
            let size = store.log_size();
            let answer = store.record_card_act(h.card, *what, later(1), act("card.change")).await;
            let card = store.card(h.card).await.unwrap().unwrap();
            match from.after(*what) {
                Ok(after) => {
                    assert_proven(&store, &answer.unwrap()).await;
                    assert_eq!((card.status, card.changed_at), (after, later(1)), "{from}, {what}");
                }
                Err(refusal) => {
                    assert!(
                        matches!(answer, Err(StoreError::Conflict(Obstacle::CardState(found)))
                            if found == refusal),
                        "{from}, {what}"
                    );
                    assert_eq!((card.status, store.log_size()), (*from, size), "{from}, {what}");
                }
            }
        }
    }
    let place = Place::new();
    let store = place.open();
    hospital(&store).await;
    let unknown = CardId::generate();
    let refused = store.record_card_act(unknown, CardAct::Freeze, NOW, act("a")).await;
    assert!(matches!(refused, Err(StoreError::NotFound(Record::Card))));
}

#[tokio::test]
async fn a_first_card_is_for_who_has_none_and_lost_none() {
    use CardStatus as S;
    for (status, cancelled) in S::ALL.iter().flat_map(|it| [(*it, false), (*it, true)]) {
        let place = Place::new();
        let store = place.open();
        let h = in_state(&store, status).await;
        if cancelled {
            let _ = store.record_card_act(h.card, CardAct::Cancel, NOW, act("card.cancel")).await;
        }
        let size = store.log_size();
        let application = NewApplication {
            id: CardId::generate(),
            resident: h.resident,
            institution: h.institution,
            applied_at: NOW,
        };
        let applied = store.record_card_applied(application, act("card.apply")).await;
        let card = card(h.institution, h.resident, "0000000009");
        let registered = match applied {
            Ok(_) => {
                let (chip, entry) = (chip("0000000009"), act("card.register"));
                store.record_card_issued(application.id, h.resident, chip, NOW, entry).await
            }
            Err(_) => store.record_card(card, act("card.register")).await,
        };
        let told = format!("{status}, cancelled: {cancelled}, {applied:?}, {registered:?}");
        match (status, cancelled) {
            (S::Lost | S::Frozen | S::Blacklisted, _) => {
                for answer in [applied, registered] {
                    let due = StoreError::Conflict(Obstacle::ReplacementDue).to_string();
                    assert_eq!(answer.unwrap_err().to_string(), due, "{told}");
                }
                assert_eq!(store.log_size(), size, "{told}");
            }
            (S::Active | S::PreIssued, false) => {
                for answer in [applied, registered] {
                    let has = StoreError::Duplicate(Unique::ActiveCard).to_string();
                    assert_eq!(answer.unwrap_err().to_string(), has, "{told}");
                }
            }
            // A card that is made at once does not wait for the application.
            (S::Applied, false) => assert!(applied.is_err() && registered.is_ok(), "{told}"),
            (S::Applied | S::PreIssued | S::Active, true) | (S::Cancelled, _) => {
                assert!(applied.is_ok() && registered.is_ok(), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn an_application_is_not_made_into_a_second_card() {
    let place = Place::new();
    let store = place.open();
    let h = in_state(&store, CardStatus::Applied).await;
    let at_once = card(h.institution, h.resident, "0000000009");
    store.record_card(at_once, act("card.register")).await.unwrap();
    let made = store.record_card_issued(h.card, h.resident, chip("0000000008"), NOW, act("a"));
    assert!(matches!(made.await, Err(StoreError::Duplicate(Unique::ActiveCard))));
}

#[tokio::test]
async fn an_application_waits_for_its_chip() {
    let place = Place::new();
    let store = place.open();
    let h = in_state(&store, CardStatus::Applied).await;
    let again = NewApplication {
        id: CardId::generate(),
        resident: h.resident,
        institution: h.institution,
        applied_at: NOW,
    };
    let refused = store.record_card_applied(again, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::Application))));
    assert_eq!(store.card(h.card).await.unwrap().unwrap().chip, None);

    let issue = |resident, serial| {
        store.record_card_issued(h.card, resident, chip(serial), NOW, act("card.register"))
    };
    let stranger = issue(ResidentId::generate(), "0000000002").await;
    assert!(matches!(stranger, Err(StoreError::NotFound(Record::Card))));
    let taken = issue(h.resident, "0000000001").await;
    assert!(matches!(taken, Err(StoreError::Duplicate(Unique::ChipSerial))));
    issue(h.resident, "0000000002").await.unwrap();
    let twice = issue(h.resident, "0000000003").await;
    let expected = Refusal::Already(CardStatus::PreIssued);
    assert!(matches!(twice, Err(StoreError::Conflict(Obstacle::CardState(it))) if it == expected));
    store.record_card_act(h.card, CardAct::Activate, NOW, act("card.activate")).await.unwrap();
    let refused = store.record_card_applied(again, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::ActiveCard))));
}

#[tokio::test]
async fn a_renewal_is_noted_and_then_said_by_the_card() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let (until, other) = (date!(2046 - 11 - 22), date!(2046 - 12 - 31));
    let note = |until| store.record_card_renewal(h.card, until, act("card.renew"));
    assert!(matches!(note(until).await.unwrap(), Change::Recorded(_)));
    assert_eq!(note(until).await.unwrap(), Change::None);
    let refused = note(other).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::RenewalPending))));
    let card = store.card(h.card).await.unwrap().unwrap();
    assert_eq!((card.renewal, card.chip.unwrap()), (Some(until), chip("0000000001")));

    let say = |until| store.record_card_renewed(h.card, until, act("card.renew"));
    assert_eq!(say(other).await.unwrap(), Change::None);
    assert!(matches!(say(until).await.unwrap(), Change::Recorded(_)));
    assert_eq!(say(until).await.unwrap(), Change::None);
    let card = store.card(h.card).await.unwrap().unwrap();
    assert_eq!((card.renewal, card.chip.unwrap().valid_until), (None, until));
    store.record_card_act(h.card, CardAct::Freeze, NOW, act("card.freeze")).await.unwrap();
    let refused = note(date!(2050 - 01 - 01)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::CardState(_)))));
}

#[tokio::test]
async fn cards_are_listed_by_state_and_by_their_end() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let mut ends = Vec::new();
    for number in 2..8_u8 {
        let holder = resident(h.institution, number);
        let mut new = card(h.institution, holder.id, &format!("000000000{number}"));
        // Two on each day, and the first day is that of the hospital's own card.
        new.chip.valid_until = date!(2036 - 11 - 21) + Duration::days(i64::from(number) / 2);
        ends.push((new.chip.valid_until, new.id));
        store.record_resident(holder, Vec::new(), None, act("resident.register")).await.unwrap();
        store.record_card(new, act("card.register")).await.unwrap();
    }
    ends.push((date!(2036 - 11 - 22), h.card));
    ends.sort();
    store.record_card_act(h.card, CardAct::Freeze, NOW, act("card.freeze")).await.unwrap();
    let expected: Vec<CardId> = ends
        .iter()
        .filter(|(end, id)| *end <= date!(2036 - 11 - 23) && *id != h.card)
        .map(|(_, id)| *id)
        .collect();
    assert_eq!(expected.len(), 4);

    let within = CardFilter::EndsWithin(date!(2036 - 11 - 22), date!(2036 - 11 - 23));
    let mut found = Vec::new();
    let mut after: Option<CardCursor> = None;
    loop {
        let page = store.cards(h.institution, within, after, 3).await.unwrap();
        found.extend(page.iter().map(|card| card.id));
        let Some(last) = page.last() else { break };
        let cursor = CardCursor::after(within, last);
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        after = Some(cursor);
    }
    assert_eq!(found, expected);
    let frozen = CardFilter::Status(Some(CardStatus::Frozen));
    let frozen = store.cards(h.institution, frozen, None, 10).await.unwrap();
    assert_eq!(frozen.iter().map(|card| card.id).collect::<Vec<_>>(), [h.card]);
    let all = store.cards(h.institution, CardFilter::Status(None), None, 10).await.unwrap();
    assert_eq!(all.len(), 7);
    let elsewhere = InstitutionId::generate();
    assert_eq!(store.cards(elsewhere, CardFilter::Status(None), None, 10).await.unwrap(), []);
}

/// A database of the version before, with what it could hold.
#[tokio::test]
async fn a_database_of_before_is_brought_along() {
    let place = Place::new();
    {
        // The empty log, signed as a store signs it when it is made.
        let (_, note) = Place::new().open().checkpoint();
        let db = Connection::open(place.path()).unwrap();
        let steps = [
            ("0001_log", include_str!("../migrations/0001_log.sql")),
            ("0002_records", include_str!("../migrations/0002_records.sql")),
            ("0003_codes", include_str!("../migrations/0003_codes.sql")),
        ];
        db.execute_batch(
            "CREATE TABLE migration (name TEXT PRIMARY KEY, digest BLOB NOT NULL)
             STRICT, WITHOUT ROWID;",
        )
        .unwrap();
        for (name, sql) in steps {
            db.execute_batch(sql).unwrap();
            let digest = hsm::sm3::digest(sql.as_bytes());
            db.execute("INSERT INTO migration VALUES (?1, ?2)", (name, digest)).unwrap();
        }
        db.execute("INSERT INTO checkpoint VALUES (0, ?1)", [note]).unwrap();
        db.execute_batch(
            "INSERT INTO institution VALUES ('0193e5a0-0000-7000-8000-000000000001', 'c', 'n', 'r', 0);
             INSERT INTO resident VALUES ('0193e5a0-0000-7000-8000-000000000002',
                 '0193e5a0-0000-7000-8000-000000000001', x'01', x'02', x'03', x'04', NULL, NULL, 0);
             INSERT INTO card SELECT '0193e5a0-0000-7000-8000-00000000000' || n,
                 '0193e5a0-0000-7000-8000-000000000002', '0193e5a0-0000-7000-8000-000000000001',
                 '000000000' || n, unhex('000000000000000' || n), '2036-11-22', status, 0, 0
             FROM (SELECT 3 AS n, 'active' AS status UNION SELECT 4, 'lost'
                   UNION SELECT 5, 'cancelled');
             INSERT INTO presence VALUES ('0193e5a0-0000-7000-8000-000000000006',
                 'card', '0193e5a0-0000-7000-8000-000000000003', NULL,
                 '0193e5a0-0000-7000-8000-000000000002', x'05', x'06', 0, 1, NULL);",
        )
        .unwrap();
    }
    let store = place.open();
    let id: CardId = "0193e5a0-0000-7000-8000-000000000003".parse().unwrap();
    let card = store.card(id).await.unwrap().unwrap();
    let factor = [0, 0, 0, 0, 0, 0, 0, 3];
    assert_eq!(card.chip, Some(Chip { factor, ..chip("0000000003") }));
    assert_eq!((card.status, card.renewal, card.replaces), (CardStatus::Active, None, None));
    let due = store.changed_chips(10).await.unwrap();
    let states = [("0000000004", CardStatus::Lost), ("0000000005", CardStatus::Cancelled)];
    assert_eq!(due, states.map(|(serial, status)| changed_chip(serial, Some(status))));
    store.record_card_act(id, CardAct::Freeze, NOW, act("card.freeze")).await.unwrap();
    drop(store);
    let db = Connection::open(place.path()).unwrap();
    let dangling = db.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!dangling, "what referred to the old table refers to the new one");
    let presence: u32 =
        db.query_row("SELECT count(*) FROM presence", [], |row| row.get(0)).unwrap();
    assert_eq!(presence, 1);
}

#[tokio::test]
async fn the_state_of_a_card_at_a_moment_is_known() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let change = async |what, at| {
        store.record_card_act(h.card, what, at, act("card.change")).await.unwrap();
    };
    change(CardAct::ReportLoss, later(2)).await;
    change(CardAct::Release, later(4)).await;
    change(CardAct::Freeze, later(6)).await;
    // The clock is put back: what came last is still the last.
    change(CardAct::Unfreeze, later(1)).await;
    let micro = Duration::MICROSECOND;
    let cases = [
        ("when it was put on record", NOW, None),
        ("after that", NOW + micro, Some(CardStatus::Active)),
        ("when it was reported lost", later(2), Some(CardStatus::Active)),
        ("after that", later(2) + micro, Some(CardStatus::Lost)),
        ("between", later(3), Some(CardStatus::Lost)),
        ("when it was released", later(4) + micro, Some(CardStatus::Active)),
        ("when it was frozen", later(6) + micro, Some(CardStatus::Frozen)),
        ("when it was unfrozen", later(6) + micro * 2, Some(CardStatus::Active)),
    ];
    for (when, moment, status) in cases {
        assert_eq!(store.card_status_before(h.card, moment).await.unwrap(), status, "{when}");
    }
    let unknown = store.card_status_before(CardId::generate(), later(9)).await.unwrap();
    assert_eq!(unknown, None);
}

#[tokio::test]
async fn every_change_of_state_is_in_the_history() {
    for status in CardStatus::ALL {
        let place = Place::new();
        let store = place.open();
        let h = in_state(&store, *status).await;
        let last = store.card_status_before(h.card, later(1)).await.unwrap();
        assert_eq!(last, Some(*status));
    }
}
