//! Capture files: from the bytes of a file to its packets.
//!
//! [`Input`](input::Input) reads and decompresses the file, into [blocks](block::Block).
//! [`Pcap`](pcap::Pcap) and [`Pcapng`](pcapng::Pcapng) find the packets in its bytes.
//! [`Capture`](capture::Capture) chooses between the two.

pub(crate) mod block;
pub(crate) mod capture;
mod compression;
pub(crate) mod input;
mod kind;
mod pcap;
mod pcapng;
mod record;
