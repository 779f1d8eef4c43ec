//! What was certified in somebody's name: its holder sees all of it, with proof, and what was asked for elsewhere.

use serde_json::Value;
use tests::hospital::{Hospital, text};

/// The certificates of an answer: serial number, whether it was asked for here, where the log has it.
fn certificates(found: &Value) -> Vec<(String, bool, Option<u64>)> {
    let each = found["certificates"].as_array().unwrap().iter();
    each.map(|it| {
        let asked = it["asked_for_here"].as_bool().unwrap();
        (text(&it["state"], "serial"), asked, it["position"].as_u64())
    })
    .collect()
}

#[test]
fn a_holder_sees_every_certificate_and_which_were_asked_for_elsewhere() {
    let hospital = Hospital::open();
    let key = hospital.verifier_key();
    let monitor = ["key", "monitor", "--verifier-key", &key];
    for who in ["doctor", "desk", "auditor", "emr", "operator"] {
        let found = hospital.granted(who, &monitor);
        let own = text(&hospital.granted(who, &["key", "show"])["certificate"], "serial");
        let listed = certificates(&found);
        assert!(listed.iter().any(|(serial, ..)| *serial == own), "{who}: {found}");
        assert!(listed.iter().all(|(_, asked, position)| *asked && position.is_some()), "{found}");
        assert_eq!((&found["not_asked_for"], &found["not_proved"]), (&0.into(), &0.into()));
    }

    // Renewed for the same key: two, both of this device.
    let serial = text(&hospital.granted("doctor", &["key", "show"])["certificate"], "serial");
    let out = hospital.stage.path("records/renewed").to_string_lossy().into_owned();
    hospital.granted("operator", &["identity", "renew", "--serial", &serial, "--out", &out]);
    let found = hospital.granted("doctor", &monitor);
    assert_eq!(certificates(&found).len(), 2);

    // Somebody else has a key certified for the doctor.
    let identity = text(&found, "identity_id");
    hospital.granted("stranger", &["key", "new"]);
    let enrolled = hospital.stage.certify("stranger", &identity, &[]).unwrap();
    let told = hospital.ask("doctor", &monitor);
    assert_eq!((told.code, &told.body["not_asked_for"]), (1, &1.into()), "{}", told.body);
    let strange: Vec<_> =
        certificates(&told.body).into_iter().filter(|(_, asked, _)| !asked).collect();
    assert_eq!(strange.len(), 1);
    assert_eq!(strange[0].0, text(&enrolled, "serial"));
    // It stays so when it was revoked, and the colleague hears nothing of it.
    let order = ["identity", "revoke", "--serial", &strange[0].0, "--reason", "key-compromise"];
    hospital.granted("operator", &order);
    assert_eq!(hospital.ask("doctor", &monitor).code, 1);
    hospital.granted("colleague", &monitor);

    // A key of before, that was replaced on this device, is known here.
    let home = hospital.stage.identity("doctor");
    let kept = home.join("made-keys");
    let made = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(
        &kept,
        format!("{made}{}\n", told.body["certificates"][2]["public_key_sm3"].as_str().unwrap()),
    )
    .unwrap();
    hospital.granted("doctor", &monitor);
}

#[test]
fn an_entry_about_another_certificate_proves_nothing() {
    let mut hospital = Hospital::open();
    let key = hospital.verifier_key();
    let monitor = ["key", "monitor", "--verifier-key", &key];
    hospital.granted("doctor", &monitor);
    let serial =
        |who: &str| text(&hospital.granted(who, &["key", "show"])["certificate"], "serial");
    let (doctor, colleague) = (serial("doctor"), serial("colleague"));
    hospital.stage.server().unwrap().end().unwrap();
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let moved = db
        .execute(
            "UPDATE certificate SET log_position =
             (SELECT log_position FROM certificate WHERE serial = ?2) WHERE serial = ?1",
            [&doctor, &colleague],
        )
        .unwrap();
    assert_eq!(moved, 1);
    drop(db);
    hospital.stage.serve().unwrap();
    hospital.ask("doctor", &monitor).refused("PROOF_INVALID").unwrap();
    hospital.granted("colleague", &monitor);
}
