//! The tables of `docs/faults.md` are made from the types of faults. `ENJAMB_UPDATE=1` writes them.

use std::fmt::Write as _;
use std::path::Path;

use enjamb_faults::{Attribute, EFFECT_TYPES, SELECT_ATTRIBUTES, Unit};

fn value(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds | Unit::Microseconds => "a time",
        Unit::KilobytesPerSecond => "a size a second",
        Unit::Bytes => "a size",
        Unit::Word(_) => "a word",
        Unit::Expression => "an expression",
        _ => "a number",
    }
}

fn described(attribute: &Attribute) -> String {
    let Attribute { name, unit, default, meaning, .. } = attribute;
    let default = match (default, unit) {
        (None, _) => String::new(),
        (Some(0), _) => "; 0 by default".to_owned(),
        (Some(value), Unit::Milliseconds) => format!("; {value}ms by default"),
        (Some(value), _) => format!("; {value} by default"),
    };
    format!("`{name}` ({}): {meaning}{default}", value(*unit))
}

fn table() -> String {
    let mut table = "| type | effect | attributes |\n|---|---|---|\n".to_owned();
    for effect in EFFECT_TYPES {
        let attributes: Vec<_> = effect.attributes.iter().map(described).collect();
        let _ = writeln!(table, "| `{}` | {} | {} |", effect.name, effect.meaning, attributes.join("<br>"));
    }
    table
}

fn select_table() -> String {
    let mut table = "| attribute | value | meaning |\n|---|---|---|\n".to_owned();
    for attribute in SELECT_ATTRIBUTES {
        let _ = writeln!(table, "| `{}` | {} | {} |", attribute.name, value(attribute.unit), attribute.meaning);
    }
    table
}

fn replaced(page: &str, begin: &str, end: &str, table: &str) -> String {
    let start = page.find(begin).unwrap() + begin.len();
    let stop = start + page[start..].find(end).unwrap();
    format!("{}\n{table}{}", &page[..start], &page[stop..])
}

#[test]
fn the_page_has_the_types_of_faults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let expected = replaced(&page, "<!-- table -->", "<!-- end of table -->", &table());
    let expected = replaced(&expected, "<!-- select table -->", "<!-- end of select table -->", &select_table());
    if std::env::var_os("ENJAMB_UPDATE").is_some() {
        std::fs::write(&path, expected).unwrap();
    } else {
        assert!(page == expected, "docs/faults.md has other tables; run this with ENJAMB_UPDATE=1");
    }
}
