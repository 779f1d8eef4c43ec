//! What the ministry's platform is told about certificates, and what it asks: by documents that another program reads.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use audit::{
    checkpoint::VerifierKey,
    report::{self, Report},
};
use proto::v1::{ReportCertificatesRequest, identities_client::IdentitiesClient};
use serde_json::{Value, json};
use service::demo::people::{COLLEAGUE, DOCTOR};
use service::demo::stage::{OPERATOR, REVIEWER};
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, text};

use crate::enrolments::newcomer;

/// Python's own reader: elements of a document that have only text in them, by the element that they are in.
const READER: &str = r#"
import json, sys, xml.etree.ElementTree as tree
def local(name): return name.split("}")[-1]
def records(element):
    leaves = [child for child in element if len(child) == 0]
    if leaves: yield {local(child.tag): child.text or "" for child in leaves}
    for child in element: yield from records(child)
root = tree.parse(sys.argv[1]).getroot()
print(json.dumps({"root": root.tag, "operation": root[0][0].tag, "records": list(records(root[0][0]))}))
"#;

fn read(document: &Path) -> Value {
    let output = Command::new("python3").args(["-c", READER]).arg(document).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One element of each record.
fn column(document: &Path, element: &str) -> Vec<String> {
    let read = read(document);
    read["records"].as_array().unwrap().iter().map(|record| text(record, element)).collect()
}

/// Serial numbers of all certificates on record, and of the last of somebody.
fn serials(hospital: &Hospital) -> Vec<String> {
    let all = hospital.granted(OPERATOR, &["identity", "list"]);
    let identities = all["identities"].as_array().unwrap().iter();
    let certificates = identities.flat_map(|it| it["certificates"].as_array().unwrap().clone());
    let mut serials: Vec<String> = certificates.map(|it| text(&it, "serial")).collect();
    serials.sort();
    serials
}

fn serial_of(hospital: &Hospital, id: &str) -> String {
    let found = hospital.granted(OPERATOR, &["identity", "get", id]);
    text(found["certificates"].as_array().unwrap().last().unwrap(), "serial")
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// The parts of a report, each checked with the key of the log: none is missing, and nothing is told twice.
fn parts(hospital: &Hospital, folder: &Path) -> Vec<(PathBuf, Report)> {
    let key: VerifierKey = hospital.verifier_key().parse().unwrap();
    let mut parts: Vec<(PathBuf, Report)> = Vec::new();
    for number in 1.. {
        let part = folder.join(format!("{number:06}"));
        let Ok(manifest) = fs::read_to_string(part.join("manifest.txt")) else { break };
        let report = report::check(&manifest, &key).unwrap();
        assert_eq!(report.since, parts.last().map_or(0, |(_, last)| last.until));
        parts.push((part, report));
    }
    parts
}

#[test]
fn the_platform_is_told_each_change_once_and_in_its_own_words() {
    let hospital = Hospital::open();
    let folder = hospital.stage.path("records/told");
    let out = folder.to_string_lossy().into_owned();
    let export = ["authority", "export", "--ministry", "--out", &out];
    hospital.refused(DOCTOR.key, &export, "ROLE_NOT_ALLOWED");
    assert!(!std::path::Path::new(&out).exists(), "a refusal left its directory");

    let first = hospital.granted(OPERATOR, &export);
    let issued = folder.join("000001/certificates.xml");
    assert_eq!(sorted(column(&issued, "certSN")), serials(&hospital));
    assert_eq!(first["certificates"], serials(&hospital).len());
    assert!(!folder.join("000001/blacklist.xml").exists());
    let told = read(&issued);
    assert_eq!(told["root"], "{http://schemas.xmlsoap.org/soap/envelope/}Envelope");
    assert_eq!(told["operation"], "{urn:healthcard:certificate-platform}sendCertInfo");
    let doctor = serial_of(&hospital, &hospital.staff[DOCTOR.key]);
    let of_doctor = told["records"].as_array().unwrap().iter().find(|it| it["certSN"] == *doctor);
    let of_doctor = of_doctor.unwrap();
    assert_eq!((&of_doctor["certType"], &of_doctor["keyUse"]), (&json!("2"), &json!("1")));
    let entity = text(of_doctor, "uniqueId");
    assert!(entity.starts_with("1@0000JM0"), "{entity}");
    let der = fs::read(hospital.stage.identity(DOCTOR.key).join("certificate.der")).unwrap();
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    assert_eq!(text(of_doctor, "certData"), STANDARD.encode(&der));
    assert_eq!(text(of_doctor, "certDigest"), hex::encode(hsm::sm3::digest(&der)));

    // The second time only what is new, each in the order in which it was.
    let id = newcomer(&hospital, "nurse", "nurse", &json!({ "department": "内科" }));
    let request = hospital.stage.identity("nurse").join("request.der");
    let request = request.to_string_lossy();
    let order = ["enrolment", "enter", "--id", &id, "--pair", "--request", &request];
    let enrolment = text(&hospital.granted(OPERATOR, &order), "enrolment_id");
    let nurse = hospital.stage.identity("nurse").to_string_lossy().into_owned();
    hospital.granted(REVIEWER, &["enrolment", "review", &enrolment, "--approve", "--out", &nurse]);
    let colleague = serial_of(&hospital, &hospital.staff[COLLEAGUE.key]);
    let change = |change: &[&str], serial: &str| {
        hospital.granted(OPERATOR, &[&["identity"], change, &["--serial", serial]].concat());
    };
    change(&["suspend"], &doctor);
    change(&["release"], &doctor);
    change(&["revoke", "--reason", "key-compromise"], &colleague);
    let second = hospital.granted(OPERATOR, &export);
    assert_eq!((&second["certificates"], &second["blacklist"]), (&json!(2), &json!(3)));
    assert_eq!(column(&folder.join("000002/certificates.xml"), "keyUse"), ["1", "2"]);
    let blacklist = folder.join("000002/blacklist.xml");
    assert_eq!(column(&blacklist, "certSN"), [&*doctor, &doctor, &colleague]);
    assert_eq!(column(&blacklist, "status"), ["3", "4", "2"]);
    assert_eq!(column(&blacklist, "reason"), ["6", "8", "1"]);
    let times = column(&blacklist, "revokeTime");
    assert!(times.is_sorted() && times.iter().all(|it| it.len() == 19), "{times:?}");

    // Nothing is new; and the directory says where to go on, whatever somebody thinks.
    let third = hospital.granted(OPERATOR, &export);
    assert_eq!((&third["certificates"], &third["parts"]), (&json!(0), &json!([])));
    let since = |since: &'static str| [&export[..], &["--since", since]].concat();
    hospital.refused(OPERATOR, &since("1"), "REPORT_ELSEWHERE");
    let elsewhere = hospital.stage.path("records/elsewhere").to_string_lossy().into_owned();
    let ahead = ["authority", "export", "--ministry", "--out", &elsewhere, "--since", "9999"];
    hospital.refused(OPERATOR, &ahead, "FIELD_INVALID");
    let parts = parts(&hospital, &folder);
    assert_eq!(parts.len(), 2);
    let changes: Vec<u64> =
        parts.iter().flat_map(|(_, part)| part.lines.iter().map(|line| line.change)).collect();
    assert_eq!(changes, (1..=changes.len() as u64).collect::<Vec<_>>());

    // The log has what was given out, with the digest of its manifest.
    let found = hospital.granted("auditor", &["audit", "search", "--action", "certificate.report"]);
    let manifest = fs::read(folder.join("000002/manifest.txt")).unwrap();
    let digest = hex::encode(hsm::sm3::digest(&manifest));
    assert!(found.to_string().contains(&digest), "{found}");

    // Another platform is another form, and no other program.
    let form = text(&hospital.granted(OPERATOR, &["authority", "form"]), "form");
    let form = form
        .replace("\"1.1\"", "\"1.2\"")
        .replace("certSN", "证书序列号")
        .replace("sendBlacklist", "uploadCRL")
        .replace("internal_person = \"2\"", "internal_person = \"NBRY\"")
        .replace("[year]-[month]-[day] ", "[year][month][day]T");
    let file = hospital.stage.write("records/province.toml", form.as_bytes()).unwrap();
    let province = hospital.stage.path("records/province");
    let (file, out) = (file.to_string_lossy(), province.to_string_lossy());
    let other = ["authority", "export", "--form", &file, "--out", &out];
    hospital.granted(OPERATOR, &other);
    let blacklist = province.join("000001/blacklist.xml");
    let told = read(&blacklist);
    assert_eq!(told["root"], "{http://www.w3.org/2003/05/soap-envelope}Envelope");
    assert_eq!(told["operation"], "{urn:healthcard:certificate-platform}uploadCRL");
    assert_eq!(column(&blacklist, "证书序列号"), [&*doctor, &doctor, &colleague]);
    let issued = province.join("000001/certificates.xml");
    assert!(column(&issued, "certType").contains(&"NBRY".to_owned()));
    assert!(column(&issued, "notAfter").iter().all(|it| it.contains('T')));
    let bad = hospital.stage.write("records/bad.toml", b"[soap]\nversion = \"1.1\"").unwrap();
    let bad = bad.to_string_lossy();
    let order = ["authority", "export", "--form", &bad, "--out", &out];
    hospital.refused(OPERATOR, &order, "FORM_MALFORMED");
}

#[test]
fn a_question_is_answered_by_serial_number_identifier_and_document() {
    let hospital = Hospital::open();
    let doctor = serial_of(&hospital, &hospital.staff[DOCTOR.key]);
    let colleague = serial_of(&hospital, &hospital.staff[COLLEAGUE.key]);
    let revoke = ["identity", "revoke", "--reason", "superseded", "--serial", &colleague];
    hospital.granted(OPERATOR, &revoke);
    let ask = |question: &[&str]| -> BTreeMap<String, String> {
        let answer = hospital.granted(OPERATOR, &[&["authority", "query"], question].concat());
        let answer = text(&answer, "answer");
        let file = hospital.stage.write("records/answer.xml", answer.as_bytes()).unwrap();
        let read = read(&file);
        assert_eq!(read["operation"], "{urn:healthcard:certificate-platform}queryCertResponse");
        let records = read["records"].as_array().unwrap();
        assert_eq!(records.len(), 1, "{answer}");
        serde_json::from_value(records[0].clone()).unwrap()
    };
    let good = ask(&["--serial", &doctor.to_uppercase()]);
    assert_eq!((good["certSN"].as_str(), good["status"].as_str()), (&*doctor, "0"));
    assert!(!good.contains_key("revokeTime"));
    assert_eq!(ask(&["--identifier", &good["uniqueId"]]), good);
    let revoked = ask(&["--serial", &colleague]);
    assert_eq!((revoked["status"].as_str(), revoked["reason"].as_str()), ("2", "4"));
    for question in [["--serial", "5a5a5a5a"], ["--identifier", "1@5013SF0110105194912310021"]] {
        let unknown = ask(&question);
        assert_eq!(unknown, BTreeMap::from([("status".to_owned(), "9".to_owned())]));
    }

    let document = |name: &str, content: &str| {
        let envelope = format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>{content}</e:Body></e:Envelope>"
        );
        let file = hospital.stage.write(&format!("records/{name}"), envelope.as_bytes()).unwrap();
        file.to_string_lossy().into_owned()
    };
    let question = format!(
        "<queryCert xmlns='urn:healthcard:certificate-platform'><certSN>{doctor}</certSN></queryCert>"
    );
    assert_eq!(ask(&["--request", &document("question.xml", &question)]), good);
    let typed = format!("<!DOCTYPE a [<!ENTITY e '5a'>]>{question}");
    for bad in [typed, question.replace("certSN", "certNo"), String::new()] {
        let file = document("bad.xml", &bad);
        let order = ["authority", "query", "--request", &file];
        hospital.refused(OPERATOR, &order, "QUERY_MALFORMED");
    }
    hospital.refused(DOCTOR.key, &["authority", "query", "--serial", &doctor], "ROLE_NOT_ALLOWED");
}

#[test]
fn a_report_that_is_killed_goes_on_where_it_was() {
    let hospital = Hospital::open();
    let folder = hospital.stage.path("records/told");
    let out = folder.to_string_lossy().into_owned();
    let export = ["authority", "export", "--ministry", "--out", &out];
    // Killed as soon as it has begun, while it asks, and while it writes; or it was faster.
    for seen in ["", ".lock", ".unfinished", ".unfinished/certificates.xml", "000001"] {
        let mut command = hospital.stage.healthcard(OPERATOR, &export);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !folder.join(seen).exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    hospital.granted(OPERATOR, &export);
    let parts = parts(&hospital, &folder);
    let told: Vec<String> = parts
        .iter()
        .flat_map(|(part, _)| column(&part.join("certificates.xml"), "certSN"))
        .collect();
    assert_eq!(sorted(told), serials(&hospital));
}

#[tokio::test]
async fn parts_are_of_any_size_and_follow_one_another() {
    let hospital = Hospital::open();
    let key: VerifierKey = hospital.verifier_key().parse().unwrap();
    let mut identities = IdentitiesClient::new(log_in(&hospital.stage, OPERATOR).await);
    let (mut since, mut count) = (0, 0);
    loop {
        let request = ReportCertificatesRequest { since, page_size: 3 };
        let part = identities.report_certificates(request).await.unwrap().into_inner();
        let again = identities.report_certificates(request).await.unwrap().into_inner();
        assert_eq!(part.records, again.records);
        let report = report::check(&part.manifest, &key).unwrap();
        assert_eq!((report.since, report.lines.len()), (since, part.records.len()));
        assert!(report.lines.len() <= 3);
        (since, count) = (report.until, count + report.lines.len());
        if !part.more {
            break;
        }
    }
    assert_eq!(count, serials(&hospital).len());
    let beyond = ReportCertificatesRequest { since: since + 1, page_size: 3 };
    let refused = identities.report_certificates(beyond).await.unwrap_err();
    assert_eq!(reason(&refused), "FIELD_INVALID");
}
