//! A bench where batches of cards are made through `Cards.Issue`: rows, blank cards in several readers, and what the
//! service says of each.

#![expect(clippy::unwrap_used, reason = "a bench ends where something is wrong")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use card::CardFactor;
use card::layout::Profile;
use card_emulator::Card;
use card_emulator::personalise::{blank, transport_master};
use hsm::CardMaster;
use hsm::soft::{Passphrase, SoftKeystore};
use proto::v1::cards_client::CardsClient;
use proto::v1::{
    BatchRow, BlankCard, CardCapacity, CardInserted, CardRemoved, CardResponse, CloseBatch,
    IssueRequest, IssueResponse, OpenBatch, RelayRequest, RowState, RowVerdict, issue_request,
    issue_response, relay_request, slot_step,
};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::grpc::log_in;
use crate::hospital::Hospital;
use crate::relay::{Answer, answer};

/// Readers at the test's bench.
const SLOTS: u32 = 6;

/// An ID number of the region that is assigned to no place, with its check character.
#[must_use]
pub fn id_number(serial: u32) -> String {
    let digits = format!(
        "990000{}{:02}{:02}{:03}",
        1950 + serial % 50,
        1 + serial % 12,
        1 + serial % 28,
        serial % 1000
    );
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = weights.iter().zip(digits.bytes()).map(|(w, d)| w * u32::from(d - b'0')).sum();
    let check = char::from(b"10X98765432"[(sum % 11) as usize]);
    format!("{digits}{check}")
}

/// The ID number of somebody else, born on the day of the one with this serial.
#[must_use]
pub fn alike(serial: u32) -> String {
    id_number(serial + 2100)
}

/// A row that is good, unless something in it is said otherwise.
#[must_use]
pub fn row(number: u32, other: &[(&str, &str)]) -> BatchRow {
    let id = id_number(number);
    let fields = [
        ("name", "测试"),
        ("id_number", id.as_str()),
        ("city", "990000"),
        ("valid_until", "2046-01-01"),
    ];
    let fields =
        fields.iter().chain(other).map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    BatchRow { number, fields: fields.collect(), ..BatchRow::default() }
}

/// Blank cards, and what became of them.
pub struct Stack {
    transport: Arc<dyn CardMaster>,
    next: u32,
    /// What the next new cards have room for; 32K once it is used up.
    pub profiles: VecDeque<Profile>,
    /// Cards that were pulled out and come back before new ones.
    pub back: VecDeque<Card>,
    /// Cards that were pulled out and thrown away.
    pub lost: Vec<Card>,
    /// Cards that are whole.
    pub made: Vec<Card>,
}

impl Stack {
    /// Blank cards with the transport key of the hospital's keystore.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn new(hospital: &Hospital) -> Self {
        let data = hospital.stage.path("data");
        let passphrase = Passphrase::from_file(&hospital.stage.path("passphrase")).unwrap();
        let keystore = SoftKeystore::open(&data.join("keystore.hck"), &passphrase).unwrap();
        let transport = transport_master(&keystore).unwrap();
        Self {
            transport,
            next: 0,
            profiles: VecDeque::new(),
            back: VecDeque::new(),
            lost: Vec::new(),
            made: Vec::new(),
        }
    }

    /// The next card to put in.
    ///
    /// # Panics
    /// When its key does not derive.
    pub fn take(&mut self) -> Card {
        if let Some(mut card) = self.back.pop_front() {
            card.reset();
            return card;
        }
        self.next += 1;
        let factor = (0x9901_0001_0000_0000 + u64::from(self.next)).to_be_bytes();
        let profile = self.profiles.pop_front().unwrap_or_default();
        let image = blank(CardFactor(factor), profile, &*self.transport).unwrap();
        let mut start = u64::from(self.next) << 32;
        Card::new(
            image,
            Box::new(move |challenge| {
                start += 1;
                *challenge = start.to_be_bytes();
            }),
        )
    }

    /// Cards that were in readers when the lights went out: some come back, some do not.
    fn cut_off(&mut self, cards: impl IntoIterator<Item = Card>) {
        for (at, card) in cards.into_iter().enumerate() {
            if at % 3 == 2 { self.lost.push(card) } else { self.back.push_back(card) }
        }
    }
}

/// One stream of `Cards.Issue`.
pub struct Bench {
    events: mpsc::Sender<IssueRequest>,
    steps: Streaming<IssueResponse>,
    /// How many readers are used.
    pub slots: u32,
    /// Why cards were not made, but for those that came too late for a row or were used.
    pub failures: Vec<String>,
    /// The last verdict over each row.
    pub verdicts: BTreeMap<u32, RowVerdict>,
}

impl Bench {
    /// Opens a batch of 32K cards, or goes on with it, and hands in the rows that are not on record.
    ///
    /// # Errors
    /// What the service says.
    pub async fn open(
        hospital: &Hospital,
        who: &str,
        batch: &str,
        rows: &[BatchRow],
    ) -> Result<Self, Status> {
        Self::open_for(hospital, who, batch, rows, CardCapacity::Unspecified).await
    }

    /// Opens a batch of which only the first rows are handed in, and waits until they are.
    ///
    /// # Errors
    /// What the service says.
    pub async fn open_half(
        hospital: &Hospital,
        who: &str,
        batch: &str,
        rows: &[BatchRow],
        first: usize,
    ) -> Result<Self, Status> {
        let count = rows.len() as u32;
        let capacity = CardCapacity::Unspecified;
        let mut bench =
            Self::begin(hospital, who, batch, (&rows[..first], count), capacity).await?;
        bench.handed_in(first).await?;
        Ok(bench)
    }

    /// The same for cards of any capacity.
    ///
    /// # Errors
    /// What the service says.
    pub async fn open_for(
        hospital: &Hospital,
        who: &str,
        batch: &str,
        rows: &[BatchRow],
        capacity: CardCapacity,
    ) -> Result<Self, Status> {
        Self::begin(hospital, who, batch, (rows, rows.len() as u32), capacity).await
    }

    async fn begin(
        hospital: &Hospital,
        who: &str,
        batch: &str,
        (rows, count): (&[BatchRow], u32),
        capacity: CardCapacity,
    ) -> Result<Self, Status> {
        let caller = log_in(&hospital.stage, who).await;
        let (events, requests) = mpsc::channel(16);
        let open = OpenBatch {
            batch_id: batch.to_owned(),
            input_digest: vec![9; 32],
            rows: count,
            capacity: capacity.into(),
        };
        let event = Some(issue_request::Event::Open(open));
        events.send(IssueRequest { event }).await.unwrap();
        let steps =
            CardsClient::new(caller).issue(ReceiverStream::new(requests)).await?.into_inner();
        let (failures, verdicts) = (Vec::new(), BTreeMap::new());
        let mut bench = Self { events, steps, slots: SLOTS, failures, verdicts };
        let issue_response::Step::State(state) = bench.step().await? else { panic!("no state") };
        let events = bench.events.clone();
        let rows: Vec<BatchRow> = rows[state.handed_in as usize..].to_vec();
        tokio::spawn(async move {
            for row in rows {
                let event = Some(issue_request::Event::Row(row));
                if events.send(IssueRequest { event }).await.is_err() {
                    return;
                }
            }
        });
        Ok(bench)
    }

    /// The next step; verdicts are kept.
    ///
    /// # Errors
    /// What the service says, or that the stream ended.
    ///
    /// # Panics
    /// When it says nothing.
    pub async fn step(&mut self) -> Result<issue_response::Step, Status> {
        let ended = || Status::aborted("the stream ended");
        let step = self.steps.message().await?.ok_or_else(ended)?.step.expect("a step");
        if let issue_response::Step::Verdict(verdict) = &step {
            self.verdicts.insert(verdict.row, verdict.clone());
        }
        Ok(step)
    }

    /// Waits until so many rows have a verdict.
    ///
    /// # Errors
    /// What the service says.
    pub async fn handed_in(&mut self, rows: usize) -> Result<(), Status> {
        while self.verdicts.len() < rows {
            self.step().await?;
        }
        Ok(())
    }

    /// Rows that a card can be made for.
    #[must_use]
    pub fn remaining(&self) -> usize {
        let open = |v: &&RowVerdict| matches!(v.state(), RowState::Waiting | RowState::Writing);
        self.verdicts.values().filter(open).count()
    }

    async fn event(&self, slot: u32, event: relay_request::Event) {
        let event = Some(RelayRequest { event: Some(event) });
        let event = Some(issue_request::Event::Card(BlankCard { slot, row: 0, event }));
        // A stream that has ended says so when it is read.
        let _ = self.events.send(IssueRequest { event }).await;
    }

    /// Puts a card into a reader.
    pub async fn insert(&self, slot: u32, card: &Card) {
        let inserted = CardInserted {
            reader: format!("reader {slot}"),
            atr: card.atr().bytes().to_vec(),
            ..CardInserted::default()
        };
        self.event(slot, relay_request::Event::Inserted(inserted)).await;
    }

    /// Says that the card is out.
    pub async fn remove(&self, slot: u32) {
        self.event(slot, relay_request::Event::Removed(CardRemoved::default())).await;
    }

    /// The next step of a card.
    ///
    /// # Errors
    /// What the service says.
    ///
    /// # Panics
    /// When it says nothing.
    pub async fn card_step(&mut self) -> Result<slot_step::Step, Status> {
        loop {
            if let issue_response::Step::Card(step) = self.step().await? {
                return Ok(step.step.expect("a step"));
            }
        }
    }

    /// Answers at most `most` commands for the one card at the bench, and adds them with their
    /// answers to `talk`; what came of the card, if something did.
    ///
    /// # Errors
    /// What the service says.
    pub async fn answer(
        &mut self,
        card: &mut Card,
        most: usize,
        talk: &mut Vec<Vec<u8>>,
    ) -> Result<Option<slot_step::Step>, Status> {
        for _ in 0..most {
            let command = match self.card_step().await? {
                slot_step::Step::Command(command) => command.command,
                ended => return Ok(Some(ended)),
            };
            let response = self.give(0, card, &command).await;
            talk.extend([command, response]);
        }
        Ok(None)
    }

    /// Has a card answer a command; its answer.
    async fn give(&self, slot: u32, card: &mut Card, command: &[u8]) -> Vec<u8> {
        let Answer::Card(response) = answer(card, command) else { panic!("no answer") };
        let given = CardResponse { response: response.clone(), card_microseconds: 1 };
        self.event(slot, relay_request::Event::Response(given)).await;
        response
    }

    /// Makes cards until no row waits, or `cut` commands were answered; the manifest.
    ///
    /// # Errors
    /// What the service says.
    pub async fn make(
        &mut self,
        stack: &mut Stack,
        cut: Option<u32>,
    ) -> Result<Option<String>, Status> {
        if !self.drive(stack, cut).await? {
            return Ok(None);
        }
        self.close().await.map(Some)
    }

    /// Makes cards until no row waits; `false` when `cut` commands were answered before.
    ///
    /// # Errors
    /// What the service says.
    ///
    /// # Panics
    /// When a step is none of a card's.
    pub async fn drive(&mut self, stack: &mut Stack, cut: Option<u32>) -> Result<bool, Status> {
        let mut slots: BTreeMap<u32, Card> = BTreeMap::new();
        for slot in 0..self.slots.min(self.remaining() as u32) {
            let card = stack.take();
            self.insert(slot, &card).await;
            slots.insert(slot, card);
        }
        let mut commands = 0;
        while !slots.is_empty() {
            let step = match self.step().await {
                Ok(step) => step,
                Err(status) => {
                    stack.cut_off(slots.into_values());
                    return Err(status);
                }
            };
            let issue_response::Step::Card(step) = step else { continue };
            let slot = step.slot;
            match step.step.expect("a step") {
                slot_step::Step::Command(command) => {
                    commands += 1;
                    if cut == Some(commands) {
                        stack.cut_off(slots.into_values());
                        return Ok(false);
                    }
                    let card = slots.get_mut(&slot).expect("a card in the slot");
                    self.give(slot, card, &command.command).await;
                }
                slot_step::Step::Made(_) => {
                    stack.made.push(slots.remove(&slot).unwrap());
                    if self.remaining() > slots.len() {
                        let card = stack.take();
                        self.insert(slot, &card).await;
                        slots.insert(slot, card);
                    }
                }
                // Another card has the last row, or this one is of a stream that is gone.
                slot_step::Step::Failure(failure) => {
                    if !["NO_ROW_WAITS", "CHIP_USED"].contains(&failure.reason.as_str()) {
                        self.failures.push(failure.reason);
                    }
                    stack.lost.push(slots.remove(&slot).unwrap());
                    if self.remaining() > slots.len() {
                        let card = stack.take();
                        self.insert(slot, &card).await;
                        slots.insert(slot, card);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Closes the batch; the manifest.
    ///
    /// # Errors
    /// What the service says.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn close(&mut self) -> Result<String, Status> {
        let event = Some(issue_request::Event::Close(CloseBatch {}));
        self.events.send(IssueRequest { event }).await.unwrap();
        loop {
            if let issue_response::Step::Closed(closed) = self.step().await? {
                return Ok(closed.manifest);
            }
        }
    }
}

/// What the database knows: cards by row, and how many residents.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn on_record(hospital: &Hospital, batch: &str) -> (BTreeMap<u32, String>, u32) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = Connection::open_with_flags(hospital.database(), flags).unwrap();
    let mut select = db
        .prepare(
            "SELECT r.number, c.chip_serial FROM batch_row r JOIN card c ON c.id = r.card
             WHERE r.batch = ?1 AND r.state = 'issued'",
        )
        .unwrap();
    let cards = select.query_map([batch], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let cards = cards.collect::<Result<_, _>>().unwrap();
    let residents =
        db.query_row("SELECT count(DISTINCT resident) FROM card", [], |row| row.get(0)).unwrap();
    (cards, residents)
}
