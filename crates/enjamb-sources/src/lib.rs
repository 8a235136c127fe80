//! The inputs of all tools that work on recorded traffic, and the way they treat files.
//!
//! Such a tool has several kinds of input: packet captures, transcripts in their text form,
//! directories and patterns of both, and standard input. This crate turns all of them into one
//! stream of events for one [`Tap`](enjamb::Tap). Connection numbers continue from one input to the
//! next.
//!
//! * [`Inputs`] finds the files that the paths on a command line select.
//! * [`SourceReader`] reads them one after the other, within the limits of
//!   [`enjamb_capture::Options`], and counts their contents in [`CaptureTotals`].
//! * [`ProtocolChoice`] holds the protocol of each connection: the one that the user chose, or the
//!   one that a transcript names.
//! * [`TranscriptFile`] is the text form of a transcript, with line numbers for messages.
//! * [`read_conversations`] keeps whole [`Conversation`]s, for tools that need each more than once.
//! * [`Progress`] draws a progress bar, and [`Notices`] writes to standard error under the
//!   program's name.
//! * [`OutputFile`] is a file that a tool writes: no input, and nothing that enjamb did not write,
//!   is replaced. [`print()`] writes to standard output.
//! * [`live`] has sources that are still being captured.
//! * [`Exit`] has the exit codes of all tools.
//! * `arguments`, behind the feature `clap`, contains the command line arguments for the limits,
//!   and the parsers of sizes and durations.
//!
//! An example that reads a capture into a tap of its own is in `examples/own_tap.rs`.

#[cfg(feature = "clap")]
pub mod arguments;
mod connection_numbers;
mod conversations;
mod error;
mod exit;
mod input;
mod inputs;
pub mod live;
mod notices;
mod numbering;
mod output_file;
mod progress;
mod protocol_choice;
mod reader;
mod segment_tap;
mod standard_output;
mod stop;
mod totals;
mod transcript_file;

pub use connection_numbers::ConnectionNumbers;
pub use conversations::{Conversation, connection_title, read_conversations};
pub use error::{SourceError, TranscriptError};
pub use exit::Exit;
pub use input::Input;
pub use inputs::{Inputs, UnreadableInput};
pub use notices::Notices;
pub use output_file::{OutputError, OutputFile, OutputKind, REPORT_MARK, check_standard_output};
pub use progress::Progress;
pub use protocol_choice::ProtocolChoice;
pub use reader::{NextInput, SourceReader, SourceReport};
pub use segment_tap::{SegmentSet, SegmentTap};
pub use standard_output::print;
pub use stop::Stop;
pub use totals::{CaptureNote, CaptureTotals};
pub use transcript_file::{LARGEST_TRANSCRIPT, NO_ADDRESS, TranscriptFile};

/// The example of the README, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
