//! Time stamps over HTTP, asked with the openssl command and verified by Bouncy Castle, and by `healthcard timestamp`.

use std::path::Path;
use std::process::Command;

use ca::timestamp::{Failure, Reply, ReplyError};
use tests::hospital::{Hospital, text};
use tests::http::{post, session};
use tests::private::repository;

const QUERY: &str = "content-type: application/timestamp-query";

/// Runs openssl in the folder of records; what it prints.
fn openssl(hospital: &Hospital, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(hospital.stage.path("records"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A query made by openssl.
fn query(hospital: &Hospital, more: &[&str]) -> Vec<u8> {
    let base = ["ts", "-query", "-data", "note.txt", "-out", "note.tsq"];
    openssl(hospital, &[&base[..], more].concat());
    std::fs::read(hospital.stage.path("records/note.tsq")).unwrap()
}

#[test]
fn others_have_times_stamped_and_read_them() {
    let mut hospital = Hospital::open();
    hospital.stage.write("records/note.txt", b"progress note\n").unwrap();
    let issuers = hospital.stage.path("authorities");
    hospital.granted("emr", &["authority", "export", "--out", &issuers.to_string_lossy()]);
    let bearer = session(&hospital, "doctor");
    let reply = hospital.stage.path("records/note.tsr");
    let verified = |hospital: &Hospital| {
        let output = Command::new(repository().join("tests/interop/verify-stamp.sh"))
            .arg(hospital.stage.path("records/note.tsq"))
            .args([&reply, &issuers.join("ca-devices.cer")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let mut numbers = Vec::new();
    for digest in ["-sm3", "-sha256"] {
        let query = query(&hospital, &[digest, "-cert"]);
        let (head, body) = post(&hospital, "/tsa", &[QUERY, &bearer], &query);
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(
            head.to_lowercase().contains("content-type: application/timestamp-reply"),
            "{head}"
        );
        std::fs::write(&reply, &body).unwrap();
        let said = openssl(&hospital, &["ts", "-reply", "-in", "note.tsr", "-text"]);
        for part in
            ["Status: Granted.", "Accuracy: 0x01 seconds", "Ordering: no", "CN=tsa", "Nonce: 0x"]
        {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        let said = verified(&hospital);
        assert!(said.starts_with("valid: "), "{said}");
        numbers.push(said);
    }
    // Without a certificate in it, as asked; and a digest that protects nothing.
    let bare = query(&hospital, &["-sm3", "-no_nonce"]);
    let (_, body) = post(&hospital, "/tsa", &[QUERY, &bearer], &bare);
    assert_eq!(Reply::parse(&body).unwrap().token().certificate(), None);
    for (more, failure) in [
        (&["-sha1"][..], Failure::BadAlgorithm),
        (&["-sm3", "-tspolicy", "1.2.3.4"], Failure::UnacceptedPolicy),
    ] {
        let (head, body) = post(&hospital, "/tsa", &[QUERY, &bearer], &query(&hospital, more));
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert_eq!(Reply::parse(&body).err(), Some(ReplyError::Rejected(Some(failure))));
    }
    let (_, body) = post(&hospital, "/tsa", &[QUERY, &bearer], b"not a query");
    assert_eq!(body, Failure::BadDataFormat.reply());

    // Nobody else gets one, as each is an entry in the log.
    for (lines, code) in [
        (&[QUERY][..], "401"),
        (&[QUERY, "authorization: Bearer nobody"], "401"),
        (&["content-type: text/plain", &bearer], "415"),
    ] {
        let (head, _) = post(&hospital, "/tsa", lines, &bare);
        assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{lines:?}: {head}");
    }
    let (head, _) = post(&hospital, "/tsa", &[QUERY, &bearer], &[0x30; 1025]);
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");

    // In the log there is each that was given, and no other.
    let search = ["audit", "search", "--action", "time-stamp.issue"];
    let found = hospital.granted("auditor", &search);
    assert_eq!(found["entries"].as_array().unwrap().len(), 3, "{found}");

    // The status of the stamper's certificate is told like any other's.
    let (_, body) =
        post(&hospital, "/tsa", &[QUERY, &bearer], &query(&hospital, &["-sm3", "-cert"]));
    let stamper = Reply::parse(&body).unwrap().token().certificate().unwrap().der().to_vec();
    let file = hospital.stage.write("records/tsa.der", &stamper).unwrap();
    let status = ["authority", "status", "--certificate", &file.to_string_lossy()];
    assert_eq!(text(&hospital.granted("emr", &status), "status"), "good");

    // The national form; and for anybody, where it is set.
    hospital.reconfigure(|settings| {
        let settings = settings.replace("form = \"rfc3161\"", "form = \"gm-t-0033\"");
        settings.replace("insecure_for_anybody = false", "insecure_for_anybody = true")
    });
    let (head, body) = post(&hospital, "/tsa", &[QUERY], &query(&hospital, &["-sm3", "-cert"]));
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let national = Reply::parse(&body).unwrap();
    assert!(
        national
            .token()
            .der()
            .windows(10)
            .any(|at| at == b"\x2a\x81\x1c\xcf\x55\x06\x01\x04\x02\x02")
    );
    // The stamper is the one of before.
    assert_eq!(national.token().certificate().unwrap().der(), stamper);
    numbers.dedup();
    assert_eq!(numbers.len(), 2);
}

#[test]
fn the_command_stamps_a_file_and_checks_it_alone() {
    let hospital = Hospital::open();
    let path = |name: &str| hospital.stage.path(name).to_string_lossy().into_owned();
    hospital.stage.write("records/note.txt", b"progress note\n").unwrap();
    hospital.stage.write("records/other.txt", b"another note\n").unwrap();
    let (file, stamp) = (path("records/note.txt"), path("records/note.tsr"));
    let made =
        hospital.granted("doctor", &["timestamp", "request", "--file", &file, "--out", &stamp]);
    assert_eq!(made["accuracy_ms"], 1000);
    let verify = |file: &str, more: &[&str]| {
        let line = ["timestamp", "verify", "--file", file, "--stamp", &stamp];
        hospital.ask("emr", &[&line[..], more].concat())
    };
    let good = verify(&file, &[]).granted().unwrap();
    assert_eq!((&good["serial"], &good["time"]), (&made["serial"], &made["time"]));
    hospital.granted("emr", &["authority", "export", "--out", &path("authorities")]);
    let issuers = ["--issuers", &path("authorities/issuers.pem")];
    assert!(verify(&file, &issuers).granted().is_ok());
    assert!(verify(&path("records/other.txt"), &issuers).refused("STAMP_OTHER_FILE").is_ok());
    let root = ["--issuers", &path("authorities/root.pem")];
    assert!(verify(&file, &root).refused("STAMP_ISSUER_UNKNOWN").is_ok());
    let mut forged = std::fs::read(&stamp).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    std::fs::write(Path::new(&stamp), forged).unwrap();
    assert!(verify(&file, &issuers).refused("STAMP_NOT_GENUINE").is_ok());
}
