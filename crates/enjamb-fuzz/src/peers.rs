//! Protocols beside other implementations of them.

mod http1;
mod redis;

pub(crate) use http1::{check_http1, http1_peer};
pub(crate) use redis::{check_redis, redis_peer};
