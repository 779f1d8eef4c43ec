//! Access tokens as a resource server sees them: a real one, from a running service, opens what it says and no more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use access_token::proof::Request;
use access_token::{Claims, Refusal};
use serde_json::{Value, json};
use service::demo::people::{COLLEAGUE, DOCTOR, RECORDS};
use tests::hospital::{Hospital, text};
use tests::http::{post, session};
use tests::relay;
use tests::resource_server::sample::{PERSON, PRESSURE, RARE};
use tests::resource_server::{Chart, ResourceServer, ask, now, observation, patient};
use tests::tokens::{self, Issued, snapshot};

const FORM: &str = "content-type: application/x-www-form-urlencoded";

fn code(outcome: &Value) -> &str {
    outcome["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap()
}

/// A token of the doctor's.
fn issue(hospital: &Hospital, visit: &str) -> Issued {
    tokens::issue(hospital, DOCTOR.key, visit, "4", "personal,health")
}

fn prove(hospital: &Hospital, file: &str, uri: &str) -> String {
    tokens::prove(hospital, DOCTOR.key, file, &["--uri", uri])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_treating_doctor_sees_what_the_token_opens_with_a_proof_until_it_ends() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let verifier = tokens::verifier(&hospital).demand_snapshot(Duration::from_secs(120));
    let resident = hospital.resident_id.clone();
    let chart = Chart { person: PERSON, observations: vec![PRESSURE, RARE] };
    let (server, address) = ResourceServer::serve(
        verifier,
        &hospital.institution_id,
        BTreeMap::from([(resident.clone(), chart)]),
    )
    .await;
    let path = format!("/fhir/Patient/{resident}");
    let uri = format!("http://{address}{path}");
    let Issued { token, id, file } = issue(&hospital, &visit);

    // Nothing without a snapshot, and nothing without a proof.
    let (status, why) = ask(address, &path, &token, None).await;
    assert_eq!((status, code(&why)), (401, "SNAPSHOT_MISSING"));
    server.verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
    let (status, why) = ask(address, &path, &token, None).await;
    assert_eq!((status, code(&why)), (401, "PROOF_MISSING"));
    assert!(why.to_string().contains("缺少持有者证明"));

    let proof = prove(&hospital, &file, &uri);
    let (status, seen) = ask(address, &path, &token, Some(&proof)).await;
    assert_eq!((status, &seen["name"][0]["text"]), (200, &json!(PERSON.name)), "{seen}");
    assert_eq!(seen["identifier"][0]["value"], PERSON.id_number);
    let (status, why) = ask(address, &path, &token, Some(&proof)).await;
    assert_eq!((status, code(&why)), (401, "PROOF_REPLAYED"));

    // Of observations those within the grade; of another resident nothing; a proof for another address is none.
    let found = format!("/fhir/Observation?subject=Patient/{resident}");
    let proof = prove(&hospital, &file, &format!("http://{address}{found}"));
    let (status, seen) = ask(address, &found, &token, Some(&proof)).await;
    assert_eq!((status, &seen["total"]), (200, &json!(1)), "{seen}");
    assert_eq!(seen["entry"][0]["resource"]["id"], PRESSURE.id);
    let proof = prove(&hospital, &file, &uri);
    let (status, why) = ask(address, &found, &token, Some(&proof)).await;
    assert_eq!((status, code(&why)), (401, "PROOF_OTHER_REQUEST"));
    let other = "/fhir/Patient/somebody-else";
    let proof = prove(&hospital, &file, &format!("http://{address}{other}"));
    assert_eq!(ask(address, other, &token, Some(&proof)).await.0, 403);

    // Ended, it opens nothing as soon as a snapshot says so.
    hospital.granted(DOCTOR.key, &["token", "revoke", &id]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let why = loop {
        // One made before is handed out for a second; it is then no later than the one that is held.
        server.verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
        let proof = prove(&hospital, &file, &uri);
        let (status, why) = ask(address, &path, &token, Some(&proof)).await;
        if status == 401 || Instant::now() > deadline {
            break why;
        }
    };
    assert_eq!(code(&why), "TOKEN_ENDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_says_of_token_and_proof_together_and_in_the_forms_of_oauth() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let Issued { token, id, file } = issue(&hospital, &visit);
    let uri = "https://emr.example/records.v1.Observations/Read";
    let proof = tokens::prove(&hospital, DOCTOR.key, &file, &["--rpc", uri]);
    let proof = hospital.stage.write("proof", proof.as_bytes()).unwrap();
    let asked = |of: &[&str]| {
        let order = ["--audience", "emr.example", "--proof", proof.to_str().unwrap()];
        let order = [&["token", "introspect", "--token", &file][..], &order, of].concat();
        hospital.ask(DOCTOR.key, &order).body
    };
    for other in
        [&["--rpc", "https://emr.example/records.v1.Observations/Write"][..], &["--uri", uri]]
    {
        assert_eq!(text(&asked(other), "inactive_reason"), "PROOF_OTHER_REQUEST", "{other:?}");
    }
    assert_eq!(asked(&["--uri", uri, "--method", "POST"])["active"], true);
    assert_eq!(text(&asked(&["--rpc", uri]), "inactive_reason"), "PROOF_REPLAYED");

    let bearer = session(&hospital, DOCTOR.key);
    let introspect = |body: &str, lines: &[&str]| -> (String, Value) {
        let (head, body) = post(&hospital, "/introspect", lines, body.as_bytes());
        assert!(head.to_lowercase().contains("cache-control: no-store"), "{head}");
        (head[9..12].to_owned(), serde_json::from_slice(&body).unwrap_or_default())
    };
    let token_form = format!("token={token}&token_type_hint=access_token");
    let (status, said) = introspect(&token_form, &[FORM, &bearer]);
    assert_eq!((status.as_str(), &said["active"]), ("200", &json!(true)), "{said}");
    assert_eq!((&said["aud"], &said["token_type"]), (&json!("emr.example"), &json!("DPoP")));
    let inactive = ("200".to_owned(), json!({"active": false}));
    assert_eq!(
        introspect(&format!("{token_form}&audience=lab.example"), &[FORM, &bearer]),
        inactive
    );
    assert_eq!(introspect("token=none", &[FORM, &bearer]), inactive);
    let too_long = format!("token={}", "a".repeat(20_000));
    let twice = format!("{token_form}&token=other");
    for (body, lines, status, reason) in [
        (token_form.as_str(), &[FORM][..], "401", "SESSION_MISSING"),
        (&token_form, &[FORM, "authorization: Bearer nobody"], "401", "SESSION_INVALID"),
        (&token_form, &["content-type: application/json", &bearer], "400", "FIELD_INVALID"),
        ("", &[FORM, &bearer], "400", "FIELD_INVALID"),
        (&twice, &[FORM, &bearer], "400", "FIELD_INVALID"),
        (&too_long, &[FORM, &bearer], "400", "FIELD_INVALID"),
    ] {
        let (told, said) = introspect(body, lines);
        assert_eq!((told.as_str(), &said["reason"]), (status, &json!(reason)), "{said}");
        assert!(
            !text(&said, "error_description").is_empty() && !text(&said, "message_zh").is_ascii()
        );
    }

    // Ended in OAuth's form, with the entry in the log that ending it has.
    let revoke = |body: &str| {
        post(&hospital, "/revoke", &[FORM, &bearer], body.as_bytes()).0[9..12].to_owned()
    };
    assert_eq!(revoke("token=none"), "200");
    assert_eq!(revoke(&token_form), "200");
    assert_eq!(revoke(&token_form), "200");
    assert_eq!(introspect(&token_form, &[FORM, &bearer]), inactive);
    let order = ["audit", "search", "--action", "token.revoke", "--page-size", "10"];
    let told = hospital.granted("auditor", &order).to_string();
    assert!(told.contains(&id) && told.contains("refused"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_tokens_of_a_visit_a_person_or_a_certificate_end_at_once_and_others_live() {
    let mut hospital = Hospital::open();
    let (first, second) = (relay::open_visit(&hospital).await, relay::open_visit(&hospital).await);
    let of_first = [issue(&hospital, &first), issue(&hospital, &first)];
    let of_second = issue(&hospital, &second);
    let said = |hospital: &Hospital, issued: &Issued| {
        let order = ["token", "introspect", "--token", &issued.file, "--audience", "emr.example"];
        let said = hospital.ask(RECORDS.key, &order).body;
        (said["active"].as_bool().unwrap(), text(&said, "inactive_reason"))
    };
    let revoke = |hospital: &Hospital, who: &str, order: &[&str]| {
        hospital.granted(who, &[&["token", "revoke"], order].concat())
    };
    let good = (true, String::new());
    let revoked = (false, "REVOKED".to_owned());

    // Somebody else's are not ended by whoever has none there; and whether there is such a thing they do not learn.
    let nobody = "01900000-0000-7000-8000-000000000000";
    let resident = hospital.resident_id.clone();
    for (what, known) in
        [("--visit", Some(&first)), ("--resident", Some(&resident)), ("--consent", None)]
    {
        for id in known.map(String::as_str).into_iter().chain([nobody]) {
            let none = revoke(&hospital, COLLEAGUE.key, &[what, id]);
            assert_eq!((&none["ended"], none["receipt"].is_object()), (&json!(0), true), "{none}");
        }
    }
    let doctor = hospital.staff[DOCTOR.key].clone();
    let serial = hospital.granted(DOCTOR.key, &["key", "show"]);
    let serial = text(&serial["certificate"], "serial");
    for (who, order, reason) in [
        ("operator", ["--visit", nobody], "VISIT_NOT_FOUND"),
        ("operator", ["--identity", nobody], "IDENTITY_NOT_FOUND"),
        ("operator", ["--certificate", "5f"], "CERTIFICATE_NOT_FOUND"),
        ("operator", ["--consent", nobody], "CONSENT_NOT_FOUND"),
        ("operator", ["--resident", nobody], "RESIDENT_NOT_FOUND"),
        ("operator", ["--visit", "the first"], "FIELD_INVALID"),
        (COLLEAGUE.key, ["--identity", &doctor], "IDENTITY_NOT_FOUND"),
        (COLLEAGUE.key, ["--certificate", &serial], "CERTIFICATE_NOT_FOUND"),
        ("clerk", ["--visit", &first], "ROLE_NOT_ALLOWED"),
        (RECORDS.key, ["--identity", &doctor], "ROLE_NOT_ALLOWED"),
    ] {
        hospital.refused(who, &[&["token", "revoke"], &order[..]].concat(), reason);
    }
    assert!(of_first.iter().chain([&of_second]).all(|token| said(&hospital, token) == good));

    let ended = revoke(&hospital, "operator", &["--visit", &first]);
    assert_eq!(ended["ended"], 2, "{ended}");
    // What was answered is on disk.
    hospital.stage.server().unwrap().kill();
    hospital.stage.serve().unwrap();
    assert!(of_first.iter().all(|token| said(&hospital, token) == revoked));
    assert_eq!(said(&hospital, &of_second), good);
    // A snapshot of before is handed out for a moment.
    let deadline = Instant::now() + Duration::from_secs(60);
    let request = Request { method: "GET", uri: "https://emr.example/" };
    loop {
        let verifier = tokens::verifier(&hospital);
        verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
        let refused =
            |issued: &Issued| verifier.check(&issued.token, None, request, now()).unwrap_err();
        // One that goes on lacks nothing but its proof.
        assert_eq!(refused(&of_second), Refusal::ProofMissing);
        if of_first.iter().all(|token| refused(token) == Refusal::TokenEnded) {
            break;
        }
        assert!(Instant::now() < deadline, "the snapshot does not name them");
    }

    // One entry, which says how many, and of what.
    let order = ["audit", "search", "--action", "token.revoke", "--outcome", "granted"];
    let told = hospital.granted("auditor", &order);
    let entries: Vec<_> =
        told["entries"].as_array().unwrap().iter().map(|it| &it["entry"]).collect();
    let (none, some): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry["detail"]["tokens"] == "0");
    assert_eq!(none.len(), 5, "{told}");
    let [entry] = some[..] else { panic!("{told}") };
    assert_eq!(
        (&entry["visit"], &entry["detail"]["tokens"]),
        (&json!(first), &json!("2")),
        "{told}"
    );

    // By the person themselves, and by what the tokens rest on.
    assert_eq!(revoke(&hospital, DOCTOR.key, &["--identity", &doctor])["ended"], 1);
    assert_eq!(said(&hospital, &of_second), revoked);
    let last = issue(&hospital, &second);
    assert_eq!(revoke(&hospital, "operator", &["--certificate", &serial])["ended"], 1);
    assert_eq!(said(&hospital, &last), revoked);
    let last = issue(&hospital, &second);
    assert_eq!(revoke(&hospital, "operator", &["--resident", &hospital.resident_id])["ended"], 1);
    assert_eq!(said(&hospital, &last), revoked);
}

#[test]
fn masks_leave_out_what_tells_who_it_is() {
    let vector: Value = serde_json::from_str(include_str!("../vectors/token_claims.json")).unwrap();
    let claims = |mask: &str, grade: u8, classes: Value| -> Claims {
        let mut claims = vector.clone();
        claims["mask"] = mask.into();
        claims["data"]["grade"] = grade.into();
        claims["data"]["classes"] = classes;
        serde_json::from_value(claims).unwrap()
    };
    let personal = || json!(["personal"]);
    let seen = |claims: &Claims| {
        let seen = patient("r", &PERSON, claims);
        let texts = [
            "/name/0/text",
            "/identifier/0/value",
            "/telecom/0/value",
            "/address/0/text",
            "/birthDate",
            "/gender",
        ];
        texts.map(|at| seen.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    let whole =
        [PERSON.name, PERSON.id_number, PERSON.phone, PERSON.address, PERSON.birth_date, "male"];
    let partial =
        ["张*", "990***********1234", "000******17", "虚构省虚构市", "1980-01-01", "male"];
    assert_eq!(seen(&claims("none", 4, personal())), whole);
    assert_eq!(seen(&claims("partial", 4, personal())), partial);
    assert_eq!(seen(&claims("full", 4, personal())), ["", "", "", "", "1980", "male"]);
    // The grade comes first, and the kind before that.
    assert_eq!(
        seen(&claims("none", 3, personal())),
        [PERSON.name, "", PERSON.phone, PERSON.address, PERSON.birth_date, "male"]
    );
    assert_eq!(seen(&claims("none", 5, json!(["health"]))), [""; 6]);
    assert!(observation("r", &PRESSURE, &claims("full", 3, json!(["health"]))).is_some());
    assert!(observation("r", &PRESSURE, &claims("none", 2, json!(["health"]))).is_none());
    assert!(observation("r", &PRESSURE, &claims("none", 5, json!(["care"]))).is_none());
}
