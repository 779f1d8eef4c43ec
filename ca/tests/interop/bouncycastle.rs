//! Bouncy Castle: whole paths with revocation, signed messages both ways. `Peer.java` says one line
//! for each thing it did.

use std::path::Path;

use ca::{
    chain::{Anchors, ChainError, Purpose},
    cms::{Binding, SignedData},
    request::CertificateRequest,
};
use hsm::sm3;

use crate::bench::{Bench, ENTITY, NOW, RECORD};

const JARS: [&str; 3] =
    ["/usr/share/java/bcprov.jar", "/usr/share/java/bcpkix.jar", "/usr/share/java/bcutil.jar"];

#[test]
fn bouncy_castle_agrees() {
    let tools = ["/usr/bin/javac", "/usr/bin/java"];
    if let Some(missing) = tools.iter().chain(&JARS).find(|file| !Path::new(file).exists()) {
        println!(
            "SKIPPED: {missing} is missing (Debian packages default-jdk-headless, libbcpkix-java)"
        );
        return;
    }
    let bench = Bench::new();
    bench.write("Peer.java", include_bytes!("Peer.java"));
    let jars = format!("{}:.", JARS.join(":"));
    let (good, said) = bench.run("javac", &["-cp", &jars, "Peer.java"]);
    assert!(good, "{said}");
    let now = (NOW.unix_timestamp() * 1000).to_string();
    let (good, said) = bench.run("java", &["-cp", &jars, "Peer", &now]);
    assert!(good, "{said}");

    for line in [
        "doctor: path valid, 2 certificates",
        &format!("doctor: identifiers {ENTITY} [2] E12345678"),
        "nurse: certificate revoked",
        "doctor by part: path valid",
        "nurse by part: path valid",
        "doctor by part and changes: path valid",
        "nurse by part and changes: certificate revoked",
        "from the root before to the new one: path valid",
        "from the new root to the one before: path valid",
        "without a link: refused",
        "people.crl: signature true, nurse revoked true, doctor revoked false",
        "request: signature true",
        "message: signature true, time 2025-03-03T09:30:00Z",
        "message: names the doctor's certificate true",
        "message over another record: refused",
    ] {
        assert!(said.lines().any(|said| said == line), "{line:?} is not in {said}");
    }

    // What it made, we read.
    let mut anchors = Anchors::new(bench.root.clone()).unwrap();
    anchors.add_issuer(bench.people.clone()).unwrap();
    bench.crls.iter().try_for_each(|crl| anchors.add_crl(crl.clone())).unwrap();
    for file in ["made.attached.p7s", "made.detached.p7s"] {
        let message = SignedData::parse(&bench.read(file)).unwrap();
        let signer = message
            .verify(&sm3::digest(RECORD), &anchors, Binding::Required, Some(NOW), NOW)
            .unwrap();
        assert_eq!(signer.certificate, bench.doctor, "{file}");
    }
    let request = CertificateRequest::parse(&bench.read("made.req")).unwrap();
    assert_eq!(request.public_key(), bench.doctor.public_key());
    let nurse = anchors.verify(&bench.nurse, Purpose::Login, NOW);
    assert!(matches!(nurse, Err(ChainError::Revoked { .. })), "{nurse:?}");
}
