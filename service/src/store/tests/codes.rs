//! A code is used as often as it may be, and never once more.

use super::*;

fn electronic_card(h: &Hospital, index: u8) -> ElectronicCard {
    ElectronicCard {
        id: ElectronicCardId::generate(),
        resident: h.resident,
        institution: h.institution,
        card_id_index: [index; 32],
        sealed_card_id: vec![8; 60],
        status: ElectronicCardStatus::Active,
        registered_at: NOW,
        changed_at: NOW,
    }
}

async fn apply(store: &Store, h: &Hospital) -> ElectronicCardId {
    let card = electronic_card(h, 1);
    store.record_electronic_card(card.clone(), false, act("apply")).await.unwrap();
    card.id
}

fn code(h: &Hospital, card: ElectronicCardId, digest: u8, uses: u32) -> Code {
    Code {
        id: CodeId::generate(),
        digest: [digest; 32],
        electronic_card: card,
        kind: CodeKind::Dynamic,
        nonce: [3; 16],
        made_by: h.doctor,
        made_at: NOW,
        expires_at: NOW + Duration::minutes(5),
        uses_left: uses,
        revoked_at: None,
    }
}

async fn make(store: &Store, h: &Hospital, code: Code) -> CodeId {
    let id = code.id;
    store.record_code(code, h.resident, SESSION, act("code.create")).await.unwrap();
    id
}

fn use_at(h: &Hospital, card: ElectronicCardId, code: CodeId, at: UtcTime) -> CodeUse {
    let presence = Presence {
        evidence: Evidence::DynamicCode(card),
        read_at: at,
        expires_at: at + Duration::minutes(5),
        ..presence(h.card, h.resident)
    };
    CodeUse { code, presence }
}

/// The obstacle in the way of using a code.
async fn refused(store: &Store, code_use: CodeUse) -> Obstacle {
    match store.record_code_used(code_use, act("code.verify")).await {
        Err(StoreError::Conflict(obstacle)) => obstacle,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_is_used_as_often_as_it_may_and_opens_a_visit() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let card = apply(&store, &h).await;
    let id = make(&store, &h, code(&h, card, 1, 2)).await;
    let first = use_at(&h, card, id, NOW);
    let presence = first.presence.clone();
    let (left, _) = store.record_code_used(first, act("code.verify")).await.unwrap();
    assert_eq!(left, 1);
    assert_eq!(store.presence(presence.id).await.unwrap(), Some(presence.clone()));
    assert!(store.has_presence(SESSION, h.resident, NOW).await.unwrap());
    let second = use_at(&h, card, id, NOW);
    let (left, _) = store.record_code_used(second, act("code.verify")).await.unwrap();
    assert_eq!(left, 0);
    let size = store.log_size();
    assert_eq!(refused(&store, use_at(&h, card, id, NOW)).await, Obstacle::CodeUsed);
    assert_eq!(store.log_size(), size, "a refused fact leaves no leaf");

    let visit = NewVisit {
        id: VisitId::generate(),
        presence: presence.id,
        evidence: presence.evidence,
        session: SESSION,
        resident: h.resident,
        institution: h.institution,
        department: "内科".into(),
        reason: "fever".into(),
        attending: Vec::new(),
        opened_at: NOW,
    };
    let by_card = NewVisit { evidence: Evidence::Card(h.card), ..visit.clone() };
    let refused = store.record_visit_opened(by_card, act("visit.open")).await;
    assert!(matches!(refused, Err(StoreError::NotFound(Record::Presence))));
    store.record_visit_opened(visit, act("visit.open")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_alone_uses_it() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let card = apply(&store, &h).await;
    for round in 0..8 {
        let id = make(&store, &h, code(&h, card, round, 1)).await;
        let mut desks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (store, code_use) = (store.clone(), use_at(&h, card, id, NOW));
            desks.spawn(async move { store.record_code_used(code_use, act("code.verify")).await });
        }
        let answers = desks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        assert!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|error| { matches!(error, StoreError::Conflict(Obstacle::CodeUsed)) })
        );
    }
}

#[tokio::test]
async fn what_ended_a_code_is_told() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let card = apply(&store, &h).await;
    let end = NOW + Duration::minutes(5);

    let over = make(&store, &h, code(&h, card, 1, 1)).await;
    assert_eq!(refused(&store, use_at(&h, card, over, end)).await, Obstacle::CodeOver);
    let another = use_at(&h, ElectronicCardId::generate(), over, NOW);
    let answer = store.record_code_used(another, act("code.verify")).await;
    assert!(matches!(answer, Err(StoreError::NotFound(Record::Code))));

    let ended = make(&store, &h, code(&h, card, 2, 1)).await;
    let revoke = || store.record_code_revoked(ended, NOW, act("code.revoke"));
    assert!(matches!(revoke().await.unwrap(), Change::Recorded(_)));
    assert_eq!(revoke().await.unwrap(), Change::None);
    assert_eq!(refused(&store, use_at(&h, card, ended, NOW)).await, Obstacle::CodeRevoked);

    // The card's end is the end of its codes; what was used stays used.
    let used = make(&store, &h, code(&h, card, 3, 1)).await;
    store.record_code_used(use_at(&h, card, used, NOW), act("code.verify")).await.unwrap();
    let open = make(&store, &h, code(&h, card, 4, 1)).await;
    let cancel = || store.record_electronic_card_cancelled(card, NOW, act("cancel"));
    assert!(matches!(cancel().await.unwrap(), Change::Recorded(_)));
    assert_eq!(cancel().await.unwrap(), Change::None);
    assert_eq!(refused(&store, use_at(&h, card, open, NOW)).await, Obstacle::CodeRevoked);
    assert_eq!(refused(&store, use_at(&h, card, used, NOW)).await, Obstacle::CodeUsed);
    let more = store.record_code(code(&h, card, 5, 1), h.resident, SESSION, act("create")).await;
    assert!(matches!(more, Err(StoreError::Conflict(Obstacle::ElectronicCardStatus))));
    let shown = store.record_static_code(card, h.resident, SESSION, NOW, act("code.verify")).await;
    assert!(matches!(shown, Err(StoreError::Conflict(Obstacle::ElectronicCardStatus))));
}

#[tokio::test]
async fn a_closed_session_makes_and_uses_nothing() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let card = apply(&store, &h).await;
    let id = make(&store, &h, code(&h, card, 1, 1)).await;
    store.record_session_closed(&SESSION, NOW, act("session.close")).await.unwrap();
    assert_eq!(refused(&store, use_at(&h, card, id, NOW)).await, Obstacle::SessionClosed);
    let more = store.record_code(code(&h, card, 2, 1), h.resident, SESSION, act("create")).await;
    assert!(matches!(more, Err(StoreError::Conflict(Obstacle::SessionClosed))));
}

#[tokio::test]
async fn one_electronic_card_is_active_and_a_cancelled_one_is_not_revived() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let first = apply(&store, &h).await;
    let again = store.record_electronic_card(electronic_card(&h, 2), true, act("apply")).await;
    assert!(matches!(again, Err(StoreError::Duplicate(Unique::ActiveElectronicCard))));
    store.record_electronic_card_cancelled(first, NOW, act("cancel")).await.unwrap();
    assert_eq!(store.active_electronic_card(h.resident).await.unwrap(), None);
    let again = store.record_electronic_card(electronic_card(&h, 2), false, act("apply")).await;
    assert!(matches!(again, Err(StoreError::Conflict(Obstacle::ElectronicCardStatus))));
    let anew = electronic_card(&h, 2);
    store.record_electronic_card(anew.clone(), true, act("apply")).await.unwrap();
    assert_eq!(store.active_electronic_card(h.resident).await.unwrap(), Some(anew));
    let old = store.electronic_card_by_index([1; 32]).await.unwrap().unwrap();
    assert_eq!((old.id, old.status), (first, ElectronicCardStatus::Cancelled));
}

#[tokio::test]
async fn open_codes_of_a_card_are_bounded_and_old_ones_forgotten_after_a_day() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let card = apply(&store, &h).await;
    let mut ids = Vec::new();
    for digest in 0..9 {
        ids.push(make(&store, &h, code(&h, card, digest, 1)).await);
    }
    // Eight are open; the ninth ended the first.
    assert_eq!(refused(&store, use_at(&h, card, ids[0], NOW)).await, Obstacle::CodeRevoked);
    for id in &ids[1..] {
        assert_eq!(store.code(*id).await.unwrap().unwrap().obstacle(NOW), None);
    }
    let day = NOW + Duration::minutes(5) + Duration::DAY;
    for (made_at, remembered) in [(day - Duration::microseconds(1), true), (day, false)] {
        let digest = if remembered { 100 } else { 101 };
        let next = Code {
            made_at,
            expires_at: made_at + Duration::minutes(5),
            ..code(&h, card, digest, 1)
        };
        make(&store, &h, next).await;
        assert_eq!(store.code(ids[3]).await.unwrap().is_some(), remembered);
    }
}

#[tokio::test]
async fn a_use_is_not_forgotten_when_the_store_is_opened_again() {
    let place = Place::new();
    let (h, card, id) = {
        let store = place.open();
        let h = hospital(&store).await;
        let card = apply(&store, &h).await;
        let id = make(&store, &h, code(&h, card, 1, 1)).await;
        store.record_code_used(use_at(&h, card, id, NOW), act("code.verify")).await.unwrap();
        (h, card, id)
    };
    let store = place.open();
    assert_eq!(refused(&store, use_at(&h, card, id, NOW)).await, Obstacle::CodeUsed);
}
