//! Changes of an issued card: written, read back, and torn at every command, with the keystore's module and with a SAM.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

use card::certificate::{Body, CardCertificate, Holder, SamSerial};
use card::layout::{FileName, Profile};
use card::record_signature::{BadRecordSignature, DigestRule, KeyRecordSigner, RecordSigner};
use card::session::{FileOutcome, FileReading, read_whole};
use card::write::{Effect, VisitKind, WriteError, Written};
use card::{
    CardKey, Changes, KeyVersion, Pin, ReadError, Sam, SamSecurityModule, SecurityError,
    SecurityModule, Session, SignError, SoftSecurityModule,
};
use card_emulator::{Fault, InMemory, sample};
use hsm::sm2::SecretKey;
use std::sync::Arc;
use time::macros::{date, datetime};

const TODAY: time::Date = date!(2026 - 11 - 26);

/// Who computes and who signs.
struct Side {
    name: &'static str,
    security: Arc<dyn SecurityModule>,
    signer: Arc<dyn RecordSigner>,
    issuer: CardCertificate,
}

fn body(holder: Holder, key: &SecretKey) -> Body {
    Body {
        holder,
        authority: "99".parse().unwrap(),
        subject: "99".parse().unwrap(),
        serial: [1; 8],
        valid_from: date!(2026 - 01 - 01),
        valid_until: date!(2026 - 12 - 31),
        key: key.public().clone(),
    }
}

/// The keystore's form, and a SAM whose PIN was presented.
fn sides() -> [Side; 2] {
    let (issuer, key) = (SecretKey::generate(), Arc::new(SecretKey::generate()));
    let authority = body(Holder::Issuer, &issuer).sign(&issuer).unwrap();
    let certificate = body(Holder::Sam(SamSerial([2; 10])), &key).sign(&issuer).unwrap();
    let soft = Side {
        name: "keystore",
        security: Arc::new(sample::module(&sample::masters())),
        signer: Arc::new(KeyRecordSigner::new(key, &certificate).unwrap()),
        issuer: authority,
    };
    let mut sam = Sam::open(InMemory::new(sam_of_samples())).unwrap();
    sam.verify(&Pin::from_digits("123456").unwrap()).unwrap();
    let card::certificate::Stored::Known(issuer) = sam.issuer_certificate().unwrap() else {
        panic!("a sample's certificate is of our layout")
    };
    let sam = Arc::new(SamSecurityModule::new(sam));
    [soft, Side { name: "SAM", security: sam.clone(), signer: sam, issuer: *issuer }]
}

/// A SAM with the masters of the sample cards.
fn sam_of_samples() -> card_emulator::Sam {
    let random: card_emulator::card::Randomness = Box::new(sample::counter(1));
    card_emulator::Sam::new(sample::sam_image(), sample::masters(), random)
}

fn write(
    card: &mut InMemory,
    side: &Side,
    changes: &Changes,
) -> (Result<(), WriteError>, Vec<Written>, u32) {
    let mut written = Vec::new();
    let mut randomness = sample::counter(7);
    let mut session = match Session::open(card, &*side.security, &mut randomness) {
        Ok(session) => session,
        Err(error) => return (Err(error.into()), written, 0),
    };
    let outcome = session.write(changes, Some(&*side.signer), &mut written);
    let commands = session.commands();
    (outcome, written, commands)
}

/// What an item of a file says, by record; `None` when it is marked invalid or not there.
fn says(card: &mut InMemory, file: &str, item: u16, record: u8) -> Option<String> {
    let file: FileName = file.parse().unwrap();
    let security = sample::module(&sample::masters());
    let now = &mut || datetime!(2026-11-26 10:00 UTC);
    let (_, dump) =
        read_whole(card, &security, &mut sample::counter(3), TODAY, &[file], now).unwrap();
    let read = dump.files.into_iter().next()?;
    if read.outcome == FileOutcome::MarkedInvalid {
        return None;
    }
    assert_eq!(read.outcome, FileOutcome::Read);
    let field = read.fields.iter().find(|f| f.item.element.item == item && f.record == record)?;
    Some(field.value.as_ref().unwrap().to_text().to_string())
}

fn card() -> InMemory {
    InMemory::new(sample::card(sample::image()))
}

fn basics() -> Changes {
    let mut changes = Changes::new();
    for (item, text) in [
        (7, "2035-06-30"),
        (16, "0371-6688"),
        (22, "郑州市金水区花园路1号"),
        (25, "李四"),
        (27, "13900139000"),
        (41, "1"),
        (43, "true"),
        (56, "false"),
    ] {
        changes.set(item, text).unwrap_or_else(|error| panic!("item {item}: {error}"));
    }
    let allergies = "DF02/EF07".parse().unwrap();
    changes.append(allergies, [(58, "青霉素"), (59, "皮疹")]).unwrap();
    let vaccines = "DF02/EF08".parse().unwrap();
    changes.append(vaccines, [(60, "乙肝疫苗"), (61, "2026-11-01")]).unwrap();
    changes
}

fn outpatient(day: &str, number: &str) -> Changes {
    let mut changes = Changes::new();
    let at = format!("{day}T09:30:00");
    let items = [(213, "第一医院"), (215, at.as_str()), (216, number), (222, "上呼吸道感染")];
    changes.visit(VisitKind::Outpatient, items).unwrap();
    changes
}

fn inpatient(day: &str) -> Changes {
    let mut changes = Changes::new();
    changes.visit(VisitKind::Inpatient, [(64, "第一医院"), (66, day), (75, "肺炎")]).unwrap();
    changes
}

#[test]
fn what_is_written_is_read_back() {
    for side in sides() {
        let mut card = card();
        let (outcome, written, _) = write(&mut card, &side, &basics());
        outcome.unwrap_or_else(|error| panic!("{}: {error}", side.name));
        assert_eq!(written.len(), 10, "{}", side.name);
        assert!(written.iter().all(|line| line.effect == Effect::Changed), "{written:?}");
        let cases = [
            ("DDF1/EF08", 7, 1, "2035-06-30"),
            ("DDF1/EF08", 16, 2, "0371-6688"),
            ("DF01/EF05", 22, 2, "郑州市金水区花园路1号"),
            ("DF01/EF06", 25, 1, "李四"),
            ("DF02/EF05", 41, 1, "1"),
            ("DF02/EF06", 56, 1, "false"),
            ("DF02/EF07", 58, 1, "青霉素"),
            ("DF02/EF08", 61, 1, "2026-11-01"),
        ];
        for (file, item, record, expected) in cases {
            let found = says(&mut card, file, item, record);
            assert_eq!(found.as_deref(), Some(expected), "{} {file} {item}", side.name);
        }
        // The same again changes nothing.
        let (outcome, written, _) = write(&mut card, &side, &basics());
        outcome.unwrap();
        assert!(written.iter().all(|line| line.effect == Effect::Unchanged), "{written:?}");
        assert_eq!(says(&mut card, "DF02/EF07", 58, 2), None, "the allergy is there once");
    }
}

#[test]
fn visits_take_the_first_free_place_and_then_the_oldest() {
    for side in sides() {
        let mut card = card();
        let days =
            ["2026-03-05", "2026-01-04", "2026-02-03", "2026-05-01", "2026-04-02", "2026-06-01"];
        // The second one is the oldest when the sixth comes.
        let places = [0xED01, 0xED02, 0xED03, 0xED04, 0xED05, 0xED02];
        for (day, place) in days.iter().zip(places) {
            let (outcome, written, _) = write(&mut card, &side, &outpatient(day, "M1"));
            outcome.unwrap_or_else(|error| panic!("{} {day}: {error}", side.name));
            assert_eq!(written.last().map(|line| line.file.id), Some(place), "{day}");
            let file = written.last().unwrap().file.to_string();
            let at = says(&mut card, &file, 215, 0);
            assert_eq!(at.as_deref(), Some(format!("{day}T09:30:00").as_str()));
        }
        // One that is there already stays where it is.
        let (outcome, written, _) = write(&mut card, &side, &outpatient("2026-06-01", "M1"));
        outcome.unwrap();
        assert_eq!(written[0].effect, Effect::Unchanged);
        // Another of the same day is another visit.
        let (outcome, written, _) = write(&mut card, &side, &outpatient("2026-06-01", "M2"));
        outcome.unwrap();
        assert_eq!((written[0].file.id, written[0].effect), (0xED03, Effect::Changed));
    }
}

#[test]
fn a_record_carries_a_signature_that_verifies() {
    for side in sides() {
        let mut card = card();
        for changes in [inpatient("2026-11-20"), outpatient("2026-11-26", "M1")] {
            write(&mut card, &side, &changes).0.unwrap();
        }
        for (kind, file) in
            [(VisitKind::Inpatient, "DF03/EE01"), (VisitKind::Outpatient, "DF03/ED01")]
        {
            let mut body = read_body(&mut card, file);
            let verdict = |body: &FileReading| body.signature(&side.issuer, TODAY);
            assert_eq!(verdict(&body), Some(Ok(DigestRule::Plain)), "{} {file}", side.name);
            body.fields[7].raw[0] ^= 1;
            assert_eq!(
                verdict(&body),
                Some(Err(BadRecordSignature::Wrong)),
                "{} {file}",
                side.name
            );
            // What is no record of a visit has none, and neither has one whose room was never written on.
            assert_eq!(verdict(&read_body(&mut card, "DF02/EF05")), None);
            let at =
                body.fields.iter().position(|it| it.item.element == *kind.signature()).unwrap();
            body.fields[at].raw.fill(0xff);
            assert_eq!(verdict(&body), None);
        }
    }
}

/// One file, as it is read.
fn read_body(card: &mut InMemory, file: &str) -> FileReading {
    let security = sample::module(&sample::masters());
    let now = &mut || datetime!(2026-11-26 10:00 UTC);
    let files = [file.parse().unwrap()];
    let (_, dump) =
        read_whole(card, &security, &mut sample::counter(3), TODAY, &files, now).unwrap();
    dump.files.into_iter().next().unwrap()
}

/// The state of the outpatient records: what each says of its date, or that it is marked invalid.
fn outpatient_days(card: &mut InMemory) -> Vec<Option<String>> {
    (1..=5).map(|number| says(card, &format!("DF03/ED0{number}"), 215, 0)).collect()
}

#[test]
fn a_card_torn_out_at_any_command_holds_the_old_or_nothing_and_a_retry_succeeds() {
    for side in sides() {
        // All five places are taken, so that the oldest one is overwritten: the longest way.
        let mut full = card();
        for day in ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01"] {
            write(&mut full, &side, &outpatient(day, "M1")).0.unwrap();
        }
        let before = outpatient_days(&mut full);
        let image = full.card().image().to_toml();
        let again = || {
            let image = card_emulator::Image::from_toml(&image).unwrap();
            InMemory::new(sample::card(image))
        };
        let changes = outpatient("2026-11-26", "M9");
        let mut whole = again();
        let (outcome, _, commands) = write(&mut whole, &side, &changes);
        outcome.unwrap();
        let after = outpatient_days(&mut whole);
        assert_eq!(after[0].as_deref(), Some("2026-11-26T09:30:00"));

        let (mut old, mut invalid) = (0, 0);
        for at in 1..=commands {
            let mut card = again();
            card.card().misbehave(Fault::GoneAt(at));
            let (torn, ..) = write(&mut card, &side, &changes);
            assert!(
                matches!(torn, Err(WriteError::Card(ReadError::Removed { .. }))),
                "{} command {at}: {torn:?}",
                side.name
            );
            card.card().behave();
            card.reinsert();
            let now = outpatient_days(&mut card);
            assert_eq!(now[1..], before[1..], "command {at}: others are as they were");
            match &now[0] {
                None => invalid += 1,
                day if *day == before[0] => old += 1,
                // Only the answer to the last commands was lost: the record is whole.
                day => {
                    assert_eq!(*day, after[0], "command {at}");
                    let body = read_body(&mut card, "DF03/ED01");
                    assert_eq!(body.signature(&side.issuer, TODAY), Some(Ok(DigestRule::Plain)));
                }
            }
            let (retried, written, _) = write(&mut card, &side, &changes);
            retried.unwrap_or_else(|error| panic!("{} command {at}: {error}", side.name));
            assert_eq!(written[0].file.id, 0xED01, "command {at}: the same place");
            assert_eq!(outpatient_days(&mut card), after, "command {at}");
        }
        println!("{}: torn at {commands} commands: {old} old, {invalid} invalid", side.name);
        assert!(old > 0 && invalid > 24, "{old} {invalid}");
    }
}

#[test]
fn items_torn_at_any_command_are_the_old_or_the_new() {
    let [side, _] = sides();
    let changes = basics();
    let (outcome, _, commands) = write(&mut card(), &side, &changes);
    outcome.unwrap();
    for at in 1..=commands {
        let mut card = card();
        card.card().misbehave(Fault::GoneAt(at));
        let (torn, written, _) = write(&mut card, &side, &changes);
        assert!(torn.is_err(), "command {at}");
        assert!(written.len() < 10, "command {at}");
        card.card().behave();
        card.reinsert();
        write(&mut card, &side, &changes).0.unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(says(&mut card, "DF02/EF07", 58, 1).as_deref(), Some("青霉素"), "{at}");
        assert_eq!(says(&mut card, "DF02/EF07", 58, 2), None, "{at}: the allergy is there once");
    }
}

#[test]
fn missing_keys_and_signers_are_named() {
    let all = sample::masters();
    let without = CardKey::all_versions()
        .filter(|(key, _)| *key != CardKey::Uk1Df01)
        .fold(SoftSecurityModule::new(), |module, (key, version)| {
            module.with(key, version, all.master(key, version).unwrap())
        });
    let [mut side, _] = sides();
    side.security = Arc::new(without);
    let (outcome, written, _) = write(&mut card(), &side, &basics());
    assert!(matches!(
        outcome,
        Err(WriteError::Card(ReadError::Security(SecurityError::NoKey {
            key: CardKey::Uk1Df01,
            version: KeyVersion::FIRST
        })))
    ));
    assert_eq!(written.len(), 2, "what came before it is told");

    // Another issuer's update key: the card refuses it and says how many tries are left.
    let other = sample::masters_of([9; 16]);
    let wrong =
        CardKey::all_versions().fold(SoftSecurityModule::new(), |module, (key, version)| {
            let from = if key == CardKey::Uk1Ddf1 { &other } else { &all };
            module.with(key, version, from.master(key, version).unwrap())
        });
    side.security = Arc::new(wrong);
    let (outcome, ..) = write(&mut card(), &side, &basics());
    assert!(
        matches!(
            outcome,
            Err(WriteError::UpdateRefused { key: CardKey::Uk1Ddf1, tries_left: Some(14), .. })
        ),
        "{outcome:?}"
    );

    // A SAM that still waits for its PIN: the record stays marked invalid.
    let sam = SamSecurityModule::new(Sam::open(InMemory::new(sam_of_samples())).unwrap());
    let [mut side, _] = sides();
    side.signer = Arc::new(sam);
    let mut card = card();
    let (outcome, ..) = write(&mut card, &side, &outpatient("2026-11-26", "M1"));
    assert!(outcome.as_ref().is_err_and(WriteError::needs_pin), "{outcome:?}");
    assert!(matches!(outcome, Err(WriteError::Sign(SignError::Sam(_)))));
    assert_eq!(outpatient_days(&mut card), [const { None }; 5]);
}

#[test]
fn a_small_card_has_no_place_for_some_and_none_for_signatures() {
    let person = card_emulator::Person { profile: Profile::Reduced, ..sample::person() };
    let image = || {
        card_emulator::personalise::personalise(&person, &sample::masters(), &Default::default())
            .unwrap()
    };
    let [side, _] = sides();
    let mut changes = Changes::new();
    changes.set(22, "郑州市金水区").unwrap();
    changes.set(24, "第二地址").unwrap();
    let mut card = InMemory::new(sample::card(image()));
    let (outcome, written, _) = write(&mut card, &side, &changes);
    assert!(matches!(outcome, Err(WriteError::NotOnThisCard { item: 24, .. })), "{outcome:?}");
    assert!(written.is_empty(), "nothing was written");

    let mut changes = Changes::new();
    changes.set(22, "郑州市金水区").unwrap();
    write(&mut card, &side, &changes).0.unwrap();
    for (day, place) in [("2026-01-01", 0xED01), ("2026-02-01", 0xED02), ("2026-03-01", 0xED01)] {
        let (outcome, written, _) = write(&mut card, &side, &outpatient(day, "M1"));
        outcome.unwrap_or_else(|error| panic!("{day}: {error}"));
        assert_eq!(written[0].file.id, place);
    }
}
