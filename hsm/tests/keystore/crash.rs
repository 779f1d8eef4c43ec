//! Power that fails while the file is written: the old file or the new one is there, never neither.

use super::{Place, key, passphrase};
use hsm::soft::SoftKeystore;
use hsm::{KeyUse, Keystore};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

const KEYSTORE: &str = "HSM_TEST_KEYSTORE";

/// Run by [`killed_at_any_moment_it_is_the_old_file_or_the_new_one`] in a process of its own: turns
/// the key over and over until it is killed. By itself it has nothing to do.
#[test]
fn rotates_for_ever() {
    let Some(path) = env::var_os(KEYSTORE) else { return };
    let mut keystore = SoftKeystore::open(path.as_ref(), &passphrase("right")).unwrap();
    loop {
        keystore.rotate(&key("soft:log")).unwrap();
        keystore.save().unwrap();
        // Whoever waits for the first sees that it is on the disk.
        println!("saved");
    }
}

#[test]
fn killed_at_any_moment_it_is_the_old_file_or_the_new_one() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:log"), KeyUse::SignLog).unwrap();
    keystore.save().unwrap();
    drop(keystore);
    let mut versions = 1;
    for round in 0..20_u32 {
        let mut writer = Command::new(env::current_exe().unwrap())
            .args(["crash::rotates_for_ever", "--exact", "--nocapture", "--test-threads=1"])
            .env(KEYSTORE, &place.path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Wait for the first file that it writes, then another moment, another one each round.
        let before = fs::read(&place.path).unwrap();
        while fs::read(&place.path).unwrap() == before {
            assert!(writer.try_wait().unwrap().is_none(), "it ended by itself");
        }
        let until = Instant::now() + Duration::from_micros(u64::from(round) * 137);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let left = place.open().unwrap().list().len();
        assert!(left > versions, "round {round}: {left} after {versions}");
        versions = left;
    }
}

/// Each step of a save that can fail, failing: what was there is there.
#[test]
fn whichever_step_fails_the_old_file_stays() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:log"), KeyUse::SignLog).unwrap();
    keystore.save().unwrap();
    let before = fs::read(&place.path).unwrap();
    keystore.rotate(&key("soft:log")).unwrap();

    type Obstacle = fn(&Place);
    let blocked: [(&str, Obstacle, Obstacle); 2] = [
        (
            "the new file cannot be made",
            |place| fs::create_dir(place.path.with_extension("new")).unwrap(),
            |place| fs::remove_dir(place.path.with_extension("new")).unwrap(),
        ),
        (
            "the file was taken away",
            |place| fs::rename(&place.path, place.path.with_extension("away")).unwrap(),
            |place| fs::rename(place.path.with_extension("away"), &place.path).unwrap(),
        ),
    ];
    for (what, block, clear) in blocked {
        block(&place);
        keystore.save().expect_err(what);
        clear(&place);
        assert_eq!(fs::read(&place.path).unwrap(), before, "{what}");
    }
    let held = fs::File::open(place.path.with_extension("lock")).unwrap();
    held.try_lock().unwrap();
    keystore.save().expect_err("another writer");
    drop(held);
    assert_eq!(fs::read(&place.path).unwrap(), before);
    keystore.save().unwrap();
    assert_eq!(place.open().unwrap().list().len(), 2);
}
