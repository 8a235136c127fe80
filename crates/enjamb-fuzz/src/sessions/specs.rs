//! The split law over framing specs and spec files.

#[path = "../../../enjamb-protocols/tests/spec_files/generator.rs"]
mod generator;

use std::sync::{Arc, LazyLock};

use enjamb_law::{Case, Grammar, Script};
use enjamb_protocols::{Protocol, Registry, SpecFile};

use super::{check_contents, check_split};

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

/// The names of the spec files in `corpora/specs` that have sessions of their own.
pub const SPEC_FILES: [&str; 3] = ["craft", "meter", "vendor"];

/// The texts of these files.
const SPEC_TEXTS: [&str; 3] = [
    include_str!("../../../../corpora/specs/craft.toml"),
    include_str!("../../../../corpora/specs/meter.toml"),
    include_str!("../../../../corpora/specs/vendor.toml"),
];

/// The first byte from which inputs choose one of the spec files, and from which they make one.
const FILE: u8 = 0xf0;
const GENERATED: u8 = 0x80;

/// The number of bytes that choose a spec file.
const CHOICES: usize = 64;

/// The target `split_specs`. The first byte chooses a framing spec, a spec file of the corpora, or
/// a new one: then the next bytes choose what it contains. A script follows. For spec files, the
/// attributes of messages do not depend on the cuts either.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn split_specs(data: &[u8]) {
    static PROTOCOLS: LazyLock<Vec<Arc<Protocol>>> = LazyLock::new(|| {
        let registry = Registry::builtin();
        SPECS.iter().map(|spec| registry.resolve(spec).unwrap_or_else(|error| panic!("{error}"))).collect()
    });
    let Some((&choice, data)) = data.split_first() else { return };
    if choice >= GENERATED {
        let (text, script) = if choice >= FILE {
            (SPEC_TEXTS[usize::from(choice) % SPEC_TEXTS.len()].to_owned(), data)
        } else {
            let (choices, script) = data.split_at(data.len().min(CHOICES));
            (generator::spec(choices), script)
        };
        let Ok(spec) = SpecFile::parse(&text) else { return };
        let Case { input, cuts } = Script::read(script).case(&Grammar::default());
        check_contents(&|| spec.session(), spec.protocol().attributes(), &input, &cuts);
        return check_split(script, &|| spec.session());
    }
    let protocol = &PROTOCOLS[usize::from(choice) % PROTOCOLS.len()];
    check_split(data, &|| protocol.session(None));
}
