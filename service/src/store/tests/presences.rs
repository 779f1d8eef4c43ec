//! What a card that was in the reader allows, and when no longer.

use super::*;

/// A visit of the resident by this presence of the card.
fn visit(h: &Hospital, presence: &Presence) -> NewVisit {
    NewVisit {
        id: VisitId::generate(),
        presence: presence.id,
        evidence: presence.evidence,
        session: presence.session,
        resident: presence.resident,
        institution: h.institution,
        department: "内科".into(),
        reason: "fever".into(),
        attending: vec![h.doctor],
        opened_at: NOW,
    }
}

async fn present(store: &Store, h: &Hospital) -> Presence {
    let presence = presence(h.card, h.resident);
    store.record_presence(presence.clone(), act("card.read")).await.unwrap();
    presence
}

#[tokio::test]
async fn a_presence_opens_one_visit() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let present = present(&store, &h).await;
    let whole = visit(&h, &present);
    let other = resident(h.institution, 2);
    let others = card(h.institution, other.id, "0000000002");
    let (other_resident, other_card) = (other.id, others.id);
    store.record_resident(other, Vec::new(), None, act("resident.register")).await.unwrap();
    store.record_card(others, act("card.register")).await.unwrap();
    let size = store.log_size();
    let another = NewSession {
        digest: [6; 32],
        identity: h.doctor,
        certificate: SERIAL.into(),
        opened_at: NOW,
        expires_at: NOW + Duration::hours(8),
        address: "192.0.2.7".into(),
        lease: None,
    };
    store.record_session_opened(another, act("session.open")).await.unwrap();
    #[rustfmt::skip]
    let cases = [
        ("an unknown presence", NewVisit { presence: PresenceId::generate(), ..whole.clone() }),
        ("somebody else's session", NewVisit { session: [6; 32], ..whole.clone() }),
        ("another card", NewVisit { evidence: Evidence::Card(other_card), ..whole.clone() }),
        ("another resident", NewVisit { resident: other_resident, ..whole.clone() }),
    ];
    for (case, wrong) in cases {
        let refused = store.record_visit_opened(wrong, act("visit.open")).await;
        assert!(matches!(refused, Err(StoreError::NotFound(Record::Presence))), "{case}");
    }
    let over = NewVisit { opened_at: present.expires_at, ..whole.clone() };
    let refused = store.record_visit_opened(over, act("visit.open")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::PresenceOver))));
    store.record_visit_opened(whole.clone(), act("visit.open")).await.unwrap();
    let second = NewVisit { id: VisitId::generate(), ..whole };
    let refused = store.record_visit_opened(second, act("visit.open")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::PresenceUsed))));
    assert_eq!(store.log_size(), size + 2, "a refused fact leaves no leaf");
}

#[tokio::test]
async fn what_came_first_wins_over_a_presence() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let present = present(&store, &h).await;
    let change = |what| store.record_card_act(h.card, what, NOW, act("card.change"));
    change(CardAct::ReportLoss).await.unwrap();
    let refused = store.record_visit_opened(visit(&h, &present), act("visit.open")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::CardStatus))));
    let again = presence(h.card, h.resident);
    let refused = store.record_presence(again.clone(), act("card.read")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::CardStatus))));
    change(CardAct::Release).await.unwrap();
    let refused = Presence { evidence: Evidence::Card(CardId::generate()), ..again.clone() };
    let refused = store.record_presence(refused, act("card.read")).await;
    assert!(matches!(refused, Err(StoreError::NotFound(Record::Card))));
    // A visit that was refused did not use the presence up; closing the session ends all of it.
    store.record_visit_opened(visit(&h, &present), act("visit.open")).await.unwrap();
    store.record_presence(again.clone(), act("card.read")).await.unwrap();
    store.record_session_closed(&SESSION, NOW, act("session.close")).await.unwrap();
    let refused = store.record_visit_opened(visit(&h, &again), act("visit.open")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::SessionClosed))));
    let more = presence(h.card, h.resident);
    let refused = store.record_presence(more, act("card.read")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::SessionClosed))));
}

#[tokio::test]
async fn a_presence_stands_for_the_resident_until_it_is_over() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    // The one that the hospital's visit used.
    let end = NOW + Duration::minutes(2);
    #[rustfmt::skip]
    let cases = [
        ("used, and in time", SESSION, h.resident, end - Duration::microseconds(1), true),
        ("over", SESSION, h.resident, end, false),
        ("another session", [6; 32], h.resident, NOW, false),
        ("another resident", SESSION, ResidentId::generate(), NOW, false),
    ];
    for (case, session, resident, now, stands) in cases {
        assert_eq!(store.has_presence(session, resident, now).await.unwrap(), stands, "{case}");
    }
}

#[tokio::test]
async fn presences_that_are_over_are_deleted() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(present(&store, &h).await.id);
    }
    let count = || {
        store.read(|db| Ok(db.query_row("SELECT count(*) FROM presence", [], |row| row.get(0))?))
    };
    let before: u32 = count().await.unwrap();
    assert_eq!(before, 41);
    let later = NOW + Duration::minutes(2);
    // A bounded number with each of the next, and never one that still stands.
    for left in [41 - 32 + 1, 2, 3] {
        let next = Presence {
            id: PresenceId::generate(),
            read_at: later,
            expires_at: later + Duration::minutes(2),
            ..presence(h.card, h.resident)
        };
        store.record_presence(next, act("card.read")).await.unwrap();
        let found: u32 = count().await.unwrap();
        assert_eq!(found, left);
    }
    for id in ids {
        assert_eq!(store.presence(id).await.unwrap(), None);
    }
    assert!(store.visit(h.visit).await.unwrap().is_some(), "what rested on them stays");
}
