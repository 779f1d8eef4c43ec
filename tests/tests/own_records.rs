//! Staff who are residents, too: what they see of themselves and of who is in their care, and until when.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use service::demo::people::{CLERK, COLLEAGUE, PATIENT, SOMEBODY_ELSE, Staff};
use service::demo::stage::OPERATOR;
use tests::city::City;
use tests::hospital::{Hospital, text};
use tests::http::get;
use tests::relay::open_visit;

/// A nurse who is the patient.
const SELF: Staff = Staff {
    key: "nurse",
    role: "nurse",
    name: PATIENT.name,
    number: "N001",
    department: "骨科",
    ..COLLEAGUE
};
/// A doctor who cares for the patient.
const CARER: Staff = Staff {
    key: "carer",
    name: SOMEBODY_ELSE.name,
    number: "D004",
    department: "骨科",
    ..COLLEAGUE
};

/// Puts somebody into service whose ID number is on record.
fn engage(hospital: &Hospital, staff: &Staff, id_number: &str) {
    hospital.granted(staff.key, &["key", "new"]);
    let record = json!({
        "institution_id": hospital.institution_id, "name": staff.name, "number": staff.number,
        "department": staff.department, "id_number": id_number,
    });
    let file = hospital.record("identity.json", &record);
    let order = ["identity", "register", "--role", staff.role, "--file", &file];
    let id = text(&hospital.granted(OPERATOR, &order), "identity_id");
    hospital.stage.certify_known(staff.key, &id, id_number).unwrap();
}

fn token<'a>(visit: &'a str, grade: &'a str, purpose: &'a str) -> Vec<&'a str> {
    let wanted = ["token", "issue", "--visit", visit, "--classes", "personal,health"];
    [&wanted[..], &["--grade", grade, "--purpose", purpose, "--audience", "emr"]].concat()
}

fn wished<'a>(visit: &'a str, grade: &'a str) -> Vec<&'a str> {
    token(visit, grade, "patient-request")
}

/// How the record system finds a token.
fn introspected(hospital: &Hospital, issued: &Value) -> Value {
    let file = hospital.stage.write("token", text(issued, "token").as_bytes()).unwrap();
    let order = ["token", "introspect", "--token", file.to_str().unwrap(), "--audience", "emr"];
    hospital.ask("emr", &order).body
}

/// Whether whoever checks tokens offline is told that it ended.
fn is_told(hospital: &Hospital, issued: &Value) -> bool {
    let snapshot = String::from_utf8(get(hospital, "/token-revocations").1).unwrap();
    let said = URL_SAFE_NO_PAD.decode(snapshot.split('.').nth(1).unwrap()).unwrap();
    String::from_utf8(said).unwrap().contains(&text(issued, "token_id"))
}

#[tokio::test]
async fn a_nurse_who_is_the_resident_sees_her_own_data_and_no_more_than_that() {
    let hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    engage(&hospital, &SELF, PATIENT.id_number);
    let issued = hospital.granted(SELF.key, &wished(&visit, "3"));
    assert_eq!(text(&issued, "rule"), "resident-or-guardian-sees");
    assert_eq!(issued["relations"], json!(["resident"]));
    assert_eq!(text(&issued, "mask"), "none");
    assert_eq!(introspected(&hospital, &issued)["active"], true);

    hospital.refused(SELF.key, &wished(&visit, "4"), "GRADE_TOO_HIGH");
    hospital.refused(SELF.key, &token(&visit, "3", "treatment"), "NO_RELATION");
    let City { institution: elsewhere, .. } = City::open(&hospital).await;
    let kept_elsewhere = [&wished(&visit, "3")[..], &["--records", &elsewhere]].concat();
    hospital.refused(SELF.key, &kept_elsewhere, "OTHER_INSTITUTION");
    // Whoever is not the resident is told what would do; that nobody knows who they are is no tie.
    let refused = hospital.refused(COLLEAGUE.key, &wished(&visit, "3"), "NO_RELATION");
    let said = refused.to_string();
    assert!(
        said.contains("居民本人") && said.contains("healthcard resident guardian add"),
        "{said}"
    );

    hospital.granted(CLERK.key, &["visit", "close", &visit]);
    assert_eq!(text(&introspected(&hospital, &issued), "inactive_reason"), "VISIT_CLOSED");
    hospital.refused(SELF.key, &wished(&visit, "3"), "VISIT_CLOSED");
    // What each was decided on is on record, and is decided so again.
    let order = ["audit", "search", "--action", "token.issue", "--page-size", "100"];
    let log = hospital.granted("auditor", &order).to_string();
    assert!(log.contains("looked-for") && !log.contains(PATIENT.id_number), "{log}");
    let again = hospital.decisions(&["replay"]);
    assert_eq!((&again["same"], &again["unclear"]), (&6.into(), &json!([])), "{again}");
}

#[tokio::test]
async fn a_guardian_sees_the_wards_data_until_the_guardianship_ends() {
    let hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    let carer = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    engage(&hospital, &CARER, SOMEBODY_ELSE.id_number);
    let ward = hospital.resident_id.as_str();
    let add = |scopes: &str| {
        let order = ["resident", "guardian", "add", "--ward", ward, "--guardian", &carer];
        let ground = ["--kinship", "daughter", "--basis", "court-order", "--ends-on", "2099-12-31"];
        let order = [&order[..], &ground, &["--scopes", scopes]].concat();
        text(&hospital.granted(CLERK.key, &order), "guardianship_id")
    };
    let note = hospital.stage.write("note", "法院撤销监护".as_bytes()).unwrap();
    let end = |id: &str| {
        let order = ["resident", "guardian", "end", id, "--note", note.to_str().unwrap()];
        hospital.granted(CLERK.key, &order);
    };
    hospital.refused(CARER.key, &wished(&visit, "3"), "NO_RELATION");
    // Bringing the card is not seeing what is on record.
    let brings = add("present-card,see-accesses");
    hospital.refused(CARER.key, &wished(&visit, "3"), "NO_RELATION");
    end(&brings);

    let cares = add("consent");
    let issued = hospital.granted(CARER.key, &wished(&visit, "3"));
    assert_eq!(text(&issued, "rule"), "resident-or-guardian-sees");
    assert_eq!(issued["relations"], json!(["guardian"]));
    assert_eq!(introspected(&hospital, &issued)["active"], true);
    assert!(!is_told(&hospital, &issued));
    hospital.refused(CARER.key, &wished(&visit, "4"), "GRADE_TOO_HIGH");
    hospital.refused(CARER.key, &token(&visit, "3", "treatment"), "NO_RELATION");
    hospital.refused(COLLEAGUE.key, &wished(&visit, "3"), "NO_RELATION");

    end(&cares);
    let ended = Instant::now();
    assert_eq!(text(&introspected(&hospital, &issued), "inactive_reason"), "GUARDIANSHIP_OVER");
    while !is_told(&hospital, &issued) {
        assert!(ended.elapsed() < Duration::from_secs(5), "told too late");
    }
    hospital.refused(CARER.key, &wished(&visit, "3"), "NO_RELATION");
    // Another guardianship opens the data again, and not what ended with the first.
    add("consent");
    hospital.granted(CARER.key, &wished(&visit, "3"));
    assert_eq!(text(&introspected(&hospital, &issued), "inactive_reason"), "GUARDIANSHIP_OVER");
}
