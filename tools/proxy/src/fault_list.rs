//! The types of faults, for people.

use std::fmt::Write as _;

use enjamb_faults::{Attribute, EFFECT_TYPES, SELECT_ATTRIBUTES, Unit};

/// Returns all types of faults with their attributes.
pub(crate) fn list_faults() -> String {
    let mut text = "A fault is TYPE[,NAME=VALUE]...\n".to_owned();
    // Writing to a `String` does not fail.
    for effect in EFFECT_TYPES {
        let _ = write!(text, "\n{:<12}{}\n", effect.name, effect.meaning);
        write_attributes(effect.attributes, &mut text);
    }
    text.push_str("\ncorrupt, drop, duplicate, delay and cut are for messages, and also have:\n");
    write_attributes(SELECT_ATTRIBUTES, &mut text);
    text.push_str(
        "\nAll have:\n  side=WORD             client or server, the sender of the bytes [default: both]\n  \
         probability=P         the share of connections that have the fault, from 0 to 1 [default: 1]\n  \
         name=TEXT             its name in the log and in the API [default: TYPE_upstream for the client, \
         TYPE_downstream for the server]\n\nA TIME is 250ms or 2s, a SIZE 1000 or 64k. match= comes last.\n",
    );
    text
}

fn write_attributes(attributes: &[Attribute], text: &mut String) {
    for attribute in attributes {
        let Attribute { name, unit, default, meaning, .. } = attribute;
        let default = match (default, unit) {
            (None, _) => String::new(),
            (Some(0), _) => " [default: 0]".to_owned(),
            (Some(value), Unit::Milliseconds) => format!(" [default: {value}ms]"),
            (Some(value), _) => format!(" [default: {value}]"),
        };
        let value = match unit {
            Unit::Milliseconds | Unit::Microseconds => "TIME",
            Unit::KilobytesPerSecond | Unit::Bytes => "SIZE",
            Unit::Word(_) => "WORD",
            Unit::Expression => "EXPRESSION",
            _ => "N",
        };
        let _ = writeln!(text, "  {:<22}{}{default}", format!("{name}={value}"), meaning.replace('`', ""));
    }
}
