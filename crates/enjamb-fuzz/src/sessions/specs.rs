//! The split law over framing specs and spec files.

#[path = "../../../enjamb-protocols/tests/spec_files/generator.rs"]
mod generator;

use std::sync::{Arc, LazyLock};

use enjamb_protocols::{Protocol, Registry, SpecFile};

use super::check_split;

/// Framing specs of every kind.
const SPECS: [&str; 13] = [
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
    "varint max=100",
    "netstring max=100",
    "cobs max=100",
];

/// The number of bytes that choose a spec file.
const CHOICES: usize = 64;

/// The target `split_specs`. The first byte chooses a framing spec, or a spec file: then the next
/// bytes choose what it contains. A script follows.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn split_specs(data: &[u8]) {
    static PROTOCOLS: LazyLock<Vec<Arc<Protocol>>> = LazyLock::new(|| {
        let registry = Registry::builtin();
        SPECS.iter().map(|spec| registry.resolve(spec).unwrap_or_else(|error| panic!("{error}"))).collect()
    });
    let Some((&choice, data)) = data.split_first() else { return };
    if choice >= 0x80 {
        let (choices, script) = data.split_at(data.len().min(CHOICES));
        let Ok(spec) = SpecFile::parse(&generator::spec(choices)) else { return };
        return check_split(script, &|| spec.session());
    }
    let protocol = &PROTOCOLS[usize::from(choice) % PROTOCOLS.len()];
    check_split(data, &|| protocol.session(None));
}
