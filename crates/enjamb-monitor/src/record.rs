//! What is written down: one record a connection, message, error or gap.
//!
//! A record is visited field by field, always in the same order: by the JSON writer, by the text writer, and by
//! `tracing`. So a message reads the same wherever it comes from. `docs/records.md` is the schema.

use std::net::SocketAddr;

use enjamb::{Connection, Ending, Message, Side, Time};

use crate::field::Field;
use crate::payload::{Payload, ShowForm};

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
        /// Its first bytes, where they are to be shown.
        payload: Option<Payload<'a>>,
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
    /// Bytes of a message.
    Payload(Payload<'a>),
}

/// Takes the fields of a record, in order.
pub trait Visitor {
    /// The next field.
    fn field(&mut self, name: &'static str, value: Value<'_>);

    /// The next field, which is a word of the schema: there is nothing in it to escape.
    fn word(&mut self, name: &'static str, word: &'static str) {
        self.field(name, Value::Text(word));
    }

    /// The next field, which is an address.
    fn address(&mut self, name: &'static str, address: &SocketAddr) {
        self.field(name, Value::Display(address));
    }
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

    /// The connection it is of.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        match *self {
            Record::Opened { connection, .. }
            | Record::Ended { connection, .. }
            | Record::Message { connection, .. }
            | Record::Gap { connection, .. } => Some(connection),
            Record::Error { connection, .. } => connection,
        }
    }

    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Time {
        match *self {
            Record::Opened { time, .. }
            | Record::Ended { time, .. }
            | Record::Message { time, .. }
            | Record::Gap { time, .. }
            | Record::Error { time, .. } => time,
        }
    }

    /// A field's value, if it applies.
    #[must_use]
    #[inline]
    pub fn get(&self, field: Field) -> Option<Value<'_>> {
        match field {
            Field::Type => return Some(Value::Text(self.type_name())),
            Field::Time => return Some(Value::Time(self.time())),
            Field::Conn => return self.connection().map(|connection| Value::Number(connection.number)),
            Field::Client => return self.connection().map(|connection| Value::Display(&connection.client)),
            Field::Server => return self.connection().map(|connection| Value::Display(&connection.server)),
            _ => {}
        }
        match self {
            Record::Opened { .. } => match field {
                Field::Event => Some(Value::Text("open")),
                _ => None,
            },
            Record::Ended { protocol, time, opened, sides: [client, server], .. } => match field {
                Field::Protocol => Some(Value::Text(protocol)),
                Field::Event => Some(Value::Text("end")),
                Field::DurationUs => Some(Value::Number(micros(*time, *opened))),
                Field::ClientBytes => Some(Value::Number(client.bytes)),
                Field::ClientMessages => Some(Value::Number(client.messages)),
                Field::ClientEnding => Some(Value::Text(client.ending().as_str())),
                Field::ServerBytes => Some(Value::Number(server.bytes)),
                Field::ServerMessages => Some(Value::Number(server.messages)),
                Field::ServerEnding => Some(Value::Text(server.ending().as_str())),
                _ => None,
            },
            Record::Message { message, latency_us, cuts, payload, .. } => match field {
                Field::Protocol => Some(Value::Text(message.protocol)),
                Field::Side => Some(Value::Text(message.side.as_str())),
                Field::Kind => Some(Value::Text(message.kind)),
                Field::Offset => Some(Value::Number(message.span.offset)),
                Field::Length => Some(Value::Number(message.span.length)),
                Field::Outcome => Some(Value::Text(message.outcome.as_str())),
                Field::Code => message.code.map(Value::Text),
                Field::Reason => message.reason.map(Value::Text),
                Field::LatencyUs => latency_us.map(Value::Number),
                Field::Cuts => Some(Value::Number(*cuts)),
                Field::Summary => Some(Value::Display(message.summary)),
                Field::Payload => payload.filter(|payload| payload.form == ShowForm::Text).map(Value::Payload),
                Field::PayloadHex => payload.filter(|payload| payload.form == ShowForm::Hex).map(Value::Payload),
                Field::PayloadMore => payload.filter(|payload| payload.more > 0).map(|it| Value::Number(it.more)),
                _ => None,
            },
            Record::Gap { side, offset, missing, .. } => match field {
                Field::Side => Some(Value::Text(side.as_str())),
                Field::Offset => Some(Value::Number(*offset)),
                Field::Missing => Some(Value::Number(*missing)),
                _ => None,
            },
            Record::Error { reason, .. } => match field {
                Field::Reason => Some(Value::Text(reason)),
                _ => None,
            },
        }
    }

    /// Gives every field that applies to `visitor`, in the order of [`Field::ALL`].
    pub fn visit<V: Visitor + ?Sized>(&self, visitor: &mut V) {
        use Field::*;
        visitor.word(Type.name(), self.type_name());
        self.give(Time, visitor);
        if let Some(connection) = self.connection() {
            self.give(Conn, visitor);
            visitor.address(Client.name(), &connection.client);
            visitor.address(Server.name(), &connection.server);
        }
        match self {
            Record::Opened { .. } => self.give(Event, visitor),
            Record::Ended { .. } => {
                self.give(Protocol, visitor);
                self.give(Event, visitor);
                self.give(DurationUs, visitor);
                self.give(ClientBytes, visitor);
                self.give(ClientMessages, visitor);
                self.give(ClientEnding, visitor);
                self.give(ServerBytes, visitor);
                self.give(ServerMessages, visitor);
                self.give(ServerEnding, visitor);
            }
            Record::Message { message, payload, .. } => {
                self.give(Protocol, visitor);
                visitor.word(Side.name(), message.side.as_str());
                self.give(Kind, visitor);
                self.give(Offset, visitor);
                self.give(Length, visitor);
                visitor.word(Outcome.name(), message.outcome.as_str());
                self.give(Code, visitor);
                self.give(Reason, visitor);
                self.give(LatencyUs, visitor);
                self.give(Cuts, visitor);
                self.give(Summary, visitor);
                if payload.is_some() {
                    self.give(Payload, visitor);
                    self.give(PayloadHex, visitor);
                    self.give(PayloadMore, visitor);
                }
            }
            Record::Gap { side, .. } => {
                visitor.word(Side.name(), side.as_str());
                self.give(Offset, visitor);
                self.give(Missing, visitor);
            }
            Record::Error { .. } => self.give(Reason, visitor),
        }
    }

    /// One field, if it applies. What of it is known when this is compiled is not looked up again for each record.
    #[inline(always)]
    fn give<V: Visitor + ?Sized>(&self, field: Field, visitor: &mut V) {
        if let Some(value) = self.get(field) {
            visitor.field(field.name(), value);
        }
    }
}

/// Whole microseconds from `earlier` to `time`.
pub(crate) fn micros(time: Time, earlier: Time) -> u64 {
    time.nanos().saturating_sub(earlier.nanos()) / 1000
}
