//! The functions that the fuzz targets call, and what belongs to them.
//!
//! A program in `fuzz/fuzz_targets` is one line over a [`Target`] of [`TARGETS`]. Everything else
//! is here, in an ordinary crate: `cargo test` calls the same functions with the same inputs, and
//! the driver of `tools/fuzz` runs them without libFuzzer.
//!
//! * [`Target`]: the name of a target, its function, and the form of its inputs.
//! * [`FAMILIES`]: the protocols that share a target.
//! * [`mutate`] and [`cross`]: changes of an input that edit messages and cuts, not bytes.
//!   [`plain`] has those that a fuzzer makes without them, for comparison.
//! * [`driver`]: runs a target without libFuzzer, the same way every time.
//! * [`bugs`]: planted bugs, which the targets must find.
//! * [`seeds`]: the committed inputs of a target.

mod bugs;
mod canary;
mod captures;
pub mod driver;
mod engine;
mod interleaving;
mod mutate;
mod net;
mod peers;
pub mod seeds;
mod sessions;
mod table;
mod target;
mod texts;

pub use bugs::{PlantedBug, bugs};
pub use captures::{Action, ReassemblyCase, check_reassembly, packet_choice};
pub use engine::EngineCase;
pub use interleaving::interleaved_choice;
pub use mutate::{cross, cross_in_place, mutate, mutate_in_place, plain, tokens};
pub use sessions::{FAMILIES, Family, SPEC_FILES};
pub use table::{CANARY, TARGETS, target};
pub use target::{Choice, Form, Target};
