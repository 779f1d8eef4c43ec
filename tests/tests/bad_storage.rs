//! A keystore that is damaged or not ours, and a disk that is full.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use proto::v1::tokens_client::TokensClient;
use proto::v1::{DataClass, IssueTokenRequest, Purpose};
use rusqlite::Connection;
use serde_json::Value;
use service::demo::programs::ProgramError;
use service::demo::stage::OPERATOR;
use service::demo::tamper;
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, empty_stage, text};
use tests::http::get;
use tests::private::in_private_space;
use tests::relay;
use tokio::time::{interval, timeout};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `healthcardd serve` where it must not start.
fn refuses_to_serve(stage: &mut service::demo::stage::Stage) -> String {
    match stage.serve() {
        Err(ProgramError::Ended { .. }) => {
            fs::read_to_string(stage.path("log/healthcardd")).unwrap()
        }
        other => panic!("it had to end, but: {other:?}"),
    }
}

#[test]
fn a_keystore_with_a_wrong_passphrase_or_a_flipped_byte() {
    let (mut stage, _directory) = empty_stage();
    stage.init().unwrap();
    let keystore = stage.path("data/keystore.hck");
    let (genuine, passphrase) = (fs::read(&keystore).unwrap(), stage.path("passphrase"));
    let right = fs::read(&passphrase).unwrap();

    for wrong in [&b"another passphrase"[..], &[&right[..], b"x"].concat()] {
        fs::write(&passphrase, wrong).unwrap();
        let said = refuses_to_serve(&mut stage);
        assert!(said.contains("passphrase"), "{said}");
        assert!(!said.contains(std::str::from_utf8(wrong).unwrap()), "{said}");
    }
    fs::write(&passphrase, &right).unwrap();

    // Any byte: of the header, of the parameters of derivation, of the sealed keys, of the tag.
    let last = genuine.len() - 1;
    for at in [0, 5, 12, 20, last / 2, last - 20, last] {
        let mut flipped = genuine.clone();
        flipped[at] ^= 0x01;
        fs::write(&keystore, &flipped).unwrap();
        refuses_to_serve(&mut stage);
        assert_eq!(fs::read(&keystore).unwrap(), flipped, "a damaged file is evidence");
    }
    for cut in [0, 1, last] {
        fs::write(&keystore, &genuine[..cut]).unwrap();
        refuses_to_serve(&mut stage);
    }
    fs::write(&keystore, &genuine).unwrap();
    stage.serve().unwrap();
}

/// The passphrase must not be open to others, and a second `init` must not destroy the first one's keys.
#[test]
fn what_init_and_serve_do_not_accept() {
    let (mut stage, _directory) = empty_stage();
    stage.init().unwrap();
    let keystore = fs::read(stage.path("data/keystore.hck")).unwrap();
    let again = stage.init();
    assert!(again.is_err(), "{again:?}");
    assert_eq!(fs::read(stage.path("data/keystore.hck")).unwrap(), keystore);

    // That second attempt wrote a new passphrase file, which is now the wrong one; and it is readable for others.
    fs::set_permissions(stage.path("passphrase"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = refuses_to_serve(&mut stage);
    assert!(said.contains("passphrase"), "{said}");
}

#[test]
fn an_installation_is_checked_as_a_whole() {
    let mut hospital = Hospital::open();
    hospital.stage.server().unwrap().end().unwrap();
    let sound = hospital.healthcardd(&["check"]);
    assert_eq!(sound.code, 0, "{}{}", sound.stdout, sound.stderr);
    tamper::change_byte(&hospital.database(), 3, 30).unwrap();
    let tampered = hospital.healthcardd(&["check"]);
    assert_ne!(tampered.code, 0, "{}{}", tampered.stdout, tampered.stderr);
}

#[test]
fn a_reserve_lets_the_log_go_on_and_comes_back_with_room() {
    in_private_space(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(reserve());
    });
}

async fn reserve() {
    let mount = tempfile::tempdir().unwrap();
    mount_small(mount.path());
    let mut hospital = Hospital::open_in(&mount.path().join("stage"));
    hospital.reconfigure(|settings| {
        let settings = settings.replace("low_mib = 2048", "low_mib = 4");
        settings.replace("critical_mib = 512", "critical_mib = 2")
    });
    let reserve = mount.path().join("stage/data/healthcard.db.reserve");
    let laid = || fs::metadata(&reserve).ok().map(|it| (it.len(), it.permissions().mode() & 0o777));
    until("it is laid", || laid() == Some((1024 * 1024, 0o600))).await;
    let visit = relay::open_visit(&hospital).await;
    let mut tokens = TokensClient::new(log_in(&hospital.stage, "doctor").await);
    let order = order(visit);
    tokens.issue(order.clone()).await.unwrap();
    let status = hospital.granted(OPERATOR, &["status"]);
    let disk = |status: &Value| (text(&status["disk"], "level"), text(&status["disk"], "reserve"));
    assert_eq!(disk(&status), ("enough".to_owned(), "laid".to_owned()));

    let ballast = mount.path().join("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[0x55; 4096]).is_ok() {}
    drop(file);
    // The disk is full: one group is refused and was not done, then the log goes on in the room of the reserve.
    let mut refused = 0;
    let mut acknowledged = Vec::new();
    let began = Instant::now();
    while refused == 0 {
        match tokens.issue(order.clone()).await {
            Ok(issued) => acknowledged.push(issued.into_inner().receipt.unwrap().position),
            Err(status) => {
                assert_eq!(reason(&status), "UNAVAILABLE");
                refused += 1;
            }
        }
        assert!(began.elapsed() < PATIENCE, "the disk never was full");
    }
    until("it is given up", || laid().is_none()).await;
    let goes_on = loop {
        match tokens.issue(order.clone()).await {
            Ok(issued) => break issued.into_inner().receipt.unwrap().position,
            Err(status) => assert_eq!(reason(&status), "UNAVAILABLE"),
        }
        assert!(began.elapsed() < PATIENCE, "the reserve was for nothing");
    };
    let (head, body) = get(&hospital, "/healthz");
    let said = String::from_utf8(body).unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && said.contains("critical"), "{head} {said}");
    assert!(said.contains("there is no reserve"), "{said}");
    let status = hospital.granted(OPERATOR, &["status"]);
    assert_eq!(disk(&status), ("critical".to_owned(), "absent".to_owned()));
    assert_ne!(status["disk"]["reserve_given_up_at"], Value::Null, "{status}");
    let log = fs::read_to_string(hospital.stage.path("log/healthcardd")).unwrap();
    for told in ["磁盘空间严重不足", "预留空间已用上", "the reserve was given up"] {
        assert!(log.contains(told), "{told}");
    }

    // It is laid back with room, and not before.
    assert_eq!(laid(), None);
    fs::remove_file(&ballast).unwrap();
    until("it is laid back", || laid().is_some()).await;
    let status = hospital.granted(OPERATOR, &["status"]);
    assert_eq!(disk(&status), ("enough".to_owned(), "laid".to_owned()));

    // A service that is started on a full disk gives it up to be able to.
    hospital.stage.server().unwrap().end().unwrap();
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[0x55; 4096]).is_ok() {}
    drop(file);
    hospital.stage.serve().unwrap();
    assert_eq!(laid(), None);
    hospital.granted("auditor", &["audit", "checkpoint"]);
    fs::remove_file(&ballast).unwrap();
    until("it is laid back", || laid().is_some()).await;
    let db = Connection::open(hospital.database()).unwrap();
    let leaf = "SELECT action FROM leaf WHERE position = ?1";
    for position in acknowledged.into_iter().chain([goes_on]) {
        let action: String = db.query_row(leaf, [position], |row| row.get(0)).unwrap();
        assert_eq!(action, "token.issue", "position {position}");
    }
    let copy = hospital.stage.path("log/after.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    let verdict = hospital.check_log(&copy);
    assert_eq!(verdict.code, 0, "{}", verdict.body);
}

/// Waits until something is so.
async fn until(what: &str, is: impl Fn() -> bool) {
    let mut looks = interval(Duration::from_millis(50));
    let waited = async {
        while !is() {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("not so: {what}"));
}

fn mount_small(place: &Path) {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
        .arg(place)
        .status()
        .unwrap();
    assert!(mounted.success());
}

fn order(visit_id: String) -> IssueTokenRequest {
    IssueTokenRequest {
        visit_id,
        purpose: Purpose::Treatment.into(),
        grade: 2,
        classes: vec![DataClass::Health.into()],
        audience: "emr.example".to_owned(),
        lifetime_seconds: 0,
        ..IssueTokenRequest::default()
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    in_private_space(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(full_disk());
    });
}

async fn full_disk() {
    let mount = tempfile::tempdir().unwrap();
    mount_small(mount.path());
    let hospital = Hospital::open_in(&mount.path().join("stage"));
    let visit = relay::open_visit(&hospital).await;
    let mut tokens = TokensClient::new(log_in(&hospital.stage, "doctor").await);
    let order = order(visit);
    let mut acknowledged = Vec::new();
    let mut issue = async || {
        let issued = tokens.issue(order.clone()).await?.into_inner();
        let receipt = issued.receipt.expect("a receipt");
        acknowledged.push((receipt.position, receipt.entry_id));
        Ok::<_, tonic::Status>(())
    };
    issue().await.unwrap();

    hospital.granted("doctor", &["session", "open"]);
    let ballast = mount.path().join("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[0x55; 4096]).is_ok() {}
    // What fits into files that are there already may still be granted; then it is refused, and stays refused.
    // One that needs less room than the one before may still find it.
    let mut refused = 0;
    for _ in 0..5_000 {
        match issue().await {
            Ok(()) => refused = 0,
            Err(status) => {
                assert_eq!(reason(&status), "UNAVAILABLE");
                refused += 1;
            }
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20, "in a row");

    // No time is stamped that cannot be recorded; and what was revoked is told all the same.
    let (any, stamp) = (hospital.stage.tls_authority(), hospital.stage.path("records/stamp"));
    let order = ["--file", &any.to_string_lossy(), "--out", &stamp.to_string_lossy()];
    hospital.refused(
        "doctor",
        &[&["timestamp", "request"][..], &order].concat(),
        "TIME_NOT_STAMPED",
    );
    assert!(!stamp.exists());
    hospital.granted("doctor", &["authority", "status"]);

    // With room again it goes on by itself.
    drop(file);
    fs::remove_file(&ballast).unwrap();
    issue().await.unwrap();
    let log = Connection::open(hospital.database()).unwrap();
    for (position, entry_id) in acknowledged {
        let found: String = log
            .query_row("SELECT entry_id FROM leaf WHERE position = ?1", [position], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(found, entry_id, "position {position}");
    }
    let copy = hospital.stage.path("log/after.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    let verdict = hospital.check_log(&copy);
    assert_eq!(verdict.code, 0, "{}", verdict.body);
}
