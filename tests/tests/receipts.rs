//! Receipts: whoever does something is given, with the answer, what shows that it stands in the log.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proto::v1::{ChallengeRequest, sessions_client::SessionsClient};
use serde_json::Value;
use service::demo::people::{CLERK, DOCTOR};
use tests::{
    grpc::connect,
    hospital::{Hospital, text},
    python::AuditCheck,
    relay::open_visit,
};
use tonic::{Code, Request};

/// The receipts in a directory.
fn receipts(directory: &str) -> BTreeSet<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn what_was_done_is_shown_to_be_in_the_log_by_whoever_did_it() {
    let hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    let directory = hospital.stage.path("records/receipts").to_string_lossy().into_owned();
    let order = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    let order = [&order[..], &["--audience", "emr", "--receipts", &directory]].concat();
    let issued = hospital.granted(DOCTOR.key, &order);
    let kept: Vec<_> = receipts(&directory).into_iter().collect();
    let [receipt] = &kept[..] else { panic!("{kept:?}") };
    let position = issued["receipt"]["position"].as_u64().unwrap();
    assert_eq!(receipt.file_name().unwrap(), format!("receipt-{position}.txt").as_str());

    // It holds by itself, with the key that the service publishes, and for the log that a copy has.
    let receipt = receipt.to_str().unwrap();
    let key = hospital.verifier_key();
    let checked =
        hospital.granted(DOCTOR.key, &["audit", "check", receipt, "--verifier-key", &key]);
    assert_eq!(
        (&checked["verdict"], &checked["receipt"]["position"]),
        (&"valid".into(), &position.into())
    );
    let export = hospital.stage.path("records/export.txt").to_string_lossy().into_owned();
    hospital.granted("auditor", &["audit", "export", "--out", &export]);
    let both = ["audit", "check", receipt, &export, "--verifier-key", &key];
    let checked = hospital.granted(DOCTOR.key, &both);
    assert_eq!(checked["verdict"], "valid", "{checked}");
    // The entry that it speaks of is the one that the answer names.
    let proved = hospital.granted("auditor", &["audit", "prove", &position.to_string()]);
    assert_eq!(text(&proved["entry"], "id"), text(&issued["receipt"], "entry_id"));

    // Altered, it is told from a good one; and nobody keeps one that does not hold.
    let mut python = AuditCheck::start(&key);
    assert_eq!(python.ask(Path::new(receipt))["verdict"], "valid");
    let altered = fs::read_to_string(receipt).unwrap().replacen("\nposition ", "\nposition 1", 1);
    fs::write(receipt, altered).unwrap();
    let answer = hospital
        .stage
        .ask(DOCTOR.key, &["audit", "check", receipt, "--verifier-key", &key])
        .unwrap();
    assert_eq!((answer.code, &answer.body["verdict"]), (4, &Value::from("tampered")));
    let finding = &answer.body["findings"][0]["kind"];
    assert_eq!(finding, "proof_altered", "{}", answer.body);
    let theirs = python.ask(Path::new(receipt));
    assert_eq!(theirs["findings"][0]["kind"], "proof_altered", "{theirs}");
    fs::write(receipt, "healthcard-receipt v1\n").unwrap();
    assert_eq!(python.ask(Path::new(receipt))["verdict"], "unverifiable");
}

#[tokio::test]
async fn receipts_are_for_who_asks_and_of_what_leaves_an_entry() {
    let hospital = Hospital::open();
    let directory = hospital.stage.path("records/receipts").to_string_lossy().into_owned();
    // A list leaves no entry that its answer speaks of.
    hospital.granted(CLERK.key, &["visit", "list", "--receipts", &directory]);
    assert!(!PathBuf::from(&directory).exists());

    let challenge = |asked: Option<&'static str>| {
        let mut request = Request::new(ChallengeRequest { certificate: Vec::new() });
        if let Some(asked) = asked {
            request.metadata_mut().insert("healthcard-receipt", asked.parse().unwrap());
        }
        request
    };
    let mut sessions = SessionsClient::new(connect(&hospital.stage).await);
    let refused = sessions.challenge(challenge(Some("all"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("healthcard-receipt"), "{refused:?}");
    // What is refused has no receipt, asked for or not.
    for asked in [None, Some("proof")] {
        let refused = sessions.challenge(challenge(asked)).await.unwrap_err();
        assert!(refused.metadata().get_bin("healthcard-receipt-bin").is_none());
    }
}
