//! A record as one JSON object on one line.

use enjamb::Flags;

use crate::escape::{push, push_address, push_json, push_json_display, push_number};
use crate::field::Field;
use crate::payload::ShowForm;
use crate::record::{Record, Value, Visitor};
use crate::time::Rfc3339;

/// Appends `record` and a line feed.
pub(crate) fn write(record: &Record<'_>, line: &mut String) {
    record.visit(&mut JsonLine(line));
    line.push_str("}\n");
}

struct JsonLine<'a>(&'a mut String);

impl Visitor for JsonLine<'_> {
    // A visit calls it with constants: if it is inlined, the compiler makes most of its decisions.
    #[inline(always)]
    fn field(&mut self, field: Field, value: Value<'_>) {
        let Self(line) = self;
        // Every record begins with its type.
        if field == Field::Type {
            line.push('{');
            line.push_str(&field.json_key()[1..]);
        } else {
            line.push_str(field.json_key());
        }
        if let Value::Number(number) = value {
            return push_number(number, line);
        }
        if let Value::Flags(flags) = value {
            return push_flags(flags, line);
        }
        line.push('"');
        match value {
            Value::Number(_) | Value::Flags(_) => {}
            Value::Word(word) => line.push_str(word),
            Value::Text(text) => push_json(text, line),
            Value::Time(time) => line.push_str(Rfc3339(time).text().as_str()),
            Value::Address(address) => push_address(address, line),
            Value::Line(display) => push_json_display(display, line),
            Value::Payload(payload) => match payload.form {
                ShowForm::Text => push_json_display(&payload.text(), line),
                ShowForm::Hex => push(line, format_args!("{}", payload.hex())),
            },
        }
        line.push('"');
    }
}

/// Appends the names as an array of strings.
#[cold]
fn push_flags(flags: Flags<'_>, line: &mut String) {
    let mut opening = "[\"";
    for name in flags.names() {
        line.push_str(opening);
        push_json(name, line);
        opening = "\",\"";
    }
    line.push_str("\"]");
}
