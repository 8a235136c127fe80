//! The error of bytes that are not HTTP.

use core::fmt;

/// The reason why a message is malformed. Each names the rule that was broken, and there are only a
/// few, so they can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyntaxError {
    RequestLine,
    Method,
    TargetSpace,
    TargetControl,
    Version,
    StatusLine,
    Status,
    PhraseControl,
    SpaceBeforeHeaders,
    NoColon,
    NoName,
    NameNotAToken,
    SpaceBeforeColon,
    Folded,
    ValueCr,
    ValueNul,
    HeadTooLong,
    LengthNotANumber,
    LengthTooLarge,
    LengthsDiffer,
    TransferCoding,
    CodingInHttp10,
    ChunkSize,
    ChunkExtension,
    ChunkTooLarge,
    ChunkLineTooLong,
    ChunkEnd,
    TrailerNoColon,
    TrailerNoName,
    TrailerNameNotAToken,
    TrailerSpaceBeforeColon,
    TrailerFolded,
    TrailerCr,
    TrailerNul,
    TrailersTooLong,
}

impl SyntaxError {
    /// Returns the error of a trailer for that of a header.
    pub(super) const fn in_trailer(self) -> Self {
        match self {
            Self::NoColon => Self::TrailerNoColon,
            Self::NoName => Self::TrailerNoName,
            Self::NameNotAToken => Self::TrailerNameNotAToken,
            Self::SpaceBeforeColon => Self::TrailerSpaceBeforeColon,
            Self::Folded | Self::SpaceBeforeHeaders => Self::TrailerFolded,
            Self::ValueCr => Self::TrailerCr,
            Self::ValueNul => Self::TrailerNul,
            other => other,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RequestLine => "request line is not METHOD TARGET HTTP/1.x",
            Self::Method => "method is not a token",
            Self::TargetSpace => "target contains white space",
            Self::TargetControl => "target contains a control character",
            Self::Version => "version is not HTTP/1.x",
            Self::StatusLine => "status line is not HTTP/1.x STATUS",
            Self::Status => "status is not three digits",
            Self::PhraseControl => "reason phrase contains a control character",
            Self::SpaceBeforeHeaders => "white space before the first header",
            Self::NoColon => "header has no colon",
            Self::NoName => "header has no name",
            Self::NameNotAToken => "header name is not a token",
            Self::SpaceBeforeColon => "white space between a header's name and its colon",
            Self::Folded => "header of a request is folded",
            Self::ValueCr => "header contains a CR without LF",
            Self::ValueNul => "header contains a NUL",
            Self::HeadTooLong => "head is longer than 65536 bytes",
            Self::LengthNotANumber => "Content-Length is not a number",
            Self::LengthTooLarge => "Content-Length is too large",
            Self::LengthsDiffer => "Content-Lengths differ",
            Self::TransferCoding => "transfer coding of the request does not end in chunked",
            Self::CodingInHttp10 => "Transfer-Encoding in HTTP/1.0",
            Self::ChunkSize => "chunk size is not hexadecimal",
            Self::ChunkExtension => "chunk size is not followed by an extension or the end of its line",
            Self::ChunkTooLarge => "chunk size is too large",
            Self::ChunkLineTooLong => "line of a chunk size is longer than 16384 bytes",
            Self::ChunkEnd => "chunk does not end where its size says",
            Self::TrailerNoColon => "trailer has no colon",
            Self::TrailerNoName => "trailer has no name",
            Self::TrailerNameNotAToken => "trailer name is not a token",
            Self::TrailerSpaceBeforeColon => "white space between a trailer's name and its colon",
            Self::TrailerFolded => "trailer of a request is folded",
            Self::TrailerCr => "trailer contains a CR without LF",
            Self::TrailerNul => "trailer contains a NUL",
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
