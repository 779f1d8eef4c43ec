//! Certificate pairs: requested, answered, opened by their holder and by openssl alone; and what the key management
//! centre holds of them.

use std::path::Path;
use std::process::Command;

use ca::{Certificate, KeyUsage};
use serde_json::Value;
use tests::hospital::{Hospital, text};

/// Makes a key for somebody new on record, and asks for a certificate pair; the answer's file and what the command said.
fn enroll(hospital: &Hospital, who: &str, id: &str) -> (String, Value) {
    let issued = hospital.stage.certify(who, id, &["--pair"]).unwrap();
    (text(&issued, "answer_file"), issued)
}

/// Puts a nurse on record who has made a key; their identity's id.
fn newcomer(hospital: &Hospital, who: &str) -> String {
    hospital.granted(who, &["key", "new"]);
    let person = serde_json::json!({
        "institution_id": hospital.institution_id, "name": "新护士", "number": who, "department": "内科",
    });
    let person = hospital.record("newcomer.json", &person);
    let order = ["identity", "register", "--role", "nurse", "--file", &person];
    text(&hospital.granted("operator", &order), "identity_id")
}

fn read(path: &Path) -> Certificate {
    Certificate::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn counts(hospital: &Hospital) -> [u64; 3] {
    let found = hospital.granted("operator", &["key-centre", "show"]);
    ["spare", "in_use", "history"].map(|name| found[name].as_u64().unwrap())
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Opens the envelope of an answer with the openssl command and nothing else; the secret key.
fn opened_by_openssl(hospital: &Hospital, answer: &str, key: &str) -> Vec<u8> {
    let parsed = openssl(&["asn1parse", "-inform", "DER", "-in", answer]);
    let parsed = String::from_utf8(parsed).unwrap();
    // Within [0]: the algorithm, the wrapped key, the public key, the encrypted key.
    let depth = |line: &&str| line.contains("d=2");
    let at = parsed
        .lines()
        .position(|line| line.contains("d=1") && line.contains("cont [ 0 ]"))
        .unwrap();
    let fields: Vec<&str> = parsed.lines().skip(at + 1).filter(depth).take(4).collect();
    let offset = |line: &str| line.split(':').next().unwrap().trim().to_owned();
    let part = |line: &str, name: &str| {
        let out = hospital.stage.path("records").join(name).to_string_lossy().into_owned();
        openssl(&[
            "asn1parse",
            "-inform",
            "DER",
            "-in",
            answer,
            "-strparse",
            &offset(line),
            "-noout",
            "-out",
            &out,
        ]);
        out
    };
    assert!(fields[1].contains("SEQUENCE") && fields[3].contains("BIT STRING"), "{parsed}");
    let encrypted = part(fields[3], "encrypted");
    // Of a SEQUENCE, -strparse gives the content; the ciphertext is the whole element.
    let whole = std::fs::read(answer).unwrap();
    let start: usize = offset(fields[1]).parse().unwrap();
    let end: usize = offset(fields[2]).parse().unwrap();
    let wrapped = hospital.stage.write("records/wrapped", &whole[start..end]).unwrap();
    let session =
        openssl(&["pkeyutl", "-decrypt", "-inkey", key, "-in", &wrapped.to_string_lossy()]);
    assert_eq!(session.len(), 16);
    openssl(&["enc", "-d", "-sm4-ecb", "-nopad", "-K", &hex::encode(session), "-in", &encrypted])
}

#[test]
fn a_holder_gets_a_pair_whose_encryption_key_only_the_holder_can_open() {
    let hospital = Hospital::open();
    let id = newcomer(&hospital, "newcomer");
    let home = hospital.stage.identity("newcomer");
    let (answer, issued) = enroll(&hospital, "newcomer", &id);
    let accept = ["key", "accept", "--answer", &answer];

    // Nobody else takes it, and a changed one nobody at all.
    hospital.refused("doctor", &accept, "CERTIFICATE_OTHER_KEY");
    let mut changed = std::fs::read(&answer).unwrap();
    let envelope = changed.windows(10).position(|it| it == [6, 8, 42, 129, 28, 207, 85, 1, 104, 1]);
    changed[envelope.unwrap() + 20] ^= 1;
    let changed = hospital.stage.write("records/changed.der", &changed).unwrap();
    let order = ["key", "accept", "--answer", &changed.to_string_lossy()];
    hospital.refused("newcomer", &order, "PAIR_OTHER_KEY");
    assert!(!home.join("encryption-key.pem").exists());

    let taken = hospital.granted("newcomer", &accept);
    assert_eq!(taken["encryption_serial"], issued["encryption_serial"]);
    hospital.granted("newcomer", &accept);
    let (signing, encryption) =
        (read(&home.join("certificate.der")), read(&home.join("encryption-certificate.der")));
    assert_eq!(signing.subject(), encryption.subject());
    assert_eq!(signing.not_after(), encryption.not_after());
    let usage = |certificate: &Certificate| certificate.key_usage().unwrap();
    let signs = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::CONTENT_COMMITMENT;
    let hides = KeyUsage::KEY_ENCIPHERMENT | KeyUsage::DATA_ENCIPHERMENT | KeyUsage::KEY_AGREEMENT;
    assert_eq!((usage(&signing), usage(&encryption)), (signs, hides));

    // The same key comes out with openssl alone, and the file that was stored is that key.
    let key = home.join("key.pem").to_string_lossy().into_owned();
    let secret = opened_by_openssl(&hospital, &answer, &key);
    let secret = hsm::sm2::SecretKey::from_be_bytes(&secret).unwrap();
    assert_eq!(secret.public(), encryption.public_key());
    let stored = home.join("encryption-key.pem").to_string_lossy().into_owned();
    let public = openssl(&["pkey", "-in", &stored, "-pubout", "-outform", "DER"]);
    assert_eq!(public, encryption.public_key().to_spki_der());

    // The signing certificate logs in, and the other does not, though its holder has the key.
    hospital.granted("newcomer", &["session", "open"]);
    for (from, to) in
        [("encryption-key.pem", "key.pem"), ("encryption-certificate.der", "certificate.der")]
    {
        let copy = hospital.stage.identity("encrypting");
        std::fs::create_dir_all(&copy).unwrap();
        std::fs::copy(home.join(from), copy.join(to)).unwrap();
    }
    hospital.refused("encrypting", &["session", "open"], "CERTIFICATE_WRONG_USE");
    // A signing key is certified once, be it in a pair or alone.
    let request = home.join("request.der").to_string_lossy().into_owned();
    let again = ["enrolment", "enter", "--id", &id, "--request", &request, "--pair"];
    hospital.refused("operator", &again, "ALREADY_REGISTERED");

    // Both are on record, and go together.
    let on_record = hospital.granted("operator", &["identity", "get", &id]);
    let of_pair = on_record["certificates"][1]["pair_of"].as_str().unwrap().to_owned();
    assert_eq!(of_pair, signing.serial().to_string());
    let [_, in_use, history] = counts(&hospital);
    assert_eq!((in_use, history), (1, 0));
    let order = ["identity", "revoke", "--serial", &of_pair, "--reason", "affiliation-changed"];
    hospital.granted("operator", &order);
    let [_, in_use, history] = counts(&hospital);
    assert_eq!((in_use, history), (0, 1));
    for file in ["certificate.der", "encryption-certificate.der"] {
        let file = home.join(file).to_string_lossy().into_owned();
        let status = hospital.ask("emr", &["authority", "status", "--certificate", &file]);
        assert_eq!(
            (status.code, text(&status.body, "status")),
            (1, "revoked".to_owned()),
            "{file}"
        );
    }
}

#[test]
fn the_centre_keeps_keys_ahead_and_none_in_clear() {
    let mut hospital = Hospital::open();
    assert_eq!(counts(&hospital), [0, 0, 0]);
    let made = hospital.granted("operator", &["key-centre", "make", "--count", "3"]);
    assert_eq!(made["counts"]["spare"], 3);
    hospital.refused("doctor", &["key-centre", "make", "--count", "3"], "ROLE_NOT_ALLOWED");
    hospital.refused("doctor", &["key-centre", "show"], "ROLE_NOT_ALLOWED");

    // What was made ahead is used first, also after a start, and more follows by itself.
    let mut secrets = Vec::new();
    for who in ["first", "second"] {
        let id = newcomer(&hospital, who);
        let (answer, _) = enroll(&hospital, who, &id);
        let key = hospital.stage.identity(who).join("key.pem").to_string_lossy().into_owned();
        secrets.push(opened_by_openssl(&hospital, &answer, &key));
        hospital.restart();
    }
    assert_ne!(secrets[0], secrets[1]);
    let [spare, in_use, history] = counts(&hospital);
    assert!(spare >= 1 && in_use == 2 && history == 0, "{spare} {in_use}");
    for (name, content) in [
        ("the database", std::fs::read(hospital.database()).unwrap()),
        (
            "its log",
            std::fs::read(hospital.database().with_extension("db-wal")).unwrap_or_default(),
        ),
        ("the keystore", std::fs::read(hospital.stage.path("data/keystore.hck")).unwrap()),
    ] {
        for secret in &secrets {
            assert!(
                !content.windows(32).any(|window| window == secret),
                "a secret key is in {name}"
            );
        }
    }
    // Each step has its entry, and the checker of the log finds it whole.
    let certified =
        hospital.granted("auditor", &["audit", "search", "--action", "certificate.issue"]);
    let entries = certified["entries"].to_string();
    assert_eq!(entries.matches("\"encryption-certificate\":").count(), 2, "{entries}");
    let reviewed =
        hospital.granted("auditor", &["audit", "search", "--action", "certificate.review"]);
    let entries = reviewed["entries"].to_string();
    assert_eq!(entries.matches("encryption-key").count(), 2, "{entries}");
    let made = hospital.granted("auditor", &["audit", "search", "--action", "key-centre.make"]);
    assert!(!made["entries"].as_array().unwrap().is_empty());
    let copy = hospital.stage.path("records/copy.db");
    hospital.stage.server().unwrap().end().unwrap();
    std::fs::copy(hospital.database(), &copy).unwrap();
    hospital.stage.serve().unwrap();
    assert_eq!(hospital.check_log(&copy).code, 0);
}

#[test]
fn a_key_is_recovered_by_two_persons_to_its_holder_or_by_an_order() {
    let hospital = Hospital::open();
    let id = newcomer(&hospital, "newcomer");
    let (answer, issued) = enroll(&hospital, "newcomer", &id);
    let secret = {
        let key = hospital.stage.identity("newcomer").join("key.pem");
        opened_by_openssl(&hospital, &answer, &key.to_string_lossy())
    };
    let encryption = text(&issued, "encryption_serial");
    // A second operator.
    hospital.granted("deputy", &["key", "new"]);
    let person = serde_json::json!({
        "institution_id": hospital.institution_id, "name": "副管理员", "number": "deputy",
        "id_number": "990000198802290026",
    });
    let person = hospital.record("deputy.json", &person);
    let order = ["identity", "register", "--role", "operator", "--file", &person];
    let deputy = text(&hospital.granted("operator", &order), "identity_id");
    let enrol =
        |who: &str, id: &str| text(&hospital.stage.certify(who, id, &[]).unwrap(), "serial");
    let seconds = hospital.stage.certify_known("deputy", &deputy, "990000198802290026").unwrap();
    let seconds = text(&seconds, "serial");
    // Whoever certifies an operator is seen.
    let order = ["audit", "search", "--action", "certificate.review"];
    let issued_to = hospital.granted("auditor", &order)["entries"].to_string();
    assert!(issued_to.contains(&seconds) && issued_to.contains("operator-certificate"));

    // The holder lost everything and has a new key with a new certificate.
    hospital.granted("newcomer-again", &["key", "new"]);
    let signing = enrol("newcomer-again", &id);
    let doctor = text(&hospital.granted("doctor", &["key", "show"])["certificate"], "serial");
    let to = |serial: &str, to: &str| {
        ["key-centre", "recover", "--serial", serial, "--to", to].map(str::to_owned)
    };
    let ask = |who: &str, order: &[String]| {
        hospital.ask(who, &order.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for (who, order, reason) in [
        ("doctor", to(&encryption, &signing), "ROLE_NOT_ALLOWED"),
        ("operator", to(&encryption, &doctor), "FIELD_INVALID"),
        ("operator", to(&encryption, &encryption), "FIELD_INVALID"),
        ("operator", to(&signing, &signing), "KEY_NOT_HELD"),
        ("operator", to("00ff", &signing), "CERTIFICATE_NOT_FOUND"),
    ] {
        ask(who, &order).refused(reason).unwrap_or_else(|error| panic!("{error}"));
    }
    let entered = ask("operator", &to(&encryption, &signing)).granted().unwrap();
    let recovery = text(&entered["recovery"], "recovery_id");
    let out = hospital.stage.path("records/recovered.der").to_string_lossy().into_owned();
    let approve = ["key-centre", "review", &recovery, "--approve", &out];
    hospital.refused("operator", &approve, "SECOND_PERSON_REQUIRED");
    hospital.refused("doctor", &approve, "ROLE_NOT_ALLOWED");
    let waiting = hospital.granted("auditor", &["key-centre", "recoveries"]);
    assert_eq!(waiting["recoveries"][0]["recovery_id"], recovery.as_str());
    hospital.granted("deputy", &approve);
    hospital.refused("deputy", &approve, "CHANGE_OVER");
    let key = hospital.stage.identity("newcomer-again").join("key.pem");
    assert_eq!(opened_by_openssl(&hospital, &out, &key.to_string_lossy()), secret);
    let taken = hospital.granted("newcomer-again", &["key", "accept", "--answer", &out]);
    assert_eq!(
        (text(&taken, "serial"), text(&taken, "encryption_serial")),
        (signing, encryption.clone())
    );

    // By an order, to a key that nobody here has on record; also once the certificates are revoked.
    let revoke = ["identity", "revoke", "--serial", &encryption, "--reason", "superseded"];
    hospital.granted("operator", &revoke);
    hospital.granted("court", &["key", "new"]);
    let request = hospital.stage.identity("court").join("request.der");
    let number = hospital.stage.write("records/order.txt", "（2026）刑初1号\n".as_bytes()).unwrap();
    let order = [
        "key-centre",
        "recover",
        "--serial",
        &encryption,
        "--request",
        &request.to_string_lossy(),
        "--order",
        &number.to_string_lossy(),
    ];
    let mut recoveries = Vec::new();
    for _ in 0..2 {
        let entered = hospital.granted("operator", &order);
        assert_eq!(entered["recovery"]["order_reference"], "（2026）刑初1号");
        recoveries.push(text(&entered["recovery"], "recovery_id"));
    }
    let rejected =
        hospital.granted("deputy", &["key-centre", "review", &recoveries[0], "--reject"]);
    assert_eq!(
        (text(&rejected, "answer"), text(&rejected["recovery"], "state")),
        (String::new(), "STATE_REJECTED".into())
    );
    hospital.granted("deputy", &["key-centre", "review", &recoveries[1], "--approve", &out]);
    let court = std::fs::read_to_string(hospital.stage.identity("court").join("key.pem")).unwrap();
    let court = hsm::sm2::SecretKey::from_pkcs8_pem(&court).unwrap();
    let opened = hsm::sm2::open_envelope(&court, &std::fs::read(&out).unwrap()).unwrap();
    let secret = hsm::sm2::SecretKey::from_be_bytes(&secret).unwrap();
    assert_eq!(opened.public(), secret.public());

    // Each step is in the log, and the number of the order is not.
    for (action, outcome, count) in [
        ("key-recovery.enter", "granted", 3),
        ("key-recovery.enter", "refused", 5),
        ("key-recovery.review", "granted", 3),
        ("key-recovery.review", "refused", 3),
    ] {
        let order = ["audit", "search", "--action", action, "--outcome", outcome];
        let found = hospital.granted("auditor", &order);
        assert_eq!(
            found["entries"].as_array().unwrap().len(),
            count,
            "{action} {outcome}: {found}"
        );
        assert!(!found.to_string().contains("刑初"));
    }
}

#[test]
fn a_certificate_is_suspended_for_a_while() {
    let mut hospital = Hospital::open();
    let id = newcomer(&hospital, "newcomer");
    let (answer, issued) = enroll(&hospital, "newcomer", &id);
    hospital.granted("newcomer", &["key", "accept", "--answer", &answer]);
    hospital.granted("newcomer", &["session", "open"]);
    let serial = text(&issued, "serial");
    let home = hospital.stage.identity("newcomer");
    let statuses = || {
        ["certificate.der", "encryption-certificate.der"].map(|file| {
            let file = home.join(file).to_string_lossy().into_owned();
            let told = hospital.ask("emr", &["authority", "status", "--certificate", &file]);
            (text(&told.body, "status"), told.body["reason"].as_u64())
        })
    };
    let good = ("good".to_owned(), None);
    assert_eq!(statuses(), [good.clone(), good.clone()]);

    let suspend = ["identity", "suspend", "--serial", &serial];
    let release = ["identity", "release", "--serial", &serial];
    hospital.refused("doctor", &suspend, "ROLE_NOT_ALLOWED");
    hospital.refused("doctor", &release, "ROLE_NOT_ALLOWED");
    hospital.refused("operator", &release, "STATE_CONFLICT");
    hospital.granted("operator", &suspend);
    hospital.refused("operator", &suspend, "STATE_CONFLICT");
    // certificateHold, for both; sessions end, and no other is opened. The key is still in use.
    let held = ("revoked".to_owned(), Some(6));
    assert_eq!(statuses(), [held.clone(), held]);
    hospital.refused("newcomer", &["session", "open"], "CERTIFICATE_SUSPENDED");
    assert_eq!(counts(&hospital)[1..], [1, 0]);
    let ending =
        ["identity", "ending", "--within", "3660", "--institution", &hospital.institution_id];
    let listed = hospital.granted("operator", &ending);
    let of_newcomer = |listed: &Value| {
        let certificates = listed["certificates"].as_array().unwrap().clone();
        certificates.into_iter().filter(|it| it["identity_id"] == id.as_str()).collect::<Vec<_>>()
    };
    let mine = of_newcomer(&listed);
    assert!(mine.len() == 2 && mine.iter().all(|it| it["state"]["suspended"] == true), "{listed}");
    assert_eq!(
        hospital.granted("operator", &["identity", "ending"])["certificates"],
        Value::Array(Vec::new())
    );

    hospital.granted("operator", &release);
    assert_eq!(statuses(), [good.clone(), good]);
    hospital.granted("newcomer", &["session", "open"]);
    // And revoked while it is suspended, it stays so.
    hospital.granted("operator", &suspend);
    let revoke = ["identity", "revoke", "--serial", &serial, "--reason", "cessation-of-operation"];
    hospital.granted("operator", &revoke);
    hospital.refused("operator", &release, "STATE_CONFLICT");
    hospital.refused("newcomer", &["session", "open"], "CERTIFICATE_REVOKED");
    let revoked = ("revoked".to_owned(), Some(5));
    assert_eq!(statuses(), [revoked.clone(), revoked]);
    assert_eq!(counts(&hospital)[1..], [0, 1]);
    assert!(of_newcomer(&hospital.granted("operator", &ending)).is_empty());

    // The lists say what the record does: a start makes no others.
    let lists = |hospital: &Hospital| {
        let order = ["audit", "search", "--action", "revocation-list.issue"];
        hospital.granted("auditor", &order)["entries"].as_array().unwrap().len()
    };
    let made = lists(&hospital);
    hospital.restart();
    assert_eq!(lists(&hospital), made);
}

#[test]
fn a_pair_is_renewed_for_the_same_keys() {
    let hospital = Hospital::open();
    let id = newcomer(&hospital, "newcomer");
    let home = hospital.stage.identity("newcomer");
    let issued =
        hospital.stage.certify("newcomer", &id, &["--pair", "--valid-days", "30"]).unwrap();
    let (serial, answer) = (text(&issued, "serial"), text(&issued, "answer_file"));
    hospital.granted("newcomer", &["key", "accept", "--answer", &answer]);
    let before =
        ["certificate.der", "encryption-certificate.der"].map(|file| read(&home.join(file)));

    let directory = home.to_string_lossy().into_owned();
    let renew = |serial: &str| {
        ["identity", "renew", "--serial", serial, "--out", &directory].map(str::to_owned)
    };
    let ask = |who: &str, serial: &str| {
        let order = renew(serial);
        hospital.ask(who, &order.iter().map(String::as_str).collect::<Vec<_>>())
    };
    ask("doctor", &serial).refused("ROLE_NOT_ALLOWED").unwrap();
    ask("operator", "00ff").refused("CERTIFICATE_NOT_FOUND").unwrap();
    ask("operator", &text(&issued, "encryption_serial")).refused("FIELD_INVALID").unwrap();
    let renewed = ask("operator", &serial).granted().unwrap();
    ask("operator", &serial).refused("ALREADY_REGISTERED").unwrap();
    let after =
        ["certificate.der", "encryption-certificate.der"].map(|file| read(&home.join(file)));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.public_key(), after.public_key());
        assert_eq!(before.subject(), after.subject());
        assert_eq!(before.key_usage(), after.key_usage());
        assert_ne!(before.serial(), after.serial());
        assert!(after.not_after() > before.not_after());
    }
    assert_eq!(text(&renewed, "serial"), after[0].serial().to_string());
    hospital.granted("newcomer", &["session", "open"]);
    assert_eq!(counts(&hospital)[1..], [1, 0]);

    // The first pair goes, and its key stays in use for the second; with that it is history.
    let revoke = |serial: &str| {
        let order = ["identity", "revoke", "--serial", serial, "--reason", "superseded"];
        hospital.granted("operator", &order);
    };
    revoke(&serial);
    assert_eq!(counts(&hospital)[1..], [1, 0]);
    hospital.granted("newcomer", &["session", "open"]);
    revoke(&after[0].serial().to_string());
    assert_eq!(counts(&hospital)[1..], [0, 1]);
    ask("operator", &after[0].serial().to_string()).refused("CERTIFICATE_REVOKED").unwrap();
}
