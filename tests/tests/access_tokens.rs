//! Access tokens as a resource server sees them: a real one, from a running service, opens what it says and no more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use access_token::proof::Request;
use access_token::words::{DataClass, Mask};
use access_token::{Claims, KeySet, Refusal, Verifier};
use proto::v1::{self, ConsentKind, GrantConsentRequest, Purpose};
use serde_json::{Value, json};
use service::demo::people::{COLLEAGUE, DEPARTMENT, DOCTOR, RECORDS, Staff};
use tests::counter::Counter;
use tests::hospital::{Hospital, text};
use tests::http::{get, post, session};
use tests::relay;
use tests::resource_server::sample::{PERSON, PRESSURE, RARE};
use tests::resource_server::{Chart, ResourceServer, ask, now, observation, patient};

const RESEARCHER: Staff =
    Staff { key: "researcher", role: "researcher", number: "R001", department: "", ..COLLEAGUE };
/// Not named in the visit, but of its department: sees it partly masked.
const BESIDE: Staff = Staff { key: "beside", number: "D003", department: DEPARTMENT, ..COLLEAGUE };
const FORM: &str = "content-type: application/x-www-form-urlencoded";

fn code(outcome: &Value) -> &str {
    outcome["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap()
}

fn json_at(hospital: &Hospital, path: &str) -> Value {
    let (head, body) = get(hospital, path);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_slice(&body).unwrap()
}

fn snapshot(hospital: &Hospital) -> String {
    let (head, body) = get(hospital, "/token-revocations");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/jwt"), "{head}");
    String::from_utf8(body).unwrap()
}

/// A token of the doctor's for `emr.example`, and where it was written to.
fn issue(hospital: &Hospital, visit: &str) -> (Value, String) {
    let classes = ["--classes", "personal,health", "--grade", "4", "--audience", "emr.example"];
    let order = [&["token", "issue", "--visit", visit][..], &classes].concat();
    let issued = hospital.granted(DOCTOR.key, &order);
    let file = hospital.stage.write("token", text(&issued, "token").as_bytes()).unwrap();
    (issued, file.to_str().unwrap().to_owned())
}

fn prove(hospital: &Hospital, file: &str, method: &str, uri: &str) -> String {
    let order = ["token", "prove", "--token", file, "--method", method, "--uri", uri];
    text(&hospital.granted(DOCTOR.key, &order), "proof")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_treating_doctor_sees_what_the_token_opens_with_a_proof_until_it_ends() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let said = json_at(&hospital, "/.well-known/oauth-authorization-server");
    assert!(text(&said, "jwks_uri").ends_with("/jwks.json"), "{said}");
    let keys = KeySet::from_json(&get(&hospital, "/jwks.json").1).unwrap();
    let verifier = Verifier::new(&text(&said, "issuer"), "emr.example", keys)
        .demand_snapshot(Duration::from_secs(120));
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
    let (issued, file) = issue(&hospital, &visit);
    let token = text(&issued, "token");

    // Nothing without a snapshot, and nothing without a proof.
    let (status, why) = ask(address, &path, &token, None).await;
    assert_eq!((status, code(&why)), (401, "SNAPSHOT_MISSING"));
    server.verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
    let (status, why) = ask(address, &path, &token, None).await;
    assert_eq!((status, code(&why)), (401, "PROOF_MISSING"));
    assert!(why.to_string().contains("缺少持有者证明"));

    let proof = prove(&hospital, &file, "GET", &uri);
    let (status, seen) = ask(address, &path, &token, Some(&proof)).await;
    assert_eq!((status, &seen["name"][0]["text"]), (200, &json!(PERSON.name)), "{seen}");
    assert_eq!(seen["identifier"][0]["value"], PERSON.id_number);
    let (status, why) = ask(address, &path, &token, Some(&proof)).await;
    assert_eq!((status, code(&why)), (401, "PROOF_REPLAYED"));

    // Of observations those within the grade; of another resident nothing; a proof for another address is none.
    let found = format!("/fhir/Observation?subject=Patient/{resident}");
    let proof = prove(&hospital, &file, "GET", &format!("http://{address}{found}"));
    let (status, seen) = ask(address, &found, &token, Some(&proof)).await;
    assert_eq!((status, &seen["total"]), (200, &json!(1)), "{seen}");
    assert_eq!(seen["entry"][0]["resource"]["id"], PRESSURE.id);
    let proof = prove(&hospital, &file, "GET", &uri);
    let (status, why) = ask(address, &found, &token, Some(&proof)).await;
    assert_eq!((status, code(&why)), (401, "PROOF_OTHER_REQUEST"));
    let other = "/fhir/Patient/somebody-else";
    let proof = prove(&hospital, &file, "GET", &format!("http://{address}{other}"));
    assert_eq!(ask(address, other, &token, Some(&proof)).await.0, 403);

    // Ended, it opens nothing as soon as a snapshot says so.
    hospital.granted(DOCTOR.key, &["token", "revoke", &text(&issued, "token_id")]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let why = loop {
        // One made before is handed out for a second; it is then no later than the one that is held.
        server.verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
        let proof = prove(&hospital, &file, "GET", &uri);
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
    let (issued, file) = issue(&hospital, &visit);
    let token = text(&issued, "token");
    let uri = "https://emr.example/healthcard.v1.Cards/Read";
    let proof =
        hospital.stage.write("proof", prove(&hospital, &file, "POST", uri).as_bytes()).unwrap();
    let asked = |uri: &str| {
        let proof = proof.to_str().unwrap();
        let order =
            ["--audience", "emr.example", "--proof", proof, "--method", "POST", "--uri", uri];
        let order = [&["token", "introspect", "--token", &file][..], &order].concat();
        hospital.ask(DOCTOR.key, &order).body
    };
    let refused = asked("https://emr.example/healthcard.v1.Cards/Write");
    assert_eq!(text(&refused, "inactive_reason"), "PROOF_OTHER_REQUEST");
    assert_eq!(asked(uri)["active"], true);
    assert_eq!(text(&asked(uri), "inactive_reason"), "PROOF_REPLAYED");

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
    assert!(told.contains(&text(&issued, "token_id")) && told.contains("refused"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_tokens_of_a_visit_a_person_or_a_certificate_end_at_once_and_others_live() {
    let mut hospital = Hospital::open();
    let (first, second) = (relay::open_visit(&hospital).await, relay::open_visit(&hospital).await);
    let issued = |hospital: &Hospital, visit: &str| {
        let (issued, file) = issue(hospital, visit);
        let kept = hospital.stage.path(&format!("token-{}", text(&issued, "token_id")));
        std::fs::rename(file, &kept).unwrap();
        (text(&issued, "token"), kept.to_str().unwrap().to_owned())
    };
    let of_first = [issued(&hospital, &first), issued(&hospital, &first)];
    let of_second = issued(&hospital, &second);
    let said = |hospital: &Hospital, (_, file): &(String, String)| {
        let order = ["token", "introspect", "--token", file, "--audience", "emr.example"];
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
    let verifier = |taken: &str| {
        let keys = KeySet::from_json(&get(&hospital, "/jwks.json").1).unwrap();
        let issuer = json_at(&hospital, "/.well-known/oauth-authorization-server");
        let verifier = Verifier::new(&text(&issuer, "issuer"), "emr.example", keys);
        verifier.take_snapshot(taken, now()).unwrap();
        verifier
    };
    // A snapshot of before is handed out for a moment.
    let deadline = Instant::now() + Duration::from_secs(60);
    let request = Request { method: "GET", uri: "https://emr.example/" };
    loop {
        let verifier = verifier(&snapshot(&hospital));
        let refused = |(token, _): &(String, String)| {
            verifier.check(token, None, request, now()).unwrap_err()
        };
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
    let last = issued(&hospital, &second);
    assert_eq!(revoke(&hospital, "operator", &["--certificate", &serial])["ended"], 1);
    assert_eq!(said(&hospital, &last), revoked);
    let last = issued(&hospital, &second);
    assert_eq!(revoke(&hospital, "operator", &["--resident", &hospital.resident_id])["ended"], 1);
    assert_eq!(said(&hospital, &last), revoked);
}

const EXCHANGE: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
const OF_TOKEN: &str = "subject_token_type=urn:ietf:params:oauth:token-type:access_token";
const OF_RECEIPT: &str = "subject_token_type=urn:ietf:params:oauth:token-type:jwt";

/// What is wrong with it, whose session, the parameters; and status, error and reason.
type Case<'a> = (&'a str, &'a str, &'a [&'a str], [&'a str; 3]);

/// What is answered to an exchange: the status, and what is said.
fn exchange(hospital: &Hospital, bearer: &str, parts: &[&str]) -> (String, Value) {
    let (head, body) = post(hospital, "/token", &[FORM, bearer], parts.join("&").as_bytes());
    assert!(head.to_lowercase().contains("cache-control: no-store"), "{head}");
    (head[9..12].to_owned(), serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clinician_acts_for_a_resident_with_no_more_than_what_is_exchanged_opens() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let said = json_at(&hospital, "/.well-known/oauth-authorization-server");
    assert!(text(&said, "token_endpoint").ends_with("/token"), "{said}");
    assert!(EXCHANGE.ends_with(said["grant_types_supported"][0].as_str().unwrap()), "{said}");
    let (issued, _) = issue(&hospital, &visit);
    let subject = format!("subject_token={}", text(&issued, "token"));
    let bearer = session(&hospital, DOCTOR.key);
    let whole = [EXCHANGE, OF_TOKEN, &subject];
    let with = |more: &[&str]| exchange(&hospital, &bearer, &[&whole[..], more].concat());

    let (status, given) = with(&["grade=2", "classes=health", "lifetime_seconds=60"]);
    assert_eq!((status.as_str(), &given["token_type"]), ("200", &json!("DPoP")), "{given}");
    assert_eq!(given["issued_token_type"], OF_TOKEN["subject_token_type=".len()..]);
    assert!((1..=60).contains(&given["expires_in"].as_i64().unwrap()), "{given}");

    // It says who acts for whom, is bound to the clinician's key, and opens what was asked for.
    let keys = KeySet::from_json(&get(&hospital, "/jwks.json").1).unwrap();
    let verifier = Verifier::new(&text(&said, "issuer"), "emr.example", keys.clone());
    let exchanged = text(&given, "access_token");
    let file = hospital.stage.write("exchanged", exchanged.as_bytes()).unwrap();
    let file = file.to_str().unwrap();
    let uri = "https://emr.example/fhir/Observation";
    let request = Request { method: "GET", uri };
    let proof = prove(&hospital, file, "GET", uri);
    let claims = verifier.check(&exchanged, Some(&proof), request, now()).unwrap().claims;
    assert_eq!((&claims.sub, &claims.resident), (&hospital.resident_id, &hospital.resident_id));
    let doctor = &hospital.staff[DOCTOR.key];
    assert_eq!(
        (claims.clinician(), claims.act.as_ref().map(|act| &act.sub)),
        (&**doctor, Some(doctor))
    );
    assert_eq!(
        (claims.data.grade.level(), &claims.data.classes[..]),
        (2, &[DataClass::Health][..])
    );
    assert!(claims.exp - claims.iat <= 60);
    let introspect = |file: &str| {
        let order = ["token", "introspect", "--token", file, "--audience", "emr.example"];
        hospital.ask(RECORDS.key, &order).body
    };
    let said = introspect(file);
    assert_eq!(
        (text(&said, "subject"), &said["acts_for_resident"]),
        (doctor.clone(), &json!(true))
    );
    let records = session(&hospital, RECORDS.key);
    let (_, said) =
        post(&hospital, "/introspect", &[FORM, &records], format!("token={exchanged}").as_bytes());
    let said: Value = serde_json::from_slice(&said).unwrap();
    assert_eq!((&said["clinician"], &said["sub"]), (&json!(doctor), &json!(hospital.resident_id)));
    let order = ["token", "check", "--token", file, "--audience", "emr.example"];
    assert_eq!(hospital.granted(DOCTOR.key, &order)["claims"]["act"]["sub"], **doctor);
    // All of it, where nothing less is asked for; and never longer than what it is exchanged for.
    let read = |token: &str| access_token::read(token, &keys).unwrap();
    let of = read(&text(&issued, "token"));
    for more in [&[][..], &["lifetime_seconds=86400"]] {
        let all = read(&text(&with(more).1, "access_token"));
        assert_eq!((all.data, all.mask, all.exp), (of.data.clone(), of.mask, of.exp), "{more:?}");
    }
    // What is left out of the one is left out of the other.
    hospital.stage.engage(&hospital.institution_id, &BESIDE).unwrap();
    let order = ["--classes", "health", "--grade", "2", "--audience", "emr.example"];
    let order = [&["token", "issue", "--visit", &visit][..], &order].concat();
    let masked = text(&hospital.granted(BESIDE.key, &order), "token");
    let bearer_beside = session(&hospital, BESIDE.key);
    let masked_subject = format!("subject_token={masked}");
    let (_, given) = exchange(&hospital, &bearer_beside, &[EXCHANGE, OF_TOKEN, &masked_subject]);
    let given = read(&text(&given, "access_token"));
    assert_eq!((read(&masked).mask, given.mask), (Mask::Partial, Mask::Partial));

    let forged = format!("{}A", &subject[..subject.len() - 1]);
    let forged =
        if forged == subject { format!("{}B", &subject[..subject.len() - 1]) } else { forged };
    let again = format!("subject_token={exchanged}");
    let too_long = format!("subject_token={}", "a".repeat(5000));
    let too_much = format!("subject_token={}", "a".repeat(20_000));
    let unheard_of = "subject_token_type=urn:ietf:params:oauth:token-type:id_token";
    let saml = "requested_token_type=urn:ietf:params:oauth:token-type:saml2";
    let colleague = session(&hospital, COLLEAGUE.key);
    let clerk = session(&hospital, "clerk");
    #[rustfmt::skip]
    let cases: [Case<'_>; 22] = [
        ("a higher grade", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "grade=5"], ["400", "invalid_scope", "EXCHANGE_WIDENS"]),
        ("another class", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "classes=health+care"], ["400", "invalid_scope", "EXCHANGE_WIDENS"]),
        ("another audience", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "audience=lab.example"], ["400", "invalid_target", "EXCHANGE_OTHER_TARGET"]),
        ("another's", &colleague, &[EXCHANGE, OF_TOKEN, &subject], ["400", "invalid_request", "SUBJECT_TOKEN_INVALID"]),
        ("by who has no tokens", &clerk, &[EXCHANGE, OF_TOKEN, &subject], ["400", "unauthorized_client", "ROLE_NOT_ALLOWED"]),
        ("by nobody", "authorization: Bearer nobody", &[EXCHANGE, OF_TOKEN, &subject], ["401", "invalid_client", "SESSION_INVALID"]),
        ("forged", &bearer, &[EXCHANGE, OF_TOKEN, &forged], ["400", "invalid_request", "SUBJECT_TOKEN_INVALID"]),
        ("exchanged", &bearer, &[EXCHANGE, OF_TOKEN, &again], ["400", "invalid_request", "SUBJECT_TOKEN_INVALID"]),
        ("no token", &bearer, &[EXCHANGE, OF_TOKEN, "subject_token=none"], ["400", "invalid_request", "SUBJECT_TOKEN_INVALID"]),
        ("no receipt", &bearer, &[EXCHANGE, OF_RECEIPT, &subject, "audience=emr.example"], ["400", "invalid_request", "SUBJECT_TOKEN_INVALID"]),
        ("a type unheard of", &bearer, &[EXCHANGE, unheard_of, &subject], ["400", "invalid_request", "TOKEN_TYPE_UNSUPPORTED"]),
        ("for another type", &bearer, &[EXCHANGE, OF_TOKEN, &subject, saml], ["400", "invalid_request", "TOKEN_TYPE_UNSUPPORTED"]),
        ("no type", &bearer, &[EXCHANGE, &subject], ["400", "invalid_request", "FIELD_INVALID"]),
        ("no subject", &bearer, &[EXCHANGE, OF_TOKEN], ["400", "invalid_request", "FIELD_INVALID"]),
        ("misspelt", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "garde=1"], ["400", "invalid_request", "FIELD_INVALID"]),
        ("another actor", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "actor_token=x"], ["400", "invalid_request", "FIELD_INVALID"]),
        ("twice", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "grade=1", "grade=2"], ["400", "invalid_request", "FIELD_INVALID"]),
        ("no grade", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "grade=0"], ["400", "invalid_request", "FIELD_INVALID"]),
        ("no class", &bearer, &[EXCHANGE, OF_TOKEN, &subject, "classes=all"], ["400", "invalid_request", "FIELD_INVALID"]),
        ("too long", &bearer, &[EXCHANGE, OF_TOKEN, &too_long], ["400", "invalid_request", "FIELD_INVALID"]),
        ("too much", &bearer, &[EXCHANGE, OF_TOKEN, &too_much], ["400", "invalid_request", "FIELD_INVALID"]),
        ("another grant", &bearer, &["grant_type=password", OF_TOKEN, &subject], ["400", "unsupported_grant_type", "GRANT_TYPE_UNSUPPORTED"]),
    ];
    for (what, bearer, parts, [status, error, reason]) in cases {
        let (told, said) = exchange(&hospital, bearer, parts);
        let found = (told.as_str(), &said["error"], &said["reason"]);
        assert_eq!(found, (status, &json!(error), &json!(reason)), "{what}: {said}");
        assert!(!text(&said, "message_zh").is_ascii(), "{what}: {said}");
    }

    // A refusal, too, names what was to be exchanged and whose data it opens, once it is known to be ours.
    let order = ["audit", "search", "--action", "token.issue", "--outcome", "refused"];
    let order = [&order[..], &["--page-size", "100"]].concat();
    let refused = hospital.granted("auditor", &order);
    let token_of = |id: &str| json!({ "kind": "token", "id": id });
    let (first, again) = (text(&issued, "token_id"), read(&exchanged).jti);
    let named = |reason: &str, object: Option<Value>| {
        let entries = refused["entries"].as_array().unwrap().iter().map(|it| &it["entry"]);
        let refused = entries.filter(|it| {
            it["detail"]["exchange"] == "token"
                && it["detail"]["reason"] == reason
                && it.get("object").filter(|it| !it.is_null()) == object.as_ref()
        });
        refused
            .map(|it| assert_eq!(it["resident"] == hospital.resident_id, object.is_some(), "{it}"))
            .count()
    };
    assert_eq!(named("EXCHANGE_WIDENS", Some(token_of(&first))), 2, "{refused}");
    assert_eq!(named("EXCHANGE_OTHER_TARGET", Some(token_of(&first))), 1, "{refused}");
    // Another's, and one that was exchanged itself.
    assert_eq!(named("SUBJECT_TOKEN_INVALID", Some(token_of(&first))), 1, "{refused}");
    assert_eq!(named("SUBJECT_TOKEN_INVALID", Some(token_of(&again))), 1, "{refused}");
    // What is none of ours says nothing that is believed.
    assert_eq!(named("SUBJECT_TOKEN_INVALID", None), 2, "{refused}");

    // It ends with what it was exchanged for, and the log has what that was.
    hospital.granted(DOCTOR.key, &["token", "revoke", &text(&issued, "token_id")]);
    assert_eq!(text(&introspect(file), "inactive_reason"), "REVOKED");
    let (_, ended) = with(&[]);
    assert_eq!(ended["reason"], "SUBJECT_TOKEN_INVALID", "{ended}");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        verifier.take_snapshot(&snapshot(&hospital), now()).unwrap();
        match verifier.check(&exchanged, None, request, now()) {
            Err(Refusal::TokenEnded) => break,
            other => assert_eq!(other, Err(Refusal::ProofMissing)),
        }
        assert!(Instant::now() < deadline, "the snapshot does not name it");
    }
    let order = ["audit", "search", "--action", "token.issue", "--outcome", "granted"];
    let told = hospital.granted("auditor", &order);
    let details = told["entries"].as_array().unwrap().iter().map(|it| &it["entry"]["detail"]);
    let exchanged = details.filter(|it| it["exchanged-token"] == text(&issued, "token_id"));
    assert_eq!(exchanged.count(), 3, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_resident_agreed_to_is_exchanged_as_long_as_it_is_in_force() {
    let hospital = Hospital::open();
    let researcher = hospital.stage.engage(&hospital.institution_id, &RESEARCHER).unwrap();
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let agrees = |purpose: Purpose, person: &str| GrantConsentRequest {
        resident_id: hospital.resident_id.clone(),
        presence_id: presence.clone(),
        kind: ConsentKind::Permit.into(),
        purpose: purpose.into(),
        classes: vec![v1::DataClass::Health.into()],
        grade: 3,
        recipient_id: hospital.institution_id.clone(),
        person_id: person.to_owned(),
        ..GrantConsentRequest::default()
    };
    let given = counter.grants(agrees(Purpose::Research, &researcher)).await.unwrap();
    let receipt = format!("subject_token={}", given.signed_receipt);
    let whole = [EXCHANGE, OF_RECEIPT, &receipt, "audience=emr.example"];
    let bearer = session(&hospital, RESEARCHER.key);
    let with = |more: &[&str]| exchange(&hospital, &bearer, &[&whole[..], more].concat());
    // It waits for a second person; what counts is on record.
    assert_eq!(with(&[]).1["reason"], "SUBJECT_TOKEN_INVALID");
    hospital.granted(COLLEAGUE.key, &["consent", "witness", &given.consent_id]);
    let (status, exchanged) = with(&["grade=2"]);
    assert_eq!(status, "200", "{exchanged}");
    let keys = KeySet::from_json(&get(&hospital, "/jwks.json").1).unwrap();
    let claims = access_token::read(&text(&exchanged, "access_token"), &keys).unwrap();
    let consent = claims.consent.as_deref();
    assert_eq!((&claims.sub, consent), (&hospital.resident_id, Some(&*given.consent_id)));
    assert_eq!((claims.clinician(), claims.data.grade.level()), (&*researcher, 2));
    assert_eq!(claims.mask, Mask::Full);

    let colleague = session(&hospital, COLLEAGUE.key);
    let as_token = [EXCHANGE, OF_TOKEN, &receipt];
    for (what, found, error, reason) in [
        ("a higher grade", with(&["grade=4"]), "invalid_scope", "EXCHANGE_WIDENS"),
        ("another class", with(&["classes=care"]), "invalid_scope", "EXCHANGE_WIDENS"),
        (
            "by another",
            exchange(&hospital, &colleague, &whole),
            "invalid_request",
            "SUBJECT_TOKEN_INVALID",
        ),
        (
            "for nobody",
            exchange(&hospital, &bearer, &whole[..3]),
            "invalid_request",
            "FIELD_INVALID",
        ),
        (
            "as a token",
            exchange(&hospital, &bearer, &as_token),
            "invalid_request",
            "SUBJECT_TOKEN_INVALID",
        ),
    ] {
        let told = (&found.1["error"], &found.1["reason"]);
        assert_eq!(told, (&json!(error), &json!(reason)), "{what}");
    }
    // The rules are asked as for any token: to treat somebody takes a visit.
    let order = agrees(Purpose::Treatment, &hospital.staff[DOCTOR.key]);
    let to_treat = counter.grants(order).await.unwrap();
    let to_treat = format!("subject_token={}", to_treat.signed_receipt);
    let doctor = session(&hospital, DOCTOR.key);
    let refused = exchange(&hospital, &doctor, &[EXCHANGE, OF_RECEIPT, &to_treat, whole[3]]);
    let told = (refused.0.as_str(), &refused.1["error"], &refused.1["reason"]);
    assert_eq!(told, ("400", &json!("invalid_request"), &json!("FRAME_NOT_ALLOWED")));

    // The receipt goes on saying what it said.
    let withdrawn = counter.withdraws(&given.consent_id, &presence).await.unwrap();
    assert_eq!(withdrawn.consent_id, given.consent_id);
    assert_eq!(with(&[]).1["reason"], "SUBJECT_TOKEN_INVALID");
    let file = hospital.stage.write("token", text(&exchanged, "access_token").as_bytes()).unwrap();
    let order = ["--token", file.to_str().unwrap(), "--audience", "emr.example"];
    let said = hospital.ask(RECORDS.key, &[&["token", "introspect"][..], &order].concat()).body;
    assert_eq!(text(&said, "inactive_reason"), "CONSENT_OVER");
}

#[test]
fn masks_leave_out_what_tells_who_it_is() {
    let claims = |mask: &str, grade: u8, classes: Value| -> Claims {
        serde_json::from_value(json!({
            "iss": "i", "sub": "s", "aud": "a", "iat": 0, "nbf": 0, "exp": 1, "jti": "j", "cnf": {"jkt#SM3": "t"},
            "role": "doctor", "institution": "i", "resident": "r", "visit": "v", "purpose": "treatment",
            "data": {"grade": grade, "classes": classes, "domain": "i"}, "proofing": "certificate", "mask": mask,
            "policy": {"hash": "00", "rule": "r"}, "log": "l",
        }))
        .unwrap()
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
