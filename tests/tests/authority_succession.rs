//! An issuing authority gets another key: what it issued stays good, with lists and answers by the key that issued it,
//! and everything from then on is issued by the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ca::Certificate;
use hsm::{
    KeyError, KeyUse, Keystore as _,
    soft::{Passphrase, SoftKeystore},
};
use serde_json::{Value, json};
use service::demo::people::{COLLEAGUE, DESK, DOCTOR};
use service::demo::programs::{Background, Program};
use service::demo::stage::{OPERATOR, REVIEWER};
use service::demo::tamper;
use tests::hospital::{Hospital, text};
use tests::http::get;
use tests::private::repository;
use tests::{national, relay};

use super::enrolments::newcomer;

/// `keys succeed-authority`, with the service stopped; what it says, in JSON.
fn succeed(hospital: &Hospital, name: &str) -> Value {
    let finished = hospital.healthcardd(&["keys", "succeed-authority", name, "--json"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.json().unwrap()
}

/// Why a command about keys was refused.
#[track_caller]
fn refused(hospital: &Hospital, order: &[&str]) -> String {
    let finished = hospital.healthcardd(order);
    assert_eq!(finished.code, 1, "{}", finished.stdout);
    finished.stderr
}

fn stop(hospital: &mut Hospital) {
    hospital.stage.server().unwrap().end().unwrap();
}

/// The keys of an authority and their uses, the oldest first.
fn keys(hospital: &Hospital, authority: &str) -> Vec<(String, String)> {
    let listed = hospital.healthcardd(&["keys", "list", "--json"]).stdout;
    let lines = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named = lines.filter(|line| text(line, "key").starts_with(&format!("soft:{authority}")));
    let mut keys: Vec<_> = named.map(|line| (text(&line, "key"), text(&line, "key_use"))).collect();
    keys.sort_by_key(|(key, _)| (key.len(), key.clone()));
    keys
}

fn export(hospital: &Hospital, name: &str) -> PathBuf {
    let out = hospital.stage.path(name);
    hospital.granted("auditor", &["authority", "export", "--out", &out.to_string_lossy()]);
    out
}

/// Somebody's certificate, and the authority that issued it.
fn certificate(directory: &Path) -> (Certificate, String) {
    let der = fs::read(directory.join("certificate.der")).unwrap();
    let certificate = Certificate::parse(&der).unwrap();
    let issuer = certificate.issuer().common_name().unwrap().to_owned();
    (certificate, issuer)
}

/// The certificate in a directory, renewed; in a directory of its own.
fn renewed(hospital: &Hospital, directory: &Path, name: &str) -> PathBuf {
    let serial = certificate(directory).0.serial().to_string();
    let out = hospital.stage.path("records").join(name);
    let order = ["identity", "renew", "--serial", &serial, "--out", &out.to_string_lossy()];
    hospital.granted(OPERATOR, &order);
    out
}

/// Puts a nurse on record who has a certificate from now.
fn nurse(hospital: &Hospital, who: &str) -> PathBuf {
    let id = newcomer(hospital, who, "nurse", &json!({ "department": "内科" }));
    hospital.stage.certify(who, &id, &[]).unwrap();
    hospital.granted(who, &["session", "open"]);
    hospital.stage.identity(who)
}

fn revoke(hospital: &Hospital, certificate: &Certificate) {
    let serial = certificate.serial().to_string();
    let order = ["identity", "revoke", "--serial", &serial, "--reason", "key-compromise"];
    hospital.granted(OPERATOR, &order);
}

fn script(name: &str, arguments: &[&Path]) -> Output {
    Command::new(repository().join("tests/interop").join(name)).args(arguments).output().unwrap()
}

/// Whether openssl believes a certificate by its chain and the root, and the list of the authority that issued it; and
/// whether it finds it revoked there, and in no list of another.
#[track_caller]
fn openssl_judges(authorities: &Path, directory: &Path) -> bool {
    let (certificate, issuer) = certificate(directory);
    let files = [directory.join("certificate.der"), directory.join("chain.pem")];
    let chain = script("verify-chain.sh", &[&files[0], &files[1], &authorities.join("root.pem")]);
    assert!(chain.status.success(), "{issuer}: {chain:?}");
    let (list, own) = (format!("{issuer}.crl"), format!("{issuer}.cer"));
    let signed = script("verify-crl.sh", &[&authorities.join(&list), &authorities.join(own)]);
    assert!(signed.status.success(), "{list}: {signed:?}");
    let serial = certificate.serial().to_string();
    let names = |list: &Path| script("read-crl.sh", &[list, Path::new(&serial)]).status.success();
    let others = fs::read_dir(authorities).unwrap().map(|it| it.unwrap().path());
    let mut others =
        others.filter(|it| it.extension().is_some_and(|it| it == "crl") && !it.ends_with(&list));
    assert!(!others.any(|list| names(&list)), "{serial} is in the list of another than {issuer}");
    names(&authorities.join(&list))
}

/// What openssl hears about a certificate from the responder of the authority that issued it, and Bouncy Castle says
/// to the same answer.
fn asked(hospital: &Hospital, authorities: &Path, directory: &Path) -> (String, String) {
    let (certificate, issuer) = certificate(directory);
    let cer = authorities.join(format!("{issuer}.cer"));
    let pem = cer.with_extension("pem");
    let read = Certificate::parse(&fs::read(&cer).unwrap()).unwrap();
    fs::write(&pem, read.to_pem()).unwrap();
    let response = hospital.stage.path("records/response.der");
    let serial = certificate.serial().to_string();
    let mut openssl = Command::new("openssl");
    openssl.args(["ocsp", "-sm3", "-no_nonce", "-issuer"]).arg(&pem);
    openssl.args(["-serial", &format!("0x{serial}")]);
    openssl.args(["-url", &format!("{}/ocsp", hospital.stage.url())]);
    // The signature is Bouncy Castle's to judge: this one verifies with the empty SM2 identifier.
    let output = openssl.args(["-noverify", "-respout"]).arg(&response).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = said.lines().find_map(|line| line.strip_prefix(&format!("0x{serial}: ")));
    let verified = script("verify-ocsp.sh", &[&response, &cer, Path::new(&serial)]);
    assert!(verified.status.success(), "{issuer}: {verified:?}");
    (status.unwrap_or(&said).to_owned(), String::from_utf8(verified.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_next_generation_issues_and_the_one_before_tells_how_stands_what_it_issued() {
    let mut hospital = Hospital::open();
    hospital
        .reconfigure(|settings| format!("public_url = \"http://ca.example.invalid\"\n{settings}"));
    let visit = relay::open_visit(&hospital).await;
    let record = hospital.stage.write("records/note.txt", b"progress note\n").unwrap();
    let record = record.to_string_lossy().into_owned();
    let signature = hospital.stage.path("records/note.p7s").to_string_lossy().into_owned();
    let sign = ["sign", "--visit", &visit, "--type", "progress-note"];
    let sign = [&sign[..], &["--file", &record, "--out", &signature]].concat();
    let verify = ["verify", "--file", &record, "--signature", &signature];
    hospital.granted(DOCTOR.key, &sign);
    let before = renewed(&hospital, &hospital.stage.identity(COLLEAGUE.key), "before");
    let first = export(&hospital, "first");

    // Not while the service runs, not of what is no issuing authority, and not with a keystore of others.
    let order = |name| ["keys", "succeed-authority", name];
    let running = refused(&hospital, &order("ca-people"));
    assert!(running.contains("服务正在运行") && running.contains("is running"), "{running}");
    stop(&mut hospital);
    for (name, told) in [
        ("ca-root", ["succeed-root", "请用"]),
        ("ca-nobody", ["authorities are", "签发机构"]),
        ("ca-people-g2", ["authorities are", "签发机构"]),
        ("soft:ca-people", ["authorities are", "签发机构"]),
        ("", ["authorities are", "签发机构"]),
    ] {
        let said = refused(&hospital, &order(name));
        assert!(told.iter().all(|part| said.contains(part)), "{name}: {said}");
    }
    let rotate = refused(&hospital, &["keys", "rotate", "soft:ca-people"]);
    assert!(rotate.contains("succeed-authority"), "{rotate}");
    let [own, kept] = ["data/keystore.hck", "kept.hck"].map(|file| hospital.stage.path(file));
    let foreign = Hospital::founded();
    fs::copy(&own, &kept).unwrap();
    fs::copy(foreign.stage.path("data/keystore.hck"), &own).unwrap();
    let mut others = hospital.stage.programs().command(Program::Healthcardd);
    others.args(order("ca-people")).arg("--data").arg(hospital.stage.path("data"));
    others.arg("--passphrase-file").arg(foreign.stage.path("passphrase"));
    let said = hospital.stage.programs().finish(Program::Healthcardd, others).unwrap();
    assert!(said.code == 1 && said.stderr.contains("healthcardd check"), "{}", said.stderr);
    fs::copy(&kept, &own).unwrap();
    let certifies = |key: &str| (format!("soft:{key}"), "sign-certificates".to_owned());
    let lists = |key: &str| (format!("soft:{key}"), "sign-lists".to_owned());
    assert_eq!(keys(&hospital, "ca-people"), [certifies("ca-people")]);

    let said = succeed(&hospital, "ca-people");
    assert_eq!((&said["succeeded"], &said["authority"]), (&true.into(), &"ca-people-g2".into()));
    // The same order once more is the same succession.
    let again = succeed(&hospital, "ca-people");
    assert_eq!(again["succeeded"], false);
    assert_eq!(again["thumbprint"], said["thumbprint"]);
    assert_eq!(keys(&hospital, "ca-people"), [lists("ca-people"), certifies("ca-people-g2")]);
    // What holds the key of before does not let it certify.
    let passphrase = Passphrase::from_file(&hospital.stage.path("passphrase")).unwrap();
    let keystore = SoftKeystore::open(&own, &passphrase).unwrap();
    let signer = keystore.signer(&"soft:ca-people".parse().unwrap(), KeyUse::SignCertificates);
    assert!(matches!(signer, Err(KeyError::WrongUse { has: KeyUse::SignLists, .. })));
    for name in ["ca-people", "ca-people-g2"] {
        let needed = ["keys", "retire", &format!("soft:{name}"), "--version", "1"];
        assert!(refused(&hospital, &needed).contains("服务需要该密钥"));
    }
    hospital.stage.serve().unwrap();

    // Everybody goes on with what they have, and from now on the next generation issues.
    let second = export(&hospital, "second");
    for file in ["root.pem", "ca-people.cer", "ca-devices.cer"] {
        assert_eq!(fs::read(first.join(file)).unwrap(), fs::read(second.join(file)).unwrap());
    }
    hospital.granted(DOCTOR.key, &["session", "open"]);
    hospital.granted("auditor", &verify);
    hospital.granted(DOCTOR.key, &sign);
    hospital.granted("auditor", &verify);
    assert_eq!(hospital.granted(DOCTOR.key, &["authority", "status"])["status"], "good");
    let new = nurse(&hospital, "nurse");
    let next = renewed(&hospital, &before, "next");
    let doctor = hospital.stage.identity(DOCTOR.key);
    for (directory, issuer) in [
        (&doctor, "ca-people"),
        (&before, "ca-people"),
        (&new, "ca-people-g2"),
        (&next, "ca-people-g2"),
    ] {
        let (certificate, by) = certificate(directory);
        assert_eq!(by, issuer);
        if *directory != doctor {
            let url = certificate.crl_url().unwrap();
            let range = url.strip_prefix(&format!("http://ca.example.invalid/crl/{issuer}-"));
            assert_eq!(range.map(str::len), Some("40.crl".len()), "{url}");
            // What the certificate names is there, by its own authority.
            let path = url.strip_prefix("http://ca.example.invalid").unwrap();
            let list = ca::crl::Crl::parse(&get(&hospital, path).1).unwrap();
            assert_eq!(list.issuer(), certificate.issuer());
            let path = format!("/ca/{issuer}.cer");
            assert!(certificate.issuer_url().is_some_and(|url| url.ends_with(&path)));
            let above = Certificate::parse(&get(&hospital, &path).1).unwrap();
            assert!(certificate.is_signed_by(above.public_key()));
        }
        assert!(!openssl_judges(&second, directory));
        let told = asked(&hospital, &second, directory);
        assert_eq!(told, ("good".to_owned(), "good\n".to_owned()));
    }
    let status = ["authority", "status", "--certificate"];
    let file = next.join("certificate.der").to_string_lossy().into_owned();
    let told = hospital.granted("auditor", &[&status[..], &[&file]].concat());
    assert_eq!(told["status"], "good");

    // The key of certificates of both generations is given up: each is in the list of its own.
    hospital.granted(COLLEAGUE.key, &["session", "open"]);
    revoke(&hospital, &certificate(&before).0);
    hospital.refused(COLLEAGUE.key, &["session", "open"], "CERTIFICATE_REVOKED");
    let third = export(&hospital, "third");
    for directory in [&before, &next] {
        assert!(openssl_judges(&third, directory));
        let told = asked(&hospital, &third, directory);
        assert_eq!(told, ("revoked".to_owned(), "revoked: reason 1\n".to_owned()));
    }
    assert!(!openssl_judges(&third, &doctor) && !openssl_judges(&third, &new));

    // Once more; those of before are both good, and one of the first generation is revoked after.
    stop(&mut hospital);
    let refusal = succeed(&hospital, "ca-people");
    assert_eq!(refusal["succeeded"], false);
    assert_eq!(succeed(&hospital, "ca-people-g2")["authority"], "ca-people-g3");
    let expected = [lists("ca-people"), lists("ca-people-g2"), certifies("ca-people-g3")];
    assert_eq!(keys(&hospital, "ca-people"), expected);
    hospital.stage.serve().unwrap();
    let latest = nurse(&hospital, "latest");
    assert_eq!(certificate(&latest).1, "ca-people-g3");
    for who in [DOCTOR.key, "nurse"] {
        hospital.granted(who, &["session", "open"]);
    }
    revoke(&hospital, &certificate(&doctor).0);
    revoke(&hospital, &certificate(&new).0);
    let fourth = export(&hospital, "fourth");
    for (directory, is_revoked) in [(&doctor, true), (&new, true), (&latest, false)] {
        assert_eq!(openssl_judges(&fourth, directory), is_revoked);
        let status = if is_revoked { "revoked" } else { "good" };
        assert!(asked(&hospital, &fourth, directory).0.starts_with(status));
    }
    // What was signed before was witnessed by the log.
    let verdict = hospital.ask("auditor", &verify);
    assert_eq!(verdict.code, 0, "{}", verdict.body);
    check_log(&hospital);
}

/// The whole log, as an outsider checks it.
fn check_log(hospital: &Hospital) {
    let copy = hospital.stage.path("log/copy.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    assert_eq!(hospital.check_log(&copy).code, 0);
}

#[test]
fn the_root_is_succeeded_after_an_authority_and_the_service_shows_the_next_generation() {
    let mut hospital = Hospital::open();
    stop(&mut hospital);
    succeed(&hospital, "ca-devices");
    let root = hospital.healthcardd(&["keys", "succeed-root"]);
    assert_eq!(root.code, 0, "{}", root.stderr);
    assert_eq!(succeed(&hospital, "ca-people")["authority"], "ca-people-g2");
    hospital.stage.serve().unwrap();
    let authorities = export(&hospital, "authorities");
    // The root of today vouches for all generations, and for one that was succeeded no longer than before.
    let end = |folder: &Path, name: &str| {
        let der = fs::read(folder.join(format!("{name}.cer"))).unwrap();
        Certificate::parse(&der).unwrap().not_after()
    };
    let [old, new] = ["ca-devices", "ca-devices-g2"].map(|name| end(&authorities, name));
    assert!(old < new, "{old} {new}");
    hospital.granted(DESK.key, &["session", "open"]);
    hospital.granted(DOCTOR.key, &["session", "open"]);
    let new = nurse(&hospital, "nurse");
    assert_eq!(certificate(&new).1, "ca-people-g2");
    assert!(!openssl_judges(&authorities, &new));

    // Clients of national TLS find from the certificate of the service to the root over the next generation.
    let address = national::open(&mut hospital);
    for who in [DOCTOR.key, "nurse"] {
        let said = national::healthcard(&hospital, &address, who, &["visit", "list"], &[]);
        assert_eq!(said.code, 0, "{} {}", said.stdout, said.stderr);
    }
    check_log(&hospital);
}

/// Gives somebody who has a certificate the next one for the same key, to work with from now on.
fn renew_own(hospital: &Hospital, who: &str) {
    let own = hospital.stage.identity(who);
    let next = renewed(hospital, &own, &format!("{who}-next"));
    for file in ["certificate.der", "chain.pem"] {
        fs::copy(next.join(file), own.join(file)).unwrap();
    }
    hospital.granted(who, &["session", "open"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_generation_whose_key_was_lost_is_revoked_with_all_that_it_certified() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let record = hospital.stage.write("records/note.txt", b"progress note\n").unwrap();
    let record = record.to_string_lossy().into_owned();
    let signature = hospital.stage.path("records/note.p7s").to_string_lossy().into_owned();
    let sign = ["sign", "--visit", &visit, "--type", "progress-note"];
    let files = ["--file", &record, "--out", &signature];
    hospital.granted(DOCTOR.key, &[&sign[..], &files].concat());
    let verify = ["verify", "--file", &record, "--signature", &signature];
    let first = export(&hospital, "first");

    // The key that issues gets a successor first.
    let order = ["keys", "revoke-authority", "ca-people"];
    assert!(refused(&hospital, &order).contains("服务正在运行"));
    stop(&mut hospital);
    for (name, told) in [
        ("ca-people", ["请先用", "first give"]),
        ("ca-people-g2", ["签发机构", "authorities are"]),
        ("ca-root", ["请用", "succeed-root"]),
    ] {
        let said = refused(&hospital, &["keys", "revoke-authority", name]);
        assert!(told.iter().all(|part| said.contains(part)), "{name}: {said}");
    }
    succeed(&hospital, "ca-people");
    hospital.stage.serve().unwrap();
    for who in [OPERATOR, REVIEWER, "auditor"] {
        renew_own(&hospital, who);
    }
    let new = nurse(&hospital, "nurse");
    hospital.granted(DOCTOR.key, &["session", "open"]);
    stop(&mut hospital);

    let revoked = |hospital: &Hospital| {
        let finished = hospital.healthcardd(&[&order[..], &["--json"]].concat());
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        finished.json().unwrap()["revoked"].as_bool().unwrap()
    };
    assert!(revoked(&hospital) && !revoked(&hospital));
    hospital.stage.serve().unwrap();
    let people = first.join("ca-people.cer").to_string_lossy().into_owned();
    let is_revoked = |hospital: &Hospital, authorities: &Path| {
        let serial = |name: &str| {
            let der = fs::read(authorities.join(format!("{name}.cer"))).unwrap();
            Certificate::parse(&der).unwrap().serial().to_string()
        };
        let [list, own] = ["ca-root.crl", "ca-root.cer"].map(|file| authorities.join(file));
        assert!(script("verify-crl.sh", &[&list, &own]).status.success());
        let names =
            |name: &str| script("read-crl.sh", &[&list, Path::new(&serial(name))]).status.success();
        assert!(names("ca-people") && !names("ca-people-g2"));
        let file = authorities.join("ca-people.cer").to_string_lossy().into_owned();
        let told = hospital.ask("auditor", &["authority", "status", "--certificate", &file]);
        assert_eq!((told.code, text(&told.body, "status")), (1, "revoked".to_owned()));
        assert_eq!(told.body["reason"], 2);
    };
    let second = export(&hospital, "second");
    assert_eq!(fs::read(&people).unwrap(), fs::read(second.join("ca-people.cer")).unwrap());
    is_revoked(&hospital, &second);

    // Whoever has a certificate by it is out, and in with one by the next; others go on.
    hospital.refused(DOCTOR.key, &["visit", "list"], "CERTIFICATE_REVOKED");
    hospital.refused(DOCTOR.key, &["session", "open"], "CERTIFICATE_REVOKED");
    let doctor = hospital.stage.identity(DOCTOR.key);
    assert!(openssl_judges(&second, &doctor) && !openssl_judges(&second, &new));
    let told = asked(&hospital, &second, &doctor);
    assert_eq!(told, ("revoked".to_owned(), "revoked: reason 2\n".to_owned()));
    for who in ["nurse", DESK.key, OPERATOR] {
        hospital.granted(who, &["session", "open"]);
    }
    hospital.granted("doctor-anew", &["key", "new"]);
    hospital.stage.certify("doctor-anew", &hospital.staff[DOCTOR.key], &[]).unwrap();
    hospital.granted("doctor-anew", &["session", "open"]);
    // The log had seen what was signed before.
    let verdict = hospital.ask("auditor", &verify);
    assert_eq!(verdict.code, 0, "{}", verdict.body);

    // The service itself has what it shows certified by the next.
    stop(&mut hospital);
    succeed(&hospital, "ca-devices");
    let devices = hospital.healthcardd(&["keys", "revoke-authority", "ca-devices"]);
    assert_eq!(devices.code, 0, "{}", devices.stderr);
    assert!(devices.stdout.contains("已由根吊销 · revoked by the root"), "{}", devices.stdout);
    hospital.stage.serve().unwrap();
    hospital.refused(DESK.key, &["session", "open"], "CERTIFICATE_REVOKED");
    let stamp = hospital.stage.path("records/note.tsr");
    let path = stamp.to_string_lossy().into_owned();
    let order = ["timestamp", "request", "--file", &record, "--out", &path];
    hospital.granted("doctor-anew", &order);
    let stamp = ca::timestamp::Reply::parse(&fs::read(&stamp).unwrap()).unwrap();
    let stamper = stamp.token().certificate().unwrap().issuer().common_name();
    assert_eq!(stamper, Some("ca-devices-g2"));
    hospital.granted("auditor", &["timestamp", "verify", "--file", &record, "--stamp", &path]);

    // The next root does not forget it.
    stop(&mut hospital);
    let root = hospital.healthcardd(&["keys", "succeed-root"]);
    assert_eq!(root.code, 0, "{}", root.stderr);
    hospital.stage.serve().unwrap();
    let third = export(&hospital, "third");
    is_revoked(&hospital, &third);
    hospital.refused(DOCTOR.key, &["session", "open"], "CERTIFICATE_REVOKED");
    hospital.granted("doctor-anew", &["session", "open"]);
    check_log(&hospital);
}

/// Killed wherever it is, the succession goes on from there, by the same command or by a start.
#[test]
fn a_succession_that_is_killed_goes_on() {
    let mut hospital = Hospital::open();
    stop(&mut hospital);
    let whole = std::time::Instant::now();
    succeed(&hospital, "ca-people");
    let whole = whole.elapsed();
    for step in 1..=12 {
        let before = keys(&hospital, "ca-people");
        let newest = before.last().unwrap().0.strip_prefix("soft:").unwrap().to_owned();
        let log = hospital.stage.path("log/succession");
        let order = hospital.healthcardd_command(&["keys", "succeed-authority", &newest]);
        let mut running = Background::start(Program::Healthcardd.name(), order, &log).unwrap();
        // Whether it ended by then or not: the last of them may.
        drop(running.ended(whole * step / 12));
        running.kill();
        let after = keys(&hospital, "ca-people");
        assert!(after.len() <= before.len() + 1, "step {step}: {before:?}, then {after:?}");
        // One key certifies, whatever happened.
        let certify = after.iter().filter(|(_, key_use)| key_use == "sign-certificates");
        assert_eq!(certify.count(), 1, "step {step}: {after:?}");
        if step % 3 == 0 {
            hospital.stage.serve().unwrap();
            hospital.granted(DOCTOR.key, &["session", "open"]);
            stop(&mut hospital);
        }
    }
    let generations = keys(&hospital, "ca-people");
    let newest = generations.last().unwrap().0.strip_prefix("soft:").unwrap();
    hospital.stage.serve().unwrap();
    hospital.granted(DOCTOR.key, &["session", "open"]);
    assert_eq!(certificate(&nurse(&hospital, "nurse")).1, newest);
    let authorities = export(&hospital, "authorities");
    for (key, _) in &generations {
        let name = key.strip_prefix("soft:").unwrap();
        let list = authorities.join(format!("{name}.crl"));
        let own = authorities.join(format!("{name}.cer"));
        assert!(script("verify-crl.sh", &[&list, &own]).status.success(), "{name}");
    }
    // Each generation was certified once, and the log has all of it.
    let order = ["audit", "search", "--action", "authority.succeed", "--page-size", "100"];
    let found = hospital.granted("auditor", &order);
    let signed = found["entries"].as_array().unwrap().iter();
    let signed = signed.filter(|it| it["entry"]["detail"]["step"] == "signed").count();
    assert_eq!(signed, generations.len() - 1);
    check_log(&hospital);
}
