//! Captures, packets, reassembly, and recordings.

mod files;
mod packets;
mod reassembly;
mod recordings;

pub(crate) use files::captures;
pub(crate) use packets::BETWEEN;
pub use packets::packet_choice;
pub(crate) use packets::packets;
pub(crate) use reassembly::reassembly;
pub use reassembly::{Action, ReassemblyCase, check_reassembly};
pub(crate) use reassembly::{HEAD, WIDTH, check_reassembly_of};
pub(crate) use recordings::{check_recording, record, recordings};
