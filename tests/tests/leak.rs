//! No name, ID number, phone or key of a person stands in the database, the log, or what the programs say.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use encoding_rs::GBK;
use service::demo::people::{CLERK, PATIENT, SOMEBODY_ELSE, STAFF};
use tests::hospital::{Hospital, text};
use tests::relay;

/// One way in which a secret could be written.
struct Trace {
    what: String,
    bytes: Vec<u8>,
}

/// A text in every encoding it might have on its way from card to disk.
fn traces_of_text(what: &str, text: &str) -> Vec<Trace> {
    let utf16: Vec<u16> = text.encode_utf16().collect();
    let escaped: String = utf16.iter().map(|unit| format!("\\u{unit:04x}")).collect();
    let mut forms = vec![
        ("UTF-8", text.as_bytes().to_vec()),
        ("GBK", GBK.encode(text).0.into_owned()),
        ("UTF-16LE", utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        ("UTF-16BE", utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ("JSON escapes", escaped.into_bytes()),
        ("hexadecimal", hex::encode(text).into_bytes()),
        ("base64", STANDARD.encode(text).trim_end_matches('=').as_bytes().to_vec()),
    ];
    if text.len() > 10
        && let Ok(digits) = hex::decode(text)
    {
        forms.push(("BCD", digits));
    }
    forms.dedup_by(|a, b| a.1 == b.1);
    let trace = |(form, bytes)| Trace { what: format!("{what} in {form}"), bytes };
    forms.into_iter().map(trace).collect()
}

fn traces_of_key(what: &str, key: &[u8]) -> Vec<Trace> {
    [
        ("raw", key.to_vec()),
        ("hexadecimal", hex::encode(key).into_bytes()),
        ("capital hexadecimal", hex::encode_upper(key).into_bytes()),
        ("base64", STANDARD.encode(key).into_bytes()),
        ("base64url", URL_SAFE_NO_PAD.encode(key).into_bytes()),
    ]
    .into_iter()
    .map(|(form, bytes)| Trace { what: format!("{what}, {form}"), bytes })
    .collect()
}

/// The 32 bytes of a private key: OCTET STRING in version 1 of ECPrivateKey (RFC 5915).
fn scalar(pem: &Path) -> Vec<u8> {
    let text = fs::read_to_string(pem).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).unwrap();
    let at = der.windows(5).position(|window| window == [2, 1, 1, 4, 32]).expect("ECPrivateKey");
    der[at + 5..at + 37].to_vec()
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// All traces, by their first two bytes, so that a file is gone through once.
struct Search(Vec<Vec<Trace>>);

impl Search {
    fn of(traces: Vec<Trace>) -> Self {
        let mut by_start: Vec<Vec<Trace>> = Vec::new();
        by_start.resize_with(1 << 16, Vec::new);
        for trace in traces {
            assert!(trace.bytes.len() >= 4, "{} would be found by chance", trace.what);
            by_start[start(trace.bytes[0], trace.bytes[1])].push(trace);
        }
        Self(by_start)
    }

    fn found_in(&self, content: &[u8]) -> Option<&str> {
        for at in 1..content.len() {
            let traces = &self.0[start(content[at - 1], content[at])];
            if !traces.is_empty() {
                let here = &content[at - 1..];
                if let Some(trace) = traces.iter().find(|trace| here.starts_with(&trace.bytes)) {
                    return Some(&trace.what);
                }
            }
        }
        None
    }
}

fn start(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

#[test]
fn the_search_finds_what_is_there() {
    let search = Search::of(traces_of_text("name", PATIENT.name));
    assert_eq!(search.found_in(b"nothing of the kind"), None);
    for (form, bytes) in [
        ("name in UTF-8", PATIENT.name.as_bytes().to_vec()),
        ("name in GBK", GBK.encode(PATIENT.name).0.into_owned()),
    ] {
        let content = [b"before", &bytes[..], b"after"].concat();
        assert_eq!(search.found_in(&content), Some(form));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_personal_is_readable_on_disk_or_in_what_is_said() {
    let mut hospital = Hospital::open();
    let stage = &hospital.stage;
    // Everything that touches a person, refusals included.
    stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    hospital.refused(
        CLERK.key,
        &["resident", "register", "--file", &stage.path("records/resident.json").to_string_lossy()],
        "ALREADY_REGISTERED",
    );
    hospital.granted(CLERK.key, &["resident", "get", &hospital.resident_id]);
    let numbers = bind_numbers(&hospital);
    let visit = relay::open_visit(&hospital).await;
    let issued = hospital.granted(
        "doctor",
        &[
            "token",
            "issue",
            "--visit",
            &visit,
            "--grade",
            "2",
            "--classes",
            "health",
            "--audience",
            "emr.example",
        ],
    );

    let mut traces = Vec::new();
    for resident in [PATIENT, SOMEBODY_ELSE] {
        traces.extend(traces_of_text("name", resident.name));
        traces.extend(traces_of_text("ID number", resident.id_number));
        traces.extend(traces_of_text("phone", resident.phone));
    }
    for (what, number) in &numbers {
        traces.extend(traces_of_text(what, number));
    }
    for staff in STAFF {
        traces.extend(traces_of_text("name of staff", staff.name));
    }
    for who in ["operator", "clerk", "desk", "doctor", "auditor"] {
        let key = scalar(&stage.identity(who).join("key.pem"));
        traces.extend(traces_of_key(&format!("key of the {who}"), &key));
    }
    for key in card_keys(&fs::read_to_string(hospital.card_image()).unwrap()) {
        traces.extend(traces_of_key("key of the card", &key));
    }
    let passphrase = fs::read(stage.path("passphrase")).unwrap();
    traces.push(Trace { what: "passphrase".to_owned(), bytes: passphrase });
    let session = fs::read_to_string(stage.identity("doctor").join("session")).unwrap();
    let session: serde_json::Value = serde_json::from_str(&session).unwrap();
    let secret = text(&session, "token");
    traces.push(Trace { what: "secret of a session".to_owned(), bytes: secret.into_bytes() });
    // A token is its holder's; what may stand in the log is its number.
    let token = text(&issued, "token");
    traces.push(Trace { what: "token".to_owned(), bytes: token.into_bytes() });
    // So is a code of an electronic card, and the id in it.
    let order = ["card", "code", "apply", "--resident", &hospital.resident_id];
    hospital.granted(CLERK.key, &order);
    for form in ["dynamic", "signed"] {
        let order = ["card", "code", "create", "--resident", &hospital.resident_id];
        let made = hospital.granted("emr", &[&order[..], &["--form", form]].concat());
        let code = text(&made, "code");
        let file = stage.path("records/code");
        fs::write(&file, &code).unwrap();
        let order = ["card", "code", "verify", "--code", &file.to_string_lossy()];
        hospital.granted("desk", &order);
        hospital.refused("desk", &order, "CODE_USED");
        if form == "dynamic" {
            let id = hex::decode(&code[..64]).unwrap();
            traces.extend(traces_of_key("id of an electronic card", &id));
            traces.extend(traces_of_text("changing part of a code", &code[67..]));
        }
        traces.push(Trace { what: format!("{form} code"), bytes: code.into_bytes() });
    }
    assert!(traces.len() > 60);
    let search = Search::of(traces);

    // While it runs, with the write-ahead log beside the database, and after it has ended.
    for state in ["running", "ended"] {
        if state == "ended" {
            assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
        }
        let mut scanned = Vec::new();
        files(&hospital.stage.path("data"), &mut scanned);
        files(&hospital.stage.path("log"), &mut scanned);
        // The operator's own key is where the operator keeps it.
        scanned.retain(|file| {
            !file.ends_with("operator/key.pem") && !file.ends_with("operator/session")
        });
        assert!(scanned.iter().any(|file| file.ends_with("healthcard.db")), "{scanned:?}");
        assert!(scanned.iter().any(|file| file.ends_with("log/healthcardd")), "{scanned:?}");
        for file in scanned {
            let content = fs::read(&file).unwrap();
            let found = search.found_in(&content);
            assert_eq!(found, None, "{state}: {file:?}");
        }
    }
}

/// Binds numbers to the patient, one of them also to somebody else, takes one back, and searches by them; what of it
/// must stand nowhere in clear.
fn bind_numbers(hospital: &Hospital) -> Vec<(&'static str, String)> {
    let stage = &hospital.stage;
    let bound = [
        ("passport number", "passport", "CHN", "EA9900017"),
        ("social security card number", "social-security-card", "990000", "Z99000017"),
        ("hospital number", "medical-record", "", "ZY9900000017"),
        ("officer's card number", "officer-card", "", "军字第9900017号"),
    ];
    let remark = "原件已核对张演示";
    let note = stage.write("records/note.txt", remark.as_bytes()).unwrap();
    let note = note.to_string_lossy().into_owned();
    for (what, kind, issuer, number) in bound {
        let record = serde_json::json!({ "issuer": issuer, "number": number }).to_string();
        let file = stage.write("records/number.json", record.as_bytes()).unwrap();
        let file = file.to_string_lossy().into_owned();
        let number = ["--kind", kind, "--file", &file];
        let bind = ["resident", "bind", "--basis", "document-seen", "--resident"];
        let bind = [&bind[..], &[&hospital.resident_id], &number[..]].concat();
        let made = hospital.granted(CLERK.key, &bind);
        hospital.granted(CLERK.key, &[&["resident", "find-number"], &number[..]].concat());
        hospital.refused(CLERK.key, &bind, "ALREADY_REGISTERED");
        if what == "hospital number" {
            let id = text(&made, "binding_id");
            let reason = ["--reason", "mistake", "--note", &note];
            let unbind = [&["resident", "unbind", &id], &reason[..]].concat();
            hospital.granted(CLERK.key, &unbind);
            hospital.refused(CLERK.key, &unbind, "STATE_CONFLICT");
        }
    }
    let other = serde_json::json!({ "issuer": "CHN", "number": "no passport EA9900017" });
    let other = stage.write("records/number.json", other.to_string().as_bytes()).unwrap();
    let other = ["--kind", "passport", "--file", &other.to_string_lossy()];
    let find = [&["resident", "find-number"], &other[..]].concat();
    hospital.refused(CLERK.key, &find, "FIELD_INVALID");
    // The same name and date of birth again: refused, then decided on with grounds that name somebody.
    let twin = serde_json::json!({ "name": PATIENT.name, "id_number": "990000194906120031" });
    let twin = stage.write("records/twin.json", twin.to_string().as_bytes()).unwrap();
    let register = ["resident", "register", "--file", &twin.to_string_lossy()];
    let asked = hospital.refused(CLERK.key, &register, "LOOK_ALIKE");
    let case = text(&asked, "case");
    let decision = ["--case", &case, "--decide", "different-people", "--grounds", &note];
    hospital.granted(CLERK.key, &[&register[..], &decision[..]].concat());
    hospital.granted(CLERK.key, &["resident", "bindings", &hospital.resident_id]);
    let mut traces: Vec<_> =
        bound.iter().map(|(what, .., number)| (*what, (*number).to_owned())).collect();
    traces.push(("grounds of a decision", remark.to_owned()));
    traces.push(("ID number of a look-alike", "990000194906120031".to_owned()));
    traces
}

/// The sixteen-byte keys of a card image.
fn card_keys(image: &str) -> Vec<Vec<u8>> {
    let keys: Vec<Vec<u8>> = image
        .split('"')
        .filter(|part| part.len() == 32)
        .filter_map(|part| hex::decode(part).ok())
        .collect();
    assert!(keys.len() >= 2, "no keys in the card image");
    keys
}
