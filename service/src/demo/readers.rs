//! The virtual readers of the demo and the desk that watches them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::DemoError;
use super::programs::{Background, Program, ProgramError};
use super::stage::{PATIENCE, Stage};

/// The emulator, which puts cards into the virtual readers and takes them out when told to.
#[derive(Debug)]
pub struct VirtualReaders(Background);

impl VirtualReaders {
    /// Starts the emulator with no card inserted.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not start.
    pub fn start(stage: &Stage) -> Result<Self, ProgramError> {
        Self::start_with(stage, &[])
    }

    /// The same, with further options.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not start.
    pub fn start_with(stage: &Stage, options: &[&str]) -> Result<Self, ProgramError> {
        let mut command = stage.programs().command(Program::Vcard);
        command.arg("--control").args(options);
        Ok(Self(Background::start(Program::Vcard.name(), command, &stage.path("log/vcard"))?))
    }

    /// Puts a card into a slot.
    ///
    /// # Errors
    /// [`ProgramError`] when the reader does not take it.
    pub fn insert(&mut self, slot: u8, image: &Path) -> Result<(), DemoError> {
        self.order(&format!("insert {slot} {}", image.display()))
    }

    /// Takes the card out of a slot.
    ///
    /// # Errors
    /// [`ProgramError`] when nothing answers.
    pub fn remove(&mut self, slot: u8) -> Result<(), DemoError> {
        self.order(&format!("remove {slot}"))
    }

    /// Gives any order of the control channel.
    ///
    /// # Errors
    /// [`ProgramError`] when nothing answers; [`DemoError::Unexpected`] with the emulator's words when it will not.
    pub fn order(&mut self, order: &str) -> Result<(), DemoError> {
        self.0.say(order)?;
        let answer = self.0.wait_for(order, PATIENCE, |line| {
            (line.starts_with("ok ") || line.starts_with("error ")).then(|| line.to_owned())
        })?;
        if answer.starts_with("ok ") {
            return Ok(());
        }
        Err(DemoError::unexpected(format!("ok {order}"), answer))
    }

    /// Waits for something that happens at a slot, such as `removed` or `reader-gone`.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not happen.
    pub fn event(&mut self, slot: u8, what: &str) -> Result<(), DemoError> {
        let event = format!("event {slot} {what}");
        Ok(self.0.wait_for(&event, PATIENCE, |line| (line == event).then_some(()))?)
    }
}

/// `healthcard desk`, running: it tells one event a line.
#[derive(Debug)]
pub struct Desk(Background);

impl Desk {
    /// Starts it in the name of `who` and waits until it watches the readers.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not start.
    pub fn start(stage: &Stage, who: &str, options: &[&str]) -> Result<Self, DemoError> {
        let mut arguments = vec!["desk"];
        arguments.extend(options);
        Self::started(stage.healthcard(who, &arguments), &stage.path("log/desk"))
    }

    /// Starts it by this command, and waits until it watches the readers. All it says goes to `log`.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not start.
    pub fn started(command: Command, log: &Path) -> Result<Self, DemoError> {
        let mut desk = Self(Background::start(Program::Healthcard.name(), command, log)?);
        desk.event("readers")?;
        Ok(desk)
    }

    /// Says one line to it, such as the reader that is meant.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not listen any more.
    pub fn say(&mut self, line: &str) -> Result<(), DemoError> {
        Ok(self.0.say(line)?)
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// [`ProgramError::Run`] when it cannot be asked or waited for.
    pub fn end(&mut self) -> Result<(), ProgramError> {
        self.0.end().map(drop)
    }

    /// The next event of this kind.
    ///
    /// # Errors
    /// [`ProgramError`] when none comes.
    pub fn event(&mut self, kind: &str) -> Result<Value, DemoError> {
        Ok(self.0.wait_for(kind, PATIENCE, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["event"] == kind).then_some(event)
        })?)
    }

    /// The next event of one of these kinds, whichever comes.
    ///
    /// # Errors
    /// [`ProgramError`] when none comes.
    pub fn any(&mut self, kinds: &[&str]) -> Result<Value, DemoError> {
        Ok(self.0.wait_for(&kinds.join(" or "), PATIENCE, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            kinds.iter().any(|kind| event["event"] == *kind).then_some(event)
        })?)
    }

    /// The next reading or failure, whichever comes.
    ///
    /// # Errors
    /// [`ProgramError`] when none comes.
    pub fn outcome(&mut self) -> Result<Value, DemoError> {
        self.any(&["reading", "failure"])
    }
}
