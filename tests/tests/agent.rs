//! A C program on `libhealthcard` through the desk agent: the real `healthcard desk` and service, a real PC/SC daemon, no
//! SAM. What it asks for is what the service permits to whoever the desk is logged in as.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use card::layout::{Profile, df03};
use encoding_rs::GBK;
use service::demo::people::{CLERK, DESK, DOCTOR, PATIENT, SOMEBODY_ELSE};
use service::demo::programs::Background;
use service::demo::readers::{Desk, VirtualReaders};
use service::demo::stage::{CardKeys, PATIENCE};
use tests::hospital::Hospital;
use tests::private::{PcscDaemon, in_private_space};
use tests::programs::{Library, compile, libraries};
use tests::relay::open_visit;

/// Codes of the interface specification.
const PARAMETER: i32 = 101;
const CARD: i32 = 104;
const SAM: i32 = 105;
const AUTHENTICATION: i32 = 106;
const WRITE_BINARY: i32 = 109;
const SET_VALID: i32 = 110;
const SET_INVALID: i32 = 111;
const INVALID: i32 = 112;

/// The old software, running.
struct Software(Background);

impl Software {
    fn start(directory: &Path, agent: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(compile(directory, "agent.c", Library::Healthcard));
        command.env("LD_LIBRARY_PATH", libraries()).env("HEALTHCARD_AGENT", agent);
        command.envs(environment.iter().copied());
        let software = Background::start("agent.c", command, &directory.join("software"));
        Self(software.unwrap())
    }

    /// Makes one call; its code, and what was read.
    fn call(&mut self, line: &str) -> (i32, Vec<String>) {
        let word = line.split(' ').next().unwrap();
        self.0.say(line).unwrap();
        let answer = self.0.wait_for(line, 2 * PATIENCE, |said| {
            said.strip_prefix(word)?.strip_prefix(' ').map(str::to_owned)
        });
        let answer = answer.unwrap();
        let (code, read) = answer.split_once(' ').unwrap_or((&answer, ""));
        let fields = read.split('|').map(|field| {
            let bytes = hex::decode(field).unwrap();
            GBK.decode(&bytes).0.into_owned()
        });
        (code.parse().unwrap(), fields.collect())
    }

    #[track_caller]
    fn done(&mut self, line: &str) -> Vec<String> {
        let (code, read) = self.call(line);
        assert_eq!(code, 0, "{line}");
        read
    }

    #[track_caller]
    fn refused(&mut self, line: &str, code: i32) {
        assert_eq!(self.call(line).0, code, "{line}");
    }
}

/// A hospital with two readers and a desk that software may ask.
struct Window {
    desk: Desk,
    software: Software,
    readers: VirtualReaders,
    agent: PathBuf,
    hospital: Hospital,
    visit: String,
    _daemon: PcscDaemon,
}

impl Window {
    fn open(who: &str) -> Self {
        let hospital = Hospital::open();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let visit = runtime.block_on(open_visit(&hospital));
        let daemon = PcscDaemon::start(&hospital.stage.path("log/pcscd")).unwrap();
        let readers = VirtualReaders::start(&hospital.stage).unwrap();
        let agent = hospital.stage.path("agent/socket");
        let desk = ask_at(&hospital, who, &agent);
        let directory = hospital.stage.path("log");
        let software = Software::start(&directory, &agent, &[]);
        let mut window = Self { desk, software, readers, agent, hospital, visit, _daemon: daemon };
        window.software.done("open");
        window
    }

    fn put_in(&mut self, slot: u8, image: &Path) {
        self.readers.insert(slot, image).unwrap();
        self.desk.outcome().unwrap();
    }

    fn take_out(&mut self, slot: u8) {
        self.readers.remove(slot).unwrap();
        self.desk.event("removed").unwrap();
    }

    fn patient(&self) -> PathBuf {
        self.hospital.card_image()
    }

    /// Names the patient's visit and a purpose to the library.
    fn in_visit(&mut self, purpose: &str) {
        let visit = self.visit.clone();
        self.software.done(&format!("let HEALTHCARD_VISIT {visit}"));
        self.software.done(&format!("let HEALTHCARD_PURPOSE {purpose}"));
    }
}

fn ask_at(hospital: &Hospital, who: &str, agent: &Path) -> Desk {
    Desk::start(&hospital.stage, who, &["--interface", &agent.to_string_lossy()]).unwrap()
}

/// All items of an outpatient record, as the interface takes them.
fn outpatient(institution: &str, date: &str) -> String {
    let mut items = vec![""; df03::outpatient::FILES[0].items(Profile::Reduced).len()];
    (items[0], items[2], items[4]) = (institution, date, "Cardiology");
    items.join("|")
}

#[test]
fn a_doctors_software_reads_and_writes_within_a_visit() {
    in_private_space(|| {
        let mut window = Window::open(DOCTOR.key);
        let patient = window.patient();
        window.put_in(0, &patient);
        window.in_visit("treatment");
        let software = &mut window.software;
        assert!(software.done("power")[0].starts_with("3B"));

        assert_eq!(software.done("issuer")[8], PATIENT.chip_serial);
        let holder = software.done("holder");
        assert_eq!((holder[0].as_str(), holder[4].as_str()), (PATIENT.name, PATIENT.id_number));
        assert_eq!(software.done("contact").len(), 6);
        assert_eq!(software.done("photo"), ["0"]);

        // A clinical file is written, and read back from the card.
        software.done("set-basics 01 01");
        let basics = software.done("basics");
        assert_eq!((basics[0].as_str(), basics[2].as_str()), ("01", "01"));
        software.refused("set-basics 77 01", PARAMETER);
        software.done("add-allergy penicillin rash");
        software.done("add-allergy pollen sneezing");
        assert_eq!(software.done("allergy 1"), ["pollen", "sneezing"]);
        assert_eq!(software.done("allergy 2"), ["penicillin", "rash"]);
        software.refused("allergy 4", PARAMETER);

        // A visit takes the place whose turn it is, and is signed by the service; before that it is not valid.
        software.done("mark 1");
        assert_eq!(software.done("index"), ["FF"; 5]);
        software.refused("visit 1", INVALID);
        let record = outpatient("CountyHospital", "20261126093000");
        software.refused(&format!("set-visit 2 {record}"), WRITE_BINARY);
        software.refused("set-visit 1 too|few", PARAMETER);
        let undated = outpatient("CountyHospital", "");
        software.refused(&format!("set-visit 1 {undated}"), PARAMETER);
        software.done(&format!("set-visit 1 {record}"));
        // Asked again, it is there already, and takes no other place.
        software.done(&format!("set-visit 1 {record}"));
        assert_eq!(software.done("index"), ["00", "FF", "FF", "FF", "FF"]);
        assert!(
            software.done("visit 1")[0].starts_with("CountyHospital||20261126093000||Cardiology|")
        );
        assert_eq!(software.done("part 1"), ["CountyHospital"]);

        // What takes a SAM, and what is not permitted.
        let cases = [
            ("power-sam", SAM),
            ("pin", SAM),
            ("change-pin", SAM),
            ("terminal", SAM),
            ("sign", SAM),
            ("send 17", SAM),
            ("send 1", CARD),
            ("mark 3", SET_VALID),
            ("erase 1", SET_INVALID),
            ("erase 2", 0),
            ("set-part 1 Elsewhere", WRITE_BINARY),
            ("set-contact 13900139000", AUTHENTICATION),
            ("digest", 0),
        ];
        for (line, code) in cases {
            software.refused(line, code);
        }
        for (visit, code) in [
            ("", AUTHENTICATION),
            ("0197a000-0000-7000-8000-000000000000", AUTHENTICATION),
            ("today", PARAMETER),
        ] {
            software.done(&format!("let HEALTHCARD_VISIT {visit}"));
            software.refused("basics", code);
            software.refused("add-allergy dust cough", code);
        }
        window.in_visit("treatment");
        let software = &mut window.software;
        for (purpose, code) in [("", AUTHENTICATION), ("payment", PARAMETER)] {
            software.done(&format!("let HEALTHCARD_PURPOSE {purpose}"));
            software.refused("basics", code);
        }
        window.in_visit("patient-request");
        window.software.done("basics");
        let visit = window.visit.clone();
        window.hospital.granted(DOCTOR.key, &["visit", "close", &visit]);
        window.software.refused("basics", AUTHENTICATION);

        // The log has the acts, and nothing of what was read.
        let logged =
            window.hospital.granted("auditor", &["audit", "search", "--action", "card.dump"]);
        let logged = logged.to_string();
        assert!(logged.contains("DF02/EF05") && !logged.contains("penicillin"), "{logged}");
    });
}

#[test]
fn a_card_with_no_place_left_loses_its_oldest_visit() {
    in_private_space(|| {
        let mut window = Window::open(DOCTOR.key);
        let full = window.hospital.stage.make_full_card(&PATIENT, Profile::Full).unwrap();
        window.put_in(0, &full);
        window.in_visit("treatment");
        let software = &mut window.software;
        assert_ne!(software.done("photo"), ["0"]);
        assert_eq!(software.done("index"), ["00"; 5]);
        // All five are of one day; the first gives way, and then the second.
        let record = outpatient("CountyHospital", "20301126093000");
        software.refused(&format!("set-visit 2 {record}"), WRITE_BINARY);
        software.done(&format!("set-visit 1 {record}"));
        assert_eq!(software.done("part 1"), ["CountyHospital"]);
        let record = outpatient("OtherHospital", "20301126093000");
        software.done("mark 2");
        software.done(&format!("set-visit 2 {record}"));
        assert_eq!(software.done("index"), ["00"; 5]);
    });
}

#[test]
fn a_request_reaches_no_other_card() {
    in_private_space(|| {
        let mut window = Window::open(CLERK.key);
        let patient = window.patient();
        let id = window.hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
        window.hospital.stage.register_card(CLERK.key, &id, &SOMEBODY_ELSE).unwrap();
        let other = window.hospital.stage.make_card(&SOMEBODY_ELSE, CardKeys::Genuine).unwrap();
        window.software.refused("power", CARD);
        window.software.refused("issuer", CARD);

        window.put_in(0, &patient);
        window.software.done("power");
        assert_eq!(window.software.done("holder")[0], PATIENT.name);
        window.software.done("set-contact 13900139000");
        window.software.refused("contact", AUTHENTICATION);
        window.in_visit("patient-request");
        assert_eq!(window.software.done("contact")[1], "13900139000");

        // Pulled out; then another one is there, and then the first again.
        window.take_out(0);
        window.software.refused("set-contact 13900139001", CARD);
        window.put_in(0, &other);
        window.software.refused("set-contact 13900139001", CARD);
        window.software.refused("holder", CARD);
        window.software.done("power");
        window.software.refused("contact", AUTHENTICATION);
        window.take_out(0);
        window.put_in(0, &patient);
        window.software.refused("contact", CARD);
        window.software.done("power");
        assert_eq!(window.software.done("holder")[0], PATIENT.name);

        // With two cards it is not known which one is meant.
        window.readers.insert(1, &other).unwrap();
        window.desk.event("choose").unwrap();
        window.software.refused("contact", CARD);
        window.software.refused("power", CARD);
        window.desk.say("00 00").unwrap();
        window.desk.event("chosen").unwrap();
        window.desk.outcome().unwrap();
        window.software.done("power");
        assert_eq!(window.software.done("holder")[0], PATIENT.name);
        window.take_out(1);
        assert_eq!(window.software.done("holder")[0], PATIENT.name);

        // A card that does not answer is left alone, and the next one is as good as ever.
        window.readers.order("fault 0 mute").unwrap();
        window.software.refused("contact", CARD);
        assert_eq!(window.desk.event("quarantined").unwrap()["cause"], "hung");
        window.software.refused("power", CARD);
        window.take_out(0);
        window.put_in(0, &patient);
        window.software.done("power");
        assert_eq!(window.software.done("holder")[0], PATIENT.name);
    });
}

#[test]
fn whatever_is_killed_is_told_and_nothing_hangs() {
    in_private_space(|| {
        let mut window = Window::open(DESK.key);
        let patient = window.patient();
        window.put_in(0, &patient);
        window.software.done("power");
        assert_eq!(window.software.done("holder")[0], PATIENT.name);
        window.software.refused("photo", AUTHENTICATION);
        window.in_visit("treatment");
        window.software.refused("photo", AUTHENTICATION);
        window.software.done("let HEALTHCARD_VISIT");

        // The service: what anyone may read is read without it.
        window.hospital.stage.server().unwrap().kill();
        window.desk.event("service_lost").unwrap();
        window.software.refused("holder", SAM);
        assert_eq!(window.software.done("issuer")[8], PATIENT.chip_serial);
        window.hospital.stage.serve().unwrap();
        window.desk.event("service_back").unwrap();
        assert_eq!(window.software.done("holder")[0], PATIENT.name);

        // The agent: a desk that takes its place has another insertion of the same card.
        window.desk.kill();
        window.software.refused("holder", SAM);
        window.software.refused("power", SAM);
        assert!(window.agent.exists(), "nobody could remove the socket");
        window.desk = ask_at(&window.hospital, DESK.key, &window.agent);
        window.desk.outcome().unwrap();
        window.software.done("power");
        assert_eq!(window.software.done("holder")[0], PATIENT.name);

        // A socket that others could have put there is not used.
        let set = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        let directory = window.agent.parent().unwrap().to_owned();
        for (path, open, closed) in [(&window.agent, 0o666, 0o600), (&directory, 0o755, 0o700)] {
            set(path, open);
            window.software.refused("holder", SAM);
            window.software.refused("open", 1);
            set(path, closed);
            window.software.done("open");
        }

        // Rubbish, from as many as like, and who says nothing at all.
        let rubbish = [&[0_u8; 64][..], &[0xFF; 64], b"GET / HTTP/1.1\r\n\r\n", &[0, 0, 0, 9, 1]];
        let mut open = Vec::new();
        for at in 0..400 {
            let mut stream = UnixStream::connect(&window.agent).unwrap();
            let _ = stream.write_all(rubbish[at % rubbish.len()]);
            if at % 50 == 0 {
                open.push(stream);
            }
        }
        assert_eq!(window.software.done("holder")[0], PATIENT.name);
        window.take_out(0);
        window.put_in(0, &patient);
        drop(open);
        window.software.done("power");
        assert_eq!(window.software.done("holder")[0], PATIENT.name);
    });
}
