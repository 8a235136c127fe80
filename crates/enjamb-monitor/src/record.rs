//! What is written down: one record a connection, message, error or gap.
//!
//! A record is visited field by field, always in the same order: by the JSON writer, by the text writer, and by
//! `tracing`. So a message reads the same wherever it comes from. `docs/records.md` is the schema.

use enjamb::{Connection, Ending, Message, Side, Time};

/// Something to write down.
#[derive(Clone, Copy)]
pub enum Record<'a> {
    /// A connection was opened, or seen for the first time.
    Opened {
        /// Which.
        connection: &'a Connection,
        /// When.
        time: Time,
    },
    /// A connection is over.
    Ended {
        /// Which.
        connection: &'a Connection,
        /// What it turned out to speak.
        protocol: &'a str,
        /// When.
        time: Time,
        /// When it was opened.
        opened: Time,
        /// What each side sent: the client's first.
        sides: [SideTotal; 2],
    },
    /// A message.
    Message {
        /// On which connection.
        connection: &'a Connection,
        /// When its last byte was seen.
        time: Time,
        /// The message.
        message: &'a Message<'a>,
        /// How long the other side took to answer, in microseconds.
        latency_us: Option<u64>,
        /// How many chunk boundaries fell inside it.
        cuts: u64,
    },
    /// Bytes that were never seen.
    Gap {
        /// On which connection.
        connection: &'a Connection,
        /// When it was known.
        time: Time,
        /// Whose bytes.
        side: Side,
        /// Where they are missing.
        offset: u64,
        /// How many.
        missing: u64,
    },
    /// Something went wrong with the watching or the relaying, not with the messages.
    Error {
        /// On which connection, if on one.
        connection: Option<&'a Connection>,
        /// When.
        time: Time,
        /// What went wrong.
        reason: &'a str,
    },
}

/// What one side sent in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTotal {
    /// Bytes of payload.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// How its stream ended. `None`: it had not.
    pub ending: Option<Ending>,
}

impl SideTotal {
    /// How its stream ended: lost, where nobody saw it end.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending.unwrap_or(Ending::Lost)
    }
}

/// A field's value.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A word or a phrase.
    Text(&'a str),
    /// A number.
    Number(u64),
    /// Something that writes itself.
    Display(&'a dyn std::fmt::Display),
    /// A point in time.
    Time(Time),
}

/// Takes the fields of a record, in order.
pub trait Visitor {
    /// The next field.
    fn field(&mut self, name: &'static str, value: Value<'_>);
}

impl Record<'_> {
    /// The record's type, as the field `type` names it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Record::Opened { .. } | Record::Ended { .. } => "connection",
            Record::Message { .. } => "message",
            Record::Gap { .. } => "gap",
            Record::Error { .. } => "error",
        }
    }

    /// Gives every field that applies to `visitor`.
    pub fn visit(&self, visitor: &mut dyn Visitor) {
        visitor.field("type", Value::Text(self.type_name()));
        match *self {
            Record::Opened { connection, time } => {
                visitor.field("time", Value::Time(time));
                visit_connection(connection, visitor);
                visitor.field("event", Value::Text("open"));
            }
            Record::Ended { connection, protocol, time, opened, sides } => {
                visitor.field("time", Value::Time(time));
                visit_connection(connection, visitor);
                visitor.field("protocol", Value::Text(protocol));
                visitor.field("event", Value::Text("end"));
                visitor.field("duration_us", Value::Number(micros(time, opened)));
                let names = [
                    ("client_bytes", "client_messages", "client_ending"),
                    ("server_bytes", "server_messages", "server_ending"),
                ];
                for (total, (bytes, messages, ending)) in sides.iter().zip(names) {
                    visitor.field(bytes, Value::Number(total.bytes));
                    visitor.field(messages, Value::Number(total.messages));
                    visitor.field(ending, Value::Text(total.ending().as_str()));
                }
            }
            Record::Message { connection, time, message, latency_us, cuts } => {
                visitor.field("time", Value::Time(time));
                visit_connection(connection, visitor);
                visitor.field("protocol", Value::Text(message.protocol));
                visitor.field("side", Value::Text(message.side.as_str()));
                visitor.field("kind", Value::Text(message.kind));
                visitor.field("offset", Value::Number(message.span.offset));
                visitor.field("length", Value::Number(message.span.length));
                visitor.field("outcome", Value::Text(message.outcome.as_str()));
                if let Some(code) = message.code {
                    visitor.field("code", Value::Text(code));
                }
                if let Some(reason) = message.reason {
                    visitor.field("reason", Value::Text(reason));
                }
                if let Some(latency) = latency_us {
                    visitor.field("latency_us", Value::Number(latency));
                }
                visitor.field("cuts", Value::Number(cuts));
                visitor.field("summary", Value::Display(message.summary));
            }
            Record::Gap { connection, time, side, offset, missing } => {
                visitor.field("time", Value::Time(time));
                visit_connection(connection, visitor);
                visitor.field("side", Value::Text(side.as_str()));
                visitor.field("offset", Value::Number(offset));
                visitor.field("missing", Value::Number(missing));
            }
            Record::Error { connection, time, reason } => {
                visitor.field("time", Value::Time(time));
                if let Some(connection) = connection {
                    visit_connection(connection, visitor);
                }
                visitor.field("reason", Value::Text(reason));
            }
        }
    }
}

fn visit_connection(connection: &Connection, visitor: &mut dyn Visitor) {
    visitor.field("conn", Value::Number(connection.number));
    visitor.field("client", Value::Display(&connection.client));
    visitor.field("server", Value::Display(&connection.server));
}

/// Whole microseconds from `earlier` to `time`.
pub(crate) fn micros(time: Time, earlier: Time) -> u64 {
    u64::try_from(time.since(earlier).as_micros()).unwrap_or(u64::MAX)
}
