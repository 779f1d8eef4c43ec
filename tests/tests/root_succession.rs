//! The root gets another key: nobody else needs anything new, and whoever trusts the one before finds to the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ca::Certificate;
use serde_json::Value;
use service::demo::people::{CLERK, DOCTOR};
use service::demo::programs::{Background, Program};
use service::demo::tamper;
use tests::hospital::{Hospital, text};
use tests::{national, relay};

/// `keys succeed-root`; what it says, in JSON.
fn succeed(hospital: &Hospital) -> Value {
    let finished = hospital.healthcardd(&["keys", "succeed-root", "--json"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.json().unwrap()
}

/// How many versions the root's key has.
fn versions(hospital: &Hospital) -> usize {
    let listed = hospital.healthcardd(&["keys", "list", "--json"]);
    listed.stdout.lines().filter(|line| line.contains("\"soft:ca-root\"")).count()
}

fn export(hospital: &Hospital, name: &str) -> PathBuf {
    let out = hospital.stage.path(name);
    hospital.granted("auditor", &["authority", "export", "--out", &out.to_string_lossy()]);
    out
}

/// Whether openssl believes that the key of `issuer` made `certificate`.
fn openssl_links(certificate: &Path, issuer: &Path) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-partial_chain", "-x509_strict"]);
    openssl.args(["-vfyopt", "distid:1234567812345678", "-trusted"]).arg(issuer).arg(certificate);
    openssl.output().expect("openssl is installed").status.success()
}

/// The certificates of a file, each in a file of its own.
fn apart(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let ends = text.split_inclusive("-----END CERTIFICATE-----\n").enumerate();
    let write = |(number, one): (usize, &str)| {
        let path = file.with_extension(number.to_string());
        fs::write(&path, one).unwrap();
        path
    };
    ends.map(write).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_next_key_takes_over_and_the_one_before_leads_to_it() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let record = hospital.stage.write("records/note.txt", b"progress note\n").unwrap();
    let signature = hospital.stage.path("records/note.p7s").to_string_lossy().into_owned();
    let record = record.to_string_lossy().into_owned();
    let sign = ["sign", "--visit", &visit, "--type", "progress-note"];
    let files = ["--file", &record, "--out", &signature];
    hospital.granted(DOCTOR.key, &[&sign[..], &files].concat());
    let verify = ["verify", "--file", &record, "--signature", &signature];
    hospital.granted("auditor", &verify);
    let first = export(&hospital, "first");
    hospital.stage.server().unwrap().end().unwrap();

    // Of a root that is not in force nothing is succeeded.
    let root_pem = hospital.stage.path("data/root.pem");
    let issuers = fs::read(first.join("issuers.pem")).unwrap();
    for other in [&issuers[..], b"no certificate"] {
        fs::write(&root_pem, other).unwrap();
        let refused = hospital.healthcardd(&["keys", "succeed-root"]);
        assert_eq!(refused.code, 1, "{}", refused.stdout);
        assert!(refused.stderr.contains("root.pem"), "{}", refused.stderr);
    }
    fs::copy(first.join("root.pem"), &root_pem).unwrap();
    assert_eq!(versions(&hospital), 1);
    let rotate = hospital.healthcardd(&["keys", "rotate", "soft:ca-root"]);
    assert!(rotate.code == 1 && rotate.stderr.contains("succeed-root"), "{}", rotate.stderr);

    let said = succeed(&hospital);
    assert_ne!(said["root"], said["before"]);
    assert_eq!(versions(&hospital), 2);
    // The old certificate again, as after a crash before it was replaced: it is not succeeded twice.
    fs::copy(first.join("root.pem"), &root_pem).unwrap();
    let again = succeed(&hospital);
    assert_eq!((&said["succeeded"], &again["succeeded"]), (&true.into(), &false.into()));
    assert_eq!((&again["root"], &again["before"]), (&said["root"], &said["before"]));
    assert_eq!(versions(&hospital), 2);

    hospital.stage.serve().unwrap();
    let second = export(&hospital, "second");
    let [old, new] = [&first, &second].map(|folder| folder.join("root.pem"));
    assert_eq!(fs::read(&root_pem).unwrap(), fs::read(&new).unwrap());
    // Everybody goes on with what they have.
    hospital.granted(DOCTOR.key, &["session", "open"]);
    hospital.granted("auditor", &verify);
    hospital.granted(DOCTOR.key, &[&sign[..], &files].concat());
    hospital.granted("auditor", &verify);
    assert_eq!(hospital.granted(CLERK.key, &["authority", "status"])["status"], "good");
    // What the root of before has made is not called forged.
    let people = first.join("ca-people.cer").to_string_lossy().into_owned();
    let status = ["authority", "status", "--certificate", &people];
    hospital.refused("auditor", &status, "STATUS_FOREIGN");
    // The links, as openssl sees them.
    let links = apart(&second.join("links.pem"));
    let [new_with_old, old_with_new] = links.as_slice() else { panic!("{links:?}") };
    assert!(openssl_links(new_with_old, &old) && !openssl_links(new_with_old, &new));
    assert!(openssl_links(old_with_new, &new) && !openssl_links(old_with_new, &old));
    for people in [apart(&first.join("issuers.pem")), apart(&second.join("issuers.pem"))].concat() {
        let before = people.starts_with(&first);
        assert_eq!(openssl_links(&people, &new), !before, "{}", people.display());
        let link = if before { old_with_new } else { new_with_old };
        assert!(openssl_links(&people, link), "{}", people.display());
    }

    // Once more: from either root of before to the one in force, and from nobody else's.
    hospital.stage.server().unwrap().end().unwrap();
    succeed(&hospital);
    hospital.stage.serve().unwrap();
    let third = export(&hospital, "third");
    // The last list of each root is served beside the one in force, which is another.
    let (_, in_force) = tests::http::get(&hospital, "/crl/ca-root.crl");
    for number in [1, 2] {
        let saved = fs::read(third.join(format!("root-before-{number}.crl"))).unwrap();
        let path = format!("/crl/ca-root-before-{number}.crl");
        let (head, served) = tests::http::get(&hospital, &path);
        assert!(head.contains("application/pkix-crl"), "{head}");
        assert_eq!(served, saved, "{path}");
        assert_ne!(served, in_force);
    }
    for other in ["0", "3", "01", "+1", "", "1-delta"] {
        let path = format!("/crl/ca-root-before-{other}.crl");
        let (head, _) = tests::http::get(&hospital, &path);
        assert!(head.contains(" 404 "), "{path}: {head}");
    }
    assert_eq!(apart(&third.join("links.pem")).len(), 4);
    let out = hospital.stage.path("checked").to_string_lossy().into_owned();
    let known = |file: &Path| {
        let file = file.to_string_lossy().into_owned();
        hospital.ask("auditor", &["authority", "export", "--known", &file, "--out", &out])
    };
    for root in [&old, &new, &third.join("root.pem")] {
        known(root).granted().unwrap();
    }
    let foreign = Hospital::founded();
    for other in [&foreign.stage.path("data/root.pem"), &apart(&third.join("issuers.pem"))[0]] {
        let refused = known(other);
        assert_eq!(refused.code, 4, "{}", refused.body);
        assert_eq!(refused.body["error"]["reason"], "ROOT_NOT_VOUCHED_FOR");
    }
    let verdict = hospital.ask("auditor", &verify);
    assert_eq!(verdict.code, 0, "{}", verdict.body);
    let signed = recorded(&hospital);
    assert_eq!(signed.len(), 2);
    let root = Certificate::from_pem(&fs::read_to_string(third.join("root.pem")).unwrap()).unwrap();
    assert_eq!(text(&signed[1], "ca-root"), hex::encode(root.thumbprint()));
    let people = Certificate::parse(&fs::read(third.join("ca-people.cer")).unwrap()).unwrap();
    assert_eq!(text(&signed[1], "ca-people"), hex::encode(people.thumbprint()));

    // National TLS, for somebody who trusts the first root still: over both links.
    let address = national::open(&mut hospital);
    let programs = hospital.stage.programs();
    let mut command = programs.command(Program::Healthcard);
    command.args(["--json", "--server", &format!("national://{address}"), "--national-root"]);
    command.arg(&old).arg("--as").arg(hospital.stage.identity(DOCTOR.key));
    command.args(["visit", "list"]);
    let finished = programs.finish(Program::Healthcard, command).unwrap();
    assert_eq!(finished.code, 0, "{} {}", finished.stdout, finished.stderr);
}

/// What the log says of the successions that were carried out, the oldest first.
fn recorded(hospital: &Hospital) -> Vec<Value> {
    let order = ["audit", "search", "--action", "root.succeed", "--page-size", "100"];
    let found = hospital.granted("auditor", &order);
    let details = found["entries"].as_array().unwrap().iter().map(|it| &it["entry"]["detail"]);
    let mut signed: Vec<_> = details.filter(|it| it["step"] == "signed").cloned().collect();
    // The newest comes first.
    signed.reverse();
    signed
}

/// Killed wherever it is, the succession goes on from there, by the same command or by a start.
#[test]
fn a_succession_that_is_killed_goes_on() {
    let mut hospital = Hospital::open();
    let first = export(&hospital, "first").join("root.pem");
    hospital.stage.server().unwrap().end().unwrap();
    let whole = std::time::Instant::now();
    succeed(&hospital);
    let whole = whole.elapsed();
    let mut before = versions(&hospital);
    for step in 1..=12 {
        let log = hospital.stage.path("log/succession");
        let order = hospital.healthcardd_command(&["keys", "succeed-root"]);
        let mut running = Background::start(Program::Healthcardd.name(), order, &log).unwrap();
        // Whether it ended by then or not: the last of them may.
        drop(running.ended(whole * step / 12));
        running.kill();
        if step % 3 == 0 {
            hospital.stage.serve().unwrap();
            hospital.granted(DOCTOR.key, &["session", "open"]);
            hospital.stage.server().unwrap().end().unwrap();
        }
        // Never more than the one that was ordered.
        let now = versions(&hospital);
        assert!(now <= before + 1, "step {step}: {before}, then {now}");
        before = now;
    }
    succeed(&hospital);
    hospital.stage.serve().unwrap();
    hospital.granted(DOCTOR.key, &["session", "open"]);
    let out = hospital.stage.path("checked").to_string_lossy().into_owned();
    let known = first.to_string_lossy().into_owned();
    hospital.granted("auditor", &["authority", "export", "--known", &known, "--out", &out]);
    let copy = hospital.stage.path("log/copy.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    assert_eq!(hospital.check_log(&copy).code, 0);
    // As many as there are certificates of before: none was made and forgotten.
    let links = apart(&export(&hospital, "all").join("links.pem"));
    assert_eq!(links.len(), 2 * recorded(&hospital).len());
}
