//! Every access condition of every file: no key, each wrong key, the right key, after reselection
//! of the directory, after reset (health-card.md, 9, "Read security" and "Write security").
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod terminal;

use card::command::{CardError, Protected, ReadBinary, ReadRecord, Select, UpdateBinary};
use card::layout::{self, Directory, File, Profile, Structure};
use card::{CardKey, KeyVersion, Status};
use card_emulator::image::Content;
use card_emulator::{Image, personalise, sample};
use terminal::{Terminal, refused};

/// health-card.md, 2.4: who may read, update, erase. `free` is anyone, `-` nobody. This is not made
/// from the table in `card::layout`: it is what that table must come to.
#[rustfmt::skip]
const CONDITIONS: [(&str, &str, &str, &str); 22] = [
    ("DDF1/EF05", "free",     "-",        "-"),
    ("DDF1/EF06", "RK1_DDF1", "-",        "-"),
    ("DDF1/EF07", "RK1_DDF1", "UK1_DDF1", "-"),
    ("DDF1/EF08", "RK1_DDF1", "UK1_DDF1", "-"),
    ("DF01/EF05", "RK1_DF01", "UK1_DF01", "-"),
    ("DF01/EF06", "RK1_DF01", "UK1_DF01", "-"),
    ("DF01/EF07", "RK1_DF01", "UK1_DF01", "-"),
    ("DF01/EF08", "RK1_DF01", "UK1_DF01", "-"),
    ("DF02/EF05", "RK1_DF02", "UK1_DF02", "-"),
    ("DF02/EF06", "RK1_DF02", "UK2_DF02", "-"),
    ("DF02/EF07", "RK1_DF02", "UK3_DF02", "-"),
    ("DF02/EF08", "RK1_DF02", "UK3_DF02", "-"),
    ("DF03/EF05", "RK1_DF03", "UK1_DF03", "UK2_DF03"),
    ("DF03/EF06", "RK1_DF03", "UK1_DF03", "UK2_DF03"),
    ("DF03/EE01", "RK1_DF03", "UK1_DF03", "-"),
    ("DF03/EE02", "RK1_DF03", "UK1_DF03", "-"),
    ("DF03/EE03", "RK1_DF03", "UK1_DF03", "-"),
    ("DF03/ED01", "RK1_DF03", "UK1_DF03", "-"),
    ("DF03/ED02", "RK1_DF03", "UK1_DF03", "-"),
    ("DF03/ED03", "RK1_DF03", "UK1_DF03", "-"),
    ("DF03/ED04", "RK1_DF03", "UK1_DF03", "-"),
    ("DF03/ED05", "RK1_DF03", "UK1_DF03", "-"),
];

/// 2.7: what is otherwise on a 16K card.
const REDUCED_UPDATE: [(&str, &str); 2] = [("DDF1/EF05", "UK1_DDF1"), ("DDF1/EF06", "UK1_DDF1")];
const REDUCED_ABSENT: [&str; 5] = ["DDF1/EF07", "DF03/EE03", "DF03/ED03", "DF03/ED04", "DF03/ED05"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Read,
    Update,
    Erase,
}

/// Who may do something to a file, by the tables above.
fn condition(
    row: &(&str, &'static str, &'static str, &'static str),
    act: Act,
    profile: Profile,
) -> &'static str {
    let reduced = REDUCED_UPDATE.iter().find(|(file, _)| *file == row.0);
    match (act, profile, reduced) {
        (Act::Read, ..) => row.1,
        (Act::Update, Profile::Reduced, Some((_, key))) => key,
        (Act::Update, ..) => row.2,
        (Act::Erase, ..) => row.3,
    }
}

/// A card with something in every ring, so that there is a record to read.
fn image(profile: Profile) -> Image {
    let person = personalise::Person { profile, ..sample::person() };
    let masters = sample::distinct_masters();
    let mut image = personalise::personalise(&person, &masters, &Default::default()).unwrap();
    for file in layout::FILES {
        if let Some(Content::Ring(records)) = image.files.content_mut(file.name) {
            records.push_front(vec![b'a'; usize::from(file.size(profile))]);
        }
    }
    image
}

/// Does it, as far as the card lets us; the file is selected.
fn try_to(
    terminal: &mut Terminal,
    act: Act,
    file: &File,
    profile: Profile,
) -> Result<(), CardError> {
    let line = file.name.directory.line_key();
    let element = file.items(profile).first().map(|item| item.element);
    let first = element.map_or(1, |element| element.record().max(1));
    let protected =
        |terminal: &mut Terminal, command: fn(&mut dyn card::KeySession, &File) -> Protected| {
            let command = command(&mut *terminal.session(line), file);
            terminal.run(&command)
        };
    match (act, file.structure) {
        (Act::Read, Structure::Transparent { .. }) => terminal
            .run(&ReadBinary { offset: 0, length: 16 })
            .map(|bytes| assert_eq!(bytes.len(), 16)),
        (Act::Read, _) => {
            terminal.run(&ReadRecord::ByNumber(first)).map(|record| assert!(!record.is_empty()))
        }
        (Act::Update, Structure::Variable(_)) => {
            let element = element.expect("a file with records has elements");
            let record = card::tlv::wrap(&element, &vec![0x01; usize::from(element.length)]);
            let update = Protected::update(&mut *terminal.session(line), first, &record).unwrap();
            terminal.run(&update)
        }
        (Act::Update, Structure::Cyclic { .. }) => protected(terminal, |session, file| {
            Protected::append(session, &vec![b'b'; usize::from(file.size(Profile::Full))]).unwrap()
        }),
        (Act::Update, Structure::Fixed { .. }) => {
            protected(terminal, |session, _| Protected::set_valid(session, 1).unwrap())
        }
        (Act::Update, Structure::Transparent { .. }) => {
            terminal.run(&UpdateBinary { offset: 2, bytes: &[1, 2, 3] })
        }
        (Act::Erase, _) => {
            protected(terminal, |session, _| Protected::set_invalid(session, 1).unwrap())
        }
    }
}

/// The keys that give rights, each in its directory.
fn rights() -> impl Iterator<Item = CardKey> {
    CardKey::ALL.into_iter().filter(|key| {
        key.directory().and_then(|directory| CardKey::named_by(directory, key.facts().id))
            == Some(*key)
    })
}

#[test]
fn every_condition_holds() {
    let masters = sample::distinct_masters();
    assert_eq!(rights().count(), 11);
    let mut checked = 0;
    for profile in [Profile::Full, Profile::Reduced] {
        for row in &CONDITIONS {
            let file = layout::file(row.0.parse().unwrap()).unwrap();
            let mut terminal = Terminal::new(image(profile), &masters);
            if profile == Profile::Reduced && REDUCED_ABSENT.contains(&row.0) {
                terminal.enter(file.name.directory);
                assert_eq!(
                    terminal.run(&Select(file.name.id)),
                    refused(Status::FileNotFound),
                    "{}",
                    row.0
                );
                continue;
            }
            for act in [Act::Read, Act::Update, Act::Erase] {
                let condition = condition(row, act, profile);
                let no = match (act, file.structure) {
                    // Files that are no index know no erasing at all.
                    (Act::Erase, Structure::Fixed { .. }) => Status::NotAllowed,
                    (Act::Erase, _) => Status::WrongStructure,
                    _ => Status::NotAllowed,
                };
                let expected = |yes: bool| if yes { Ok(()) } else { refused(no) };
                let free = condition == "free";
                let mut check = |what: &str, outcome: Result<(), CardError>, yes: bool| {
                    checked += 1;
                    assert_eq!(outcome, expected(yes), "{profile:?} {} {act:?} {what}", row.0);
                };

                terminal.open(file);
                check("no key", try_to(&mut terminal, act, file, profile), free);
                for key in rights() {
                    // The key is proven where it belongs; the file's directory is selected after.
                    let own = key.directory() == Some(file.name.directory);
                    if own {
                        terminal.open(file);
                    } else {
                        terminal.enter(key.directory().unwrap());
                    }
                    terminal.prove(key, KeyVersion::FIRST).unwrap();
                    if !own {
                        terminal.open(file);
                    }
                    let yes = free || own && key.name() == condition;
                    check(key.name(), try_to(&mut terminal, act, file, profile), yes);

                    if yes && !free {
                        // Another file of the directory in between changes nothing.
                        let other = layout::FILES.into_iter().find(|other| {
                            other.name.directory == file.name.directory
                                && other.name != file.name
                                && other.exists(profile)
                        });
                        for id in [other.unwrap().name.id, file.name.id] {
                            terminal.run(&Select(id)).unwrap();
                        }
                        check(
                            "other file between",
                            try_to(&mut terminal, act, file, profile),
                            true,
                        );
                        // The directory selected anew, another one between, and a reset.
                        terminal.run(&Select(file.name.directory.id())).unwrap();
                        terminal.run(&Select(file.name.id)).unwrap();
                        check("reselected", try_to(&mut terminal, act, file, profile), false);
                        terminal.prove(key, KeyVersion::FIRST).unwrap();
                        terminal.enter(Directory::Df01);
                        terminal.open(file);
                        check(
                            "another directory between",
                            try_to(&mut terminal, act, file, profile),
                            false,
                        );
                        terminal.prove(key, KeyVersion::FIRST).unwrap();
                        terminal.card.reinsert();
                        terminal.open(file);
                        check("reset", try_to(&mut terminal, act, file, profile), false);
                        // A failed proof ends what an earlier one gave.
                        terminal.prove(key, KeyVersion::FIRST).unwrap();
                        let failed = terminal.prove_forged(key);
                        assert_eq!(failed, Err(CardError::WrongKey { tries_left: Some(14) }));
                        check("failed proof", try_to(&mut terminal, act, file, profile), false);
                        terminal.prove(key, KeyVersion::FIRST).unwrap();
                        check("proven again", try_to(&mut terminal, act, file, profile), true);
                    }
                }
            }
        }
    }
    println!("{checked} conditions");
}

#[test]
fn the_matrix_names_every_file_of_the_table() {
    let named: Vec<String> = CONDITIONS.iter().map(|row| row.0.to_owned()).collect();
    let mut files: Vec<String> = layout::FILES.iter().map(|file| file.name.to_string()).collect();
    assert_eq!(named.len(), files.len());
    files.retain(|file| !named.contains(file));
    assert_eq!(files, Vec::<String>::new());
}

#[test]
fn changes_are_what_is_read() {
    let masters = sample::distinct_masters();
    for profile in [Profile::Full, Profile::Reduced] {
        let mut terminal = Terminal::new(image(profile), &masters);
        // A ring: the newest is record 1, and the oldest is dropped.
        let ring = layout::file("DF02/EF07".parse().unwrap()).unwrap();
        terminal.open(ring);
        for key in [CardKey::Rk1Df02, CardKey::Uk3Df02] {
            terminal.prove(key, KeyVersion::FIRST).unwrap();
        }
        for sign in *b"123" {
            let append =
                Protected::append(&mut *terminal.session(CardKey::StkDf02), &[sign; 120]).unwrap();
            terminal.run(&append).unwrap();
        }
        let newest =
            [1, 2, 3].map(|number| terminal.run(&ReadRecord::ByNumber(number)).unwrap()[0]);
        assert_eq!(newest, *b"321");
        assert_eq!(terminal.run(&ReadRecord::ByNumber(4)), refused(Status::RecordNotFound));
        let short =
            Protected::append(&mut *terminal.session(CardKey::StkDf02), &[0x31; 119]).unwrap();
        assert_eq!(terminal.run(&short), refused(Status::WrongData));

        // An index: FF, 00, FF; each record by itself.
        let index = layout::file("DF03/EF06".parse().unwrap()).unwrap();
        terminal.open(index);
        for key in [CardKey::Rk1Df03, CardKey::Uk1Df03, CardKey::Uk2Df03] {
            terminal.prove(key, KeyVersion::FIRST).unwrap();
        }
        let last = index.records(profile);
        assert_eq!(terminal.run(&ReadRecord::ByNumber(last)), Ok(vec![0xFF]));
        let valid = Protected::set_valid(&mut *terminal.session(CardKey::StkDf03), last).unwrap();
        terminal.run(&valid).unwrap();
        assert_eq!(terminal.run(&ReadRecord::ByNumber(last)), Ok(vec![0x00]));
        assert_eq!(terminal.run(&ReadRecord::ByNumber(1)), Ok(vec![0xFF]));
        assert_eq!(terminal.run(&valid), refused(Status::NoChallenge), "replayed");
        let invalid =
            Protected::set_invalid(&mut *terminal.session(CardKey::StkDf03), last).unwrap();
        terminal.run(&invalid).unwrap();
        assert_eq!(terminal.run(&ReadRecord::ByNumber(last)), Ok(vec![0xFF]));
        let beyond =
            Protected::set_valid(&mut *terminal.session(CardKey::StkDf03), last + 1).unwrap();
        assert_eq!(terminal.run(&beyond), refused(Status::RecordNotFound));

        // A body, whole, in parts.
        let body = layout::file("DF03/ED02".parse().unwrap()).unwrap();
        terminal.run(&Select(body.name.id)).unwrap();
        let size = body.size(profile);
        let bytes: Vec<u8> = (0..size).map(|at| at as u8 ^ 0x5A).collect();
        for part in UpdateBinary::parts(0, &bytes) {
            terminal.run(&part).unwrap();
        }
        let read: Vec<Vec<u8>> =
            ReadBinary::parts(0, size).map(|part| terminal.run(&part).unwrap()).collect();
        assert_eq!(read.concat(), bytes);
        let beyond = UpdateBinary { offset: size - 1, bytes: &[1, 2] };
        assert_eq!(terminal.run(&beyond), refused(Status::NoSpace));
    }
}
