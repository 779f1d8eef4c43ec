//! A session that is held at a workstation ends when its holder leaves: with the card, with the lock, with the program,
//! and with the machine. Cards go through a real PC/SC daemon.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use service::demo::people::DOCTOR;
use service::demo::programs::{Background, Program};
use service::demo::readers::VirtualReaders;
use service::demo::stage::PATIENCE;
use tests::hospital::{Hospital, text};
use tests::http::get;
use tests::private::{PcscDaemon, in_private_space};
use tests::relay::open_visit;

const READER: &str = "Virtual PCD 00 00";

/// A doctor's workstation in a ward.
struct Seat {
    hospital: Hospital,
    visit: String,
}

impl Seat {
    fn open() -> Self {
        let hospital = Hospital::open();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let visit = runtime.block_on(open_visit(&hospital));
        Self { hospital, visit }
    }

    /// `healthcard session hold`, once it has told what is expected.
    fn hold(&self, options: &[&str]) -> Background {
        let order = [&["session", "hold"][..], options].concat();
        let command = self.hospital.stage.healthcard(DOCTOR.key, &order);
        let log = self.hospital.stage.path("log/hold");
        Background::start(Program::Healthcard.name(), command, &log).unwrap()
    }

    /// A token that the session of the workstation asks for.
    fn token(&self) -> Value {
        let order = ["token", "issue", "--visit", &self.visit, "--classes", "health"];
        let order = [&order[..], &["--grade", "3", "--audience", "emr"]].concat();
        self.hospital.granted(DOCTOR.key, &order)
    }

    /// Why it is not good; empty while it is.
    fn inactive(&self, issued: &Value) -> String {
        let file = self.hospital.stage.write("token", text(issued, "token").as_bytes()).unwrap();
        let order = ["token", "introspect", "--token", file.to_str().unwrap()];
        let told = self.hospital.ask("emr", &[&order[..], &["--audience", "emr"]].concat()).body;
        told["inactive_reason"].as_str().unwrap_or_default().to_owned()
    }

    /// What is told to whoever checks tokens offline.
    fn revocations(&self) -> String {
        let (_, body) = get(&self.hospital, "/token-revocations");
        let snapshot = String::from_utf8(body).unwrap();
        let said = URL_SAFE_NO_PAD.decode(snapshot.split('.').nth(1).unwrap()).unwrap();
        String::from_utf8(said).unwrap()
    }

    fn is_saved(&self) -> bool {
        self.hospital.stage.identity(DOCTOR.key).join("session").exists()
    }
}

fn event(hold: &mut Background, kind: &str) -> Value {
    hold.wait_for(kind, PATIENCE, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["event"] == kind).then_some(event)
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn ended(hold: &mut Background, why: &str, code: i32) {
    let told = event(hold, "ended");
    assert_eq!((&told["why"], &told["closed"]), (&why.into(), &true.into()), "{told}");
    assert_eq!(hold.ended(PATIENCE).unwrap(), code);
}

#[test]
fn taking_the_card_out_ends_the_session_and_its_tokens() {
    in_private_space(|| {
        let seat = Seat::open();
        let stage = &seat.hospital.stage;
        let _daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let mut readers = VirtualReaders::start(stage).unwrap();
        // Nobody is logged in without the card.
        let mut waiting = seat.hold(&["--reader", READER, "--timeout", "1"]);
        assert_eq!(waiting.ended(PATIENCE).unwrap(), 1);
        assert!(!seat.is_saved());

        // Nor behind a screen that was locked while the card was waited for.
        let held = seat.hospital.stage.identity(DOCTOR.key).join("held");
        std::fs::remove_file(&held).unwrap();
        let mut waiting = seat.hold(&["--reader", READER]);
        let begun = Instant::now();
        while !held.exists() {
            assert!(begun.elapsed() < PATIENCE, "it never waited");
            std::thread::yield_now();
        }
        seat.hospital.granted(DOCTOR.key, &["session", "lock"]);
        ended(&mut waiting, "locked", 0);

        let mut hold = seat.hold(&["--reader", READER]);
        readers.insert(0, &seat.hospital.card_image()).unwrap();
        let held = event(&mut hold, "held");
        assert_eq!(held["reader"], READER, "{held}");
        assert!(held["session"]["leased_until"].is_string(), "{held}");
        assert!(held["session"]["token"].is_null(), "{held}");
        let token = seat.token();
        assert_eq!(seat.inactive(&token), "");
        readers.remove(0).unwrap();
        ended(&mut hold, "card-out", 0);
        assert_eq!(seat.inactive(&token), "SESSION_CLOSED");
        assert!(!seat.is_saved());
        // What is begun after that is not done with a session that nobody would end.
        seat.hospital.refused(DOCTOR.key, &["session", "list"], "HELD_SESSION_OVER");
        assert!(!seat.is_saved());
    });
}

#[test]
fn a_holder_that_is_killed_leaves_a_session_that_ends_with_its_lease() {
    let seat = Seat::open();
    let mut hold = seat.hold(&["--lease", "5"]);
    let held = event(&mut hold, "held");
    let token = seat.token();
    // It is renewed as long as its holder lives.
    let list = || seat.hospital.granted(DOCTOR.key, &["session", "list"])["sessions"][0].clone();
    let first = text(&held["session"], "leased_until");
    let begun = Instant::now();
    while text(&list(), "leased_until") == first {
        assert!(begun.elapsed() < PATIENCE, "it was not renewed");
        std::thread::yield_now();
    }
    assert_eq!(seat.inactive(&token), "");

    hold.kill();
    let killed = Instant::now();
    let why = loop {
        let why = seat.inactive(&token);
        if !why.is_empty() {
            break why;
        }
        assert!(killed.elapsed() < PATIENCE, "it was never ended");
        std::thread::yield_now();
    };
    assert_eq!(why, "SESSION_CLOSED");
    // No command takes its place with one that lasts.
    let order = ["token", "issue", "--visit", &seat.visit, "--classes", "health", "--grade", "3"];
    let order = [&order[..], &["--audience", "emr"]].concat();
    seat.hospital.refused(DOCTOR.key, &order, "HELD_SESSION_OVER");
    seat.hospital.granted(DOCTOR.key, &["session", "open"]);
    let listed = seat.hospital.granted(DOCTOR.key, &["session", "list"]);
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed}");
    while !seat.revocations().contains(&text(&token, "token_id")) {
        assert!(killed.elapsed() < PATIENCE, "who checks offline was not told");
        std::thread::yield_now();
    }

    // Nobody renews it any more, and the log says that it was left.
    let search = ["audit", "search", "--action", "session.end"];
    let left = loop {
        let found = seat.hospital.granted("auditor", &search);
        if let Some(entry) = found["entries"].as_array().unwrap().first() {
            break entry["entry"].clone();
        }
        assert!(killed.elapsed() < PATIENCE, "nobody was told");
        std::thread::yield_now();
    };
    assert_eq!(left["detail"]["how"], "lease", "{left}");
    assert_eq!(left["actor"]["role"], "service", "{left}");
}

#[test]
fn a_desk_that_is_locked_or_left_ends_it_also_when_the_service_is_away() {
    let mut seat = Seat::open();
    let mut hold = seat.hold(&[]);
    event(&mut hold, "held");
    let token = seat.token();
    seat.hospital.granted(DOCTOR.key, &["session", "lock"]);
    assert_eq!(seat.inactive(&token), "SESSION_CLOSED");
    ended(&mut hold, "locked", 0);

    // By whoever ends the program: a desktop that logs out, a shell, a supervisor.
    let mut hold = seat.hold(&[]);
    event(&mut hold, "held");
    let token = seat.token();
    assert_eq!(hold.end().unwrap(), 0);
    assert_eq!(seat.inactive(&token), "SESSION_CLOSED");

    // Nobody used it.
    let mut hold = seat.hold(&["--idle", "10"]);
    event(&mut hold, "held");
    let begun = Instant::now();
    ended(&mut hold, "idle", 0);
    assert!(begun.elapsed() >= Duration::from_secs(9));

    let mut hold = seat.hold(&["--lease", "5"]);
    event(&mut hold, "held");
    let token = seat.token();
    seat.hospital.stage.server().unwrap().end().unwrap();
    let locked = seat.hospital.ask(DOCTOR.key, &["session", "lock"]);
    assert_eq!(locked.code, 3, "{}", locked.body);
    assert!(!seat.is_saved());
    let told = event(&mut hold, "ended");
    assert_eq!((&told["why"], &told["closed"]), (&"locked".into(), &false.into()), "{told}");
    seat.hospital.stage.serve().unwrap();
    let begun = Instant::now();
    while seat.inactive(&token).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "it was never ended");
        std::thread::yield_now();
    }
    assert_eq!(seat.inactive(&token), "SESSION_CLOSED");
}
