//! A desk that loses the service: it shows what anyone may read, and with a SAM what the card proves; refuses what is
//! forged or listed; keeps all of it so that a thief of its disk reads nothing; and tells the service afterwards, once.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};
use service::demo::people::{CLERK, DESK, PATIENT};
use service::demo::readers::{Desk, VirtualReaders};
use service::demo::stage::CardKeys;
use tests::hospital::{Hospital, SAM_PIN, text};
use tests::private::{PcscDaemon, in_private_space};

struct Counter {
    desk: Desk,
    readers: VirtualReaders,
    daemon: PcscDaemon,
    options: Vec<String>,
    hospital: Hospital,
}

impl Counter {
    fn open(options: &[&str]) -> Self {
        Self::open_at(Hospital::open(), options, &[])
    }

    /// The same with a SAM in the second slot, which was given its PIN.
    fn with_sam() -> Self {
        let hospital = Hospital::open();
        let (sam, pin) = (hospital.make_sam(), hospital.pin_file("sam-pin", SAM_PIN));
        let sam = ["--sam", &sam.to_string_lossy()];
        Self::open_at(hospital, &["--sam", "00 01", "--sam-pin-file", &pin], &sam)
    }

    fn open_at(hospital: Hospital, options: &[&str], slots: &[&str]) -> Self {
        let stage = &hospital.stage;
        let daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let readers = VirtualReaders::start_with(stage, slots).unwrap();
        let desk = Desk::start(stage, DESK.key, options).unwrap();
        let options = options.iter().map(|word| (*word).to_owned()).collect();
        let mut counter = Self { desk, readers, daemon, options, hospital };
        // A desk has what it needs without the service once it has asked for it, which it does before the first card.
        counter.put_in();
        assert_eq!(counter.desk.outcome().unwrap()["event"], "reading");
        counter.take_out();
        counter
    }

    fn put_in(&mut self) {
        let image = self.hospital.card_image();
        self.readers.insert(0, &image).unwrap();
    }

    fn take_out(&mut self) {
        self.readers.remove(0).unwrap();
        self.desk.event("removed").unwrap();
        self.daemon.saw_removal().unwrap();
    }

    /// A desk that is started now has the newest list once it has read a card.
    fn start_desk_anew(&mut self) {
        self.desk.kill();
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        self.desk = Desk::start(&self.hospital.stage, DESK.key, &options).unwrap();
    }

    /// The service comes when the desk is there: what the desk tells it is then seen.
    fn start_desk_then_service(&mut self) {
        self.hospital.stage.server().unwrap().kill();
        self.start_desk_anew();
        self.hospital.stage.serve().unwrap();
    }

    /// A reading is dated to the second, and counts as of its end: what happens next is later.
    fn wait_for_the_next_second(&self) {
        let second = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let begun = second();
        while second() == begun {
            self.hospital.granted(CLERK.key, &["card", "get", &self.hospital.card_id]);
        }
    }

    fn lose_service(&mut self) {
        self.hospital.stage.server().unwrap().kill();
        self.desk.event("service_lost").unwrap();
    }

    fn spool(&self) -> PathBuf {
        self.hospital.stage.identity(DESK.key).join("desk/spool")
    }

    /// Puts the patient's card in while the service is away, and takes it out.
    fn see_offline(&mut self) -> Value {
        self.put_in();
        let seen = self.desk.event("offline_reading").unwrap();
        self.take_out();
        seen
    }

    /// The same with a card that is refused, for this reason.
    #[track_caller]
    fn refused_offline(&mut self, reason: &str) -> Value {
        let refused = self.desk.any(&["offline_reading", "offline_refused"]).unwrap();
        assert_eq!(refused["failure"]["reason"], reason, "{refused}");
        // Nobody is told whose card it is.
        assert!(refused["name"].is_null() && refused["card_number"].is_null(), "{refused}");
        self.take_out();
        refused
    }

    /// What the log says of the last reading without the service that raised an alert.
    fn last_alert(&self) -> Value {
        let search = ["audit", "search", "--action", "card.offline", "--alerts"];
        let found = self.hospital.granted("auditor", &search);
        found["entries"][0]["entry"].clone()
    }

    /// Positions of the log that tell of readings without the service.
    fn leaves(&self) -> usize {
        let found =
            self.hospital.granted("auditor", &["audit", "search", "--action", "card.offline"]);
        found["entries"].as_array().unwrap().len()
    }
}

#[test]
fn without_the_service_a_card_is_seen_and_told_later() {
    in_private_space(|| {
        let mut counter = Counter::open(&[]);
        counter.lose_service();
        counter.put_in();
        let seen = counter.desk.event("offline_reading").unwrap();
        assert_eq!(seen["proven"], false, "{seen}");
        assert_eq!(seen["standing"], "not-listed", "{seen}");
        assert!(seen["list_number"].as_u64().is_some_and(|number| number > 0), "{seen}");
        assert!(seen["list_age_seconds"].as_u64().is_some(), "{seen}");
        assert_eq!(seen["chip_serial"], PATIENT.chip_serial, "{seen}");
        // What lies on the disk says nothing to whoever takes it.
        let kept = fs::read(counter.spool()).unwrap();
        assert!(!kept.is_empty());
        for secret in [PATIENT.id_number, PATIENT.chip_serial] {
            assert!(
                !kept.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{secret}"
            );
        }
        counter.hospital.stage.serve().unwrap();
        counter.desk.event("service_back").unwrap();
        // The card that is still there is now read as it should be, and what was seen is told.
        let (mut read, mut told) = (false, false);
        while !(read && told) {
            let event = counter.desk.any(&["reading", "reconciled"]).unwrap();
            match event["event"].as_str().unwrap() {
                "reading" => {
                    assert_eq!(event["reading"]["name"], PATIENT.name);
                    read = true;
                }
                _ => {
                    let reading = &event["readings"][0];
                    assert_eq!(reading["recorded_now"], true, "{event}");
                    assert_eq!(reading["contradictions"], json!([]), "{event}");
                    told = true;
                }
            }
        }
        assert_eq!(fs::metadata(counter.spool()).unwrap().len(), 0);
        assert_eq!(counter.leaves(), 1);
        let tasks = counter.hospital.granted(CLERK.key, &["desk", "tasks"]);
        assert_eq!(tasks["tasks"], json!([]));
    });
}

#[test]
fn what_contradicts_the_record_is_a_task() {
    in_private_space(|| {
        let mut counter = Counter::open(&[]);
        let card = counter.hospital.card_id.clone();
        // The desk does not hear of it.
        counter.hospital.granted(CLERK.key, &["card", "report-loss", &card]);
        counter.lose_service();
        assert_eq!(counter.see_offline()["standing"], "not-listed");
        counter.hospital.stage.serve().unwrap();
        let told = counter.desk.event("reconciled").unwrap();
        let reading = &told["readings"][0];
        assert_eq!(reading["contradictions"], json!(["CONTRADICTION_NOT_ACTIVE"]), "{told}");
        let listed = counter.hospital.granted(CLERK.key, &["desk", "tasks"]);
        let task = text(&listed["tasks"][0], "task_id");
        assert_eq!(listed["tasks"][0]["card_id"], card.as_str(), "{listed}");
        assert_eq!(reading["task_id"], task.as_str());
        // The desk itself may not judge what it did.
        counter.hospital.refused(DESK.key, &["desk", "tasks"], "ROLE_NOT_ALLOWED");
        let close = ["desk", "close", &task, "--result", "card-kept"];
        let closed = counter.hospital.granted(CLERK.key, &close);
        assert_eq!(closed["task"]["result"], "TASK_RESULT_CARD_KEPT");
        counter.hospital.refused(CLERK.key, &close, "STATE_CONFLICT");
        let listed = counter.hospital.granted(CLERK.key, &["desk", "tasks"]);
        assert_eq!(listed["tasks"], json!([]));
        let listed = counter.hospital.granted(CLERK.key, &["desk", "tasks", "--all"]);
        assert_eq!(listed["tasks"].as_array().unwrap().len(), 1);
        let nobody =
            ["desk", "close", "01939d5e-7a00-7000-8000-000000000001", "--result", "reported"];
        counter.hospital.refused(CLERK.key, &nobody, "TASK_NOT_FOUND");
    });
}

#[test]
fn a_desk_that_is_killed_before_it_forgets_tells_nothing_twice() {
    in_private_space(|| {
        let mut counter = Counter::open(&[]);
        counter.lose_service();
        for _ in 0..2 {
            counter.see_offline();
        }
        // The disk as it is when the desk ends between sending and forgetting.
        let kept = fs::read(counter.spool()).unwrap();
        // A desk that starts while the service is away goes on without it.
        counter.start_desk_anew();
        counter.see_offline();
        let kept_later = fs::read(counter.spool()).unwrap();
        assert!(kept_later.starts_with(&kept) && kept_later.len() > kept.len());
        counter.hospital.stage.serve().unwrap();
        let told = counter.desk.event("reconciled").unwrap();
        assert_eq!(told["readings"].as_array().unwrap().len(), 3, "{told}");
        counter.desk.kill();
        assert_eq!(counter.leaves(), 3);
        // And a record that was being written when the power went.
        let torn = [&kept_later[..], &kept_later[..40]].concat();
        fs::write(counter.spool(), torn).unwrap();
        counter.start_desk_then_service();
        let told = counter.desk.event("reconciled").unwrap();
        let readings = told["readings"].as_array().unwrap();
        assert_eq!(readings.len(), 3, "{told}");
        assert!(readings.iter().all(|reading| reading["recorded_now"] == false), "{told}");
        assert_eq!(counter.leaves(), 3, "nothing was recorded twice");
        assert_eq!(fs::metadata(counter.spool()).unwrap().len(), 0);
    });
}

#[test]
fn a_reading_is_held_against_the_state_of_its_own_time() {
    in_private_space(|| {
        let mut counter = Counter::open(&[]);
        let card = counter.hospital.card_id.clone();
        let contradictions = |counter: &mut Counter| {
            counter.desk.event("reconciled").unwrap()["readings"][0]["contradictions"].clone()
        };
        counter.hospital.granted(CLERK.key, &["card", "report-loss", &card]);
        counter.lose_service();
        counter.see_offline();
        counter.desk.kill();
        // By the time the desk tells of it the card was found again.
        counter.hospital.stage.serve().unwrap();
        counter.wait_for_the_next_second();
        counter.hospital.granted(CLERK.key, &["card", "release", &card]);
        counter.start_desk_then_service();
        assert_eq!(contradictions(&mut counter), json!(["CONTRADICTION_NOT_ACTIVE"]));
        counter.lose_service();
        counter.see_offline();
        counter.desk.kill();
        // And the other way round: it was lost afterwards.
        counter.hospital.stage.serve().unwrap();
        counter.wait_for_the_next_second();
        counter.hospital.granted(CLERK.key, &["card", "report-loss", &card]);
        counter.start_desk_then_service();
        assert_eq!(contradictions(&mut counter), json!([]));
    });
}

#[test]
fn a_card_proves_itself_to_the_sam_of_the_desk() {
    in_private_space(|| {
        let mut counter = Counter::with_sam();
        let forged = counter.hospital.stage.make_card(&PATIENT, CardKeys::Forged).unwrap();
        counter.lose_service();
        let seen = counter.see_offline();
        assert_eq!((&seen["proof"], &seen["proven"]), (&json!("genuine"), &json!(true)), "{seen}");
        assert_eq!(seen["name"], PATIENT.name, "{seen}");
        assert_eq!(seen["standing"], "not-listed", "{seen}");
        assert!(seen["list_age_seconds"].is_u64(), "{seen}");

        counter.readers.insert(0, &forged).unwrap();
        let refused = counter.refused_offline("CARD_NOT_GENUINE");
        assert_eq!(
            (&refused["proof"], &refused["standing"]),
            (&json!("forged"), &json!("not-listed"))
        );
        // What is on the disk tells neither whose cards they were nor which.
        let kept = fs::read(counter.spool()).unwrap();
        for secret in [PATIENT.id_number, PATIENT.chip_serial] {
            assert!(!kept.windows(secret.len()).any(|it| it == secret.as_bytes()), "{secret}");
        }

        counter.hospital.stage.serve().unwrap();
        let told = counter.desk.event("reconciled").unwrap();
        assert_eq!(told["readings"][0]["contradictions"], json!([]), "{told}");
        let found = &told["readings"][1];
        assert_eq!(found["contradictions"], json!(["CONTRADICTION_NOT_GENUINE"]), "{told}");
        let search = ["audit", "search", "--action", "card.offline"];
        let found = counter.hospital.granted("auditor", &search);
        let proofs: Vec<_> = found["entries"].as_array().unwrap().iter().collect();
        let told = |at: usize, what: &str| proofs[at]["entry"]["detail"][what].clone();
        let mut pairs =
            [(told(0, "proof"), told(0, "refused")), (told(1, "proof"), told(1, "refused"))];
        pairs.sort_by_key(|(proof, _)| proof.to_string());
        assert_eq!(
            pairs,
            [(json!("forged"), json!("not-genuine")), (json!("genuine"), Value::Null)]
        );
        let alert = counter.last_alert();
        assert_eq!(alert["detail"]["alert"], "card-not-genuine", "{alert}");
        let tasks = counter.hospital.granted(CLERK.key, &["desk", "tasks"]);
        assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1, "{tasks}");
    });
}

#[test]
fn a_card_on_the_list_is_refused_without_the_service_and_the_service_hears_of_it() {
    in_private_space(|| {
        let mut counter = Counter::with_sam();
        let card = counter.hospital.card_id.clone();
        let changes = [
            ("report-loss", "CARD_LOST", "black", "loss"),
            ("blacklist", "CARD_BLACKLISTED", "black", "illegal-use"),
        ];
        for (change, reason, standing, cause) in changes {
            counter.hospital.granted(CLERK.key, &["card", change, &card]);
            counter.start_desk_anew();
            counter.put_in();
            assert_eq!(counter.desk.outcome().unwrap()["failure"]["reason"], reason);
            counter.take_out();
            counter.lose_service();
            counter.put_in();
            let refused = counter.refused_offline(reason);
            assert_eq!(refused["standing"], standing, "{refused}");
            assert_eq!(refused["listed_for"], cause, "{refused}");
            assert_eq!(refused["proof"], "genuine", "{refused}");
            assert!(refused["list_age_seconds"].is_u64(), "{refused}");
            assert!(fs::metadata(counter.spool()).unwrap().len() > 0, "it is not kept");
            counter.hospital.stage.serve().unwrap();
            let told = counter.desk.event("reconciled").unwrap();
            let found = &told["readings"][0]["contradictions"];
            assert_eq!(*found, json!(["CONTRADICTION_NOT_ACTIVE"]), "{told}");
            let alert = counter.last_alert();
            assert_eq!(alert["outcome"], "refused", "{alert}");
            assert_eq!(alert["detail"]["alert"], "card-not-in-force", "{alert}");
            assert_eq!(alert["detail"]["refused"], "listed", "{alert}");
        }
    });
}

#[test]
fn metrics_count_and_name_nobody() {
    in_private_space(|| {
        let mut counter = Counter::open(&["--metrics", "127.0.0.1:9464"]);
        counter.lose_service();
        counter.see_offline();
        let mut stream = TcpStream::connect("127.0.0.1:9464").unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: desk\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        for line in [
            "healthcard_desk_cards_total{outcome=\"read\"} 1",
            "healthcard_desk_cards_total{outcome=\"offline\"} 1",
            "healthcard_desk_readers{state=\"empty\"} 2",
            "healthcard_desk_service_losses_total 1",
            "healthcard_desk_connected 0",
            "healthcard_desk_spool_readings 1",
        ] {
            assert!(answer.contains(line), "{line} is not in\n{answer}");
        }
        for secret in [PATIENT.id_number, PATIENT.chip_serial, PATIENT.name] {
            assert!(!answer.contains(secret));
        }
        counter.hospital.refused(
            DESK.key,
            &["desk", "--metrics", "0.0.0.0:9465"],
            "METRICS_EXPOSED",
        );
    });
}
