//! Everybody who reads an input, each in the way it is meant to be used.

pub(crate) mod asynchat;
pub(crate) mod engine;
pub(crate) mod search;
pub(crate) mod tokio_codec;
