//! Recording: from conversations to a capture file.

mod packets;
mod progress;
pub(crate) mod recorder;
