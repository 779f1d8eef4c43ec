//! A desk that loses the service: it shows what anyone may read and says that nothing is proven, keeps it so that a
//! thief of its disk reads nothing, and tells the service afterwards, once.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};
use service::demo::people::{CLERK, DESK, PATIENT};
use service::demo::readers::{Desk, VirtualReaders};
use tests::hospital::{Hospital, text};
use tests::private::{PcscDaemon, in_private_space};

struct Counter {
    desk: Desk,
    readers: VirtualReaders,
    daemon: PcscDaemon,
    hospital: Hospital,
}

impl Counter {
    fn open(options: &[&str]) -> Self {
        let hospital = Hospital::open();
        let stage = &hospital.stage;
        let daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let readers = VirtualReaders::start(stage).unwrap();
        let desk = Desk::start(stage, DESK.key, options).unwrap();
        let mut counter = Self { desk, readers, daemon, hospital };
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
        counter.hospital.granted(CLERK.key, &["card", "report-loss", &card]);
        // A desk that is started now has the list that says so, and refuses the card without the service as well.
        counter.desk.kill();
        counter.desk = Desk::start(&counter.hospital.stage, DESK.key, &[]).unwrap();
        counter.put_in();
        assert_eq!(counter.desk.outcome().unwrap()["failure"]["reason"], "CARD_LOST");
        counter.take_out();
        counter.lose_service();
        assert_eq!(counter.see_offline()["standing"], "black");
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
        counter.desk.kill();
        // A desk that starts while the service is away goes on without it.
        counter.desk = Desk::start(&counter.hospital.stage, DESK.key, &[]).unwrap();
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
        counter.hospital.stage.server().unwrap().kill();
        counter.desk = Desk::start(&counter.hospital.stage, DESK.key, &[]).unwrap();
        counter.hospital.stage.serve().unwrap();
        let told = counter.desk.event("reconciled").unwrap();
        let readings = told["readings"].as_array().unwrap();
        assert_eq!(readings.len(), 3, "{told}");
        assert!(readings.iter().all(|reading| reading["recorded_now"] == false), "{told}");
        assert_eq!(counter.leaves(), 3, "nothing was recorded twice");
        assert_eq!(fs::metadata(counter.spool()).unwrap().len(), 0);
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
