//! The life of a card through the programs: applied for, taken into use, frozen, blacklisted, replaced and renewed; what
//! takes two persons; what its use raises when it is out of force.

use std::path::Path;

use proto::v1::cards_client::CardsClient;
use proto::v1::{ReviewCardChangeRequest, StatusListRequest, review_card_change_request};
use serde_json::{Value, json};
use service::demo::people::{
    AUDITOR, CLERK, DESK, DOCTOR, Institution, PATIENT, SOMEBODY_ELSE, Staff,
};
use service::demo::stage::{OPERATOR, VALID_UNTIL};
use tests::card_list::KeptList;
use tests::grpc::{connect, fetch, log_in, reason};
use tests::hospital::{Hospital, text};
use tests::relay::{Relay, card, present};

/// A second person at the front desk.
const SECOND_CLERK: Staff =
    Staff { key: "second-clerk", name: "郑窗口", number: "C002", ..CLERK };

/// A second hospital on the same service.
const ELSEWHERE: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构县中医院", region: "990000" };
const CLERK_ELSEWHERE: Staff = Staff { key: "clerk-elsewhere", ..CLERK };

/// The chip of a new card.
const NEW_CHIP: [&str; 4] = ["--chip-serial", "9900000009", "--card-factor", "9900000000000009"];

fn hospital() -> Hospital {
    let hospital = Hospital::open();
    hospital.stage.engage(&hospital.institution_id, &SECOND_CLERK).unwrap();
    hospital
}

/// Enters that the patient's card is to be replaced; the change's id.
fn enter_replacement(hospital: &Hospital, card: &str) -> String {
    let mut order = vec!["card", "replace", card, "--cause", "lost", "--valid-until", VALID_UNTIL];
    order.extend(NEW_CHIP);
    let entered = hospital.granted(CLERK.key, &order);
    assert_eq!(entered["change"]["state"], "STATE_PENDING");
    assert!(entered["receipt"]["position"].is_u64());
    text(&entered["change"], "change_id")
}

/// What the card with this id is.
fn card_state(hospital: &Hospital, id: &str) -> String {
    text(&hospital.granted(CLERK.key, &["card", "get", id]), "status")
}

/// Activates a card with a document of this ID number.
fn activate(hospital: &Hospital, card: &str, id_number: &str, refused: Option<&str>) {
    let shown = json!({ "id_number": id_number }).to_string();
    let file = hospital.stage.write("records/shown.json", shown.as_bytes()).unwrap();
    let order = ["card", "activate", card, "--file", &file.to_string_lossy()];
    match refused {
        None => drop(hospital.granted(CLERK.key, &order)),
        Some(reason) => drop(hospital.refused(CLERK.key, &order, reason)),
    }
}

#[test]
fn a_card_is_applied_for_made_and_taken_into_use() {
    let hospital = hospital();
    let resident = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let applied = hospital.granted(CLERK.key, &["card", "apply", &resident]);
    let id = text(&applied["card"], "card_id");
    assert_eq!(applied["card"]["status"], "CARD_STATUS_APPLIED");
    hospital.refused(CLERK.key, &["card", "apply", &resident], "ALREADY_REGISTERED");
    hospital.refused(CLERK.key, &["card", "report-loss", &id], "CARD_NOT_ACTIVATED");
    let waiting = hospital.granted(CLERK.key, &["card", "list", "--status", "applied"]);
    assert_eq!(waiting["cards"][0]["card_id"], id.as_str());

    let mut made = vec!["card", "register", "--resident", &resident, "--valid-until", VALID_UNTIL];
    made.extend(["--application", &id]);
    made.extend(NEW_CHIP);
    hospital.granted(CLERK.key, &made);
    assert_eq!(card_state(&hospital, &id), "CARD_STATUS_PRE_ISSUED");
    // Another person's document does not open it.
    activate(&hospital, &id, PATIENT.id_number, Some("HOLDER_MISMATCH"));
    activate(&hospital, &id, SOMEBODY_ELSE.id_number, None);
    assert_eq!(card_state(&hospital, &id), "CARD_STATUS_ACTIVE");
    hospital.refused(CLERK.key, &["card", "apply", &resident], "ACTIVE_CARD_EXISTS");
}

#[tokio::test]
async fn a_replacement_takes_another_person_of_the_same_institution() {
    let hospital = hospital();
    let elsewhere = hospital.stage.register_institution(&ELSEWHERE).unwrap();
    hospital.stage.engage(&elsewhere, &CLERK_ELSEWHERE).unwrap();
    let old = hospital.card_id.as_str();
    let mut order = vec!["card", "replace", old, "--cause", "lost", "--valid-until", VALID_UNTIL];
    order.extend(NEW_CHIP);
    hospital.refused(CLERK.key, &order, "CARD_IN_FORCE");
    hospital.granted(CLERK.key, &["card", "report-loss", old]);
    hospital.refused(CLERK.key, &order, "LOSS_RECENT");
    // No way around it for one person alone.
    let mut alone = vec!["card", "register", "--resident", &hospital.resident_id];
    alone.extend(["--valid-until", VALID_UNTIL]);
    alone.extend(NEW_CHIP);
    hospital.refused(CLERK.key, &alone, "CARD_TO_BE_REPLACED");
    hospital.granted(CLERK.key, &["card", "cancel", old]);
    hospital.refused(CLERK.key, &alone, "CARD_TO_BE_REPLACED");
    let change = enter_replacement(&hospital, old);
    hospital.refused(CLERK.key, &order, "CHANGE_PENDING");

    let waiting = hospital.granted(SECOND_CLERK.key, &["card", "changes"]);
    assert_eq!(waiting["changes"][0]["change_id"], change.as_str());
    assert_eq!(waiting["changes"][0]["replace"]["cause"], "REPLACEMENT_CAUSE_LOST");
    let review = ["card", "review", &change, "--approve"];
    hospital.refused(CLERK.key, &review, "SECOND_PERSON_REQUIRED");
    hospital.refused(CLERK_ELSEWHERE.key, &review, "OTHER_INSTITUTION");
    hospital.refused(DOCTOR.key, &review, "ROLE_NOT_ALLOWED");
    let unknown = ["card", "review", old, "--approve"];
    hospital.refused(SECOND_CLERK.key, &unknown, "CHANGE_NOT_FOUND");
    let mut cards = CardsClient::new(log_in(&hospital.stage, SECOND_CLERK.key).await);
    let undecided = ReviewCardChangeRequest { change_id: change.clone(), verdict: None };
    assert_eq!(reason(&cards.review(undecided).await.unwrap_err()), "FIELD_INVALID");
    let rejection = review_card_change_request::Rejection { reason: "a\nb".to_owned() };
    let verdict = Some(review_card_change_request::Verdict::Reject(rejection));
    let unclear = ReviewCardChangeRequest { change_id: change.clone(), verdict };
    assert_eq!(reason(&cards.review(unclear).await.unwrap_err()), "FIELD_INVALID");

    let reviewed = hospital.granted(SECOND_CLERK.key, &review);
    let new = text(&reviewed["card"], "card_id");
    assert_eq!(reviewed["card"]["status"], "CARD_STATUS_PRE_ISSUED");
    assert_eq!(reviewed["card"]["replaces"], old);
    assert_eq!(reviewed["change"]["new_card_id"], new.as_str());
    hospital.refused(SECOND_CLERK.key, &review, "CHANGE_OVER");
    activate(&hospital, &new, PATIENT.id_number, None);
    hospital.refused(CLERK.key, &order, "CARD_REPLACED");
    // Both acts are in the log, with who did them.
    for (action, person) in [("card.replace", CLERK.key), ("card.review", SECOND_CLERK.key)] {
        let search = ["audit", "search", "--action", action, "--outcome", "granted"];
        let found = hospital.granted(AUDITOR.key, &search);
        let entry = &found["entries"][0]["entry"];
        assert_eq!(entry["detail"]["change"], change.as_str(), "{action}");
        if person == CLERK.key {
            assert_eq!(entry["actor"]["identity"], hospital.staff[CLERK.key].as_str());
        } else {
            assert_eq!(entry["detail"]["entered-by"], hospital.staff[CLERK.key].as_str());
            assert_ne!(entry["actor"]["identity"], hospital.staff[CLERK.key].as_str());
        }
    }
}

#[test]
fn a_change_that_is_rejected_changes_nothing() {
    let hospital = hospital();
    let old = hospital.card_id.as_str();
    hospital.granted(CLERK.key, &["card", "cancel", old]);
    let change = enter_replacement(&hospital, old);
    let review = ["card", "review", &change, "--reject", "芯片序列号有误"];
    let reviewed = hospital.granted(SECOND_CLERK.key, &review);
    assert_eq!(reviewed["change"]["state"], "STATE_REJECTED");
    assert_eq!(reviewed["change"]["rejection"], "芯片序列号有误");
    hospital.refused(CLERK.key, &["card", "get", "--chip-serial", NEW_CHIP[1]], "CARD_NOT_FOUND");
    // It can be entered again.
    enter_replacement(&hospital, old);
}

/// An alert of the log: the reason, and who it was about.
fn alerts(hospital: &Hospital) -> Vec<Value> {
    let found = hospital.granted(AUDITOR.key, &["audit", "search", "--alerts"]);
    let entries = found["entries"].as_array().unwrap();
    entries.iter().map(|it| it["entry"].clone()).collect()
}

#[tokio::test]
async fn the_use_of_a_card_that_is_out_of_force_raises_an_alert() {
    let hospital = hospital();
    let id = hospital.card_id.as_str();
    let mut relay = Relay::open(log_in(&hospital.stage, DESK.key).await).await.unwrap();
    let mut patient = card(&hospital.card_image());
    assert!(alerts(&hospital).is_empty());
    #[rustfmt::skip]
    let states: [(&[&[&str]], &str); 5] = [
        (&[&["card", "report-loss", id]], "CARD_LOST"),
        (&[&["card", "release", id], &["card", "freeze", id]], "CARD_FROZEN"),
        (&[&["card", "blacklist", id]], "CARD_BLACKLISTED"),
        (&[], "CARD_FROZEN"),
        (&[&["card", "cancel", id]], "CARD_CANCELLED"),
    ];
    for (number, (orders, reason)) in states.into_iter().enumerate() {
        for order in orders {
            hospital.granted(CLERK.key, order);
        }
        if orders.is_empty() {
            // Off the blacklist, by two persons; an operator of another institution is not one.
            let order = ["card", "unblacklist", id, "--cause", "mistake"];
            let entered = hospital.granted(CLERK.key, &order);
            let change = text(&entered["change"], "change_id");
            let review = ["card", "review", &change, "--approve"];
            hospital.refused(CLERK.key, &review, "SECOND_PERSON_REQUIRED");
            hospital.refused(OPERATOR, &review, "OTHER_INSTITUTION");
            hospital.granted(SECOND_CLERK.key, &review);
        }
        assert_eq!(present(&mut relay, &mut patient).await.reason(), reason);
        let alerts = alerts(&hospital);
        assert_eq!(alerts.len(), number + 1, "{reason}");
        let newest = &alerts[0];
        assert_eq!(newest["detail"]["reason"], reason);
        assert_eq!(newest["detail"]["alert"], "card-not-in-force");
        assert_eq!(newest["object"]["id"], id);
        assert_eq!(newest["resident"], hospital.resident_id.as_str());
        assert_eq!(newest["actor"]["identity"], hospital.staff[DESK.key].as_str());
    }
    // A refusal for another reason is no alert.
    hospital.refused(CLERK.key, &["card", "release", id], "CARD_CANCELLED");
    assert_eq!(alerts(&hospital).len(), 5);
}

#[tokio::test]
async fn a_renewal_counts_once_the_card_says_it_and_locks_nobody_out() {
    const LATER: &str = "2046-12-31";
    let hospital = hospital();
    let id = hospital.card_id.as_str();
    let mut relay = Relay::open(log_in(&hospital.stage, DESK.key).await).await.unwrap();
    let image = std::fs::read_to_string(hospital.card_image()).unwrap();
    assert!(image.contains(VALID_UNTIL));
    let rewritten = image.replace(VALID_UNTIL, LATER);
    let rewritten = hospital.stage.write("cards/rewritten.toml", rewritten.as_bytes()).unwrap();
    let (mut before, mut after) = (card(&hospital.card_image()), card(&rewritten));
    let ends = |hospital: &Hospital| {
        let card = hospital.granted(CLERK.key, &["card", "get", id]);
        (text(&card, "valid_until"), text(&card, "renewal_until"))
    };
    let renew = |until| ["card", "renew", id, "--valid-until", until];

    // A card that says another end than the record is refused, unless that end was noted.
    assert_eq!(present(&mut relay, &mut after).await.reason(), "CARD_INCONSISTENT");
    hospital.refused(CLERK.key, &renew(VALID_UNTIL), "FIELD_INVALID");
    hospital.refused(CLERK.key, &renew("2101-01-01"), "FIELD_INVALID");
    hospital.granted(CLERK.key, &renew(LATER));
    hospital.granted(CLERK.key, &renew(LATER));
    hospital.refused(CLERK.key, &renew("2047-01-01"), "STATE_CONFLICT");
    assert_eq!(ends(&hospital), (VALID_UNTIL.to_owned(), LATER.to_owned()));
    // The write was torn: the card still says the old end, and is served.
    let reading = present(&mut relay, &mut before).await.reading();
    assert_eq!(reading.valid_until, VALID_UNTIL);
    assert_eq!(ends(&hospital), (VALID_UNTIL.to_owned(), LATER.to_owned()));
    // It was written after all.
    let reading = present(&mut relay, &mut after).await.reading();
    assert_eq!(reading.valid_until, LATER);
    assert_eq!(ends(&hospital), (LATER.to_owned(), String::new()));
    let search = ["audit", "search", "--action", "card.renew", "--outcome", "granted"];
    let found = hospital.granted(AUDITOR.key, &search);
    assert_eq!(found["entries"][0]["entry"]["detail"]["step"], "confirmed");
    // From now on the old end is one that the record does not bear out.
    assert_eq!(present(&mut relay, &mut before).await.reason(), "CARD_INCONSISTENT");

    // Long before its end it is not among those that end soon.
    let soon = hospital.granted(CLERK.key, &["card", "list", "--ending-within", "30"]);
    assert_eq!(soon["cards"], json!([]));
    hospital.refused(DOCTOR.key, &["card", "list"], "ROLE_NOT_ALLOWED");
}

#[tokio::test]
async fn a_desk_checks_cards_against_the_list_without_the_service() {
    let mut hospital = hospital();
    let id = hospital.card_id.clone();
    let kept = KeptList::new(&hospital);
    // Cards that nobody will have, so that a delta is the shorter way.
    let resident = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    for spare in 1..=4 {
        let (serial, factor) = (format!("990000010{spare}"), format!("99000000000001{spare:02}"));
        let mut order = vec!["card", "register", "--resident", &resident, "--to-be-activated"];
        order.extend(["--chip-serial", &serial, "--card-factor", &factor]);
        order.extend(["--valid-until", VALID_UNTIL]);
        let made = hospital.granted(CLERK.key, &order);
        hospital.granted(CLERK.key, &["card", "cancel", &text(&made, "card_id")]);
    }
    let first = kept.fetch(&hospital);
    assert_eq!((&first["entries"], &first["service"]), (&json!(4), &json!("demo.healthcard")));
    let old = hospital.stage.path("records/old.list");
    std::fs::copy(&kept.list, &old).unwrap();

    // Each change is in the next list, which is there when the change is answered.
    #[rustfmt::skip]
    let changes: [(&str, Value); 6] = [
        ("report-loss", json!({"listed": true, "level": "black", "reason": "loss"})),
        ("release", json!({"listed": false})),
        ("freeze", json!({"listed": true, "level": "grey", "reason": "frozen"})),
        ("blacklist", json!({"listed": true, "level": "black", "reason": "illegal-use"})),
        ("cancel", json!({"listed": true, "level": "black", "reason": "cancelled"})),
        ("", json!({"listed": true, "level": "black", "reason": "cancelled"})),
    ];
    let mut number = first["number"].as_u64().unwrap();
    for (change, verdict) in changes {
        if !change.is_empty() {
            hospital.granted(CLERK.key, &["card", change, &id]);
        }
        let fetched = kept.fetch(&hospital)["number"].as_u64().unwrap();
        assert!(if change.is_empty() { fetched == number } else { fetched > number }, "{change}");
        number = fetched;
        let (code, told) = kept.check(&hospital, &kept.list, PATIENT.chip_serial);
        assert_eq!(told["verdict"], verdict, "{change}");
        assert_eq!(code, i32::from(verdict["listed"] == true), "{change}");
        let (code, told) = kept.check(&hospital, &kept.list, SOMEBODY_ELSE.chip_serial);
        assert_eq!((code, &told["verdict"]), (0, &json!({"listed": false})), "{change}");
    }
    // Nothing of the holder is in it, nor the chip's serial.
    let bytes = std::fs::read(&kept.list).unwrap();
    for personal in [PATIENT.id_number, PATIENT.name, PATIENT.chip_serial, id.as_str()] {
        assert!(!bytes.windows(personal.len()).any(|it| it == personal.as_bytes()), "{personal}");
    }

    // A list is one, whichever way it came: over gRPC, over HTTP, whole, or by a delta.
    let channel = connect(&hospital.stage).await;
    let mut cards = CardsClient::new(channel.clone());
    let whole = cards.status_list(StatusListRequest { held_number: 0 }).await.unwrap().into_inner();
    assert_eq!((whole.number, &whole.list), (number, &bytes));
    let same = cards.status_list(StatusListRequest { held_number: number }).await.unwrap();
    assert_eq!(same.into_inner().list, Vec::<u8>::new());
    let held_number = first["number"].as_u64().unwrap();
    let from_first = StatusListRequest { held_number };
    let delta = cards.status_list(from_first).await.unwrap().into_inner().list;
    assert!(delta.len() < bytes.len());
    for (path, held, status, body) in [
        ("/cards/status-list", None, 200, &bytes),
        (&*format!("/cards/status-list?from={held_number}"), None, 200, &delta),
        ("/cards/status-list?from=99999", None, 200, &bytes),
        (&*format!("/cards/status-list?from={number}"), None, 204, &Vec::new()),
        ("/cards/status-list", Some(format!("\"{number}\"")), 304, &Vec::new()),
        ("/cards/status-list?from=one", None, 400, &Vec::new()),
    ] {
        let headers: Vec<_> = held.iter().map(|tag| ("if-none-match", tag.as_str())).collect();
        let answer = fetch(channel.clone(), path, &headers).await;
        assert_eq!((answer.status, &answer.body), (status, body), "{path}");
        if status != 400 {
            assert!(answer.header("cache-control").contains("max-age=60"), "{path}");
            assert!(answer.header("etag").contains(&number.to_string()), "{path}");
        }
    }

    // The service is gone; the list still speaks, and says how old it is.
    hospital.stage.server().unwrap().kill();
    let (code, told) = kept.check(&hospital, &kept.list, PATIENT.chip_serial);
    assert_eq!((code, &told["number"]), (1, &json!(number)));
    assert!(told["age_seconds"].is_u64());
    // An older list says what it knew.
    let (code, told) = kept.check(&hospital, &old, PATIENT.chip_serial);
    assert_eq!((code, &told["number"]), (0, &first["number"]));
    // What was changed, or is a delta, or is cut short is no list.
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let end = bytes.len();
    #[rustfmt::skip]
    let bad = [
        (changed(end - 1), 4, "CARD_LIST_SIGNATURE"),
        (changed(end - 65), 1, "CARD_LIST_MALFORMED"),
        (changed(60), 5, "CARD_LIST_KEY_UNKNOWN"),
        (bytes[..end - 1].to_vec(), 1, "CARD_LIST_MALFORMED"),
        (delta, 1, "CARD_LIST_DELTA"),
    ];
    for (content, code, reason) in bad {
        let file = hospital.stage.write("records/bad.list", &content).unwrap();
        let (ended, told) = kept.check(&hospital, &file, PATIENT.chip_serial);
        assert_eq!((ended, &told["error"]["reason"]), (code, &json!(reason)));
    }

    // After it comes back the list goes on from where it was.
    hospital.stage.serve().unwrap();
    let later = kept.fetch(&hospital);
    assert!(later["number"].as_u64().unwrap() > number);
    assert_eq!(later["entries"], json!(5));
}

#[test]
fn a_card_that_waits_for_its_holder_does_not_pass_for_one_in_force() {
    let hospital = hospital();
    let kept = KeptList::new(&hospital);
    let resident = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let serial = SOMEBODY_ELSE.chip_serial;
    let mut order = vec!["card", "register", "--resident", &resident, "--to-be-activated"];
    order.extend(["--chip-serial", serial, "--card-factor", SOMEBODY_ELSE.card_factor]);
    order.extend(["--valid-until", VALID_UNTIL]);
    let id = text(&hospital.granted(CLERK.key, &order), "card_id");
    let told = || {
        kept.fetch(&hospital);
        kept.check(&hospital, &kept.list, serial)
    };
    // Whatever the next list is made for, it names the card.
    hospital.granted(CLERK.key, &["card", "report-loss", &hospital.card_id]);
    let waits = json!({"listed": true, "level": "grey", "reason": "not-activated"});
    let (code, body) = told();
    assert_eq!((code, &body["verdict"]), (1, &waits));
    activate(&hospital, &id, SOMEBODY_ELSE.id_number, None);
    let (code, body) = told();
    assert_eq!((code, &body["verdict"]), (0, &json!({"listed": false})));
}

#[test]
fn a_list_from_an_older_copy_of_the_records_is_taken() {
    let mut hospital = hospital();
    let id = hospital.card_id.clone();
    let kept = KeptList::new(&hospital);
    let [data, copy] = ["data", "copy"].map(|below| hospital.stage.path(below));
    let records = |place: &Path| {
        let names = std::fs::read_dir(place).unwrap().map(|file| file.unwrap().file_name());
        let names = names.filter(|name| name.to_string_lossy().starts_with("healthcard.db"));
        names.collect::<Vec<_>>()
    };
    let copy_records = |from: &Path, to: &Path| {
        for name in records(from) {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    };
    hospital.stage.server().unwrap().kill();
    std::fs::create_dir(&copy).unwrap();
    copy_records(&data, &copy);
    hospital.stage.serve().unwrap();
    // More lists than the service will make again.
    for _ in 0..3 {
        hospital.granted(CLERK.key, &["card", "report-loss", &id]);
        hospital.granted(CLERK.key, &["card", "release", &id]);
    }
    let held = kept.fetch(&hospital)["number"].as_u64().unwrap();
    hospital.stage.server().unwrap().kill();
    for name in records(&data) {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    copy_records(&copy, &data);
    hospital.stage.serve().unwrap();
    let taken = kept.fetch(&hospital)["number"].as_u64().unwrap();
    assert!(taken > held, "{taken} > {held}");
}
