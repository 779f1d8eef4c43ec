//! Exit codes. They are part of the interface; `--help` lists them.

use std::process::ExitCode;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: refused, or failed.
    Refused,
    /// 2: the command or its input was not understood.
    Usage,
    /// 3: the service or the reader cannot be reached.
    Unreachable,
    /// 4: the checker found tampering.
    Tampered,
    /// 5: the checker lacks something to decide.
    Unverifiable,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Tampered => 4,
            Self::Unverifiable => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
