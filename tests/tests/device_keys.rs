//! A service whose keys for tokens and for the log are in a cryptographic device, which is pulled out while it runs.

use std::time::{Duration, Instant};

use serde_json::Value;
use service::demo::people::{DOCTOR, RECORDS};
use service::demo::tamper;
use tests::hospital::{Hospital, text};
use tests::http;
use tests::relay;
use tests::softsdf::{ACCESS_CODE, LOCKED, OPEN, SoftSdf};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_move_into_a_device_and_the_service_survives_its_loss() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let before = token(&hospital, &visit, "before.jws");
    let old_verifier = hospital.verifier_key();

    let device = SoftSdf::new(512);
    let settings = in_device(&hospital, &device);
    hospital.reconfigure(|text| format!("{text}{settings}"));
    // What the keystore signed is good, and the device signs from now on.
    assert_eq!(said_of(&hospital, &before)["active"], true);
    let during = token(&hospital, &visit, "during.jws");
    assert_eq!(said_of(&hospital, &during)["active"], true);
    assert_ne!(hospital.verifier_key(), old_verifier, "the device signs the log");
    let published = hospital.granted(RECORDS.key, &["token", "keys"]).to_string();
    let thumbprint = service::token::thumbprint(&device.public_key(LOCKED));
    assert!(published.contains(&thumbprint), "{published}");
    healthy(&hospital, "HTTP/1.1 200");

    device.unplug();
    let order = ["token", "issue", "--visit", &visit, "--audience", "emr.example"];
    let order = [&order[..], &["--grade", "2", "--classes", "health"]].concat();
    let lost = hospital.ask(DOCTOR.key, &order);
    assert_ne!(lost.code, 0, "{:?}", lost.body);
    healthy(&hospital, "HTTP/1.1 503");
    // Tokens are told good from bad all the same.
    assert_eq!(said_of(&hospital, &before)["active"], true);
    assert_eq!(said_of(&hospital, &during)["active"], true);

    device.plug_in();
    healthy(&hospital, "HTTP/1.1 200");
    let after = token(&hospital, &visit, "after.jws");
    assert_eq!(said_of(&hospital, &after)["active"], true);
    let copy = hospital.stage.path("log/device.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    assert_eq!(hospital.check_log(&copy).code, 0);

    // The keystore's own versions are no longer what signs.
    hospital.stage.server().unwrap().end().unwrap();
    let keys = |order: &[&str]| hospital.healthcardd(&[&["keys"], order].concat());
    let listed = keys(&["list", "--json"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let listed = listed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let tokens: Vec<_> = listed.filter(|line| line["key"] == "soft:token").collect();
    let [placed, own] = &tokens[..] else { panic!("{tokens:?}") };
    assert_eq!((&placed["version"], &placed["state"]), (&2.into(), &"active".into()));
    assert_eq!(placed["thumbprint"], thumbprint);
    assert_eq!((&own["version"], &own["state"]), (&1.into(), &"retired".into()));
    let refused = keys(&["rotate", "soft:token"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("soft:token is in a device"), "{}", refused.stderr);
}

/// Settings by which the device signs tokens and the log.
fn in_device(hospital: &Hospital, device: &SoftSdf) -> String {
    let code = hospital.stage.write("data/rack-code", ACCESS_CODE.as_bytes()).unwrap();
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(code, owner_only).unwrap();
    let public = hex::encode(device.public_key(LOCKED).as_sec1());
    let library = device.library();
    format!(
        "\n[devices.rack]\nlibrary = {library:?}\nsignature_number = \"sm3-sm2\"\n\n\
         [keys.token]\ndevice = \"rack\"\nindex = {LOCKED}\naccess_code_file = \"rack-code\"\n\
         public_key = \"{public}\"\n\n[keys.log]\ndevice = \"rack\"\nindex = {OPEN}\n"
    )
}

fn token(hospital: &Hospital, visit: &str, name: &str) -> String {
    let order = ["token", "issue", "--visit", visit, "--audience", "emr.example"];
    let order = [&order[..], &["--grade", "2", "--classes", "health"]].concat();
    let issued = hospital.granted(DOCTOR.key, &order);
    let file = hospital.stage.write(name, text(&issued, "token").as_bytes()).unwrap();
    file.to_string_lossy().into_owned()
}

fn said_of(hospital: &Hospital, token: &str) -> Value {
    let order = ["token", "introspect", "--token", token, "--audience", "emr.example"];
    hospital.ask(RECORDS.key, &order).body
}

/// Waits until health says this.
fn healthy(hospital: &Hospital, expected: &str) {
    let start = Instant::now();
    loop {
        let (head, body) = http::get(hospital, "/healthz");
        if head.starts_with(expected) {
            return;
        }
        let said = String::from_utf8_lossy(&body);
        assert!(start.elapsed() < Duration::from_secs(30), "{head}: {said}, not {expected}");
    }
}
