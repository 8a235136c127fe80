//! Traffic that is still being captured: a pipe, a file that grows, or a capturing program.
//!
//! A reader of such a source must not block for long, since records that are complete would stay in
//! buffers. So [`LiveReader`] returns [`WouldBlock`](std::io::ErrorKind::WouldBlock) when nothing
//! arrives: it is the signal to write what is there, and to read again.

mod capturer;
mod followed_file;
mod interrupt;
mod live_reader;

pub use capturer::{CaptureRequest, Capturer, CapturerCounts, CapturerError, CapturingProgram};
pub use followed_file::FollowedFile;
pub use interrupt::Interrupt;
pub use live_reader::LiveReader;
