//! The fields of a record: the one table that defines every form of a record.
//!
//! A row of the table is a field: its name, its type, the records that have it, and its meaning.
//! The rows define the JSON lines, the columns of the CSV and of the Parquet files, the names that
//! a filter accepts, the fields of a `tracing` event, and the table in `docs/records.md`
//! ([`field_table`]). Only the text for people is written by hand: it shows a record, not its
//! fields.

use std::fmt::Write as _;

/// Calls the macro `$callback` with `$argument`s and all rows.
///
/// A row is `Variant "name" Type always [records] sometimes [records] "meaning";`.
macro_rules! with_field_table {
    ($callback:ident! { $($argument:tt)* }) => {
        $callback! { $($argument)*
            Type "type" Word always [Opened Secured Ended Message Gap Progress Fault Error] sometimes []
                "`connection`, `message`, `gap`, `progress`, `fault` or `error`";
            Time "time" Time always [Opened Secured Ended Message Gap Progress Fault Error] sometimes []
                "When it happened. For a message: when the chunk arrived that completed it";
            Conn "conn" Count always [Opened Secured Ended Message Gap Progress Fault] sometimes [Error]
                "The number of the connection. Numbers begin at 1 and follow the first packets, or the accepts of a \
                 proxy. With several captures, the numbers of the next one follow those of the one before";
            Client "client" Address always [Opened Secured Ended Message Gap Progress Fault] sometimes [Error]
                "The address of the client, `ip:port`";
            Server "server" Address always [Opened Secured Ended Message Gap Progress Fault] sometimes [Error]
                "The address of the server, `ip:port`";
            Protocol "protocol" Text always [Message] sometimes [Ended]
                "The name of the protocol, or the framing spec. Absent if `auto` saw no bytes";
            Event "event" Word always [Opened Secured Ended] sometimes []
                "`open` when the connection is opened or first seen, `tls` when a proxy has begun TLS with a side, `end` \
                 when nothing more will come of it";
            DurationUs "duration_us" Micros always [Ended] sometimes []
                "The time since `open`";
            ClientBytes "client_bytes" Bytes always [Ended] sometimes []
                "The payload of the client that was seen";
            ClientMessages "client_messages" Count always [Ended] sometimes []
                "The messages of the client";
            ClientEnding "client_ending" Word always [Ended] sometimes []
                "How the client's stream ended: `closed` (a FIN), `reset`, or `lost` (the capture ends before the stream)";
            ServerBytes "server_bytes" Bytes always [Ended] sometimes []
                "The payload of the server that was seen";
            ServerMessages "server_messages" Count always [Ended] sometimes []
                "The messages of the server";
            ServerEnding "server_ending" Word always [Ended] sometimes []
                "How the server's stream ended";
            EndedBy "ended_by" Word always [] sometimes [Ended]
                "Who ended the connection: `client` or `server`, the side whose FIN or reset came first, or `proxy`, if \
                 the proxy reset both. A recording has the resets of a proxy, and there the client's comes first";
            Side "side" Word always [Secured Message Gap Progress Fault] sometimes []
                "Who sent the bytes: `client` or `server`. For `tls`: the side with which it was begun";
            Kind "kind" Text always [Message] sometimes []
                "The type of the message in the protocol's words: `GET`, `reply`, `response`, `line`, `frame`. `opaque`: \
                 bytes of another protocol that both sides agreed on. `unparsed`: bytes that could not be parsed after an error";
            Offset "offset" Bytes always [Message Gap Progress Fault] sometimes []
                "Where the message or the gap begins, or the fault applies, counted from the first byte of the side's \
                 stream";
            Length "length" Bytes always [Message Progress] sometimes []
                "The length of the message. While it is in progress: the bytes so far";
            Missing "missing" Bytes always [Gap] sometimes []
                "The length of the gap";
            Outcome "outcome" Word always [Message] sometimes []
                "`ok`; `failed`: whole, and an error that the peer reports; `malformed`: not the protocol; `incomplete`: \
                 cut off by the end of the stream, by a gap, or by a session that panicked";
            Code "code" Code always [] sometimes [Message]
                "The protocol's code, if it has one: an HTTP status, the first word of a Redis error";
            Reason "reason" Text always [Fault Error] sometimes [Message]
                "For a message: why it is malformed or incomplete, one of a small set of phrases. For an error: what went wrong. For a \
                 fault: what it did";
            Flags "flags" Flags always [] sometimes [Message]
                "What is unusual about a message that is framed right, as short names: `bare-lf`, `two-hosts`, \
                 `request-missing`. The page of a protocol lists them. Absent if there are none";
            LatencyUs "latency_us" Micros always [] sometimes [Message]
                "On an answer: the time from the chunk that completed the request to the chunk that completed the answer. \
                 Absent if the time of either is not known: the request \
                 was not seen or had waited behind too many others, the last \
                 byte of one was not captured, or the answer was captured before its request";
            Cuts "cuts" Count always [Message] sometimes []
                "The number of boundaries between chunks (captured segments, or reads of the proxy) inside the message";
            Summary "summary" Line always [Message] sometimes []
                "The message in one line, for people. It is cut to a length; do not parse it";
            Payload "payload" Payload always [] sometimes [Message]
                "With `--show payload`: the first bytes of the message, up to `--show-max` and to the first gap. Text stays \
                 text. `\\n`, `\\r`, `\\t` and `\\\\` are escaped, and so is each byte of other control characters and of \
                 invalid UTF-8, as `\\xNN`";
            PayloadHex "payload_hex" Payload always [] sometimes [Message]
                "With `--show hex`: the same bytes, two hexadecimal digits each";
            PayloadMore "payload_more" Bytes always [] sometimes [Message]
                "The bytes of the message that are not shown. Absent if all are";
            FaultName "fault" Text always [Fault] sometimes []
                "The name of a fault that the proxy applied on purpose";
            Version "version" Text always [Secured] sometimes []
                "The version of TLS: `TLS 1.3`";
            ServerName "server_name" Text always [] sometimes [Secured]
                "The name of the server that was asked for (SNI): by the client, or by the proxy. Absent if none was";
            Alpn "alpn" Text always [] sometimes [Secured]
                "The application protocol (ALPN) that the server has chosen: `h2`. Absent if it chose none";
        }
    };
}
pub(crate) use with_field_table;

/// The kinds of records that differ in their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordType {
    /// A connection was opened, or seen for the first time.
    Opened,
    /// A proxy has begun TLS with a side.
    Secured,
    /// A connection is over.
    Ended,
    /// A message.
    Message,
    /// Bytes that were never seen.
    Gap,
    /// A message or a stream is still in progress.
    Progress,
    /// A fault was applied on purpose.
    Fault,
    /// Something went wrong in the monitor or the relay.
    Error,
}

/// The type of a field's value. It determines how the value is written and what it may be compared
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// One of a few words that this crate defines.
    Word,
    /// Text, which may come from the wire.
    Text,
    /// Text that may be a number: an HTTP status.
    Code,
    /// A list of short names.
    Flags,
    /// A count of things.
    Count,
    /// A count of bytes.
    Bytes,
    /// Microseconds.
    Micros,
    /// A point in time.
    Time,
    /// An IP address and a port.
    Address,
    /// A line of text that is formatted when it is written.
    Line,
    /// The first bytes of a message.
    Payload,
}

/// Defines [`Field`] from the rows of the table.
macro_rules! define_fields {
    ($($field:ident $name:literal $type:ident always [$($always:ident)*] sometimes [$($sometimes:ident)*] $meaning:literal;)*) => {
        /// A field of a record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ".")] $field,)*
        }

        impl Field {
            /// The number of fields.
            pub const COUNT: usize = [$($name),*].len();

            /// All fields, in the order in which a record has them.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$field),*];

            /// Returns the name of the field in records.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                }
            }

            /// Returns the type of the field's values.
            #[must_use]
            pub const fn value_type(self) -> FieldType {
                match self {
                    $(Self::$field => FieldType::$type,)*
                }
            }

            /// Returns the meaning of the field, in Markdown and without a full stop at its end.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$field => $meaning,)*
                }
            }

            /// The records that always have the field.
            const fn always(self) -> &'static [RecordType] {
                match self {
                    $(Self::$field => &[$(RecordType::$always),*],)*
                }
            }

            /// The records that have the field if it applies.
            const fn sometimes(self) -> &'static [RecordType] {
                match self {
                    $(Self::$field => &[$(RecordType::$sometimes),*],)*
                }
            }

            /// The name as the key of a JSON object, with the comma before it.
            pub(crate) const fn json_key(self) -> &'static str {
                match self {
                    $(Self::$field => concat!(",\"", $name, "\":"),)*
                }
            }
        }
    };
}
with_field_table!(define_fields! {});

impl RecordType {
    /// All types, in the order of `docs/records.md`.
    pub const ALL: [Self; 8] =
        [Self::Opened, Self::Secured, Self::Ended, Self::Message, Self::Gap, Self::Progress, Self::Fault, Self::Error];

    /// Returns the value of the field `type`. All events of a connection share the type
    /// `connection`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened | Self::Secured | Self::Ended => "connection",
            Self::Message => "message",
            Self::Gap => "gap",
            Self::Progress => "progress",
            Self::Fault => "fault",
            Self::Error => "error",
        }
    }

    /// The name in the table of the documentation. It distinguishes the records of a connection.
    const fn label(self) -> &'static str {
        match self {
            Self::Opened => "open",
            Self::Secured => "tls",
            Self::Ended => "end",
            _ => self.as_str(),
        }
    }
}

impl Field {
    /// Returns the field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Returns whether every record of this type has the field.
    #[must_use]
    pub const fn is_always_in(self, record: RecordType) -> bool {
        contains(self.always(), record)
    }

    /// Returns whether records of this type may have the field.
    #[must_use]
    pub const fn is_in(self, record: RecordType) -> bool {
        contains(self.always(), record) || contains(self.sometimes(), record)
    }

    /// Returns whether a filter may use the field. The payload is filled in only after the filter
    /// has selected a record.
    #[must_use]
    pub const fn is_filterable(self) -> bool {
        !matches!(self, Self::Payload | Self::PayloadHex | Self::PayloadMore)
    }
}

const fn contains(list: &[RecordType], record: RecordType) -> bool {
    let mut at = 0;
    while at < list.len() {
        if list[at] as u8 == record as u8 {
            return true;
        }
        at += 1;
    }
    false
}

impl FieldType {
    /// The type in JSON, and the columns in Parquet, of a field of this name.
    fn documented(self, name: &str) -> (&'static str, String) {
        let column = |kind: &str| format!("`{name}` {kind}");
        match self {
            Self::Word | Self::Text | Self::Code | Self::Line | Self::Payload => ("string", column("string")),
            Self::Flags => ("array of strings", format!("`{name}` string, the names separated by commas")),
            Self::Count => ("integer", column("int64")),
            Self::Bytes => ("integer, bytes", column("int64")),
            Self::Micros => ("integer, microseconds", column("int64")),
            Self::Time => ("string, RFC 3339", format!("`{name}` timestamp (microseconds), `{name}_nanos` int32")),
            Self::Address => ("string", format!("`{name}_ip` string, `{name}_port` int32")),
        }
    }
}

/// Returns the table of all fields in `docs/records.md`, in Markdown.
#[must_use]
pub fn field_table() -> String {
    let mut table = "| field | type | records | Parquet | meaning |\n|---|---|---|---|---|\n".to_owned();
    for field in Field::ALL {
        let (json, mut parquet) = field.value_type().documented(field.name());
        if field == Field::Protocol {
            parquet = "the partition".to_owned();
        }
        let records = if field.always().len() == RecordType::ALL.len() {
            "all".to_owned()
        } else {
            let always = field.always().iter().map(|record| record.label().to_owned());
            let sometimes = field.sometimes().iter().map(|record| format!("{}?", record.label()));
            always.chain(sometimes).collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(table, "| `{}` | {json} | {records} | {parquet} | {} |", field.name(), field.meaning());
    }
    table
}
