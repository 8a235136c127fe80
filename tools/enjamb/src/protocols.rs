//! `enjamb protocols`: the protocols that are known by name.

use std::io::{self, Write as _};

use enjamb_protocols::Registry;
use enjamb_sources::Exit;

/// Writes a line for each protocol to standard output: name, aliases, ports, description.
pub(crate) fn list(registry: &Registry) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    let auto = registry.auto();
    for protocol in registry.iter().chain([&auto]) {
        let aliases = protocol.aliases().join(", ");
        let ports = protocol.ports().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        writeln!(out, "{:10} {:8} {:10} {}", protocol.name(), aliases, ports, protocol.description())?;
    }
    writeln!(
        out,
        "\nOr a framing spec: lines, delimiter:0d0a, any:0a|00, fixed:16, u32be+4 max=1M, client=lines server=u16be"
    )?;
    Ok(Exit::Done)
}
