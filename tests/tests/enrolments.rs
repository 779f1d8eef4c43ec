//! Certificates that take two persons: one enters, another reviews, both sign, and what they signed is kept.

use std::{collections::BTreeMap, process::Command};

use audit::approval::{Statement, Step, digest};
use proto::v1::{
    CertificateSet, EnterEnrolmentRequest, GetEnrolmentRequest, ReviewEnrolmentRequest,
    SignedStatement, enrolments_client::EnrolmentsClient, get_enrolment_request::Key,
};
use serde_json::{Value, json};
use service::demo::programs::Program;
use service::demo::stage::{OPERATOR, REVIEWER};
use tests::grpc::{Holder, log_in, reason};
use tests::hospital::{Hospital, text};
use tokio::task::JoinSet;

/// Puts somebody on record who has made a key; their identity's id.
pub(crate) fn newcomer(hospital: &Hospital, who: &str, role: &str, more: &Value) -> String {
    hospital.granted(who, &["key", "new"]);
    let mut person = json!({
        "institution_id": hospital.institution_id, "name": "新来者", "number": who,
    });
    for (name, value) in more.as_object().unwrap() {
        person[name] = value.clone();
    }
    let person = hospital.record("newcomer.json", &person);
    let order = ["identity", "register", "--role", role, "--file", &person];
    text(&hospital.granted(OPERATOR, &order), "identity_id")
}

fn nurse(hospital: &Hospital, who: &str) -> String {
    newcomer(hospital, who, "nurse", &json!({ "department": "内科" }))
}

/// Enters that somebody is to get a certificate; number of the enrolment.
pub(crate) fn enter(hospital: &Hospital, by: &str, who: &str, id: &str) -> String {
    let request = hospital.stage.identity(who).join("request.der");
    let order = ["enrolment", "enter", "--id", id, "--request", &request.to_string_lossy()];
    text(&hospital.granted(by, &order), "enrolment_id")
}

fn refusals(hospital: &Hospital, action: &str) -> BTreeMap<String, usize> {
    let order = ["audit", "search", "--action", action, "--outcome", "refused"];
    let found = hospital.granted("auditor", &order);
    let mut reasons = BTreeMap::new();
    for entry in found["entries"].as_array().unwrap() {
        *reasons.entry(text(&entry["entry"]["detail"], "reason")).or_default() += 1;
    }
    reasons
}

#[test]
fn one_operator_alone_makes_nobody_and_two_leave_their_signatures() {
    let hospital = Hospital::open();
    let id = nurse(&hospital, "nurse");
    let enrolment = enter(&hospital, OPERATOR, "nurse", &id);
    let out = hospital.stage.identity("nurse").to_string_lossy().into_owned();
    let approve = ["enrolment", "review", &enrolment, "--approve", "--out", &out];
    let collect = ["enrolment", "collect", &enrolment, "--out", &out];
    hospital.refused(OPERATOR, &approve, "SECOND_PERSON_REQUIRED");
    hospital.refused("doctor", &approve, "ROLE_NOT_ALLOWED");
    hospital.refused(OPERATOR, &collect, "STATE_CONFLICT");
    let request = hospital.stage.identity("nurse").join("request.der");
    let request = request.to_string_lossy();
    let again = ["enrolment", "enter", "--id", &id, "--request", &request];
    hospital.refused(OPERATOR, &again, "ENROLMENT_PENDING");
    let waiting = hospital.granted("auditor", &["enrolment", "list"]);
    assert_eq!(waiting["enrolments"][0]["enrolment_id"], enrolment.as_str());
    assert_eq!(hospital.ask("nurse", &["session", "open"]).code, 1);

    let issued = hospital.granted(REVIEWER, &approve);
    hospital.granted("nurse", &["session", "open"]);
    hospital.refused(REVIEWER, &approve, "CHANGE_OVER");
    hospital.refused(OPERATOR, &again, "ALREADY_REGISTERED");
    hospital.granted(OPERATOR, &collect);

    // The evidence is checked again by anybody who may see it, also with issuers of their own.
    let serial = text(&issued, "serial");
    let authorities = hospital.stage.path("records/authorities").to_string_lossy().into_owned();
    hospital.granted("auditor", &["authority", "export", "--out", &authorities]);
    let issuers = format!("{authorities}/issuers.pem");
    let show = ["enrolment", "show", "--serial", &serial, "--issuers", &issuers];
    let shown = hospital.granted("auditor", &show);
    assert_ne!(shown["entry"]["identity_id"], shown["review"]["identity_id"]);
    assert_eq!((text(&shown, "state"), text(&shown, "identity_id")), ("STATE_APPROVED".into(), id));
    // Their digests are in the log.
    let signed = |which: &str| -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let signature = STANDARD.decode(text(&shown[which], "signature")).unwrap();
        hex::encode(digest(&text(&shown[which], "text"), &signature))
    };
    let order = ["audit", "search", "--action", "certificate.review", "--outcome", "granted"];
    let reviewed = hospital.granted("auditor", &order).to_string();
    assert!(reviewed.contains(&signed("entry")) && reviewed.contains(&signed("review")));

    // A rejection goes back with its reason, and the request can be entered again.
    let id = nurse(&hospital, "other");
    let enrolment = enter(&hospital, OPERATOR, "other", &id);
    let reject = ["enrolment", "review", &enrolment, "--reject", "科室有误"];
    hospital.refused(OPERATOR, &reject, "SECOND_PERSON_REQUIRED");
    hospital.granted(REVIEWER, &reject);
    let back = hospital.granted(OPERATOR, &["enrolment", "list", "--rejected"]);
    assert_eq!(back["enrolments"][0]["rejection"], "科室有误");
    hospital.granted("auditor", &["enrolment", "show", &enrolment]);
    enter(&hospital, OPERATOR, "other", &id);

    let expected = [("SECOND_PERSON_REQUIRED", 2), ("CHANGE_OVER", 1)];
    let seen = refusals(&hospital, "certificate.review");
    for (reason, count) in expected {
        assert_eq!(seen.get(reason).copied().unwrap_or_default(), count, "{reason}: {seen:?}");
    }
    let seen = refusals(&hospital, "certificate.enter");
    assert_eq!(seen.get("ALREADY_REGISTERED"), Some(&1), "{seen:?}");
}

fn signed(statement: &Statement, signer: &Holder) -> SignedStatement {
    let text = statement.to_string();
    let signature = signer.sign(text.as_bytes());
    SignedStatement { text, signature, ..SignedStatement::default() }
}

#[tokio::test]
async fn statements_that_are_forged_replayed_or_about_something_else_are_refused() {
    let hospital = Hospital::open();
    let ids = ["one", "two"].map(|who| (who, nurse(&hospital, who)));
    let [first, second] = ids.map(|(who, id)| enter(&hospital, OPERATOR, who, &id));
    let holder = |who: &str| Holder::read(&hospital.stage.identity(who));
    let entry = |enrolment: &str| {
        let shown = hospital.granted("auditor", &["enrolment", "show", enrolment]);
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let signature = STANDARD.decode(text(&shown["entry"], "signature")).unwrap();
        let text = text(&shown["entry"], "text");
        (Statement::read(&text).unwrap(), digest(&text, &signature))
    };
    let ((stated, named), (other, other_named)) = (entry(&first), entry(&second));
    let now = || Statement { at: now(), ..stated.clone() };
    let approval =
        |statement: Statement, entry| Statement { step: Step::Approval { entry }, ..statement };
    let good = approval(now(), named);
    let late = Statement { at: "2026-11-20T08:00:00.000000Z".into(), ..good.clone() };
    let cases = [
        ("signed by who entered it", OPERATOR, good.clone(), "STATEMENT_NOT_SIGNED"),
        ("signed by a stranger", "doctor", good.clone(), "STATEMENT_NOT_SIGNED"),
        ("of another entry", REVIEWER, approval(now(), other_named), "STATEMENT_DIFFERS"),
        (
            "of another request",
            REVIEWER,
            Statement { request: other.request, key: other.key, ..good.clone() },
            "STATEMENT_DIFFERS",
        ),
        (
            "for another person",
            REVIEWER,
            Statement { identity: other.identity.clone(), ..good.clone() },
            "STATEMENT_DIFFERS",
        ),
        (
            "for another role",
            REVIEWER,
            Statement { role: "operator".into(), ..good.clone() },
            "STATEMENT_DIFFERS",
        ),
        (
            "at another service",
            REVIEWER,
            Statement { service: "other".into(), ..good.clone() },
            "STATEMENT_DIFFERS",
        ),
        (
            "of a certificate that says something else",
            REVIEWER,
            Statement { identifiers: Some([0; 32]), ..good.clone() },
            "STATEMENT_DIFFERS",
        ),
        (
            "which does not say what a certificate says",
            REVIEWER,
            Statement { identifiers: None, ..good.clone() },
            "STATEMENT_DIFFERS",
        ),
        ("an entry for an approval", REVIEWER, now(), "STATEMENT_DIFFERS"),
        (
            "a rejection for an approval",
            REVIEWER,
            Statement { step: Step::Rejection { entry: named, why: [0; 32] }, ..good.clone() },
            "STATEMENT_DIFFERS",
        ),
        ("of last week", REVIEWER, late, "STATEMENT_LATE"),
    ];
    let mut reviewer = EnrolmentsClient::new(log_in(&hospital.stage, REVIEWER).await);
    let count = cases.len();
    for (what, signer, statement, expected) in cases {
        let request = ReviewEnrolmentRequest {
            enrolment_id: first.clone(),
            statement: Some(signed(&statement, &holder(signer))),
            rejection: String::new(),
        };
        let refused = reviewer.review(request).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{what}");
    }
    // What was approved once approves nothing else.
    let mut request = ReviewEnrolmentRequest {
        enrolment_id: first.clone(),
        statement: Some(signed(&good, &holder(REVIEWER))),
        rejection: String::new(),
    };
    reviewer.review(request.clone()).await.unwrap();
    request.enrolment_id = second.clone();
    assert_eq!(reason(&reviewer.review(request).await.unwrap_err()), "STATEMENT_DIFFERS");

    // The same of entries: an entry that was made is not made again, nor with another request.
    let mut operator = EnrolmentsClient::new(log_in(&hospital.stage, OPERATOR).await);
    let request = std::fs::read(hospital.stage.identity("two").join("request.der")).unwrap();
    let statement = Statement { at: now().at, ..other.clone() };
    let replay = EnterEnrolmentRequest {
        enrolment_id: second.clone(),
        identity_id: other.identity.clone(),
        certificates: CertificateSet::Signing.into(),
        request,
        valid_days: 0,
        statement: Some(signed(&statement, &holder(OPERATOR))),
    };
    let refused = operator.enter(replay.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "ENROLMENT_PENDING");
    let request = std::fs::read(hospital.stage.identity("one").join("request.der")).unwrap();
    let exchanged = EnterEnrolmentRequest { request, ..replay };
    assert_eq!(reason(&operator.enter(exchanged).await.unwrap_err()), "STATEMENT_DIFFERS");
    let seen = refusals(&hospital, "certificate.review");
    assert_eq!(seen.values().sum::<usize>(), count + 1, "{seen:?}");
}

fn now() -> String {
    service::clock::rfc3339(service::clock::now())
}

#[tokio::test]
async fn what_is_void_or_altered_is_not_approved_and_one_person_is_not_two() {
    let mut hospital = Hospital::open();
    let operator = |who: &str, number: &str| {
        newcomer(&hospital, who, "operator", &json!({ "id_number": number }))
    };
    // Two identities of one person, and another person.
    let person = "990000198802290026";
    let numbers = [("deputy", person), ("deputy-again", person), ("third", "990000194906120015")];
    let ids = numbers.map(|(who, number)| (who, number, operator(who, number)));
    let nameless = hospital.record(
        "nameless.json",
        &json!({
            "institution_id": hospital.institution_id, "name": "无号", "number": "none",
        }),
    );
    let order = ["identity", "register", "--role", "operator", "--file", &nameless];
    hospital.refused(OPERATOR, &order, "FIELD_INVALID");
    let serials = ids.clone().map(|(who, number, id)| {
        text(&hospital.stage.certify_known(who, &id, number).unwrap(), "serial")
    });
    // Whoever looks sees that they are one, and finds who holds a certificate.
    let file = hospital.record("person.json", &json!({ "id_number": person }));
    let found = |order: &[&str]| -> Vec<String> {
        let found = hospital.granted(OPERATOR, &[&["identity", "find"], order].concat());
        let identities = found["identities"].as_array().unwrap().clone();
        identities.iter().map(|it| text(it, "identity_id")).collect()
    };
    let [deputy, again, third] = ids.clone().map(|(.., id)| id);
    assert_eq!(found(&["--file", &file]), [deputy, again]);
    assert_eq!(found(&["--serial", &serials[2]])[0], third);
    let at_hospital = ["--institution", &hospital.institution_id, "--number", "third"];
    assert_eq!(found(&at_hospital), [third]);
    assert_eq!(found(&["--serial", "00ff"]), [""; 0]);
    hospital.refused("doctor", &["identity", "find", "--file", &file], "ROLE_NOT_ALLOWED");

    let id = nurse(&hospital, "nurse");
    let by_deputy = enter(&hospital, "deputy", "nurse", &id);
    let approve =
        |enrolment: &str| ["enrolment", "review", enrolment, "--approve"].map(str::to_owned);
    let review = |hospital: &Hospital, who: &str, enrolment: &str| {
        let order = approve(enrolment);
        hospital.ask(who, &order.iter().map(String::as_str).collect::<Vec<_>>())
    };
    review(&hospital, "deputy-again", &by_deputy).refused("SECOND_PERSON_REQUIRED").unwrap();

    // Who was revoked neither reviews, nor stands behind what they entered.
    let revoke = |serial: &str| {
        let order = ["identity", "revoke", "--serial", serial, "--reason", "key-compromise"];
        hospital.granted(OPERATOR, &order);
    };
    revoke(&serials[2]);
    review(&hospital, "third", &by_deputy).refused("CERTIFICATE_REVOKED").unwrap();
    revoke(&serials[0]);
    review(&hospital, REVIEWER, &by_deputy).refused("ENTRY_VOID").unwrap();
    hospital.granted(REVIEWER, &["enrolment", "review", &by_deputy, "--reject", "录入人已吊销"]);

    // What was entered is changed in the database: it is no longer what was signed.
    let id = nurse(&hospital, "second");
    let altered = enter(&hospital, OPERATOR, "second", &id);
    hospital.stage.server().unwrap().end().unwrap();
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let doctor = hospital.staff["doctor"].clone();
    db.execute("UPDATE enrolment SET identity = ?2 WHERE id = ?1", (&altered, &doctor)).unwrap();
    drop(db);
    hospital.stage.serve().unwrap();
    let refused = review(&hospital, REVIEWER, &altered);
    assert_eq!(refused.code, 4, "{}", refused.body);
    refused.refused("APPROVAL_NOT_GENUINE").unwrap();
    // Whoever signs it all the same is refused by the service, and it is seen.
    let mut reviewer = EnrolmentsClient::new(log_in(&hospital.stage, REVIEWER).await);
    let key = Some(Key::EnrolmentId(altered.clone()));
    let found = reviewer.get(GetEnrolmentRequest { key }).await.unwrap().into_inner();
    let entry = found.entry.unwrap();
    let approval = Statement {
        step: Step::Approval { entry: digest(&entry.text, &entry.signature) },
        at: now(),
        ..Statement::read(&entry.text).unwrap()
    };
    let request = ReviewEnrolmentRequest {
        enrolment_id: altered.clone(),
        statement: Some(signed(&approval, &Holder::read(&hospital.stage.identity(REVIEWER)))),
        rejection: String::new(),
    };
    assert_eq!(reason(&reviewer.review(request).await.unwrap_err()), "STATEMENT_DIFFERS");
    let alerts = hospital.granted("auditor", &["audit", "search", "--alerts"]).to_string();
    assert!(alerts.contains("entry-altered"), "{alerts}");
    // It is rejected all the same, as it was stated.
    hospital.granted(REVIEWER, &["enrolment", "review", &altered, "--reject", "录入被改动"]);
}

#[test]
fn a_reviewer_sees_who_it_is_and_compares_their_own_copy_of_the_id_number() {
    const NUMBER: &str = "990000198802290026";
    let hospital = Hospital::open();
    let more = json!({ "department": "内科", "id_number": NUMBER });
    let [id, other] = ["ward", "night"].map(|who| newcomer(&hospital, who, "nurse", &more));
    let enrolment = enter(&hospital, OPERATOR, "ward", &id);
    let own = |number: &str| hospital.record("own.json", &json!({ "id_number": number }));
    let look = ["enrolment", "review", &enrolment];
    let looked_at = hospital.granted(REVIEWER, &look);
    let stated = text(&looked_at["enrolment"]["entry"], "text");
    assert!(stated.contains(&format!("\nkey {}\n", text(&looked_at, "key_sm3"))), "{stated}");
    let others = looked_at["other_identities"].as_array().unwrap();
    let [one] = &others[..] else { panic!("{looked_at}") };
    let expected = json!({
        "identity_id": other, "institution_id": hospital.institution_id, "role": "ROLE_NURSE",
    });
    assert_eq!(*one, expected);
    assert!(!looked_at.to_string().contains(NUMBER));
    // Looking approves nothing, and nothing is approved without the number, or with somebody else's.
    let approve = [&look[..], &["--approve"]].concat();
    hospital.refused(REVIEWER, &approve, "ID_NUMBER_NEEDED");
    let with = |number: &str, expected: &str| {
        let own = own(number);
        let order = [&approve[..], &["--id-number-file", &own]].concat();
        let refused = hospital.refused(REVIEWER, &order, expected);
        assert!(!refused.to_string().contains(number), "{refused}");
    };
    with("990000194906120015", "ID_NUMBER_DIFFERS");
    with("990000194906120014", "FIELD_INVALID");
    let serial = hospital.record("serial.json", &json!({ "serial": "01" }));
    let order = [&approve[..], &["--id-number-file", &serial]].concat();
    hospital.refused(REVIEWER, &order, "ID_NUMBER_NEEDED");
    let own = own(NUMBER);
    hospital.granted(REVIEWER, &[&approve[..], &["--id-number-file", &own]].concat());
    let log = hospital.granted("auditor", &["audit", "search"]).to_string();
    assert!(!log.contains(NUMBER));
}

#[test]
fn what_was_entered_before_statements_said_what_certificates_say_is_issued() {
    let mut hospital = Hospital::open();
    let id = nurse(&hospital, "nurse");
    let enrolment = enter(&hospital, OPERATOR, "nurse", &id);
    hospital.stage.server().unwrap().end().unwrap();
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let query = "SELECT entry FROM enrolment WHERE id = ?1";
    let entry: String = db.query_row(query, [&enrolment], |row| row.get(0)).unwrap();
    let before = Statement { identifiers: None, ..Statement::read(&entry).unwrap() };
    let before = signed(&before, &Holder::read(&hospital.stage.identity(OPERATOR)));
    db.execute(
        "UPDATE enrolment SET entry = ?2, entry_signature = ?3 WHERE id = ?1",
        (&enrolment, &before.text, &before.signature),
    )
    .unwrap();
    drop(db);
    hospital.stage.serve().unwrap();
    hospital.granted(REVIEWER, &["enrolment", "review", &enrolment, "--approve"]);
    hospital.granted("auditor", &["enrolment", "show", &enrolment]);
}

#[test]
fn what_is_signed_follows_from_what_two_signed_and_not_from_the_database() {
    let mut hospital = Hospital::open();
    let id = nurse(&hospital, "nurse");
    let enrolment = enter(&hospital, OPERATOR, "nurse", &id);
    let serial = text(
        &hospital.granted(REVIEWER, &["enrolment", "review", &enrolment, "--approve"]),
        "serial",
    );
    let collect = ["enrolment", "collect", &enrolment];
    let out = hospital.stage.path("records/out").to_string_lossy().into_owned();
    let collect = [&collect[..], &["--out", &out]].concat();
    // As after a crash between record and signature; the changes of somebody who can edit the database.
    let doctor = hospital.staff["doctor"].clone();
    let edit = |hospital: &mut Hospital, change: &str, value: &str| {
        hospital.stage.server().unwrap().end().unwrap();
        let db = rusqlite::Connection::open(hospital.database()).unwrap();
        db.execute(change, (&serial, value)).unwrap();
        drop(db);
        hospital.stage.serve().unwrap();
    };
    let cases = [
        (
            "UPDATE certificate SET der = NULL, log_position = NULL, body = (SELECT body FROM certificate
             WHERE identity = ?2 AND pair_of IS NULL) WHERE serial = ?1",
            doctor.as_str(),
            "DRAFT_DIFFERS",
        ),
        (
            "UPDATE enrolment SET review = replace(review, char(10), ?2) WHERE certificate = ?1",
            " ",
            "STATEMENT_DIFFERS",
        ),
    ];
    for (change, value, reason) in cases {
        edit(&mut hospital, change, value);
        hospital.refused(OPERATOR, &collect, reason);
    }
    let alerts = hospital.granted("auditor", &["audit", "search", "--alerts"]).to_string();
    assert!(alerts.contains("draft-altered") && alerts.contains("entry-altered"), "{alerts}");
    hospital.stage.server().unwrap().end().unwrap();
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let unsigned = "SELECT der IS NULL FROM certificate WHERE serial = ?1";
    assert!(db.query_row(unsigned, [&serial], |row| row.get::<_, bool>(0)).unwrap());
}

#[test]
fn a_key_is_not_given_again_to_who_gave_up_what_opens_it() {
    let hospital = Hospital::open();
    let id = nurse(&hospital, "nurse");
    let issued = hospital.stage.certify("nurse", &id, &["--pair"]).unwrap();
    let order = ["audit", "search", "--action", "certificate.issue"];
    let envelope = |found: Value| found["entries"].to_string().matches("\"envelope\"").count();
    assert_eq!(envelope(hospital.granted("auditor", &order)), 1);
    let enrolment =
        hospital.granted("auditor", &["enrolment", "show", "--serial", &text(&issued, "serial")]);
    let enrolment = text(&enrolment, "enrolment_id");
    let out = hospital.stage.path("records/out").to_string_lossy().into_owned();
    let collect = ["enrolment", "collect", &enrolment, "--out", &out];
    hospital.granted(OPERATOR, &collect);
    let order = ["audit", "search", "--action", "certificate.collect"];
    assert_eq!(envelope(hospital.granted("auditor", &order)), 1);
    let serial = text(&issued, "serial");
    let suspend = ["identity", "suspend", "--serial", &serial];
    hospital.granted(OPERATOR, &suspend);
    hospital.refused(OPERATOR, &collect, "CERTIFICATE_REVOKED");
    let revoke = ["identity", "revoke", "--serial", &serial, "--reason", "key-compromise"];
    hospital.granted(OPERATOR, &revoke);
    hospital.refused(OPERATOR, &collect, "CERTIFICATE_REVOKED");
    assert_eq!(refusals(&hospital, "certificate.collect").get("CERTIFICATE_REVOKED"), Some(&2));
}

#[test]
fn a_lone_operator_gets_another_with_what_opens_the_keystore_and_only_then() {
    let mut hospital = Hospital::open();
    hospital.granted("successor", &["key", "new"]);
    let serial = text(&hospital.granted(REVIEWER, &["key", "show"])["certificate"], "serial");
    let found = |hospital: &Hospital, out: &str| {
        let mut command = hospital.healthcardd_command(&["operator"]);
        command.arg("--request").arg(hospital.stage.identity("successor").join("request.der"));
        command.arg("--out").arg(hospital.stage.path(out));
        hospital.stage.programs().finish(Program::Healthcardd, command).unwrap()
    };
    hospital.stage.server().unwrap().end().unwrap();
    let refused = found(&hospital, "records/none");
    assert!(refused.code != 0 && refused.stderr.contains("does not allow"), "{}", refused.stderr);
    hospital.stage.serve().unwrap();
    let order = ["identity", "revoke", "--serial", &serial, "--reason", "key-compromise"];
    hospital.granted(OPERATOR, &order);
    hospital.stage.server().unwrap().end().unwrap();
    let made = found(&hospital, "records/made");
    assert_eq!(made.code, 0, "{}", made.stderr);
    for file in ["certificate.der", "chain.pem"] {
        let from = hospital.stage.path("records/made").join(file);
        std::fs::copy(from, hospital.stage.identity("successor").join(file)).unwrap();
    }
    hospital.stage.serve().unwrap();
    let id = nurse(&hospital, "nurse");
    let enrolment = enter(&hospital, OPERATOR, "nurse", &id);
    hospital.granted("successor", &["enrolment", "review", &enrolment, "--approve"]);
    let alerts = hospital.granted("auditor", &["audit", "search", "--alerts"]).to_string();
    assert!(alerts.contains("operator.found"), "{alerts}");
}

#[test]
fn settings_let_one_person_issue_to_clinicians_and_to_nobody_else() {
    let mut hospital = Hospital::open();
    hospital.reconfigure(|text| text.replace("one_person = []", "one_person = [\"nurse\"]"));
    let id = nurse(&hospital, "nurse");
    let out = hospital.stage.identity("nurse").to_string_lossy().into_owned();
    let request = format!("{out}/request.der");
    let order = ["enrolment", "enter", "--id", &id, "--request", &request, "--pair", "--out", &out];
    let issued = hospital.granted(OPERATOR, &order);
    hospital.granted("nurse", &["key", "accept", "--answer", &text(&issued, "answer_file")]);
    hospital.granted("nurse", &["session", "open"]);
    let serial = text(&issued, "serial");
    let shown = hospital.granted("auditor", &["enrolment", "show", "--serial", &serial]);
    assert_eq!(text(&shown, "state"), "STATE_ALONE");
    let id = newcomer(&hospital, "clerk-2", "clerk", &json!({}));
    let waits = enter(&hospital, OPERATOR, "clerk-2", &id);
    hospital.refused(
        OPERATOR,
        &["enrolment", "review", &waits, "--approve"],
        "SECOND_PERSON_REQUIRED",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_killed_between_entry_approval_and_signature_goes_on() {
    const NURSES: usize = 12;
    let mut hospital = Hospital::open();
    let mut enrolments = Vec::new();
    for number in 0..NURSES {
        let who = format!("nurse-{number}");
        let id = nurse(&hospital, &who);
        enrolments.push((who.clone(), enter(&hospital, OPERATOR, &who, &id)));
    }
    let commands: Vec<Command> = enrolments
        .iter()
        .map(|(_, enrolment)| {
            let order = ["enrolment", "review", enrolment.as_str(), "--approve"];
            hospital.stage.healthcard(REVIEWER, &order)
        })
        .collect();
    // All at once; the service goes as soon as the first of them has its answer.
    let mut reviews = JoinSet::new();
    for mut command in commands {
        reviews.spawn_blocking(move || command.output().unwrap().status.success());
    }
    while let Some(granted) = reviews.join_next().await {
        if granted.unwrap() {
            break;
        }
    }
    hospital.stage.server().unwrap().kill();
    let mut answered = 1;
    while let Some(granted) = reviews.join_next().await {
        answered += usize::from(granted.unwrap());
    }
    hospital.stage.serve().unwrap();
    // Each is approved, and then its certificate is there, or it waits as before.
    let mut approved = 0;
    for (who, enrolment) in &enrolments {
        let out = hospital.stage.identity(who).to_string_lossy().into_owned();
        let shown = hospital.granted("auditor", &["enrolment", "show", enrolment]);
        match text(&shown, "state").as_str() {
            "STATE_APPROVED" => {
                approved += 1;
                hospital.granted(OPERATOR, &["enrolment", "collect", enrolment, "--out", &out]);
            }
            "STATE_PENDING" => {
                let order = ["enrolment", "review", enrolment, "--approve", "--out", &out];
                hospital.granted(REVIEWER, &order);
            }
            other => panic!("{other}"),
        }
        hospital.granted(who, &["session", "open"]);
        hospital.granted("auditor", &["enrolment", "show", enrolment]);
    }
    assert!(approved >= answered, "{approved} approved, {answered} answered");
}
