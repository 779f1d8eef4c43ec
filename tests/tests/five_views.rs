//! One patient, five callers, five views: what the rules say is what a records system shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use access_token::words::DataClass;
use access_token::{KeySet, Verifier};
use proto::v1::visits_client::VisitsClient;
use proto::v1::{ConsentKind, DataClass as Class, GrantConsentRequest, OpenVisitRequest, Purpose};
use serde_json::Value;
use service::demo::people::{COLLEAGUE, DEPARTMENT, DESK, DOCTOR, Institution, Staff};
use tests::counter::Counter;
use tests::grpc::log_in;
use tests::hospital::{Hospital, text};
use tests::http::get;
use tests::relay::{Relay, card, open_visit, present};
use tests::resource_server::{Chart, Observation, Person, ResourceServer, ask};

const CITY: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构市医院", region: "990000" };
const CITY_DESK: Staff = Staff { key: "city-desk", number: "K101", ..DESK };
const CITY_DOCTOR: Staff = Staff { key: "city-doctor", number: "D101", ..DOCTOR };
/// Works in the visit's department, and is not named in the visit.
const NEIGHBOUR: Staff = Staff { key: "neighbour", number: "D003", ..DOCTOR };
const RESEARCHER: Staff =
    Staff { key: "researcher", role: "researcher", number: "R001", department: "", ..COLLEAGUE };

const PERSON: Person = Person {
    name: "张三丰",
    id_number: "990000198001011234",
    phone: "00099900017",
    address: "虚构省虚构市虚构区一号",
    birth_date: "1980-01-01",
    gender: "male",
};
const PRESSURE: Observation = Observation {
    id: "pressure",
    code: "8480-6",
    display: "收缩压",
    value: (128.0, "mmHg"),
    class: DataClass::Health,
    grade: 3,
};
const REPORT: Observation = Observation {
    id: "report",
    code: "718-7",
    display: "血红蛋白",
    value: (141.0, "g/L"),
    class: DataClass::Care,
    grade: 4,
};
const RARE: Observation = Observation {
    id: "rare",
    code: "75622-1",
    display: "HIV",
    value: (0.0, ""),
    class: DataClass::Health,
    grade: 5,
};

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
    let city = hospital.stage.register_institution(&CITY).unwrap();
    hospital.stage.engage(home, &NEIGHBOUR).unwrap();
    let researcher = hospital.stage.engage(home, &RESEARCHER).unwrap();
    hospital.stage.engage(&city, &CITY_DESK).unwrap();
    let city_doctor = hospital.stage.engage(&city, &CITY_DOCTOR).unwrap();
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
    hospital.granted(DOCTOR.key, &["referral", "make", "--visit", &visit, "--to", &city]);
    let desk = log_in(&hospital.stage, CITY_DESK.key).await;
    let mut relay = Relay::open(desk.clone()).await.unwrap();
    let reading = present(&mut relay, &mut card(&hospital.card_image())).await.reading();
    let request = OpenVisitRequest {
        presence_id: reading.presence_id,
        department: DEPARTMENT.to_owned(),
        reason: "referred".to_owned(),
        attending: vec![city_doctor],
    };
    let in_city = VisitsClient::new(desk).open(request).await.unwrap().into_inner().visit_id;

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
