//! The reasons why an input cannot be read.

use std::io;

use enjamb::transcript::ParseError;
use enjamb_protocols::SpecError;
use thiserror::Error;

use crate::live::CapturerError;

/// The reason why a transcript in its text form cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TranscriptError {
    /// The file cannot be opened, or reading stopped in the middle.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The text is longer than [`LARGEST_TRANSCRIPT`](crate::LARGEST_TRANSCRIPT).
    #[error("this transcript has more than {limit} bytes, which is the limit: cut it into several")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The text is not a transcript. The message has the line and the column.
    #[error(transparent)]
    Syntax(#[from] ParseError),
}

/// The reason why one input gives no events.
///
/// A capture that is damaged in the middle is not such an input: its events up to the damage are
/// delivered, and the damage is a problem in the [report](crate::SourceReport).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The input cannot be opened or its first bytes cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The input begins as a transcript, but cannot be read as one.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// The transcript names a protocol that the registry does not have.
    #[error("the protocol that the transcript names is not known; choose another one with --protocol\n{0}")]
    UnknownProtocol(SpecError),
    /// The capturing program gives nothing.
    #[error(transparent)]
    Capturer(#[from] CapturerError),
}
