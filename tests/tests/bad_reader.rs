//! The reader's side of what can go wrong, through a real PC/SC daemon, with `healthcard desk` watching.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use service::demo::people::{CLERK, DESK, PATIENT, SOMEBODY_ELSE};
use service::demo::readers::{Desk, VirtualReaders};
use service::demo::stage::CardKeys;
use tests::hospital::Hospital;
use tests::private::{PcscDaemon, in_private_space};

/// A hospital with a desk that watches the virtual readers.
struct Window {
    desk: Desk,
    readers: VirtualReaders,
    daemon: PcscDaemon,
    hospital: Hospital,
}

impl Window {
    fn open() -> Self {
        Self::open_with(&[])
    }

    fn open_with(options: &[&str]) -> Self {
        let hospital = Hospital::open();
        let daemon = PcscDaemon::start(&hospital.stage.path("log/pcscd")).unwrap();
        let readers = VirtualReaders::start(&hospital.stage).unwrap();
        let desk = Desk::start(&hospital.stage, DESK.key, options).unwrap();
        Self { desk, readers, daemon, hospital }
    }

    fn card(&self) -> PathBuf {
        self.hospital.card_image()
    }

    /// Puts a card in, and takes it out again once the desk has shown what came of it.
    fn present(&mut self, image: &std::path::Path) -> Value {
        self.readers.insert(0, image).unwrap();
        let outcome = self.desk.outcome().unwrap();
        self.readers.remove(0).unwrap();
        self.desk.event("removed").unwrap();
        self.daemon.saw_removal().unwrap();
        outcome
    }

    /// What the desk shows of the patient's card when it has this fault. The daemon looks at a slot every 400 ms and
    /// then powers the card, so the fault is there before the first command.
    fn fault(&mut self, fault: &str) -> Value {
        let image = self.card();
        self.readers.insert(0, &image).unwrap();
        self.readers.order(&format!("fault 0 {fault}")).unwrap();
        let outcome = self.desk.outcome().unwrap();
        // A card that left by itself is not there to be removed.
        let _ = self.readers.remove(0);
        self.desk.event("removed").unwrap();
        self.daemon.saw_removal().unwrap();
        outcome
    }

    fn still_works(&mut self, after: &str) {
        let image = self.card();
        let event = self.present(&image);
        assert_eq!(event["reading"]["name"], PATIENT.name, "after {after}: {event}");
        assert!(event["screen_ms"].as_f64().unwrap() > 0.0, "{event}");
    }
}

#[track_caller]
fn failed(event: &Value, reason: &str) {
    assert_eq!(event["event"], "failure", "{event}");
    assert_eq!(event["failure"]["reason"], reason, "{event}");
    assert!(event["failure"]["advice_zh"].as_str().is_some_and(|advice| !advice.is_empty()));
}

#[test]
fn cards_that_fail_in_the_reader() {
    in_private_space(|| {
        let mut window = Window::open();
        window.still_works("nothing");
        // The card leaves in the middle: at the first command, half-way, and at a late one.
        for at in [1, 5, 8] {
            let gone = window.fault(&format!("gone-at:{at}"));
            failed(&gone, "CARD_REMOVED");
            window.still_works("a pulled card");
        }
        for (fault, expected) in [
            ("forged", "CARD_NOT_GENUINE"),
            ("short", "CARD_GARBAGE"),
            ("truncated", "CARD_MALFORMED"),
            ("oversized", "CARD_MALFORMED"),
        ] {
            let event = window.fault(fault);
            failed(&event, expected);
            window.still_works(fault);
        }
    });
}

#[test]
fn two_cards_at_two_windows_are_two_people() {
    in_private_space(|| {
        let mut window = Window::open_with(&["--each"]);
        let stage = &window.hospital.stage;
        let id = stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
        stage.register_card(CLERK.key, &id, &SOMEBODY_ELSE).unwrap();
        let other = stage.make_card(&SOMEBODY_ELSE, CardKeys::Genuine).unwrap();
        let patient = window.card();
        window.readers.insert(0, &patient).unwrap();
        window.readers.insert(1, &other).unwrap();
        let mut seen = BTreeMap::new();
        for _ in 0..2 {
            let event = window.desk.outcome().unwrap();
            let reader = event["reader"].as_str().unwrap().to_owned();
            seen.insert(reader, event["reading"]["name"].as_str().unwrap().to_owned());
        }
        let seen: Vec<(&str, &str)> =
            seen.iter().map(|(reader, name)| (reader.as_str(), name.as_str())).collect();
        let expected =
            [("Virtual PCD 00 00", PATIENT.name), ("Virtual PCD 00 01", SOMEBODY_ELSE.name)];
        assert_eq!(seen, expected);
    });
}

#[test]
fn the_daemon_killed_and_started_again() {
    in_private_space(|| {
        let mut window = Window::open();
        window.still_works("nothing");
        for round in 0..3 {
            window.daemon.kill();
            window.desk.event("reader_service_lost").unwrap();
            window.daemon.restart().unwrap();
            window.desk.event("readers").unwrap();
            window.still_works(&format!("restart {round} of the daemon"));
        }
    });
}

#[test]
fn the_service_killed_and_started_again() {
    in_private_space(|| {
        let mut window = Window::open();
        window.still_works("nothing");
        window.hospital.stage.server().unwrap().kill();
        window.desk.event("service_lost").unwrap();
        window.hospital.stage.serve().unwrap();
        window.desk.event("service_back").unwrap();
        window.still_works("a restart of the service");
    });
}

#[test]
fn no_daemon_and_no_reader_have_their_own_words() {
    in_private_space(|| {
        let hospital = Hospital::open();
        hospital.refused(DESK.key, &["card", "read"], "READER_SERVICE_UNAVAILABLE");
        let log = hospital.stage.path("log/pcscd");
        let _daemon = PcscDaemon::start_without_readers(&log).unwrap();
        hospital.refused(DESK.key, &["card", "read"], "READER_MISSING");
    });
}
