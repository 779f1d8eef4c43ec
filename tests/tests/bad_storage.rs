//! A keystore that is damaged or not ours, and a disk that is full.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use proto::v1::tokens_client::TokensClient;
use proto::v1::{DataClass, IssueTokenRequest, Purpose};
use rusqlite::Connection;
use service::demo::programs::ProgramError;
use service::demo::tamper;
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, empty_stage};
use tests::private::in_private_space;
use tests::relay;

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
    use std::os::unix::fs::PermissionsExt as _;

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
fn a_full_disk_refuses_and_loses_nothing() {
    in_private_space(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(full_disk());
    });
}

async fn full_disk() {
    let mount = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
        .arg(mount.path())
        .status()
        .unwrap();
    assert!(mounted.success());
    let hospital = Hospital::open_in(&mount.path().join("stage"));
    let visit = relay::open_visit(&hospital).await;
    let mut tokens = TokensClient::new(log_in(&hospital.stage, "doctor").await);
    let order = IssueTokenRequest {
        visit_id: visit,
        purpose: Purpose::Treatment.into(),
        grade: 2,
        classes: vec![DataClass::Health.into()],
        audience: "emr.example".to_owned(),
        lifetime_seconds: 0,
        ..IssueTokenRequest::default()
    };
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
    let mut refused = None;
    for _ in 0..5_000 {
        if let Err(status) = issue().await {
            refused = Some(reason(&status));
            break;
        }
    }
    assert_eq!(refused.as_deref(), Some("UNAVAILABLE"));
    assert_eq!(reason(&issue().await.unwrap_err()), "UNAVAILABLE");

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
