//! Protocols beside other implementations of them.

mod http1;
mod redis;

pub(crate) use http1::http1_peer;
pub(crate) use redis::redis_peer;
