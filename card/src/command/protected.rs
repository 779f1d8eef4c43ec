use super::{CardError, Instruction, nothing};
use crate::apdu::{Apdu, Response};
use crate::messaging::{ProtectError, protect, protect_empty};
use crate::security::KeySession;

/// A change under secure messaging (安全报文): `session` is one of the line key of the selected
/// directory, under the card's last challenge.
#[derive(Debug)]
pub struct Protected(Apdu);

impl Protected {
    /// UPDATE RECORD, `04 DC n 04`: replaces record `number` of a file of variable records by
    /// `record`: tag, length, value.
    ///
    /// # Errors
    /// [`ProtectError`]; so for all of these.
    pub fn update(
        session: &mut dyn KeySession,
        number: u8,
        record: &[u8],
    ) -> Result<Self, ProtectError> {
        protect(session, [0xDC, number, 0x04], record).map(Self)
    }

    /// UPDATE RECORD of the previous record, `04 DC 00 03`: adds `record` to a cyclic file, as its
    /// record 1.
    ///
    /// # Errors
    /// See [`Protected::update`].
    pub fn append(session: &mut dyn KeySession, record: &[u8]) -> Result<Self, ProtectError> {
        protect(session, [0xDC, 0x00, 0x03], record).map(Self)
    }

    /// WRITE RECORD, `84 D2 n 04`: sets record `number` of an index valid (FF→00).
    ///
    /// # Errors
    /// See [`Protected::update`].
    pub fn set_valid(session: &mut dyn KeySession, number: u8) -> Result<Self, ProtectError> {
        protect_empty(session, [0xD2, number, 0x04]).map(Self)
    }

    /// ERASE RECORD, `84 0C n 04`: sets record `number` of an index invalid (→FF).
    ///
    /// # Errors
    /// See [`Protected::update`].
    pub fn set_invalid(session: &mut dyn KeySession, number: u8) -> Result<Self, ProtectError> {
        protect_empty(session, [0x0C, number, 0x04]).map(Self)
    }
}

/// Whether commands that block may be made at all. They are not established for real cards and
/// can put one out of use for good, so they exist only where a person has enabled them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blocking {
    /// None is made.
    #[default]
    Disabled,
    /// They are made.
    Enabled,
}

/// Why a blocking command was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockingError {
    /// The setting forbids it.
    #[error("blocking is not enabled")]
    Disabled,
    /// It was not protected.
    #[error(transparent)]
    Protect(#[from] ProtectError),
}

impl Blocking {
    /// APPLICATION BLOCK (应用锁定), `84 1E 00 00`: the selected directory, under a session of its
    /// lock key.
    ///
    /// # Errors
    /// [`BlockingError::Disabled`] unless blocking is enabled; so for all of these.
    pub fn block_application(
        self,
        session: &mut dyn KeySession,
    ) -> Result<Protected, BlockingError> {
        self.command(session, 0x1E)
    }

    /// APPLICATION UNBLOCK (应用解锁), `84 18 00 00`: the selected directory, under a session of
    /// its lock key.
    ///
    /// # Errors
    /// See [`Blocking::block_application`].
    pub fn unblock_application(
        self,
        session: &mut dyn KeySession,
    ) -> Result<Protected, BlockingError> {
        self.command(session, 0x18)
    }

    /// CARD BLOCK (卡片锁定), `84 16 00 00`: the whole card, for good, under a session of BK_MF.
    ///
    /// # Errors
    /// See [`Blocking::block_application`].
    pub fn block_card(self, session: &mut dyn KeySession) -> Result<Protected, BlockingError> {
        self.command(session, 0x16)
    }

    fn command(self, session: &mut dyn KeySession, ins: u8) -> Result<Protected, BlockingError> {
        match self {
            Self::Disabled => Err(BlockingError::Disabled),
            Self::Enabled => Ok(Protected(protect_empty(session, [ins, 0x00, 0x00])?)),
        }
    }
}

impl Instruction for Protected {
    type Answer = ();

    fn encode(&self) -> Apdu {
        self.0.clone()
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        nothing(response)
    }
}
