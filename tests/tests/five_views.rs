//! One patient, five callers, five views: what the rules say is what a records system shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use access_token::{KeySet, Verifier};
use proto::v1::{ConsentKind, DataClass as Class, GrantConsentRequest, Purpose};
use serde_json::Value;
use service::demo::people::{COLLEAGUE, DOCTOR, Staff};
use tests::city::{CITY_DOCTOR, City};
use tests::counter::Counter;
use tests::hospital::{Hospital, text};
use tests::http::get;
use tests::relay::open_visit;
use tests::resource_server::sample::{PERSON, PRESSURE, RARE, REPORT};
use tests::resource_server::{Chart, ResourceServer, ask};

/// Works in the visit's department, and is not named in the visit.
const NEIGHBOUR: Staff = Staff { key: "neighbour", number: "D003", ..DOCTOR };
const RESEARCHER: Staff =
    Staff { key: "researcher", role: "researcher", number: "R001", department: "", ..COLLEAGUE };

/// What somebody sees: name, ID number, phone, and which observations.
async fn view(hospital: &Hospital, address: SocketAddr, who: &str, order: &[&str]) -> [String; 4] {
    let issue = [&["token", "issue", "--audience", "emr.example"], order].concat();
    let token = text(&hospital.granted(who, &issue), "token");
    let file = hospital.stage.write("token", token.as_bytes()).unwrap();
    let resident = &hospital.resident_id;
    let read = async |path: String| -> Value {
        let uri = format!("http://{address}{path}");
        let order = ["token", "prove", "--token", file.to_str().unwrap(), "--method", "GET"];
        let proof = hospital.granted(who, &[&order[..], &["--uri", &uri]].concat());
        let (status, seen) = ask(address, &path, &token, Some(&text(&proof, "proof"))).await;
        assert_eq!(status, 200, "{who}: {seen}");
        seen
    };
    let patient = read(format!("/fhir/Patient/{resident}")).await;
    let found = read(format!("/fhir/Observation?subject=Patient/{resident}")).await;
    let at =
        |pointer: &str| patient.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let seen = found["entry"].as_array().unwrap().iter();
    let seen: Vec<_> = seen.map(|it| text(&it["resource"], "id")).collect();
    [at("/name/0/text"), at("/identifier/0/value"), at("/telecom/0/value"), seen.join("+")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_callers_have_five_views_of_one_patient() {
    let hospital = Hospital::open();
    let home = hospital.institution_id.as_str();
    hospital.stage.engage(home, &NEIGHBOUR).unwrap();
    let researcher = hospital.stage.engage(home, &RESEARCHER).unwrap();
    let visit = open_visit(&hospital).await;

    let keys = KeySet::from_json(&get(&hospital, "/jwks.json").1).unwrap();
    let said: Value =
        serde_json::from_slice(&get(&hospital, "/.well-known/oauth-authorization-server").1)
            .unwrap();
    let verifier = Verifier::new(&text(&said, "issuer"), "emr.example", keys);
    let chart = Chart { person: PERSON, observations: vec![PRESSURE, REPORT, RARE] };
    let charts = BTreeMap::from([(hospital.resident_id.clone(), chart)]);
    let (_server, address) = ResourceServer::serve(verifier, home, charts).await;

    // The city hospital has a visit of its own, and a referral from home.
    let City { institution: city, visit: in_city } = City::open(&hospital).await;
    hospital.granted(DOCTOR.key, &["referral", "make", "--visit", &visit, "--to", &city]);

    // The resident lets a researcher see health and care data.
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let order = GrantConsentRequest {
        resident_id: hospital.resident_id.clone(),
        presence_id: presence,
        kind: ConsentKind::Permit.into(),
        purpose: Purpose::Research.into(),
        classes: vec![Class::Health.into(), Class::Care.into()],
        grade: 3,
        recipient_id: home.to_owned(),
        person_id: researcher,
        ..GrantConsentRequest::default()
    };
    let consent = counter.grants(order).await.unwrap().consent_id;
    hospital.granted(COLLEAGUE.key, &["consent", "witness", &consent]);

    // Somebody without any tie begins an emergency.
    let note = hospital.stage.write("note", "昏迷，急需用药史".as_bytes()).unwrap();
    let order = ["emergency", "begin", "--resident", &hospital.resident_id];
    let why = ["--reason", "unconscious", "--note", note.to_str().unwrap()];
    let begun = hospital.granted(COLLEAGUE.key, &[&order[..], &why].concat());
    let emergency = text(&begun, "emergency_id");

    let all = ["--classes", "personal,health,care", "--grade"];
    let at = |within: [&str; 2], grade: &'static str, more: &[&str]| -> Vec<String> {
        let order = [&within[..], &all, &[grade], more].concat();
        order.into_iter().map(str::to_owned).collect()
    };
    let by_visit = ["--visit", visit.as_str()];
    let research = ["--consent", &consent, "--purpose", "research"];
    let research = [&research[..], &["--classes", "health,care", "--grade", "3"]].concat();
    let views: [(&str, Vec<String>, [&str; 4]); 5] = [
        (
            DOCTOR.key,
            at(by_visit, "4", &[]),
            [PERSON.name, PERSON.id_number, PERSON.phone, "pressure+report"],
        ),
        (
            NEIGHBOUR.key,
            at(by_visit, "4", &[]),
            ["张*", "990***********1234", "000******17", "pressure+report"],
        ),
        (
            CITY_DOCTOR.key,
            at(["--visit", &in_city], "3", &["--records", home]),
            ["张*", "-", "000******17", "pressure"],
        ),
        (
            RESEARCHER.key,
            research.into_iter().map(str::to_owned).collect(),
            ["-", "-", "-", "pressure"],
        ),
        (
            COLLEAGUE.key,
            at(["--emergency", &emergency], "3", &["--purpose", "emergency"]),
            [PERSON.name, "-", PERSON.phone, "pressure"],
        ),
    ];
    for (who, order, expected) in &views {
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        let seen = view(&hospital, address, who, &order).await;
        assert_eq!(seen.each_ref().map(String::as_str), *expected, "{who}");
    }

    // A token for what another institution keeps opens nothing here.
    let order = [&["token", "issue", "--audience", "emr.example"][..], &by_visit].concat();
    let order = [&order[..], &["--classes", "health", "--grade", "3", "--records", &city]].concat();
    hospital.refused(DOCTOR.key, &order, "NO_RELATION");
    let order = ["token", "issue", "--audience", "emr.example", "--emergency", &emergency];
    let more = ["--purpose", "emergency", "--classes", "health", "--grade", "3", "--records"];
    let elsewhere = [&order[..], &more, &[&city]].concat();
    let issued = hospital.granted(COLLEAGUE.key, &elsewhere);
    let file = hospital.stage.write("token", text(&issued, "token").as_bytes()).unwrap();
    let path = format!("/fhir/Patient/{}", hospital.resident_id);
    let uri = format!("http://{address}{path}");
    let order = ["token", "prove", "--token", file.to_str().unwrap(), "--method", "GET"];
    let proof = hospital.granted(COLLEAGUE.key, &[&order[..], &["--uri", &uri]].concat());
    let (token, proof) = (text(&issued, "token"), text(&proof, "proof"));
    assert_eq!(ask(address, &path, &token, Some(&proof)).await.0, 403);
}
