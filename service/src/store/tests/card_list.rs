//! The list of cards that are not to be served, as it is kept.

use card::status_list::{Entry as Listed, Level, Listing, Reason, Tag};

use super::*;

const LOST: Listing = Listing { level: Level::Black, reason: Reason::Loss };
const FROZEN: Listing = Listing { level: Level::Grey, reason: Reason::Frozen };

/// The numbers of three lists.
const LISTS: [u64; 3] = [10, 11, 20];

fn issue(number: u64) -> ListIssue {
    ListIssue { number, issued_at: NOW, salt: [1; 16], key_id: [2; 32], signature: [3; 64] }
}

fn tag(number: u8) -> Tag {
    Tag([number; 12])
}

async fn record(
    store: &Store,
    before: Option<u64>,
    number: u64,
    changes: &[ListChange],
) -> Result<Receipt, StoreError> {
    let (changes, told) = (changes.to_vec(), Vec::new());
    store.record_card_list(before, issue(number), changes, told, act("card-list.issue")).await
}

#[tokio::test]
async fn lists_follow_one_another_and_the_way_from_each_is_known() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(store.card_list().await.unwrap(), None);
    let [first, second, third] = LISTS;
    let refused = async |before, number| {
        let refused = record(&store, before, number, &[]).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(Obstacle::OtherCardList))),
            "{number} after {before:?}"
        );
    };
    refused(Some(first), second).await;
    record(&store, None, first, &[(tag(1), Some(LOST)), (tag(2), Some(LOST))]).await.unwrap();
    for (before, number) in [(None, second), (Some(first), first), (Some(first), first - 1)] {
        refused(before, number).await;
    }
    let changes = [(tag(1), None), (tag(2), Some(FROZEN))];
    record(&store, Some(first), second, &changes).await.unwrap();
    let changes = [(tag(1), Some(FROZEN)), (tag(3), Some(LOST))];
    record(&store, Some(second), third, &changes).await.unwrap();

    let (newest, mut entries) = store.card_list().await.unwrap().unwrap();
    assert_eq!(newest, issue(third));
    entries.sort_by_key(|entry| entry.tag);
    let listed = |number, listing| Listed { tag: tag(number), listing };
    assert_eq!(entries, [listed(1, FROZEN), listed(2, FROZEN), listed(3, LOST)]);
    let between = async |number, later| store.card_list_before(number, later).await.unwrap();
    let before = async |number| between(number, third).await;
    assert_eq!(
        before(first).await,
        Some(vec![(tag(1), Some(LOST)), (tag(2), Some(LOST)), (tag(3), None)])
    );
    assert_eq!(before(second).await, Some(vec![(tag(1), None), (tag(3), None)]));
    assert_eq!(before(third).await, Some(vec![]));
    // While a list is made, the one before it is still the newest.
    assert_eq!(
        between(first, second).await,
        Some(vec![(tag(1), Some(LOST)), (tag(2), Some(LOST))])
    );
    for unknown in [0, first - 1, second + 1, third + 1, u64::MAX] {
        assert_eq!(before(unknown).await, None, "{unknown}");
    }
}

#[tokio::test]
async fn a_card_is_due_until_a_list_tells_its_state() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    assert_eq!(store.changed_chips(10).await.unwrap(), [], "a card in force is on no list");
    let change = async |what| {
        store.record_card_act(h.card, what, NOW, act("card.change")).await.unwrap();
    };
    change(CardAct::ReportLoss).await;
    let due = store.changed_chips(10).await.unwrap();
    let lost = |status| changed_chip("0000000001", Some(status));
    assert_eq!(due, [lost(CardStatus::Lost)]);
    // It changes again while the list is being made.
    change(CardAct::Release).await;
    let tell = async |before, number, due| {
        let entry = act("card-list.issue");
        store.record_card_list(before, issue(number), vec![], due, entry).await.unwrap();
    };
    tell(None, 1, due).await;
    let due = store.changed_chips(10).await.unwrap();
    assert_eq!(due, [lost(CardStatus::Active)]);
    tell(Some(1), 2, due).await;
    assert_eq!(store.changed_chips(10).await.unwrap(), []);
    // What changes nothing in the list is not due.
    store.record_card_renewal(h.card, time::macros::date!(2040 - 01 - 01), act("a")).await.unwrap();
    assert_eq!(store.changed_chips(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_card_that_waits_for_its_holder_is_due() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let cancel = async |id| {
        store.record_card_act(id, CardAct::Cancel, NOW, act("card.cancel")).await.unwrap();
    };
    let due = async |serial| {
        let due = store.changed_chips(10).await.unwrap();
        due.into_iter().find(|due| due.serial == serial)
    };
    let waits_for_holder = |serial| Some(changed_chip(serial, Some(CardStatus::PreIssued)));
    cancel(h.card).await;
    let waits = card(h.institution, h.resident, "0000000002");
    let waits = NewCard { activation: Activation::Awaited, ..waits };
    let id = waits.id;
    store.record_card(waits, act("card.register")).await.unwrap();
    assert_eq!(due("0000000002").await, waits_for_holder("0000000002"));
    // So is one that was applied for, once it has a chip to be listed by.
    cancel(id).await;
    let (id, resident, institution) = (CardId::generate(), h.resident, h.institution);
    let new = NewApplication { id, resident, institution, applied_at: NOW };
    store.record_card_applied(new, act("card.apply")).await.unwrap();
    assert_eq!(due("0000000003").await, None);
    let made = chip("0000000003");
    store.record_card_issued(id, h.resident, made, NOW, act("card.register")).await.unwrap();
    assert_eq!(due("0000000003").await, waits_for_holder("0000000003"));
}
