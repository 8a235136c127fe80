//! Records: one for each connection, message, error or gap.
//!
//! A record borrows its content, so making one costs nothing. A writer receives its fields as typed
//! values, in the order of [`Field::ALL`]; nothing is turned into text before a writer needs text.

use std::fmt;
use std::net::SocketAddr;

use enjamb::{Connection, Ending, Flags, Message, Side, Time};

use crate::field::{Field, RecordType, with_field_table};
use crate::payload::{Payload, ShowForm};
use crate::time::Rfc3339;

/// The number of a connection that was never opened. Numbers begin at 1. An error record of such a
/// connection has its addresses, and no number.
pub const UNNUMBERED: u64 = 0;

/// An event of watched traffic.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Record<'a> {
    /// A connection was opened, or seen for the first time.
    Opened {
        /// The connection.
        connection: &'a Connection,
        /// The time of its first packet or of its accept.
        time: Time,
    },
    /// A proxy has begun TLS with a side.
    Secured {
        /// The connection.
        connection: &'a Connection,
        /// The time when the handshakes were over.
        time: Time,
        /// The side.
        side: Side,
        /// The version of TLS: `TLS 1.3`.
        version: &'a str,
        /// The name of the server that was asked for (SNI).
        server_name: Option<&'a str>,
        /// The application protocol (ALPN) that was chosen.
        alpn: Option<&'a str>,
    },
    /// A connection is over.
    Ended {
        /// The connection.
        connection: &'a Connection,
        /// The name of the protocol that its session detected or was given.
        protocol: &'a str,
        /// The time of its end.
        time: Time,
        /// The time when it was opened.
        opened: Time,
        /// The totals of the client and of the server, in this order.
        sides: [SideTotal; 2],
        /// Who ended it. `None`: no end was seen.
        ended_by: Option<EndedBy>,
    },
    /// A message.
    Message {
        /// The connection.
        connection: &'a Connection,
        /// The time when its last byte was seen.
        time: Time,
        /// The message.
        message: &'a Message<'a>,
        /// The microseconds from the end of the request to the end of this answer.
        latency_us: Option<u64>,
        /// The number of chunk boundaries inside the message.
        cuts: u64,
        /// The first bytes of the message, if they are to be shown.
        payload: Option<Payload<'a>>,
    },
    /// Bytes that were never seen.
    Gap {
        /// The connection.
        connection: &'a Connection,
        /// The time when the gap was reported.
        time: Time,
        /// The side whose bytes are missing.
        side: Side,
        /// The offset of the gap in the side's stream.
        offset: u64,
        /// The number of missing bytes.
        missing: u64,
    },
    /// A message, or a stream that is not parsed, is still in progress. A record of it comes at
    /// most once a second, if somebody watches it live.
    Progress {
        /// The connection.
        connection: &'a Connection,
        /// The time of the last chunk.
        time: Time,
        /// The side that sends it.
        side: Side,
        /// The offset at which it begins in the side's stream.
        offset: u64,
        /// The number of bytes so far.
        length: u64,
    },
    /// The proxy changed the stream of a side on purpose.
    Fault {
        /// The connection.
        connection: &'a Connection,
        /// The time when the fault was applied.
        time: Time,
        /// The side whose stream it changed.
        side: Side,
        /// The place in the side's stream as it was delivered.
        offset: u64,
        /// The name of the fault.
        fault: &'a str,
        /// What it did, in one line.
        reason: &'a str,
    },
    /// Something went wrong in the monitor or the relay, not in a message.
    Error {
        /// The connection, if the error concerns one.
        connection: Option<&'a Connection>,
        /// The time of the error.
        time: Time,
        /// A description of the error.
        reason: &'a str,
    },
}

/// Who ended a connection: the side that first ended its stream or reset the connection, or the
/// proxy between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndedBy {
    /// The client.
    Client,
    /// The server.
    Server,
    /// The proxy: for a time limit, or because it stopped.
    Proxy,
}

impl EndedBy {
    /// Returns the word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Proxy => "proxy",
        }
    }
}

impl From<Side> for EndedBy {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

/// The totals of one side of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTotal {
    /// Bytes of payload.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// The ending of the stream. `None`: it has not ended.
    pub ending: Option<Ending>,
}

impl SideTotal {
    /// Returns the ending of the stream: [`Ending::Lost`] if no end was seen.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending.unwrap_or(Ending::Lost)
    }
}

/// The value of a field.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A word of the schema, which needs no escaping.
    Word(&'static str),
    /// Text, which may contain anything from the wire.
    Text(&'a str),
    /// A list of short names.
    Flags(Flags<'a>),
    /// A number.
    Number(u64),
    /// A point in time.
    Time(Time),
    /// An IP address and a port.
    Address(&'a SocketAddr),
    /// A line of text that is formatted when it is written. It may contain anything from the wire.
    Line(&'a dyn fmt::Display),
    /// The first bytes of a message.
    Payload(Payload<'a>),
}

/// The value as it is, without escapes.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => f.write_str(text),
            Self::Flags(flags) => flags.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Time(time) => Rfc3339(*time).fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Line(line) => line.fmt(f),
            Self::Payload(payload) => payload.fmt(f),
        }
    }
}

impl<'a> Value<'a> {
    /// Returns the text of a word or a text.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number.
    #[must_use]
    pub fn as_number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// Receives the fields of a record, in order.
pub trait Visitor {
    /// Receives the next field that the record has.
    fn field(&mut self, field: Field, value: Value<'_>);
}

impl Record<'_> {
    /// Returns the type of the record, which decides its fields.
    #[must_use]
    pub const fn record_type(&self) -> RecordType {
        match self {
            Record::Opened { .. } => RecordType::Opened,
            Record::Secured { .. } => RecordType::Secured,
            Record::Ended { .. } => RecordType::Ended,
            Record::Message { .. } => RecordType::Message,
            Record::Gap { .. } => RecordType::Gap,
            Record::Progress { .. } => RecordType::Progress,
            Record::Fault { .. } => RecordType::Fault,
            Record::Error { .. } => RecordType::Error,
        }
    }

    /// Returns the connection that the record belongs to.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        match *self {
            Record::Opened { connection, .. }
            | Record::Secured { connection, .. }
            | Record::Ended { connection, .. }
            | Record::Message { connection, .. }
            | Record::Gap { connection, .. }
            | Record::Progress { connection, .. }
            | Record::Fault { connection, .. } => Some(connection),
            Record::Error { connection, .. } => connection,
        }
    }

    /// Returns the time of the record.
    #[must_use]
    pub fn time(&self) -> Time {
        match *self {
            Record::Opened { time, .. }
            | Record::Secured { time, .. }
            | Record::Ended { time, .. }
            | Record::Message { time, .. }
            | Record::Gap { time, .. }
            | Record::Progress { time, .. }
            | Record::Fault { time, .. }
            | Record::Error { time, .. } => time,
        }
    }

    /// Returns the name of the protocol, which records of messages and of ended connections have.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        match self {
            Record::Ended { protocol, .. } => Some(*protocol).filter(|protocol| !protocol.is_empty()),
            Record::Message { message, .. } => Some(message.protocol),
            _ => None,
        }
    }

    /// Returns the side that the record is about.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        match self {
            Record::Message { message, .. } => Some(message.side),
            Record::Secured { side, .. }
            | Record::Gap { side, .. }
            | Record::Progress { side, .. }
            | Record::Fault { side, .. } => Some(*side),
            _ => None,
        }
    }

    /// Returns the value of a field, if the record has it.
    #[must_use]
    #[inline]
    pub fn get(&self, field: Field) -> Option<Value<'_>> {
        match field {
            Field::Type => return Some(Value::Word(self.record_type().as_str())),
            Field::Time => return Some(Value::Time(self.time())),
            Field::Conn => {
                let numbered = self.connection().filter(|connection| connection.number != UNNUMBERED);
                return numbered.map(|connection| Value::Number(connection.number));
            }
            Field::Client => return self.connection().map(|connection| Value::Address(&connection.client)),
            Field::Server => return self.connection().map(|connection| Value::Address(&connection.server)),
            _ => {}
        }
        match self {
            Record::Opened { .. } => match field {
                Field::Event => Some(Value::Word("open")),
                _ => None,
            },
            Record::Secured { side, version, server_name, alpn, .. } => match field {
                Field::Event => Some(Value::Word("tls")),
                Field::Side => Some(Value::Word(side.as_str())),
                Field::Version => Some(Value::Text(version)),
                Field::ServerName => server_name.map(Value::Text),
                Field::Alpn => alpn.map(Value::Text),
                _ => None,
            },
            Record::Ended { protocol, time, opened, sides: [client, server], ended_by, .. } => match field {
                Field::Protocol => (!protocol.is_empty()).then_some(Value::Text(protocol)),
                Field::Event => Some(Value::Word("end")),
                Field::DurationUs => Some(Value::Number(micros(*time, *opened))),
                Field::ClientBytes => Some(Value::Number(client.bytes)),
                Field::ClientMessages => Some(Value::Number(client.messages)),
                Field::ClientEnding => Some(Value::Word(client.ending().as_str())),
                Field::ServerBytes => Some(Value::Number(server.bytes)),
                Field::ServerMessages => Some(Value::Number(server.messages)),
                Field::ServerEnding => Some(Value::Word(server.ending().as_str())),
                Field::EndedBy => ended_by.map(|by| Value::Word(by.as_str())),
                _ => None,
            },
            Record::Message { message, latency_us, cuts, payload, .. } => match field {
                Field::Protocol => Some(Value::Text(message.protocol)),
                Field::Side => Some(Value::Word(message.side.as_str())),
                Field::Kind => Some(Value::Text(message.kind)),
                Field::Offset => Some(Value::Number(message.span.offset)),
                Field::Length => Some(Value::Number(message.span.length)),
                Field::Outcome => Some(Value::Word(message.outcome.as_str())),
                Field::Code => message.code.map(Value::Text),
                Field::Reason => message.reason.map(Value::Text),
                Field::Flags => (!message.flags.is_empty()).then_some(Value::Flags(message.flags)),
                Field::LatencyUs => latency_us.map(Value::Number),
                Field::Cuts => Some(Value::Number(*cuts)),
                Field::Summary => Some(Value::Line(message.summary)),
                Field::Payload => payload.filter(|payload| payload.form == ShowForm::Text).map(Value::Payload),
                Field::PayloadHex => payload.filter(|payload| payload.form == ShowForm::Hex).map(Value::Payload),
                Field::PayloadMore => {
                    payload.filter(|payload| payload.more > 0).map(|payload| Value::Number(payload.more))
                }
                _ => None,
            },
            Record::Gap { side, offset, missing, .. } => match field {
                Field::Side => Some(Value::Word(side.as_str())),
                Field::Offset => Some(Value::Number(*offset)),
                Field::Missing => Some(Value::Number(*missing)),
                _ => None,
            },
            Record::Progress { side, offset, length, .. } => match field {
                Field::Side => Some(Value::Word(side.as_str())),
                Field::Offset => Some(Value::Number(*offset)),
                Field::Length => Some(Value::Number(*length)),
                _ => None,
            },
            Record::Fault { side, offset, fault, reason, .. } => match field {
                Field::Side => Some(Value::Word(side.as_str())),
                Field::Offset => Some(Value::Number(*offset)),
                Field::FaultName => Some(Value::Text(fault)),
                Field::Reason => Some(Value::Text(reason)),
                _ => None,
            },
            Record::Error { reason, .. } => match field {
                Field::Reason => Some(Value::Text(reason)),
                _ => None,
            },
        }
    }

    /// Gives every field that the record has to `visitor`, in the order of [`Field::ALL`].
    pub fn visit<V: Visitor + ?Sized>(&self, visitor: &mut V) {
        // One arm for each type: the compiler leaves out the fields that the type does not have.
        match self {
            Record::Opened { .. } => self.visit_as::<{ RecordType::Opened as u8 }, V>(visitor),
            Record::Secured { .. } => self.visit_as::<{ RecordType::Secured as u8 }, V>(visitor),
            Record::Ended { .. } => self.visit_as::<{ RecordType::Ended as u8 }, V>(visitor),
            Record::Message { .. } => self.visit_as::<{ RecordType::Message as u8 }, V>(visitor),
            Record::Gap { .. } => self.visit_as::<{ RecordType::Gap as u8 }, V>(visitor),
            Record::Progress { .. } => self.visit_as::<{ RecordType::Progress as u8 }, V>(visitor),
            Record::Fault { .. } => self.visit_as::<{ RecordType::Fault as u8 }, V>(visitor),
            Record::Error { .. } => self.visit_as::<{ RecordType::Error as u8 }, V>(visitor),
        }
    }

    #[inline(always)]
    fn visit_as<const TYPE: u8, V: Visitor + ?Sized>(&self, visitor: &mut V) {
        macro_rules! visit_fields {
            ($($field:ident $name:literal $type:ident always $always:tt sometimes $sometimes:tt $meaning:literal;)*) => {
                $(
                    if const { Field::$field.is_in(RecordType::ALL[TYPE as usize]) }
                        && let Some(value) = self.get(Field::$field)
                    {
                        visitor.field(Field::$field, value);
                    }
                )*
            };
        }
        with_field_table!(visit_fields! {});
    }
}

/// Whole microseconds from `earlier` to `time`.
pub(crate) fn micros(time: Time, earlier: Time) -> u64 {
    time.nanos().saturating_sub(earlier.nanos()) / 1000
}
