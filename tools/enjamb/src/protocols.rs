//! `enjamb protocols`: the protocols that are known by name, and the description of one.

use std::fmt::Write as _;

use anyhow::Context;
use enjamb::{ArgumentType, AttributeType};
use enjamb_protocols::Registry;
use enjamb_sources::{Exit, print};

/// The number of ports that the list shows of a protocol.
const PORTS_MAX: usize = 3;

/// Writes a line for each protocol to standard output: name, aliases, ports, description.
pub(crate) fn list(registry: &Registry) -> anyhow::Result<Exit> {
    let mut text = String::new();
    let auto = registry.auto();
    let rows: Vec<[String; 4]> = registry
        .iter()
        .chain([&auto])
        .map(|protocol| {
            let ports = protocol.ports().iter().take(PORTS_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let more = if protocol.ports().len() > PORTS_MAX { ", ..." } else { "" };
            let aliases = protocol.aliases().join(", ");
            [protocol.name().to_owned(), aliases, format!("{ports}{more}"), protocol.description().to_owned()]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [name_width, alias_width, port_width] = [0, 1, 2].map(width);
    for [name, aliases, ports, description] in &rows {
        let _ = writeln!(text, "{name:name_width$}  {aliases:alias_width$}  {ports:port_width$}  {description}");
    }
    let _ = writeln!(
        text,
        "\nOr a framing spec: lines, delimiter:0d0a, any:0a|00, fixed:16, u32be+4 max=1M, client=lines server=u16be\n\
         Or a spec file: --protocol FILE.toml. --spec FILE.toml adds one to those above."
    );
    print(text).context("cannot write to standard output")?;
    Ok(Exit::Done)
}

/// Writes the names, the ports and the attributes of one protocol to standard output.
///
/// # Errors
/// A [`SpecError`](enjamb_protocols::SpecError) if no protocol has this name, or an error of
/// standard output.
pub(crate) fn describe(registry: &Registry, name: &str) -> anyhow::Result<Exit> {
    let protocol = registry.resolve(name)?;
    let mut text = format!("{}: {}\n", protocol.name(), protocol.description());
    let list = |words: Vec<String>| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let _ = writeln!(text, "other names: {}", list(protocol.aliases().to_vec()));
    let _ = writeln!(text, "ports: {}", list(protocol.ports().iter().map(ToString::to_string).collect()));
    if !protocol.kinds().is_empty() {
        let _ = writeln!(text, "messages: {}", protocol.kinds().replace('`', ""));
    }
    // `http.path` reads better in a filter than `http1.path`.
    let shorter = protocol.aliases().iter().find(|alias| protocol.name().starts_with(alias.as_str()));
    let prefix = shorter.map_or(protocol.name(), String::as_str);
    if !protocol.attributes().is_empty() {
        let _ = writeln!(text, "\nattributes, for --filter:");
    }
    for attribute in protocol.attributes() {
        let argument = match attribute.argument {
            ArgumentType::None => "",
            ArgumentType::Text => "(\"NAME\")",
            ArgumentType::Number => "(NUMBER)",
        };
        let value = match attribute.value {
            AttributeType::Number => "number",
            AttributeType::Bytes => "bytes",
            _ => "text",
        };
        let name = format!("{prefix}.{}{argument}", attribute.name);
        let _ = writeln!(text, "  {name:24} {value:7} {}", attribute.about);
    }
    print(text).context("cannot write to standard output")?;
    Ok(Exit::Done)
}
