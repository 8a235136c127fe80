//! Lines on standard error about the tool itself.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes lines to standard error, each with the name of the program and its command in front.
///
/// The name is a parameter because a program with protocols of its own offers the same commands
/// under its own name.
#[derive(Clone, Debug)]
pub struct Notices {
    program: String,
    command: &'static str,
}

impl Notices {
    /// Creates the notices of `command`, a subcommand of `program`.
    #[must_use]
    pub fn new(program: &str, command: &'static str) -> Self {
        Self { program: program.to_owned(), command }
    }

    /// Returns the name of the program, for hints such as "`enjamb corpus extract` writes some".
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Writes one line: `enjamb replay: ` and `text`.
    ///
    /// Nothing happens where standard error is closed.
    pub fn notice(&self, text: impl Display) {
        // `eprintln` would panic when standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{} {}: {text}", self.program, self.command);
    }

    /// Writes one line without the name in front.
    ///
    /// Nothing happens where standard error is closed.
    pub fn plain(&self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
