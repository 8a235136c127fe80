//! The error of bytes that are not HTTP.

use core::fmt;

/// The reason why a message is malformed. There are only a few phrases, so they can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyntaxError {
    RequestLine,
    StatusLine,
    Field,
    TooManyFields,
    HeadTooLong,
    LengthNotANumber,
    LengthTooLarge,
    LengthsDiffer,
    TransferCoding,
    ChunkSize,
    ChunkTooLarge,
    ChunkLineTooLong,
    ChunkEnd,
    Trailer,
    TrailersTooLong,
}

impl SyntaxError {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RequestLine => "request line is not METHOD TARGET HTTP/1.x",
            Self::StatusLine => "status line is not HTTP/1.x STATUS",
            Self::Field => "header is not NAME: VALUE",
            Self::TooManyFields => "head has more than 256 headers",
            Self::HeadTooLong => "head is longer than 65536 bytes",
            Self::LengthNotANumber => "Content-Length is not a number",
            Self::LengthTooLarge => "Content-Length is too large",
            Self::LengthsDiffer => "Content-Lengths differ",
            Self::TransferCoding => "transfer coding of the request does not end in chunked",
            Self::ChunkSize => "chunk size is not hexadecimal",
            Self::ChunkTooLarge => "chunk size is too large",
            Self::ChunkLineTooLong => "line of a chunk size is longer than 16384 bytes",
            Self::ChunkEnd => "chunk does not end where its size says",
            Self::Trailer => "trailer is not NAME: VALUE",
            Self::TrailersTooLong => "trailers are longer than 65536 bytes",
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for SyntaxError {}
