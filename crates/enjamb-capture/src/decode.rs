//! From a packet to the TCP segment in it.
//!
//! A packet is a stack of headers. Each header states, directly or by its position, which header
//! comes next: that is a [`Layer`](layer::Layer). [`Decoder`](decoder::Decoder) walks from layer to
//! layer until it reaches TCP. [`plain`] does the same for packets without anything in between,
//! which nearly all packets are. The other files strip one group of headers each: [`link`] the link
//! layers, [`infiniband`] IP over InfiniBand, [`wrapper`] the headers that capturing systems add,
//! [`ether_type`] tags, [`wireless`] 802.11, [`tunnel`] the headers of tunnels over IP.
//!
//! Only the length of a header and the type of the next one matter here, so stripping most headers
//! takes a few lines. IP and its fragments are parsed by `etherparse`.

mod checksum;
pub(crate) mod decoder;
mod ether_type;
mod fragments;
mod infiniband;
mod layer;
mod link;
mod network;
mod plain;
mod tcp;
mod tunnel;
pub(crate) mod unread;
mod wireless;
mod wrapper;
