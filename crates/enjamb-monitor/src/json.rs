//! A record as one JSON object on one line.

use enjamb::{Connection, Flags, Message, Time};

use crate::escape::{Line, push_address, push_json, push_json_display, push_number};
use crate::field::Field;
use crate::payload::{Payload, ShowForm};
use crate::record::{Record, Value, Visitor};
use crate::time::{Rfc3339, TimeWriter};

/// Appends `record` and a line feed.
pub(crate) fn write(record: &Record<'_>, line: &mut Vec<u8>) {
    record.visit(&mut JsonLine(line));
    line.extend_from_slice(b"}\n");
}

struct JsonLine<'a>(&'a mut Vec<u8>);

impl Visitor for JsonLine<'_> {
    // A visit calls it with constants: if it is inlined, the compiler makes most of its decisions.
    #[inline(always)]
    fn field(&mut self, field: Field, value: Value<'_>) {
        let Self(line) = self;
        // Every record begins with its type.
        if field == Field::Type {
            line.push(b'{');
            line.push_str(&field.json_key()[1..]);
        } else {
            line.push_str(field.json_key());
        }
        if let Value::Number(number) = value {
            return push_number(number, *line);
        }
        if let Value::Flags(flags) = value {
            return push_flags(flags, line);
        }
        line.push(b'"');
        match value {
            Value::Number(_) | Value::Flags(_) => {}
            Value::Word(word) => line.push_str(word),
            Value::Text(text) => push_json(text, line),
            Value::Time(time) => line.push_str(Rfc3339(time).text().as_str()),
            Value::Address(address) => push_address(address, *line),
            Value::Line(display) => push_json_display(display, line),
            Value::Payload(payload) => match payload.form {
                ShowForm::Text => push_json_display(&payload.text(), line),
                ShowForm::Hex => line.push_str(&payload.hex().to_string()),
            },
        }
        line.push(b'"');
    }
}

/// Appends the names as an array of strings.
#[cold]
fn push_flags(flags: Flags<'_>, line: &mut Vec<u8>) {
    let mut opening = "[\"";
    for name in flags.names() {
        line.push_str(opening);
        push_json(name, line);
        opening = "\",\"";
    }
    line.push_str("\"]");
}

/// The number of connections whose fields are kept as text.
const CONNECTIONS_KEPT: usize = 256;

/// Writes records as JSON lines, as [`Format::JsonLines`](crate::Format) does.
///
/// The fields of a connection are the same in all its messages, so it keeps their text, for up to
/// 256 connections. It is for a writer of many records.
///
/// ```
/// use enjamb::Time;
/// use enjamb_monitor::{JsonWriter, Record};
///
/// let mut lines = Vec::new();
/// let record = Record::Error { connection: None, time: Time::default(), reason: "the disk is full" };
/// JsonWriter::default().write(&record, &mut lines);
/// assert_eq!(lines, b"{\"type\":\"error\",\"time\":\"1970-01-01T00:00:00.000000000Z\",\"reason\":\"the disk is full\"}\n");
/// ```
#[derive(Default)]
pub struct JsonWriter {
    times: TimeWriter,
    /// The place of a connection is its number, modulo the length.
    connections: Vec<Option<ConnectionText>>,
}

/// The fields of a connection and its protocol, as text.
struct ConnectionText {
    connection: Connection,
    protocol: String,
    /// The fields, and the beginning of the next one, which is the side.
    text: Vec<u8>,
}

/// The fields of a message record.
struct MessageFields<'a> {
    connection: &'a Connection,
    time: Time,
    message: &'a Message<'a>,
    latency_us: Option<u64>,
    cuts: u64,
    payload: Option<Payload<'a>>,
}

impl JsonWriter {
    /// Appends `record` and a line feed to `lines`.
    pub fn write(&mut self, record: &Record<'_>, lines: &mut Vec<u8>) {
        match *record {
            Record::Message { connection, time, message, latency_us, cuts, payload } => {
                self.message(&MessageFields { connection, time, message, latency_us, cuts, payload }, lines);
            }
            _ => write(record, lines),
        }
    }

    /// Appends a message. The fields are those of [`Record::visit`], in the same order. Most
    /// records are messages, and pieces whose length is known are appended in a few instructions.
    fn message(&mut self, fields: &MessageFields<'_>, line: &mut Vec<u8>) {
        let MessageFields { connection, time, message, latency_us, cuts, payload } = *fields;
        line.extend_from_slice(b"{\"type\":\"message\",\"time\":\"");
        line.extend_from_slice(self.times.text(time));
        line.extend_from_slice(self.connection(connection, message.protocol));
        line.extend_from_slice(message.side.as_str().as_bytes());
        line.extend_from_slice(b"\",\"kind\":\"");
        push_json(message.kind, line);
        line.extend_from_slice(b"\",\"offset\":");
        push_number(message.span.offset, line);
        line.extend_from_slice(b",\"length\":");
        push_number(message.span.length, line);
        line.extend_from_slice(b",\"outcome\":\"");
        line.extend_from_slice(message.outcome.as_str().as_bytes());
        line.push(b'"');
        if message.code.is_some() || message.reason.is_some() || !message.flags.is_empty() {
            push_remarks(message, line);
        }
        if let Some(latency_us) = latency_us {
            line.extend_from_slice(b",\"latency_us\":");
            push_number(latency_us, line);
        }
        line.extend_from_slice(b",\"cuts\":");
        match cuts {
            0..10 => line.push(b'0' + cuts as u8),
            _ => push_number(cuts, line),
        }
        line.extend_from_slice(b",\"summary\":\"");
        push_json_display(message.summary, line);
        line.push(b'"');
        if let Some(payload) = payload {
            push_payload(payload, line);
        }
        line.extend_from_slice(b"}\n");
    }

    /// Returns the text from the end of the time to the beginning of the side.
    #[inline]
    fn connection(&mut self, connection: &Connection, protocol: &str) -> &[u8] {
        if self.connections.is_empty() {
            self.connections.resize_with(CONNECTIONS_KEPT, || None);
        }
        let kept = &mut self.connections[connection.number as usize % CONNECTIONS_KEPT];
        if !kept.as_ref().is_some_and(|kept| kept.connection == *connection && kept.protocol == protocol) {
            *kept = None;
        }
        &kept.get_or_insert_with(|| ConnectionText::new(connection, protocol)).text
    }
}

impl ConnectionText {
    #[cold]
    fn new(connection: &Connection, protocol: &str) -> Self {
        let mut text = b"\"".to_vec();
        let mut fields = JsonLine(&mut text);
        fields.field(Field::Conn, Value::Number(connection.number));
        fields.field(Field::Client, Value::Address(&connection.client));
        fields.field(Field::Server, Value::Address(&connection.server));
        fields.field(Field::Protocol, Value::Text(protocol));
        text.push_str(Field::Side.json_key());
        text.push(b'"');
        Self { connection: *connection, protocol: protocol.to_owned(), text }
    }
}

/// Appends the code, the reason and the flags of a message, as far as it has them.
#[inline(never)]
fn push_remarks(message: &Message<'_>, line: &mut Vec<u8>) {
    let mut fields = JsonLine(line);
    if let Some(code) = message.code {
        fields.field(Field::Code, Value::Text(code));
    }
    if let Some(reason) = message.reason {
        fields.field(Field::Reason, Value::Text(reason));
    }
    if !message.flags.is_empty() {
        fields.field(Field::Flags, Value::Flags(message.flags));
    }
}

#[inline(never)]
fn push_payload(payload: Payload<'_>, line: &mut Vec<u8>) {
    let mut fields = JsonLine(line);
    let field = if payload.form == ShowForm::Hex { Field::PayloadHex } else { Field::Payload };
    fields.field(field, Value::Payload(payload));
    if payload.more > 0 {
        fields.field(Field::PayloadMore, Value::Number(payload.more));
    }
}

#[cfg(test)]
mod tests {
    use enjamb::{Connection, Flags, Message, Outcome, Side, Span, Time};

    use super::{JsonWriter, write};
    use crate::record::Record;

    #[test]
    fn a_writer_writes_what_a_visit_of_the_record_writes() {
        let mut writer = JsonWriter::default();
        // Numbers that share a place, and one number with several addresses and protocols.
        for (number, port) in [(1, 6379), (257, 6379), (1, 6379), (1, 80), (2, 80), (1, 80)] {
            let client = "[fe80::1]:40000".parse().unwrap();
            let connection = &Connection { number, client, server: ([10, 0, 0, 1], port).into() };
            for place in 0..96_u64 {
                let (protocol, kind) = if place % 2 == 0 { ("redis", "GET") } else { ("a\"b", "x\ny") };
                let span = Span { offset: place * 1_000_000_007, length: place };
                let mut message = Message::new(protocol, Side::BOTH[place as usize % 2], kind, span);
                message.outcome = [Outcome::Ok, Outcome::Failed, Outcome::Malformed][place as usize % 3];
                message.code = (place % 4 == 1).then_some("404");
                message.reason = (place % 5 == 1).then_some("\"no\" reason");
                message.flags = if place % 7 == 1 { Flags::from_list("bare-lf,two-hosts") } else { Flags::NONE };
                message.summary = if place % 3 == 1 { &"a \"quote\"\t\u{1b}\u{85}é and sixteen more" } else { &"" };
                let latency_us = (place % 2 == 1).then_some(place * place);
                let time = Time::from_nanos(1_700_000_000_999_999_990 + place * 7);
                let record =
                    Record::Message { connection, time, message: &message, latency_us, cuts: place, payload: None };
                let (mut visited, mut written) = (Vec::new(), Vec::new());
                write(&record, &mut visited);
                writer.write(&record, &mut written);
                assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(visited).unwrap());
            }
        }
    }
}
