use super::{CardContents, Filling, IssuingKeys, PersonaliseError, Personaliser, Step, random};
use crate::apdu::Status;
use crate::command::personalise::{Create, EndPersonalisation, WriteKey};
use crate::command::{CardError, GetChallenge, Instruction, Select, UpdateBinary, UpdateRecord};
use crate::key::{CardFactors, CardKey};
use crate::layout::{Directory, FILES, MASTER_FILE};
use crate::transport::{Link, LinkError};

/// Bytes that are written at once.
const PART: usize = 250;

/// The commands of our own card software, as the emulator has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnCommands;

/// One card at work.
struct Work<'a, 'l> {
    link: &'a mut Link<'l>,
    keys: &'a IssuingKeys,
    factors: &'a CardFactors,
    randomness: &'a mut dyn FnMut(&mut [u8; 8]),
}

impl Personaliser for OwnCommands {
    fn personalise(
        &self,
        link: &mut Link<'_>,
        keys: &IssuingKeys,
        factors: &CardFactors,
        contents: &CardContents,
        randomness: &mut dyn FnMut(&mut [u8; 8]),
    ) -> Result<(), PersonaliseError> {
        let mut work = Work { link, keys, factors, randomness };
        work.open()?;
        work.create(contents)?;
        work.load_keys()?;
        work.write(contents)?;
        work.run(Step::Lock, &EndPersonalisation)
    }
}

impl Work<'_, '_> {
    fn open(&mut self) -> Result<(), PersonaliseError> {
        self.run(Step::Open, &Select(MASTER_FILE))?;
        let challenge = self.run(Step::Open, &GetChallenge)?;
        let random = random(self.randomness);
        let proof = self.keys.transport_proof(&self.factors.card, &challenge, random)?;
        self.run(Step::Open, &proof)
    }

    /// Creates what is not there yet: an earlier attempt may have come to any point.
    fn create(&mut self, contents: &CardContents) -> Result<(), PersonaliseError> {
        let profile = contents.profile();
        for directory in Directory::ALL {
            self.run(Step::Create, &Select(MASTER_FILE))?;
            if directory != Directory::Ddf1 {
                self.run(Step::Create, &Select(Directory::Ddf1.id()))?;
            }
            self.make(&Create::Directory(directory))?;
            self.run(Step::Create, &Select(directory.id()))?;
            let here = |file: &&&crate::layout::File| {
                file.name.directory == directory && file.exists(profile)
            };
            for file in FILES.iter().filter(here) {
                self.make(&Create::File(file, profile))?;
            }
        }
        Ok(())
    }

    fn make(&mut self, command: &Create) -> Result<(), PersonaliseError> {
        match self.link.run(command) {
            // It is there already.
            Err(LinkError::Card(CardError::Refused(Status::NotNow))) => Ok(()),
            made => made.map_err(|error| PersonaliseError::at(Step::Create, error)),
        }
    }

    fn load_keys(&mut self) -> Result<(), PersonaliseError> {
        for (key, version) in CardKey::all_versions() {
            let challenge = self.run(Step::LoadKeys, &GetChallenge)?;
            let (session, wrapped) = self.keys.wrapped(key, version, self.factors, &challenge)?;
            self.run(Step::LoadKeys, &WriteKey::new(&session, key, version, &wrapped))?;
        }
        Ok(())
    }

    fn write(&mut self, contents: &CardContents) -> Result<(), PersonaliseError> {
        let mut directory = None;
        let mut proven = Vec::new();
        for (file, filling) in contents.files() {
            let name = file.name;
            if directory != Some(name.directory) {
                // From anywhere to anywhere by way of the master file.
                self.run(Step::Write, &Select(MASTER_FILE))?;
                self.run(Step::Write, &Select(Directory::Ddf1.id()))?;
                if name.directory != Directory::Ddf1 {
                    self.run(Step::Write, &Select(name.directory.id()))?;
                }
                directory = Some(name.directory);
                proven.clear();
            }
            self.run(Step::Write, &Select(name.id))?;
            let key = file.personalised_with();
            if !proven.contains(&key) {
                self.prove(key)?;
                proven.push(key);
            }
            self.fill(filling)?;
        }
        Ok(())
    }

    fn fill(&mut self, filling: &Filling) -> Result<(), PersonaliseError> {
        match filling {
            Filling::Records(records) => records.iter().try_for_each(|(number, record)| {
                self.run(Step::Write, &UpdateRecord::Number(*number, record))
            }),
            Filling::Bytes(bytes) => {
                bytes.chunks(PART).enumerate().try_for_each(|(part, bytes)| {
                    let offset = (part * PART) as u16;
                    self.run(Step::Write, &UpdateBinary { offset, bytes })
                })
            }
        }
    }

    fn prove(&mut self, key: CardKey) -> Result<(), PersonaliseError> {
        let challenge = self.run(Step::Write, &GetChallenge)?;
        let proof = self.keys.proof(key, self.factors, &challenge, random(self.randomness))?;
        self.run(Step::Write, &proof)
    }

    fn run<I: Instruction>(
        &mut self,
        step: Step,
        command: &I,
    ) -> Result<I::Answer, PersonaliseError> {
        self.link.run(command).map_err(|error| PersonaliseError::at(step, error))
    }
}
