//! The SAM at the running desk: it is brought back after it failed, was reset or taken out, and takes
//! its PIN again without a new start.

use super::{
    super::{Desk, answers, event::Shown, work::Report},
    Look, SamReader, State, look, pin, present,
};
use crate::{
    failure::Failure,
    screen::Screen,
    text::{self, problems},
};

/// What a SAM can do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Restored {
    /// All that it could before.
    Whole,
    /// All but sign: it waits for its PIN, which has so many tries left.
    PinNeeded(u8),
}

impl SamReader {
    /// Ends when the SAM failed. Cancelling loses nothing.
    pub(in super::super) async fn failed(&self) {
        self.0.failed.notified().await;
    }

    /// Whether it failed and was not brought back since.
    pub(in super::super) fn is_lost(&self) -> bool {
        self.0.state.get() == State::Failed
    }

    /// Whether it was to sign and does not.
    pub(in super::super) fn needs_pin(&self) -> bool {
        self.0.signs && self.0.state.get() == State::Computing
    }

    /// Takes note that it failed or was taken out.
    pub(in super::super) fn lose(&self) {
        self.0.state.set(State::Failed);
    }

    /// Takes hold of it anew. The same SAM is given the PIN from its file, unless that was refused.
    pub(in super::super) async fn restore(&self) -> Result<Restored, Failure> {
        let (same, tries) = self.look_again().await?;
        match &self.0.pin_file {
            _ if !self.0.signs => Ok(Restored::Whole),
            Some(file) if same && !self.0.refused.get() => {
                self.present(pin::from_file(file)?).await.map(|()| Restored::Whole)
            }
            _ => Ok(Restored::PinNeeded(tries)),
        }
    }

    /// Takes the PIN from its file, as it is now, or as it is typed.
    pub(in super::super) async fn take_pin(&self, screen: Screen) -> Result<Restored, Failure> {
        let (_, tries) = self.look_again().await?;
        let file = self.0.pin_file.as_deref();
        match pin::pin(file, screen, text::ASK_SAM_PIN, tries).await? {
            Some(pin) => self.present(pin).await.map(|()| Restored::Whole),
            None => Ok(Restored::PinNeeded(tries)),
        }
    }

    /// Whether it is the SAM of before, and how many tries its PIN has left.
    async fn look_again(&self) -> Result<(bool, u8), Failure> {
        let mut reader = self.0.reader.lock().await;
        let found = look(&mut reader).await;
        let Look { atr, serial, tries } =
            found.ok_or_else(|| Failure::of(problems::SAM_UNREADABLE).about(self.name()))?;
        self.0.atr.replace(atr);
        self.0.state.set(State::Computing);
        if self.0.signs && tries == 0 {
            return Err(problems::SAM_PIN_BLOCKED.into());
        }
        let before = self.0.serial.replace(serial);
        Ok((before == *self.0.serial.borrow(), tries))
    }

    async fn present(&self, pin: card::Pin) -> Result<(), Failure> {
        self.0.refused.set(true);
        present(&mut *self.0.reader.lock().await, pin).await?;
        self.0.refused.set(false);
        self.0.state.set(State::Signing);
        Ok(())
    }
}

impl Desk {
    /// Has the SAM brought back in the background.
    pub(in super::super) fn restore_sam(&mut self) {
        if let Some(sam) = self.sam.clone().filter(|_| !self.sam_at_work) {
            self.sam_at_work = true;
            self.jobs.spawn_local(async move { Report::Sam(sam.restore().await) });
        }
    }

    /// Somebody says that the PIN of the SAM can be had now.
    pub(in super::super) fn take_sam_pin(&mut self) {
        match self.sam.clone().filter(|sam| sam.needs_pin() && !self.sam_at_work) {
            Some(sam) => {
                self.sam_at_work = true;
                let screen = self.screen;
                self.jobs.spawn_local(async move { Report::Sam(sam.take_pin(screen).await) });
            }
            None => self.answers.go_on(),
        }
    }

    /// The SAM was taken out, or what it was reached by is gone.
    pub(in super::super) fn lose_sam(&self) {
        if let Some(sam) = &self.sam {
            sam.lose();
        }
    }

    /// Takes note of what came of that.
    pub(in super::super) fn sam_restored(&mut self, restored: &Result<Restored, Failure>) {
        self.sam_at_work = false;
        self.answers.go_on();
        if self.sam_needs_pin() && self.can_answer() && self.table.question().is_none() {
            self.answers.listen();
        }
        self.tell(&Shown::SamRestored(restored));
    }

    /// Whether the word [`answers::PIN`] is waited for.
    pub(in super::super) fn sam_needs_pin(&self) -> bool {
        !self.sam_at_work && self.sam.as_ref().is_some_and(SamReader::needs_pin)
    }

    /// Whether this line is that word.
    pub(in super::super) fn means_pin(line: &str) -> bool {
        line.trim() == answers::PIN
    }
}
