//! Independent programs read what we write: openssl, Bouncy Castle, a gRPC client in Python, and `pcsc_scan` and a
//! PC/SC client in Python at the emulated card.

use std::path::Path;
use std::process::{Command, Output};

use access_token::KeySet;
use card::transport::pcsc::{Event, Monitor};
use serde_json::Value;
use service::demo::programs::Program;
use service::demo::readers::VirtualReaders;
use tests::hospital::{Hospital, empty_stage, text};
use tests::private::{PcscDaemon, in_private_space, repository};
use tests::python::python;
use tests::relay;

/// Runs a script of `tests/interop`, which must succeed.
fn script(name: &str, arguments: &[&Path]) -> String {
    let output = run(name, arguments);
    assert!(output.status.success(), "{name}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn run(name: &str, arguments: &[&Path]) -> Output {
    Command::new(repository().join("tests/interop").join(name)).args(arguments).output().unwrap()
}

/// Root, issuers and revocation lists as the service publishes them.
fn authorities(hospital: &Hospital) -> std::path::PathBuf {
    let directory = hospital.stage.path("authorities");
    let out = directory.to_string_lossy().into_owned();
    hospital.granted("emr", &["authority", "export", "--out", &out]);
    directory
}

#[test]
fn openssl_verifies_chains_and_reads_revocation_lists() {
    let hospital = Hospital::open();
    let authorities = authorities(&hospital);
    let root = authorities.join("root.pem");
    for who in ["doctor", "colleague"] {
        let directory = hospital.stage.identity(who);
        script(
            "verify-chain.sh",
            &[&directory.join("certificate.der"), &directory.join("chain.pem"), &root],
        );
    }
    // A certificate is not vouched for by just anyone: the desk's issuer did not sign the doctor's.
    let wrong = run(
        "verify-chain.sh",
        &[&hospital.stage.identity("doctor").join("certificate.der"), &root, &root],
    );
    assert!(!wrong.status.success(), "{wrong:?}");

    let shown = hospital.granted("colleague", &["key", "show"]);
    let serial = text(&shown["certificate"], "serial");
    let order = ["identity", "revoke", "--serial", &serial, "--reason", "key-compromise"];
    hospital.granted("operator", &order);
    let named: Vec<bool> = lists(&self::authorities(&hospital))
        .iter()
        .map(|list| run("read-crl.sh", &[list, Path::new(&serial)]).status.success())
        .collect();
    assert_eq!(named.iter().filter(|named| **named).count(), 1, "{serial} in {named:?}");
}

fn lists(authorities: &Path) -> Vec<std::path::PathBuf> {
    let mut lists: Vec<_> = std::fs::read_dir(authorities)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "crl"))
        .collect();
    lists.sort();
    assert!(!lists.is_empty());
    lists
}

#[tokio::test]
async fn a_token_and_a_signature_are_verified_by_others() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;

    // A token, by openssl.
    let issued = hospital.granted(
        "doctor",
        &[
            "token",
            "issue",
            "--visit",
            &visit,
            "--grade",
            "3",
            "--classes",
            "health",
            "--audience",
            "emr.example",
        ],
    );
    let token = text(&issued, "token");
    let keys = hospital.granted("emr", &["token", "keys"]).to_string();
    let file = hospital.stage.write("records/token.jws", token.as_bytes()).unwrap();
    let keys = hospital.stage.write("records/keys.json", keys.as_bytes()).unwrap();
    script("verify-token.sh", &[&file, &keys]);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let altered = format!("{head}A.{signature}");
    let file = hospital.stage.write("records/altered.jws", altered.as_bytes()).unwrap();
    assert!(!run("verify-token.sh", &[&file, &keys]).status.success());

    // A signed record, by Bouncy Castle.
    let record = hospital.stage.write("records/note.txt", b"progress note\n").unwrap();
    let signature = hospital.stage.path("records/note.p7s");
    hospital.granted(
        "doctor",
        &[
            "sign",
            "--visit",
            &visit,
            "--file",
            &record.to_string_lossy(),
            "--type",
            "progress-note",
            "--out",
            &signature.to_string_lossy(),
        ],
    );
    let authorities = authorities(&hospital);
    let root = authorities.join("root.pem");
    let lists = lists(&authorities);
    let mut arguments: Vec<&Path> = vec![&record, &signature, &root];
    arguments.extend(lists.iter().map(std::path::PathBuf::as_path));
    let said = script("verify-cms.sh", &arguments);
    assert!(said.starts_with("valid: "), "{said}");
    let other = hospital.stage.write("records/other.txt", b"another note\n").unwrap();
    arguments[0] = &other;
    assert!(!run("verify-cms.sh", &arguments).status.success());

    // A token, for a client that knows only reflection.
    let output = Command::new(python())
        .arg(repository().join("tests/interop/client.py"))
        .arg(hospital.stage.url().trim_start_matches("https://"))
        .arg(hospital.stage.tls_authority())
        .arg(hospital.stage.identity("doctor"))
        .arg(&visit)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = said["services"].as_array().unwrap();
    for service in
        ["Sessions", "Cards", "Residents", "Identities", "Visits", "Tokens", "Signing", "Audit"]
    {
        let name = format!("healthcard.v1.{service}");
        assert!(services.iter().any(|listed| *listed == name.as_str()), "no {name} in {said}");
    }
    let token =
        hospital.stage.write("records/python.jws", text(&said, "token").as_bytes()).unwrap();
    script("verify-token.sh", &[&token, &keys]);
}

/// Tokens, by an implementation of SM2 that shares nothing with ours: both ways.
#[tokio::test]
async fn python_checks_our_token_and_its_own_are_taken_and_refused_here() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let order = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    let issued = hospital.granted("doctor", &[&order[..], &["--audience", "emr"]].concat());
    let by_python = |arguments: &[&Path]| {
        let mut command = Command::new(python());
        let output = command.arg(repository().join("tests/interop/sm2_token.py")).args(arguments);
        output.output().unwrap()
    };
    let keys = hospital.granted("doctor", &["token", "keys"]).to_string();
    let keys = hospital.stage.write("records/keys.json", keys.as_bytes()).unwrap();
    let checked = |token: &str| {
        let file = hospital.stage.write("records/token.jws", token.as_bytes()).unwrap();
        by_python(&[Path::new("check"), &file, &keys])
    };
    let token = text(&issued, "token");
    let output = checked(&token);
    assert!(output.status.success(), "{output:?}");
    let claims: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(text(&claims, "resident"), hospital.resident_id);
    // Another payload under the same signature.
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}")
    };
    assert!(!checked(&format!("{header}.e30.{signature}")).status.success());

    let file = hospital.stage.write("records/claims.json", claims.to_string().as_bytes()).unwrap();
    let output = by_python(&[Path::new("sign"), &file]);
    assert!(output.status.success(), "{output:?}");
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let set = KeySet::from_json(theirs["keys"].to_string().as_bytes()).unwrap();
    let read = access_token::read(&text(&theirs, "token"), &set).unwrap();
    assert_eq!(read.resident, hospital.resident_id);
    let wrong = theirs["wrong"].as_object().unwrap();
    assert_eq!(wrong.len(), 6);
    for (what, token) in wrong {
        assert!(access_token::read(token.as_str().unwrap(), &set).is_err(), "{what}");
    }
    // And none of theirs is one of ours.
    let ours = KeySet::from_json(&std::fs::read(&keys).unwrap()).unwrap();
    assert!(access_token::read(&text(&theirs, "token"), &ours).is_err());
}

/// The root key of the vectors (health-card.md, 4.5), which the script derives from by itself.
const ROOT: &str = "0123456789ABCDEFFEDCBA9876543210\n";

const PERSON: &str = r#"
name = "张三丰"
id_number = "11010519491231002X"
ethnic_group = 1
issued_on = "2024-01-02"
valid_until = "2034-01-01"
city = "410100"
chip_serial = "0000000001"
historical_bytes = "1101220100000001"
"#;

#[test]
fn pcsc_scan_and_a_client_in_python_read_the_emulated_card() {
    in_private_space(|| {
        let (stage, _directory) = empty_stage();
        let root = stage.write("records/root.hex", ROOT.as_bytes()).unwrap();
        let person = stage.write("records/person.toml", PERSON.as_bytes()).unwrap();
        let image = stage.path("records/card.toml");
        let mut make = stage.programs().command(Program::Vcard);
        make.arg("make").arg("--master-key-file").arg(&root).arg("--person").arg(&person);
        assert!(make.arg("--out").arg(&image).status().unwrap().success());
        let mut daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let mut readers = VirtualReaders::start(&stage).unwrap();
        readers.insert(0, &image).unwrap();
        let reader = "Virtual PCD 00 00";
        let mut monitor = Monitor::new();
        monitor.find(|event| matches!(event, Event::CardInserted { .. })).unwrap();

        // TCK is the XOR of all bytes after the first.
        let atr = "3B88800111012201000000013B";
        let scanned = Command::new("pcsc_scan").args(["-c", "-n"]).output().unwrap();
        let scanned = String::from_utf8_lossy(&scanned.stdout).replace(' ', "");
        assert!(scanned.contains(atr), "{scanned}");

        let read = || {
            let script = repository().join("tests/interop/read_card.py");
            let mut python = Command::new("/usr/bin/python3");
            python.arg(script).arg(reader).arg(&root).output().unwrap()
        };
        let output = read();
        assert!(output.status.success(), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&said["atr"], &said["genuine"]), (&atr.into(), &true.into()));
        for (file, item, value) in [
            ("issuer", "chip_serial", "0000000001"),
            ("issuer", "card_number", "11010519491231002X"),
            ("issuer", "city", "410100"),
            ("issuer", "issued_on", "20240102"),
            ("holder", "name", "张三丰"),
            ("holder", "sex", "02"),
            ("holder", "ethnic_group", "01"),
            ("holder", "birth_date", "19491231"),
            ("holder", "id_number", "11010519491231002X"),
        ] {
            assert_eq!(said[file][item], value, "{file} {item}");
        }
        // It can tell a card that does not prove itself.
        readers.order("fault 0 wrong-keys").unwrap();
        let output = read();
        assert!(!output.status.success(), "{output:?}");
        readers.remove(0).unwrap();
        daemon.saw_removal().unwrap();
    });
}
