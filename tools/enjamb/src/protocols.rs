//! `enjamb protocols`: the protocols that are known by name.

use std::fmt::Write as _;

use anyhow::Context;
use enjamb_protocols::Registry;
use enjamb_sources::{Exit, print};

/// Writes a line for each protocol to standard output: name, aliases, ports, description.
pub(crate) fn list(registry: &Registry) -> anyhow::Result<Exit> {
    let mut text = String::new();
    let auto = registry.auto();
    for protocol in registry.iter().chain([&auto]) {
        let aliases = protocol.aliases().join(", ");
        let ports = protocol.ports().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "{:10} {:8} {:10} {}", protocol.name(), aliases, ports, protocol.description());
    }
    let _ = writeln!(
        text,
        "\nOr a framing spec: lines, delimiter:0d0a, any:0a|00, fixed:16, u32be+4 max=1M, client=lines server=u16be"
    );
    print(text).context("cannot write to standard output")?;
    Ok(Exit::Done)
}
