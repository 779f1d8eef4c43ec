//! The SAM of a desk, through a real PC/SC daemon: it is shown, its PIN is changed, it computes for whole cards, and a
//! running desk goes on with it after it was taken out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use card::layout::Profile;
use serde_json::{Value, json};
use service::demo::people::{DESK, DOCTOR, PATIENT};
use service::demo::readers::{Desk, VirtualReaders};
use tests::hospital::{Hospital, SAM_PIN};
use tests::private::{PcscDaemon, in_private_space};
use tests::relay::open_visit;

/// The name of the SAM's reader has this in it.
const SAM: &str = "00 01";
const NEW_PIN: &str = "987654321012";

/// A hospital with a SAM in the second slot, whose PIN is in a file.
struct Window {
    readers: VirtualReaders,
    _daemon: PcscDaemon,
    sam: PathBuf,
    pin: String,
    hospital: Hospital,
}

impl Window {
    fn open() -> Self {
        let hospital = Hospital::open();
        let (sam, pin) = (hospital.make_sam(), hospital.pin_file("sam-pin", SAM_PIN));
        let daemon = PcscDaemon::start(&hospital.stage.path("log/pcscd")).unwrap();
        let slots = ["--sam", &sam.to_string_lossy()];
        let readers = VirtualReaders::start_with(&hospital.stage, &slots).unwrap();
        Self { readers, _daemon: daemon, sam, pin, hospital }
    }

    /// What the SAM says of itself.
    fn shown(&self) -> Value {
        self.hospital.granted(DESK.key, &["desk", "sam", SAM])
    }

    fn tries(&self) -> u64 {
        self.shown()["pin_tries_left"].as_u64().unwrap()
    }
}

#[test]
fn a_sam_is_shown_with_what_a_keystore_is_compared_by() {
    in_private_space(|| {
        let window = Window::open();
        let shown = window.shown();
        assert_eq!((&shown["certified"], window.tries()), (&json!(true), 10), "{shown}");
        assert_eq!(shown["valid_until"], "2039-12-31", "{shown}");
        let masters = shown["masters"].as_array().unwrap();
        assert!(!masters.is_empty());
        for master in masters {
            let value = master["check_value"].as_str().unwrap();
            assert_eq!(hex::decode(value).unwrap().len(), 3, "{shown}");
        }
        window.hospital.refused(DESK.key, &["desk", "sam", "00 07"], "SAM_UNREADABLE");
    });
}

#[test]
fn the_pin_of_a_sam_is_changed_at_the_desk() {
    in_private_space(|| {
        let window = Window::open();
        let hospital = &window.hospital;
        let new = hospital.pin_file("new-pin", NEW_PIN);
        let change = |old: &str, new: &str| {
            let files = ["--sam-pin-file", old, "--new-pin-file", new];
            [&["desk", "sam-pin", SAM][..], &files].concat().join("\n")
        };
        let ask = |order: String, reason: &str| {
            let order: Vec<&str> = order.split('\n').collect();
            match reason {
                "" => hospital.granted(DESK.key, &order),
                reason => hospital.refused(DESK.key, &order, reason),
            }
        };
        // Nobody is there to type, and no file is named.
        ask(format!("desk\nsam-pin\n{SAM}"), "SAM_PIN_MISSING");
        ask(format!("desk\nsam-pin\n{SAM}\n--sam-pin-file\n{}", window.pin), "SAM_PIN_MISSING");
        // A file that others can read, and one that holds no PIN.
        let exposed = hospital.pin_file("exposed", NEW_PIN);
        fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).unwrap();
        ask(change(&window.pin, &exposed), "SAM_PIN_UNUSABLE");
        ask(change(&window.pin, &hospital.pin_file("short", "123")), "SAM_PIN_UNUSABLE");
        assert_eq!(window.tries(), 10, "nothing was presented");
        ask(change(&new, &new), "SAM_PIN_WRONG");
        assert_eq!(window.tries(), 9);
        let changed = ask(change(&window.pin, &new), "");
        assert_eq!(changed["pin_changed"], true, "{changed}");
        assert_eq!(changed["serial"], window.shown()["serial"]);
        assert_eq!(window.tries(), 10);
        let said = changed.to_string();
        assert!(!said.contains(SAM_PIN) && !said.contains(NEW_PIN), "{said}");
        // From now on the new one is it.
        ask(change(&window.pin, &new), "SAM_PIN_WRONG");
        ask(change(&new, &window.pin), "");
    });
}

#[test]
fn a_whole_card_is_read_with_a_sam() {
    in_private_space(|| {
        let mut window = Window::open();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let visit = runtime.block_on(open_visit(&window.hospital));
        let settings = window.hospital.stage.path("data/healthcard.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let at_sam = text.replace("card_security = \"keystore\"", "card_security = \"sam\"");
        assert_ne!(text, at_sam);
        fs::write(&settings, at_sam).unwrap();
        window.hospital.stage.server().unwrap().end().unwrap();
        window.hospital.stage.serve().unwrap();
        let image = window.hospital.stage.make_full_card(&PATIENT, Profile::Full).unwrap();
        window.readers.insert(0, &image).unwrap();
        let at_card = ["--reader", "00 00", "--sam", SAM, "--sam-pin-file", &window.pin];
        let read = window.hospital.granted(DESK.key, &[&["card", "read"], &at_card[..]].concat());
        assert_eq!(read["name"], PATIENT.name);
        let dump = ["card", "dump", "--visit", &visit];
        let whole = window.hospital.granted(DOCTOR.key, &[&dump[..], &at_card].concat());
        assert_eq!(whole["files"].as_array().unwrap().len(), 22);
        let fields = whole["files"].as_array().unwrap().iter();
        let mut fields = fields.flat_map(|file| file["fields"].as_array().unwrap());
        assert_eq!(fields.find(|field| field["item"] == 11).unwrap()["value"], PATIENT.name);
        // Without the SAM there is nobody to compute.
        let without = [&dump[..], &["--reader", "00 00"]].concat();
        window.hospital.refused(DOCTOR.key, &without, "SAM_MISSING");
    });
}

#[test]
fn a_running_desk_goes_on_with_a_sam_that_was_taken_out() {
    in_private_space(|| {
        let mut window = Window::open();
        let options = ["--sam", SAM, "--sam-pin-file", &window.pin];
        let mut desk = Desk::start(&window.hospital.stage, DESK.key, &options).unwrap();
        let image = window.hospital.card_image();
        let sam = window.sam.clone();
        let mut take_out_and_in = |desk: &mut Desk| {
            window.readers.remove(1).unwrap();
            desk.event("sam_removed").unwrap();
            window.readers.insert(1, &sam).unwrap();
        };
        // The PIN is in its file: nobody is asked.
        take_out_and_in(&mut desk);
        desk.event("sam_ready").unwrap();
        // One that is wrong is presented once, and again only when somebody says so.
        let wrong = |pin: &str| drop(window.hospital.pin_file("sam-pin", pin));
        wrong("654321");
        take_out_and_in(&mut desk);
        let failed = desk.event("sam_failed").unwrap();
        assert_eq!(failed["failure"]["reason"], "SAM_PIN_WRONG", "{failed}");
        desk.say("pin").unwrap();
        let failed = desk.event("sam_failed").unwrap();
        assert_eq!(failed["failure"]["reason"], "SAM_PIN_WRONG", "{failed}");
        wrong(SAM_PIN);
        desk.say("pin").unwrap();
        desk.event("sam_ready").unwrap();

        // It proves cards as before.
        window.readers.insert(0, &image).unwrap();
        assert_eq!(desk.outcome().unwrap()["reading"]["name"], PATIENT.name);
        window.readers.remove(0).unwrap();
        desk.event("removed").unwrap();
        window.hospital.stage.server().unwrap().kill();
        desk.event("service_lost").unwrap();
        window.readers.insert(0, &image).unwrap();
        let seen = desk.event("offline_reading").unwrap();
        assert_eq!((&seen["proof"], &seen["name"]), (&json!("genuine"), &json!(PATIENT.name)));
        window.readers.remove(0).unwrap();
        desk.event("removed").unwrap();
        // Without it a card proves nothing, and is shown as such.
        window.readers.remove(1).unwrap();
        desk.event("sam_removed").unwrap();
        window.readers.insert(0, &image).unwrap();
        let seen = desk.event("offline_reading").unwrap();
        assert_eq!((&seen["proof"], &seen["name"]), (&json!("none"), &Value::Null), "{seen}");
    });
}
