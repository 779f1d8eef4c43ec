use ::card::command::{
    CardError, ExternalAuthenticate, GetChallenge, ReadBinary, ReadRecord, Select, UpdateBinary,
};
use ::card::layout::ddf1::{ef06, ef07, ef08};
use ::card::layout::{Directory, MASTER_FILE};
use ::card::messaging::protect;
use ::card::transport::{Link, LinkError};
use ::card::{CardFactors, CardKey, KeyVersion, ProvinceFactor, SecurityModule};
use hex_literal::hex;

use super::*;
use crate::sample;
use crate::transport::InMemory;

/// Sends commands in hex and returns the answers' status words, with data where there are some.
fn talk(card: &mut Card, commands: &[&str]) -> Vec<String> {
    let ask = |command: &&str| {
        let command = hex::decode(command.replace(' ', "")).unwrap();
        match card.exchange(&command) {
            Outcome::Answer(answer) | Outcome::Late(_, answer) => hex::encode_upper(answer),
            Outcome::Gone => "gone".to_owned(),
            Outcome::Silent => "silent".to_owned(),
        }
    };
    commands.iter().map(ask).collect()
}

fn card() -> Card {
    sample::card(sample::image())
}

const ENTER: [&str; 2] = ["00A40000023F00", "00A4000002DDF1"];

/// Cases of health-card.md, 9 ("Commands": each wrong P1/P2/Lc/Le, wrong state) and 3.5.
#[test]
fn wrong_commands_get_their_status_word() {
    let cases: [(&str, &str, &str); 42] = [
        ("", "00A4000002DDF1", "9000"),
        ("", "00A4000002EF05", "6A82"), // not in this directory
        ("", "00A4040002DDF1", "6A86"),
        ("", "00A4000402DDF1", "6A86"),
        ("", "00A4000001DD", "6700"),
        ("", "00A4000003DDF100", "6700"),
        ("", "00A4", "6700"),
        ("", "00A4000003DDF1", "6700"), // Lc beyond the end
        ("", "80A4000002DDF1", "6E00"),
        ("", "0012000000", "6D00"),
        ("", "04A4000002DDF1", "6E00"), // SELECT is never protected
        ("", "0020000006313233343536", "6A88"), // no PIN
        ("", "00B2390005", "6986"),
        ("", "00B0000010", "6986"),
        ("", "0088000011 0000000000000000 0000000000000000 01 08", "6A88"),
        ("", "0082000411 0000000000000000 0000000000000000 01", "6A88"),
        ("", "00C0000008", "6985"),
        ("EF05", "00B2390005", "3903410100 9000"),
        ("EF05", "00B20A0405", "3903410100 9000"),
        ("EF05", "00B20A0400", "3903410100 9000"),
        ("EF05", "00B2390007", "6C05"),
        ("EF05", "00B23900", "6700"),
        ("EF05", "00B2390001FF05", "6700"), // data in a reading command
        ("EF05", "00B2390405", "6A83"),     // record 57 by number
        ("EF05", "00B2070005", "6A83"),     // tag of EF08
        ("EF05", "00B2390205", "6A86"),
        ("EF05", "00B2000005", "6A86"),
        ("EF05", "00B0000005", "6981"),
        ("EF05", "00DC010403010131", "6982"), // never after issuing
        ("EF05", "0084000008", "1122334455667788 9000"),
        ("EF05", "0084000010", "6C08"),
        ("EF05", "00840000", "6700"),
        ("EF05", "0084010008", "6A86"),
        ("EF05", "0088000010 0000000000000000 0000000000000000 08", "6700"),
        ("EF05", "0088000011 0000000000000000 0000000000000000 05 08", "6A88"), // version 5
        ("EF05", "0088010011 0000000000000000 0000000000000000 01 08", "6A86"),
        ("EF06", "00B20B0020", "6982"),
        ("EF07", "00B0000010", "6982"),
        ("EF07", "00B2010400", "6981"),
        ("EF07", "00B0800010", "6A86"),
        ("EF08", "00B2070006", "6982"),
        ("EF08", "04DC010424 00", "6700"),
    ];
    for (file, command, expected) in cases {
        let mut card = card();
        if !file.is_empty() {
            let select = format!("00A4000002{file}");
            assert_eq!(talk(&mut card, &[&ENTER[..], &[&select]].concat()), ["9000"; 3]);
        }
        let answer = talk(&mut card, &[command]);
        assert_eq!(answer, [expected.replace(' ', "")], "{file} {command}");
    }
}

/// A card with a link to it and the module that knows its keys.
struct Desk {
    card: InMemory,
}

impl Desk {
    fn new() -> Self {
        Self { card: InMemory::new(card()) }
    }

    /// EXTERNAL AUTHENTICATE with `key`, over `data`; the keys are those of `root`.
    fn prove(link: &mut Link<'_>, key: CardKey, root: [u8; 16]) -> Result<(), CardError> {
        let challenge = run(link, &GetChallenge).unwrap();
        let module = sample::module(&sample::masters_of(root));
        let data = [7; 8];
        let mut session = module.session(key, KeyVersion::FIRST, &FACTORS, &challenge).unwrap();
        let cryptogram = session.cryptogram(&data).unwrap();
        run(link, &ExternalAuthenticate { key, version: KeyVersion::FIRST, cryptogram, data })
    }
}

const ROOT: [u8; 16] = hex!("0123456789ABCDEFFEDCBA9876543210");
const FACTORS: CardFactors = CardFactors {
    province: ProvinceFactor(*b"41000000"),
    card: ::card::CardFactor(hex!("1101220100000001")),
};

fn run<I: ::card::Instruction>(link: &mut Link<'_>, command: &I) -> Result<I::Answer, CardError> {
    link.run(command).map_err(|error| match error {
        LinkError::Card(error) => error,
        LinkError::Transport(error) => panic!("{error}"),
    })
}

fn enter(link: &mut Link<'_>, file: u16) {
    for id in [MASTER_FILE, Directory::Ddf1.id(), file] {
        run(link, &Select(id)).unwrap();
    }
}

const NOT_ALLOWED: CardError = CardError::Refused(Status::NotAllowed);

/// health-card.md, 9 ("Read security"): no key, another key, the right key, reselect, reset.
#[test]
fn reading_needs_the_read_key_and_ends_with_the_directory() {
    let mut desk = Desk::new();
    let name = ReadRecord::ByTag(&ef06::NAME);
    {
        let link = &mut Link::new(&mut desk.card);
        enter(link, ef06::FILE.name.id);
        assert_eq!(run(link, &name), Err(NOT_ALLOWED), "no key");
        Desk::prove(link, CardKey::Uk1Ddf1, ROOT).unwrap();
        assert_eq!(run(link, &name), Err(NOT_ALLOWED), "update key");
        Desk::prove(link, CardKey::Rk1Ddf1, ROOT).unwrap();
        assert!(run(link, &name).is_ok());
        run(link, &Select(ef08::FILE.name.id)).unwrap();
        assert!(run(link, &ReadRecord::ByTag(&ef08::VALID_UNTIL)).is_ok(), "same directory");
        enter(link, ef06::FILE.name.id);
        assert_eq!(run(link, &name), Err(NOT_ALLOWED), "reselected");
        Desk::prove(link, CardKey::Rk1Ddf1, ROOT).unwrap();
    }
    desk.card.reinsert();
    let link = &mut Link::new(&mut desk.card);
    assert_eq!(run(link, &name), Err(CardError::Refused(Status::NoFile)), "reset");
    enter(link, ef06::FILE.name.id);
    assert_eq!(run(link, &name), Err(NOT_ALLOWED), "reset");
}

#[test]
fn a_challenge_serves_once() {
    let mut desk = Desk::new();
    let link = &mut Link::new(&mut desk.card);
    enter(link, ef06::FILE.name.id);
    let prove = ExternalAuthenticate {
        key: CardKey::Rk1Ddf1,
        version: KeyVersion::FIRST,
        // The vector of health-card.md, 4.5: the card's first challenge is that of the vector.
        cryptogram: hex!("8C7095D6F3EFAB53"),
        data: hex!("8877665544332211"),
    };
    let no_challenge = Err(CardError::Refused(Status::NoChallenge));
    assert_eq!(run(link, &prove), no_challenge);
    assert_eq!(run(link, &GetChallenge), Ok(hex!("1122334455667788")));
    assert_eq!(run(link, &prove), Ok(()));
    assert_eq!(run(link, &prove), no_challenge);
    run(link, &GetChallenge).unwrap();
    let stale = Err(CardError::WrongKey { tries_left: Some(14) });
    assert_eq!(run(link, &prove), stale, "another challenge");
}

#[test]
fn fifteen_failures_block_a_key_for_good() {
    let mut desk = Desk::new();
    let wrong = [9; 16];
    {
        let link = &mut Link::new(&mut desk.card);
        enter(link, ef06::FILE.name.id);
        for tries_left in (1..15).rev().map(Some) {
            assert_eq!(
                Desk::prove(link, CardKey::Rk1Ddf1, wrong),
                Err(CardError::WrongKey { tries_left })
            );
        }
        // The right key puts the counter back.
        Desk::prove(link, CardKey::Rk1Ddf1, ROOT).unwrap();
        for tries_left in (0..15).rev().map(Some) {
            let refused = Err(CardError::WrongKey { tries_left });
            assert_eq!(Desk::prove(link, CardKey::Rk1Ddf1, wrong), refused);
        }
        assert_eq!(Desk::prove(link, CardKey::Rk1Ddf1, wrong), Err(CardError::KeyBlocked));
    }
    desk.card.reinsert();
    let link = &mut Link::new(&mut desk.card);
    enter(link, ef06::FILE.name.id);
    assert_eq!(Desk::prove(link, CardKey::Rk1Ddf1, ROOT), Err(CardError::KeyBlocked));
    assert_eq!(Desk::prove(link, CardKey::Uk1Ddf1, ROOT), Ok(()), "each key counts alone");
}

/// health-card.md, 9 ("Write security"): no key, read key, update key; MAC wrong, missing,
/// replayed; contents wrong.
#[test]
fn a_protected_update_needs_key_mac_challenge_and_form() {
    let record = hex!("10143133393030313339303030000000000000000000");
    let refused = |status| Err(CardError::Refused(status));
    type Change = fn(Apdu) -> Apdu;
    let same: Change = |update| update;
    let flipped: Change = |update| {
        let mut data = update.data().to_vec();
        data[0] ^= 1;
        Apdu::new(update.header()).with_data(data)
    };
    let other_record: Change = |update| Apdu::new([4, 0xDC, 3, 4]).with_data(update.data());
    let no_mac: Change = |update| Apdu::new(update.header()).with_data([1, 2, 3]);
    let plain: Change = |_| Apdu::new([0, 0xDC, 2, 4]).with_data([0x10; 22]);
    let read_key = Some(CardKey::Rk1Ddf1);
    let update_key = Some(CardKey::Uk1Ddf1);
    type Case<'c> = (&'c str, Option<CardKey>, &'c [u8], Change, Result<(), CardError>);
    let cases: [Case<'_>; 10] = [
        ("right", update_key, &record, same, Ok(())),
        ("no key", None, &record, same, refused(Status::NotAllowed)),
        ("read key", read_key, &record, same, refused(Status::NotAllowed)),
        ("flipped bit", update_key, &record, flipped, refused(Status::BadProtection)),
        ("for another record", update_key, &record, other_record, refused(Status::BadProtection)),
        ("no MAC", update_key, &record, no_mac, refused(Status::Unprotected)),
        ("plain", update_key, &record, plain, refused(Status::Unprotected)),
        ("short value", update_key, &record[..20], same, refused(Status::WrongData)),
        ("wrong tag", update_key, &hex!("11140000"), same, refused(Status::WrongData)),
        ("nothing", update_key, &[], same, refused(Status::WrongData)),
    ];
    for (name, key, contents, change, expected) in cases {
        let mut desk = Desk::new();
        let link = &mut Link::new(&mut desk.card);
        enter(link, ef08::FILE.name.id);
        if let Some(key) = key {
            Desk::prove(link, key, ROOT).unwrap();
        }
        let challenge = run(link, &GetChallenge).unwrap();
        let module = sample::module(&sample::masters());
        let line = CardKey::StkDdf1;
        let mut session = module.session(line, KeyVersion::FIRST, &FACTORS, &challenge).unwrap();
        let update = change(protect(&mut *session, [0xDC, 2, 4], contents).unwrap());
        let outcome = |outcome: Result<(), LinkError>| match outcome {
            Err(LinkError::Card(error)) => Err(error),
            Err(LinkError::Transport(error)) => panic!("{error}"),
            Ok(()) => Ok(()),
        };
        assert_eq!(outcome(link.send(&update)), expected, "{name}");
        if expected.is_ok() {
            assert_eq!(outcome(link.send(&update)), refused(Status::NoChallenge), "replayed");
            Desk::prove(link, CardKey::Rk1Ddf1, ROOT).unwrap();
            assert_eq!(run(link, &ReadRecord::ByTag(&ef08::PHONE_1)).unwrap(), record);
        }
    }
}

#[test]
fn the_photo_is_written_plain_under_the_update_key() {
    let mut desk = Desk::new();
    let link = &mut Link::new(&mut desk.card);
    enter(link, ef07::FILE.name.id);
    let write = |offset| UpdateBinary { offset, bytes: &[1, 2, 3, 4] };
    assert_eq!(run(link, &write(0)), Err(NOT_ALLOWED));
    Desk::prove(link, CardKey::Uk1Ddf1, ROOT).unwrap();
    Desk::prove(link, CardKey::Rk1Ddf1, ROOT).unwrap();
    assert_eq!(run(link, &write(3070)), Ok(()));
    assert_eq!(run(link, &write(3071)), Err(CardError::Refused(Status::NoSpace)));
    assert_eq!(run(link, &write(3074)), Err(CardError::Refused(Status::WrongOffset)));
    let end = ReadBinary { offset: 3070, length: 4 };
    assert_eq!(run(link, &end), Ok(vec![1, 2, 3, 4]));
    let past = ReadBinary { offset: 3074, length: 4 };
    assert_eq!(run(link, &past), Err(CardError::Refused(Status::WrongOffset)));
    // The link follows 6C04; the command then finds fewer bytes than it asked for.
    let long = ReadBinary { offset: 3070, length: 5 };
    assert_eq!(run(link, &long), Err(CardError::Length { expected: 5, found: 4 }));
}

#[test]
fn answers_come_in_parts_when_the_image_says_so() {
    let mut card = sample::card(Image { answers: Answers::InParts, ..sample::image() });
    let commands = ["00A4000002EF05", "00B2390005", "00C0000002", "00C0000003", "00C0000001"];
    let answers = talk(&mut card, &[&ENTER[..], &commands].concat());
    assert_eq!(answers[2..], ["9000", "6105", "39036103", "4101009000", "6985"]);
    // Another command in between, and the answer is no longer there.
    let answers = talk(&mut card, &["00B2390005", "00A4000002EF05", "00C0000005"]);
    assert_eq!(answers, ["6105", "9000", "6985"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_answered(
        commands in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), 1..8),
        cla in proptest::sample::select(vec![0x00u8, 0x04, 0x80, 0x84]),
        ins in proptest::sample::select([&CHANGING[..], &[0xA4, 0xB2, 0xB0, 0x84, 0x88, 0x82, 0xC0]].concat()),
    ) {
        let mut card = card();
        talk(&mut card, &[&ENTER[..], &["00A4000002EF08"]].concat());
        for mut command in commands {
            if let [first, second, ..] = &mut command[..] {
                (*first, *second) = (cla, ins);
            }
            let Outcome::Answer(answer) = card.exchange(&command) else { unreachable!() };
            proptest::prop_assert!(Response::parse(&answer).is_ok());
        }
    }
}
