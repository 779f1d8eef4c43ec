//! A service whose keys for tokens and for the log are in a cryptographic device, which is pulled out while it runs.

use std::fs;
use std::time::{Duration, Instant};

use access_token::proof::Request;
use access_token::{KeySet, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use service::demo::people::{DOCTOR, RECORDS};
use service::demo::tamper;
use tests::hospital::{Hospital, text};
use tests::http;
use tests::programs::by_clock;
use tests::relay;
use tests::resource_server::now;
use tests::softsdf::{ACCESS_CODE, LOCKED, OPEN, SoftSdf};
use tests::tokens::{keys, verifier};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_move_into_a_device_and_the_service_survives_its_loss() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let before = token(&hospital, &visit, "before.jws");
    let old_verifier = hospital.verifier_key();

    let device = SoftSdf::new(512);
    let settings = format!(
        "{}\n[keys.log]\ndevice = \"rack\"\nindex = {OPEN}\n",
        in_device(&hospital, &device)
    );
    hospital.reconfigure(|text| format!("{text}{settings}"));
    // What the keystore signed is good, and its key for tokens goes on for a while; the device signs the log at once.
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

/// The first token of a key in a device is taken by whoever has the keys of five minutes ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_in_a_device_signs_tokens_once_whoever_verifies_could_fetch_it() {
    let mut hospital = Hospital::open();
    let visit = relay::open_visit(&hospital).await;
    let before = token(&hospital, &visit, "before.jws");
    let unaware = keys(&hospital);
    let device = SoftSdf::new(512);
    let (own, next) = (kid(&before), service::token::thumbprint(&device.public_key(LOCKED)));
    let settings = in_device(&hospital, &device);
    let clock = hospital.stage.write("clock", b"+0\n").unwrap();
    let restart = |hospital: &mut Hospital| {
        hospital.stage.server().unwrap().end().unwrap();
        hospital.stage.serve_with(|command| by_clock(command, &clock)).unwrap();
    };
    let config = hospital.stage.path("data/healthcard.toml");
    let before_it = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{before_it}{settings}")).unwrap();
    restart(&mut hospital);
    assert_eq!(kid(&token(&hospital, &visit, "first.jws")), own, "it was not handed out before");
    let aware = keys(&hospital);
    // Nor does starting anew make it wait for less, or for more.
    restart(&mut hospital);
    assert_eq!(kid(&token(&hospital, &visit, "second.jws")), own);

    // Five minutes later it does, while the service runs.
    let later = hospital.stage.write("later", b"+6m\n").unwrap();
    fs::rename(later, &clock).unwrap();
    let start = Instant::now();
    let first = loop {
        let issued = token(&hospital, &visit, "of-device.jws");
        if kid(&issued) == next {
            break issued;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the device does not sign");
    };
    let request = Request { method: "GET", uri: "https://emr.example/" };
    let refused = |keys: &KeySet| {
        let verifier = verifier(&hospital);
        verifier.take_keys(keys.clone());
        let token = fs::read_to_string(&first).unwrap();
        verifier.check(&token, None, request, now() + 360).unwrap_err()
    };
    assert_eq!(refused(&aware), Refusal::ProofMissing, "it lacks nothing else");
    assert_eq!(refused(&unaware), Refusal::TokenKeyUnknown);
    for issued in [&before, &first] {
        assert_eq!(said_of(&hospital, issued)["active"], true);
    }
    let recorded = |act: &str| {
        let found = hospital.granted("auditor", &["audit", "search", "--action", act]);
        let entries = found["entries"].as_array().unwrap().iter().map(|it| &it["entry"]["detail"]);
        let of_it = entries.filter(|it| it["thumbprint"] == next.as_str() && it["version"] == "2");
        of_it.count()
    };
    assert_eq!([recorded("key.publish"), recorded("key.rotate")], [1, 1]);

    // From then on it is the one that signs: without the device nothing is, and also after a start.
    device.unplug();
    let order = ["token", "issue", "--visit", &visit, "--audience", "emr.example"];
    let order = [&order[..], &["--grade", "2", "--classes", "health"]].concat();
    hospital.refused(DOCTOR.key, &order, "KEY_UNAVAILABLE");
    device.plug_in();
    restart(&mut hospital);
    assert_eq!(kid(&token(&hospital, &visit, "last.jws")), next);
}

/// The name of the key that signed a token.
fn kid(file: &str) -> String {
    let token = fs::read_to_string(file).unwrap();
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    text(&serde_json::from_slice(&header).unwrap(), "kid")
}

/// Settings by which the device signs tokens.
fn in_device(hospital: &Hospital, device: &SoftSdf) -> String {
    let code = hospital.stage.write("data/rack-code", ACCESS_CODE.as_bytes()).unwrap();
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(code, owner_only).unwrap();
    let public = hex::encode(device.public_key(LOCKED).as_sec1());
    let library = device.library();
    format!(
        "\n[devices.rack]\nlibrary = {library:?}\nsignature_number = \"sm3-sm2\"\n\n\
         [keys.token]\ndevice = \"rack\"\nindex = {LOCKED}\naccess_code_file = \"rack-code\"\n\
         public_key = \"{public}\"\n"
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
