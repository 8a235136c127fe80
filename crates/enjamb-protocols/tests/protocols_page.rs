//! The table of `docs/protocols.md` is made from the registry. `ENJAMB_UPDATE=1` writes it.

use std::fmt::Write as _;

use enjamb_protocols::Registry;

const BEGIN: &str = "<!-- protocols: written by the test protocols_page -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_table_of_protocols_is_that_of_the_registry() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocols.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
    let (_, behind) = rest.split_once(END).expect("the place has an end");
    let expected = format!("{before}{BEGIN}{}{END}{behind}", table());
    if std::env::var_os("ENJAMB_UPDATE").is_some() {
        std::fs::write(path, expected).unwrap();
    } else {
        assert!(page == expected, "docs/protocols.md has another table; run this with ENJAMB_UPDATE=1");
    }
}

fn table() -> String {
    let registry = Registry::builtin();
    let mut table = "| name | protocol | ports | kinds of messages |\n|---|---|---|---|\n".to_owned();
    let auto = registry.auto();
    for protocol in registry.iter().chain([&auto]) {
        let names = std::iter::once(protocol.name()).chain(protocol.aliases().iter().map(String::as_str));
        let names = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let ports = protocol.ports().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (about, kinds) = (protocol.description(), protocol.kinds());
        assert!(!about.is_empty() && !kinds.is_empty(), "{names} is not described");
        writeln!(table, "| {names} | {about} | {ports} | {kinds} |").unwrap();
    }
    table
}
