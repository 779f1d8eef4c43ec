//! What a device answers when it fails.

/// An error code of GM/T 0018-2012 (错误代码定义, annex A), one to one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[repr(u32)]
pub enum Code {
    /// SDR_UNKNOWERR.
    #[error("an unknown error")]
    Unknown = 0x0100_0001,
    /// SDR_NOTSUPPORT.
    #[error("the function is not supported")]
    NotSupported = 0x0100_0002,
    /// SDR_COMMFAIL.
    #[error("the device cannot be reached")]
    Communication = 0x0100_0003,
    /// SDR_HARDFAIL.
    #[error("the hardware does not respond")]
    Hardware = 0x0100_0004,
    /// SDR_OPENDEVICE.
    #[error("the device could not be opened")]
    OpenDevice = 0x0100_0005,
    /// SDR_OPENSESSION.
    #[error("the session could not be opened")]
    OpenSession = 0x0100_0006,
    /// SDR_PARDENY.
    #[error("there is no right to use the private key")]
    PrivateKeyDenied = 0x0100_0007,
    /// SDR_KEYNOTEXIST.
    #[error("there is no such key")]
    NoSuchKey = 0x0100_0008,
    /// SDR_ALGNOTSUPPORT.
    #[error("the algorithm is not supported")]
    AlgorithmNotSupported = 0x0100_0009,
    /// SDR_ALGMODNOTSUPPORT.
    #[error("the mode of the algorithm is not supported")]
    ModeNotSupported = 0x0100_000A,
    /// SDR_PKOPERR.
    #[error("the operation with the public key failed")]
    PublicKeyOperation = 0x0100_000B,
    /// SDR_SKOPERR.
    #[error("the operation with the private key failed")]
    PrivateKeyOperation = 0x0100_000C,
    /// SDR_SIGNERR.
    #[error("signing failed")]
    Sign = 0x0100_000D,
    /// SDR_VERIFYERR.
    #[error("the signature does not verify")]
    Verify = 0x0100_000E,
    /// SDR_SYMOPERR.
    #[error("the operation with the symmetric key failed")]
    SymmetricOperation = 0x0100_000F,
    /// SDR_STEPERR.
    #[error("a step before this one is missing")]
    Step = 0x0100_0010,
    /// SDR_FILESIZEERR.
    #[error("the size of the file is wrong")]
    FileSize = 0x0100_0011,
    /// SDR_FILENOEXIST.
    #[error("there is no such file")]
    NoSuchFile = 0x0100_0012,
    /// SDR_FILEOFSERR.
    #[error("the place in the file is wrong")]
    FileOffset = 0x0100_0013,
    /// SDR_KEYTYPEERR.
    #[error("the key is of another type")]
    KeyType = 0x0100_0014,
    /// SDR_KEYERR.
    #[error("the key is wrong")]
    Key = 0x0100_0015,
    /// SDR_ENCDATAERR.
    #[error("the ciphertext is wrong")]
    Ciphertext = 0x0100_0016,
    /// SDR_RANDERR.
    #[error("there is no randomness")]
    Random = 0x0100_0017,
    /// SDR_PRKRERR.
    #[error("the right to use the private key was not granted")]
    AccessRight = 0x0100_0018,
    /// SDR_MACERR.
    #[error("computing the MAC failed")]
    Mac = 0x0100_0019,
    /// SDR_FILEEXISTS.
    #[error("there is such a file already")]
    FileExists = 0x0100_001A,
    /// SDR_FILEWERR.
    #[error("the file could not be written")]
    FileWrite = 0x0100_001B,
    /// SDR_NOBUFFER.
    #[error("there is no room")]
    NoRoom = 0x0100_001C,
    /// SDR_INARGERR.
    #[error("an argument is wrong")]
    InArgument = 0x0100_001D,
    /// SDR_OUTARGERR.
    #[error("an argument for a result is wrong")]
    OutArgument = 0x0100_001E,
}

impl Code {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 30] = [
        Self::Unknown,
        Self::NotSupported,
        Self::Communication,
        Self::Hardware,
        Self::OpenDevice,
        Self::OpenSession,
        Self::PrivateKeyDenied,
        Self::NoSuchKey,
        Self::AlgorithmNotSupported,
        Self::ModeNotSupported,
        Self::PublicKeyOperation,
        Self::PrivateKeyOperation,
        Self::Sign,
        Self::Verify,
        Self::SymmetricOperation,
        Self::Step,
        Self::FileSize,
        Self::NoSuchFile,
        Self::FileOffset,
        Self::KeyType,
        Self::Key,
        Self::Ciphertext,
        Self::Random,
        Self::AccessRight,
        Self::Mac,
        Self::FileExists,
        Self::FileWrite,
        Self::NoRoom,
        Self::InArgument,
        Self::OutArgument,
    ];

    /// The number on the interface.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The code of this number; nothing for 0, which is success, and numbers of vendors.
    #[must_use]
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The name in the standard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "SDR_UNKNOWERR",
            Self::NotSupported => "SDR_NOTSUPPORT",
            Self::Communication => "SDR_COMMFAIL",
            Self::Hardware => "SDR_HARDFAIL",
            Self::OpenDevice => "SDR_OPENDEVICE",
            Self::OpenSession => "SDR_OPENSESSION",
            Self::PrivateKeyDenied => "SDR_PARDENY",
            Self::NoSuchKey => "SDR_KEYNOTEXIST",
            Self::AlgorithmNotSupported => "SDR_ALGNOTSUPPORT",
            Self::ModeNotSupported => "SDR_ALGMODNOTSUPPORT",
            Self::PublicKeyOperation => "SDR_PKOPERR",
            Self::PrivateKeyOperation => "SDR_SKOPERR",
            Self::Sign => "SDR_SIGNERR",
            Self::Verify => "SDR_VERIFYERR",
            Self::SymmetricOperation => "SDR_SYMOPERR",
            Self::Step => "SDR_STEPERR",
            Self::FileSize => "SDR_FILESIZEERR",
            Self::NoSuchFile => "SDR_FILENOEXIST",
            Self::FileOffset => "SDR_FILEOFSERR",
            Self::KeyType => "SDR_KEYTYPEERR",
            Self::Key => "SDR_KEYERR",
            Self::Ciphertext => "SDR_ENCDATAERR",
            Self::Random => "SDR_RANDERR",
            Self::AccessRight => "SDR_PRKRERR",
            Self::Mac => "SDR_MACERR",
            Self::FileExists => "SDR_FILEEXISTS",
            Self::FileWrite => "SDR_FILEWERR",
            Self::NoRoom => "SDR_NOBUFFER",
            Self::InArgument => "SDR_INARGERR",
            Self::OutArgument => "SDR_OUTARGERR",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_from_1_to_1e_and_name_one_code_each() {
        for (code, last) in Code::ALL.into_iter().zip(1..) {
            assert_eq!(code.number(), 0x0100_0000 + last, "{}", code.name());
            assert_eq!(Code::numbered(code.number()), Some(code));
        }
        for number in [0, 1, 0x0100_0000, 0x0100_001F, 0x0200_0001, u32::MAX] {
            assert_eq!(Code::numbered(number), None, "{number:#x}");
        }
    }
}
