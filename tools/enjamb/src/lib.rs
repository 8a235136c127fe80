//! The command line `enjamb`, as a library: a program with protocols of its own offers all of its
//! tools under its own name.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use enjamb_cli::Program;
//! use enjamb_protocols::{Framing, Pair, Protocol};
//!
//! fn main() -> ExitCode {
//!     let framing = Framing::parse("u16be max=4k").unwrap();
//!     let mymq = Protocol::new("mymq", move || Box::new(Pair::new("mymq", &framing, &framing)));
//!     Program::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).register(mymq).run()
//! }
//! ```
//!
//! A complete program with a session of its own is in `examples/own_session.rs`.

mod cli;
mod manual;
mod program;
mod protocols;
mod specs;

pub use crate::program::Program;

/// The examples of the guide, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/protocols.md")]
struct GuideExamples;
