//! Cards are made of batches: bad rows, services that are killed, manifests that are changed. Whatever happens, each
//! good row has one card and no row has two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use card::read_free;
use card_emulator::InMemory;
use proto::v1::BatchRow;
use serde_json::Value;
use service::demo::people::CLERK;
use service::demo::tamper;
use tests::grpc::reason;
use tests::hospital::Hospital;
use tests::issuing::{Bench, Stack, id_number, on_record, row};

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
            Ok(Some(manifest)) => {
                assert!(bench.failures.is_empty(), "{:?}", bench.failures);
                return (manifest, round);
            }
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
