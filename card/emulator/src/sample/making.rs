//! What the card of the sample's person is made of, and the script that says what our own commands
//! do: an example for makers, too.

use std::fmt::Write as _;
use std::sync::Arc;

use ::card::batch::Row;
use ::card::command::personalise::Create;
use ::card::data::{CardClass, IssuerCertificate, IssuerData};
use ::card::layout::ddf1::ef07;
use ::card::layout::{Directory, FILES, File, Profile, Structure};
use ::card::personalise::{CardContents, Cvk, IssuingKeys, security_code};
use ::card::{CardKey, CardNumber, Instruction};
use time::macros::date;

use super::{key, person, transport_master};
use crate::personalise::{LooseMaster, Masters};

/// Bytes that a script writes at once.
const PART: usize = 250;

/// These masters, as whoever makes cards has them.
pub fn issuing_keys(masters: &Masters) -> IssuingKeys {
    let keys = IssuingKeys::new(Arc::new(transport_master()));
    CardKey::all_versions().fold(keys, |keys, (key, version)| {
        let master = masters.master(key, version).expect("samples have every master");
        keys.with(key, version, master)
    })
}

/// A key of security codes.
pub fn cvk() -> Cvk {
    Cvk::of(&LooseMaster(key([9; 16]))).expect("software keys derive")
}

/// What is to be on the card of the sample's person.
pub fn contents(profile: Profile, photo: Option<Vec<u8>>) -> CardContents {
    let person = person();
    let row = Row::of([
        ("name", "张三"),
        ("id_number", person.id_number.as_str()),
        ("city", "410100"),
        ("valid_until", "2034-01-01"),
        ("ethnic_group", "1"),
        ("phone_1", "13800138000"),
        ("payment_1", "1"),
        ("address_class_1", "2"),
        ("address_1", "郑州市金水路1号"),
        ("asthma", "是"),
    ]);
    let row = row.expect("names of columns");
    let row = match photo {
        Some(photo) => row.with_photo(photo),
        None => row,
    };
    let order = row.check(date!(2026 - 11 - 26), profile).expect("a row that is good");
    let number = CardNumber::from(&order.holder.id_number);
    let issuer = IssuerData {
        class: CardClass(b'1'),
        version: "1.0".parse().expect("three characters of four"),
        name: person.issuer_name,
        code: "4101000000000000000001".parse().expect("22 digits"),
        certificate: IssuerCertificate([7; 180]),
        issued_on: date!(2026 - 11 - 26),
        security_code: security_code(&cvk(), &number, order.contact.valid_until),
        card_number: number,
        chip_serial: person.chip_serial,
        city: order.city.clone(),
    };
    CardContents::new(&issuer, &order).expect("an issuer whose name fits")
}

/// The script that says what [`OwnCommands`](::card::personalise::OwnCommands) does for a card of
/// `profile`, whose photo has so many bytes.
pub fn script(profile: Profile, photo: Option<usize>) -> String {
    let mut text = String::from("# our own card software\n");
    let mut say = |command: &str, answer: &str| {
        writeln!(text, "> {command}\n< {answer}").expect("strings grow");
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
    let create = |command: Create| {
        let command = command.encode();
        format!("{} {}", hex(&command.header()), hex(command.data()))
    };
    let select = |id: u16| format!("00A40000 {id:04X}");
    let challenge = ("00840000 le=08", "9000 challenge");

    say(&select(0x3F00), "9000");
    say(challenge.0, challenge.1);
    say("00820000 {prove}", "9000");
    for directory in Directory::ALL {
        say(&select(0x3F00), "9000");
        if directory != Directory::Ddf1 {
            say(&select(0xDDF1), "9000");
        }
        say(&create(Create::Directory(directory)), "9000 6985");
        say(&select(directory.id()), "9000");
        let here = |file: &&&File| file.name.directory == directory;
        for file in FILES.iter().filter(here).filter(|file| file.exists(profile)) {
            say(&create(Create::File(file, profile)), "9000 6985");
        }
    }
    for (key, version) in CardKey::all_versions() {
        say(challenge.0, challenge.1);
        let (number, index) = (version.number(), key.facts().index);
        say(&format!("84D4{number:02X}{index:02X} {{key:{key}/{number}}}"), "9000");
    }
    let mut place = None;
    let mut proven = Vec::new();
    let written = |file: &&&File| match file.structure {
        Structure::Variable(_) => file.exists(profile),
        _ => file.name == ef07::FILE.name && photo.is_some(),
    };
    for file in FILES.iter().filter(written) {
        let name = file.name;
        if place != Some(name.directory) {
            say(&select(0x3F00), "9000");
            say(&select(0xDDF1), "9000");
            if name.directory != Directory::Ddf1 {
                say(&select(name.directory.id()), "9000");
            }
            place = Some(name.directory);
            proven.clear();
        }
        say(&select(name.id), "9000");
        let key = file.personalised_with();
        if !proven.contains(&key) {
            say(challenge.0, challenge.1);
            say(&format!("008200{:02X} {{prove:{key}}}", key.facts().id), "9000");
            proven.push(key);
        }
        if file.name == ef07::FILE.name {
            // With its length before it.
            let end = photo.unwrap_or_default() + 2;
            for from in (0..end).step_by(PART) {
                let length = PART.min(end - from);
                say(&format!("00D6{from:04X} {{file:{name}/{from}/{length}}}"), "9000");
            }
        }
        for element in file.elements().iter().filter(|it| profile == Profile::Full || !it.full_only)
        {
            let record = element.record();
            say(&format!("00DC{record:02X}04 {{record:{name}/{record}}}"), "9000");
        }
    }
    say("80F00000", "9000");
    text
}
