//! The status of certificates over HTTP (OCSP), asked with the openssl command, verified by Bouncy Castle, and by
//! `healthcard authority status`.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tests::hospital::{Hospital, text};
use tests::http::{get, post};
use tests::private::repository;

/// Serial number of somebody's certificate.
fn serial(hospital: &Hospital, who: &str) -> String {
    text(&hospital.granted(who, &["key", "show"])["certificate"], "serial")
}

/// Certificates of the authorities.
fn authorities(hospital: &Hospital) -> PathBuf {
    let directory = hospital.stage.path("authorities");
    hospital.granted("emr", &["authority", "export", "--out", &directory.to_string_lossy()]);
    directory
}

/// What openssl says of the answer to its question about these serial numbers; the response is left in `file`. It
/// verifies SM2 signatures with the empty identifier, so that its verdict on the signature is not asked for.
fn openssl(
    hospital: &Hospital,
    issuer: &Path,
    serials: &[&str],
    file: &Path,
    more: &[&str],
) -> String {
    let pem = issuer.with_extension("pem");
    let certificate = ca::Certificate::parse(&std::fs::read(issuer).unwrap()).unwrap();
    std::fs::write(&pem, certificate.to_pem()).unwrap();
    let mut command = Command::new("openssl");
    command.arg("ocsp").args(more).arg("-issuer").arg(&pem);
    for serial in serials {
        command.args(["-serial", &format!("0x{serial}")]);
    }
    command.args(["-url", &format!("{}/ocsp", hospital.stage.url())]);
    command.args(["-noverify", "-resp_text", "-respout"]).arg(file);
    let output = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    said
}

fn ask(hospital: &Hospital, kind: &str, question: &[u8]) -> (String, Vec<u8>) {
    post(hospital, "/ocsp", &[&format!("content-type: {kind}")], question)
}

fn bouncy_castle(response: &Path, issuer: &Path, serial: &str) -> String {
    let output = Command::new(repository().join("tests/interop/verify-ocsp.sh"))
        .args([response, issuer, Path::new(serial)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn others_ask_for_the_status_of_certificates() {
    let mut hospital = Hospital::open();
    let issuers = authorities(&hospital);
    let people = issuers.join("ca-people.cer");
    let (doctor, colleague) = (serial(&hospital, "doctor"), serial(&hospital, "colleague"));
    let response = hospital.stage.path("records/response.der");
    let nobody = "00ff00ff00ff";
    for digest in [&[][..], &["-sha1"], &["-sha256"], &["-sm3"]] {
        let serials = [doctor.as_str(), &colleague, nobody];
        let said = openssl(&hospital, &people, &serials, &response, digest);
        for (serial, status) in serials.iter().zip(["good", "good", "unknown"]) {
            assert!(said.contains(&format!("0x{serial}: {status}")), "{digest:?}: {said}");
        }
        assert!(said.contains("OCSP Nonce") && !said.contains("Nonce mismatch"), "{said}");
    }
    // Kept answers, too, for whoever sends no nonce: the second is the first one.
    let ask = |hospital: &Hospital| {
        openssl(hospital, &people, &[&colleague], &response, &["-no_nonce", "-sha1"]);
        std::fs::read(&response).unwrap()
    };
    let first = ask(&hospital);
    assert_eq!(ask(&hospital), first);
    assert_eq!(bouncy_castle(&response, &people, &colleague), "good\n");

    // Each authority answers for its own, and for the root the one above them.
    let desk = serial(&hospital, "desk");
    let said = openssl(&hospital, &issuers.join("ca-devices.cer"), &[&desk], &response, &["-sm3"]);
    assert!(said.contains(": good"), "{said}");
    assert_eq!(bouncy_castle(&response, &issuers.join("ca-devices.cer"), &desk), "good\n");
    let said = openssl(&hospital, &people, &[&desk], &response, &["-sm3"]);
    assert!(said.contains(": unknown"), "{said}");
    let authority = ca::Certificate::parse(&std::fs::read(&people).unwrap()).unwrap();
    let authority = authority.serial().to_string();
    let said =
        openssl(&hospital, &issuers.join("ca-root.cer"), &[&authority], &response, &["-sha256"]);
    assert!(said.contains(": good"), "{said}");

    // The program of this service sees the same, and what was kept goes with the revocation.
    let own = hospital.granted("colleague", &["authority", "status"]);
    assert_eq!((text(&own, "serial"), text(&own, "status")), (colleague.clone(), "good".into()));
    let settings = own["identifiers"].as_array().unwrap();
    assert_eq!(settings.len(), 3, "{own}");
    let persons = (text(&settings[0], "oid"), text(&settings[0], "prefix"));
    assert_eq!(persons, ("1.2.86.21.1.1".into(), "1@0000JM0".into()));
    assert_eq!(
        (&settings[0]["value"], &settings[0]["profiles"][0]),
        (&"pseudonym".into(), &"person".into())
    );
    // A certificate of its own making, with the number and issuer of a good one, is not a good one.
    let mut forged =
        std::fs::read(hospital.stage.path("people/colleague/certificate.der")).unwrap();
    let key = forged.windows(3).position(|it| it == [0x03, 0x42, 0x00]).unwrap() + 4;
    let stranger = hsm::sm2::SecretKey::generate();
    forged[key..key + 64].copy_from_slice(&stranger.public().as_sec1()[1..]);
    let forged = hospital.stage.write("records/forged.der", &forged).unwrap();
    let order = ["authority", "status", "--certificate", &forged.to_string_lossy()];
    hospital.refused("colleague", &order, "CERTIFICATE_FORGED");
    let order = ["identity", "revoke", "--serial", &colleague, "--reason", "key-compromise"];
    hospital.granted("operator", &order);
    let second = ask(&hospital);
    assert_ne!(second, first);
    assert_eq!(bouncy_castle(&response, &people, &colleague), "revoked: reason 1\n");
    let said = openssl(&hospital, &people, &[&colleague, &doctor], &response, &["-sm3"]);
    assert!(said.contains(&format!("0x{colleague}: revoked")), "{said}");
    assert!(
        said.contains(&format!("0x{doctor}: good")) && said.contains("keyCompromise"),
        "{said}"
    );
    let file = hospital.stage.identity("colleague").join("certificate.der");
    let status = ["authority", "status", "--certificate", &file.to_string_lossy()];
    let revoked = hospital.ask("emr", &status);
    assert_eq!((revoked.code, text(&revoked.body, "status")), (1, "revoked".to_owned()));
    assert_eq!(revoked.body["reason"], 1);

    // After a start the responders are those on record, and are not certified again.
    hospital.restart();
    openssl(&hospital, &people, &[&colleague], &response, &["-no_nonce", "-sha1"]);
    assert_eq!(bouncy_castle(&response, &people, &colleague), "revoked: reason 1\n");
    let certified = ["audit", "search", "--action", "certificate.issue"];
    let found = hospital.granted("auditor", &certified);
    let entries = found["entries"].to_string();
    for authority in ["ca-root", "ca-institutions", "ca-people", "ca-devices"] {
        assert_eq!(
            entries.matches(&format!("{authority}-ocsp")).count(),
            2,
            "{authority}: {entries}"
        );
    }
}

#[test]
fn questions_come_in_the_path_as_well_and_bad_ones_are_told() {
    let hospital = Hospital::open();
    let issuers = authorities(&hospital);
    let read =
        |name: &str| ca::Certificate::parse(&std::fs::read(issuers.join(name)).unwrap()).unwrap();
    let (people, devices) = (read("ca-people.cer"), read("ca-devices.cer"));
    let doctor: ca::Serial = serial(&hospital, "doctor").parse().unwrap();
    let id = |issuer| ca::ocsp::CertificateId::new(ca::Digest::Sha1, issuer, &doctor);
    let one = ca::ocsp::question(&[id(&people)], None);
    let in_path = STANDARD.encode(&one);
    for escaped in
        [in_path.clone(), in_path.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")]
    {
        let (head, body) = get(&hospital, &format!("/ocsp/{escaped}"));
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        let head = head.to_lowercase();
        for header in [
            "content-type: application/ocsp-response",
            "cache-control: max-age=",
            "public, no-transform, must-revalidate",
            "etag: \"",
            "last-modified: ",
            "expires: ",
        ] {
            assert!(head.contains(header), "{header} is not in {head}");
        }
        let response = ca::ocsp::Response::parse(&body).unwrap();
        assert_eq!(response.answers()[0].0.status, ca::ocsp::Status::Good);
    }

    use ca::ocsp::Failure::{MalformedRequest, Unauthorized};
    let mut foreign = one.clone();
    let at = foreign.len() - doctor.octets().len() - 10;
    foreign[at] ^= 1;
    let both = ca::ocsp::question(&[id(&people), id(&devices)], None);
    for (what, question, failure) in [
        ("nothing", &[][..], MalformedRequest),
        ("not DER", b"GET / HTTP/1.1", MalformedRequest),
        ("cut off", &one[..one.len() - 1], MalformedRequest),
        ("another issuer's", &foreign, Unauthorized),
        ("of two issuers", &both, Unauthorized),
    ] {
        let (head, body) = ask(&hospital, "application/ocsp-request", question);
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{what}: {head}");
        assert!(head.to_lowercase().contains("cache-control: no-store"), "{what}: {head}");
        assert_eq!(body, failure.response(), "{what}");
    }
    let (_, body) = get(&hospital, "/ocsp/not-base64");
    assert_eq!(body, MalformedRequest.response());
    let (head, _) = ask(&hospital, "text/plain", &one);
    assert!(head.starts_with("HTTP/1.1 415"), "{head}");
    let (head, _) = ask(&hospital, "application/ocsp-request", &[0x30; 8193]);
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
}
