//! A card in memory, read as a desk reads it.

use card::data::{Malformed, MalformedRecord, Photo};
use card::layout::FileName;
use card::layout::ddf1::{ef05, ef06, ef08};
use card::session::{Inconsistency, NotHealthCard, Step};
use card::tlv::BadRecord;
use card::transport::transcript::{Recorder, Replay, Transcript};
use card::value::BadValue;
use card::{
    Apdu, Atr, CardError, CardFactor, CardKey, KeyVersion, ReadError, Response, Sex, Status,
    Transport, TransportError, read_free_fields, read_identity, read_photo,
};
use card_emulator::fault::Script;
use card_emulator::image::Answers;
use card_emulator::{Fault, Image, InMemory, sample};
use proptest::prelude::*;
use time::Date;
use time::macros::date;

const TODAY: Date = date!(2026 - 03 - 01);

fn read(card: &mut dyn Transport) -> Result<card::IdentityReading, ReadError> {
    let module = sample::module(&sample::masters());
    read_identity(card, &module, &mut sample::counter(0x8877_6655_4433_2211), TODAY)
}

fn powered(image: Image) -> InMemory {
    InMemory::new(sample::card(image))
}

#[test]
fn what_is_free_is_given_as_it_stands_on_the_card() {
    let fields = read_free_fields(&mut powered(sample::image())).unwrap();
    let items: Vec<u16> = fields.iter().map(|field| field.element.item).collect();
    assert_eq!(items, [1, 2, 3, 4, 5, 6, 8, 9, 10, 57]);
    for field in &fields {
        assert_eq!(field.bytes.len(), usize::from(field.element.length), "{field:?}");
    }
    assert_eq!(fields[8].bytes.as_slice(), sample::person().chip_serial.as_str().as_bytes());
    // A card of another kind is asked no more, and half a record is none.
    let cases: [(Script, &str); 3] = [
        (Fault::Transit.into(), "NotHealthCard"),
        (Script { fault: Fault::Truncated, at: Some(5) }, "MalformedRecord"),
        (Fault::GoneAt(9).into(), "Removed"),
    ];
    for (script, expected) in cases {
        let mut card = powered(sample::image());
        card.card().misbehave(script);
        let error = read_free_fields(&mut card).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    }
}

#[test]
fn a_card_is_read_in_eighteen_commands() {
    let reading = read(&mut powered(sample::image())).unwrap();
    let person = sample::person();
    assert_eq!(reading.holder.name, person.name);
    assert_eq!(reading.holder.id_number, person.id_number);
    assert_eq!(reading.holder.birth_date, date!(1949 - 12 - 31));
    assert_eq!(reading.holder.sex, Sex::Female);
    assert_eq!(reading.holder.ethnic_group, person.ethnic_group);
    assert_eq!(reading.valid_until, person.valid_until);
    assert_eq!(reading.issuer.name, person.issuer_name);
    assert_eq!(reading.issuer.chip_serial, person.chip_serial);
    assert_eq!(reading.factors.card, person.factor);
    assert_eq!(reading.commands, 18);
    assert!(!format!("{reading:?}").contains("张三"));
}

#[test]
fn a_card_that_answers_in_parts_says_the_same() {
    let reading = read(&mut powered(Image { answers: Answers::InParts, ..sample::image() }));
    assert_eq!(reading.unwrap().holder.id_number, sample::person().id_number);
}

#[test]
fn photos_are_read_whole() {
    for size in [4, 247, 248, 249, 498, 499, 3072] {
        let jpeg: Vec<u8> =
            (0..size).map(|at| [0xFF, 0xD8, 0xFF].get(at).copied().unwrap_or(at as u8)).collect();
        let photo = Photo::new(jpeg).unwrap();
        let mut image = sample::image();
        image.set_photo(Some(&photo)).unwrap();
        let module = sample::module(&sample::masters());
        let mut random = sample::counter(1);
        let read = read_photo(&mut powered(image), &module, &mut random, TODAY);
        assert_eq!(read.unwrap(), Some(photo), "{size} bytes");
    }
    let module = sample::module(&sample::masters());
    let none = read_photo(&mut powered(sample::image()), &module, &mut sample::counter(1), TODAY);
    assert_eq!(none.unwrap(), None);
}

/// An image with one record replaced.
fn with(file: FileName, record: u8, bytes: &[u8]) -> Image {
    let mut image = sample::image();
    image.replace(file, record, bytes.to_vec()).expect("the card has the record");
    image
}

/// A text record: tag, length, text, zeros.
fn text(tag: u8, length: u8, value: &[u8]) -> Vec<u8> {
    let mut record = [&[tag, length], value].concat();
    record.resize(usize::from(length) + 2, 0);
    record
}

#[test]
fn bad_records_are_named() {
    let (ef05, ef06, ef08) = (ef05::FILE.name, ef06::FILE.name, ef08::FILE.name);
    let value = |why| Malformed::Value(why);
    let cases: [(&str, FileName, u8, Vec<u8>, Malformed); 12] = [
        ("city letters", ef05, 10, vec![0x39, 3, 0xAB, 1, 0], value(BadValue::NotDigits)),
        (
            "city short",
            ef05,
            10,
            vec![0x39, 2, 0x41, 1],
            BadRecord::Length { expected: 3, found: 2 }.into(),
        ),
        ("serial", ef05, 9, text(0x0A, 10, b"12-4567890"), value(BadValue::Number)),
        ("issuer GBK", ef05, 3, text(3, 30, &[0xFF, 0x41]), value(BadValue::NotGbk)),
        ("validity", ef08, 1, vec![7, 4, 0x20, 0x34, 0x02, 0x30], value(BadValue::NoSuchDate)),
        ("no validity", ef08, 1, vec![7, 4, 0xFF, 0xFF, 0xFF, 0xFF], value(BadValue::Empty)),
        ("name GBK", ef06, 1, text(0x0B, 30, &[0xD5]), value(BadValue::NotGbk)),
        ("check digit", ef06, 5, text(0x0F, 18, b"110105194912310021"), value(BadValue::Number)),
        ("tag", ef06, 2, vec![0x0D, 1, 2], BadRecord::Tag { expected: 0x0C, found: 0x0D }.into()),
        ("truncated", ef06, 4, vec![0x0E, 4, 0x19], BadRecord::Truncated(3).into()),
        ("oversized", ef06, 2, vec![0x0C, 1, 2, 0, 0], BadRecord::Trailing(2).into()),
        ("empty", ef06, 2, vec![], BadRecord::Truncated(0).into()),
    ];
    for (name, file, record, bytes, why) in cases {
        match read(&mut powered(with(file, record, &bytes))) {
            Err(ReadError::MalformedRecord(found)) => {
                assert_eq!(found, MalformedRecord { file, record, why }, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_card_that_contradicts_itself_is_refused() {
    let cases = [
        (ef05::FILE.name, 7, text(8, 18, b"440524188001010014"), Inconsistency::CardNumber),
        (ef06::FILE.name, 4, vec![0x0E, 4, 0x19, 0x49, 0x12, 0x30], Inconsistency::BirthDate),
        (ef06::FILE.name, 2, vec![0x0C, 1, 1], Inconsistency::Sex),
    ];
    for (file, record, bytes, expected) in cases {
        match read(&mut powered(with(file, record, &bytes))) {
            Err(ReadError::Inconsistent(found)) => assert_eq!(found, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    // A sex that is not stated contradicts nothing.
    let reading = read(&mut powered(with(ef06::FILE.name, 2, &[0x0C, 1, 9]))).unwrap();
    assert_eq!(reading.holder.sex, Sex::NotStated);
}

#[test]
fn the_last_day_is_still_valid() {
    let module = sample::module(&sample::masters());
    let on = |day| {
        let mut card = powered(sample::image());
        read_identity(&mut card, &module, &mut sample::counter(1), day).map(|_| ())
    };
    assert!(on(date!(2034 - 01 - 01)).is_ok());
    let expired = on(date!(2034 - 01 - 02));
    let last = date!(2034 - 01 - 01);
    assert!(matches!(expired, Err(ReadError::Expired { valid_until }) if valid_until == last));
}

#[test]
fn a_forged_card_is_found_before_it_costs_a_try() {
    let forger = sample::masters_of([0x66; 16]);
    let mut card = powered(sample::image_of(&forger));
    let refused = read(&mut card);
    assert!(matches!(refused, Err(ReadError::NotGenuine { status: Status::Done })));
    // The forger's own desk still has all its tries.
    let module = sample::module(&forger);
    let own = read_identity(&mut card, &module, &mut sample::counter(1), TODAY);
    assert!(own.is_ok());
}

#[test]
fn a_card_without_keys_is_not_genuine_and_a_wrong_read_key_is_told() {
    let mut image = sample::image();
    image.keys.take(CardKey::IrkDdf1, KeyVersion::FIRST);
    let refused = read(&mut powered(image));
    assert!(matches!(refused, Err(ReadError::NotGenuine { status: Status::KeyNotFound })));

    let mut image = sample::image();
    image.keys.put(CardKey::Rk1Ddf1, KeyVersion::FIRST, [1; 16]);
    let mut card = powered(image);
    for left in (0..15).rev() {
        let refused = read(&mut card);
        assert!(
            matches!(refused, Err(ReadError::ReadRefused { tries_left: Some(n) }) if n == left)
        );
    }
    for _ in 0..2 {
        let blocked = read(&mut card);
        assert!(matches!(blocked, Err(ReadError::KeyBlocked { key: CardKey::Rk1Ddf1 })));
    }
}

#[test]
fn a_removed_card_is_told_at_every_command() {
    let mut steps = Vec::new();
    for at in 1..=18 {
        let mut card = powered(sample::image());
        card.card().misbehave(Fault::GoneAt(at));
        match read(&mut card) {
            Err(ReadError::Removed { at }) => steps.push(at),
            other => panic!("command {at}: {other:?}"),
        }
        card.card().behave();
        card.reinsert();
        assert!(read(&mut card).is_ok(), "put in again after command {at}");
    }
    assert_eq!(steps[4], Step::ProveGenuine);
    assert_eq!(steps[17], Step::Read { file: ef06::FILE.name, record: 5 });
    let mut card = powered(sample::image());
    card.card().misbehave(Fault::GoneAt(19));
    assert!(read(&mut card).is_ok(), "there are eighteen commands");
}

#[test]
fn misbehaviour_ends_in_its_own_error() {
    type Expected = fn(&ReadError) -> bool;
    let cases: [(Fault, Expected); 8] = [
        (Fault::Forged, |e| matches!(e, ReadError::NotGenuine { .. })),
        (Fault::Short, |e| {
            matches!(e, ReadError::Transport { source: TransportError::Garbage { length: 1 }, .. })
        }),
        (Fault::Truncated, |e| {
            matches!(
                e,
                ReadError::MalformedRecord(MalformedRecord {
                    record: 10,
                    why: Malformed::Record(BadRecord::Truncated(4)),
                    ..
                })
            )
        }),
        (Fault::Oversized, |e| {
            matches!(
                e,
                ReadError::MalformedRecord(MalformedRecord {
                    why: Malformed::Record(BadRecord::Trailing(20)),
                    ..
                })
            )
        }),
        (Fault::Huge, |e| {
            matches!(
                e,
                ReadError::Transport { source: TransportError::Garbage { length: 302 }, .. }
            )
        }),
        (Fault::Endless, |e| matches!(e, ReadError::NotHealthCard(NotHealthCard::NoCityCode))),
        (Fault::Says(0x6A83), |e| matches!(e, ReadError::NotHealthCard(NotHealthCard::NoCityCode))),
        (Fault::Garbage, |e| !matches!(e, ReadError::Removed { .. } | ReadError::Security(_))),
    ];
    for (fault, expected) in cases {
        let mut card = powered(sample::image());
        card.card().misbehave(fault);
        let error = read(&mut card).expect_err("a card that misbehaves is not read");
        assert!(expected(&error), "{fault:?}: {error:?}");
    }
}

#[test]
fn other_cards_are_not_health_cards() {
    // A transit card with DDF1 and nothing in it; one with an EF05 of its own; a bare one.
    let cases = [
        ("> 00A40000023F00\n< 6A82", NotHealthCard::NoFile(0x3F00)),
        ("> 00A40000023F00\n< 9000\n> 00A4000002DDF1\n< 6A82", NotHealthCard::NoFile(0xDDF1)),
        (
            "> 00A40000023F00\n< 6120\n> 00A4000002DDF1\n< 6120\n> 00A4000002EF05\n< 6A82",
            NotHealthCard::NoFile(0xEF05),
        ),
        (
            "> 00A40000023F00\n< 9000\n> 00A4000002DDF1\n< 9000\n> 00A4000002EF05\n< 9000\n> 00B2390005\n< 6A83",
            NotHealthCard::NoCityCode,
        ),
        (
            "> 00A40000023F00\n< 9000\n> 00A4000002DDF1\n< 9000\n> 00A4000002EF05\n< 9000\n> 00B2390005\n< 0103123456 9000",
            NotHealthCard::NoCityCode,
        ),
    ];
    for (steps, expected) in cases {
        let text = format!("atr 3B88800111012201000000013B\n{steps}");
        let mut card = Replay::new(text.parse().unwrap());
        match read(&mut card) {
            Err(ReadError::NotHealthCard(found)) => assert_eq!(found, expected),
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(card.left(), 0, "nothing was asked after {expected}");
    }
    // A blocked application is no foreign card.
    let text = "atr 3B88800111012201000000013B\n> 00A40000023F00\n< 9000\n> 00A4000002DDF1\n< 6283";
    let invalidated = CardError::Refused(Status::FileInvalidated);
    let blocked = read(&mut Replay::new(text.parse().unwrap()));
    assert!(matches!(blocked, Err(ReadError::Refused { source, .. }) if source == invalidated));

    let mut card = Replay::new("atr 3B00\n".parse().unwrap());
    assert!(matches!(
        read(&mut card),
        Err(ReadError::NotHealthCard(NotHealthCard::HistoricalBytes(_)))
    ));
}

/// The transcript in `card/tests/transcripts` is what the emulator says; set `RECORD=1` to write it
/// anew after a change, and read the difference.
#[test]
fn the_recorded_session_is_the_emulators() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/transcripts/identity.txt");
    let mut card = Recorder::new(powered(sample::image()));
    read(&mut card).unwrap();
    let head =
        "# A reading of the sample card, all keys from the root of the SM4 profile's vectors.\n";
    let recorded = format!("{head}{}", card.transcript());
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(path, &recorded).unwrap();
    }
    assert_eq!(recorded, std::fs::read_to_string(path).unwrap());
}

/// A card that rejects rights proven at another file, as some do.
struct PerFile(InMemory, bool);

impl Transport for PerFile {
    fn atr(&self) -> &Atr {
        self.0.atr()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        match command.header() {
            [_, 0xA4, ..] => self.1 = false,
            [_, 0x82, ..] => self.1 = true,
            [_, 0xB2, tag, _]
                if !self.1 && (0x07..=0x14).contains(&tag) && ![8, 9, 10].contains(&tag) =>
            {
                return Ok(Response::of(Status::NotAllowed));
            }
            _ => {}
        }
        self.0.transmit(command)
    }
}

#[test]
fn a_card_that_wants_proof_for_each_file_gets_it() {
    let reading = read(&mut PerFile(powered(sample::image()), false)).unwrap();
    assert_eq!(reading.commands, 18 + 3);
}

/// A card that answers whatever it likes.
struct Noise {
    atr: Atr,
    answers: std::vec::IntoIter<Vec<u8>>,
    asked: u32,
}

impl Transport for Noise {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(&mut self, _: &Apdu) -> Result<Response, TransportError> {
        self.asked += 1;
        Ok(Response::parse(&self.answers.next().ok_or(TransportError::Timeout)?)?)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn noise_is_never_a_person(
        answers in proptest::collection::vec(
            (
                proptest::collection::vec(any::<u8>(), 0..40),
                prop::sample::select(vec![0x9000u16, 0x9000, 0x9000, 0x6105, 0x6C05, 0x6A82, 0x0000]),
            ),
            0..40,
        ),
    ) {
        let answers: Vec<Vec<u8>> =
            answers.into_iter().map(|(data, word)| [&data[..], &word.to_be_bytes()].concat()).collect();
        let atr = Atr::contactless(CardFactor([1; 8]));
        let mut card = Noise { atr, answers: answers.into_iter(), asked: 0 };
        prop_assert!(read(&mut card).is_err());
        prop_assert!(card.asked < 200);
    }

    /// One byte of one answer of a genuine card changed: an error, or a reading of the same person.
    /// (Names, groups and dates of validity carry no proof: their change cannot be seen.)
    #[test]
    fn a_changed_byte_never_makes_another_person(step in 0usize..18, at in 0usize..30, by in 1u8..=255) {
        let mut card = Recorder::new(powered(sample::image()));
        read(&mut card).unwrap();
        let mut lines: Vec<String> = card.transcript().to_string().lines().map(str::to_owned).collect();
        let line = &mut lines[2 + 2 * step];
        let mut bytes = hex::decode(&line[2..]).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= by;
        *line = format!("< {}", hex::encode(bytes));
        let transcript: Transcript = lines.join("\n").parse().unwrap();
        if let Ok(reading) = read(&mut Replay::new(transcript)) {
            prop_assert_eq!(reading.holder.id_number, sample::person().id_number);
        }
    }
}
