//! A spec file from its text: the protocol, its messages, its states.

use std::collections::BTreeSet;

use enjamb::Side;
use toml::de::DeTable;

use super::error::SpecFileError;
use super::fields::{Fields, Place, is_little};
use super::model::{Condition, Form, Layout, Named, Sequence, Spec, State, Target, Transition};
use super::names::intern;
use super::source::{Entry, Parsed, Table, Value, similar};
use crate::registry::open_named;

/// The longest spec file, in bytes.
const TEXT_MAX: usize = 256 << 10;

/// The maximum number of messages, of states, and of transitions from one state.
const PARTS_MAX: usize = 64;

/// The longest message, if the spec gives no maximum: 1 MiB, as for framing specs.
const MESSAGE_MAX: u64 = enjamb::Limit::DEFAULT.max;

/// The keys of a protocol.
const KEYS: [&str; 10] = ["name", "about", "ports", "order", "client", "server", "on", "joined", "messages", "states"];

/// The keys of a message.
const MESSAGE_KEYS: [&str; 13] = [
    "about",
    "fields",
    "length",
    "max",
    "continues",
    "kind",
    "id",
    "request",
    "answer",
    "more",
    "failed",
    "code",
    "subject",
];

/// The keys of a state.
const STATE_KEYS: [&str; 3] = ["client", "server", "on"];

/// The names that no protocol of a spec file has, since they mean something else.
const RESERVED: [&str; 7] = ["auto", "opaque", "lines", "varint", "netstring", "cobs", "fixed"];

/// A message whose fields are read.
struct Message<'t> {
    entry: Entry<'t>,
    fields: Fields<'t>,
    /// The kinds of its messages.
    kinds: Vec<&'static str>,
}

/// Reads a spec file.
pub(super) fn parse(text: &str) -> Parsed<Spec> {
    if text.len() > TEXT_MAX {
        return Err(SpecFileError::new(text, 0..0, format!("a spec file has at most {TEXT_MAX} bytes")));
    }
    let document = DeTable::parse(text).map_err(|error| {
        let reason = error.message().lines().next().unwrap_or("this is not TOML").to_owned();
        SpecFileError::new(text, error.span().unwrap_or(0..0), reason)
            .remedy("a spec file is TOML: see https://toml.io")
    })?;
    let top = Table::new(text, 0..0, document.get_ref());
    top.allow("a spec", &KEYS)?;
    let mut spec = Spec { name: protocol_name(&top)?, about: top.about()?.to_owned(), ..Spec::default() };
    if let Some(ports) = top.get("ports") {
        for port in ports.array()? {
            spec.ports.push(port.unsigned(1..=u16::MAX.into())? as u16);
        }
    }
    let little = top.get("order").map_or(Ok(false), is_little)?;
    let mut messages = messages(&top, little)?;
    let layouts: Vec<&str> = messages.iter().map(|message| message.entry.key).collect();
    let layouts: Vec<String> = layouts.into_iter().map(str::to_owned).collect();
    for message in &mut messages {
        let layout = layout(message, &layouts)?;
        spec.layouts.push(layout);
    }
    states(&top, &mut spec, &mut messages)?;
    if let Some(joined) = top.get("joined") {
        spec.joined = Some(state_of(&spec.states, joined)?);
    }
    check_fragments(&spec, &messages)?;
    for (layout, message) in spec.layouts.iter_mut().zip(messages) {
        (layout.fields, layout.runs) = message.fields.finish();
    }
    Ok(spec)
}

fn protocol_name(top: &Table<'_>) -> Parsed<&'static str> {
    let value = top.get("name").ok_or_else(|| {
        SpecFileError::new(top.text, 0..0, "the protocol has no name").remedy("begin with name = \"...\"")
    })?;
    let name = value.string()?;
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_name {
        return Err(
            value.fail("the name of a protocol has 1 to 32 lower case letters, digits and _, and begins with a letter")
        );
    }
    if RESERVED.contains(&name) {
        return Err(value.fail(format!("the name {name:?} means something else")).remedy("choose another name"));
    }
    Ok(intern(name))
}

/// Reads the fields of all messages.
fn messages<'t>(top: &Table<'t>, little: bool) -> Parsed<Vec<Message<'t>>> {
    let Some(entry) = top.entry("messages") else {
        return Err(top.fail("the spec has no messages").remedy("add a table [messages.NAME] with a list of fields"));
    };
    let all = entry.value.table()?.entries;
    if all.is_empty() || all.len() > PARTS_MAX {
        return Err(entry.fail(format!("a protocol has 1 to {PARTS_MAX} messages")));
    }
    let tables = all.iter().map(|entry| entry.value.table()).collect::<Parsed<Vec<_>>>()?;
    let mut messages = Vec::new();
    for (entry, table) in all.iter().zip(&tables) {
        entry.name()?;
        table.allow("a message", &MESSAGE_KEYS)?;
        let list = table.get("fields").ok_or_else(|| {
            entry
                .fail(format!("the message {:?} has no fields", entry.key))
                .remedy("add fields = [{ name = ..., type = ... }]")
        })?;
        // A name means the fields of that message.
        let list = match list.as_str() {
            None => list,
            Some(name) => {
                let other = all.iter().position(|other| other.key == name).and_then(|at| tables[at].get("fields"));
                other.filter(Value::is_array).ok_or_else(|| {
                    list.fail(format!("no message {name:?} has a list of fields"))
                        .remedy("fields is a list, or the name of a message that has one")
                })?
            }
        };
        let max = table.get("max").map_or(Ok(MESSAGE_MAX), |max| {
            max.size().and_then(|size| match size {
                1..=0x7fff_ffff => Ok(size),
                _ => Err(max.fail("a message has 1 byte to 2 GiB")),
            })
        })?;
        let mut fields = Fields::new(top.text, format!("the message {:?}", entry.key), little, max);
        if let Some(length) = table.get("length") {
            fields.message_length(length)?;
        }
        fields.read(list)?;
        messages.push(Message { entry: entry.clone(), fields, kinds: Vec::new() });
    }
    Ok(messages)
}

/// Reads the meaning of a message.
fn layout(message: &mut Message<'_>, layouts: &[String]) -> Parsed<Layout> {
    let table = message.entry.value.table()?;
    let fields = &mut message.fields;
    let name = intern(message.entry.key);
    let kind = match table.get("kind") {
        None => None,
        Some(value) => {
            let named = named(fields, value, "a kind")?;
            if named.names.is_empty() {
                return Err(value
                    .fail(format!("the values of {:?} have no names", value.string()?))
                    .remedy("the names are the kinds of messages: names = { 1 = \"LOGIN\" }"));
            }
            Some(named)
        }
    };
    message.kinds = kind.iter().flat_map(|named| named.names.0.iter().map(|known| known.1)).collect();
    if !message.kinds.contains(&name) {
        message.kinds.push(name);
    }
    let kinds = &message.kinds;
    let mut conditions = ["request", "answer", "more", "failed"]
        .map(|key| table.get(key).map_or(Ok(Condition::Never), |value| meaning(fields, kinds, value)));
    let [request, answer, more, failed] =
        conditions.each_mut().map(|condition| std::mem::replace(condition, Ok(Condition::Never)));
    let (request, answer, more, failed) = (request?, answer?, more?, failed?);
    if let (Condition::Kinds(requests), Condition::Kinds(answers), Some(value)) =
        (&request, &answer, table.get("answer"))
        && let Some(both) = requests.iter().find(|kind| answers.contains(kind))
    {
        return Err(value
            .fail(format!("{both:?} is a request and an answer"))
            .remedy("if it depends on the side, give client and server messages of their own"));
    }
    if let (Condition::Never, Some(more)) = (&answer, table.get("more")) {
        return Err(more.fail("there are no answers, so there are not more of them").remedy("add answer = [...]"));
    }
    let id = match table.get("id") {
        None => None,
        Some(value) => {
            let place = fields.integer(value.string()?, value, "an id")?;
            Some(fields.slot(place, value)?)
        }
    };
    // The id of a fragment is compared with that of its message.
    if let (Some(id), Condition::Never, Condition::Never, None) =
        (table.get("id"), &request, &answer, table.get("continues"))
    {
        return Err(id
            .fail("no message is a request or an answer, so the id means nothing")
            .remedy("add request = [...] or answer = [...], with kinds, or true for all"));
    }
    let code = match table.get("code") {
        None => None,
        Some(value) => {
            fields.integer(value.string()?, value, "a code")?;
            Some(named(fields, value, "a code")?)
        }
    };
    let subject = match table.get("subject") {
        None => None,
        Some(value) => Some(subject(fields, value)?),
    };
    let continues = match table.get("continues") {
        None => None,
        Some(value) => Some(continuation(fields, value, layouts, message.entry.key)?),
    };
    let max = table.get("max").map_or(Ok(MESSAGE_MAX), |max| max.size())?;
    let (fields, runs) = (Vec::new(), Vec::new());
    Ok(Layout { name, fields, runs, max, continues, kind, id, request, answer, more, failed, code, subject })
}

fn named<'t>(fields: &mut Fields<'t>, value: Value<'t>, wanted: &str) -> Parsed<Named> {
    let name = value.string()?;
    let place = fields.find(name, value)?;
    if fields.names(place).is_empty() {
        fields.integer(name, value, wanted)?;
    }
    refuse_secret(fields, place, value)?;
    Ok(Named { slot: fields.slot(place, value)?, names: fields.names(place), signed: fields.is_signed(place) })
}

fn refuse_secret(fields: &Fields<'_>, place: Place, value: Value<'_>) -> Parsed<()> {
    if fields.fields[place.field].secret {
        return Err(value.fail(format!("{:?} is a secret, and this would show it", value.string()?)));
    }
    Ok(())
}

/// Reads which messages are requests, answers or errors.
fn meaning<'t>(fields: &mut Fields<'t>, kinds: &[&'static str], value: Value<'t>) -> Parsed<Condition> {
    if let Some(all) = value.as_bool() {
        return Ok(if all { Condition::Always } else { Condition::Never });
    }
    if value.is_table() {
        return fields.condition(value);
    }
    if !value.is_array() {
        return Err(value
            .fail("expected kinds, or a condition")
            .remedy("write [\"KIND\", ...], true for all, or { FIELD = VALUE }"));
    }
    let mut named = Vec::new();
    for kind in value.array()? {
        named.push(known_kind(kinds, kind)?);
    }
    Ok(Condition::Kinds(named))
}

fn known_kind(kinds: &[&'static str], value: Value<'_>) -> Parsed<&'static str> {
    let name = value.string()?;
    kinds.iter().copied().find(|kind| *kind == name).ok_or_else(|| {
        let error = value.fail(format!("there is no kind {name:?}"));
        match similar(name, kinds.iter().copied()) {
            Some(similar) => error.remedy(format!("did you mean {similar:?}?")),
            None => error.remedy(format!("the kinds are {}", kinds.join(", "))),
        }
    })
}

fn subject<'t>(fields: &mut Fields<'t>, value: Value<'t>) -> Parsed<(usize, Option<usize>)> {
    let place = fields.find(value.string()?, value)?;
    refuse_secret(fields, place, value)?;
    if !matches!(fields.fields[place.field].form, Form::Bytes { .. }) {
        fields.slot(place, value)?;
    }
    Ok((place.field, place.bits))
}

/// Reads when another frame continues the message.
fn continuation<'t>(
    fields: &mut Fields<'t>,
    value: Value<'t>,
    layouts: &[String],
    own: &str,
) -> Parsed<(Condition, u8)> {
    let table = value.table()?;
    table.allow("continues", &["when", "with"])?;
    let when = table.get("when").ok_or_else(|| {
        table.fail("nothing says when the message continues").remedy("write continues = { when = { FIELD = VALUE } }")
    })?;
    let condition = fields.condition(when)?;
    let (name, value) = match table.get("with") {
        Some(with) => (with.string()?, with),
        None => (own, value),
    };
    Ok((condition, layout_of(layouts, name, value)?))
}

fn layout_of<N: AsRef<str>>(layouts: &[N], name: &str, value: Value<'_>) -> Parsed<u8> {
    layouts.iter().position(|layout| layout.as_ref() == name).map(|at| at as u8).ok_or_else(|| {
        let error = value.fail(format!("there is no message {name:?}"));
        let known = layouts.iter().map(AsRef::as_ref);
        match similar(name, known.clone()) {
            Some(similar) => error.remedy(format!("did you mean {similar:?}?")),
            None => error.remedy(format!("the messages are {}", known.collect::<Vec<_>>().join(", "))),
        }
    })
}

/// Checks that what continues a message continues in its turn, or is its last frame.
fn check_fragments(spec: &Spec, messages: &[Message<'_>]) -> Parsed<()> {
    for layout in &spec.layouts {
        let Some((_, next)) = &layout.continues else { continue };
        let fragments = &spec.layouts[usize::from(*next)];
        if fragments.continues.is_none() {
            let other = &messages[usize::from(*next)].entry;
            return Err(other
                .fail(format!(
                    "{:?} continues {:?}, but nothing says when it is the last frame",
                    other.key, layout.name
                ))
                .remedy("give it continues = { when = { FIELD = VALUE } }, too"));
        }
    }
    Ok(())
}

/// Reads the states: those of the file, or a single one without a name.
fn states<'t>(top: &Table<'t>, spec: &mut Spec, messages: &mut [Message<'t>]) -> Parsed<()> {
    let tables = match top.entry("states") {
        None => vec![("", top.span.clone(), None)],
        Some(states) => {
            if let Some(on) = top.entry("on") {
                return Err(on
                    .fail("\"on\" belongs to a state here")
                    .remedy("move it into the [states.NAME] in which it happens"));
            }
            let entries = states.value.table()?.entries;
            if entries.is_empty() || entries.len() > PARTS_MAX {
                return Err(states.fail(format!("a protocol has 1 to {PARTS_MAX} states")));
            }
            let mut tables = Vec::new();
            for entry in entries {
                entry.name()?;
                let table = entry.value.table()?;
                table.allow("a state", &STATE_KEYS)?;
                tables.push((entry.key, entry.span.clone(), Some(table)));
            }
            tables
        }
    };
    for (name, span, table) in &tables {
        let mut sides = [Sequence { first: 0, then: 0 }; 2];
        for (side, key) in [(Side::Client, "client"), (Side::Server, "server")] {
            let own = table.as_ref().and_then(|table| table.get(key)).or_else(|| top.get(key));
            sides[side.index()] = match own {
                Some(value) => sequence(value, messages)?,
                None if messages.len() == 1 => Sequence { first: 0, then: 0 },
                None => {
                    let place = if name.is_empty() { String::new() } else { format!(" in the state {name:?}") };
                    return Err(SpecFileError::new(
                        top.text,
                        span.clone(),
                        format!("nothing says which messages the {key} sends{place}"),
                    )
                    .remedy(format!(
                        "write {key} = \"MESSAGE\", or {key} = {{ first = \"MESSAGE\", then = \"MESSAGE\" }}"
                    )));
                }
            };
        }
        spec.states.push(State { name: intern(name), sides, transitions: Vec::new() });
    }
    for (at, (_, _, table)) in tables.iter().enumerate() {
        let Some(on) = table.as_ref().unwrap_or(top).get("on") else { continue };
        let list = on.array()?;
        if list.len() > PARTS_MAX {
            return Err(on.fail(format!("a state has at most {PARTS_MAX} transitions")));
        }
        for value in list {
            let transition = transition(value, spec, messages)?;
            spec.states[at].transitions.push(transition);
        }
    }
    Ok(())
}

fn sequence(value: Value<'_>, messages: &[Message<'_>]) -> Parsed<Sequence> {
    let names: Vec<&str> = messages.iter().map(|message| message.entry.key).collect();
    if !value.is_table() {
        let layout = layout_of(&names, value.string()?, value)?;
        return Ok(Sequence { first: layout, then: layout });
    }
    let table = value.table()?;
    table.allow("a side", &["first", "then"])?;
    let [first, then] = ["first", "then"].map(|key| {
        let value = table.get(key).ok_or_else(|| {
            table.fail(format!("the side has no {key:?}")).remedy("write { first = \"MESSAGE\", then = \"MESSAGE\" }")
        })?;
        layout_of(&names, value.string()?, value)
    });
    Ok(Sequence { first: first?, then: then? })
}

fn transition<'t>(value: Value<'t>, spec: &Spec, messages: &mut [Message<'t>]) -> Parsed<Transition> {
    let table = value.table()?;
    table.allow("a transition", &["from", "kind", "when", "go", "switch"])?;
    let from = match table.get("from") {
        None => None,
        Some(from) => Some(match from.string()? {
            "client" => Side::Client,
            "server" => Side::Server,
            other => {
                return Err(from.fail(format!("there is no side {other:?}")).remedy("it is \"client\" or \"server\""));
            }
        }),
    };
    let kinds = match table.get("kind") {
        None => None,
        Some(kind) => {
            let known: BTreeSet<_> = messages.iter().flat_map(|message| message.kinds.iter().copied()).collect();
            let known: Vec<_> = known.into_iter().collect();
            let values = if kind.is_array() { kind.array()? } else { vec![kind] };
            Some(values.into_iter().map(|kind| known_kind(&known, kind)).collect::<Parsed<Vec<_>>>()?)
        }
    };
    let mut when = vec![Some(Condition::Always); messages.len()];
    if let Some(value) = table.get("when") {
        let names: Vec<&str> = value.table()?.entries.iter().map(|entry| entry.key).collect();
        let mut is_possible = false;
        for (message, when) in messages.iter_mut().zip(&mut when) {
            let has_all = names.iter().all(|name| message.fields.place(name).is_some());
            *when = if has_all { Some(message.fields.condition(value)?) } else { None };
            is_possible |= has_all;
        }
        if !is_possible {
            return Err(value.fail(format!("no message has the field {}", names.join(" and the field "))));
        }
    }
    if kinds.is_none() && table.get("when").is_none() {
        return Err(table
            .fail("the transition happens behind every message")
            .remedy("give it a kind, such as kind = \"LOGIN\", or when = { FIELD = VALUE }"));
    }
    let target = match (table.get("go"), table.get("switch")) {
        (Some(go), None) => Target::State(state_of(&spec.states, go)?),
        (None, Some(switch)) => match switch.string()? {
            "opaque" => Target::Opaque,
            name if open_named(name, Side::Client, b"").is_some() => Target::Protocol(intern(name)),
            name => {
                return Err(switch
                    .fail(format!("there is no protocol {name:?}"))
                    .remedy("`enjamb protocols` lists them; \"opaque\" means that the rest is not parsed"));
            }
        },
        (Some(_), Some(switch)) => {
            return Err(switch.fail("the transition has two targets").remedy("give it go or switch"));
        }
        (None, None) => {
            return Err(table
                .fail("the transition has no target")
                .remedy("go = \"STATE\", or switch = \"opaque\" or another protocol"));
        }
    };
    Ok(Transition { from, kinds, when, target })
}

fn state_of(states: &[State], value: Value<'_>) -> Parsed<u8> {
    let name = value.string()?;
    states.iter().position(|state| state.name == name && !name.is_empty()).map(|at| at as u8).ok_or_else(|| {
        let error = value.fail(format!("there is no state {name:?}"));
        let known = states.iter().map(|state| state.name).filter(|name| !name.is_empty());
        match similar(name, known.clone()) {
            Some(similar) => error.remedy(format!("did you mean {similar:?}?")),
            None if known.clone().next().is_none() => error.remedy("add a table [states.NAME]"),
            None => error.remedy(format!("the states are {}", known.collect::<Vec<_>>().join(", "))),
        }
    })
}
