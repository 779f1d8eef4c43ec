//! Packages of evidence: one file that a court checks by three programs apart, and years later with other keys.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use audit::package::Container;
use proto::v1::audit_client::AuditClient;
use proto::v1::{AuditCertificatesRequest, AuditKeysRequest};
use serde_json::{Value, json};
use service::demo::people::{CLERK, DOCTOR};
use service::demo::stage::OPERATOR;
use tests::counter::Counter;
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, text};
use tests::python::{AuditCheck, audit_check};
use tests::relay::open_visit;

mod court;

use self::court::{Court, Members, Page, Said, find, members, packed, python, said, witnessed};

/// Exit codes of `healthcard audit check`.
const VALID: i32 = 0;
const TAMPERED: i32 = 4;
const UNVERIFIABLE: i32 = 5;

/// What signs, and is signed by another of them.
const SIGNING: [&str; 3] = ["manifest.txt", "manifest.p7s", "time-stamp.tsr"];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_package_is_believed_by_three_programs_apart() {
    let mut hospital = Hospital::open();
    let witness = witnessed(&mut hospital);
    let visit = open_visit(&hospital).await;
    let order = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    hospital.granted(DOCTOR.key, &[&order[..], &["--audience", "emr"]].concat());
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let (history, _) = counter.history(&hospital.resident_id.clone(), &presence).await.unwrap();
    let court = Court::of(hospital);
    let history = court.file("history", history.as_bytes()).to_string_lossy().into_owned();
    let root = court.root("authorities");
    let page = court.path("checker.html");
    court.hospital.granted("auditor", &["audit", "checker", "--out", &page.to_string_lossy()]);
    let mut page = Page::open(&page);
    let reason = ["--reason", "卫健委投诉 2026-118"];
    let nothing = court.path("nothing.zip");
    let order = ["audit", "package", "--from", "9", "--until", "9", "--out"];
    let order = [&order[..], &[nothing.to_str().unwrap()]].concat();
    court.hospital.refused("auditor", &order, "PACKAGE_EMPTY");
    assert!(!nothing.exists());
    for (name, selection) in [
        ("whole.zip", &[][..]),
        ("part.zip", &["--from", "9", "--until", "16"]),
        ("history.zip", &["--history", &history]),
    ] {
        let (file, made) = court.package(name, &[selection, &reason].concat());
        assert!(made["members"].as_array().unwrap().len() > 10, "{made}");
        let good = ("valid".to_owned(), BTreeSet::new());
        let (code, alone) = court.check(&file, &[]);
        assert_eq!((code, said(&alone)), (VALID, good.clone()), "{name}: {alone}");
        assert_eq!(
            (&alone["verifier_key_source"], &alone["package"]["root_source"]),
            (&json!("file"), &json!("file"))
        );
        assert_eq!(alone["package"]["reason"], reason[1]);
        assert!(alone["package"]["certificates"].as_u64().unwrap() > 0, "{alone}");
        assert_eq!(alone["witnesses"][0]["witness"], "patients.example", "{alone}");
        let all =
            ["--verifier-key", &court.log_key, "--ca", &root, "--witness", &witness, "--online"];
        let (code, report) = court.check(&file, &all);
        assert_eq!((code, said(&report)), (VALID, good.clone()), "{name}: {report}");
        assert_eq!(report["today"]["goes_on"], true, "{report}");
        assert_eq!(report["package"]["root_source"], "given");
        let theirs = python(&file);
        assert_eq!(said(&theirs), good, "{name}: {theirs}");
        assert_eq!(
            theirs["witnesses"],
            json!([{ "witness": "patients.example", "size": alone["witnesses"][0]["size"] }])
        );
        assert_eq!(page.says(&file), good, "{name}: {}", page.text());
        for shown in ["patients.example", reason[1], "此处未核对", "证据包完好"] {
            assert!(page.text().contains(shown), "{shown}: {}", page.text());
        }
        openssl_checks(&file);
        let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("checker-{name}.png"));
        fs::write(picture, page.0.picture()).unwrap();
    }
    // Whoever trusts a witness who signed nothing is told so; so is whoever trusts another root.
    let strange = court.hospital.granted("stranger", &["key", "new"]);
    drop(strange);
    let begin = ["witness", "begin", "--label", "other.example", "--verifier-key", &court.log_key];
    let other = text(&court.hospital.granted("stranger", &begin), "witness_key");
    let file = court.path("whole.zip");
    assert_eq!(court.check(&file, &["--witness", &other]).0, UNVERIFIABLE);
    let foreign = Hospital::founded();
    let out = foreign.stage.path("authorities").to_string_lossy().into_owned();
    foreign.granted("auditor", &["authority", "export", "--out", &out]);
    let (code, report) = court.check(&file, &["--ca", &format!("{out}/root.pem")]);
    assert_eq!(code, UNVERIFIABLE, "{report}");
    assert!(report["missing"][0].as_str().unwrap().contains("believed only as far as"), "{report}");
    let (code, report) = court.check(&file, &["--verifier-key", &foreign.verifier_key()]);
    assert_eq!((code, report["findings"].as_array().unwrap().len()), (UNVERIFIABLE, 0), "{report}");
    // The log of another service does not go on from it.
    let answer = foreign.ask("auditor", &["audit", "check", &file.to_string_lossy(), "--online"]);
    assert_eq!(answer.code, TAMPERED, "{}", answer.body);
}

/// The commands that a package names for whoever has openssl alone.
fn openssl_checks(file: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let mut readme = String::new();
    for (name, octets) in members(file) {
        let path = directory.path().join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name == "README.md" {
            readme = String::from_utf8(octets.clone()).unwrap();
        }
        fs::write(path, octets).unwrap();
    }
    let (_, commands) = readme.split_once("```sh\n").unwrap();
    let (commands, _) = commands.split_once("```").unwrap();
    let run =
        Command::new("sh").arg("-ec").arg(commands).current_dir(directory.path()).output().unwrap();
    let [told, wrong] =
        [&run.stdout, &run.stderr].map(|it| String::from_utf8_lossy(it).into_owned());
    assert!(run.status.success() && !told.contains("altered"), "{told} {wrong}");
    assert!(told.contains("Signature Verified Successfully"), "{told} {wrong}");
    assert!(told.contains("signer.pem: OK"), "{told} {wrong}");
    // The digest that was signed is that of the manifest, and the time that of the signature.
    let digest = |name: &str| {
        let found = told
            .lines()
            .find_map(|line| line.strip_prefix(&format!("SM3({name})= ")).map(str::to_owned));
        found.unwrap_or_else(|| panic!("{told}"))
    };
    let hex = |line: &str| -> String {
        let dump = line.split_once(" - ").map_or("", |(_, dump)| dump);
        let dump = dump.split_once("   ").map_or(dump, |(dump, _)| dump);
        dump.chars().filter(char::is_ascii_hexdigit).collect()
    };
    let dumped: String = told.lines().map(hex).collect();
    for name in ["manifest.txt", "manifest.p7s"] {
        assert!(dumped.contains(&digest(name)), "{name}: {told}");
    }
}

#[test]
fn whatever_is_altered_is_found_by_all() {
    let mut hospital = Hospital::open();
    witnessed(&mut hospital);
    let court = Court::of(hospital);
    let (file, _) = court.package("whole.zip", &[]);
    let page = court.path("checker.html");
    court.hospital.granted("auditor", &["audit", "checker", "--out", &page.to_string_lossy()]);
    let mut page = Page::open(&page);
    let mut python = AuditCheck::start(&court.log_key);
    let whole = members(&file);
    type Change = fn(&mut Members, usize);
    let changes: [(&str, Change); 5] = [
        ("one octet", |it, at| {
            let middle = it[at].1.len() / 2;
            it[at].1[middle] ^= 1;
        }),
        ("cut off", |it, at| {
            let half = it[at].1.len() / 2;
            it[at].1.truncate(half);
        }),
        ("removed", |it, at| drop(it.remove(at))),
        ("another's in its place", |it, at| it[at].1 = it[(at + 1) % it.len()].1.clone()),
        ("twice", |it, at| {
            let twice = (format!("status/{at}.crl"), it[at].1.clone());
            it.insert(at, twice);
        }),
    ];
    let mut altered = 0;
    for at in 0..whole.len() {
        // Certificates of those who acted are alike: the first few stand for them.
        if whole[at].0.starts_with("certificates/")
            && at > 6
            && !whole[at].0.ends_with("authorities.pem")
        {
            continue;
        }
        for (what, change) in &changes {
            let mut members = whole.clone();
            change(&mut members, at);
            let file = court.file("altered.zip", &packed(&members));
            let (what, name) = (format!("{what}: {}", whole[at].0), &whole[at].0);
            let (code, report) = court.check(&file, &[]);
            let ours = said(&report);
            // Without a manifest, or with half of one, nothing says what was signed.
            let lost = name == "manifest.txt" && code == UNVERIFIABLE;
            assert!(code == TAMPERED || lost, "{what}: {report}");
            let theirs = python.ask(&file);
            assert_eq!(said(&theirs).0, ours.0, "{what}: {report} {theirs}");
            let shown = page.says(&file);
            assert_eq!(shown.0, ours.0, "{what}: {shown:?} {report}");
            if !lost {
                // Of a signature and what it is over either may have been altered.
                let both =
                    |one: &str, other: &str| [one, other].iter().all(|it| SIGNING.contains(it));
                let about = |said: &Said| {
                    said.1.iter().any(|(_, member)| {
                        member == name || member.starts_with("status/") || both(name, member)
                    })
                };
                let all = [&ours, &said(&theirs), &shown];
                assert!(all.into_iter().all(about), "{what}: {report} {theirs} {shown:?}");
            }
            altered += 1;
        }
    }
    assert!(altered > 80, "{altered}");
    // Somebody writes everything anew but cannot sign: an entry, and the manifest over it.
    let mut forged = whole.clone();
    let entries = find(&forged, "entries.txt");
    let text_of = String::from_utf8(forged[entries].1.clone()).unwrap();
    forged[entries].1 = text_of.replacen("granted", "refused", 1).into_bytes();
    let digests: Vec<_> = {
        let file = court.file("forged.zip", &packed(&forged));
        let mut container = Container::open(File::open(file).unwrap()).unwrap();
        let listed = container.members().to_vec();
        listed
            .iter()
            .map(|it| (it.name.clone(), container.contents(it).unwrap().unwrap()))
            .collect()
    };
    let manifest = find(&forged, "manifest.txt");
    let mut anew =
        audit::package::Manifest::read(std::str::from_utf8(&forged[manifest].1).unwrap()).unwrap();
    for (name, contents) in &mut anew.members {
        *contents = digests.iter().find(|(it, _)| it == name).unwrap().1;
    }
    forged[manifest].1 = anew.to_string().into_bytes();
    let file = court.file("forged.zip", &packed(&forged));
    for (_, found) in [said(&court.check(&file, &[]).1), said(&python.ask(&file)), page.says(&file)]
    {
        let not_signed = ("member_not_signed".to_owned(), "manifest.p7s".to_owned());
        assert!(
            found.contains(&not_signed) && found.iter().any(|(kind, _)| kind == "altered"),
            "{found:?}"
        );
    }
    // What is no package, or was packed by another program, is told to be none.
    let octets = fs::read(court.path("whole.zip")).unwrap();
    let repacked = court.path("again.zip");
    let script = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as to:\n \
                  with zipfile.ZipFile(sys.argv[1]) as of:\n  [to.writestr(it, of.read(it)) for it in of.namelist()]";
    let mut again = Command::new("python3");
    again.args(["-c", script]).arg(court.path("whole.zip")).arg(&repacked);
    assert!(again.status().unwrap().success());
    for octets in [
        &octets[..octets.len() - 1],
        &octets[..100],
        b"PK\x03\x04",
        &[&octets[..], b"x"].concat(),
        &fs::read(repacked).unwrap(),
    ] {
        let file = court.file("none.zip", octets);
        let (code, report) = court.check(&file, &[]);
        assert_eq!(
            (code, &report["error"]["reason"]),
            (UNVERIFIABLE, &json!("PACKAGE_UNREADABLE")),
            "{report}"
        );
        assert_eq!(said(&python.ask(&file)).0, "unverifiable");
        assert_eq!(page.says(&file).0, "unverifiable");
    }
    // One with a history of a resident of whom entries were removed is read as any: what it lacks is who signed it.
    let history =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/history/package-removed.zip"));
    let file = court.file("removed.zip", &fs::read(history).unwrap());
    let is_signing =
        |member: &str| SIGNING.contains(&member) || member.starts_with("certificates/");
    for (verdict, found) in
        [said(&court.check(&file, &[]).1), said(&python.ask(&file)), page.says(&file)]
    {
        assert_eq!(verdict, "tampered");
        assert!(found.iter().all(|(_, member)| is_signing(member)), "{found:?}");
    }
}

#[test]
fn a_package_is_checked_years_later_with_other_keys() {
    let mut court = Court::of(Hospital::open());
    let mut keys = vec![court.log_key.clone()];
    let rotate = |court: &mut Court| {
        court.stop();
        let finished = court.hospital.healthcardd(&["keys", "rotate", "soft:log", "--at-once"]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        court.hospital.stage.serve().unwrap();
        court.hospital.verifier_key()
    };
    let (first, _) = court.package("first.zip", &[]);
    let held = court.path("held").to_string_lossy().into_owned();
    court.hospital.granted("auditor", &["audit", "checkpoint", "--out", &held]);
    keys.push(rotate(&mut court));
    let (second, _) = court.package("second.zip", &[]);
    let (early, _) = court.package("early.zip", &["--until", "12"]);
    keys.push(rotate(&mut court));
    let (third, _) = court.package("third.zip", &[]);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 3, "three keys of one log");
    // Offline: with the key of its time; with an earlier one as far as that signed; with a later one not at all.
    let verdict = |file: &Path, key: &str| {
        let ours = court.check(file, &["--verifier-key", key]);
        let output = audit_check().args(["--verifier-key", key]).arg(file).output().unwrap();
        let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(ours.1["verdict"], theirs["verdict"], "{} {theirs}", ours.1);
        (ours.0, ours.1)
    };
    for (what, file, key, expected) in [
        ("of its time", &first, 0, VALID),
        ("of its time", &second, 1, VALID),
        ("of its time", &third, 2, VALID),
        ("an earlier one, which signed all of it", &early, 0, VALID),
        ("an earlier one, which did not", &second, 0, UNVERIFIABLE),
        ("an earlier one, which did not", &third, 1, UNVERIFIABLE),
        ("a later one", &first, 2, UNVERIFIABLE),
    ] {
        let (code, report) = verdict(file, &keys[key]);
        assert_eq!(code, expected, "{what}: {report}");
        assert_eq!(report["findings"], json!([]), "{what}: {report}");
    }
    // With the service of today any of the keys that trusts the log of today will do.
    for file in [&first, &second, &third] {
        let (code, report) = court.check(file, &["--verifier-key", &keys[2], "--online"]);
        assert_eq!(
            (code, &report["today"]["verifier_key_source"]),
            (VALID, &json!("given")),
            "{report}"
        );
    }
    let export = court.path("export").to_string_lossy().into_owned();
    court.hospital.granted("auditor", &["audit", "export", "--out", &export]);
    let fourth = rotate(&mut court);
    let (code, report) = court.check(Path::new(&export), &["--verifier-key", &fourth]);
    assert_eq!(code, UNVERIFIABLE, "{report}");
    let (code, report) = court.check(Path::new(&export), &["--verifier-key", &fourth, "--online"]);
    assert_eq!((code, &report["today"]["goes_on"]), (VALID, &json!(true)), "{report}");
    // A checkpoint that the first key signed is proved to be the beginning of the log over three more.
    let order = [
        "audit",
        "consistency",
        "--checkpoint",
        &held,
        "--held-key",
        &keys[0],
        "--verifier-key",
        &fourth,
    ];
    assert_eq!(court.hospital.granted("auditor", &order)["consistent"], true);

    // The authority gets another key, and the auditor's certificate is revoked: what was made before stays good.
    let root = court.root("authorities");
    court.stop();
    let finished = court.hospital.healthcardd(&["keys", "succeed-authority", "ca-people"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    court.hospital.stage.serve().unwrap();
    let (later, _) = court.package("later.zip", &[]);
    assert_eq!(court.check(&later, &["--ca", &root]).0, VALID);
    let serial =
        text(&court.hospital.granted("auditor", &["key", "show"])["certificate"], "serial");
    let order = ["identity", "revoke", "--serial", &serial, "--reason", "key-compromise"];
    court.hospital.granted(OPERATOR, &order);
    for file in [&third, &later] {
        let (code, report) = court.check(file, &["--ca", &root]);
        assert_eq!(
            (code, &report["package"]["signer_revoked_since"]),
            (VALID, &Value::Null),
            "{report}"
        );
        let (code, report) = court.check(file, &["--ca", &root, "--online"]);
        assert_eq!(code, VALID, "{report}");
        assert!(report["package"]["signer_revoked_since"].is_string(), "{report}");
    }
}

#[tokio::test]
async fn certificates_of_entries_are_given_to_auditors_by_number() {
    let hospital = Hospital::open();
    let serial = text(&hospital.granted("auditor", &["key", "show"])["certificate"], "serial");
    let mut auditor = AuditClient::new(log_in(&hospital.stage, "auditor").await);
    let asked = |serials: &[&str]| AuditCertificatesRequest {
        serials: serials.iter().map(|it| (*it).to_owned()).collect(),
    };
    let many = vec![&*serial; 101];
    let upper = serial.to_uppercase();
    for refused in
        [&[][..], &many, &[""], &[&upper], &["5"], &["0x5a"], &["5a\n"], &[&"5a".repeat(21)]]
    {
        let refused = auditor.certificates(asked(refused)).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID", "{refused}");
    }
    let found = auditor.certificates(asked(&["5a5a", &serial])).await.unwrap().into_inner();
    let own = fs::read(hospital.stage.identity("auditor").join("certificate.der")).unwrap();
    assert_eq!(found.certificates, [own], "those that are on record");
    let keys = auditor.keys(AuditKeysRequest {}).await.unwrap().into_inner();
    assert_eq!((keys.keys.len(), keys.identity_id), (1, hospital.staff["auditor"].clone()));
    // Nobody else is told, and both questions are in the log.
    let mut clerk = AuditClient::new(log_in(&hospital.stage, CLERK.key).await);
    let refused = clerk.certificates(asked(&[&serial])).await.unwrap_err();
    assert_eq!(reason(&refused), "ROLE_NOT_ALLOWED");
    let refused = clerk.keys(AuditKeysRequest {}).await.unwrap_err();
    assert_eq!(reason(&refused), "ROLE_NOT_ALLOWED");
    let found =
        hospital.granted("auditor", &["audit", "search", "--action", "audit.read"]).to_string();
    for kind in ["certificates", "keys"] {
        assert!(found.contains(&format!("\"kind\":\"{kind}\"")), "{kind}: {found}");
    }
}

#[test]
fn the_log_of_a_running_service_is_checked_where_it_is() {
    let mut hospital = Hospital::open();
    let witness = witnessed(&mut hospital);
    let court = Court::of(hospital);
    let log_key = court.log_key.clone();
    let online = ["audit", "check", "--online"];
    let alone = court.hospital.granted("auditor", &online);
    assert_eq!(
        (&alone["verdict"], &alone["verifier_key_source"]),
        (&json!("valid"), &json!("service"))
    );
    let with = [&online[..], &["--verifier-key", &log_key, "--witness", &witness]].concat();
    let report = court.hospital.granted("auditor", &with);
    assert_eq!((&report["verdict"], &report["today"]["goes_on"]), (&json!("valid"), &json!(true)));
    assert_eq!(report["entries_checked"], report["size"]);
    assert!(report["witnesses"][0]["size"].as_u64().unwrap() > 0, "{report}");
    // Only auditors read the log, and a package is made by nobody else.
    court.hospital.refused(CLERK.key, &online, "ROLE_NOT_ALLOWED");
    let out = court.path("clerk.zip").to_string_lossy().into_owned();
    court.hospital.refused(CLERK.key, &["audit", "package", "--out", &out], "ROLE_NOT_ALLOWED");
    let left: Vec<_> =
        fs::read_dir(court.path("")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("clerk")), "{left:?}");
    court.hospital.refused(
        "auditor",
        &["audit", "package", "--out", &out, "--reason", "a\nb"],
        "REASON_UNUSABLE",
    );
    // Entries that were altered below the service are named, and become no package.
    let db = rusqlite::Connection::open(court.hospital.database()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let alter = "UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), 'granted', 'refused') AS BLOB) WHERE position = 3";
    assert_eq!(db.execute(alter, []).unwrap(), 1);
    drop(db);
    let answer = court.hospital.ask("auditor", &with);
    assert_eq!(
        (answer.code, &answer.body["findings"][0]["position"]),
        (TAMPERED, &json!(3)),
        "{}",
        answer.body
    );
    let answer = court.hospital.ask("auditor", &["audit", "package", "--out", &out]);
    assert_eq!(answer.code, TAMPERED, "{}", answer.body);
    assert!(!Path::new(&out).exists());
}
