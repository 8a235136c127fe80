//! The contestants that find frames, each used as its authors intend.

pub(crate) mod asynchat;
pub(crate) mod engine;
pub(crate) mod search;
pub(crate) mod tokio_codec;
