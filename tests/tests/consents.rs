//! Consents and referrals: what opens data, and closes it again, at two hospitals on one service.

use std::fs;

use proto::v1::consents_client::ConsentsClient;
use proto::v1::{
    ConsentKind, ConsentState, DataClass, GrantConsentRequest, Purpose, WitnessConsentRequest,
};
use serde_json::{Value, json};
use service::demo::people::{CLERK, COLLEAGUE, DOCTOR, HOSPITAL, SOMEBODY_ELSE, Staff};
use tests::city::{CITY_DOCTOR, City};
use tests::counter::Counter;
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, text};
use tests::relay::open_visit;

const RESEARCHER: Staff =
    Staff { key: "researcher", role: "researcher", number: "R001", department: "", ..COLLEAGUE };
const CHILD: &str = "990000201605040014";

/// What the patient agrees to: health data of this grade, seen to treat, at this institution.
fn agrees(hospital: &Hospital, presence: &str, grade: u32) -> GrantConsentRequest {
    GrantConsentRequest {
        resident_id: hospital.resident_id.clone(),
        presence_id: presence.to_owned(),
        kind: ConsentKind::Permit.into(),
        purpose: Purpose::Treatment.into(),
        classes: vec![DataClass::Health.into()],
        grade,
        recipient_id: hospital.institution_id.clone(),
        ..GrantConsentRequest::default()
    }
}

fn token<'a>(within: [&'a str; 2], grade: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let [name, id] = within;
    let order =
        ["token", "issue", name, id, "--classes", "health", "--grade", grade, "--audience", "emr"];
    [&order[..], more].concat()
}

/// How the record system finds a token.
fn introspected(hospital: &Hospital, token: &str) -> Value {
    let file = hospital.stage.write("token", token.as_bytes()).unwrap();
    let order = ["token", "introspect", "--token", file.to_str().unwrap(), "--audience", "emr"];
    hospital.ask("emr", &order).body
}

#[tokio::test]
async fn a_consent_opens_what_it_says_and_its_withdrawal_ends_what_rests_on_it() {
    let mut hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    let within = ["--visit", visit.as_str()];
    let refused = hospital.refused(DOCTOR.key, &token(within, "5", &[]), "GRADE_TOO_HIGH");
    assert!(refused.to_string().contains("居民的授权确认"), "{refused}");

    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let anybody = counter.grants(agrees(&hospital, &presence, 5)).await.unwrap();
    let only = GrantConsentRequest {
        person_id: hospital.staff[DOCTOR.key].clone(),
        ..agrees(&hospital, &presence, 5)
    };
    let given = counter.grants(only).await.unwrap();
    assert_eq!(given.state(), ConsentState::AwaitsWitness);
    hospital.refused(DOCTOR.key, &token(within, "5", &[]), "GRADE_TOO_HIGH");
    let witness = WitnessConsentRequest { consent_id: given.consent_id.clone() };
    let alone = ConsentsClient::new(counter.caller.clone()).witness(witness).await.unwrap_err();
    assert_eq!(reason(&alone), "SECOND_PERSON_REQUIRED");
    // Nor does anybody who would see the data.
    let witness = ["consent", "witness", &anybody.consent_id];
    hospital.refused(COLLEAGUE.key, &witness, "SECOND_PERSON_REQUIRED");
    hospital.refused(
        DOCTOR.key,
        &["consent", "witness", &given.consent_id],
        "SECOND_PERSON_REQUIRED",
    );
    let page = hospital.stage.path("consent.html");
    let order =
        ["consent", "witness", &given.consent_id, "--page", page.to_str().unwrap(), "--lang", "en"];
    let seen = hospital.granted(COLLEAGUE.key, &order);
    assert_eq!(text(&seen, "state"), "CONSENT_STATE_IN_FORCE");
    // It is seen given once.
    hospital.refused(COLLEAGUE.key, &["consent", "witness", &given.consent_id], "CONSENT_OVER");
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.contains("withdraw this at any desk") && page.contains(HOSPITAL.name), "{page}");

    // What was signed is checked without asking; a flipped letter is found.
    let receipt = text(&seen, "signed_receipt");
    let keys = hospital.granted(DOCTOR.key, &["token", "keys"]).to_string();
    let keys = hospital.stage.write("keys.json", keys.as_bytes()).unwrap();
    let check = |receipt: &str| {
        let file = hospital.stage.write("receipt", receipt.as_bytes()).unwrap();
        let (file, keys) = (file.to_str().unwrap().to_owned(), keys.to_str().unwrap().to_owned());
        hospital.ask(DOCTOR.key, &["consent", "check", "--receipt", &file, "--keys", &keys])
    };
    let genuine = check(&receipt).granted().unwrap();
    assert_eq!(genuine["claims"]["state"], "in-force");
    assert_eq!(genuine["claims"]["grade"], 5);
    let forged = receipt.replacen("ey", "eY", 1);
    assert!(check(&forged).granted().is_err());

    // What was acknowledged is there after a kill, and the data of just this grade and class is open.
    hospital.stage.server().unwrap().kill();
    hospital.stage.serve().unwrap();
    let issued = hospital.granted(DOCTOR.key, &token(within, "5", &[]));
    assert_eq!(text(&issued, "rule"), "doctor-treats-with-consent");
    assert_eq!(issued["relations"], json!(["attending", "consent"]));
    let care = ["token", "issue", "--visit", &visit, "--classes", "care", "--grade", "5"];
    let care = [&care[..], &["--audience", "emr"]].concat();
    hospital.refused(DOCTOR.key, &care, "GRADE_TOO_HIGH");
    hospital.refused(COLLEAGUE.key, &token(within, "5", &[]), "NO_RELATION");
    let issued = text(&issued, "token");
    assert_eq!(introspected(&hospital, &issued)["active"], true);

    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let withdrawn = counter.withdraws(&given.consent_id, &presence).await.unwrap();
    assert_eq!(withdrawn.state(), ConsentState::Withdrawn);
    assert_eq!(text(&introspected(&hospital, &issued), "inactive_reason"), "CONSENT_OVER");
    hospital.refused(DOCTOR.key, &token(within, "5", &[]), "GRADE_TOO_HIGH");
    let twice = counter.withdraws(&given.consent_id, &presence).await.unwrap_err();
    assert_eq!(reason(&twice), "STATE_CONFLICT");
}

#[tokio::test]
async fn nobody_consents_for_another_and_an_objection_comes_first() {
    let hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    let within = ["--visit", visit.as_str()];
    let other = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;

    let order = agrees(&hospital, &presence, 3);
    let theirs = GrantConsentRequest { resident_id: other, ..order.clone() };
    let somebody = uuid_like(&hospital.resident_id);
    #[rustfmt::skip]
    let cases = [
        ("another resident's", theirs, "NOT_THEIR_GUARDIAN"),
        ("nobody is here", GrantConsentRequest { presence_id: somebody.clone(), ..order.clone() }, "PRESENCE_INVALID"),
        ("nobody's", GrantConsentRequest { resident_id: somebody.clone(), ..order.clone() }, "RESIDENT_NOT_FOUND"),
        ("no such institution", GrantConsentRequest { recipient_id: somebody.clone(), ..order.clone() }, "INSTITUTION_NOT_FOUND"),
        ("no such person", GrantConsentRequest { person_id: somebody, ..order.clone() }, "IDENTITY_NOT_FOUND"),
        ("somebody who sees no data", GrantConsentRequest { person_id: hospital.staff[CLERK.key].clone(), ..order.clone() }, "IDENTITY_NOT_FOUND"),
        ("to nobody", GrantConsentRequest { recipient_id: String::new(), ..order.clone() }, "FIELD_INVALID"),
        ("no classes", GrantConsentRequest { classes: Vec::new(), ..order.clone() }, "FIELD_INVALID"),
        ("a class that there is not", GrantConsentRequest { classes: vec![77], ..order.clone() }, "FIELD_INVALID"),
        ("grade 6", GrantConsentRequest { grade: 6, ..order.clone() }, "FIELD_INVALID"),
        ("for ever", GrantConsentRequest { days: 1831, ..order.clone() }, "FIELD_INVALID"),
        ("an emergency", GrantConsentRequest { purpose: Purpose::Emergency.into(), ..order.clone() }, "FIELD_INVALID"),
        ("a family doctor who is nobody", GrantConsentRequest { kind: ConsentKind::FamilyDoctor.into(), classes: Vec::new(), grade: 0, ..order.clone() }, "FIELD_INVALID"),
    ];
    for (what, order, why) in cases {
        assert_eq!(reason(&counter.grants(order).await.unwrap_err()), why, "{what}");
    }
    let listed = ["consent", "list", "--resident", &hospital.resident_id];
    assert_eq!(hospital.granted(CLERK.key, &listed)["consents"], json!([]));
    // The presence is this counter's, and the right to record is a clerk's.
    let elsewhere = Counter::open(&hospital).await;
    assert_eq!(reason(&elsewhere.grants(order.clone()).await.unwrap_err()), "PRESENCE_INVALID");
    let doctor = log_in(&hospital.stage, DOCTOR.key).await;
    let refused = ConsentsClient::new(doctor).grant(order.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "ROLE_NOT_ALLOWED");

    let agreed = counter.grants(order.clone()).await.unwrap();
    assert_eq!(agreed.state(), ConsentState::InForce);
    let before = text(&hospital.granted(DOCTOR.key, &token(within, "3", &[])), "token");
    let objects = GrantConsentRequest {
        kind: ConsentKind::Object.into(),
        recipient_id: String::new(),
        grade: 2,
        ..order
    };
    let objection = counter.grants(objects).await.unwrap();
    assert_eq!(text(&introspected(&hospital, &before), "inactive_reason"), "REVOKED");
    let refused = hospital.refused(DOCTOR.key, &token(within, "3", &[]), "FORBIDDEN_BY_RULE");
    assert!(refused.to_string().contains("撤回其拒绝"), "{refused}");
    // Below what they object to, and to whoever could not see it anyway, nothing is said of it.
    hospital.granted(DOCTOR.key, &token(within, "1", &[]));
    hospital.refused(COLLEAGUE.key, &token(within, "3", &[]), "NO_RELATION");
    counter.withdraws(&objection.consent_id, &presence).await.unwrap();
    hospital.granted(DOCTOR.key, &token(within, "3", &[]));
    let listed = hospital.granted(CLERK.key, &listed);
    assert_eq!(listed["consents"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_guardian_consents_for_a_child_and_a_child_does_not() {
    let hospital = Hospital::open();
    let child = {
        let record = json!({ "name": "周小样", "id_number": CHILD });
        let file = hospital.stage.write("child.json", record.to_string().as_bytes()).unwrap();
        let made = hospital
            .granted(CLERK.key, &["resident", "register", "--file", file.to_str().unwrap()]);
        text(&made, "resident_id")
    };
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let order =
        GrantConsentRequest { resident_id: child.clone(), ..agrees(&hospital, &presence, 2) };
    assert_eq!(reason(&counter.grants(order.clone()).await.unwrap_err()), "NOT_THEIR_GUARDIAN");
    let guardian = |scopes: &str| {
        let order = [
            "resident",
            "guardian",
            "add",
            "--ward",
            &child,
            "--guardian",
            &hospital.resident_id,
            "--kinship",
            "grandparent",
            "--scopes",
            scopes,
            "--basis",
            "document-seen",
        ];
        text(&hospital.granted(CLERK.key, &order), "guardianship_id")
    };
    let note = hospital.stage.write("note", "更换监护范围".as_bytes()).unwrap();
    let may_not = guardian("present-card");
    assert_eq!(reason(&counter.grants(order.clone()).await.unwrap_err()), "NOT_THEIR_GUARDIAN");
    let end = ["resident", "guardian", "end", &may_not, "--note", note.to_str().unwrap()];
    hospital.granted(CLERK.key, &end);
    guardian("consent");
    let given = counter.grants(order).await.unwrap();
    assert_eq!(given.guardian_id, hospital.resident_id);
    // In another's place it takes a second person who saw it.
    assert_eq!(given.state(), ConsentState::AwaitsWitness);
}

#[tokio::test]
async fn a_referral_opens_the_data_of_who_sent_the_resident_until_it_is_ended() {
    let hospital = Hospital::open();
    let at_home = open_visit(&hospital).await;
    let City { institution: city, visit } = City::open(&hospital).await;
    let (within, home) = (["--visit", visit.as_str()], hospital.institution_id.as_str());
    let kept_at_home = ["--records", home];
    let refused =
        hospital.refused(CITY_DOCTOR.key, &token(within, "3", &kept_at_home), "NO_RELATION");
    assert!(refused.to_string().contains("转诊"), "{refused}");

    let make = ["referral", "make", "--visit", &at_home, "--to", &city];
    hospital.refused(COLLEAGUE.key, &make, "NO_RELATION");
    hospital.refused(CITY_DOCTOR.key, &make, "OTHER_INSTITUTION");
    let nowhere = ["referral", "make", "--visit", &at_home, "--to", home];
    hospital.refused(DOCTOR.key, &nowhere, "FIELD_INVALID");
    let made = hospital.granted(DOCTOR.key, &make);
    let issued = hospital.granted(CITY_DOCTOR.key, &token(within, "3", &kept_at_home));
    assert_eq!(text(&issued, "rule"), "doctor-treats-referred");
    assert_eq!(issued["relations"], json!(["attending", "referral"]));
    assert_eq!(text(&issued, "mask"), "partial");
    hospital.refused(CITY_DOCTOR.key, &token(within, "4", &kept_at_home), "GRADE_TOO_HIGH");
    let listed = hospital.granted(CITY_DOCTOR.key, &["referral", "list", "--visit", &visit]);
    assert_eq!(listed["referrals"][0]["stands"], true);

    let issued = text(&issued, "token");
    assert_eq!(introspected(&hospital, &issued)["active"], true);
    let end = ["referral", "end", &text(&made, "referral_id")];
    hospital.refused(CITY_DOCTOR.key, &end, "OTHER_INSTITUTION");
    hospital.granted(DOCTOR.key, &end);
    assert_eq!(text(&introspected(&hospital, &issued), "inactive_reason"), "REFERRAL_OVER");
    hospital.refused(CITY_DOCTOR.key, &token(within, "3", &kept_at_home), "NO_RELATION");
    hospital.refused(DOCTOR.key, &end, "STATE_CONFLICT");
}

#[tokio::test]
async fn a_researcher_sees_what_was_agreed_to_without_a_visit_and_nobody_else_does() {
    let hospital = Hospital::open();
    let researcher = hospital.stage.engage(&hospital.institution_id, &RESEARCHER).unwrap();
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let order = GrantConsentRequest {
        purpose: Purpose::Research.into(),
        person_id: researcher,
        ..agrees(&hospital, &presence, 3)
    };
    let given = counter.grants(order).await.unwrap();
    let within = ["--consent", given.consent_id.as_str()];
    let research = ["--purpose", "research"];
    hospital.refused(RESEARCHER.key, &token(within, "3", &research), "CONSENT_OVER");
    hospital.granted(COLLEAGUE.key, &["consent", "witness", &given.consent_id]);
    let mine = hospital.granted(RESEARCHER.key, &["consent", "list"]);
    assert_eq!(mine["consents"][0]["consent_id"], given.consent_id);
    let issued = hospital.granted(RESEARCHER.key, &token(within, "3", &research));
    assert_eq!(text(&issued, "rule"), "researcher-studies");
    assert_eq!(text(&issued, "mask"), "full");
    // More than was agreed to is not agreed to.
    let beyond = token(within, "4", &research);
    let refused = hospital.refused(RESEARCHER.key, &beyond, "NO_RELATION");
    assert!(refused.to_string().contains("居民的授权确认"), "{refused}");
    hospital.refused(RESEARCHER.key, &token(within, "3", &[]), "PURPOSE_NOT_ALLOWED");
    hospital.refused(DOCTOR.key, &token(within, "3", &research), "CONSENT_NOT_FOUND");
    let nobody = uuid_like(&given.consent_id);
    hospital.refused(
        RESEARCHER.key,
        &token(["--consent", &nobody], "3", &research),
        "CONSENT_NOT_FOUND",
    );
    counter.withdraws(&given.consent_id, &presence).await.unwrap();
    let told = introspected(&hospital, &text(&issued, "token"));
    assert_eq!(text(&told, "inactive_reason"), "CONSENT_OVER");
}

/// An identifier of the same form that is nothing's.
fn uuid_like(id: &str) -> String {
    let last = if id.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &id[..id.len() - 1])
}
