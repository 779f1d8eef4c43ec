//! A chip is bound to a row before it is written, and a row has one card.

use super::*;

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
    let checked = Checked::Good { id_number_index: [index; 32], sealed_row: vec![7; 99] };
    NewRow { number, digest: [number as u8; 32], checked }
}

async fn hand_in(store: &Store, batch: BatchId, rows: Vec<NewRow>) -> Result<Receipt, StoreError> {
    store.record_batch_rows(batch, rows, "id_number:DUPLICATE".to_owned(), act("card.batch")).await
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
    let refused = Some("id_number:HAS_CARD".to_owned());
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
