//! The exit codes of all tools.

use std::process::ExitCode;

/// The result of a command, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: the command did its work.
    Done,
    /// 1: the command worked, and found a difference, a malformed message under `--strict`, or a
    /// session that failed, or it lost a part of its log or its recording.
    FoundWanting,
    /// 2: the command line is wrong, or names an output that must not be replaced. Nothing was
    /// done.
    WrongUsage,
    /// 3: something could not be read, written or connected to.
    Unavailable,
}

impl Exit {
    /// The four codes, one per line, for the end of a help text.
    pub const HELP: &str = "\
Exit codes:
  0  done
  1  done, and found a difference, a malformed message under --strict, or a session that failed, or
     lost a part of its log or recording
  2  wrong usage: nothing was done, and no file was changed
  3  something could not be read, written or connected to. Without --strict, --recut, --against or
     --serve, only if nothing at all could be read";

    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::FoundWanting => 1,
            Self::WrongUsage => 2,
            Self::Unavailable => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
