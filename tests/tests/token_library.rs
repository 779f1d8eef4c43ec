//! A C program on `libhealthcard_token`: it checks what a running service issued, as a resource server in C does.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use service::demo::people::DOCTOR;
use tests::hospital::{Hospital, text};
use tests::http::get;
use tests::programs::{Library, compile, libraries};
use tests::relay;
use tests::resource_server::now;

const URI: &str = "https://emr.example/fhir/Patient/1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_c_program_checks_tokens_offline() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let kept = |name: &str, octets: &[u8]| {
        let path = hospital.stage.write(name, octets).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let issue = |name: &str| {
        let order = ["token", "issue", "--visit", &visit, "--grade", "2", "--classes", "health"];
        let issued =
            hospital.granted(DOCTOR.key, &[&order[..], &["--audience", "emr.example"]].concat());
        (text(&issued, "token_id"), kept(name, text(&issued, "token").as_bytes()))
    };
    let ((id, token), (ended_id, ended)) = (issue("token"), issue("ended"));
    hospital.granted(DOCTOR.key, &["token", "revoke", &ended_id]);
    let (keys, snapshot) = (get(&hospital, "/jwks.json").1, get(&hospital, "/token-revocations").1);
    let (keys, snapshot) = (kept("keys", &keys), kept("snapshot", &snapshot));
    let said = get(&hospital, "/.well-known/oauth-authorization-server").1;
    let issuer = text(&serde_json::from_slice(&said).unwrap(), "issuer");

    for library in [Library::Token, Library::TokenArchive] {
        let prove = ["token", "prove", "--token", &token, "--method", "GET", "--uri", URI];
        let proof = kept("proof", text(&hospital.granted(DOCTOR.key, &prove), "proof").as_bytes());
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new(compile(directory.path(), "token.c", library))
            .args([&issuer, "emr.example", "GET", URI, &now().to_string()])
            .args([&keys, &snapshot, &token, &proof, &ended])
            .env("LD_LIBRARY_PATH", libraries())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{library:?}: {stderr}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let facts: BTreeMap<&str, &str> =
            stdout.lines().filter_map(|line| line.split_once('=')).collect();
        let claims: Value = serde_json::from_str(facts["claims"]).unwrap();
        assert_eq!((text(&claims, "jti"), text(&claims, "visit")), (id.clone(), visit.clone()));
        let doctor = &hospital.staff[DOCTOR.key];
        assert_eq!((&text(&claims, "sub"), &text(&claims, "clinician")), (doctor, doctor));
        assert!((0..600).contains(&facts["age"].parse::<i64>().unwrap()), "{stdout}");
        assert_eq!(facts["text"], "访问令牌已提前终止");
    }
}
