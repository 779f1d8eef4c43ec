//! Changes of cards that two persons make.

use super::{
    card_life::{in_state, later},
    *,
};
use crate::card_life::{LiftingCause, Refusal, ReplacementCause};

const LOSS: Duration = Duration::days(15);

/// A colleague of the hospital's doctor.
async fn colleague(store: &Store, h: &Hospital) -> IdentityId {
    let colleague = identity(h.institution, "D2");
    let id = colleague.id;
    store.record_identity(colleague, act("identity.register")).await.unwrap();
    id
}

fn replacement(h: &Hospital, serial: &str, at: UtcTime) -> NewCardChange {
    NewCardChange {
        id: ChangeId::generate(),
        card: h.card,
        institution: h.institution,
        order: CardOrder::Replace { chip: chip(serial), cause: ReplacementCause::Lost },
        entered_by: h.doctor,
        entered_at: at,
        expires_at: at + Duration::hours(72),
    }
}

fn approval(change: &NewCardChange, by: IdentityId, at: UtcTime) -> Review {
    let verdict = Verdict::Approve { new_card: CardId::generate() };
    Review { change: change.id, by, at, verdict }
}

#[tokio::test]
async fn a_replacement_takes_two_persons_and_the_time_of_a_loss() {
    let place = Place::new();
    let store = place.open();
    let h = in_state(&store, CardStatus::Lost).await;
    let colleague = colleague(&store, &h).await;
    let early = replacement(&h, "0000000002", later(15) - Duration::seconds(1));
    let refused = store.record_card_change(early, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::LossRecent))));

    let change = replacement(&h, "0000000002", later(15));
    store.record_card_change(change.clone(), LOSS, act("card.replace")).await.unwrap();
    let another = replacement(&h, "0000000003", later(15));
    let refused = store.record_card_change(another, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::PendingChange))));
    let same = approval(&change, h.doctor, later(16));
    let refused = store.record_card_change_reviewed(same, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::SamePerson))));
    let late = approval(&change, colleague, later(18));
    let refused = store.record_card_change_reviewed(late, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::ChangeOver))));
    // Nothing of that changed anything.
    assert_eq!(store.card(h.card).await.unwrap().unwrap().status, CardStatus::Lost);
    let pending = store.pending_card_changes(h.institution, later(16), None, 10).await.unwrap();
    assert_eq!(pending, [CardChange { entered: change.clone(), state: ChangeState::Pending }]);
    let over = store.pending_card_changes(h.institution, later(18), None, 10).await.unwrap();
    assert_eq!(over, []);

    let review = approval(&change, colleague, later(16));
    let Verdict::Approve { new_card } = review.verdict else { unreachable!("an approval") };
    store.record_card_change_reviewed(review.clone(), LOSS, act("card.review")).await.unwrap();
    assert_eq!(store.card(h.card).await.unwrap().unwrap().status, CardStatus::Cancelled);
    let new = store.card(new_card).await.unwrap().unwrap();
    assert_eq!((new.status, new.replaces), (CardStatus::PreIssued, Some(h.card)));
    assert_eq!((new.resident, new.chip), (h.resident, Some(chip("0000000002"))));
    let approved = ChangeState::Approved { by: colleague, at: later(16), made: Some(new_card) };
    assert_eq!(store.card_change(change.id).await.unwrap().unwrap().state, approved);
    let refused = store.record_card_change_reviewed(review, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::ChangeOver))));
    let again = replacement(&h, "0000000003", later(17));
    let refused = store.record_card_change(again, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::Replacement))));
}

#[tokio::test]
async fn a_replacement_is_refused_where_it_cannot_be() {
    for status in CardStatus::ALL {
        let place = Place::new();
        let store = place.open();
        let h = in_state(&store, *status).await;
        let change = replacement(&h, "0000000007", later(20));
        let answer = store.record_card_change(change, LOSS, act("a")).await;
        match status.after(CardAct::Replace) {
            Ok(_) => assert!(answer.is_ok(), "{status}"),
            Err(refusal) => assert!(
                matches!(answer, Err(StoreError::Conflict(Obstacle::CardState(it))) if it == refusal),
                "{status}"
            ),
        }
    }
    let place = Place::new();
    let store = place.open();
    let h = in_state(&store, CardStatus::Cancelled).await;
    let taken = replacement(&h, "0000000001", NOW);
    let refused = store.record_card_change(taken, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Duplicate(Unique::ChipSerial))));
    let in_force = card(h.institution, h.resident, "0000000002");
    store.record_card(in_force, act("card.register")).await.unwrap();
    let refused = store.record_card_change(replacement(&h, "0000000003", NOW), LOSS, act("a"));
    assert!(matches!(refused.await, Err(StoreError::Duplicate(Unique::ActiveCard))));
}

#[tokio::test]
async fn what_was_rejected_or_came_too_late_makes_room() {
    let place = Place::new();
    let store = place.open();
    let h = in_state(&store, CardStatus::Cancelled).await;
    let colleague = colleague(&store, &h).await;
    let first = replacement(&h, "0000000002", NOW);
    store.record_card_change(first.clone(), LOSS, act("card.replace")).await.unwrap();
    let why = "芯片序列号有误".to_owned();
    let review = Review {
        change: first.id,
        by: colleague,
        at: later(1),
        verdict: Verdict::Reject { why: why.clone() },
    };
    store.record_card_change_reviewed(review, LOSS, act("card.review")).await.unwrap();
    let rejected = ChangeState::Rejected { by: colleague, at: later(1), why };
    assert_eq!(store.card_change(first.id).await.unwrap().unwrap().state, rejected);

    let second = replacement(&h, "0000000002", later(2));
    store.record_card_change(second.clone(), LOSS, act("card.replace")).await.unwrap();
    let third = replacement(&h, "0000000002", later(5));
    store.record_card_change(third.clone(), LOSS, act("card.replace")).await.unwrap();
    let second = store.card_change(second.id).await.unwrap().unwrap();
    assert_eq!(second.state, ChangeState::Expired);
    let review = approval(&third, colleague, later(5));
    store.record_card_change_reviewed(review, LOSS, act("card.review")).await.unwrap();
}

#[tokio::test]
async fn a_card_comes_off_the_blacklist_frozen_and_by_two_persons() {
    let place = Place::new();
    let store = place.open();
    let h = in_state(&store, CardStatus::Blacklisted).await;
    let colleague = colleague(&store, &h).await;
    let order = CardOrder::Unblacklist { cause: LiftingCause::Mistake };
    let change = NewCardChange { order, ..replacement(&h, "0000000002", NOW) };
    store.record_card_change(change.clone(), LOSS, act("card.unblacklist")).await.unwrap();
    let same = approval(&change, h.doctor, NOW);
    let refused = store.record_card_change_reviewed(same, LOSS, act("a")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::SamePerson))));
    let review = approval(&change, colleague, NOW);
    store.record_card_change_reviewed(review, LOSS, act("card.review")).await.unwrap();
    assert_eq!(store.card(h.card).await.unwrap().unwrap().status, CardStatus::Frozen);
    let refused = store.record_card_change(
        NewCardChange { id: ChangeId::generate(), ..change },
        LOSS,
        act("a"),
    );
    assert!(matches!(refused.await, Err(StoreError::Conflict(Obstacle::CardState(_)))));
}

#[tokio::test]
async fn a_card_that_changed_before_its_review_keeps_what_it_is() {
    let place = Place::new();
    let store = place.open();
    let h = in_state(&store, CardStatus::Lost).await;
    let colleague = colleague(&store, &h).await;
    let change = replacement(&h, "0000000002", later(20));
    store.record_card_change(change.clone(), LOSS, act("card.replace")).await.unwrap();
    store.record_card_act(h.card, CardAct::Release, later(20), act("a")).await.unwrap();
    let review = approval(&change, colleague, later(20));
    let refused = store.record_card_change_reviewed(review, LOSS, act("card.review")).await;
    let expected = Refusal::Is(CardStatus::Active);
    assert!(
        matches!(refused, Err(StoreError::Conflict(Obstacle::CardState(it))) if it == expected)
    );
    assert_eq!(store.card(h.card).await.unwrap().unwrap().status, CardStatus::Active);
    assert_eq!(store.card_by_chip("0000000002").await.unwrap(), None);
}
