//! Captures in, captures out: from the packets of a file to the two byte streams of each of its connections, and back.
//!
//! A capture is not what was said; it is what a tap on the wire happened to see. Packets are missing, doubled, out of
//! order, cut off, wrapped in tunnels, cut into fragments; acknowledgements come before the bytes they acknowledge.
//! This crate undoes that, and says what it could not undo:
//!
//! * [`Capture`] reads packets from pcap and pcapng, plain or in gzip or zstd, to the last whole one of a damaged file.
//! * [`Decoder`] finds the TCP segment in a packet, whatever it is wrapped in, or says why there is none.
//! * [`Reassembler`] puts segments in order and gives a [`Tap`](enjamb::Tap) connections, chunks, gaps and endings.
//! * [`read`] is these three in a row, with a [`Report`] of everything that was passed over.
//! * [`Recorder`] is the way back: a tap that writes pcapng, for Wireshark and for `read`.
//!
//! How the stream was cut is data here: every segment's new payload is one chunk.
//!
//! ```
//! use enjamb::{Connection, Ending, Event, Side, Tap, Time};
//! use enjamb_capture::{Options, Recorder, read};
//!
//! let connection = Connection {
//!     number: 1,
//!     client: "192.0.2.1:40000".parse()?,
//!     server: "192.0.2.2:6379".parse()?,
//! };
//! let mut recorder = Recorder::new(Vec::new());
//! recorder.event(&connection, Time::from_nanos(1), Event::Open);
//! recorder.event(&connection, Time::from_nanos(2), Event::Chunk { side: Side::Client, bytes: b"PING\r\n" });
//! recorder.event(&connection, Time::from_nanos(3), Event::Close { side: Side::Client, ending: Ending::Closed });
//! let file = recorder.finish()?;
//!
//! struct Print;
//! impl Tap for Print {
//!     fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
//!         if let Event::Chunk { side, bytes } = event {
//!             println!("{} {side}: {}", connection.number, bytes.escape_ascii());
//!         }
//!     }
//! }
//! let report = read(&file[..], &mut Print, &Options::default());
//! assert!(report.fault.is_none());
//! assert_eq!(report.summary.payload, 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capture;
mod compression;
mod decode;
mod ends;
mod fault;
mod flow;
mod fragments;
mod held;
mod incident;
mod input;
mod kind;
mod link;
mod moment;
mod network;
mod options;
mod pcap;
mod pcapng;
mod reach;
mod read;
mod reassembler;
mod recent;
mod recorder;
mod stream;
mod summary;
mod tunnel;
mod waiting;
mod wire;
mod wireless;

pub use capture::{Capture, Packet};
pub use decode::{Decoder, Ignored, Segment};
pub use fault::{Fault, Trouble};
pub use incident::{Incident, What};
pub use input::LONGEST_BLOCK;
pub use link::LinkType;
pub use options::{Options, Overlap};
pub use read::{Report, open, read};
pub use reassembler::Reassembler;
pub use recorder::{LONGEST_CHUNK, Recorder};
pub use summary::Summary;
