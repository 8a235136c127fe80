//! The error of bytes that are not RESP.

use std::fmt;

/// The reason why a message is malformed. A small set, so that it can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyntaxError {
    /// The count behind `*` is not a number that the server accepts.
    ArgumentCount,
    /// An argument does not begin with `$`.
    NotAnArgument,
    /// The length behind `$` is not a number, or is over the limit.
    BulkLength,
    /// The bytes behind a bulk are not CR LF.
    BulkEnd,
    /// The quotes of an inline command do not match.
    Quotes,
    /// An inline command contains a NUL byte. The server then reads nothing more.
    Nul,
    /// A text on a line contains a CR.
    CarriageReturn,
    /// A line is over its limit.
    LineTooLong,
    /// A line that must end in CR LF ends in LF alone.
    LineEnd,
    /// The first byte of a value is not a type of RESP.
    UnknownType,
    /// An integer is not a number of 64 bits.
    Integer,
    /// A double is not a number.
    Double,
    /// A big number is not a number.
    BigNumber,
    /// A boolean is neither true nor false.
    Boolean,
    /// Something follows the `_` of a null.
    Null,
    /// The count of an aggregate is not a number, or is over the limit.
    ElementCount,
    /// A verbatim string does not begin with its format.
    Verbatim,
    /// Aggregates are nested deeper than the limit.
    TooDeep,
    /// The next part of a streamed string is not a chunk.
    Chunk,
    /// An end of a streamed aggregate outside of one, or between a key and its value.
    StreamEnd,
}

impl SyntaxError {
    /// Returns the phrase that messages have as their reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ArgumentCount => "invalid count of arguments",
            Self::NotAnArgument => "an argument does not begin with $",
            Self::BulkLength => "invalid length of a bulk",
            Self::BulkEnd => "no CR LF behind a bulk",
            Self::Quotes => "unbalanced quotes",
            Self::Nul => "NUL in an inline command",
            Self::CarriageReturn => "CR inside a simple string",
            Self::LineTooLong => "a line is too long",
            Self::LineEnd => "a line ends without CR",
            Self::UnknownType => "unknown type",
            Self::Integer => "invalid integer",
            Self::Double => "invalid double",
            Self::BigNumber => "invalid big number",
            Self::Boolean => "invalid boolean",
            Self::Null => "invalid null",
            Self::ElementCount => "invalid count of elements",
            Self::Verbatim => "invalid verbatim string",
            Self::TooDeep => "nested too deep",
            Self::Chunk => "invalid chunk of a streamed string",
            Self::StreamEnd => "misplaced end of a streamed aggregate",
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::error::Error for SyntaxError {}
