//! The reasons why a proxy, or one of its routes, cannot start.

use std::io;

use enjamb_sources::OutputError;

/// The reason why a proxy cannot start. No file has been replaced then: files are opened last, and
/// both are opened before one of them is emptied.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration makes no sense.
    Usage(String),
    /// The log or the recording would replace a file that must stay, or cannot be written.
    Output(OutputError),
    /// An address or a file cannot be used, or the system gives no threads. The text describes the
    /// attempt.
    Io(String, io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Output(error) => error.fmt(f),
            Self::Io(text, error) => write!(f, "{text}: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) => None,
            Self::Output(error) => Some(error),
            Self::Io(_, error) => Some(error),
        }
    }
}

impl StartError {
    /// Returns whether the command line has to be changed. Otherwise the system refused.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        match self {
            Self::Usage(_) => true,
            Self::Output(error) => error.is_wrong_usage(),
            Self::Io(..) => false,
        }
    }

    /// Converts an error. A text that is not an address is wrong usage; an address that is in use
    /// is not.
    pub(crate) fn address(text: String, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput => Self::Usage(format!("{text}: not HOST:PORT")),
            _ => Self::Io(text, error),
        }
    }
}
