//! A chip is bound to a row before it is written, and a row has one card.

use super::{bindings::binding, *};
use crate::{likeness::Rule, vocabulary::Abandonment};

const FACTOR: [u8; 8] = *b"00000011";
const OTHER: [u8; 8] = *b"00000022";

async fn batch(store: &Store, institution: InstitutionId, rows: u32) -> BatchId {
    let id = BatchId::generate();
    let batch = NewBatch {
        id,
        institution,
        input_digest: [1; 32],
        rows,
        profile: card::layout::Profile::Reduced,
        wrapped_key: vec![2; 44],
        issuer_code: Some("1".repeat(22)),
        opened_at: NOW,
    };
    store.record_batch_opened(batch, act("card.batch")).await.unwrap();
    id
}

fn good(number: u32, index: u8) -> NewRow {
    alike(number, index, &[])
}

/// A row whose person is compared by these.
fn alike(number: u32, index: u8, likenesses: &[Likeness]) -> NewRow {
    let checked = Checked::Good {
        id_number_index: [index; 32],
        sealed_row: vec![7; 99],
        likenesses: likenesses.to_vec(),
        alike: Vec::new(),
    };
    NewRow { number, digest: [number as u8; 32], checked }
}

const WORDS: RowWords =
    RowWords { duplicate: || "id_number:DUPLICATE".to_owned(), alike: |_| "name:ALIKE".to_owned() };
const BORN: Likeness = Likeness { rule: Rule::NameAndBirthDate, digest: [40; 32] };

async fn hand_in(store: &Store, batch: BatchId, rows: Vec<NewRow>) -> Result<Receipt, StoreError> {
    store.record_batch_rows(batch, rows, WORDS, act("card.batch")).await
}

fn begun(batch: BatchId, row: u32, factor: [u8; 8], instead_of: Option<[u8; 8]>) -> Begun {
    let chip_serial = format!("{:010}", u64::from(factor[7]));
    Begun { batch, row, factor, chip_serial, instead_of, at: NOW }
}

async fn begin(store: &Store, begun: Begun) -> Result<Receipt, StoreError> {
    store.record_card_begun(begun, act("card.issue")).await
}

fn made(batch: BatchId, row: u32, resident: Resident, factor: [u8; 8]) -> MadeCard {
    let chip = Chip { serial: format!("{:010}", factor[7]), factor, ..chip("0000000000") };
    let institution = resident.institution;
    let card = NewCard { chip, ..card(institution, resident.id, "0000000000") };
    MadeCard {
        batch,
        row,
        resident: Some((resident, Vec::new())),
        card,
        applied: false,
        transcript: [8; 32],
    }
}

async fn issue(store: &Store, made: MadeCard) -> Result<Receipt, StoreError> {
    store.record_batch_card(made, act("card.issue")).await
}

async fn states(store: &Store, batch: BatchId) -> Vec<RowState> {
    store.batch_rows(batch).await.unwrap().into_iter().map(|row| row.state).collect()
}

#[tokio::test]
async fn a_person_stands_in_one_row_and_a_row_is_handed_in_once() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let id = batch(&store, h.institution, 3).await;
    hand_in(&store, id, vec![good(1, 50), good(2, 50), good(3, 51)]).await.unwrap();
    let rows = store.batch_rows(id).await.unwrap();
    assert_eq!(rows[1].reasons.as_deref(), Some("id_number:DUPLICATE"));
    assert_eq!(states(&store, id).await, [RowState::Waiting, RowState::Refused, RowState::Waiting]);
    let again = hand_in(&store, id, vec![good(3, 52)]).await;
    assert!(matches!(again, Err(StoreError::Duplicate(Unique::Id))), "{again:?}");
    // Of refused rows nothing personal is kept.
    assert_eq!(store.sealed_batch_row(id, 2).await.unwrap(), None);
}

#[tokio::test]
async fn a_row_is_one_card_and_a_chip_is_one_row() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let id = batch(&store, h.institution, 2).await;
    hand_in(&store, id, vec![good(1, 50), good(2, 51)]).await.unwrap();
    begin(&store, begun(id, 1, FACTOR, None)).await.unwrap();
    // The row is begun, and so is the chip.
    let row = begin(&store, begun(id, 1, OTHER, None)).await;
    assert!(matches!(row, Err(StoreError::Conflict(Obstacle::RowState))), "{row:?}");
    let chip = begin(&store, begun(id, 2, FACTOR, None)).await;
    assert!(matches!(chip, Err(StoreError::Duplicate(_))), "{chip:?}");
    // Nothing goes on record for a chip that the row is not begun on.
    let wrong = issue(&store, made(id, 1, resident(h.institution, 50), OTHER)).await;
    assert!(matches!(wrong, Err(StoreError::Conflict(Obstacle::RowState))), "{wrong:?}");
    issue(&store, made(id, 1, resident(h.institution, 50), FACTOR)).await.unwrap();
    let twice = issue(&store, made(id, 1, resident(h.institution, 52), FACTOR)).await;
    assert!(twice.is_err(), "the row has its card");
    assert_eq!(states(&store, id).await, [RowState::Issued, RowState::Waiting]);
    assert_eq!(store.sealed_batch_row(id, 1).await.unwrap(), None, "the row forgot the person");

    // A chip that does not come back gives its row to another.
    begin(&store, begun(id, 2, OTHER, None)).await.unwrap();
    let third = *b"00000033";
    begin(&store, begun(id, 2, third, Some(OTHER))).await.unwrap();
    assert_eq!(store.batch_chip(OTHER).await.unwrap().unwrap().state, ChipState::Spoiled);
    let late = issue(&store, made(id, 2, resident(h.institution, 51), OTHER)).await;
    assert!(matches!(late, Err(StoreError::Conflict(Obstacle::RowState))), "{late:?}");
    issue(&store, made(id, 2, resident(h.institution, 51), third)).await.unwrap();
}

#[tokio::test]
async fn a_chip_is_listed_from_the_moment_a_card_is_begun_on_it() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let id = batch(&store, h.institution, 2).await;
    hand_in(&store, id, vec![good(1, 50), good(2, 51)]).await.unwrap();
    // What is due now, which a list then tells.
    let mut last = None;
    let mut due = async || {
        let due = store.changed_chips(10).await.unwrap();
        let number = last.unwrap_or(0) + 1;
        let issue = ListIssue {
            number,
            issued_at: NOW,
            salt: [1; 16],
            key_id: [2; 32],
            signature: [3; 64],
        };
        let (told, entry) = (due.clone(), act("card-list.issue"));
        store.record_card_list(last.replace(number), issue, vec![], told, entry).await.unwrap();
        due
    };
    let [first, second, third] = ["0000000049", "0000000050", "0000000051"];
    let (waits, gone) = (Some(CardStatus::PreIssued), Some(CardStatus::Cancelled));

    begin(&store, begun(id, 1, FACTOR, None)).await.unwrap();
    assert_eq!(due().await, [changed_chip(first, waits)]);
    // Its row goes on with another chip: the one that was written on may be whole, and is nobody's card.
    begin(&store, begun(id, 1, OTHER, Some(FACTOR))).await.unwrap();
    assert_eq!(due().await, [changed_chip(first, gone), changed_chip(second, waits)]);
    issue(&store, made(id, 1, resident(h.institution, 50), OTHER)).await.unwrap();
    assert_eq!(due().await, [changed_chip(second, None)], "its card is in force");
    let spoiled = *b"00000033";
    begin(&store, begun(id, 2, spoiled, None)).await.unwrap();
    store.record_card_spoiled((id, 2, spoiled), None, NOW, act("card.issue")).await.unwrap();
    assert_eq!(due().await, [changed_chip(third, gone)]);
    assert_eq!(due().await, []);
}

#[tokio::test]
async fn a_batch_is_closed_when_every_row_is_done() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let id = batch(&store, h.institution, 1).await;
    let close = |store: &Store| {
        let (store, manifest) = (store.clone(), "manifest".to_owned());
        async move { store.record_batch_closed(id, manifest, NOW, act("card.batch")).await }
    };
    assert!(matches!(close(&store).await, Err(StoreError::Conflict(Obstacle::RowState))));
    hand_in(&store, id, vec![good(1, 50)]).await.unwrap();
    begin(&store, begun(id, 1, FACTOR, None)).await.unwrap();
    let refused = Some(Stop::Refused("id_number:HAS_CARD".to_owned()));
    let spoiled = store.record_card_spoiled((id, 1, FACTOR), refused, NOW, act("card.issue")).await;
    spoiled.unwrap();
    close(&store).await.unwrap();
    let batch = store.batch(id).await.unwrap().unwrap();
    assert_eq!((batch.manifest.as_deref(), batch.wrapped_key), (Some("manifest"), None));
    assert_eq!(store.spoiled_chips(id).await.unwrap(), [("0000000049".to_owned(), 1)]);
    let over = close(&store).await;
    assert!(matches!(over, Err(StoreError::Conflict(Obstacle::BatchClosed))), "{over:?}");
    let over = hand_in(&store, id, vec![good(2, 51)]).await;
    assert!(matches!(over, Err(StoreError::Conflict(Obstacle::BatchClosed))), "{over:?}");
}

#[tokio::test]
async fn who_has_a_card_gets_no_second_one() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    assert!(store.has_card(h.resident).await.unwrap());
    let id = batch(&store, h.institution, 1).await;
    hand_in(&store, id, vec![good(1, 50)]).await.unwrap();
    begin(&store, begun(id, 1, FACTOR, None)).await.unwrap();
    let order = made(id, 1, resident(h.institution, 50), FACTOR);
    let order =
        MadeCard { resident: None, card: NewCard { resident: h.resident, ..order.card }, ..order };
    let second = issue(&store, order).await;
    assert!(matches!(second, Err(StoreError::Duplicate(Unique::ActiveCard))), "{second:?}");
    assert_eq!(states(&store, id).await, [RowState::Writing]);
}

#[tokio::test]
async fn a_row_is_held_while_somebody_looks_like_its_person() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let id = batch(&store, h.institution, 3).await;
    let phone = Likeness { rule: Rule::NameAndPhone, digest: BORN.digest };
    let rows = vec![alike(1, 50, &[BORN]), alike(2, 51, &[BORN]), alike(3, 52, &[phone])];
    hand_in(&store, id, rows).await.unwrap();
    // The first of two goes on; digests are compared within their rule alone.
    let (waiting, held, issued) = (RowState::Waiting, RowState::Held, RowState::Issued);
    assert_eq!(states(&store, id).await, [waiting, held, waiting]);
    let row = store.batch_rows_between(id, 2, 2).await.unwrap().remove(0);
    assert_eq!(row.reasons.as_deref(), Some("name:ALIKE"));
    let early = begin(&store, begun(id, 2, FACTOR, None)).await;
    assert!(matches!(early, Err(StoreError::Conflict(Obstacle::RowState))), "{early:?}");

    // With the first on record, the other is held still, and waits once staff have decided.
    begin(&store, begun(id, 1, FACTOR, None)).await.unwrap();
    let mut first = made(id, 1, resident(h.institution, 50), FACTOR);
    first.resident.as_mut().unwrap().1 = vec![BORN];
    issue(&store, first).await.unwrap();
    let alike = store.alike_on_record(vec![BORN], None).await.unwrap();
    assert_eq!(alike, [Rule::NameAndBirthDate]);
    let review = async |reviewed| {
        store.record_rows_reviewed(id, vec![(2, reviewed)], WORDS, act("card.batch")).await
    };
    review(Reviewed::Good { likenesses: vec![BORN], alike }).await.unwrap();
    assert_eq!(states(&store, id).await, [issued, held, waiting]);
    review(Reviewed::Good { likenesses: Vec::new(), alike: Vec::new() }).await.unwrap();
    assert_eq!(states(&store, id).await, [issued, waiting, waiting]);
    let twice = review(Reviewed::Refused("id_number:HAS_CARD".to_owned())).await;
    assert!(matches!(twice, Err(StoreError::Conflict(Obstacle::RowState))), "{twice:?}");

    // Whoever comes on record while a card is made does not become a second record of it.
    begin(&store, begun(id, 3, OTHER, None)).await.unwrap();
    let mut third = made(id, 3, resident(h.institution, 52), OTHER);
    third.resident.as_mut().unwrap().1 = vec![BORN];
    let late = issue(&store, third).await;
    assert!(matches!(late, Err(StoreError::Conflict(Obstacle::LookAlike))), "{late:?}");
    let stop = || Stop::Held("name:ALIKE".to_owned());
    store.record_card_spoiled((id, 3, OTHER), Some(stop()), NOW, act("card.issue")).await.unwrap();
    assert_eq!(states(&store, id).await, [issued, waiting, held]);
    let refused = store.record_row_stopped(id, 3, stop(), act("card.batch")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::RowState))), "{refused:?}");
    // One that waits is stopped, and forgets its person when it makes no card.
    let stop = Stop::Refused("name:NAME_DIFFERS".to_owned());
    store.record_row_stopped(id, 2, stop, act("card.batch")).await.unwrap();
    assert_eq!(states(&store, id).await, [issued, RowState::Refused, held]);
    assert_eq!(store.sealed_batch_row(id, 2).await.unwrap(), None);
}

#[tokio::test]
async fn a_number_is_shared_unless_it_is_bound_to_the_person_as_well() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let number = Likeness { rule: Rule::Number, digest: [60; 32] };
    let other = resident(h.institution, 61);
    let other_id = other.id;
    store.record_resident(other, Vec::new(), None, act("resident.register")).await.unwrap();
    let alike = async |own| store.alike_on_record(vec![number], own).await.unwrap();
    assert!(alike(None).await.is_empty());
    let bound = binding(&h, h.resident, number.digest[0]);
    store.record_bound(bound, None, act("number.bind")).await.unwrap();
    assert_eq!(alike(None).await, [Rule::Number]);
    assert_eq!(alike(Some(other_id)).await, [Rule::Number]);
    assert!(alike(Some(h.resident)).await.is_empty());
}

#[tokio::test]
async fn sessions_of_a_half_made_card_are_counted_and_their_digest_is_kept() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let id = batch(&store, h.institution, 1).await;
    hand_in(&store, id, vec![good(1, 50)]).await.unwrap();
    begin(&store, begun(id, 1, FACTOR, None)).await.unwrap();
    let place = (id, 1, FACTOR);
    let row = async || {
        let row = store.batch_rows_between(id, 1, 1).await.unwrap().remove(0);
        (row.sessions, row.transcript)
    };
    assert_eq!(row().await, (1, None));
    store.record_card_interrupted(place, [5; 32], act("card.issue")).await.unwrap();
    store.record_card_resumed(place, act("card.issue")).await.unwrap();
    assert_eq!(row().await, (2, Some([5; 32])));
    for wrong in [(id, 1, OTHER), (id, 2, FACTOR)] {
        let refused = store.record_card_resumed(wrong, act("card.issue")).await;
        assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::RowState))), "{refused:?}");
    }
    // Another chip begins anew.
    begin(&store, begun(id, 1, OTHER, Some(FACTOR))).await.unwrap();
    assert_eq!(row().await, (1, None));
}

#[tokio::test]
async fn a_batch_that_is_given_up_keeps_nothing_of_its_other_rows() {
    let place = Place::new();
    let store = place.open();
    let h = hospital(&store).await;
    let id = batch(&store, h.institution, 4).await;
    hand_in(&store, id, vec![good(1, 50), alike(2, 51, &[BORN]), alike(3, 52, &[BORN])])
        .await
        .unwrap();
    begin(&store, begun(id, 1, FACTOR, None)).await.unwrap();
    issue(&store, made(id, 1, resident(h.institution, 50), FACTOR)).await.unwrap();
    begin(&store, begun(id, 2, OTHER, None)).await.unwrap();
    let abandon = async |rows: &[u32], on_record| {
        let order = Abandoned {
            batch: id,
            why: Abandonment::NoBlanks,
            rows: rows.iter().map(|row| (*row, "row:ABANDONED".to_owned())).collect(),
            on_record,
            manifest: "manifest".to_owned(),
            at: NOW,
        };
        store.record_batch_abandoned(order, act("card.abandon")).await
    };
    // What the manifest says must be so.
    for (rows, on_record) in [(&[2][..], 3), (&[2, 3], 4), (&[1, 3], 3)] {
        let refused = abandon(rows, on_record).await;
        assert!(matches!(refused, Err(StoreError::Conflict(Obstacle::RowState))), "{refused:?}");
    }
    abandon(&[2, 3], 3).await.unwrap();
    let (issued, refused) = (RowState::Issued, RowState::Refused);
    assert_eq!(states(&store, id).await, [issued, refused, refused]);
    assert_eq!(store.sealed_batch_row(id, 3).await.unwrap(), None);
    assert_eq!(store.batch_chip(OTHER).await.unwrap().unwrap().state, ChipState::Spoiled);
    let given_up = changed_chip("0000000050", Some(CardStatus::Cancelled));
    assert!(store.changed_chips(10).await.unwrap().contains(&given_up));
    let batch = store.batch(id).await.unwrap().unwrap();
    assert_eq!((batch.abandoned, batch.wrapped_key), (Some(Abandonment::NoBlanks), None));
    let over = abandon(&[], 3).await;
    assert!(matches!(over, Err(StoreError::Conflict(Obstacle::BatchClosed))), "{over:?}");
}
