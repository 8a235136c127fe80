//! The serving runtime, faults on purpose, and records, without sockets and a clock.

mod faults;
mod records;
mod server;

pub(crate) use faults::{check_faults, faults};
pub(crate) use records::records;
pub(crate) use server::{check_server, server};
