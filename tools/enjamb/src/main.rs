//! The binary `enjamb`, with the built-in protocols.

use std::process::ExitCode;

use enjamb_protocols::Registry;

fn main() -> ExitCode {
    enjamb_cli::main(&Registry::builtin())
}
