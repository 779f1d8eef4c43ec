//! The box of misbehaving cards (`vcard faults`): every scene is played through a real PC/SC daemon and has its one
//! named outcome; after it the genuine card is read as if nothing had happened.

use std::path::Path;

use card::command::{ExternalAuthenticate, GetChallenge, Protected, ReadRecord, Select};
use card::layout::ddf1::ef08;
use card::layout::{Directory, MASTER_FILE};
use card::transport::pcsc::{Event, Monitor, PcscCard};
use card::transport::{Link, LinkError};
use card::{
    CardError, CardFactor, CardFactors, CardKey, KeyVersion, ProvinceFactor, SecurityModule,
    SoftSecurityModule, tlv,
};
use card_emulator::fault::scene::{Outcome, Play, SCENES, Scene};
use card_emulator::{Masters, sample};
use hsm::soft::{Passphrase, SoftKeystore};
use service::demo::people::{CLERK, DESK, HOSPITAL, PATIENT, Resident, SOMEBODY_ELSE};
use service::demo::readers::{Desk, VirtualReaders};
use service::demo::stage::CardKeys;
use tests::hospital::Hospital;
use tests::private::{PcscDaemon, in_private_space};

/// Which of the tests below plays a scene.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Reading(usize),
    Writing,
    Desk,
}

/// Readings are played in so many tests at once.
const PARTS: usize = 3;

fn play(part: Part, mut scene: impl FnMut(&Scene) -> Outcome) {
    for (number, played) in SCENES.iter().enumerate() {
        let its = match played.play {
            Play::Read(_) => Part::Reading(number % PARTS),
            Play::Write(_) => Part::Writing,
            Play::SameFactor | Play::SameSerial | Play::TwoCards | Play::DaemonKilled => Part::Desk,
        };
        if its == part {
            let outcome = scene(played);
            println!("{:<20} {outcome}", played.name);
            assert_eq!(outcome, played.outcome, "{}: {}", played.name, played.en);
        }
    }
}

/// A desk that watches the virtual readers.
struct Window {
    desk: Desk,
    readers: VirtualReaders,
    daemon: PcscDaemon,
    hospital: Hospital,
}

impl Window {
    fn open() -> Self {
        let hospital = Hospital::open();
        let daemon = PcscDaemon::start(&hospital.stage.path("log/pcscd")).unwrap();
        let readers = VirtualReaders::start(&hospital.stage).unwrap();
        let desk = Desk::start(&hospital.stage, DESK.key, &[]).unwrap();
        Self { desk, readers, daemon, hospital }
    }

    /// What the desk shows of a card; the fault is there before the first command, since the daemon looks at a slot
    /// every 400 ms only.
    fn read(&mut self, image: &Path, fault: Option<&str>) -> Outcome {
        self.readers.insert(0, image).unwrap();
        if let Some(fault) = fault {
            self.readers.order(&format!("fault 0 {fault}")).unwrap();
        }
        let event = self.desk.outcome().unwrap();
        // Whoever takes a hung card out has read that it hangs.
        if event["failure"]["reason"] == "CARD_TIMEOUT" {
            self.desk.event("quarantined").unwrap();
        }
        // A card that left by itself is not there to be removed.
        let _ = self.readers.remove(0);
        self.saw_removal();
        match event["failure"]["reason"].as_str() {
            None => {
                assert_eq!(event["reading"]["name"], PATIENT.name, "{event}");
                Outcome::Read
            }
            Some(reason) => named(reason),
        }
    }

    /// Waits until the desk has seen the card leave, and the daemon knows it; when the desk has not, says what both saw.
    fn saw_removal(&mut self) {
        if let Err(error) = self.desk.event("removed") {
            let log = |name: &str| {
                let log = std::fs::read_to_string(self.hospital.stage.path(name)).unwrap();
                log.lines().rev().take(40).collect::<Vec<_>>().join("\n")
            };
            panic!("{error}\n{}\n{}", log("log/desk"), log("log/pcscd"));
        }
        // The reset of a hung card may be what told the daemon.
        self.daemon.settle();
    }

    fn still_works(&mut self, after: &str) {
        let image = self.hospital.card_image();
        assert_eq!(self.read(&image, None), Outcome::Read, "after {after}");
    }

    /// A genuine card of somebody else's.
    fn other(&self, resident: &Resident) -> std::path::PathBuf {
        self.hospital.stage.make_card(resident, CardKeys::Genuine).unwrap()
    }
}

/// The reason as the table has it. One that no scene names is no outcome at all.
fn named(reason: &str) -> Outcome {
    let known = SCENES.iter().map(|scene| scene.outcome);
    let mut known = known.filter(|outcome| outcome.to_string() == reason);
    known.next().unwrap_or_else(|| panic!("no scene ends in {reason}"))
}

fn readings(part: usize) {
    let mut window = Window::open();
    window.still_works("nothing");
    play(Part::Reading(part), |scene| {
        let Play::Read(fault) = scene.play else { unreachable!("the part has readings alone") };
        let image = window.hospital.card_image();
        let outcome = window.read(&image, Some(fault));
        window.still_works(scene.name);
        outcome
    });
}

#[test]
fn cards_that_misbehave_while_they_are_read_1() {
    in_private_space(|| readings(0));
}

#[test]
fn cards_that_misbehave_while_they_are_read_2() {
    in_private_space(|| readings(1));
}

#[test]
fn cards_that_misbehave_while_they_are_read_3() {
    in_private_space(|| readings(2));
}

#[test]
fn cards_that_are_not_alone_and_readers_that_go() {
    in_private_space(|| {
        let mut window = Window::open();
        window.still_works("nothing");
        play(Part::Desk, |scene| {
            let patient = window.hospital.card_image();
            let outcome = match scene.play {
                Play::SameFactor => {
                    let twin = Resident {
                        card_factor: PATIENT.card_factor,
                        key: "same-factor",
                        ..SOMEBODY_ELSE
                    };
                    let twin = window.other(&twin);
                    window.read(&twin, None)
                }
                Play::SameSerial => {
                    let twin = Resident {
                        chip_serial: PATIENT.chip_serial,
                        key: "same-serial",
                        ..SOMEBODY_ELSE
                    };
                    let twin = window.other(&twin);
                    window.read(&twin, None)
                }
                Play::TwoCards => {
                    let stage = &window.hospital.stage;
                    let id = stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
                    stage.register_card(CLERK.key, &id, &SOMEBODY_ELSE).unwrap();
                    let other = window.other(&SOMEBODY_ELSE);
                    window.readers.insert(0, &patient).unwrap();
                    window.readers.insert(1, &other).unwrap();
                    window.desk.event("choose").unwrap();
                    for slot in [0, 1] {
                        window.readers.remove(slot).unwrap();
                        window.saw_removal();
                    }
                    Outcome::Asks
                }
                Play::DaemonKilled => {
                    window.readers.insert(0, &patient).unwrap();
                    assert_eq!(window.desk.outcome().unwrap()["event"], "reading");
                    window.daemon.kill();
                    window.desk.event("reader_service_lost").unwrap();
                    window.daemon.restart().unwrap();
                    window.desk.event("readers").unwrap();
                    // The card lies where it lay, and is read anew.
                    let event = window.desk.outcome().unwrap();
                    assert_eq!(event["reading"]["name"], PATIENT.name, "{event}");
                    window.readers.remove(0).unwrap();
                    window.saw_removal();
                    Outcome::ReadAgain
                }
                Play::Read(_) | Play::Write(_) => unreachable!("not in this part"),
            };
            window.still_works(scene.name);
            outcome
        });
    });
}

/// A card in the first reader, and the keys that fit it.
struct Clerk {
    card: PcscCard,
    module: SoftSecurityModule,
    factors: CardFactors,
}

impl Clerk {
    /// Proves the update key and writes a phone, protected.
    fn write(&mut self, phone: &[u8; 20]) -> Result<(), LinkError> {
        let module = &self.module;
        let session = |key, challenge| {
            module.session(key, KeyVersion::FIRST, &self.factors, &challenge).unwrap()
        };
        let mut link = Link::new(&mut self.card);
        for id in [MASTER_FILE, Directory::Ddf1.id(), ef08::FILE.name.id] {
            link.run(&Select(id))?;
        }
        for key in [CardKey::Uk1Ddf1, CardKey::Rk1Ddf1] {
            let data = [7; 8];
            let challenge = link.run(&GetChallenge)?;
            let cryptogram = session(key, challenge).cryptogram(&data).unwrap();
            let version = KeyVersion::FIRST;
            link.run(&ExternalAuthenticate { key, version, cryptogram, data })?;
        }
        let record = tlv::wrap(&ef08::PHONE_1, phone);
        let challenge = link.run(&GetChallenge)?;
        let mut line = session(CardKey::StkDdf1, challenge);
        link.run(&Protected::update(&mut *line, ef08::PHONE_1.record(), &record).unwrap())?;
        assert_eq!(link.run(&ReadRecord::ByTag(&ef08::PHONE_1))?, record);
        Ok(())
    }
}

#[test]
fn cards_that_misbehave_while_they_are_written() {
    in_private_space(|| {
        let hospital = Hospital::open();
        let stage = &hospital.stage;
        let passphrase = Passphrase::from_file(&stage.path("passphrase")).unwrap();
        let keystore = SoftKeystore::open(&stage.path("data/keystore.hck"), &passphrase).unwrap();
        let masters = Masters::of_keystore(&keystore, |key, version| {
            format!("soft:{}", key.master_name(version)).parse().unwrap()
        });
        let mut factor = CardFactor([0; 8]);
        hex::decode_to_slice(PATIENT.card_factor, &mut factor.0).unwrap();
        let province = ProvinceFactor::from(&HOSPITAL.region.parse().unwrap());
        let mut daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let mut readers = VirtualReaders::start(stage).unwrap();
        let module = sample::module(&masters.unwrap());
        let mut monitor = Monitor::new();
        readers.insert(0, &hospital.card_image()).unwrap();
        let reader = monitor.by_ref().find_map(|event| match event {
            Event::CardInserted { reader, .. } => Some(reader),
            _ => None,
        });
        let card = PcscCard::connect(&reader.unwrap()).unwrap();
        let mut clerk = Clerk { card, module, factors: CardFactors { province, card: factor } };
        clerk.write(b"00099900018\0\0\0\0\0\0\0\0\0").unwrap();
        play(Part::Writing, |scene| {
            let Play::Write(fault) = scene.play else { unreachable!("the part has writing alone") };
            readers.order(&format!("fault 0 {fault}")).unwrap();
            let outcome = match clerk.write(b"00099900019\0\0\0\0\0\0\0\0\0") {
                Err(LinkError::Card(CardError::Refused(status))) => {
                    Outcome::NotWritten(status.word())
                }
                other => panic!("{}: {other:?}", scene.name),
            };
            readers.order("behave 0").unwrap();
            clerk.write(b"00099900018\0\0\0\0\0\0\0\0\0").unwrap();
            outcome
        });
        readers.remove(0).unwrap();
        daemon.saw_removal().unwrap();
    });
}
