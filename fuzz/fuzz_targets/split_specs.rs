//! The split law over framing specs, spec files and `auto`. The first byte of the input selects one
//! of them. For a spec file, the next bytes are the choices of the generator that the tests use,
//! too.
#![no_main]

#[path = "../../crates/enjamb-protocols/tests/spec_files/generator.rs"]
mod generator;

use enjamb_law::Script;
use enjamb_law::fuzz::split_law;
use enjamb_protocols::{Registry, SpecFile};
use libfuzzer_sys::fuzz_target;

const SPECS: [&str; 11] = [
    "lines max=64",
    "delimiter:0d0a max=64",
    "delimiter:616261 max=16",
    "fixed:3",
    "u8",
    "u16be max=100",
    "u24le-3 max=100",
    "u32be+4 max=100",
    "u64le max=100",
    "client=lines server=u8",
    "auto",
];

/// The number of bytes that choose a spec file.
const CHOICES: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    if choice >= 0x80 {
        let (choices, data) = data.split_at(data.len().min(CHOICES));
        let Ok(spec) = SpecFile::parse(&generator::spec(choices)) else { return };
        split_law(&Script::read(data), || spec.session());
        return;
    }
    let spec = SPECS[usize::from(choice) % SPECS.len()];
    let protocol = Registry::builtin().resolve(spec).unwrap_or_else(|error| panic!("{error}"));
    split_law(&Script::read(data), || protocol.session(None));
});
