use std::ffi::c_int;

/// What a function answers when it fails (返回码; 应用接口技术规范 2012, error codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(i32)]
pub enum Code {
    /// IRV_PARA_ERR.
    #[error("a parameter is not acceptable")]
    Parameter = 101,
    /// IRV_NO_FILE.
    #[error("the card has no such file")]
    NoFile = 102,
    /// IRV_RD_RCDERR.
    #[error("a record could not be read")]
    ReadRecord = 103,
    /// IRV_CARD_ERR.
    #[error("the card did not answer, or not as it must")]
    Card = 104,
    /// IRV_PSAM_ERR.
    #[error("the SAM did not answer, or not as it must")]
    Sam = 105,
    /// IRV_IRK_VERR.
    #[error("the card or this desk failed to prove itself")]
    Authentication = 106,
    /// IRV_RD_BINERR.
    #[error("a file could not be read")]
    ReadBinary = 107,
    /// IRV_WR_RCDERR.
    #[error("a record could not be written")]
    WriteRecord = 108,
    /// IRV_WR_BINERR.
    #[error("a file could not be written")]
    WriteBinary = 109,
    /// IRV_W_DF03EF05ERR.
    #[error("an index entry could not be set valid")]
    SetValid = 110,
    /// IRV_ER_DF03EF05ERR.
    #[error("an index entry could not be set invalid")]
    SetInvalid = 111,
    /// IRV_RCINVALID.
    #[error("the record is marked as invalid")]
    Invalid = 112,
    /// IRV_DDF1EF07_DATAERR.
    #[error("the photo is damaged")]
    Photo = 113,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Parameter,
        Self::NoFile,
        Self::ReadRecord,
        Self::Card,
        Self::Sam,
        Self::Authentication,
        Self::ReadBinary,
        Self::WriteRecord,
        Self::WriteBinary,
        Self::SetValid,
        Self::SetInvalid,
        Self::Invalid,
        Self::Photo,
    ];

    /// The number as the caller sees it.
    pub const fn number(self) -> c_int {
        self as c_int
    }

    /// The name in the interface specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parameter => "IRV_PARA_ERR",
            Self::NoFile => "IRV_NO_FILE",
            Self::ReadRecord => "IRV_RD_RCDERR",
            Self::Card => "IRV_CARD_ERR",
            Self::Sam => "IRV_PSAM_ERR",
            Self::Authentication => "IRV_IRK_VERR",
            Self::ReadBinary => "IRV_RD_BINERR",
            Self::WriteRecord => "IRV_WR_RCDERR",
            Self::WriteBinary => "IRV_WR_BINERR",
            Self::SetValid => "IRV_W_DF03EF05ERR",
            Self::SetInvalid => "IRV_ER_DF03EF05ERR",
            Self::Invalid => "IRV_RCINVALID",
            Self::Photo => "IRV_DDF1EF07_DATAERR",
        }
    }
}
