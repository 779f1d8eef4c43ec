//! Cards are made of batches: bad rows, services and clients that are killed, manifests that are changed. Whatever
//! happens, each good row has one card and no row has two.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use card::layout::Profile;
use card::{CardFactor, read_free};
use card_emulator::personalise::{blank, transport_master};
use card_emulator::{Card, InMemory};
use hsm::CardMaster;
use hsm::soft::{Passphrase, SoftKeystore};
use proto::v1::cards_client::CardsClient;
use proto::v1::{
    BatchRow, BlankCard, CardInserted, CardResponse, CloseBatch, IssueRequest, IssueResponse,
    OpenBatch, RelayRequest, RowState, RowVerdict, issue_request, issue_response, relay_request,
    slot_step,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use service::demo::people::CLERK;
use service::demo::programs::{Background, Program};
use service::demo::readers::VirtualReaders;
use service::demo::stage::PATIENCE;
use service::demo::tamper;
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, text};
use tests::private::{PcscDaemon, in_private_space};
use tests::relay::{Answer, answer};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Readers at the test's bench.
const SLOTS: u32 = 6;

/// An ID number of the region that is assigned to no place, with its check character.
fn id_number(serial: u32) -> String {
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

/// A row that is good, unless something in it is said otherwise.
fn row(number: u32, other: &[(&str, &str)]) -> BatchRow {
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
struct Stack {
    transport: Arc<dyn CardMaster>,
    next: u32,
    /// Cards that were pulled out and come back before new ones.
    back: VecDeque<Card>,
    /// Cards that were pulled out and thrown away.
    lost: Vec<Card>,
    made: Vec<Card>,
}

impl Stack {
    fn new(hospital: &Hospital) -> Self {
        let data = hospital.stage.path("data");
        let passphrase = Passphrase::from_file(&hospital.stage.path("passphrase")).unwrap();
        let keystore = SoftKeystore::open(&data.join("keystore.hck"), &passphrase).unwrap();
        let transport = transport_master(&keystore).unwrap();
        Self { transport, next: 0, back: VecDeque::new(), lost: Vec::new(), made: Vec::new() }
    }

    fn take(&mut self) -> Card {
        if let Some(mut card) = self.back.pop_front() {
            card.reset();
            return card;
        }
        self.next += 1;
        let factor = (0x9901_0001_0000_0000 + u64::from(self.next)).to_be_bytes();
        let image = blank(CardFactor(factor), Profile::Full, &*self.transport).unwrap();
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
struct Bench {
    events: mpsc::Sender<IssueRequest>,
    steps: Streaming<IssueResponse>,
    verdicts: BTreeMap<u32, RowVerdict>,
}

impl Bench {
    async fn open(
        hospital: &Hospital,
        who: &str,
        batch: &str,
        rows: &[BatchRow],
    ) -> Result<Self, Status> {
        let caller = log_in(&hospital.stage, who).await;
        let (events, requests) = mpsc::channel(16);
        let open = OpenBatch {
            batch_id: batch.to_owned(),
            input_digest: vec![9; 32],
            rows: rows.len() as u32,
        };
        let event = Some(issue_request::Event::Open(open));
        events.send(IssueRequest { event }).await.unwrap();
        let steps =
            CardsClient::new(caller).issue(ReceiverStream::new(requests)).await?.into_inner();
        let mut bench = Self { events, steps, verdicts: BTreeMap::new() };
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

    async fn step(&mut self) -> Result<issue_response::Step, Status> {
        let ended = || Status::aborted("the stream ended");
        let step = self.steps.message().await?.ok_or_else(ended)?.step.expect("a step");
        if let issue_response::Step::Verdict(verdict) = &step {
            self.verdicts.insert(verdict.row, verdict.clone());
        }
        Ok(step)
    }

    async fn handed_in(&mut self, rows: usize) -> Result<(), Status> {
        while self.verdicts.len() < rows {
            self.step().await?;
        }
        Ok(())
    }

    fn remaining(&self) -> usize {
        let done = |v: &&RowVerdict| !matches!(v.state(), RowState::Issued | RowState::Refused);
        self.verdicts.values().filter(done).count()
    }

    async fn card(&self, slot: u32, event: relay_request::Event) {
        let event = Some(RelayRequest { event: Some(event) });
        let event = Some(issue_request::Event::Card(BlankCard { slot, row: 0, event }));
        // A stream that has ended says so when it is read.
        let _ = self.events.send(IssueRequest { event }).await;
    }

    async fn insert(&self, slot: u32, card: &Card) {
        let inserted = CardInserted {
            reader: format!("reader {slot}"),
            atr: card.atr().bytes().to_vec(),
            ..CardInserted::default()
        };
        self.card(slot, relay_request::Event::Inserted(inserted)).await;
    }

    /// Makes cards until every row has its verdict, or `cut` commands were answered; the manifest.
    async fn make(
        &mut self,
        stack: &mut Stack,
        cut: Option<u32>,
    ) -> Result<Option<String>, Status> {
        let mut slots: BTreeMap<u32, Card> = BTreeMap::new();
        for slot in 0..SLOTS.min(self.remaining() as u32) {
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
                        return Ok(None);
                    }
                    let card = slots.get_mut(&slot).expect("a card in the slot");
                    let Answer::Card(response) = answer(card, &command.command) else {
                        panic!("no answer")
                    };
                    let answer = CardResponse { response, card_microseconds: 1 };
                    self.card(slot, relay_request::Event::Response(answer)).await;
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
                    assert!(
                        ["NO_ROW_WAITS", "CHIP_USED"].contains(&failure.reason.as_str()),
                        "{failure:?}"
                    );
                    stack.lost.push(slots.remove(&slot).unwrap());
                    if self.remaining() > slots.len() {
                        let card = stack.take();
                        self.insert(slot, &card).await;
                        slots.insert(slot, card);
                    }
                }
            }
        }
        self.close().await.map(Some)
    }

    async fn close(&mut self) -> Result<String, Status> {
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
fn on_record(hospital: &Hospital, batch: &str) -> (BTreeMap<u32, String>, u32) {
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

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_makes_no_card_twice_and_loses_none() {
    const ROWS: u32 = 120;
    let mut hospital = Hospital::open();
    let batch = "01936f00-0000-7000-8000-0000000000b1";
    let bad = BTreeMap::from([
        (3, ("valid_until", "2046-02-30", "valid_until:NO_SUCH_DATE")),
        (7, ("name", "𠮷野", "name:NOT_GBK")),
        (11, ("ethnic_group", "99", "ethnic_group:UNKNOWN_CODE")),
        (20, ("id_number", "990000194906120015", "id_number:HAS_CARD")),
        (
            64,
            (
                "address_1",
                "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三",
                "address_1:TOO_LONG",
            ),
        ),
        (65, ("nickname", "x", "row:UNKNOWN_COLUMN")),
    ]);
    let mut rows: Vec<BatchRow> = (1..=ROWS)
        .map(|number| match bad.get(&number) {
            Some((field, text, _)) => {
                let mut row = row(number, &[]);
                row.fields.insert((*field).to_owned(), (*text).to_owned());
                row
            }
            None => row(number, &[]),
        })
        .collect();
    // The patient has a card; the name is the one on record.
    rows[19].fields.insert("name".to_owned(), "张演示".to_owned());
    rows[29] = BatchRow { number: 30, ..row(29, &[]) }; // the person of row 29 again
    rows[39].photo = b"no picture".to_vec();
    rows[49] = BatchRow { number: 50, unreadable: "COLUMNS".to_owned(), ..BatchRow::default() };

    let mut stack = Stack::new(&hospital);
    let (manifest, rounds) = loop_until_done(&mut hospital, batch, &rows, &mut stack).await;

    let (cards, residents) = on_record(&hospital, batch);
    let refused = bad.len() + 3;
    assert_eq!(cards.len(), ROWS as usize - refused, "as many cards as good rows");
    let serials: BTreeSet<&String> = cards.values().collect();
    assert_eq!(serials.len(), cards.len(), "no chip is two cards");
    assert_eq!(residents as usize, cards.len() + 1, "one card each, and the patient's");
    println!(
        "{rounds} kills, {} cards made, {} lost on the way",
        stack.made.len(),
        stack.lost.len()
    );

    // Every card on record is in somebody's hands, whole, and says so itself.
    let mut whole = BTreeSet::new();
    for card in stack.made.drain(..).chain(stack.back.drain(..)).chain(stack.lost.drain(..)) {
        let image = card.image();
        if !image.is_complete() || image.is_open() {
            continue;
        }
        let read = read_free(&mut InMemory::new(card));
        let read = read.unwrap_or_else(|error| panic!("a whole card cannot be read: {error}"));
        whole.insert(read.issuer.chip_serial.to_string());
    }
    for (row, serial) in &cards {
        assert!(whole.contains(serial), "row {row}: card {serial} is on record and not whole");
    }

    // The manifest says the same, and is checked without the service.
    let file = hospital.stage.path("manifest.txt");
    write(&file, &manifest);
    let verifier = hospital.verifier_key();
    let check = |file: &Path| {
        let file = file.to_string_lossy();
        hospital.ask(CLERK.key, &["card", "manifest", "check", &file, "--verifier-key", &verifier])
    };
    let valid = check(&file).granted().unwrap();
    assert_eq!(valid["issued"], cards.len());
    assert_eq!(valid["rows"], ROWS);
    for (number, (_, _, word)) in &bad {
        let line = format!("\n{number} refused ");
        assert!(
            manifest.contains(&line) && manifest.contains(word),
            "{number}: {word}\n{manifest}"
        );
    }
    for (number, word) in
        [(30, "id_number:DUPLICATE"), (40, "photo:NOT_A_PICTURE"), (50, "row:COLUMNS")]
    {
        let line =
            manifest.lines().find(|line| line.starts_with(&format!("{number} refused "))).unwrap();
        assert!(line.contains(word), "{line}");
    }
    // Nobody is in it.
    assert!(!manifest.contains("测试") && !manifest.contains(&id_number(1)));
    let changed = manifest.replacen("\n17 issued ", "\n17 refused ", 1);
    write(&file, &changed);
    let tampered = check(&file);
    assert_eq!(
        (tampered.code, &tampered.body["altered"][0]["row"]),
        (4, &Value::from(17)),
        "{}",
        tampered.body
    );

    // The transcripts are in the log, which is whole.
    let copy = hospital.stage.path("log/after.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    let verdict = hospital.check_log(&copy);
    assert_eq!(verdict.code, 0, "{}", verdict.body);
}

/// Kills the service again and again while it makes cards; the manifest in the end, and how often.
async fn loop_until_done(
    hospital: &mut Hospital,
    batch: &str,
    rows: &[BatchRow],
    stack: &mut Stack,
) -> (String, u32) {
    for round in 0.. {
        // Each round is cut at another point: within the first card, or in the midst of many.
        let cut = (round < 12).then_some(1 + round * 397 % 3100);
        let mut bench = Bench::open(hospital, CLERK.key, batch, rows).await.unwrap();
        bench.handed_in(rows.len()).await.unwrap();
        match bench.make(stack, cut).await {
            Ok(Some(manifest)) => return (manifest, round),
            Ok(None) => {
                hospital.stage.server().expect("it runs").kill();
                hospital.stage.serve().unwrap_or_else(|error| panic!("round {round}: {error}"));
            }
            Err(status) => panic!("round {round}: {status}"),
        }
    }
    unreachable!("rounds do not end")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_belong_together_is_refused() {
    let hospital = Hospital::open();
    let batch = "01936f00-0000-7000-8000-0000000000b2";
    let rows = [row(1, &[]), row(2, &[])];
    let mut stack = Stack::new(&hospital);
    let mut bench = Bench::open(&hospital, CLERK.key, batch, &rows).await.unwrap();
    bench.handed_in(2).await.unwrap();
    // A batch is not closed while rows wait.
    let refused = bench.close().await.unwrap_err();
    assert_eq!(reason(&refused), "BATCH_NOT_DONE");
    // The same id with other rows.
    let other = Bench::open(&hospital, CLERK.key, batch, &rows[..1]).await;
    assert_eq!(reason(&other.err().unwrap()), "BATCH_DIFFERS");
    // A doctor makes no cards.
    let doctor = Bench::open(&hospital, "doctor", batch, &rows).await;
    assert_eq!(reason(&doctor.err().unwrap()), "ROLE_NOT_ALLOWED");

    let mut bench = Bench::open(&hospital, CLERK.key, batch, &rows).await.unwrap();
    bench.handed_in(2).await.unwrap();
    let first = bench.make(&mut stack, None).await.unwrap().unwrap();
    // A batch that is closed gives its manifest again.
    let mut bench = Bench::open(&hospital, CLERK.key, batch, &rows).await.unwrap();
    bench.handed_in(2).await.unwrap();
    assert_eq!(bench.remaining(), 0);
    assert_eq!(bench.close().await.unwrap(), first);
    // Cards that were made are no blanks for the next batch.
    let batch = "01936f00-0000-7000-8000-0000000000b3";
    let rows = [row(3, &[]), row(4, &[])].map(|row| BatchRow { number: row.number - 2, ..row });
    let mut bench = Bench::open(&hospital, CLERK.key, batch, &rows).await.unwrap();
    bench.handed_in(2).await.unwrap();
    stack.back.push_back(stack.made.pop().unwrap());
    bench.make(&mut stack, None).await.unwrap().unwrap();
    assert_eq!(stack.lost.len(), 1, "the used card was refused");
}

/// `healthcard card issue` at work: it tells one event a line.
fn issue(hospital: &Hospital, batch: &Path, out: &Path) -> Background {
    let (batch, out) = (batch.to_string_lossy(), out.to_string_lossy());
    let command =
        hospital.stage.healthcard(CLERK.key, &["card", "issue", "--batch", &batch, "--out", &out]);
    Background::start("healthcard", command, &hospital.stage.path("log/issue")).unwrap()
}

/// Takes the card out, and waits until the daemon has noticed: it would take the next one for the same.
fn take_out(readers: &mut VirtualReaders, daemon: &mut PcscDaemon) {
    readers.remove(0).unwrap();
    daemon.saw_removal().unwrap();
}

/// A blank card (`vcard blank`).
fn make_blank(hospital: &Hospital, image: &Path, factor: &str) {
    let mut command = hospital.stage.programs().command(Program::Vcard);
    command.arg("blank").arg("--out").arg(image).args(["--historical-bytes", factor]);
    command.arg("--keystore").arg(hospital.stage.path("data/keystore.hck"));
    command.arg("--passphrase-file").arg(hospital.stage.path("passphrase"));
    let made = hospital.stage.programs().finish(Program::Vcard, command).unwrap();
    assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
}

fn event(client: &mut Background, expected: &str, is: impl Fn(&Value) -> bool) -> Value {
    let find = |line: &str| serde_json::from_str(line).ok().filter(&is);
    client.wait_for(expected, PATIENCE, find).unwrap_or_else(|error| panic!("{expected}: {error}"))
}

fn issued(row: u32) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "row" && event["row"] == row && event["verdict"] == "issued"
}

#[test]
fn the_same_command_goes_on_where_it_was_killed() {
    in_private_space(|| {
        let directory = tempfile::tempdir().unwrap();
        let mut daemon = PcscDaemon::start(&directory.path().join("pcscd")).unwrap();
        let mut hospital = Hospital::open();
        let mut readers = VirtualReaders::start_with(&hospital.stage, &["--save"]).unwrap();
        let mut table = String::from("\u{FEFF}姓名,身份证号,城市代码,有效期至,民族,地址1\n");
        for number in 1..=5 {
            let end = if number == 2 { "2046-13-01" } else { "2046-01-01" };
            writeln!(table, "测试,{},990000,{end},汉族,\"演示路 {number} 号\"", id_number(number))
                .unwrap();
        }
        let (batch, out) = (directory.path().join("people.csv"), directory.path().join("out"));
        write(&batch, &table);
        let blanks: Vec<_> = (1..=4)
            .map(|number| {
                let image = directory.path().join(format!("blank-{number}.toml"));
                make_blank(&hospital, &image, &format!("99020001{number:08}"));
                image
            })
            .collect();

        // Killed in the middle of a card: its chip comes back, and has the same row.
        let mut client = issue(&hospital, &batch, &out);
        event(&mut client, "row 2 refused", |event| {
            event["row"] == 2 && event["verdict"] == "refused"
        });
        readers.insert(0, &blanks[0]).unwrap();
        event(&mut client, "card 1", issued(1));
        take_out(&mut readers, &mut daemon);
        readers.insert(0, &blanks[1]).unwrap();
        readers.event(0, "powered").unwrap();
        client.kill();
        take_out(&mut readers, &mut daemon);

        // The service is killed while a card is in.
        let mut client = issue(&hospital, &batch, &out);
        event(&mut client, "row 5 waits", |event| event["row"] == 5);
        readers.insert(0, &blanks[1]).unwrap();
        event(&mut client, "card of row 3", issued(3));
        take_out(&mut readers, &mut daemon);
        hospital.stage.server().unwrap().kill();
        assert_ne!(client.ended(PATIENCE).unwrap(), 0);
        hospital.stage.serve().unwrap();

        let mut client = issue(&hospital, &batch, &out);
        event(&mut client, "row 5 waits", |event| event["row"] == 5);
        let mut card = String::new();
        for (row, blank) in [(4, &blanks[2]), (5, &blanks[3])] {
            readers.insert(0, blank).unwrap();
            card = text(&event(&mut client, "a card", issued(row)), "card_id");
            take_out(&mut readers, &mut daemon);
        }
        let done = event(&mut client, "done", |event| event["event"] == "done");
        assert_eq!(
            (&done["issued"], &done["refused"]),
            (&Value::from(4), &Value::from(1)),
            "{done}"
        );
        assert_eq!(client.ended(PATIENCE).unwrap(), 1, "a row was refused");

        let named: Value =
            serde_json::from_slice(&std::fs::read(out.join("batch.json")).unwrap()).unwrap();
        let (cards, _) = on_record(&hospital, named["batch_id"].as_str().unwrap());
        assert_eq!(cards.keys().copied().collect::<Vec<_>>(), [1, 3, 4, 5]);
        let report = std::fs::read_to_string(out.join("report.csv")).unwrap();
        assert!(report.contains("2,refused,valid_until:NO_SUCH_DATE"), "{report}");
        assert!(!report.contains("测试") && !report.contains(&id_number(1)));
        let verifier = hospital.verifier_key();
        let manifest = out.join("manifest.txt").to_string_lossy().into_owned();
        let check = ["card", "manifest", "check", &manifest, "--verifier-key", &verifier];
        assert_eq!(hospital.granted(CLERK.key, &check)["verdict"], "valid");

        // The cards are cards: the holder of the last one takes it into use, and a desk reads it.
        let shown = directory.path().join("shown.json");
        write(&shown, &format!("{{\"id_number\": \"{}\"}}", id_number(5)));
        let shown = shown.to_string_lossy();
        hospital.granted(CLERK.key, &["card", "activate", &card, "--file", &shown]);
        readers.insert(0, &blanks[3]).unwrap();
        let reading = hospital.granted(CLERK.key, &["card", "read"]);
        assert_eq!(reading["id_number"], id_number(5), "{reading}");
    });
}
