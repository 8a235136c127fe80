//! The split law over framing specs and over `auto`. The first byte of the input selects one of
//! them.
#![no_main]

use enjamb_law::Script;
use enjamb_law::fuzz::split_law;
use enjamb_protocols::Registry;
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

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let spec = SPECS[usize::from(choice) % SPECS.len()];
    let protocol = Registry::builtin().resolve(spec).unwrap_or_else(|error| panic!("{error}"));
    split_law(&Script::read(data), || protocol.session(None));
});
