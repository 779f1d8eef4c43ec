//! Why a device did not do what it was asked.

use std::path::PathBuf;
use std::time::Duration;

use hsm::KeyError;
use hsm::sdf::{BadLayout, Code};

use crate::pool::Fault;

/// Why a device did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdfError {
    /// The device's library could not be loaded, or lacks a function that is needed.
    #[error("loading the device's library {}", library.display())]
    Library {
        /// The library.
        library: PathBuf,
        /// What the system said.
        #[source]
        source: libloading::Error,
    },
    /// The device answered with a code of the standard.
    #[error("{function}: {code}")]
    Refused {
        /// The function.
        function: &'static str,
        /// The code.
        code: Code,
    },
    /// The device answered with a number of its maker.
    #[error("{function} answered {number:#010x}, which is no code of GM/T 0018")]
    Vendor {
        /// The function.
        function: &'static str,
        /// The number.
        number: u32,
    },
    /// The device answered octets that are not what the function gives.
    #[error("reading the answer of {function}")]
    Answer {
        /// The function.
        function: &'static str,
        /// What is wrong.
        #[source]
        source: BadLayout,
    },
    /// The device refused a signature that is right: its settings are not those of its maker, or it
    /// does not compute as it must.
    #[error(
        "the device does not verify a right signature: compare `layout` and `signature_number` with its manual"
    )]
    Dialect,
    /// The device's signature does not verify. It was not given out.
    #[error("the device's signature with key {index} does not verify")]
    WrongSignature {
        /// The key.
        index: u32,
    },
    /// There is another key now than before, or than the settings say: this is another device.
    #[error("key {index} of the device is not the one that it was")]
    OtherKey {
        /// The key.
        index: u32,
    },
    /// The device could not be opened a moment ago, and it is not tried again for each caller.
    #[error("the device is lost, and is looked for again in a moment")]
    Lost,
    /// Every session was in use for as long as was waited.
    #[error("all sessions of the device were in use for {0:?}")]
    Busy(Duration),
}

impl Fault for SdfError {
    fn is_loss(&self) -> bool {
        match self {
            // A handle that it no longer knows is an argument that is wrong: ours are right.
            Self::Refused { code, .. } => matches!(
                code,
                Code::Unknown
                    | Code::Communication
                    | Code::Hardware
                    | Code::OpenDevice
                    | Code::OpenSession
                    | Code::InArgument
            ),
            Self::Library { .. }
            | Self::Vendor { .. }
            | Self::Answer { .. }
            | Self::Dialect
            | Self::WrongSignature { .. }
            | Self::OtherKey { .. } => true,
            Self::Lost | Self::Busy(_) => false,
        }
    }

    fn is_denial(&self) -> bool {
        let codes = [Code::PrivateKeyDenied, Code::AccessRight];
        matches!(self, Self::Refused { code, .. } if codes.contains(code))
    }

    fn lost() -> Self {
        Self::Lost
    }

    fn busy(waited: Duration) -> Self {
        Self::Busy(waited)
    }
}

impl From<SdfError> for KeyError {
    fn from(error: SdfError) -> Self {
        match error {
            error if error.is_denial() => Self::Locked,
            SdfError::Refused { code: Code::NoSuchKey, .. } => Self::Gone,
            SdfError::Refused { code: Code::Ciphertext, .. } => Self::NotAuthentic,
            error => Self::Device(Box::new(error)),
        }
    }
}
