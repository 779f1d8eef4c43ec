//! The list of cards that are not to be served, as it is kept.

use card::status_list::{Entry as Listed, Level, Listing, Reason, Tag};

use super::*;

const LOST: Listing = Listing { level: Level::Black, reason: Reason::Loss };
const FROZEN: Listing = Listing { level: Level::Grey, reason: Reason::Frozen };

fn issue(number: u64) -> ListIssue {
    ListIssue { number, issued_at: NOW, salt: [1; 16], key_id: [2; 32], signature: [3; 64] }
}

fn tag(number: u8) -> Tag {
    Tag([number; 12])
}

async fn record(store: &Store, number: u64, changes: &[ListChange]) -> Result<Receipt, StoreError> {
    let changes = changes.to_vec();
    store.record_card_list(issue(number), changes, Vec::new(), act("card-list.issue")).await
}

#[tokio::test]
async fn lists_follow_one_another_and_the_way_from_each_is_known() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(store.card_list().await.unwrap(), None);
    let refused = record(&store, 2, &[]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::OtherCardList))));
    record(&store, 1, &[(tag(1), Some(LOST)), (tag(2), Some(LOST))]).await.unwrap();
    let twice = record(&store, 1, &[]).await;
    assert!(matches!(twice, Err(StoreError::Conflict(Obstacle::OtherCardList))));
    record(&store, 2, &[(tag(1), None), (tag(2), Some(FROZEN))]).await.unwrap();
    record(&store, 3, &[(tag(1), Some(FROZEN)), (tag(3), Some(LOST))]).await.unwrap();

    let (newest, mut entries) = store.card_list().await.unwrap().unwrap();
    assert_eq!(newest, issue(3));
    entries.sort_by_key(|entry| entry.tag);
    let listed = |number, listing| Listed { tag: tag(number), listing };
    assert_eq!(entries, [listed(1, FROZEN), listed(2, FROZEN), listed(3, LOST)]);
    let between = async |number, later| store.card_list_before(number, later).await.unwrap();
    let before = async |number| between(number, 3).await;
    assert_eq!(
        before(1).await,
        Some(vec![(tag(1), Some(LOST)), (tag(2), Some(LOST)), (tag(3), None)])
    );
    assert_eq!(before(2).await, Some(vec![(tag(1), None), (tag(3), None)]));
    assert_eq!(before(3).await, Some(vec![]));
    // While a list is made, the one before it is still the newest.
    assert_eq!(between(1, 2).await, Some(vec![(tag(1), Some(LOST)), (tag(2), Some(LOST))]),);
    assert_eq!((before(0).await, before(4).await, before(u64::MAX).await), (None, None, None));
}

#[tokio::test]
async fn a_card_is_due_until_a_list_tells_its_state() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    assert_eq!(store.changed_cards(10).await.unwrap(), [], "a card in force is on no list");
    let change = async |what| {
        store.record_card_act(h.card, what, NOW, act("card.change")).await.unwrap();
    };
    change(CardAct::ReportLoss).await;
    let due = store.changed_cards(10).await.unwrap();
    let lost = |status| ChangedCard { id: h.card, chip_serial: "0000000001".into(), status };
    assert_eq!(due, [lost(CardStatus::Lost)]);
    // It changes again while the list is being made.
    change(CardAct::Release).await;
    store.record_card_list(issue(1), vec![], due, act("card-list.issue")).await.unwrap();
    let due = store.changed_cards(10).await.unwrap();
    assert_eq!(due, [lost(CardStatus::Active)]);
    store.record_card_list(issue(2), vec![], due, act("card-list.issue")).await.unwrap();
    assert_eq!(store.changed_cards(10).await.unwrap(), []);
    // What changes nothing in the list is not due.
    store.record_card_renewal(h.card, time::macros::date!(2040 - 01 - 01), act("a")).await.unwrap();
    assert_eq!(store.changed_cards(10).await.unwrap(), []);
}
