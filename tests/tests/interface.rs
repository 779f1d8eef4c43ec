//! A C program, written as hospitals wrote them for the ministry's interface, on `libhealthcard`, a real PC/SC daemon,
//! a card in one slot and a SAM in the other.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};

use card::Photo;
use card::transport::pcsc::{Event, Monitor};
use card_emulator::personalise::personalise;
use card_emulator::slot::Slot;
use card_emulator::{Fault, Person, sample};
use encoding_rs::GBK;
use tests::private::{PcscDaemon, in_private_space};
use tests::programs::{Library, compile, libraries};

/// PIN of the SAM.
const PIN: &str = "123456";

#[test]
fn a_c_program_reads_and_writes_a_card() {
    in_private_space(|| {
        let directory = tempfile::tempdir().unwrap();
        let program = compile(directory.path(), "desk.c", Library::Healthcard);
        let _daemon = PcscDaemon::start(&directory.path().join("pcscd")).unwrap();
        let user = Slot::open(address(35963), |_| {});
        let sam = Slot::open(address(35964), |_| {});
        let picture = Photo::new([&[0xFF, 0xD8, 0xFF, 0xE0][..], &[7; 996]].concat()).unwrap();
        let person = Person { photo: Some(picture), ..sample::person() };
        let image = personalise(&person, &sample::masters(), &BTreeMap::new()).unwrap();
        user.insert(sample::card(image));
        sam.insert(sample::sam());
        let inserted = |event: &Event| matches!(event, Event::CardInserted { .. });
        assert_eq!(Monitor::new().filter(inserted).take(2).count(), 2);

        let output = run(&program);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let facts = facts(&output);
        println!("{} facts", facts.len());
        let expected = [
            ("challenge", "10"),
            ("serial", person.chip_serial.as_str()),
            ("city", person.city.as_str()),
            ("name", person.name.as_str()),
            ("id", person.id_number.as_str()),
            ("photo", "1000"),
            ("phone", "13900139000"),
            ("address", "北京市"),
            ("blood", "01"),
            ("asthma", "01"),
            ("allergen1", "pollen"),
            ("allergen2", "penicillin"),
            ("before", "FF"),
            ("tries", "9"),
            ("after", "00"),
            ("institution", "County Hospital"),
            ("signed", "1"),
            ("visited_at", "20261126093000"),
            ("all", "County Hospital||20261126093000||Cardiology|"),
            // GB/T 32905-2016, A.1.
            ("sm3", "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"),
            ("signature", "64"),
        ];
        for (name, value) in expected {
            assert_eq!(facts.get(name).map(String::as_str), Some(value), "{name}");
        }
    });
}

#[test]
fn what_is_missing_or_wrong_has_its_code() {
    in_private_space(|| {
        let directory = tempfile::tempdir().unwrap();
        let program = compile(directory.path(), "desk.c", Library::Healthcard);
        let refused = |what: &str, expected: &str| {
            let output = run(&program);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{what}: {said}");
            assert!(said.contains(expected), "{what}: {said}");
        };
        refused("no PC/SC daemon", "no reader");
        let _daemon = PcscDaemon::start(&directory.path().join("pcscd")).unwrap();
        // The daemon may answer before it has its readers.
        let mut monitor = Monitor::new();
        let found = monitor.by_ref().filter(|event| matches!(event, Event::ReaderFound { .. }));
        assert_eq!(found.take(2).count(), 2);
        refused("no card", "PowerOn(desk, 0x01, atr): answered 104");

        let user = Slot::open(address(35963), |_| {});
        let mut forged = sample::card(sample::image());
        forged.misbehave(Fault::Forged);
        user.insert(forged);
        let mut inserted =
            || monitor.by_ref().find(|event| matches!(event, Event::CardInserted { .. })).is_some();
        assert!(inserted());
        refused("no SAM", "PowerOn(desk, 0x11, atr): answered 105");
        let sam = Slot::open(address(35964), |_| {});
        sam.insert(sample::sam());
        assert!(inserted());
        refused("a forged card", "answered 106");
    });
}

fn run(program: &Path) -> Output {
    Command::new(program).arg(PIN).env("LD_LIBRARY_PATH", libraries()).output().unwrap()
}

/// The lines `name=value`, which are in GBK.
fn facts(output: &Output) -> BTreeMap<String, String> {
    let (text, _, damaged) = GBK.decode(&output.stdout);
    assert!(!damaged, "{text}");
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
