//! The electronic card: a code that is shown, used once, at one desk; everything else is refused by its own name.

use std::fs;
use std::process::Command;

use proto::v1::cards_client::CardsClient;
use proto::v1::{
    CodeForm, CreateCodeRequest, CreatedCode, DeskNonceRequest, ListVisitsRequest,
    OpenVisitRequest, ReadCardRequest, VerifiedCode, VerifyCodeRequest,
    visits_client::VisitsClient,
};
use serde_json::Value;
use service::demo::people::{CLERK, DEPARTMENT, DESK, DOCTOR, PATIENT, RECORDS};
use service::policy::{SHIPPED, Texts};
use tests::grpc::{Caller, log_in, reason};
use tests::hospital::{Hospital, text};
use tokio::task::JoinSet;
use tonic::Status;

const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A hospital whose patient has an electronic card; the card's id.
fn open() -> (Hospital, String) {
    let hospital = Hospital::open();
    let card = apply(&hospital);
    (hospital, card)
}

fn apply(hospital: &Hospital) -> String {
    let order = ["card", "code", "apply", "--resident", &hospital.resident_id];
    text(&hospital.granted(CLERK.key, &order), "electronic_card_id")
}

/// Asks the app's system for a code.
fn create(hospital: &Hospital, more: &[&str]) -> Value {
    let order = ["card", "code", "create", "--resident", &hospital.resident_id];
    hospital.granted(RECORDS.key, &[&order, more].concat())
}

/// Writes what a scanner would say into a file; its path.
fn scan(hospital: &Hospital, code: &str) -> String {
    let file = hospital.stage.write("records/scan", format!("{code}\r\n").as_bytes()).unwrap();
    file.to_string_lossy().into_owned()
}

fn refused(hospital: &Hospital, who: &str, code: &str, more: &[&str], reason: &str) {
    let file = scan(hospital, code);
    let order = ["card", "code", "verify", "--code", &file];
    let said = hospital.refused(who, &[&order, more].concat(), reason).to_string();
    assert!(!said.contains(code), "a refusal repeats the code: {said}");
}

#[test]
fn a_code_on_a_screen_opens_one_visit() {
    let (hospital, card) = open();
    assert_eq!(apply(&hospital), card, "who applies again is told the card they have");
    let picture = hospital.stage.path("records/qr.png");
    let made = create(&hospital, &["--out", &picture.to_string_lossy()]);
    let code = text(&made, "code");
    assert_eq!((code.len(), &code[64..67]), (99, ":0:"));
    assert_eq!(made["uses_left"], 1);

    // The desk scans the picture, not the text.
    let scanned = read_picture(&picture);
    assert_eq!(scanned, code);
    let file = scan(&hospital, &scanned);
    let order = ["card", "code", "verify", "--code", &file, "--step", "010101"];
    let verified = hospital.granted(DESK.key, &order);
    assert_eq!(verified["uses_left"], 0);
    assert_eq!(verified["code_id"], made["code_id"]);
    let reading = &verified["reading"];
    assert_eq!(text(reading, "name"), PATIENT.name);
    assert_eq!(text(reading, "id_number"), PATIENT.id_number);
    assert_eq!(text(reading, "evidence"), "EVIDENCE_DYNAMIC_CODE");
    assert_eq!(
        (text(reading, "electronic_card_id"), text(reading, "card_id")),
        (card, String::new())
    );
    refused(&hospital, DESK.key, &code, &[], "CODE_USED");

    let presence = text(reading, "presence_id");
    let order = ["--presence", &presence, "--department", DEPARTMENT, "--reason", "outpatient"];
    let order = [&["visit", "open"][..], &order].concat();
    let visit = hospital.granted(DESK.key, &order);
    assert_eq!(text(&visit, "resident_id"), hospital.resident_id);
    hospital.refused(DESK.key, &order, "PRESENCE_INVALID");

    // The log says what the visit rests on.
    let found = hospital.granted("auditor", &["audit", "search", "--action", "visit.open"]);
    let entry = found["entries"].to_string();
    assert!(entry.contains("dynamic-code"), "{entry}");
    let file = hospital.stage.path("log/after.db");
    service::demo::tamper::copy(&hospital.database(), &file).unwrap();
    assert_eq!(hospital.check_log(&file).code, 0);
}

/// The text of a PNG, by `zbarimg`, which shares nothing with what wrote it.
fn read_picture(file: &std::path::Path) -> String {
    let output = Command::new("zbarimg")
        .args(["--quiet", "--raw", "--set", "*.enable=0", "--set", "qrcode.enable=1"])
        .arg(file)
        .output()
        .expect("no zbarimg: run scripts/setup");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn a_signed_code_is_for_one_desk_and_checked_without_the_service() {
    let (hospital, _) = open();
    let keys = hospital.granted(DESK.key, &["token", "keys"]).to_string();
    let keys = hospital.stage.write("records/keys.json", keys.as_bytes()).unwrap();
    let keys = keys.to_string_lossy();
    let nonce = hospital.granted(DESK.key, &["card", "code", "nonce"]);
    let nonce = hex_of(&text(&nonce, "nonce"));
    let made = create(&hospital, &["--form", "signed", "--nonce", &nonce]);
    let code = text(&made, "code");
    assert!(code.starts_with("HCC1:"), "{code}");

    // Offline: the signature, the dates, the desk, and what was not looked at.
    let file = scan(&hospital, &code);
    let check = |code: &str, more: &[&str]| {
        let file = scan(&hospital, code);
        let order = ["card", "code", "check", "--code", &file, "--keys", &keys];
        hospital.ask(DESK.key, &[&order, more].concat())
    };
    let found = check(&code, &["--nonce", &nonce]);
    assert_eq!((found.code, &found.body["desk"]), (0, &Value::from("this")));
    assert_eq!(found.body["code_id"], made["code_id"]);
    assert!(found.body["not_checked"].to_string().contains("uses_left"), "{}", found.body);
    let found = check(&code, &[]);
    assert_eq!((found.code, &found.body["desk"]), (5, &Value::from("unknown")));
    let other = "11".repeat(32);
    check(&code, &["--nonce", &other]).refused("CODE_OTHER_DESK").unwrap();
    let forged = changed_at_end(&code);
    check(&forged, &["--nonce", &nonce]).refused("CODE_NOT_GENUINE").unwrap();
    let plain = text(&create(&hospital, &[]), "code");
    check(&plain, &[]).refused("CODE_ONLINE_ONLY").unwrap();

    // Photographed, and shown elsewhere at once.
    refused(&hospital, CLERK.key, &code, &[], "CODE_OTHER_DESK");
    refused(&hospital, DESK.key, &forged, &[], "CODE_NOT_GENUINE");
    // A desk that insists on its nonce takes nothing else.
    let unbound = text(&create(&hospital, &["--form", "signed"]), "code");
    refused(&hospital, DESK.key, &unbound, &["--nonce", &nonce], "CODE_OTHER_DESK");
    refused(&hospital, DESK.key, &plain, &["--nonce", &nonce], "CODE_OTHER_DESK");
    let elsewhere = hospital.granted(CLERK.key, &["card", "code", "nonce"]);
    let elsewhere = hex_of(&text(&elsewhere, "nonce"));
    refused(&hospital, DESK.key, &code, &["--nonce", &elsewhere], "CODE_OTHER_DESK");

    let order = ["card", "code", "verify", "--code", &file, "--nonce", &nonce];
    scan(&hospital, &code);
    let verified = hospital.granted(DESK.key, &order);
    assert_eq!(text(&verified["reading"], "evidence"), "EVIDENCE_SIGNED_CODE");
    refused(&hospital, DESK.key, &code, &["--nonce", &nonce], "CODE_USED");
    refused(&hospital, CLERK.key, &code, &[], "CODE_USED");
    // None of these refusals used the others up.
    let file = scan(&hospital, &unbound);
    hospital.granted(CLERK.key, &["card", "code", "verify", "--code", &file]);
    let unknown = ["--form", "signed", "--nonce", &other];
    let order = [&["card", "code", "create", "--resident", &hospital.resident_id][..], &unknown];
    hospital.refused(RECORDS.key, &order.concat(), "CODE_NONCE_UNKNOWN");
}

/// JSON writes bytes as base64, the command line reads them as hexadecimal.
fn hex_of(base64: &str) -> String {
    use base64::Engine as _;
    hex::encode(base64::engine::general_purpose::STANDARD.decode(base64).unwrap())
}

/// The code with another signature.
fn changed_at_end(code: &str) -> String {
    // Third from the end: the lowest digit of the last pair of octets.
    let at = code.len() - 3;
    let digit = if &code[at..=at] == "0" { "1" } else { "0" };
    [&code[..at], digit, &code[at + 1..]].concat()
}

#[test]
fn every_other_code_is_refused_by_its_own_name() {
    let (mut hospital, card) = open();
    let good = text(&create(&hospital, &[]), "code");
    let (id, rest) = good.split_at(64);
    let another_digit = if rest.ends_with('0') { "1" } else { "0" };
    #[rustfmt::skip]
    let cases = [
        ("6901234567892".to_owned(), "CODE_FOREIGN"),
        (PATIENT.id_number.to_owned(), "CODE_FOREIGN"),
        (id.to_owned(), "CODE_MALFORMED"),
        (good[..98].to_owned(), "CODE_MALFORMED"),
        (good.to_lowercase(), "CODE_MALFORMED"),
        (format!("{}{another_digit}", &good[..98]), "CODE_UNKNOWN"),
        (format!("{good}:5100A0013"), "CODE_UNKNOWN"),
        (format!("{}:0:{}", "0".repeat(64), "0".repeat(32)), "CODE_UNKNOWN"),
        (format!("{id}:1"), "CODE_STATIC_NOT_ALLOWED"),
    ];
    for (code, reason) in cases {
        refused(&hospital, DESK.key, &code, &[], reason);
    }
    // Who makes codes does not verify them, and the other way.
    refused(&hospital, RECORDS.key, &good, &[], "ROLE_NOT_ALLOWED");
    refused(&hospital, "doctor", &good, &[], "ROLE_NOT_ALLOWED");
    let order = ["card", "code", "create", "--resident", &hospital.resident_id];
    for who in [CLERK.key, DESK.key, "doctor"] {
        hospital.refused(who, &order, "ROLE_NOT_ALLOWED");
    }
    let order = |more: &[&'static str]| [&order[..], more].concat();
    hospital.refused(RECORDS.key, &order(&["--form", "static"]), "CODE_STATIC_NOT_ALLOWED");
    hospital.refused(RECORDS.key, &order(&["--uses", "2"]), "FIELD_INVALID");
    hospital.refused(RECORDS.key, &order(&["--nonce", "00"]), "FIELD_INVALID");

    let revoked = create(&hospital, &[]);
    let order = ["card", "code", "revoke", &text(&revoked, "code_id")];
    hospital.granted(RECORDS.key, &order);
    hospital.refused(RECORDS.key, &order, "STATE_CONFLICT");
    // How often a card is shown is counted in memory, and was often here; a service that starts counts anew.
    later(&mut hospital, "+6m");
    refused(&hospital, DESK.key, &text(&revoked, "code"), &[], "CODE_REVOKED");
    refused(&hospital, DESK.key, &good, &[], "CODE_EXPIRED");

    let open = create(&hospital, &[]);
    let cancel = ["card", "code", "revoke", "--electronic-card", &card];
    hospital.refused(RECORDS.key, &cancel, "ROLE_NOT_ALLOWED");
    hospital.granted(CLERK.key, &cancel);
    hospital.refused(CLERK.key, &cancel, "STATE_CONFLICT");
    refused(&hospital, DESK.key, &text(&open, "code"), &[], "ELECTRONIC_CARD_CANCELLED");
    let order = ["card", "code", "create", "--resident", &hospital.resident_id];
    hospital.refused(RECORDS.key, &order, "ELECTRONIC_CARD_NOT_FOUND");
    let again = ["card", "code", "apply", "--resident", &hospital.resident_id];
    hospital.refused(CLERK.key, &again, "ELECTRONIC_CARD_CANCELLED");
    let anew = hospital.granted(CLERK.key, &[&again[..], &["--anew"]].concat());
    assert_ne!(text(&anew, "electronic_card_id"), card);
    let fresh = text(&create(&hospital, &[]), "code");
    assert_ne!(&fresh[..64], id, "another card has another id");
}

/// Starts the service again as if some time had passed.
fn later(hospital: &mut Hospital, offset: &str) {
    assert!(std::path::Path::new(LIBFAKETIME).exists(), "no libfaketime: run scripts/setup");
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let with_offset = |mut command: Command| {
        command.env("LD_PRELOAD", LIBFAKETIME).env("FAKETIME", offset);
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    };
    hospital.stage.serve_with(with_offset).unwrap();
}

#[test]
fn a_code_says_that_there_is_something_to_tell_and_not_what() {
    let (hospital, _) = open();
    let why = hospital.stage.write("records/note.txt", "车祸昏迷，急需用药史".as_bytes()).unwrap();
    let begin = ["emergency", "begin", "--reason", "unconscious", "--note", why.to_str().unwrap()];
    let order = [&begin[..], &["--resident", &hospital.resident_id]].concat();
    let begun = hospital.granted(DOCTOR.key, &order);
    let file = scan(&hospital, &text(&create(&hospital, &[]), "code"));
    let verified = hospital.granted(DESK.key, &["card", "code", "verify", "--code", &file]);
    let notices = verified["reading"]["notices"].as_array().unwrap();
    assert_eq!(notices.len(), 1, "{verified}");
    let notice = &notices[0];
    assert_eq!(notice["emergency_id"], begun["emergency_id"], "{notice}");
    assert_eq!(text(notice, "institution_name"), "", "{notice}");
    assert_ne!(notice["reason"], begun["reason"], "{notice}");
    assert!(notice["begun_at"].is_null(), "{notice}");
}

#[test]
fn static_codes_need_a_rule_and_give_no_presence() {
    let mut hospital = Hospital::open();
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let shipped = SHIPPED.rules;
    let rules =
        shipped.replace("static = []", "static = [\"010101\"]").replace("uses = 1", "uses = 2");
    assert_ne!(rules, shipped);
    let rules = Texts { rules: rules.into(), ..SHIPPED };
    fs::create_dir(hospital.stage.path("data/rules")).unwrap();
    for (name, text) in rules.files() {
        hospital.stage.write(&format!("data/rules/{name}"), text.as_bytes()).unwrap();
    }
    let folder = hospital.stage.path("data/rules");
    let signed = hospital.healthcardd(&["policy", "sign", folder.to_str().unwrap()]);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    let settings = hospital.stage.path("data/healthcard.toml");
    let text_of_settings = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("policy = \"rules\"\n{text_of_settings}")).unwrap();
    hospital.stage.serve().unwrap();
    apply(&hospital);

    let code = text(&create(&hospital, &["--form", "static", "--platform", "5100A0013"]), "code");
    assert_eq!((code.len(), &code[64..]), (77, ":1::5100A0013"));
    let file = scan(&hospital, &code);
    let order = ["card", "code", "verify", "--code", &file, "--step"];
    for _ in 0..2 {
        let verified = hospital.granted(DESK.key, &[&order[..], &["010101"]].concat());
        let reading = &verified["reading"];
        assert_eq!(text(reading, "name"), PATIENT.name);
        assert_eq!(text(reading, "evidence"), "EVIDENCE_STATIC_CODE");
        assert_eq!(text(reading, "presence_id"), "");
    }
    hospital.refused(DESK.key, &[&order[..], &["010103"]].concat(), "CODE_STATIC_NOT_ALLOWED");

    // A rule may give a code more than one use; each is counted.
    let code = text(&create(&hospital, &["--uses", "2"]), "code");
    let file = scan(&hospital, &code);
    let order = ["card", "code", "verify", "--code", &file];
    for left in [1, 0] {
        assert_eq!(hospital.granted(DESK.key, &order)["uses_left"], left);
    }
    refused(&hospital, DESK.key, &code, &[], "CODE_USED");
}

async fn make(app: &Caller, hospital: &Hospital) -> CreatedCode {
    let request = CreateCodeRequest {
        resident_id: hospital.resident_id.clone(),
        form: CodeForm::Dynamic.into(),
        ..CreateCodeRequest::default()
    };
    CardsClient::new(app.clone()).create_code(request).await.unwrap().into_inner()
}

async fn show(desk: Caller, code: String) -> Result<VerifiedCode, Status> {
    let request = VerifyCodeRequest {
        code,
        desk_nonce: Vec::new(),
        medical_step: "010101".to_owned(),
        channel: "01".to_owned(),
        terminal: "01".to_owned(),
    };
    Ok(CardsClient::new(desk).verify_code(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_desks_that_show_one_code_at_once_one_alone_sees_the_person() {
    let (mut hospital, _) = open();
    for round in 0..5 {
        let app = log_in(&hospital.stage, RECORDS.key).await;
        let code = make(&app, &hospital).await.code;
        let mut desks = JoinSet::new();
        for who in [DESK.key, CLERK.key].into_iter().cycle().take(8) {
            let (desk, code) = (log_in(&hospital.stage, who).await, code.clone());
            desks.spawn(async move { show(desk, code).await });
        }
        let answers = desks.join_all().await;
        let seen = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(seen, 1, "round {round}");
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(reason(refused), "CODE_USED");
        }
        // How often a card is shown is limited; a service that starts counts anew.
        hospital.stage.server().unwrap().kill();
        hospital.stage.serve().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_use_that_was_acknowledged_outlives_kill_9() {
    // Twice as many is what a card may be shown at once: here, and again after the service was killed.
    const CODES: usize = 5;
    const ROUNDS: usize = 10;
    let (mut hospital, _) = open();
    let mut total = 0;
    for round in 0..ROUNDS {
        let app = log_in(&hospital.stage, RECORDS.key).await;
        let mut codes = Vec::new();
        for _ in 0..CODES {
            codes.push(make(&app, &hospital).await.code);
        }
        let desk = log_in(&hospital.stage, DESK.key).await;
        let mut shown = JoinSet::new();
        for code in codes {
            let desk = desk.clone();
            shown.spawn(async move { (show(desk, code.clone()).await.is_ok(), code) });
        }
        // Each round is cut at another point.
        let mut acknowledged = Vec::new();
        while acknowledged.len() <= round % CODES
            && let Some(answer) = shown.join_next().await
        {
            let (granted, code) = answer.unwrap();
            acknowledged.extend(granted.then_some(code));
        }
        hospital.stage.server().unwrap().kill();
        while let Some(answer) = shown.join_next().await {
            let (granted, code) = answer.unwrap();
            acknowledged.extend(granted.then_some(code));
        }
        hospital.stage.serve().unwrap();
        let desk = log_in(&hospital.stage, DESK.key).await;
        assert!(acknowledged.len() > round % CODES);
        total += acknowledged.len();
        for code in acknowledged {
            let refused = show(desk.clone(), code).await.unwrap_err();
            assert_eq!(reason(&refused), "CODE_USED", "round {round}");
        }
    }
    println!("{ROUNDS} kills, {total} acknowledged uses");
}

#[tokio::test]
async fn guessing_is_limited_by_session_and_by_card() {
    let (hospital, _) = open();
    let app = log_in(&hospital.stage, RECORDS.key).await;
    let code = make(&app, &hospital).await.code;
    // Ten guesses at a card, from whatever desk; then even the right code has to wait.
    let desks = [log_in(&hospital.stage, DESK.key).await, log_in(&hospital.stage, CLERK.key).await];
    let guess = format!("{}:0:{}", &code[..64], "0".repeat(32));
    for at in 0..10 {
        let refused = show(desks[at % 2].clone(), guess.clone()).await.unwrap_err();
        assert_eq!(reason(&refused), "CODE_UNKNOWN", "guess {at}");
    }
    let refused = show(desks[0].clone(), code).await.unwrap_err();
    assert_eq!(reason(&refused), "RATE_LIMITED");
    let found = hospital.granted("auditor", &["audit", "search", "--action", "code.verify"]);
    assert!(
        found["entries"].to_string().contains("RATE_LIMITED"),
        "a refusal that names a card is logged"
    );

    // Sixty scans at once, then two a second: a hundred and fifty in a row are not all looked at.
    let desk = log_in(&hospital.stage, DESK.key).await;
    let mut reasons = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..150 {
        let refused = show(desk.clone(), "not a code".to_owned()).await.unwrap_err();
        *reasons.entry(reason(&refused)).or_default() += 1;
    }
    assert_eq!(reasons.keys().collect::<Vec<_>>(), ["CODE_FOREIGN", "RATE_LIMITED"]);
    assert!(reasons["CODE_FOREIGN"] >= 60, "{reasons:?}");
}

#[tokio::test]
async fn a_presence_of_a_code_ends_with_the_electronic_card() {
    let (hospital, card) = open();
    let app = log_in(&hospital.stage, RECORDS.key).await;
    let desk = log_in(&hospital.stage, DESK.key).await;
    let code = make(&app, &hospital).await.code;
    let reading = show(desk.clone(), code).await.unwrap().reading.unwrap();
    let presence_id = reading.presence_id;
    let read = ReadCardRequest { presence_id: presence_id.clone() };
    let again = CardsClient::new(desk.clone()).read(read.clone()).await.unwrap().into_inner();
    assert_eq!((again.name, again.evidence), (reading.name, reading.evidence));
    // Another session has no part in it.
    let clerk = log_in(&hospital.stage, CLERK.key).await;
    let refused = CardsClient::new(clerk).read(read.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "PRESENCE_INVALID");
    // Nor do the nonces of one desk give another anything.
    CardsClient::new(desk.clone()).show_desk_nonce(DeskNonceRequest {}).await.unwrap();

    hospital.granted(CLERK.key, &["card", "code", "revoke", "--electronic-card", &card]);
    let refused = CardsClient::new(desk.clone()).read(read).await.unwrap_err();
    assert_eq!(reason(&refused), "CARD_NOT_ACTIVE");
    let order = OpenVisitRequest {
        presence_id,
        department: DEPARTMENT.to_owned(),
        reason: "outpatient".to_owned(),
        attending: Vec::new(),
    };
    let mut visits = VisitsClient::new(desk);
    assert_eq!(reason(&visits.open(order).await.unwrap_err()), "CARD_NOT_ACTIVE");
    assert!(
        visits.list(ListVisitsRequest::default()).await.unwrap().into_inner().visits.is_empty()
    );
}
