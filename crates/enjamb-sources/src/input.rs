//! One source of captured traffic.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::live::CaptureRequest;

/// A capture or a transcript to read, or traffic that is still being captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The standard input of this process.
    StandardInput,
    /// The file at this path.
    File(PathBuf),
    /// The file at this path, as it grows.
    FollowedFile(PathBuf),
    /// A capturing program.
    Capturer(CaptureRequest),
}

impl Input {
    /// The path that means standard input on a command line.
    pub const STANDARD_INPUT: &str = "-";

    /// Opens the input, to read what it has now.
    ///
    /// # Errors
    /// The file cannot be opened. A capturing program has nothing yet.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        match self {
            Self::StandardInput => Ok(Box::new(io::stdin())),
            Self::File(path) | Self::FollowedFile(path) => Ok(Box::new(File::open(path)?)),
            Self::Capturer(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "a capture that has not begun")),
        }
    }

    /// Returns whether the input may still be captured. Standard input may be if it is no file.
    #[must_use]
    pub fn is_live(&self) -> bool {
        match self {
            Self::StandardInput => !standard_input_is_file(),
            Self::File(_) => false,
            Self::FollowedFile(_) | Self::Capturer(_) => true,
        }
    }
}

/// The path, the words "standard input", or the name of the network interface.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardInput => f.write_str("standard input"),
            Self::File(path) | Self::FollowedFile(path) => write!(f, "{}", path.display()),
            Self::Capturer(request) => f.write_str(&request.interface),
        }
    }
}

#[cfg(unix)]
fn standard_input_is_file() -> bool {
    use std::os::fd::AsFd;

    let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

/// Elsewhere standard input is read as a pipe, which is right for a file too.
#[cfg(not(unix))]
fn standard_input_is_file() -> bool {
    false
}
