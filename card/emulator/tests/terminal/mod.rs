//! A terminal at a card in memory: proves keys, protects changes.
#![allow(dead_code, reason = "each test program uses some of it")]

use card::command::{CardError, ExternalAuthenticate, GetChallenge, Select};
use card::layout::{Directory, File, MASTER_FILE};
use card::security::SoftSecurityModule;
use card::transport::{Link, LinkError};
use card::{
    Apdu, CardFactors, CardKey, Instruction, KeySession, KeyVersion, ProvinceFactor, Response,
    SecurityModule, Status, Transport,
};
use card_emulator::{Card, Image, InMemory, Masters, sample};

/// The terminal, with the card in it.
pub(crate) struct Terminal {
    pub(crate) card: InMemory,
    /// Knows the card's own keys.
    module: SoftSecurityModule,
    /// Knows keys of the same names with other values.
    forger: SoftSecurityModule,
}

impl Terminal {
    /// At a card of this image, made from `masters`.
    pub(crate) fn new(image: Image, masters: &Masters) -> Self {
        let random = sample::counter(0x1122_3344_5566_7788);
        Self {
            card: InMemory::new(Card::new(image, Box::new(random))),
            module: sample::module(masters),
            forger: sample::module(&sample::masters_of([0x66; 16])),
        }
    }

    pub(crate) fn run<I: Instruction>(&mut self, command: &I) -> Result<I::Answer, CardError> {
        Link::new(&mut self.card).run(command).map_err(|error| match error {
            LinkError::Card(error) => error,
            LinkError::Transport(error) => panic!("{error}"),
        })
    }

    /// A command as it is, and what the card says to it.
    pub(crate) fn send(&mut self, command: &Apdu) -> Response {
        self.card.transmit(command).expect("the card answers")
    }

    /// Master file, application, directory.
    pub(crate) fn enter(&mut self, directory: Directory) {
        for id in [MASTER_FILE, Directory::Ddf1.id(), directory.id()] {
            self.run(&Select(id)).expect("every card has the directories");
        }
    }

    /// Enters the file's directory, and the file.
    pub(crate) fn open(&mut self, file: &File) {
        self.enter(file.name.directory);
        self.run(&Select(file.name.id)).expect("the card has the file");
    }

    /// A session of `key` under a new challenge of the card.
    pub(crate) fn session(&mut self, key: CardKey) -> Box<dyn KeySession + '_> {
        let challenge = self.challenge();
        self.module.session(key, KeyVersion::FIRST, &FACTORS, &challenge).expect("it has all keys")
    }

    /// The same with another key.
    pub(crate) fn forged_session(&mut self, key: CardKey) -> Box<dyn KeySession + '_> {
        let challenge = self.challenge();
        self.forger.session(key, KeyVersion::FIRST, &FACTORS, &challenge).expect("it has all keys")
    }

    fn challenge(&mut self) -> [u8; 8] {
        self.run(&GetChallenge).expect("challenges are free")
    }

    /// EXTERNAL AUTHENTICATE with a version of `key`.
    pub(crate) fn prove(&mut self, key: CardKey, version: KeyVersion) -> Result<(), CardError> {
        self.prove_as(key, version, version)
    }

    /// The same, saying that it is version `said`.
    pub(crate) fn prove_as(
        &mut self,
        key: CardKey,
        version: KeyVersion,
        said: KeyVersion,
    ) -> Result<(), CardError> {
        let challenge = self.challenge();
        let session = self.module.session(key, version, &FACTORS, &challenge);
        let cryptogram = session.and_then(|mut session| session.cryptogram(&DATA));
        self.show(key, said, cryptogram.expect("it has all keys"))
    }

    /// The same with another key.
    pub(crate) fn prove_forged(&mut self, key: CardKey) -> Result<(), CardError> {
        let cryptogram = self.forged_session(key).cryptogram(&DATA).expect("it has all keys");
        self.show(key, KeyVersion::FIRST, cryptogram)
    }

    fn show(
        &mut self,
        key: CardKey,
        version: KeyVersion,
        cryptogram: [u8; 8],
    ) -> Result<(), CardError> {
        self.run(&ExternalAuthenticate { key, version, cryptogram, data: DATA })
    }
}

const DATA: [u8; 8] = [7; 8];

/// Those of the sample card.
pub(crate) const FACTORS: CardFactors = CardFactors {
    province: ProvinceFactor(*b"41000000"),
    card: card::CardFactor(*b"\x11\x01\x22\x01\x00\x00\x00\x01"),
};

/// The card says no.
pub(crate) fn refused<T>(status: Status) -> Result<T, CardError> {
    Err(CardError::Refused(status))
}
