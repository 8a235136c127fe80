//! One capture or transcript.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// A capture or a transcript to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The standard input of this process.
    StandardInput,
    /// The file at this path.
    File(PathBuf),
}

impl Input {
    /// The path that means standard input on a command line.
    pub const STANDARD_INPUT: &str = "-";

    /// Opens the input.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        match self {
            Self::StandardInput => Ok(Box::new(io::stdin())),
            Self::File(path) => Ok(Box::new(File::open(path)?)),
        }
    }
}

/// The path, or the words "standard input".
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardInput => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
