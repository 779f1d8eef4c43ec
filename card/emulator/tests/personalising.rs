//! A blank card, made a health card by its own commands.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use card::command::personalise::{Create, EndPersonalisation, ProveTransport, WriteKey};
use card::command::{
    CardError, ExternalAuthenticate, GetChallenge, ReadRecord, Select, UpdateBinary, UpdateRecord,
};
use card::layout::ddf1::{ef05, ef06};
use card::layout::{self, Directory, FILES, File, MASTER_FILE, Profile};
use card::security::profile::div1;
use card::transport::{Link, LinkError};
use card::{
    CardFactors, CardKey, Instruction, KeyVersion, ProvinceFactor, ReadError, SecurityModule,
    Status, read_identity,
};
use card_emulator::image::Content;
use card_emulator::{Card, Image, InMemory, Masters, personalise, sample};
use hsm::CardMaster;
use hsm::sm4::Sm4Key;
use time::macros::date;

/// Who personalises: the issuer's masters, the transport master, and what is to be on the card.
struct Issuer {
    masters: Masters,
    goal: Image,
}

impl Issuer {
    fn new(profile: Profile) -> Self {
        let masters = sample::distinct_masters();
        let person = personalise::Person { profile, ..sample::person() };
        let goal = personalise::personalise(&person, &masters, &Default::default()).unwrap();
        Self { masters, goal }
    }

    fn blank(&self) -> InMemory {
        let image =
            personalise::blank(self.goal.factor, self.goal.profile, &sample::transport_master());
        InMemory::new(Card::new(image.unwrap(), Box::new(sample::counter(1))))
    }

    fn factors(&self) -> CardFactors {
        let province = ProvinceFactor(*b"41000000");
        CardFactors { province, card: self.goal.factor }
    }

    /// A session of the transport key under a challenge of the card.
    fn transport(&self, link: &mut Link<'_>) -> Sm4Key {
        let challenge = run(link, &GetChallenge).unwrap();
        let blocks = [div1(&self.goal.factor.0), div1(&challenge)];
        sample::transport_master().derive(&blocks).unwrap()
    }

    fn open(&self, link: &mut Link<'_>) {
        run(link, &Select(MASTER_FILE)).unwrap();
        let session = self.transport(link);
        run(link, &ProveTransport::with(&session, [3; 8])).unwrap();
    }

    fn create_all(&self, link: &mut Link<'_>) {
        let files = |directory: Directory| {
            FILES.into_iter().filter(move |file| file.name.directory == directory)
        };
        for directory in Directory::ALL {
            let above = match directory {
                Directory::Ddf1 => MASTER_FILE,
                _ => Directory::Ddf1.id(),
            };
            run(link, &Select(above)).unwrap();
            run(link, &Create::Directory(directory)).unwrap();
            run(link, &Select(directory.id())).unwrap();
            for file in files(directory).filter(|file| file.exists(self.goal.profile)) {
                run(link, &Create::File(file, self.goal.profile)).unwrap();
            }
        }
    }

    fn write_key(&self, link: &mut Link<'_>, key: CardKey, version: KeyVersion) {
        let session = self.transport(link);
        let master = self.masters.master(key, version).unwrap();
        let wrapped = master
            .derive_wrapped(&key.derivation(Default::default(), &self.factors()), &session)
            .unwrap();
        run(link, &WriteKey::new(&session, key, version, &wrapped)).unwrap();
    }

    fn prove(&self, link: &mut Link<'_>, key: CardKey) {
        let challenge = run(link, &GetChallenge).unwrap();
        let (version, data) = (KeyVersion::FIRST, [7; 8]);
        let module = sample::module(&self.masters);
        let mut session = module.session(key, version, &self.factors(), &challenge).unwrap();
        let cryptogram = session.cryptogram(&data).unwrap();
        run(link, &ExternalAuthenticate { key, version, cryptogram, data }).unwrap();
    }

    fn write(&self, link: &mut Link<'_>, file: &File) {
        run(link, &Select(file.name.directory.id())).unwrap();
        run(link, &Select(file.name.id)).unwrap();
        self.prove(link, file.personalised_with());
        match self.goal.files.content(file.name).unwrap() {
            Content::Records(records) if !file.elements().is_empty() => {
                for (number, record) in records {
                    run(link, &UpdateRecord::Number(*number, record)).unwrap();
                }
            }
            Content::Transparent(bytes) => {
                UpdateBinary::parts(0, bytes).for_each(|part| run(link, &part).unwrap());
            }
            // Rings and indexes start empty.
            Content::Records(_) | Content::Ring(_) => {}
        }
    }
}

fn run<I: Instruction>(link: &mut Link<'_>, command: &I) -> Result<I::Answer, CardError> {
    link.run(command).map_err(|error| match error {
        LinkError::Card(error) => error,
        LinkError::Transport(error) => panic!("{error}"),
    })
}

fn refused<T>(status: Status) -> Result<T, CardError> {
    Err(CardError::Refused(status))
}

#[test]
fn a_blank_card_becomes_the_card_of_the_image() {
    for profile in [Profile::Full, Profile::Reduced] {
        let issuer = Issuer::new(profile);
        let mut card = issuer.blank();
        let link = &mut Link::new(&mut card);
        issuer.open(link);
        issuer.create_all(link);
        assert_eq!(run(link, &EndPersonalisation), refused(Status::NotNow), "without keys");
        for (key, version) in CardKey::all_versions() {
            issuer.write_key(link, key, version);
        }
        for file in FILES.into_iter().filter(|file| file.exists(profile)) {
            issuer.write(link, file);
        }
        run(link, &EndPersonalisation).unwrap();
        println!("{profile:?}: {} commands", link.commands());

        // The rules of issued cards hold at once.
        assert_eq!(run(link, &Create::Directory(Directory::Ddf1)), refused(Status::WrongState));
        run(link, &Select(Directory::Ddf1.id())).unwrap();
        run(link, &Select(ef05::FILE.name.id)).unwrap();
        issuer.prove(link, CardKey::Uk1Ddf1);
        let plain = UpdateRecord::Number(1, &[0x01, 0x01, b'2']);
        let expected = match profile {
            Profile::Full => Status::NotAllowed,
            Profile::Reduced => Status::Unprotected,
        };
        assert_eq!(run(link, &plain), refused(expected));
        run(link, &GetChallenge).unwrap();
        let gone = ProveTransport { cryptogram: [0; 8], data: [0; 8] };
        assert_eq!(run(link, &gone), refused(Status::KeyNotFound));

        // And the card is the one that the image makes.
        assert_eq!(card.card().image().files, issuer.goal.files);
        for (key, version) in CardKey::all_versions() {
            let written = card.card().image().key(key, version);
            assert_eq!(written, issuer.goal.key(key, version), "{key} {version}");
        }
        let module = sample::module(&issuer.masters);
        let day = date!(2026 - 03 - 01);
        let reading = read_identity(&mut card, &module, &mut sample::counter(9), day).unwrap();
        assert_eq!(reading.holder.id_number, sample::person().id_number);
    }
}

#[test]
fn a_blank_card_gives_nothing_away_and_takes_nothing_without_its_key() {
    let issuer = Issuer::new(Profile::Full);
    let mut card = issuer.blank();
    let module = sample::module(&issuer.masters);
    let day = date!(2026 - 03 - 01);
    let read = read_identity(&mut card, &module, &mut sample::counter(9), day);
    assert!(matches!(read, Err(ReadError::NotHealthCard(_))), "{read:?}");

    let link = &mut Link::new(&mut card);
    let ddf1 = Create::Directory(Directory::Ddf1);
    assert_eq!(run(link, &ddf1), refused(Status::NotAllowed));
    assert_eq!(run(link, &EndPersonalisation), refused(Status::NotAllowed));
    // A wrong key costs a try; another card's key is a wrong one.
    run(link, &GetChallenge).unwrap();
    let wrong = ProveTransport { cryptogram: [0; 8], data: [0; 8] };
    assert_eq!(run(link, &wrong), Err(CardError::WrongKey { tries_left: Some(14) }));
    issuer.open(link);
    run(link, &ddf1).unwrap();
    card.reinsert();
    let link = &mut Link::new(&mut card);
    run(link, &Select(Directory::Ddf1.id())).unwrap();
    let file = Create::File(&ef05::FILE, Profile::Full);
    assert_eq!(run(link, &file), refused(Status::NotAllowed), "a reset forgets the proof");
}

#[test]
fn what_does_not_belong_on_the_card_is_refused() {
    let issuer = Issuer::new(Profile::Reduced);
    let mut card = issuer.blank();
    let link = &mut Link::new(&mut card);
    issuer.open(link);
    let reduced = Profile::Reduced;
    let [df01, ddf1] = [Directory::Df01, Directory::Ddf1].map(Create::Directory);
    let photo = layout::file("DDF1/EF07".parse().unwrap()).unwrap();
    assert_eq!(run(link, &df01), refused(Status::NotNow), "below nothing");
    run(link, &ddf1).unwrap();
    assert_eq!(run(link, &ddf1), refused(Status::NotNow), "twice");
    run(link, &Select(ddf1_id())).unwrap();
    assert_eq!(run(link, &Create::File(photo, reduced)), refused(Status::NoSpace));
    // Described as a 32K card has it: other access rules.
    assert_eq!(run(link, &Create::File(&ef06::FILE, Profile::Full)), refused(Status::WrongData));
    run(link, &Create::File(&ef06::FILE, reduced)).unwrap();
    assert_eq!(run(link, &Create::File(&ef06::FILE, reduced)), refused(Status::NotNow), "twice");
    let elsewhere = layout::file("DF01/EF05".parse().unwrap()).unwrap();
    // EF05 exists in DDF1 too, but is another file there.
    assert_eq!(run(link, &Create::File(elsewhere, reduced)), refused(Status::WrongData));

    // Keys: for a directory that is not there, with a wrong MAC, under a used challenge.
    let (key, version) = (CardKey::Rk1Df01, KeyVersion::FIRST);
    let session = issuer.transport(link);
    let write = WriteKey::new(&session, key, version, &[5; 16]);
    assert_eq!(run(link, &write), refused(Status::FileNotFound));
    let key = CardKey::Rk1Ddf1;
    let other = Sm4Key::generate();
    let forged = WriteKey::new(&other, key, version, &[5; 16]);
    assert_eq!(run(link, &forged), refused(Status::BadProtection));
    let stale = WriteKey::new(&session, key, version, &[5; 16]);
    assert_eq!(run(link, &stale), refused(Status::NoChallenge));
    let single = WriteKey::new(&session, CardKey::StkDdf1, KeyVersion::new(2).unwrap(), &[5; 16]);
    assert_eq!(run(link, &single), refused(Status::WrongParameters), "one version alone");
    let record = ReadRecord::ByTag(&ef06::NAME);
    run(link, &Select(ef06::FILE.name.id)).unwrap();
    assert_eq!(run(link, &record), refused(Status::NotAllowed), "reading is never open");
}

fn ddf1_id() -> u16 {
    Directory::Ddf1.id()
}
