//! The binary `enjamb`, with the built-in protocols.

use std::process::ExitCode;

use enjamb_cli::Program;

fn main() -> ExitCode {
    Program::new("enjamb", env!("CARGO_PKG_VERSION")).run()
}
