//! Why a token did not do what it was asked.

use std::time::Duration;

use cryptoki::error::{Error, RvError};
use hsm::KeyError;

use crate::pool::Fault;

/// Why a token did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module could not be loaded, or answered with a code of PKCS#11.
    #[error("asking the token")]
    Module(#[from] Error),
    /// No slot has a token of this label.
    #[error("there is no token {0:?}")]
    NoToken(String),
    /// The token has no such key, or it is of another class.
    #[error("the token has no key {0:?}")]
    NoKey(String),
    /// The token refused its PIN, which is not presented again: tokens count.
    #[error("the token refused its PIN")]
    PinRefused,
    /// The token answered octets that are not what was asked for.
    #[error("the token's answer for key {key:?} is no {expected}")]
    Answer {
        /// The key.
        key: String,
        /// What was asked for.
        expected: &'static str,
    },
    /// The token's signature does not verify. It was not given out.
    #[error("the token's signature with key {0:?} does not verify")]
    WrongSignature(String),
    /// The data was changed, or belongs to another key or place.
    #[error("the data was changed, or belongs to another key or place")]
    NotAuthentic,
    /// A number of the settings is none of PKCS#11, and none of a maker.
    #[error("{0:#x} is no number of a mechanism")]
    Mechanism(u64),
    /// The token could not be reached a moment ago, and it is not tried again for each caller.
    #[error("the token is lost, and is looked for again in a moment")]
    Lost,
    /// Every session was in use for as long as was waited.
    #[error("all sessions of the token were in use for {0:?}")]
    Busy(Duration),
}

impl Pkcs11Error {
    /// The code of PKCS#11, if it is one.
    pub(super) fn code(&self) -> Option<&RvError> {
        match self {
            Self::Module(Error::Pkcs11(code, _)) => Some(code),
            _ => None,
        }
    }
}

impl Fault for Pkcs11Error {
    fn is_loss(&self) -> bool {
        match self {
            Self::Module(Error::Pkcs11(code, _)) => matches!(
                code,
                RvError::CryptokiNotInitialized
                    | RvError::DeviceError
                    | RvError::DeviceRemoved
                    | RvError::FunctionFailed
                    | RvError::GeneralError
                    | RvError::KeyHandleInvalid
                    | RvError::ObjectHandleInvalid
                    | RvError::SessionClosed
                    | RvError::SessionHandleInvalid
                    | RvError::TokenNotPresent
                    | RvError::TokenNotRecognized
                    | RvError::UserNotLoggedIn
            ),
            Self::Module(_) | Self::NoToken(_) | Self::Answer { .. } | Self::WrongSignature(_) => {
                true
            }
            Self::NoKey(_)
            | Self::PinRefused
            | Self::NotAuthentic
            | Self::Mechanism(_)
            | Self::Lost
            | Self::Busy(_) => false,
        }
    }

    fn is_denial(&self) -> bool {
        matches!(self, Self::PinRefused)
    }

    fn lost() -> Self {
        Self::Lost
    }

    fn busy(waited: Duration) -> Self {
        Self::Busy(waited)
    }
}

impl From<Pkcs11Error> for KeyError {
    fn from(error: Pkcs11Error) -> Self {
        match error {
            Pkcs11Error::PinRefused => Self::Locked,
            Pkcs11Error::NoKey(_) => Self::Gone,
            Pkcs11Error::NotAuthentic => Self::NotAuthentic,
            error => Self::Device(Box::new(error)),
        }
    }
}
