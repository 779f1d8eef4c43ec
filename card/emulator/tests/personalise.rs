//! Blank cards become cards of people: by our own commands, by a maker's script, and again after
//! every point at which it may stop.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

use card::layout::Profile;
use card::personalise::{
    BadScript, CardContents, Earlier, OwnCommands, PersonaliseError, Personaliser, Script,
    Transcribed, VerifyError, security_code, verify,
};
use card::{CardFactors, CardNumber, ProvinceFactor};
use card_emulator::personalise::{LooseMaster, Masters, blank};
use card_emulator::sample::making::issuing_keys;
use card_emulator::{Card, Fault, Image, InMemory, sample};
use hsm::sm4::Sm4Key;
use proptest::prelude::*;
use time::macros::date;

fn contents(profile: Profile) -> CardContents {
    // A 16K card has no place for a photo.
    sample::making::contents(profile, (profile == Profile::Full).then(photo))
}

/// A picture of stripes.
fn photo() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(120, 150, |x, y| image::Rgb([x as u8, y as u8, 99]));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    card::picture::fit(&png.into_inner()).unwrap().jpeg().to_vec()
}

fn master(bytes: [u8; 16]) -> LooseMaster {
    let key = Sm4Key::fill(|key| {
        *key = bytes;
        Ok::<(), std::fmt::Error>(())
    });
    LooseMaster(key.unwrap())
}

fn factors() -> CardFactors {
    let person = sample::person();
    CardFactors { province: ProvinceFactor::from(&person.city), card: person.factor }
}

fn blank_card(profile: Profile) -> InMemory {
    let image = blank(sample::person().factor, profile, &sample::transport_master()).unwrap();
    InMemory::new(sample::card(image))
}

fn make(
    by: &dyn Personaliser,
    card: &mut InMemory,
    masters: &Masters,
    profile: Profile,
) -> (Result<(), PersonaliseError>, [u8; 32], u32) {
    let mut transcribed = Transcribed::new(card, Earlier::default());
    let mut link = card::transport::Link::new(&mut transcribed);
    let mut random = sample::counter(7);
    let made = by.personalise(
        &mut link,
        &issuing_keys(masters),
        &factors(),
        &contents(profile),
        &mut random,
    );
    let commands = transcribed.commands();
    (made, transcribed.digest(), commands)
}

fn verified(card: &mut InMemory, masters: &Masters, profile: Profile) -> Result<(), VerifyError> {
    card.reinsert();
    verify(card, &sample::module(masters), &mut sample::counter(1), &contents(profile))
}

#[test]
fn a_blank_card_becomes_the_card_of_a_person() {
    for profile in [Profile::Full, Profile::Reduced] {
        let masters = sample::distinct_masters();
        let mut card = blank_card(profile);
        let (made, _, commands) = make(&OwnCommands, &mut card, &masters, profile);
        made.unwrap();
        println!("{profile:?}: {commands} commands");
        assert!(commands < 330, "{commands}");
        assert!(card.card().image().is_complete() && !card.card().image().is_open());
        verified(&mut card, &masters, profile).unwrap();
        // It holds the keys of this issuer and no others.
        let other = sample::masters_of([3; 16]);
        assert!(matches!(verified(&mut card, &other, profile), Err(VerifyError::Read(_))));
        // It cannot be made twice.
        card.reinsert();
        let (again, ..) = make(&OwnCommands, &mut card, &masters, profile);
        assert!(matches!(again, Err(PersonaliseError::NotBlank)), "{again:?}");
        verified(&mut card, &masters, profile).unwrap();
    }
}

#[test]
fn a_card_that_says_something_else_is_not_believed() {
    let masters = sample::distinct_masters();
    let mut card = blank_card(Profile::Full);
    make(&OwnCommands, &mut card, &masters, Profile::Full).0.unwrap();
    let mut image = Image::from_toml(&card.card().image().to_toml()).unwrap();
    let file = card::layout::ddf1::ef05::FILE.name;
    image.replace(file, 8, vec![0x09, 3, b'1', b'2', b'3']).unwrap();
    let mut card = InMemory::new(sample::card(image));
    match verified(&mut card, &masters, Profile::Full) {
        Err(VerifyError::Differs { record: 8, file: found }) => assert_eq!(found, file),
        other => panic!("{other:?}"),
    }
}

#[test]
fn somebody_elses_blank_card_is_left_alone() {
    let image = blank(sample::person().factor, Profile::Full, &master([1; 16])).unwrap();
    let mut card = InMemory::new(sample::card(image));
    let (made, ..) = make(&OwnCommands, &mut card, &sample::distinct_masters(), Profile::Full);
    assert!(matches!(made, Err(PersonaliseError::OtherTransportKey)), "{made:?}");
}

#[test]
fn a_card_of_another_capacity_is_told_as_such() {
    for (has, wanted) in [(Profile::Full, Profile::Reduced), (Profile::Reduced, Profile::Full)] {
        let mut card = blank_card(has);
        let (made, ..) = make(&OwnCommands, &mut card, &sample::distinct_masters(), wanted);
        assert!(matches!(made, Err(PersonaliseError::OtherCapacity)), "{has:?}: {made:?}");
    }
}

#[test]
fn wherever_it_stops_it_goes_on() {
    let masters = sample::distinct_masters();
    assert!(issuing_keys(&masters).are_complete());
    let mut whole = blank_card(Profile::Full);
    let (_, _, commands) = make(&OwnCommands, &mut whole, &masters, Profile::Full);
    for cut in 1..=commands {
        let mut card = blank_card(Profile::Full);
        card.card().misbehave(Fault::GoneAt(cut));
        let (stopped, ..) = make(&OwnCommands, &mut card, &masters, Profile::Full);
        assert!(matches!(stopped, Err(PersonaliseError::Transport { .. })), "{cut}: {stopped:?}");
        card.card().behave();
        card.reinsert();
        make(&OwnCommands, &mut card, &masters, Profile::Full)
            .0
            .unwrap_or_else(|e| panic!("{cut}: {e}"));
        let same = card.card().image().files == whole.card().image().files;
        assert!(same, "{cut}: another card than in one go");
    }
}

fn script(profile: Profile) -> String {
    sample::making::script(profile, (profile == Profile::Full).then(|| photo().len()))
}

#[test]
fn a_script_makes_the_same_card_by_the_same_commands() {
    let masters = sample::distinct_masters();
    for profile in [Profile::Full, Profile::Reduced] {
        let script: Script = script(profile).parse().unwrap();
        let (mut own, mut scripted) = (blank_card(profile), blank_card(profile));
        let (made, transcript, commands) = make(&OwnCommands, &mut own, &masters, profile);
        made.unwrap();
        let (made, again, count) = make(&script, &mut scripted, &masters, profile);
        made.unwrap();
        assert_eq!((again, count), (transcript, commands), "{profile:?}");
        assert_eq!(scripted.card().image().files, own.card().image().files);
        verified(&mut scripted, &masters, profile).unwrap();
        scripted.reinsert();
        let (again, ..) = make(&script, &mut scripted, &masters, profile);
        assert!(matches!(again, Err(PersonaliseError::NotBlank)), "{again:?}");
    }
}

#[test]
fn a_script_is_held_to_what_it_says() {
    let masters = sample::distinct_masters();
    let text = script(Profile::Full);
    // The card refuses what comes first and is not accepted by the script.
    let early = format!("> 80F00000\n< 9000\n{text}");
    let refused = make(
        &early.parse::<Script>().unwrap(),
        &mut blank_card(Profile::Full),
        &masters,
        Profile::Full,
    );
    assert!(matches!(refused.0, Err(PersonaliseError::Refused { .. })), "{:?}", refused.0);
    // A record that this card is not to have.
    let absent = text.replace("{record:DDF1/EF05/1}", "{record:DF03/EF05/1}");
    assert!(matches!(absent.parse::<Script>(), Err(BadScript::Place { .. })));
}

#[test]
fn scripts_are_read_line_by_line() {
    let get = "> 00840000 le=08\n< 9000 challenge\n";
    let cases = [
        ("nothing", String::new(), BadScript::Empty),
        ("comments alone", "# x\n\n".to_owned(), BadScript::Empty),
        ("a command without an answer", "> 00A40000 3F00".to_owned(), BadScript::Line { line: 1 }),
        ("an answer without a command", "< 9000".to_owned(), BadScript::Line { line: 1 }),
        ("two commands", "> 00840000\n> 00840000\n< 9000".to_owned(), BadScript::Line { line: 2 }),
        ("a short header", "> 00A400\n< 9000".to_owned(), BadScript::Line { line: 1 }),
        ("half a byte", "> 00A400003\n< 9000".to_owned(), BadScript::Line { line: 1 }),
        ("no answer at all", "> 00A40000\n< ".to_owned(), BadScript::Line { line: 2 }),
        (
            "an answer of three bytes",
            "> 00A40000\n< 900000".to_owned(),
            BadScript::Line { line: 2 },
        ),
        (
            "a challenge of nothing",
            "> 00A40000\n< 9000 challenge".to_owned(),
            BadScript::Line { line: 2 },
        ),
        (
            "too much data",
            format!("> 00D60000 {}\n< 9000", "00".repeat(256)),
            BadScript::Line { line: 1 },
        ),
        ("no such place", "> 00D60000 {pin}\n< 9000".to_owned(), BadScript::Place { line: 1 }),
        (
            "no such key",
            format!("{get}> 84D40101 {{key:RK9_DDF1}}\n< 9000"),
            BadScript::Place { line: 3 },
        ),
        (
            "no such version",
            format!("{get}> 84D40101 {{key:STK_DDF1/2}}\n< 9000"),
            BadScript::Place { line: 3 },
        ),
        (
            "no such record",
            "> 00DC0B04 {record:DDF1/EF05/11}\n< 9000".to_owned(),
            BadScript::Place { line: 1 },
        ),
        (
            "beyond the file",
            "> 00D60000 {file:DDF1/EF07/3000/100}\n< 9000".to_owned(),
            BadScript::Place { line: 1 },
        ),
        (
            "a key beside data",
            format!("{get}> 84D40101 {{key:RK1_DDF1}} 00\n< 9000"),
            BadScript::Line { line: 3 },
        ),
        (
            "no challenge",
            "> 00820000 {prove}\n< 9000".to_owned(),
            BadScript::NoChallenge { line: 1 },
        ),
        (
            "a used challenge",
            format!("{get}> 00820000 {{prove}}\n< 9000\n> 84D40101 {{key:RK1_DDF1}}\n< 9000"),
            BadScript::NoChallenge { line: 5 },
        ),
        ("too long", "#".repeat(256 * 1024 + 1), BadScript::TooLong),
    ];
    for (name, text, expected) in cases {
        assert_eq!(text.parse::<Script>(), Err(expected), "{name}");
    }
}

#[test]
fn a_security_code_is_of_its_card() {
    let number: CardNumber = "11010519491231002X".parse().unwrap();
    let (day, cvk) = (date!(2034 - 01 - 01), sample::making::cvk());
    let code = security_code(&cvk, &number, day);
    assert!(code.expose().bytes().all(|b| b.is_ascii_digit()));
    assert!(cvk.vouches(&number, day, &code));
    // Of a thousand codes one is right by chance; these are not.
    assert!(!cvk.vouches(&number, date!(2034 - 01 - 02), &code));
    assert!(!cvk.vouches(&"440524188001010014".parse().unwrap(), day, &code));
}

#[test]
fn a_card_of_another_software_is_not_taken_for_blank() {
    // An issued card in the place of a blank one.
    let mut card = InMemory::new(Card::new(sample::image(), Box::new(sample::counter(1))));
    let (made, ..) = make(&OwnCommands, &mut card, &sample::distinct_masters(), Profile::Full);
    assert!(matches!(made, Err(PersonaliseError::NotBlank)), "{made:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A script with one line that is not what its maker wrote is refused, or it is played to the
    /// end or to the point where the card refuses: it never makes a card that is not believed.
    #[test]
    fn a_script_with_another_line_makes_the_card_or_none(
        at in 0usize..900,
        line in prop_oneof![
            Just(String::new()),
            Just("> 00A40000 3F00".to_owned()),
            Just("< 9000".to_owned()),
            "[<>#] ?[0-9A-F]{0,12} ?[{a-z:}0-9]{0,12}",
        ],
    ) {
        let text = script(Profile::Reduced);
        let mut lines: Vec<&str> = text.lines().collect();
        let at = at % lines.len();
        lines[at] = &line;
        let Ok(script) = lines.join("\n").parse::<Script>() else { return Ok(()) };
        let masters = sample::distinct_masters();
        let mut card = blank_card(Profile::Reduced);
        let (made, ..) = make(&script, &mut card, &masters, Profile::Reduced);
        if made.is_ok() && !card.card().image().is_open() {
            prop_assert!(card.card().image().is_complete());
        }
    }

    #[test]
    fn any_text_is_a_script_or_none(text in "([<>#] ?([0-9A-Fa-f]{0,10}|\\{[a-z]+:?[A-Z0-9/_]*\\}| |le=08|challenge){0,4}\n){0,8}") {
        let _ = text.parse::<Script>();
    }
}
