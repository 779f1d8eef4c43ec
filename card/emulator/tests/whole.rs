//! Whole cards in memory, read file by file.

use std::collections::{BTreeMap, BTreeSet};

use card::data::{Contents, Malformed, Photo};
use card::layout::{Access, FILES, File, FileName, Item, Kind, Profile, Structure, ddf1};
use card::session::{Dump, FileOutcome, FileReading, read_whole};
use card::tlv::BadRecord;
use card::value::BadValue;
use card::{
    Apdu, Atr, CardError, CardKey, IdentityReading, KeyVersion, ReadError, Response, Status,
    Transport, TransportError,
};
use card_emulator::image::Content;
use card_emulator::personalise::{Person, personalise};
use card_emulator::{Fault, Image, InMemory, sample};
use time::macros::{date, datetime};
use time::{Date, OffsetDateTime};

const TODAY: Date = date!(2026 - 03 - 01);
const NOW: OffsetDateTime = datetime!(2026-03-01 08:00 UTC);

/// A card that counts what is sent to it.
struct Counted {
    card: InMemory,
    instructions: BTreeMap<u8, u32>,
}

impl Transport for Counted {
    fn atr(&self) -> &Atr {
        self.card.atr()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        *self.instructions.entry(command.header()[1]).or_default() += 1;
        self.card.transmit(command)
    }
}

fn powered(image: Image) -> Counted {
    Counted { card: InMemory::new(sample::card(image)), instructions: BTreeMap::new() }
}

fn read(
    card: &mut dyn Transport,
    files: &[FileName],
) -> Result<(IdentityReading, Dump), ReadError> {
    let module = sample::module(&sample::masters());
    let mut seconds = 0;
    let mut now = || {
        seconds += 1;
        NOW + time::Duration::seconds(seconds)
    };
    read_whole(card, &module, &mut sample::counter(1), TODAY, files, &mut now)
}

fn name(file: &str) -> FileName {
    file.parse().expect("in the table")
}

/// A value for an item that is its own, as far as its field has room.
fn spelling(item: &Item) -> String {
    let element = &item.element;
    let number = usize::from(element.item);
    match (element.kind, element.codes) {
        (_, Some(codes)) if !codes.entries.is_empty() => {
            codes.entries[number % codes.entries.len()].0.to_owned()
        }
        (Kind::Text, _) => {
            format!("{number}项").chars().take(usize::from(element.length / 2)).collect()
        }
        (Kind::Digits, _) => (1 + number % 9).to_string(),
        (Kind::Amount, _) => format!("{}.5", number % 1000),
        (Kind::Date, _) => {
            (date!(2020 - 01 - 01) + time::Duration::days(number as i64)).to_string()
        }
        (Kind::DateTime, _) => format!("2024-02-29T08:{:02}:00", number % 60),
        (Kind::Flag, _) => (number % 2 == 0).to_string(),
        (Kind::Bytes, _) => format!("{:02X}", number % 250 + 1).repeat(element.length.into()),
    }
}

/// What a whole card says, by file and record.
type Written = BTreeMap<(FileName, u8), Contents>;

/// A card on which every item says something, and all visits are valid.
fn full(profile: Profile) -> (Image, Written) {
    let person = Person { profile, ..sample::person() };
    let mut image = personalise(&person, &sample::masters(), &BTreeMap::new())
        .expect("samples have every master");
    let mut written = Written::new();
    for file in FILES.into_iter().filter(|file| file.exists(profile)) {
        let records = match file.structure {
            Structure::Fixed { .. } | Structure::Cyclic { .. } => 1..=file.records(profile),
            _ => 0..=0,
        };
        let content = image.files.content_mut(file.name).expect("the card has the file");
        if file.name == ddf1::ef07::FILE.name {
            let jpeg: Vec<u8> = [0xFF, 0xD8, 0xFF, 0xE0].into_iter().cycle().take(2000).collect();
            let photo = Photo::new(jpeg).expect("it starts as a JPEG");
            image.set_photo(Some(&photo)).expect("the card has the file");
            continue;
        }
        for record in records {
            let mut contents = Contents::empty(file, record, profile);
            for item in file.items(profile) {
                let spelled = match (file.structure, identity(item.element.item)) {
                    (_, Some(said)) => said.to_owned(),
                    (Structure::Fixed { .. }, _) => "0".to_owned(),
                    _ => spelling(&item),
                };
                contents.set_text(item.element.item, &spelled).expect("it fits");
            }
            let bytes = contents.encode().expect("every item says something");
            match content {
                Content::Records(records) if record == 0 => {
                    for (item, bytes) in file.items(profile).iter().zip(bytes) {
                        records.insert(item.element.record(), bytes);
                    }
                }
                Content::Records(records) => drop(records.insert(record, bytes.concat())),
                Content::Ring(ring) => ring.push_back(bytes.concat()),
                Content::Transparent(whole) => whole.copy_from_slice(&bytes.concat()),
            }
            written.insert((file.name, record), contents);
        }
    }
    (image, written)
}

/// Items that the holder's identity hangs on say what they must.
fn identity(item: u16) -> Option<&'static str> {
    Some(match item {
        7 => "2034-01-01",
        8 | 15 => "11010519491231002X",
        10 => "0000000001",
        12 => "2",
        14 => "1949-12-31",
        57 => "410100",
        _ => return None,
    })
}

fn file<'d>(dump: &'d Dump, file: &str) -> &'d FileReading {
    dump.files.iter().find(|read| read.file.name == name(file)).expect("it was read")
}

#[test]
fn every_item_of_a_full_card_is_told() {
    let (image, written) = full(Profile::Full);
    let mut card = powered(image);
    let (who, dump) = read(&mut card, &[]).unwrap();
    assert_eq!(who.holder.id_number.as_str(), "11010519491231002X");
    assert_eq!(dump.profile, Profile::Full);
    assert_eq!(dump.files.len(), 22);
    let mut items = BTreeSet::new();
    for read in &dump.files {
        assert_eq!(read.outcome, FileOutcome::Read, "{}", read.file.name);
        for field in &read.fields {
            let contents = match read.file.structure {
                Structure::Variable(_) => &written[&(read.file.name, 0)],
                _ => &written[&(read.file.name, field.record)],
            };
            let item = field.item.element.item;
            assert_eq!(field.value.as_ref().ok(), contents.get(item), "item {item}");
            items.insert(item);
        }
    }
    assert_eq!(items, (1..=384).collect());
    assert_eq!(file(&dump, "DDF1/EF07").photo.as_ref().map(|photo| photo.jpeg().len()), Some(2000));
    let times: Vec<_> = dump.files.iter().map(|read| read.read_at).collect();
    assert!(times.is_sorted() && times[0] > NOW);

    // The least that the files allow. Selections: MF, four directories, 22 files. Records: 21 of
    // DDF1, 20 of DF01, 16 of DF02 and its rings' 13, 8 flags. Binary: 9 parts of the photo, 8 of
    // each inpatient body, 14 of each outpatient one.
    let binary = 9 + 3 * 8 + 5 * 14;
    let expected = [(0xA4, 27), (0xB2, 78), (0xB0, binary), (0x88, 1), (0x84, 4), (0x82, 4)];
    assert_eq!(card.instructions, BTreeMap::from(expected));
    assert_eq!(dump.commands, 217);
}

#[test]
fn the_files_of_the_holder_take_twenty_nine_commands() {
    let (image, _) = full(Profile::Full);
    let files = ["DDF1/EF05", "DDF1/EF06", "DDF1/EF08"].map(name);
    let mut card = powered(image);
    let (_, dump) = read(&mut card, &files).unwrap();
    let expected = [(0xA4, 5), (0xB2, 21), (0x88, 1), (0x84, 1), (0x82, 1)];
    assert_eq!(card.instructions, BTreeMap::from(expected));
    assert_eq!(dump.commands, 29);
    assert_eq!(dump.files.iter().map(|read| read.fields.len()).sum::<usize>(), 21);
}

#[test]
fn a_reduced_card_misses_nothing() {
    let (image, written) = full(Profile::Reduced);
    let (_, dump) = read(&mut powered(image), &[]).unwrap();
    assert_eq!(dump.profile, Profile::Reduced);
    let names = |files: &mut dyn Iterator<Item = &'static File>| -> Vec<FileName> {
        files.map(|file| file.name).collect()
    };
    assert_eq!(
        names(&mut dump.files.iter().map(|read| read.file)),
        names(&mut FILES.into_iter().filter(|file| file.exists(Profile::Reduced)))
    );
    for read in &dump.files {
        assert_eq!(read.outcome, FileOutcome::Read, "{}", read.file.name);
        let told: usize = written
            .iter()
            .filter(|((file, _), _)| *file == read.file.name)
            .map(|(_, contents)| contents.values().count())
            .sum();
        assert_eq!(read.fields.len(), told, "{}", read.file.name);
        assert!(read.fields.iter().all(|field| field.value.is_ok()), "{}", read.file.name);
    }
}

#[test]
fn one_file_is_read_alone() {
    let (image, _) = full(Profile::Full);
    let mut card = powered(image);
    let (_, dump) = read(&mut card, &[name("DF03/EE02")]).unwrap();
    assert_eq!(dump.files.len(), 1);
    assert_eq!(file(&dump, "DF03/EE02").fields.len(), 149);
    // The rights in DDF1 are gone with it; those in DF03 serve the index and the body.
    assert_eq!(card.instructions[&0x82], 2);
}

#[test]
fn records_that_are_wrong_are_told_and_the_rest_is_read() {
    let (image, _) = full(Profile::Full);
    #[rustfmt::skip]
    let cases: [(&str, u8, Vec<u8>, u16, Malformed); 8] = [
        ("DF01/EF05", 1, vec![0x16, 1, 1], 21, BadRecord::Tag { expected: 0x15, found: 0x16 }.into()),
        ("DF01/EF07", 1, vec![0x22, 2, 1, 1], 34, BadRecord::Length { expected: 1, found: 2 }.into()),
        ("DF01/EF07", 2, vec![0x23], 35, BadRecord::Truncated(1).into()),
        ("DDF1/EF05", 6, vec![6, 4, 0x20, 0x24, 0x02, 0x31], 6, BadValue::NoSuchDate.into()),
        ("DF01/EF08", 3, [&[0x27, 17, 0x81][..], &[0; 16]].concat(), 39, BadValue::NotGbk.into()),
        ("DF02/EF05", 3, vec![0x2B, 1, 0x07], 43, BadValue::NotFlag.into()),
        ("DF02/EF08", 2, vec![0x41; 20], 61, BadValue::Size(0).into()),
        ("DF01/EF06", 2, vec![0x1A, 1, 1, 0], 26, BadRecord::Trailing(1).into()),
    ];
    let mut image = image;
    for (file, record, bytes, ..) in &cases {
        image.replace(name(file), *record, bytes.clone()).unwrap();
    }
    // A code that no table has is a value.
    image.replace(name("DF01/EF05"), 3, vec![0x17, 1, 0x77]).unwrap();
    let (_, dump) = read(&mut powered(image), &[]).unwrap();
    for (in_file, record, bytes, item, why) in cases {
        let mut fields = file(&dump, in_file).fields.iter();
        let field = fields.find(|f| f.record == record && f.item.element.item == item).unwrap();
        assert_eq!(field.value, Err(why), "item {item}");
        assert!(item == 61 || *field.raw == bytes, "item {item}");
    }
    let wrong = dump.files.iter().flat_map(|read| &read.fields).filter(|f| f.value.is_err());
    assert_eq!(wrong.count(), 8);
    let class = &file(&dump, "DF01/EF05").fields[2];
    assert!(class.value.as_ref().unwrap().is_unknown_code());
}

#[test]
fn a_visit_that_is_not_valid_is_marked_and_not_read() {
    for flag in [0xFF, 0x55] {
        let (mut image, _) = full(Profile::Full);
        image.replace(name("DF03/EF05"), 2, vec![flag]).unwrap();
        let mut card = powered(image);
        let (_, dump) = read(&mut card, &[]).unwrap();
        let visit = file(&dump, "DF03/EE02");
        assert_eq!((visit.outcome, visit.fields.len()), (FileOutcome::MarkedInvalid, 0));
        assert_eq!(file(&dump, "DF03/EE03").outcome, FileOutcome::Read);
        assert_eq!(card.instructions[&0xA4], 26, "the body is not even selected");
    }
}

#[test]
fn a_directory_that_does_not_take_our_key_is_tried_once() {
    let key = CardKey::Rk1Df02;
    for (what, bytes) in [("another issuer's key", Some([7; 16])), ("no key", None)] {
        let (mut image, _) = full(Profile::Full);
        match bytes {
            Some(bytes) => image.keys.put(key, KeyVersion::FIRST, bytes),
            None => image.keys.take(key, KeyVersion::FIRST),
        }
        let mut card = powered(image);
        let (_, dump) = read(&mut card, &[]).unwrap();
        for read in &dump.files {
            let expected = match read.file.read {
                Access::Key(with) if with == key => FileOutcome::NotAllowed,
                _ => FileOutcome::Read,
            };
            assert_eq!(read.outcome, expected, "{what}: {}", read.file.name);
        }
        assert_eq!(card.instructions[&0x82], 4, "{what}");
    }
}

#[test]
fn a_picture_that_is_none_spoils_its_file_alone() {
    let (mut image, _) = full(Profile::Full);
    let mut bytes = vec![0; 3074];
    bytes[1] = 100;
    image.replace(name("DDF1/EF07"), 0, bytes).unwrap();
    let (_, dump) = read(&mut powered(image), &[]).unwrap();
    let photo = file(&dump, "DDF1/EF07");
    assert_eq!(photo.outcome, FileOutcome::Damaged(Malformed::Value(BadValue::Picture)));
    assert_eq!(file(&dump, "DDF1/EF08").outcome, FileOutcome::Read);
}

#[test]
fn a_ring_ends_where_it_was_written_up_to() {
    let (mut image, _) = full(Profile::Full);
    if let Some(Content::Ring(ring)) = image.files.content_mut(name("DF02/EF08")) {
        ring.truncate(4);
    }
    let (_, dump) = read(&mut powered(image), &[]).unwrap();
    assert_eq!(file(&dump, "DF02/EF08").fields.len(), 8);
}

#[test]
fn a_card_that_leaves_ends_the_reading() {
    let (image, _) = full(Profile::Full);
    let mut emulated = sample::card(image);
    emulated.misbehave(Fault::GoneAt(100));
    let mut card = Counted { card: InMemory::new(emulated), instructions: BTreeMap::new() };
    assert!(matches!(read(&mut card, &[]), Err(ReadError::Removed { .. })));
}

#[test]
fn who_holds_the_card_comes_first() {
    let (mut image, _) = full(Profile::Full);
    image.replace(name("DDF1/EF06"), 5, vec![0x0F, 18, 0]).unwrap();
    let mut card = powered(image);
    assert!(matches!(read(&mut card, &[]), Err(ReadError::MalformedRecord(_))));
    assert_eq!(card.instructions[&0x82], 1, "no other directory was opened");
}

#[test]
fn what_a_card_withholds_is_told() {
    assert_eq!(
        Malformed::Withheld(CardError::Refused(Status::Corrupted)).to_string(),
        "the card did not give the record: the card answered 6281"
    );
}
