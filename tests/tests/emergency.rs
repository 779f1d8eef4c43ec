//! Access in an emergency: begun at once by somebody with no tie to the resident, over by itself, answered for.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proto::v1::EmergencyNotice;
use serde_json::{Value, json};
use service::demo::people::{CLERK, COLLEAGUE, DESK, DOCTOR, Institution};
use service::demo::programs::Program;
use service::policy::{SHIPPED, Texts};
use tests::grpc::log_in;
use tests::hospital::{Hospital, programs, text};
use tests::relay::{self, Relay, card, present};

/// A second hospital on the same service, which keeps data of its own.
const ELSEWHERE: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构县中医院", region: "990000" };
const NOTE: &str = "车祸昏迷，急需用药史";
const ACCOUNT: &str = "查阅既往用药后手术";
const WHY: &str = "与急诊记录相符";

fn note(hospital: &Hospital, words: &str) -> String {
    let path = hospital.stage.write("records/note.txt", words.as_bytes()).unwrap();
    path.to_string_lossy().into_owned()
}

/// The shipped rules, under which an emergency lasts half a minute.
fn with_short_emergencies(hospital: &mut Hospital) {
    let folder = hospital.stage.path("data/rules");
    fs::create_dir(&folder).unwrap();
    for (name, shipped) in SHIPPED.files() {
        fs::write(folder.join(name), shipped.replace("\nminutes = 60\n", "\nseconds = 30\n"))
            .unwrap();
    }
    assert!(fs::read_to_string(folder.join(Texts::FILES[0])).unwrap().contains("seconds = 30"));
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let signed = hospital.healthcardd(&["policy", "sign", folder.to_str().unwrap()]);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    let settings = hospital.stage.path("data/healthcard.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("policy = \"rules\"\n{before}")).unwrap();
    hospital.stage.serve().unwrap();
}

fn token(hospital: &Hospital, name: &str, issued: &Value) -> String {
    let path = hospital.stage.path("records").join(name);
    fs::write(&path, text(issued, "token")).unwrap();
    path.to_string_lossy().into_owned()
}

fn introspected(hospital: &Hospital, token: &str) -> Value {
    let order = ["token", "introspect", "--token", token, "--audience", "emr.example"];
    hospital.ask(DOCTOR.key, &order).body
}

/// Waits until the token is good no longer; why.
fn over(hospital: &Hospital, token: &str) -> String {
    let begun = Instant::now();
    loop {
        let found = introspected(hospital, token);
        if found["active"] != true {
            return text(&found, "inactive_reason");
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "it does not end: {found}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn an_emergency_opens_data_for_a_while_and_is_answered_for() {
    let mut hospital = Hospital::open();
    with_short_emergencies(&mut hospital);
    let elsewhere = hospital.stage.register_institution(&ELSEWHERE).unwrap();
    let visit = relay::open_visit(&hospital).await;
    let wanted = ["--classes", "health,care", "--grade", "4", "--audience", "emr.example"];
    let by_visit = [["token", "issue", "--visit", &visit].as_slice(), &wanted].concat();
    hospital.refused(COLLEAGUE.key, &by_visit, "NO_RELATION");

    // Who is at the desk begins none; whoever treats does, by the resident's pseudonym.
    let resident = hospital.resident_id.clone();
    let why = note(&hospital, NOTE);
    let begin = ["emergency", "begin", "--reason", "unconscious", "--note", &why];
    let of_resident = [&begin[..], &["--resident", &resident]].concat();
    hospital.refused(CLERK.key, &of_resident, "ROLE_NOT_ALLOWED");
    let begun = hospital.granted(COLLEAGUE.key, &of_resident);
    assert_eq!(begun["state"], "EMERGENCY_STATE_RUNNING", "{begun}");
    let emergency = text(&begun, "emergency_id");

    let in_it = ["token", "issue", "--emergency", &emergency, "--purpose", "emergency"];
    let in_it = [&in_it[..], &wanted, &["--records", &elsewhere]].concat();
    let issued = hospital.granted(COLLEAGUE.key, &in_it);
    assert_eq!(text(&issued, "rule"), "doctor-in-emergency");
    assert_eq!(issued["relations"], json!(["emergency"]));
    let first = token(&hospital, "first.jws", &issued);
    let check = ["token", "check", "--token", &first, "--audience", "emr.example"];
    let claims = hospital.granted(DOCTOR.key, &check)["claims"].clone();
    assert_eq!(text(&claims, "emergency"), emergency);
    assert_eq!(text(&claims["data"], "domain"), elsewhere);
    assert!(claims.get("visit").is_none(), "{claims}");
    hospital.refused(DOCTOR.key, &in_it, "EMERGENCY_NOT_FOUND");
    let account = ["emergency", "account", &emergency, "--note", &why];
    hospital.refused(COLLEAGUE.key, &account, "STATE_CONFLICT");

    // What was answered outlives a service that is cut off.
    hospital.stage.server().unwrap().kill();
    hospital.stage.serve().unwrap();
    let get = ["emergency", "get", &emergency];
    assert_eq!(text(&hospital.granted(COLLEAGUE.key, &get), "note"), NOTE);
    assert_eq!(over(&hospital, &first), "EMERGENCY_OVER");
    hospital.refused(COLLEAGUE.key, &in_it, "EMERGENCY_OVER");
    hospital.refused(COLLEAGUE.key, &["emergency", "end", &emergency], "EMERGENCY_OVER");
    answered_for(&hospital, &emergency);
    told(&hospital, &emergency).await;
    ended_early(&hospital, &visit, &begin, &wanted);
    logged(&hospital);
}

/// The account of whoever began it, and then the finding of another.
fn answered_for(hospital: &Hospital, emergency: &str) {
    let [account, finding] = [ACCOUNT, WHY].map(|words| {
        let name = format!("records/{}.txt", words.len());
        hospital.stage.write(&name, words.as_bytes()).unwrap().to_string_lossy().into_owned()
    });
    let review = ["emergency", "review", emergency, "--finding", "justified", "--note", &finding];
    hospital.refused("auditor", &review, "STATE_CONFLICT");
    let account = ["emergency", "account", emergency, "--note", &account];
    hospital.refused(DOCTOR.key, &account, "EMERGENCY_NOT_FOUND");
    hospital.granted(COLLEAGUE.key, &account);
    hospital.refused(COLLEAGUE.key, &account, "STATE_CONFLICT");
    hospital.refused(COLLEAGUE.key, &review, "ROLE_NOT_ALLOWED");
    let owed = hospital.granted("auditor", &["emergency", "list"]);
    assert_eq!(owed["emergencies"][0]["state"], "EMERGENCY_STATE_OWES_FINDING", "{owed}");
    let read = hospital.granted("auditor", &["emergency", "get", emergency]);
    assert_eq!((text(&read, "note"), text(&read, "account")), (NOTE.into(), ACCOUNT.into()));
    let reviewed = hospital.granted("auditor", &review);
    assert_eq!(reviewed["finding"], "EMERGENCY_FINDING_JUSTIFIED", "{reviewed}");
    hospital.refused("auditor", &review, "STATE_CONFLICT");
    let own = hospital.granted(COLLEAGUE.key, &["emergency", "list"]);
    assert_eq!(own["emergencies"][0]["state"], "EMERGENCY_STATE_REVIEWED", "{own}");
}

/// What the desk is shown when the resident's card is read.
async fn shown_with_the_card(hospital: &Hospital) -> Vec<EmergencyNotice> {
    let mut relay = Relay::open(log_in(&hospital.stage, DESK.key).await).await.unwrap();
    present(&mut relay, &mut card(&hospital.card_image())).await.reading().notices
}

/// The desk sees that the resident is to be told, until it says that they were.
async fn told(hospital: &Hospital, emergency: &str) {
    let shown = shown_with_the_card(hospital).await;
    assert_eq!(shown.iter().map(|it| &*it.emergency_id).collect::<Vec<_>>(), [emergency]);
    let read = ["resident", "get", &hospital.resident_id];
    let notices = hospital.granted(CLERK.key, &read)["notices"].clone();
    assert_eq!(notices[0]["emergency_id"], emergency, "{notices}");
    assert_eq!(notices[0]["reason"], "EMERGENCY_REASON_UNCONSCIOUS", "{notices}");
    assert_eq!(notices[0]["role"], "ROLE_DOCTOR", "{notices}");
    assert!(!notices.to_string().contains(NOTE), "{notices}");
    let tell = ["emergency", "tell", emergency];
    assert!(hospital.granted(CLERK.key, &tell)["receipt"].is_object());
    assert!(!hospital.granted(CLERK.key, &tell)["receipt"].is_object());
    let after = hospital.granted(CLERK.key, &read);
    assert!(after["notices"].as_array().is_none_or(Vec::is_empty), "{after}");
    assert!(shown_with_the_card(hospital).await.is_empty());
}

/// One that is ended at once takes its tokens with it.
fn ended_early(hospital: &Hospital, visit: &str, begin: &[&str], wanted: &[&str]) {
    let begun = hospital.granted(DOCTOR.key, &[begin, &["--visit", visit]].concat());
    let emergency = text(&begun, "emergency_id");
    let order = ["token", "issue", "--emergency", &emergency, "--purpose", "emergency"];
    let issued = hospital.granted(DOCTOR.key, &[&order[..], wanted].concat());
    let issued = token(hospital, "second.jws", &issued);
    hospital.refused(COLLEAGUE.key, &["emergency", "end", &emergency], "EMERGENCY_NOT_FOUND");
    hospital.granted(DOCTOR.key, &["emergency", "end", &emergency]);
    assert_eq!(text(&introspected(hospital, &issued), "inactive_reason"), "EMERGENCY_OVER");
    let state = hospital.granted(DOCTOR.key, &["emergency", "get", &emergency])["state"].clone();
    assert_eq!(state, "EMERGENCY_STATE_OWES_ACCOUNT");
}

/// All of it is in the log, and nothing of what was written.
fn logged(hospital: &Hospital) {
    let mut all = String::new();
    for action in ["begin", "end", "account", "review", "tell"] {
        let action = format!("emergency.{action}");
        let order = ["audit", "search", "--action", &action, "--outcome", "granted"];
        let found = hospital.granted("auditor", &order);
        assert!(found["entries"].as_array().is_some_and(|it| !it.is_empty()), "{action}: {found}");
        all += &found.to_string();
    }
    for written in [NOTE, ACCOUNT, WHY] {
        assert!(!all.contains(written), "{written}");
    }
    // What ended by itself is told by the service itself, a moment later.
    let begun = Instant::now();
    let order = ["audit", "search", "--action", "emergency.end", "--outcome", "granted"];
    while !hospital.granted("auditor", &order).to_string().contains("\"time\"") {
        assert!(begun.elapsed() < Duration::from_secs(300), "the end is not in the log");
        std::thread::yield_now();
    }
    let database = fs::read(hospital.database()).unwrap();
    let wal =
        fs::read(Path::new(&format!("{}-wal", hospital.database().display()))).unwrap_or_default();
    for written in [NOTE, ACCOUNT, WHY].map(str::as_bytes) {
        for file in [&database, &wal] {
            assert!(!file.windows(written.len()).any(|it| it == written), "written in clear");
        }
    }
}

/// Moves what is due for an emergency access into the past, as if days had gone by.
fn made_late(hospital: &mut Hospital, emergency: &str) {
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let days = 10_i64 * 24 * 60 * 60 * 1_000_000;
    let moved = "UPDATE emergency SET begun_at = begun_at - ?2, ends_at = ends_at - ?2, ended_at = ended_at - ?2,
                     account_due = account_due - ?2, finding_due = finding_due - ?2 WHERE id = ?1";
    assert_eq!(db.execute(moved, (emergency, days)).unwrap(), 1);
    drop(db);
    hospital.stage.serve().unwrap();
}

#[tokio::test]
async fn a_late_account_keeps_from_routine_access_and_from_nothing_else() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let why = note(&hospital, NOTE);
    let begin = ["emergency", "begin", "--reason", "urgent-history", "--note", &why];
    let resident = hospital.resident_id.clone();
    let begin = [&begin[..], &["--resident", &resident]].concat();
    let emergency = text(&hospital.granted(DOCTOR.key, &begin), "emergency_id");
    let wanted = ["--classes", "health", "--grade", "3"];
    let explain = [["token", "explain", "--visit", &visit].as_slice(), &wanted].concat();
    let issue = [["token", "issue", "--visit", &visit].as_slice(), &wanted].concat();
    let issue = [&issue[..], &["--audience", "emr.example"]].concat();
    hospital.granted(DOCTOR.key, &issue);
    hospital.granted(DOCTOR.key, &["emergency", "end", &emergency]);
    hospital.granted(DOCTOR.key, &issue);
    made_late(&mut hospital, &emergency);

    let refused = hospital.refused(DOCTOR.key, &issue, "REVIEW_OVERDUE");
    assert!(refused.to_string().contains("emergency account"), "{refused}");
    let explained = hospital.granted(DOCTOR.key, &explain);
    assert_eq!(text(&explained, "rule"), "account-given", "{explained}");
    // Neither the next emergency nor a signature.
    let next = text(&hospital.granted(DOCTOR.key, &begin), "emergency_id");
    let order = ["token", "issue", "--emergency", &next, "--purpose", "emergency"];
    let in_it = [&order[..], &wanted, &["--audience", "emr.example"]].concat();
    hospital.granted(DOCTOR.key, &in_it);
    let signature = hospital.stage.path("records/note.p7s").to_string_lossy().into_owned();
    let sign = ["sign", "--visit", &visit, "--type", "progress-note", "--file", &why];
    hospital.granted(DOCTOR.key, &[&sign[..], &["--out", &signature]].concat());

    // The duty officer is told once a day, however often the service starts.
    let alerts = |hospital: &Hospital| {
        let order = ["audit", "search", "--action", "emergency.remind", "--alerts"];
        hospital.granted("auditor", &order)["entries"].as_array().map_or(0, Vec::len)
    };
    let begun = Instant::now();
    while alerts(&hospital) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(300), "nobody was told");
        std::thread::yield_now();
    }
    hospital.restart();
    hospital.restart();
    // At most the one of the day after, should midnight be passed meanwhile.
    assert!(alerts(&hospital) <= 2);

    let account = hospital.stage.write("records/account.txt", ACCOUNT.as_bytes()).unwrap();
    let account = account.to_string_lossy().into_owned();
    hospital.granted(DOCTOR.key, &["emergency", "account", &emergency, "--note", &account]);
    hospital.granted(DOCTOR.key, &issue);
    // The rules decide as they did; that an account was late is none of theirs.
    let mut replay = programs().command(Program::Healthcardd);
    replay.args(["policy", "replay", "--data"]).arg(hospital.stage.path("data"));
    let replayed = replay.output().unwrap();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stdout));
}
