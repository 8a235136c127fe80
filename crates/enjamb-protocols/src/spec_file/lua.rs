//! A dissector for Wireshark, in Lua: the spec as a table, and the text that reads messages by it.
//!
//! The text is the same for all protocols (`runtime.lua`), so it is tested with each of them. It
//! reads a message that is not whole again when more of it is there. Where all messages have their
//! length in a header of fixed size, `dissect_tcp_pdus` of Wireshark joins the segments; otherwise
//! the dissector asks for them itself.

use std::fmt::Write as _;

use enjamb::Side;

use super::model::{Condition, Constant, Field, Form, Layout, Length, Names, Sequence, Spec, Target, Test};

/// The text that is the same for all protocols.
const RUNTIME: &str = include_str!("runtime.lua");

/// Writes the dissector.
pub(super) fn dissector(spec: &Spec) -> String {
    let mut text = format!(
        "-- A dissector for Wireshark, made from the spec file of {}. Put it into the folder of personal\n\
         -- Lua plugins (Help, About, Folders), or run: tshark -X lua_script:FILE -r CAPTURE\n\nlocal SPEC = {{\n",
        spec.name
    );
    let about = if spec.about.is_empty() { spec.name } else { &spec.about };
    let ports: Vec<_> = spec.ports.iter().map(u16::to_string).collect();
    let _ = writeln!(
        text,
        "    name = {}, about = {}, ports = {{ {} }},",
        quoted(spec.name),
        quoted(about),
        ports.join(", ")
    );
    if let Some(header) = fixed_header(spec) {
        let _ = writeln!(text, "    header = {header},");
    }
    text.push_str("    layouts = {\n");
    for layout in &spec.layouts {
        write_layout(&mut text, layout);
    }
    text.push_str("    },\n    states = {\n");
    for state in &spec.states {
        let [client, server] = state.sides.map(sequence);
        let _ =
            writeln!(text, "        {{ name = {}, client = {client}, server = {server}, on = {{", quoted(state.name));
        for transition in &state.transitions {
            let from = match transition.from {
                None => "",
                Some(Side::Client) => "from = \"client\", ",
                Some(Side::Server) => "from = \"server\", ",
            };
            let kinds = transition.kinds.as_ref().map_or_else(String::new, |kinds| format!("kinds = {}, ", set(kinds)));
            let when: Vec<_> = (1..)
                .zip(&transition.when)
                .filter_map(|(number, when)| Some(format!("[{number}] = {}", tests(when.as_ref()?))))
                .collect();
            let target = match transition.target {
                Target::State(state) => (state + 1).to_string(),
                Target::Opaque => quoted("opaque"),
                Target::Protocol(name) => quoted(name),
            };
            let _ =
                writeln!(text, "            {{ {from}{kinds}when = {{ {} }}, target = {target} }},", when.join(", "));
        }
        text.push_str("        } },\n");
    }
    text.push_str("    },\n}\n");
    text + RUNTIME
}

/// Returns the size of the header, if all messages have one of the same size with their length.
fn fixed_header(spec: &Spec) -> Option<u64> {
    let [state] = &spec.states[..] else { return None };
    let mut header = None;
    for sequence in state.sides {
        let layout = &spec.layouts[usize::from(sequence.first)];
        if sequence.first != sequence.then || layout.continues.is_some() || !state.transitions.is_empty() {
            return None;
        }
        let end = layout.fields.iter().position(|field| field.end.is_some())?;
        let mut size = 0;
        for field in &layout.fields[..=end] {
            size += field.form.size().filter(|_| field.when == Condition::Always)?;
        }
        if header.replace(size).is_some_and(|before| before != size) {
            return None;
        }
    }
    header
}

fn sequence(sequence: Sequence) -> String {
    format!("{{ first = {}, later = {} }}", sequence.first + 1, sequence.then + 1)
}

fn write_layout(text: &mut String, layout: &Layout) {
    let _ = write!(text, "        {{ name = {}, max = {}", quoted(layout.name), layout.max);
    if let Some((when, with)) = &layout.continues {
        let _ = write!(text, ", continues = {{ when = {}, with = {} }}", tests(when), with + 1);
    }
    for (key, named) in [("kind", &layout.kind), ("code", &layout.code)] {
        if let Some(named) = named {
            let names = names(&named.names, named.signed);
            let _ = write!(text, ", {key} = {{ slot = {}, names = {names} }}", named.slot + 1);
        }
    }
    if let Some(id) = layout.id {
        let _ = write!(text, ", id = {}", id + 1);
    }
    if let Some((subject, None)) = layout.subject {
        let _ = write!(text, ", subject = {}", subject + 1);
    }
    match &layout.failed {
        Condition::Never => {}
        Condition::Always => text.push_str(", failed = true"),
        Condition::Kinds(kinds) => drop(write!(text, ", failed = {{ kinds = {} }}", set(kinds))),
        values @ Condition::Values(_) => drop(write!(text, ", failed = {}", tests(values))),
    }
    text.push_str(", fields = {\n");
    for field in &layout.fields {
        let _ = writeln!(text, "            {},", self::field(field));
    }
    text.push_str("        } },\n");
}

fn field(field: &Field) -> String {
    let signed = field.form.is_signed();
    let mut parts = vec![format!("name = {}", quoted(field.name))];
    match &field.form {
        Form::Integer { width, little, .. } => {
            parts.push(format!("form = \"integer\", width = {width}, signed = {signed}, little = {little}"));
        }
        Form::Varint { .. } => parts.push(format!("form = \"varint\", signed = {signed}")),
        Form::Align(size) => parts.push(format!("form = \"bytes\", align = {size}")),
        Form::Bytes { length, max, text } => {
            parts.push(format!("form = \"{}\"", if *text { "string" } else { "bytes" }));
            parts.push(match length {
                Length::Fixed(size) => format!("size = {size}"),
                Length::Value { slot, times, add } => {
                    format!("max = {max}, length = {{ slot = {}, times = {times}, add = {add} }}", slot + 1)
                }
                Length::Until(delimiter) => format!("max = {max}, delimiter = {}", list(delimiter)),
                Length::Rest { behind } => format!("max = {max}, rest = {behind}"),
            });
        }
    }
    if field.when != Condition::Always {
        parts.push(format!("when = {}", tests(&field.when)));
    }
    if let Some(slot) = field.slot {
        parts.push(format!("slot = {}", slot + 1));
    }
    if !field.bits.is_empty() {
        let bits: Vec<_> = field
            .bits
            .iter()
            .map(|bits| {
                let slot = bits.slot.map_or_else(String::new, |slot| format!(", slot = {}", slot + 1));
                let names = names(&bits.names, false);
                format!(
                    "{{ name = {}, shift = {}, width = {}, names = {names}{slot} }}",
                    quoted(bits.name),
                    bits.shift,
                    bits.width
                )
            })
            .collect();
        parts.push(format!("bits = {{ {} }}", bits.join(", ")));
    }
    if !field.names.is_empty() {
        parts.push(format!("names = {}", names(&field.names, signed)));
    }
    if !field.words.is_empty() {
        let words: Vec<_> =
            field.words.iter().enumerate().map(|(value, word)| format!("[{}] = {value}", quoted(word))).collect();
        parts.push(format!("words = {{ {} }}", words.join(", ")));
    }
    if let Some(equals) = &field.equals {
        parts.push(match &equals.value {
            Constant::Integer(value) => {
                format!("equals = {}, fault = {}", number(*value, signed), quoted(equals.fault))
            }
            Constant::Bytes(bytes) => format!("constant = {}, fault = {}", list(bytes), quoted(equals.fault)),
        });
    }
    if let Some(end) = &field.end {
        let bits = end.bits.map_or_else(String::new, |bits| format!(", bits = {}", bits + 1));
        parts.push(format!("stop = {{ times = {}, add = {}, whole = {}{bits} }}", end.times, end.add, end.whole));
    }
    for (key, is_set) in [("optional", field.optional), ("secret", field.secret)] {
        if is_set {
            parts.push(format!("{key} = true"));
        }
    }
    format!("{{ {} }}", parts.join(", "))
}

fn tests(condition: &Condition) -> String {
    let Condition::Values(tests) = condition else { return "{}".to_owned() };
    let test = |test: &Test| {
        // The value is that of a signed field if it is negative as such, and small.
        let values: Vec<_> =
            test.values.iter().map(|value| format!("[{}] = true", number(*value, *value > u64::MAX / 2))).collect();
        format!("{{ slot = {}, negated = {}, values = {{ {} }} }}", test.slot + 1, test.negated, values.join(", "))
    };
    format!("{{ {} }}", tests.iter().map(test).collect::<Vec<_>>().join(", "))
}

fn names(names: &Names, signed: bool) -> String {
    let names: Vec<_> =
        names.0.iter().map(|(value, name)| format!("[{}] = {}", number(*value, signed), quoted(name))).collect();
    format!("{{ {} }}", names.join(", "))
}

fn number(value: u64, signed: bool) -> String {
    if signed { (value as i64).to_string() } else { value.to_string() }
}

fn set(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("[{}] = true", quoted(name))).collect();
    format!("{{ {} }}", names.join(", "))
}

fn list(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(u8::to_string).collect();
    format!("{{ {} }}", bytes.join(", "))
}

/// Writes a string for Lua.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        let _ = match byte {
            b'"' | b'\\' => write!(quoted, "\\{}", byte as char),
            b' '..=b'~' => write!(quoted, "{}", byte as char),
            _ => write!(quoted, "\\{byte:03}"),
        };
    }
    quoted + "\""
}
