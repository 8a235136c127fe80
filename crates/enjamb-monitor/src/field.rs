//! The fields of a record: their names, their order, and what kind of value each has.
//!
//! `docs/records.md` says what they mean. One list serves all: the JSON writer, the text writer, the columns of the
//! CSV, and the names that a filter knows.

/// A field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the schema is docs/records.md")]
pub enum Field {
    Type,
    Time,
    Conn,
    Client,
    Server,
    Protocol,
    Event,
    DurationUs,
    ClientBytes,
    ClientMessages,
    ClientEnding,
    ServerBytes,
    ServerMessages,
    ServerEnding,
    Side,
    Kind,
    Offset,
    Length,
    Missing,
    Outcome,
    Code,
    Reason,
    LatencyUs,
    Cuts,
    Summary,
    Payload,
    PayloadHex,
    PayloadMore,
}

/// What a field's value is, and so what it may be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A word or a phrase.
    Text,
    /// A word that may be a number: an HTTP status.
    Code,
    /// A count of things.
    Count,
    /// A count of bytes.
    Bytes,
    /// Microseconds.
    Micros,
    /// A point in time.
    Time,
}

impl Field {
    /// All of them, in the order in which a record has them.
    pub const ALL: [Self; 28] = [
        Self::Type,
        Self::Time,
        Self::Conn,
        Self::Client,
        Self::Server,
        Self::Protocol,
        Self::Event,
        Self::DurationUs,
        Self::ClientBytes,
        Self::ClientMessages,
        Self::ClientEnding,
        Self::ServerBytes,
        Self::ServerMessages,
        Self::ServerEnding,
        Self::Side,
        Self::Kind,
        Self::Offset,
        Self::Length,
        Self::Missing,
        Self::Outcome,
        Self::Code,
        Self::Reason,
        Self::LatencyUs,
        Self::Cuts,
        Self::Summary,
        Self::Payload,
        Self::PayloadHex,
        Self::PayloadMore,
    ];

    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Time => "time",
            Self::Conn => "conn",
            Self::Client => "client",
            Self::Server => "server",
            Self::Protocol => "protocol",
            Self::Event => "event",
            Self::DurationUs => "duration_us",
            Self::ClientBytes => "client_bytes",
            Self::ClientMessages => "client_messages",
            Self::ClientEnding => "client_ending",
            Self::ServerBytes => "server_bytes",
            Self::ServerMessages => "server_messages",
            Self::ServerEnding => "server_ending",
            Self::Side => "side",
            Self::Kind => "kind",
            Self::Offset => "offset",
            Self::Length => "length",
            Self::Missing => "missing",
            Self::Outcome => "outcome",
            Self::Code => "code",
            Self::Reason => "reason",
            Self::LatencyUs => "latency_us",
            Self::Cuts => "cuts",
            Self::Summary => "summary",
            Self::Payload => "payload",
            Self::PayloadHex => "payload_hex",
            Self::PayloadMore => "payload_more",
        }
    }

    /// What its value is.
    #[must_use]
    pub const fn value_type(self) -> FieldType {
        match self {
            Self::Time => FieldType::Time,
            Self::Code => FieldType::Code,
            Self::Conn | Self::ClientMessages | Self::ServerMessages | Self::Cuts => FieldType::Count,
            Self::ClientBytes | Self::ServerBytes | Self::Offset | Self::Length | Self::Missing | Self::PayloadMore => {
                FieldType::Bytes
            }
            Self::DurationUs | Self::LatencyUs => FieldType::Micros,
            _ => FieldType::Text,
        }
    }

    /// The field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}
