//! The serving runtime, the relay, faults on purpose, and records, without sockets and a clock.

mod faults;
mod records;
mod relay;
mod server;

pub(crate) use faults::{check_faults, faults};
pub(crate) use records::records;
pub(crate) use relay::{Keeper, check_relay, relay};
pub(crate) use server::{block_on, check_server, server};
