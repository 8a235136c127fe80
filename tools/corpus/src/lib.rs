//! `enjamb corpus`: from captures to seeds, regressions and tests.
//!
//! * `extract` takes the conversations out of captures, cuts them into small pieces that can be
//!   parsed on their own, and keeps one of each kind as a transcript in its text form: a seed for a
//!   fuzzer, a regression, an input for `enjamb replay`. (`conversations`, `pieces`, `signature`,
//!   `candidates`.)
//! * `show` lists transcripts.
//! * `to-test` writes the Rust test of a transcript.

mod arguments;
mod candidates;
mod conversations;
mod extract;
mod extract_report;
mod parse;
mod pieces;
mod show;
mod signature;
mod to_test;

use enjamb_protocols::Registry;
use enjamb_sources::{Exit, Notices};

pub use crate::arguments::Arguments;
use crate::arguments::Command;

/// Runs `enjamb corpus` with the protocols of `registry`.
///
/// `program` is the name of the program in messages. An input that cannot be read causes a message
/// on standard error, and the others are still read.
///
/// # Errors
/// A file or standard output cannot be written.
pub fn run(arguments: &Arguments, registry: &Registry, program: &str) -> anyhow::Result<Exit> {
    let notices = Notices::new(program, "corpus");
    match &arguments.command {
        Command::Extract(arguments) => extract::run(arguments, registry, &notices),
        Command::Show(arguments) => show::run(arguments, registry, &notices),
        Command::ToTest(arguments) => to_test::run(arguments, registry, &notices),
    }
}
