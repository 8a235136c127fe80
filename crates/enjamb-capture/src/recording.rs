//! Recording: from conversations to a capture file.

mod packets;
pub(crate) mod recorder;
