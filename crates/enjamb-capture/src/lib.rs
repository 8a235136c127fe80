//! Reads and writes captures: from the packets of a file to the two byte streams of each
//! connection, and back.
//!
//! A capture is not a conversation. Packets are missing, repeated, out of order, truncated, or
//! inside tunnels and fragments. Acknowledgements come before the bytes that they acknowledge. This
//! crate repairs all that where it can, and counts and reports the rest. Memory is bounded for each
//! stream and in total.
//!
//! # Components
//!
//! * [`read()`] and [`open`] read a whole capture, report its connections to a
//!   [`Tap`](enjamb::Tap), and return a [`Report`].
//! * [`CaptureSet`] reads captures that follow each other, such as the files of a rotated set.
//! * [`Capture`] reads the packets of a file. From a truncated or damaged file it reads all whole
//!   packets.
//! * [`Decoder`] finds the TCP segment in a packet, or the [reason](Ignored) why there is none.
//! * [`Reassembler`] puts segments in order, and reports connections, chunks, gaps and endings to a
//!   tap.
//! * [`SegmentReader`] reads captures as far as their segments, and [`Shard`] reassembles a part of
//!   the connections, so that several threads can share the work.
//! * [`Recorder`] is a tap that writes pcapng, for Wireshark and for [`read()`].
//!
//! The cuts of a stream are part of the data: the new payload of each segment is one chunk.
//!
//! # Example
//!
//! ```
//! use enjamb::transcript::Collector;
//! use enjamb_capture::{Options, open};
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../corpora/http1/chunked.pcap");
//! let mut conversations = Collector::default();
//! let report = open(path, &mut conversations, &Options::default());
//! assert_eq!((report.error.is_none(), report.summary.connections), (true, 3));
//! ```
//!
//! # What is read
//!
//! | | |
//! |---|---|
//! | files | pcap in both byte orders, with microseconds or nanoseconds, and the "modified" format; pcapng with any number of sections and interfaces, each with its own byte order, clock and link type |
//! | compression | gzip, zstd (both in pure Rust) |
//! | link types | Ethernet, Linux cooked v1 and v2, BSD and OpenBSD loopback, raw IP, PPP (also HDLC, Ethernet, `pppd`), Cisco HDLC, frame relay, these three also with a direction, FDDI, Token Ring, ATM, IP over Fibre Channel and InfiniBand, 802.11 (bare, radiotap, Prism, AVS), `enc`, PFLOG, NFLOG, PPI, PKTAP |
//! | tags | VLAN and `QinQ`, 802.1ah, VN-Tag, E-Tag, HSR and PRP, Cisco security groups, network service headers, PPPoE, MPLS |
//! | network | IPv4 and IPv6 with fragments and extension headers |
//! | tunnels | IP in IP, GRE (also NVGRE, PPTP, WCCP, ERSPAN), Ethernet in IP, MPLS in IP and UDP, VXLAN, VXLAN-GPE, GENEVE, AYIYA, 802.11 of Aruba, GTP, L2TP, Teredo, LISP, TZSP, GRE in UDP |
//!
//! [`LinkType`] has the numbers of all link types that are read. For a file of another format the
//! error names the format and the command that converts it.
//!
//! # Features
//!
//! There are none. No dependency needs a C compiler.

mod decode;
mod error;
mod file;
mod ignored;
mod incident;
mod link_type;
mod options;
mod packet;
mod read;
mod reassembly;
mod recording;
mod report;
mod segment;
mod segment_reader;
mod summary;

pub use decode::decoder::Decoder;
pub use decode::unread::UnreadProtocol;
pub use error::{CaptureError, CaptureErrorKind};
pub use file::block::{Block, place_within};
pub use file::capture::Capture;
pub use file::input::LONGEST_BLOCK;
pub use ignored::Ignored;
pub use incident::{Incident, IncidentKind};
pub use link_type::LinkType;
pub use options::{Options, Overlap};
pub use packet::Packet;
pub use read::{CaptureSet, open, read};
pub use reassembly::endpoints::endpoints_hash;
pub use reassembly::reassembler::Reassembler;
pub use reassembly::shard::{Shard, ShardLoad};
pub use recording::recorder::{LONGEST_CHUNK, Recorder, RecorderLosses};
pub use report::Report;
pub use segment::Segment;
pub use segment_reader::{SegmentReader, SegmentSink};
pub use summary::Summary;
