//! Power that fails while the file is written: the old file or the new one is there, never neither.
//!
//! A program of its own: a process that is started holds every open lock until it runs, and would make
//! keystores of other tests busy.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test, a step that fails fails the test")]

use hsm::soft::{Iterations, Passphrase, SoftKeystore};
use hsm::{KeyRef, KeyUse, Keystore};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

const KEYSTORE: &str = "HSM_TEST_KEYSTORE";

fn log_key() -> KeyRef {
    "soft:log".parse().unwrap()
}

fn passphrase() -> Passphrase {
    Passphrase::from_string("right".to_owned().into()).unwrap()
}

/// Run by [`killed_at_any_moment_it_is_the_old_file_or_the_new_one`] in a process of its own: turns
/// the key over and over until it is killed. By itself it has nothing to do.
#[test]
fn rotates_for_ever() {
    let Some(path) = env::var_os(KEYSTORE) else { return };
    let mut keystore = SoftKeystore::open(path.as_ref(), &passphrase()).unwrap();
    loop {
        keystore.rotate(&log_key()).unwrap();
        keystore.save().unwrap();
        // Whoever waits for the first sees that it is on the disk.
        println!("saved");
    }
}

#[test]
fn killed_at_any_moment_it_is_the_old_file_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let mut keystore =
        SoftKeystore::create_with(&path, &passphrase(), Iterations::MINIMUM).unwrap();
    keystore.generate(&log_key(), KeyUse::SignLog).unwrap();
    keystore.save().unwrap();
    drop(keystore);
    let mut versions = 1;
    for round in 0..20_u32 {
        let mut writer = Command::new(env::current_exe().unwrap())
            .args(["rotates_for_ever", "--exact", "--nocapture", "--test-threads=1"])
            .env(KEYSTORE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Wait for the first file that it writes, then another moment, another one each round.
        let before = fs::read(&path).unwrap();
        while fs::read(&path).unwrap() == before {
            assert!(writer.try_wait().unwrap().is_none(), "it ended by itself");
        }
        let until = Instant::now() + Duration::from_micros(u64::from(round) * 137);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let left = SoftKeystore::open(&path, &passphrase()).unwrap().list().len();
        assert!(left > versions, "round {round}: {left} after {versions}");
        versions = left;
    }
}
