//! A card is written through the programs and a real PC/SC daemon: with the masters in the keystore, and with a SAM in
//! the reader's second slot.

use std::path::PathBuf;

use serde_json::Value;
use service::demo::people::{CLERK, DESK, DOCTOR};
use service::demo::programs::{Background, Program};
use tests::hospital::{Hospital, SAM_PIN, text};
use tests::private::{PcscDaemon, in_private_space};

/// Something that the log must not have.
const ADDRESS: &str = "虚构市花园路一号";
const ALLERGEN: &str = "青霉素";

/// A hospital with the patient's card in the first slot.
struct Window {
    hospital: Hospital,
    image: PathBuf,
    /// What names the SAM, with its PIN and without; nothing for the keystore.
    sam: Vec<String>,
    _vcard: Background,
    _daemon: PcscDaemon,
}

impl Window {
    fn open(with_sam: bool) -> Self {
        let mut hospital = Hospital::open();
        let daemon = PcscDaemon::start(&hospital.stage.path("log/pcscd")).unwrap();
        let image = hospital.card_image();
        let issuer = std::fs::read(hospital.stage.path("data/card-issuer.cer")).unwrap();
        let carried = hex::encode_upper(issuer);
        assert!(std::fs::read_to_string(&image).unwrap().contains(&carried), "no certificate");
        let mut command = hospital.stage.programs().command(Program::Vcard);
        command.arg("--save").arg("--image").arg(&image);
        let mut sam = Vec::new();
        if with_sam {
            command.arg("--sam").arg(hospital.make_sam());
            let pin = hospital.pin_file("sam-pin", SAM_PIN);
            sam = vec!["--sam".into(), "00 01".into()];
            sam.extend(["--sam-pin-file".into(), pin]);
            hospital.use_sams();
        }
        let log = hospital.stage.path("log/vcard");
        let vcard = Background::start(Program::Vcard.name(), command, &log).unwrap();
        Self { hospital, image, sam, _vcard: vcard, _daemon: daemon }
    }

    /// A command at the card, with the SAM's PIN.
    fn at_card(&self, order: &[&str]) -> Vec<String> {
        let order = order.iter().map(|word| (*word).to_owned());
        order.chain(["--reader".into(), "00 00".into()]).chain(self.sam.iter().cloned()).collect()
    }

    fn granted(&self, who: &str, order: &[&str]) -> Value {
        let order = self.at_card(order);
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        self.hospital.granted(who, &order)
    }

    fn refused(&self, who: &str, order: &[&str], reason: &str) -> Value {
        let order = self.at_card(order);
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        self.hospital.refused(who, &order, reason)
    }

    fn changes(&self, name: &str, content: &str) -> String {
        let file = self.hospital.stage.write(&format!("records/{name}"), content.as_bytes());
        file.unwrap().to_string_lossy().into_owned()
    }

    /// The patient's visit, the doctor attending.
    fn visit(&self) -> String {
        let reading = self.granted(DESK.key, &["card", "read"]);
        let presence = text(&reading, "presence_id");
        let order = ["visit", "open", "--presence", &presence, "--department", "internal"];
        let attending = ["--reason", "outpatient", "--attending", &self.hospital.staff[DOCTOR.key]];
        let visit = self.hospital.granted(DESK.key, &[&order[..], &attending].concat());
        text(&visit, "visit_id")
    }
}

fn a_card_is_written(with_sam: bool) {
    let window = Window::open(with_sam);
    let visit = window.visit();

    // What a clerk may write, by name and by number.
    let contacts = format!(
        "[items]\n\"地址1\" = \"{ADDRESS}\"\n\"Contact 1 name\" = \"李四\"\n16 = \"0371-6688\"\n"
    );
    let contacts = window.changes("contacts.toml", &contacts);
    let order = ["card", "write", "--file", &contacts];
    let written = window.granted(CLERK.key, &order);
    let records = written["records"].as_array().unwrap();
    assert_eq!(records.len(), 3, "{written}");
    assert!(records.iter().all(|record| record["changed"] == true), "{written}");
    let again = window.granted(CLERK.key, &order);
    assert!(again["records"].as_array().unwrap().iter().all(|r| r["changed"] == false), "{again}");

    // What only clinicians may, within the visit.
    let clinical = format!(
        "[items]\n43 = true\n[[records]]\nfile = \"DF02/EF07\"\n58 = \"{ALLERGEN}\"\n\
         [[outpatient]]\n213 = \"虚构市人民医院\"\n215 = \"2026-11-26T10:00:00\"\n222 = \"感冒\"\n"
    );
    let clinical = window.changes("clinical.toml", &clinical);
    let in_visit = ["card", "write", "--file", &clinical, "--visit", &visit];
    window.refused(CLERK.key, &in_visit, "ROLE_NOT_ALLOWED");
    window.refused(DOCTOR.key, &order, "ROLE_NOT_ALLOWED");
    window.refused(DOCTOR.key, &["card", "write", "--file", &clinical], "VISIT_NOT_FOUND");
    if with_sam {
        // Without its PIN the SAM computes but signs nothing; what is not signed is not valid.
        let without = [&in_visit[..], &["--reader", "00 00", "--sam", "00 01"]].concat();
        window.hospital.refused(DOCTOR.key, &without, "SAM_PIN_NEEDED");
        let missing = ["card", "read", "--reader", "00 00"];
        window.hospital.refused(DESK.key, &missing, "SAM_MISSING");
    }
    let written = window.granted(DOCTOR.key, &in_visit);
    let body = &written["records"].as_array().unwrap()[2];
    assert_eq!((body["file"].as_str(), &body["changed"]), (Some("DF03/ED01"), &Value::Bool(true)));

    // Whoever reads the record is told what its signature is worth.
    let one = ["card", "dump", "--visit", &visit, "--file"];
    let worth = |file| {
        let dump = window.granted(DOCTOR.key, &[&one[..], &[file]].concat());
        text(&dump["files"][0], "signature")
    };
    assert_eq!(worth("DF03/ED01"), "RECORD_SIGNATURE_GOOD");
    assert_eq!(worth("DF02/EF07"), "RECORD_SIGNATURE_UNSPECIFIED", "no record of a visit");

    // What cannot be written is refused before the card is touched, and the item is named.
    let wrong = window.changes("wrong.toml", "[items]\n22 = \"\u{1F600}\"\n");
    let refusal = window.refused(CLERK.key, &["card", "write", "--file", &wrong], "FIELD_INVALID");
    assert!(refusal.to_string().contains("item 22"), "{refusal}");
    let renewal = window.changes("renewal.toml", "[items]\n7 = \"2041-01-01\"\n");
    let order = ["card", "write", "--file", &renewal];
    window.refused(CLERK.key, &order, "RENEWAL_NOT_NOTED");
    let (card, until) = (&window.hospital.card_id, "2041-01-01");
    window.hospital.granted(CLERK.key, &["card", "renew", card, "--valid-until", until]);
    window.granted(CLERK.key, &order);
    let reading = window.granted(DESK.key, &["card", "read"]);
    assert_eq!(reading["valid_until"], until, "and the card is still served");

    // The emulator saved what the card holds now.
    let image = std::fs::read_to_string(&window.image).unwrap();
    for value in [ADDRESS, ALLERGEN, "0371-6688", "感冒", until] {
        assert!(image.contains(value), "{value} is not on the card");
    }
    // The log has the acts and the files, and nothing of what was written.
    let logged =
        window.hospital.granted("auditor", &["audit", "search", "--action", "card.write.clinical"]);
    let logged = logged.to_string();
    assert!(logged.contains("DF02/EF07") && logged.contains("\"step\""), "{logged}");
    let database = std::fs::read(window.hospital.database()).unwrap();
    for value in [ADDRESS, ALLERGEN, "0371-6688"] {
        let value = value.as_bytes();
        assert!(!database.windows(value.len()).any(|part| part == value), "a value was recorded");
    }
}

#[test]
fn with_the_keystore() {
    in_private_space(|| a_card_is_written(false));
}

#[test]
fn with_a_sam_in_the_second_slot() {
    in_private_space(|| a_card_is_written(true));
}
