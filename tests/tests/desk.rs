//! The desk agent with several readers: one card never stands in another's way, and of two people it is never the
//! wrong one. Everything goes through a real PC/SC daemon.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use service::demo::people::{CLERK, DESK, PATIENT, SOMEBODY_ELSE};
use service::demo::readers::{Desk, VirtualReaders};
use service::demo::stage::CardKeys;
use tests::hospital::Hospital;
use tests::private::{PcscDaemon, in_private_space};

const FIRST: &str = "Virtual PCD 00 00";
const SECOND: &str = "Virtual PCD 00 01";

/// A desk with two readers and cards of two people.
struct Counter {
    desk: Desk,
    readers: VirtualReaders,
    _daemon: PcscDaemon,
    patient: PathBuf,
    other: PathBuf,
    hospital: Hospital,
}

impl Counter {
    fn open(options: &[&str]) -> Self {
        let hospital = Hospital::open();
        let stage = &hospital.stage;
        let id = stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
        stage.register_card(CLERK.key, &id, &SOMEBODY_ELSE).unwrap();
        let other = stage.make_card(&SOMEBODY_ELSE, CardKeys::Genuine).unwrap();
        let daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let readers = VirtualReaders::start(stage).unwrap();
        let desk = Desk::start(stage, DESK.key, options).unwrap();
        let patient = hospital.card_image();
        Self { desk, readers, _daemon: daemon, patient, other, hospital }
    }

    fn put_in(&mut self, slot: u8, image: &Path, fault: &str) {
        self.readers.insert(slot, image).unwrap();
        if !fault.is_empty() {
            self.readers.order(&format!("fault {slot} {fault}")).unwrap();
        }
    }

    #[track_caller]
    fn shows(&mut self, reader: &str, person: &str) -> Value {
        let event = self.desk.outcome().unwrap();
        assert_eq!(event["reading"]["name"], person, "{event}");
        assert_eq!(event["reader"], reader, "{event}");
        event
    }

    #[track_caller]
    fn fails(&mut self, reader: &str, reason: &str) {
        let event = self.desk.outcome().unwrap();
        assert_eq!(event["failure"]["reason"], reason, "{event}");
        assert_eq!(event["reader"], reader, "{event}");
    }
}

#[test]
fn a_mute_card_keeps_nobody_waiting_but_itself() {
    in_private_space(|| {
        let mut counter = Counter::open(&["--each"]);
        let (patient, other) = (counter.patient.clone(), counter.other.clone());
        let began = Instant::now();
        counter.put_in(0, &patient, "mute");
        counter.desk.event("inserted").unwrap();
        // While the first reader waits for an answer, the second one reads one card after the other.
        for _ in 0..3 {
            counter.put_in(1, &other, "");
            counter.shows(SECOND, SOMEBODY_ELSE.name);
            counter.readers.remove(1).unwrap();
            counter.desk.event("removed").unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(5), "the second reader was kept waiting");
        counter.fails(FIRST, "CARD_TIMEOUT");
        let quarantined = counter.desk.event("quarantined").unwrap();
        assert_eq!(
            (&quarantined["reader"], &quarantined["cause"]),
            (&FIRST.into(), &"hung".into())
        );
        // It is left alone until it is out, and then the reader is as good as new.
        counter.put_in(1, &other, "");
        counter.shows(SECOND, SOMEBODY_ELSE.name);
        counter.readers.remove(0).unwrap();
        assert_eq!(counter.desk.event("removed").unwrap()["reader"], FIRST);
        counter.put_in(0, &patient, "");
        counter.shows(FIRST, PATIENT.name);
    });
}

#[test]
fn a_card_that_floods_is_left_alone() {
    in_private_space(|| {
        let mut counter = Counter::open(&[]);
        let patient = counter.patient.clone();
        for fault in ["endless", "huge"] {
            counter.put_in(0, &patient, fault);
            counter.fails(FIRST, "CARD_GARBAGE");
            assert_eq!(counter.desk.event("quarantined").unwrap()["cause"], "flooding", "{fault}");
            assert_eq!(counter.desk.event("reader_reset").unwrap()["done"], true, "{fault}");
            counter.readers.remove(0).unwrap();
            counter.desk.event("removed").unwrap();
            counter.put_in(0, &patient, "");
            counter.shows(FIRST, PATIENT.name);
            counter.readers.remove(0).unwrap();
            counter.desk.event("removed").unwrap();
        }
    });
}

#[test]
fn with_two_cards_it_asks_and_never_guesses() {
    in_private_space(|| {
        let mut counter = Counter::open(&[]);
        let (patient, other) = (counter.patient.clone(), counter.other.clone());
        counter.put_in(0, &patient, "");
        counter.shows(FIRST, PATIENT.name);
        counter.put_in(1, &other, "");
        let asked = counter.desk.event("choose").unwrap();
        assert_eq!(asked["readers"], serde_json::json!([FIRST, SECOND]));
        // An answer that fits both is none: it is asked again.
        counter.desk.say("Virtual").unwrap();
        counter.desk.event("choose").unwrap();
        counter.desk.say(SECOND).unwrap();
        assert_eq!(counter.desk.event("chosen").unwrap()["reader"], SECOND);
        counter.shows(SECOND, SOMEBODY_ELSE.name);
        // The one that is left is read without a question: there is nobody to confuse it with.
        counter.readers.remove(0).unwrap();
        counter.desk.event("removed").unwrap();
        counter.put_in(0, &patient, "");
        counter.desk.event("choose").unwrap();
        counter.readers.remove(1).unwrap();
        counter.desk.event("removed").unwrap();
        counter.shows(FIRST, PATIENT.name);
        // Who reads one card by a command is told to leave one.
        counter.put_in(1, &other, "");
        counter.desk.event("choose").unwrap();
        counter.desk.kill();
        counter.hospital.refused(DESK.key, &["card", "read"], "CARDS_TWO");
        let read = counter.hospital.granted(DESK.key, &["card", "read", "--reader", "00 01"]);
        assert_eq!(read["name"], SOMEBODY_ELSE.name);
        // Nor is either of them written.
        let file =
            counter.hospital.stage.write("records/phone.toml", b"[items]\n16 = \"0371-6688\"\n");
        let file = file.unwrap().to_string_lossy().into_owned();
        let write = ["card", "write", "--file", &file];
        counter.hospital.refused(CLERK.key, &write, "CARDS_TWO");
        for reader in ["00 00", "00 01"] {
            let order = [&write[..], &["--reader", reader]].concat();
            let written = counter.hospital.granted(CLERK.key, &order);
            assert_eq!(written["records"][0]["changed"], true, "{written}");
        }
    });
}

#[test]
fn a_card_of_another_kind_is_told_once_and_asks_nothing() {
    in_private_space(|| {
        let mut counter = Counter::open(&[]);
        let (patient, other) = (counter.patient.clone(), counter.other.clone());
        // A transit card: it knows DDF1, and answers no tag 39 (health-card.md, 2.3).
        counter.put_in(1, &other, "says:6A83");
        counter.fails(SECOND, "NOT_HEALTH_CARD");
        counter.put_in(0, &patient, "");
        counter.shows(FIRST, PATIENT.name);
        counter.readers.remove(1).unwrap();
        counter.desk.event("removed").unwrap();
        // And with a health card there before it.
        counter.put_in(1, &other, "says:6A83");
        counter.fails(SECOND, "NOT_HEALTH_CARD");
    });
}
