//! Keys of a service that get another version: what was signed before stays good, until its key is compromised.

use std::collections::BTreeMap;

use access_token::proof::Request;
use access_token::{KeySet, Refusal, Verifier};
use proto::v1::{ConsentKind, DataClass, GrantConsentRequest, Purpose};
use serde_json::Value;
use service::demo::people::{DESK, DOCTOR, RECORDS};
use service::demo::programs::{Finished, Program};
use service::demo::tamper;
use tests::card_list::KeptList;
use tests::counter::Counter;
use tests::hospital::{Hospital, empty_stage, text};
use tests::http::get;
use tests::programs::later;
use tests::relay;
use tests::resource_server::now;

/// Keys that get new versions, as they are called in key sets and without them.
const ROTATED: [&str; 7] =
    ["soft:token", "soft:log", "soft:code", "soft:card-list", "soft:data", "soft:ocsp", "soft:tsa"];

/// `healthcardd keys` on the data directory of a hospital.
fn run(hospital: &Hospital, order: &[&str]) -> Finished {
    hospital.healthcardd(&[&["keys"], order, &["--json"]].concat())
}

/// What it tells of each version, the newest first.
fn keys(hospital: &Hospital, order: &[&str]) -> Vec<Value> {
    let finished = run(hospital, order);
    assert_eq!(finished.code, 0, "{order:?}: {}", finished.stderr);
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn refused(hospital: &Hospital, order: &[&str], why: &str) {
    let finished = run(hospital, order);
    assert_eq!((finished.code, finished.stdout.as_str()), (1, ""), "{order:?}");
    assert!(finished.stderr.contains(why), "{order:?}: {}", finished.stderr);
}

fn states(versions: &[Value]) -> Vec<String> {
    versions.iter().map(|version| text(version, "state")).collect()
}

fn stopped(hospital: &mut Hospital) {
    hospital.stage.server().unwrap().end().unwrap();
}

/// A token, in a file; and what is said of it.
fn token(hospital: &Hospital, visit: &str, name: &str) -> String {
    let (grade, classes) = (["--grade", "2"], ["--classes", "health"]);
    let order = ["token", "issue", "--visit", visit, "--audience", "emr.example"];
    let issued = hospital.granted(DOCTOR.key, &[&order[..], &grade, &classes].concat());
    let file = hospital.stage.write(name, text(&issued, "token").as_bytes()).unwrap();
    file.to_string_lossy().into_owned()
}

fn said_of(hospital: &Hospital, token: &str) -> Value {
    let order = ["token", "introspect", "--token", token, "--audience", "emr.example"];
    hospital.ask(RECORDS.key, &order).body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_signed_before_stays_good() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let old = token(&hospital, &visit, "records/old.jws");
    let held = hospital.stage.path("records/held.checkpoint").to_string_lossy().into_owned();
    hospital.granted("auditor", &["audit", "checkpoint", "--out", &held]);
    let old_verifier = hospital.verifier_key();
    let stamper = stamper(&hospital);
    // The service has its keystore to itself.
    refused(&hospital, &["rotate", "soft:token"], "running");
    stopped(&mut hospital);

    let ahead = keys(&hospital, &["prepare", "soft:token"]);
    assert_eq!(states(&ahead), ["pre-active", "active"]);
    for key in ROTATED {
        let versions = keys(&hospital, &["rotate", key, "--at-once"]);
        assert_eq!(states(&versions), ["active", "retired"], "{key}");
    }
    let now = keys(&hospital, &["rotate", "soft:token", "--at-once"]);
    assert_eq!(states(&now), ["active", "retired", "retired"]);
    assert_eq!(now[1]["thumbprint"], ahead[0]["thumbprint"], "made ahead, used, and replaced");

    hospital.stage.serve().unwrap();
    assert_eq!(said_of(&hospital, &old)["active"], true);
    let new = token(&hospital, &visit, "records/new.jws");
    assert_eq!(said_of(&hospital, &new)["active"], true);
    let published = hospital.granted(RECORDS.key, &["token", "keys"]).to_string();
    for version in &now {
        assert!(published.contains(&text(version, "thumbprint")), "{version}");
    }
    // Who answers about certificates and who stamps times have new ones, for their new keys.
    assert_eq!(hospital.granted("colleague", &["authority", "status"])["status"], "good");
    let order = ["audit", "search", "--action", "certificate.issue"];
    let issued = hospital.granted("auditor", &order).to_string();
    for (own, times) in [("ca-people-ocsp", 4), ("tsa", 4)] {
        let found = issued.matches(&format!("\"authority\":\"{own}\"")).count();
        assert_eq!(found, times, "{own}: drafted and signed, before and after");
    }
    // What was stamped before is checked for years: its certificate is no stranger's.
    assert_eq!(status_of(&hospital, &stamper), "good");
    // A desk that holds a list of before goes on with the new key.
    KeptList::new(&hospital).fetch(&hospital);
    // The log is one log: with the new key all of it is checked, and it goes on from what was held.
    assert_ne!(hospital.verifier_key(), old_verifier);
    let goes_on = ["audit", "consistency", "--checkpoint", &held, "--held-key", &old_verifier];
    hospital.granted("auditor", &goes_on);
    hospital.refused("auditor", &goes_on[..4], "CHECKPOINT_UNUSABLE");
    let copy = hospital.stage.path("log/rotated.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    assert_eq!(hospital.check_log(&copy).code, 0);
    let order = ["audit", "search", "--action", "key.rotate"];
    let found = hospital.granted("auditor", &order).to_string();
    for version in now.iter().take(2) {
        assert!(found.contains(&text(version, "thumbprint")), "the log names the key: {found}");
    }
}

/// The certificate of who stamps times, in a file.
fn stamper(hospital: &Hospital) -> String {
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let of_tsa = "SELECT der FROM authority WHERE name = 'tsa'";
    let der: Vec<u8> = db.query_row(of_tsa, [], |row| row.get(0)).unwrap();
    hospital.stage.write("records/tsa.der", &der).unwrap().to_string_lossy().into_owned()
}

fn status_of(hospital: &Hospital, certificate: &str) -> String {
    let order = ["authority", "status", "--certificate", certificate];
    text(&hospital.ask(DOCTOR.key, &order).body, "status")
}

/// `healthcardd keys`, later.
fn keys_later(hospital: &Hospital, order: &[&str], offset: &str) -> Finished {
    let command = hospital.healthcardd_command(&[&["keys"], order].concat());
    hospital.stage.programs().finish(Program::Healthcardd, later(command, offset)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_has_the_key_set_of_before_takes_the_first_token_of_the_next_key() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let before = token(&hospital, &visit, "records/before.jws");
    let mut counter = Counter::open(&hospital).await;
    let order = GrantConsentRequest {
        resident_id: hospital.resident_id.clone(),
        presence_id: counter.reads(&hospital.card_image()).await,
        kind: ConsentKind::Permit.into(),
        purpose: Purpose::Treatment.into(),
        classes: vec![DataClass::Health.into()],
        grade: 3,
        recipient_id: hospital.institution_id.clone(),
        ..GrantConsentRequest::default()
    };
    counter.grants(order).await.unwrap();
    drop(counter);
    let published = |hospital: &Hospital| {
        let (head, set) = get(hospital, "/jwks.json");
        assert!(head.to_lowercase().contains("cache-control: max-age=300"), "{head}");
        set
    };
    let said = get(&hospital, "/.well-known/oauth-authorization-server").1;
    let issuer = text(&serde_json::from_slice(&said).unwrap(), "issuer");
    // Whether a verifier with this set, whose clock is so much ahead, lacks nothing but the proof.
    let taken = |set: &[u8], token: &str, ahead: i64| {
        let keys = KeySet::from_json(set).unwrap();
        let verifier = Verifier::new(&issuer, "emr.example", keys);
        let request = Request { method: "GET", uri: "https://emr.example/" };
        let token = std::fs::read_to_string(token).unwrap();
        let refused = verifier.check(&token, None, request, now() + ahead).unwrap_err();
        assert!([Refusal::ProofMissing, Refusal::TokenKeyUnknown].contains(&refused), "{refused}");
        refused == Refusal::ProofMissing
    };
    let unprepared = published(&hospital);
    stopped(&mut hospital);
    let rotate = ["rotate", "soft:token"];
    refused(&hospital, &rotate, "there is none");
    keys(&hospital, &["prepare", "soft:token"]);
    refused(&hospital, &rotate, "did not serve since it was made");
    hospital.stage.serve().unwrap();
    let set = published(&hospital);
    stopped(&mut hospital);
    refused(&hospital, &rotate, "it may from");
    let rotated = keys_later(&hospital, &rotate, "+6m");
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);

    hospital.stage.serve_with(|command| later(command, "+6m")).unwrap();
    let first = token(&hospital, &visit, "records/first.jws");
    assert!(taken(&set, &first, 360), "the first token of the next key");
    assert!(!taken(&unprepared, &first, 360), "the key is another");
    assert!(taken(&published(&hospital), &before, 360), "the key of before goes on");
    let recorded = hospital.granted("auditor", &["audit", "search", "--action", "key.publish"]);
    assert_eq!(recorded["entries"].as_array().unwrap().len(), 1, "once: {recorded}");
    stopped(&mut hospital);

    // As long as a token of the key of before goes on, and no longer.
    let destroy = ["destroy", "soft:token", "--version", "1"];
    let early = keys_later(&hospital, &destroy, "+6m");
    assert_eq!(early.code, 1);
    assert!(
        early.stderr.contains("version 1 of soft:token signed are good until"),
        "{}",
        early.stderr
    );
    // Nor while what a resident agreed to goes on: its receipt would not be believed any more.
    let consented = keys_later(&hospital, &destroy, "+16m");
    assert_eq!(consented.code, 1);
    assert!(consented.stderr.contains("receipts version 1 of soft:token"), "{}", consented.stderr);
    let over = keys_later(&hospital, &[&destroy[..], &["--receipts-too"]].concat(), "+16m");
    assert_eq!(over.code, 0, "{}", over.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_compromised_key_signed_is_not_believed() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let old = token(&hospital, &visit, "records/old.jws");
    let stamper = stamper(&hospital);
    stopped(&mut hospital);
    // The one in use gets its successor at once; the service never stands without a key.
    for key in ROTATED {
        let versions = keys(&hospital, &["compromise", key, "--version", "1"]);
        assert_eq!(states(&versions), ["active", "compromised"], "{key}");
    }
    hospital.stage.serve().unwrap();
    let said = said_of(&hospital, &old);
    assert_eq!(
        (&said["active"], text(&said, "inactive_reason").as_str()),
        (&false.into(), "MALFORMED_OR_FORGED")
    );
    assert_eq!(status_of(&hospital, &stamper), "unknown", "not to be relied on");
    let published = hospital.granted(DESK.key, &["token", "keys"]).to_string();
    for version in keys(&hospital, &["list"]) {
        let Some(thumbprint) = version["thumbprint"].as_str() else { continue };
        if version["state"] == "compromised" {
            assert!(!published.contains(thumbprint), "{version}");
        }
    }
    // What residents' data were sealed with still opens them.
    let new = token(&hospital, &visit, "records/new.jws");
    assert_eq!(said_of(&hospital, &new)["active"], true);
    hospital.granted("clerk", &["resident", "get", &hospital.resident_id]);
    let copy = hospital.stage.path("log/compromised.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    assert_eq!(hospital.check_log(&copy).code, 0);
}

/// `healthcardd` on the data directory of a hospital, opened with these shares.
fn with_shares(hospital: &Hospital, order: &[&str], shares: &[&str]) -> Finished {
    let mut command = hospital.stage.programs().command(Program::Healthcardd);
    command.args(order).arg("--data").arg(hospital.stage.path("data"));
    for share in shares {
        command.arg("--share").arg(hospital.stage.path(share));
    }
    hospital.stage.programs().finish(Program::Healthcardd, command).unwrap()
}

#[test]
fn two_of_three_custodians_open_the_keystore() {
    let mut hospital = Hospital::open();
    stopped(&mut hospital);
    let out = hospital.stage.path("shares").to_string_lossy().into_owned();
    let order = ["share", "--threshold", "2", "--shares", "3", "--out", &out];
    let files: Vec<String> = keys(&hospital, &order).iter().map(|it| text(it, "file")).collect();
    assert_eq!(files.len(), 3);
    refused(&hospital, &order, "exists");
    let elsewhere = format!("{out}-2");
    refused(
        &hospital,
        &["share", "--threshold", "1", "--shares", "3", "--out", &elsewhere],
        "at least 2",
    );
    let other =
        keys(&hospital, &["share", "--threshold", "2", "--shares", "2", "--out", &elsewhere]);
    let other = text(&other[1], "file");
    let [first, second, third] = &files[..] else { panic!("{files:?}") };
    let altered = hospital.stage.path("altered.txt").to_string_lossy().into_owned();
    std::fs::copy(second, &altered).unwrap();
    let written = std::fs::read_to_string(second).unwrap();
    std::fs::write(&altered, written.replace("index 2", "index 1")).unwrap();

    for pair in [[first, second], [third, first]] {
        let checked = with_shares(&hospital, &["check"], &pair.map(String::as_str));
        assert_eq!(checked.code, 0, "{}", checked.stderr);
    }
    for (shares, why) in [
        (&[first.as_str()][..], "1 shares were given, 2 are needed"),
        (&[first, first], "share 1 was given twice"),
        (&[first, &other], "share 2 was not made together with share 1"),
        (&[first, &altered], "altered.txt: the share was altered"),
        (&[first, "passphrase"], "not a share"),
    ] {
        let refused = with_shares(&hospital, &["check"], shares);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{why}");
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        let secret = written.lines().find(|line| line.starts_with("share ")).unwrap();
        assert!(!refused.stderr.contains(&secret[6..]), "a share is not told");
    }
    let order = ["keys", "rotate", "soft:token", "--at-once"];
    let rotated = with_shares(&hospital, &order, &[second, third]);
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    // The passphrase stays the other way in; and the service runs with shares, too.
    assert_eq!(states(&keys(&hospital, &["list"])).iter().filter(|s| *s == "retired").count(), 1);
    let (second, third) = (second.clone(), third.clone());
    hospital
        .stage
        .serve_with(|mut command| {
            command.args(["--share", &second, "--share", &third]);
            command
        })
        .unwrap();
    let recorded = hospital.granted("auditor", &["audit", "search", "--action", "keystore.share"]);
    assert_eq!(recorded.to_string().matches("\"threshold\":\"2\"").count(), 2, "{recorded}");
}

#[test]
fn a_new_passphrase_ends_the_old_one_and_all_shares() {
    let mut hospital = Hospital::open();
    let new = hospital.stage.write("new-passphrase", b"nobody has seen it yet").unwrap();
    let new = new.to_string_lossy().into_owned();
    let order = ["passphrase", "--new-passphrase-file", &new];
    refused(&hospital, &order, "stop it first");
    stopped(&mut hospital);
    let path = |name: &str| hospital.stage.path(name).to_string_lossy().into_owned();
    let out = path("shares");
    let shares = keys(&hospital, &["share", "--threshold", "2", "--shares", "2", "--out", &out]);
    let shares: Vec<_> = shares.iter().map(|share| text(share, "file")).collect();
    let shares: Vec<_> = shares.iter().map(String::as_str).collect();
    let cheap = run(&hospital, &[&order[..], &["--iterations", "99999"]].concat());
    assert!(cheap.code == 2 && cheap.stderr.contains("99999"), "{}", cheap.stderr);
    assert_eq!(with_shares(&hospital, &["check"], &shares).code, 0, "nothing was changed");
    // Custodians may do it, who are there when one of them leaves.
    let changed = with_shares(&hospital, &[&["keys"], &order[..]].concat(), &shares);
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    let void = with_shares(&hospital, &["check"], &shares);
    assert_eq!(void.code, 1);
    assert!(void.stderr.contains("or of before its passphrase was changed"), "{}", void.stderr);
    refused(&hospital, &["list"], "passphrase");
    std::fs::rename(&new, path("passphrase")).unwrap();
    keys(&hospital, &["label", "soft:token", "令牌"]);
    hospital.stage.serve().unwrap();
    for (act, told) in [("keystore.passphrase", "\"iterations\":\"600000\""), ("key.label", "令牌")]
    {
        let recorded = hospital.granted("auditor", &["audit", "search", "--action", act]);
        assert!(recorded.to_string().contains(told), "{recorded}");
    }
}

#[test]
fn the_transcript_of_a_ceremony_is_checked_with_the_root_alone() {
    let mut hospital = Hospital::open();
    stopped(&mut hospital);
    keys(&hospital, &["rotate", "soft:token", "--at-once"]);
    let out = hospital.stage.path("ceremony.txt").to_string_lossy().into_owned();
    let present = ["--participant", "保管人 1", "--participant", "auditor"];
    keys(&hospital, &[&["ceremony", "--out", &out][..], &present].concat());
    let all = keys(&hospital, &["list"]);
    let root = hospital.stage.path("data/root.pem").to_string_lossy().into_owned();
    // The service is not running: nothing is asked.
    let verify =
        |file: &str| hospital.ask(DESK.key, &["ceremony", "verify", file, "--root", &root]);
    let found = verify(&out);
    assert_eq!((found.code, &found.body["verdict"]), (0, &Value::from("valid")));
    assert_eq!(found.body["participants"], serde_json::json!(["保管人 1", "auditor"]));
    let listed = found.body["keys"].as_array().unwrap();
    assert_eq!(listed.len(), all.len());
    for (signed, told) in listed.iter().zip(&all) {
        for field in ["key", "key_use", "version", "state", "thumbprint", "check_value"] {
            assert_eq!(signed[field], told[field], "{told}");
        }
    }

    let text = std::fs::read_to_string(&out).unwrap();
    let changed = |from: &str, to: &str| {
        let file = hospital.stage.write("changed.txt", text.replacen(from, to, 1).as_bytes());
        verify(&file.unwrap().to_string_lossy())
    };
    let named = changed("participant auditor", "participant nobody");
    assert_eq!((named.code, &named.body["lines"]), (4, &serde_json::json!([7])));
    changed("signature ", "signature 00").refused("TRANSCRIPT_MALFORMED").unwrap();
    let of_line_7 = text.lines().position(str::is_empty).unwrap() + 7;
    let digest = text.lines().nth(of_line_7).unwrap();
    let other = changed(digest, &"0".repeat(64));
    assert_eq!((other.code, text_of(&other.body)), (5, "TRANSCRIPT_NOT_SIGNED"));
    // The log has the digest of what the participants keep.
    hospital.stage.serve().unwrap();
    let recorded = hospital.granted("auditor", &["audit", "search", "--action", "key.ceremony"]);
    let digest = hex::encode(hsm::sm3::digest(text.as_bytes()));
    assert!(recorded.to_string().contains(&digest), "{recorded}");
}

fn text_of(body: &Value) -> &str {
    body["error"]["reason"].as_str().unwrap_or_default()
}

#[test]
fn a_service_is_made_before_witnesses() {
    let (stage, _directory) = empty_stage();
    stage.write("passphrase", b"correct horse battery").unwrap();
    let mut command = stage.programs().command(Program::Healthcardd);
    command.arg("init").arg("--data").arg(stage.path("data"));
    command.arg("--passphrase-file").arg(stage.path("passphrase"));
    command.args(["--participant", "custodian"]);
    let made = stage.programs().finish(Program::Healthcardd, command).unwrap();
    assert_eq!(made.code, 0, "{}", made.stderr);
    let root =
        ca::Certificate::from_pem(&std::fs::read_to_string(stage.path("data/root.pem")).unwrap());
    let transcript = std::fs::read_to_string(stage.path("data/ceremony.txt")).unwrap();
    let key = root.unwrap().public_key().as_sec1().to_vec();
    let transcript = audit::ceremony::check(&transcript, &key).unwrap();
    assert_eq!(transcript.participants, ["custodian"]);
    assert!(transcript.began < transcript.ended);
    assert!(transcript.keys.iter().any(|key| key.reference == "soft:ca-root"));
}

#[test]
fn what_is_done_to_keys_is_what_the_table_and_the_service_allow() {
    let mut hospital = Hospital::open();
    stopped(&mut hospital);
    for (order, why) in [
        (&["rotate", "soft:none"][..], "soft:none"),
        (&["rotate", "soft:ca-root"], "certificates name"),
        (&["rotate", "soft:card-records"], "certificates name"),
        (&["compromise", "soft:card-issuer", "--version", "1"], "certificates name"),
        (&["rotate", "soft:index"], "not by a new version"),
        (&["compromise", "soft:code-mac", "--version", "1"], "needs"),
        (&["retire", "soft:token", "--version", "1"], "needs"),
        (&["destroy", "soft:token", "--version", "1"], "active"),
        (&["destroy", "soft:token", "--version", "2"], "no version 2"),
        (&["destroy", "soft:data", "--version", "1"], "lost"),
    ] {
        refused(&hospital, order, why);
    }
    keys(&hospital, &["rotate", "soft:token", "--at-once"]);
    let versions = keys(&hospital, &["destroy", "soft:token", "--version", "1"]);
    assert_eq!(states(&versions), ["active", "destroyed"]);
    let named = keys(&hospital, &["label", "soft:token", "令牌 2026"]);
    assert!(named.iter().all(|version| version["label"] == "令牌 2026"));

    let all = keys(&hospital, &["list"]);
    let kinds: BTreeMap<String, &Value> =
        all.iter().map(|version| (text(version, "key"), version)).collect();
    assert_eq!(text(kinds["soft:card-cvk"], "check_value").len(), 6);
    assert_eq!(text(kinds["soft:log"], "thumbprint").len(), 43);
    hospital.stage.serve().unwrap();
    let recorded = hospital.granted("auditor", &["audit", "search", "--action", "key.destroy"]);
    assert!(recorded.to_string().contains("soft:token"), "{recorded}");
    // A refusal left no entry: nothing was done.
    let recorded = hospital.granted("auditor", &["audit", "search", "--action", "key.compromise"]);
    assert!(!recorded.to_string().contains("soft:"), "{recorded}");
}
