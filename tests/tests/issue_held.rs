//! Rows whose person looks like somebody else wait for staff, whenever that is seen; and batches that are given up.

use std::collections::BTreeMap;

use proto::v1::{BatchRow, slot_step};
use serde_json::json;
use service::demo::people::{CLERK, DOCTOR, PATIENT};
use tests::grpc::reason;
use tests::hospital::{Hospital, text};
use tests::issuing::{Bench, Stack, alike, id_number, on_record, row};

const BATCH: &str = "01936f00-0000-7000-8000-0000000000d1";
const PASSPORT: &str = "EA9900017";
/// An ID number of the patient's date of birth. Nobody has it.
const PATIENT_AGAIN: &str = "990000194906120031";

/// What stands on record of each row: state, and reasons.
fn verdicts(bench: &Bench) -> BTreeMap<u32, String> {
    let told = |(number, verdict): (&u32, &proto::v1::RowVerdict)| {
        let reasons = verdict.reasons.iter().map(|why| format!("{}:{}", why.field, why.code));
        let state = verdict.state().as_str_name().trim_start_matches("ROW_STATE_").to_owned();
        (*number, [vec![state], reasons.collect()].concat().join(" "))
    };
    bench.verdicts.iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_people_who_look_alike_wait_for_staff_and_the_batch_goes_on() {
    let hospital = Hospital::open();
    let number = hospital.record("number.json", &json!({ "issuer": "CHN", "number": PASSPORT }));
    let bind = |resident: &str| {
        let order = ["resident", "bind", "--resident", resident, "--basis", "document-seen"];
        let number = ["--kind", "passport", "--file", &number];
        order.iter().chain(&number).map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let bound = bind(&hospital.resident_id);
    hospital.granted(CLERK.key, &bound.iter().map(String::as_str).collect::<Vec<_>>());

    let other = |number: u32, fields: &[(&str, &str)]| {
        let mut row = row(number, &[]);
        row.fields
            .extend(fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        row
    };
    let phone = ("phone_1", "13800138000");
    let shared = [("document_class", "3"), ("document_number", "EB9900018")];
    let second = alike(1);
    let rows: Vec<BatchRow> = vec![
        row(1, &[]),
        other(2, &[("id_number", &second)]),
        other(3, &[("name", PATIENT.name), ("id_number", PATIENT_AGAIN)]),
        row(4, &[phone]),
        row(5, &[phone]),
        row(6, &[("document_class", "3"), ("document_number", "ｅａ9900017")]),
        row(7, &shared),
        row(8, &shared),
        row(9, &[]),
    ];
    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(rows.len()).await.unwrap();
    let mut expected = BTreeMap::from(
        [
            (1, "WAITING"),
            (2, "HELD name:LOOK_ALIKE_BIRTH_DATE"),
            (3, "HELD name:LOOK_ALIKE_BIRTH_DATE"),
            (4, "WAITING"),
            (5, "HELD name:LOOK_ALIKE_PHONE"),
            (6, "HELD document_number:NUMBER_SHARED"),
            (7, "WAITING"),
            (8, "HELD document_number:NUMBER_SHARED"),
            (9, "WAITING"),
        ]
        .map(|(row, told)| (row, told.to_owned())),
    );
    assert_eq!(verdicts(&bench), expected);

    // The others are made; the batch cannot be closed as if these were done.
    let mut stack = Stack::new(&hospital);
    assert!(bench.drive(&mut stack, None).await.unwrap());
    for row in [1, 4, 7, 9] {
        expected.insert(row, "ISSUED".to_owned());
    }
    assert_eq!(verdicts(&bench), expected);
    assert_eq!(reason(&bench.close().await.unwrap_err()), "BATCH_NOT_DONE");
    assert_eq!(on_record(&hospital, BATCH).1, 5, "four new people, and the patient");

    // Staff see the documents: two are others, one is the patient indeed.
    hospital.register("测试", &second, "different-people");
    hospital.register(PATIENT.name, PATIENT_AGAIN, "same-person");
    hospital.register("测试", &id_number(6), "different-people");
    let shown = hospital.record("shown.json", &json!({ "id_number": id_number(6) }));
    let sixth = hospital.granted(CLERK.key, &["resident", "find", "--file", &shown]);
    let order = bind(&text(&sixth, "resident_id"));
    let order: Vec<&str> = order.iter().map(String::as_str).collect();
    let asked = hospital.refused(CLERK.key, &order, "LOOK_ALIKE");
    hospital.decide(&order, &asked, "different-people");

    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(rows.len()).await.unwrap();
    expected.insert(2, "WAITING".to_owned());
    expected.insert(6, "WAITING".to_owned());
    assert_eq!(verdicts(&bench), expected);
    assert!(bench.drive(&mut stack, None).await.unwrap());
    assert_eq!(on_record(&hospital, BATCH).0.into_keys().collect::<Vec<_>>(), [1, 2, 4, 6, 7, 9]);

    // What is left is given up: by whoever may, for a reason, for good.
    let out = hospital.stage.path("manifest.txt").to_string_lossy().into_owned();
    let abandon = ["card", "abandon", BATCH, "--cause", "same-people", "--out", &out];
    hospital.refused(DOCTOR.key, &abandon, "ROLE_NOT_ALLOWED");
    hospital.granted(CLERK.key, &abandon);
    let manifest = std::fs::read_to_string(&out).unwrap();
    let check = |out: &str| {
        let key = hospital.verifier_key();
        hospital.granted(CLERK.key, &["card", "manifest", "check", out, "--verifier-key", &key])
    };
    let valid = check(&out);
    assert_eq!((&valid["rows"], &valid["issued"]), (&json!(9), &json!(6)), "{valid}");
    let line =
        |row: u32| manifest.lines().find(|line| line.starts_with(&format!("{row} "))).unwrap();
    let given_up = "row:ABANDONED_SAME_PEOPLE";
    assert!(line(2).contains(" issued "), "{}", line(2));
    for (row, why) in [
        (3, "name:LOOK_ALIKE_BIRTH_DATE"),
        (5, "name:LOOK_ALIKE_PHONE"),
        (8, "document_number:NUMBER_SHARED"),
    ] {
        assert!(line(row).contains(&format!(" {why},{given_up} ")), "{}", line(row));
    }
    let again = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.err().unwrap();
    assert_eq!(reason(&again), "BATCH_CLOSED");
    let entries = hospital.granted("auditor", &["audit", "search", "--action", "card.abandon"]);
    let detail = &entries["entries"][0]["entry"]["detail"];
    assert_eq!((&detail["cause"], &detail["given-up"]), (&json!("same-people"), &json!("3")));
    // Given again, it is the same.
    hospital.granted(CLERK.key, &abandon);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_on_record_while_cards_are_made_is_no_silent_second_person() {
    let hospital = Hospital::open();
    let rows = [row(1, &[]), row(2, &[]), row(3, &[])];
    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(rows.len()).await.unwrap();
    let mut stack = Stack::new(&hospital);

    // Before the card of row 1 is begun: its blank takes the next row.
    hospital.register("测试", &alike(1), "different-people");
    let (mut card, mut talk) = (stack.take(), Vec::new());
    bench.insert(0, &card).await;
    assert!(bench.answer(&mut card, 40, &mut talk).await.unwrap().is_none());
    let held = "HELD name:LOOK_ALIKE_BIRTH_DATE";
    assert_eq!(verdicts(&bench)[&1], held);
    assert_eq!(verdicts(&bench)[&2], "WRITING");

    // While the card of row 2 is made: it is given up before it is anybody's.
    hospital.register("测试", &alike(2), "different-people");
    let ended = bench.answer(&mut card, 1000, &mut talk).await.unwrap();
    let Some(slot_step::Step::Failure(failure)) = ended else { panic!("{ended:?}") };
    assert_eq!(failure.reason, "CARD_SPOILED");
    assert_eq!(verdicts(&bench)[&2], held);
    assert!(bench.drive(&mut stack, None).await.unwrap());
    assert_eq!(verdicts(&bench)[&3], "ISSUED");

    // Who is registered under another name meanwhile gets no card: before it is begun, and after.
    let batch = "01936f00-0000-7000-8000-0000000000d4";
    let rows = [row(4, &[]), row(5, &[])].map(|row| BatchRow { number: row.number - 3, ..row });
    let mut bench = Bench::open(&hospital, CLERK.key, batch, &rows).await.unwrap();
    bench.handed_in(rows.len()).await.unwrap();
    hospital.register("别名", &id_number(4), "different-people");
    let (mut last, mut ignored) = (stack.take(), Vec::new());
    bench.insert(0, &last).await;
    assert!(bench.answer(&mut last, 40, &mut ignored).await.unwrap().is_none());
    assert_eq!(verdicts(&bench)[&1], "REFUSED name:NAME_DIFFERS");
    assert_eq!(verdicts(&bench)[&2], "WRITING");
    hospital.register("别名", &id_number(5), "different-people");
    let ended = bench.answer(&mut last, 1000, &mut ignored).await.unwrap();
    assert!(matches!(ended, Some(slot_step::Step::Failure(_))), "{ended:?}");
    assert_eq!(verdicts(&bench)[&2], "REFUSED name:NAME_DIFFERS");
    assert_eq!(on_record(&hospital, BATCH).1, 2, "row 3, and the patient");
    // The spoiled chip is none for another row.
    card.reset();
    bench.insert(0, &card).await;
    let ended = bench.answer(&mut card, 1, &mut talk).await.unwrap();
    let Some(slot_step::Step::Failure(failure)) = ended else { panic!("{ended:?}") };
    assert_eq!(failure.reason, "CHIP_USED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_not_given_up_while_a_card_is_made_and_names_rows_that_never_came() {
    let hospital = Hospital::open();
    let rows = [row(1, &[]), row(2, &[]), row(3, &[]), row(4, &[])];
    let mut bench = Bench::open(&hospital, CLERK.key, BATCH, &rows).await.unwrap();
    bench.handed_in(rows.len()).await.unwrap();
    let mut stack = Stack::new(&hospital);
    let (mut card, mut talk) = (stack.take(), Vec::new());
    bench.insert(0, &card).await;
    assert!(bench.answer(&mut card, 40, &mut talk).await.unwrap().is_none());
    let out = hospital.stage.path("manifest.txt").to_string_lossy().into_owned();
    let abandon = ["card", "abandon", BATCH, "--cause", "no-blanks", "--out", &out];
    hospital.refused(CLERK.key, &abandon, "BATCH_BUSY");
    // Nobody loses a turn by that.
    let ended = bench.answer(&mut card, 1000, &mut talk).await.unwrap();
    assert!(matches!(ended, Some(slot_step::Step::Made(1))), "{ended:?}");
    // One card is pulled out half made: it is spoiled.
    let mut card = stack.take();
    bench.insert(0, &card).await;
    assert!(bench.answer(&mut card, 40, &mut talk).await.unwrap().is_none());
    bench.card_step().await.unwrap();
    bench.remove(0).await;
    let ended = bench.card_step().await.unwrap();
    assert!(matches!(ended, slot_step::Step::Failure(_)), "{ended:?}");
    hospital.granted(CLERK.key, &abandon);
    let manifest = std::fs::read_to_string(&out).unwrap();
    let line =
        |row: u32| manifest.lines().find(|line| line.starts_with(&format!("{row} "))).unwrap();
    assert!(line(1).contains(" issued "));
    for row in [2, 3, 4] {
        assert!(line(row).contains(" row:ABANDONED_NO_BLANKS "), "{}", line(row));
    }
    assert!(manifest.contains("\nspoiled 1\n"), "{manifest}");
    assert_eq!(on_record(&hospital, BATCH).0.into_keys().collect::<Vec<_>>(), [1]);

    // A batch that stopped before its last row came.
    let batch = "01936f00-0000-7000-8000-0000000000d2";
    let rows = [row(5, &[]), row(6, &[])].map(|row| BatchRow { number: row.number - 4, ..row });
    drop(Bench::open_half(&hospital, CLERK.key, batch, &rows, 1).await.unwrap());
    let abandon = ["card", "abandon", batch, "--cause", "wrong-rows", "--out", &out];
    hospital.granted(CLERK.key, &abandon);
    let manifest = std::fs::read_to_string(&out).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("2 refused ")).unwrap();
    assert!(line.contains(" row:NOT_HANDED_IN,row:ABANDONED_WRONG_ROWS "), "{line}");
    let unknown = "01936f00-0000-7000-8000-0000000000d3";
    let abandon = ["card", "abandon", unknown, "--cause", "no-blanks", "--out", &out];
    hospital.refused(CLERK.key, &abandon, "BATCH_NOT_FOUND");
}
