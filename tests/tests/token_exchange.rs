//! Token exchange (令牌交换, RFC 8693): a clinician acts for a resident, with no more than what is exchanged opens.

use std::fs;
use std::time::{Duration, Instant};

use access_token::Refusal;
use access_token::proof::Request;
use access_token::words::{DataClass, Mask};
use proto::v1::{self, ConsentKind, GrantConsentRequest, Purpose};
use serde_json::{Value, json};
use service::demo::people::{COLLEAGUE, DEPARTMENT, DOCTOR, RECORDS, Staff};
use service::demo::programs::Program;
use service::policy::SHIPPED;
use tests::counter::Counter;
use tests::hospital::{Hospital, text};
use tests::http::{post, session};
use tests::relay;
use tests::resource_server::now;
use tests::tokens::{Issued, issue, json_at, kept, keys, prove, snapshot, verifier};

const RESEARCHER: Staff =
    Staff { key: "researcher", role: "researcher", number: "R001", department: "", ..COLLEAGUE };
/// Not named in the visit, but of its department: sees it partly masked.
const BESIDE: Staff = Staff { key: "beside", number: "D003", department: DEPARTMENT, ..COLLEAGUE };
const FORM: &str = "content-type: application/x-www-form-urlencoded";

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
    let issued = issue(&hospital, DOCTOR.key, &visit, "4", "personal,health");
    let subject = format!("subject_token={}", issued.token);
    let bearer = session(&hospital, DOCTOR.key);
    let whole = [EXCHANGE, OF_TOKEN, &subject];
    let with = |more: &[&str]| exchange(&hospital, &bearer, &[&whole[..], more].concat());

    let (status, given) = with(&["grade=2", "classes=health", "lifetime_seconds=60"]);
    assert_eq!((status.as_str(), &given["token_type"]), ("200", &json!("DPoP")), "{given}");
    assert_eq!(given["issued_token_type"], OF_TOKEN["subject_token_type=".len()..]);
    assert!((1..=60).contains(&given["expires_in"].as_i64().unwrap()), "{given}");

    // It says who acts for whom, is bound to the clinician's key, and opens what was asked for.
    let (keys, verifier) = (keys(&hospital), verifier(&hospital));
    let exchanged = text(&given, "access_token");
    let file = hospital.stage.write("exchanged", exchanged.as_bytes()).unwrap();
    let file = file.to_str().unwrap();
    let uri = "https://emr.example/fhir/Observation";
    let request = Request { method: "GET", uri };
    let proof = prove(&hospital, DOCTOR.key, file, &["--uri", uri]);
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
    let of = read(&issued.token);
    for more in [&[][..], &["lifetime_seconds=86400"]] {
        let all = read(&text(&with(more).1, "access_token"));
        assert_eq!((all.data, all.mask, all.exp), (of.data.clone(), of.mask, of.exp), "{more:?}");
    }
    // What is left out of the one is left out of the other.
    hospital.stage.engage(&hospital.institution_id, &BESIDE).unwrap();
    let masked = issue(&hospital, BESIDE.key, &visit, "2", "health").token;
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
    let (first, again) = (issued.id.clone(), read(&exchanged).jti);
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
    hospital.granted(DOCTOR.key, &["token", "revoke", &issued.id]);
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
    let exchanged = details.filter(|it| it["exchanged-token"] == issued.id);
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
    let keys = keys(&hospital);
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

/// What a resident agrees to for the researcher, seen by a second person where that is needed; with its receipt.
struct Agreed<'a> {
    hospital: &'a Hospital,
    counter: Counter,
    presence: String,
    researcher: String,
}

impl<'a> Agreed<'a> {
    async fn with(hospital: &'a Hospital) -> Self {
        let researcher = hospital.stage.engage(&hospital.institution_id, &RESEARCHER).unwrap();
        let mut counter = Counter::open(hospital).await;
        let presence = counter.reads(&hospital.card_image()).await;
        Self { hospital, counter, presence, researcher }
    }

    async fn says(
        &self,
        kind: ConsentKind,
        purpose: Purpose,
        classes: &[v1::DataClass],
        grade: u32,
    ) -> String {
        let order = GrantConsentRequest {
            resident_id: self.hospital.resident_id.clone(),
            presence_id: self.presence.clone(),
            kind: kind.into(),
            purpose: purpose.into(),
            classes: classes.iter().map(|class| (*class).into()).collect(),
            grade,
            recipient_id: self.hospital.institution_id.clone(),
            person_id: self.researcher.clone(),
            ..GrantConsentRequest::default()
        };
        let given = self.counter.grants(order).await.unwrap();
        if kind == ConsentKind::Permit && purpose == Purpose::Research {
            let witness = ["consent", "witness", &given.consent_id];
            self.hospital.granted(COLLEAGUE.key, &witness);
        }
        given.signed_receipt
    }
}

/// What `healthcard` tells people: to the terminal, and of what went wrong.
fn told(hospital: &Hospital, who: &str, lang: &str, arguments: &[&str]) -> (String, String) {
    let mut command = hospital.stage.programs().command(Program::Healthcard);
    command.args(["--lang", lang, "--server", &hospital.stage.url(), "--tls-ca"]);
    command.arg(hospital.stage.tls_authority()).arg("--as").arg(hospital.stage.identity(who));
    command.args(arguments);
    let finished = hospital.stage.programs().finish(Program::Healthcard, command).unwrap();
    (finished.stdout, finished.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_exchanges_and_explains_what_is_not() {
    let hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let own = issue(&hospital, DOCTOR.key, &visit, "4", "personal,health");
    let exchange = ["token", "exchange", "--token", &own.file];
    let narrower = ["--grade", "2", "--classes", "health", "--lifetime-seconds", "60"];
    let given = hospital.granted(DOCTOR.key, &[&exchange[..], &narrower].concat());
    let keys = keys(&hospital);
    let claims = access_token::read(&text(&given, "token"), &keys).unwrap();
    assert_eq!(
        (&claims.sub, claims.clinician()),
        (&hospital.resident_id, &*hospital.staff[DOCTOR.key])
    );
    assert_eq!(
        (claims.data.grade.level(), &claims.data.classes[..]),
        (2, &[DataClass::Health][..])
    );
    assert!(claims.exp - claims.iat <= 60);
    assert_eq!(
        (text(&given, "token_id"), text(&given, "rule")),
        (claims.jti, "doctor-treats".into())
    );
    assert!(given["receipt"].is_object() && given["relations"] == json!(["attending"]), "{given}");
    let again = kept(&hospital, &given);

    // All of it where nothing less is asked for, the audience said or not.
    let of = access_token::read(&own.token, &keys).unwrap();
    for more in [&[][..], &["--audience", "emr.example"]] {
        let all = hospital.granted(DOCTOR.key, &[&exchange[..], more].concat());
        let all = access_token::read(&text(&all, "token"), &keys).unwrap();
        assert_eq!((all.aud, all.data, all.exp), (of.aud.clone(), of.data.clone(), of.exp));
    }
    for (lang, title, rule) in [
        ("zh-CN", "已换得代表居民的访问令牌", "接诊"),
        ("en", "An access token to act for the resident was issued", "attending"),
    ] {
        let (page, _) = told(&hospital, DOCTOR.key, lang, &exchange);
        assert!(
            page.contains(title) && page.contains(rule) && page.contains("doctor-treats"),
            "{page}"
        );
    }

    let nobodys = hospital.stage.write("none", b"none").unwrap();
    let too_long = hospital.stage.write("long", "a".repeat(5000).as_bytes()).unwrap();
    let (nobodys, too_long) = (nobodys.to_str().unwrap(), too_long.to_str().unwrap());
    let token = |file| ["token", "exchange", "--token", file];
    let receipt = |file| ["token", "exchange", "--audience", "emr.example", "--receipt", file];
    for (who, order, more, reason) in [
        (DOCTOR.key, &token(&own.file)[..], &["--grade", "5"][..], "EXCHANGE_WIDENS"),
        (DOCTOR.key, &token(&own.file), &["--classes", "health,care"], "EXCHANGE_WIDENS"),
        (DOCTOR.key, &token(&own.file), &["--audience", "lab.example"], "EXCHANGE_OTHER_TARGET"),
        (DOCTOR.key, &token(&own.file), &["--audience", "lab example"], "FIELD_INVALID"),
        (DOCTOR.key, &token(&again.file), &[], "SUBJECT_TOKEN_INVALID"),
        (DOCTOR.key, &token(nobodys), &[], "SUBJECT_TOKEN_INVALID"),
        (DOCTOR.key, &token(too_long), &[], "FIELD_INVALID"),
        (DOCTOR.key, &receipt(&own.file), &[], "SUBJECT_TOKEN_INVALID"),
        (DOCTOR.key, &receipt(too_long), &[], "FIELD_INVALID"),
        (COLLEAGUE.key, &token(&own.file), &[], "SUBJECT_TOKEN_INVALID"),
        ("clerk", &token(&own.file), &[], "ROLE_NOT_ALLOWED"),
    ] {
        hospital.refused(who, &[order, more].concat(), reason);
    }
    let widens = [&exchange[..], &["--grade", "5"]].concat();
    for (lang, advice) in [("zh-CN", "交换只能缩小范围"), ("en", "an exchange only narrows")]
    {
        let (page, why) = told(&hospital, DOCTOR.key, lang, &widens);
        assert!(page.is_empty() && why.contains(advice), "{page}{why}");
    }

    let agreed = Agreed::with(&hospital).await;
    let signed =
        agreed.says(ConsentKind::Permit, Purpose::Research, &[v1::DataClass::Health], 3).await;
    let file = hospital.stage.write("receipt", signed.as_bytes()).unwrap();
    let given = hospital.granted(RESEARCHER.key, &receipt(file.to_str().unwrap()));
    let claims = access_token::read(&text(&given, "token"), &keys).unwrap();
    assert_eq!((&claims.sub, claims.clinician()), (&hospital.resident_id, &*agreed.researcher));
    assert_eq!((claims.mask, text(&given, "mask")), (Mask::Full, "full".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_rules_refuse_is_refused_in_an_exchange_with_the_word_of_oauth() {
    let hospital = Hospital::open();
    let beside = hospital.stage.engage(&hospital.institution_id, &BESIDE).unwrap();
    let (visit, closed) = (relay::open_visit(&hospital).await, relay::open_visit(&hospital).await);
    let agreed = Agreed::with(&hospital).await;
    use v1::DataClass::{Care, Health, Personal};
    let permits = async |purpose, classes: &[_], grade| {
        format!("subject_token={}", agreed.says(ConsentKind::Permit, purpose, classes, grade).await)
    };
    let high = permits(Purpose::Research, &[Health], 4).await;
    let personal = permits(Purpose::Research, &[Personal, Health], 3).await;
    let to_treat = permits(Purpose::Treatment, &[Health], 3).await;
    let care = permits(Purpose::Research, &[Care], 3).await;
    let researcher = session(&hospital, RESEARCHER.key);
    let for_receipt = |receipt: &str, more: &[&str]| {
        let whole = [EXCHANGE, OF_RECEIPT, receipt, "audience=emr.example"];
        exchange(&hospital, &researcher, &[&whole[..], more].concat())
    };
    // What is refused for too much of it is given for less.
    assert_eq!(for_receipt(&high, &["grade=3"]).0, "200");
    assert_eq!(for_receipt(&personal, &["classes=health"]).0, "200");
    assert_eq!(for_receipt(&care, &[]).0, "200");
    agreed.says(ConsentKind::Object, Purpose::Research, &[Care], 1).await;

    // Whoever leaves the department has the token of before, and no relation any more.
    let bearer = session(&hospital, BESIDE.key);
    let of_visit = issue(&hospital, BESIDE.key, &visit, "2", "health");
    let of_closed = issue(&hospital, DOCTOR.key, &closed, "2", "health");
    let for_token = |bearer: &str, issued: &Issued| {
        let subject = format!("subject_token={}", issued.token);
        exchange(&hospital, bearer, &[EXCHANGE, OF_TOKEN, &subject])
    };
    assert_eq!(for_token(&bearer, &of_visit).0, "200");
    let order = json!({
        "identity_id": beside, "role": "ROLE_DOCTOR", "name": BESIDE.name, "department": "外科",
    });
    hospital
        .granted("operator", &["identity", "change", "--file", &hospital.record("m.json", &order)]);
    hospital.granted("clerk", &["visit", "close", &closed]);
    let doctor = session(&hospital, DOCTOR.key);

    let cases = [
        (
            "a grade beyond the rule's",
            for_receipt(&high, &[]),
            "invalid_scope",
            "GRADE_TOO_HIGH",
            "grade-covered",
        ),
        (
            "a class beyond the rule's",
            for_receipt(&personal, &[]),
            "invalid_scope",
            "CLASS_NOT_ALLOWED",
            "class-covered",
        ),
        (
            "another purpose",
            for_receipt(&to_treat, &[]),
            "invalid_request",
            "PURPOSE_NOT_ALLOWED",
            "purpose-covered",
        ),
        (
            "objected to",
            for_receipt(&care, &[]),
            "invalid_request",
            "FORBIDDEN_BY_RULE",
            "resident-objects",
        ),
        (
            "no relation",
            for_token(&bearer, &of_visit),
            "invalid_request",
            "NO_RELATION",
            "relation-to-resident",
        ),
        // It ended with the visit, before any rule is asked.
        (
            "a closed visit",
            for_token(&doctor, &of_closed),
            "invalid_request",
            "SUBJECT_TOKEN_INVALID",
            "",
        ),
    ];
    let order = ["audit", "search", "--action", "token.issue", "--outcome", "refused"];
    let log = hospital.granted("auditor", &[&order[..], &["--page-size", "100"]].concat());
    for (what, (status, said), error, reason, rule) in cases {
        let found = (status.as_str(), &said["error"], &said["reason"]);
        assert_eq!(found, ("400", &json!(error), &json!(reason)), "{what}: {said}");
        assert!(!text(&said, "message_zh").is_ascii(), "{what}: {said}");
        // The log has why, and for what it would have been.
        let mut entries = log["entries"].as_array().unwrap().iter().map(|it| &it["entry"]);
        let recorded = entries.find(|it| it["detail"]["reason"] == reason).unwrap();
        let by = recorded["policy"]["rule"].as_str().unwrap_or_default();
        assert_eq!(by, rule, "{what}: {recorded}");
        let subject = ["exchanged-token", "exchanged-consent", "exchange"];
        assert!(subject.iter().any(|it| recorded["detail"][it].is_string()), "{what}: {recorded}");
    }
}

/// Another rule may decide on less data and leave less out of it: an exchange does not, and what was decided is
/// made again by the rule's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_left_out_stays_left_out_and_the_decision_comes_out_the_same() {
    let mut hospital = Hospital::open();
    hospital.stage.engage(&hospital.institution_id, &BESIDE).unwrap();
    let rules = hospital.stage.path("data/rules");
    fs::create_dir(&rules).unwrap();
    for (name, text) in SHIPPED.files() {
        fs::write(rules.join(name), text).unwrap();
    }
    let little = "@id(\"department-doctor-sees-little\") @zh(\"就诊科室的医师查看1级数据\")
        @en(\"doctors of the visit's department see data of grade 1\") @lifetime(\"900\")
        permit (principal, action == Action::\"access\", resource)
        when {
          principal.role == Role::\"doctor\" && context.purpose == Purpose::\"treatment\" &&
          context.frame == Frame::\"visit\" && context.relations.contains(Relation::\"department\") &&
          resource in principal.institution && context.classes == [Class::\"health\"] && context.grade <= 1
        };\n\n";
    let access = SHIPPED.access.replacen(
        "@id(\"doctor-treats\")",
        &format!("{little}@id(\"doctor-treats\")"),
        1,
    );
    fs::write(rules.join("access.cedar"), access).unwrap();
    fs::write(rules.join("cases.toml"), "").unwrap();
    hospital.stage.server().unwrap().end().unwrap();
    let settings = hospital.stage.path("data/healthcard.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("policy = \"rules\"\n{before}")).unwrap();
    let signed = hospital.healthcardd(&["policy", "sign", rules.to_str().unwrap()]);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    hospital.stage.serve().unwrap();

    let visit = relay::open_visit(&hospital).await;
    let own = issue(&hospital, BESIDE.key, &visit, "3", "health");
    let keys = keys(&hospital);
    let read = |token: &str| access_token::read(token, &keys).unwrap();
    assert_eq!(read(&own.token).mask, Mask::Partial);
    let order = ["token", "exchange", "--token", &own.file, "--grade", "1"];
    let given = hospital.granted(BESIDE.key, &order);
    let claims = read(&text(&given, "token"));
    let told = (claims.mask, claims.policy.rule, text(&given, "mask"));
    assert_eq!(
        told,
        (Mask::Partial, "department-doctor-sees-little".to_owned(), "partial".to_owned())
    );
    // Asked for anew it is given with nothing left out: no exchange, no memory.
    let anew = issue(&hospital, BESIDE.key, &visit, "1", "health");
    assert_eq!(read(&anew.token).mask, Mask::None);

    let order = ["audit", "search", "--action", "token.issue", "--outcome", "granted"];
    let log = hospital.granted("auditor", &order);
    let entries = log["entries"].as_array().unwrap().iter().map(|it| &it["entry"]);
    let masks: Vec<_> =
        entries.map(|it| [&it["detail"]["mask"], &it["detail"]["mask-given"]]).collect();
    let masks_of = |of: [&Value; 2]| masks.iter().filter(|it| **it == of).count();
    let (none, partial) = (json!("none"), json!("partial"));
    assert_eq!(masks_of([&none, &partial]), 1, "{log}");
    assert_eq!(
        (masks.len(), masks_of([&none, &Value::Null]), masks_of([&partial, &Value::Null])),
        (3, 1, 1),
        "{log}"
    );

    let mut replay = hospital.stage.programs().command(Program::Healthcardd);
    replay.args(["policy", "replay", "--json", "--data"]).arg(hospital.stage.path("data"));
    let replayed = replay.output().unwrap().stdout;
    let replayed: Value = serde_json::from_slice(&replayed).unwrap();
    assert_eq!((&replayed["same"], &replayed["unclear"]), (&json!(3), &json!([])), "{replayed}");
    for kind in ["opened", "closed", "allowed_otherwise", "refused_otherwise"] {
        assert_eq!(replayed[kind]["count"], 0, "{replayed}");
    }
}
