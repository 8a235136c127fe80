//! A tap of one's own: it counts the bytes of every connection in captures and transcripts.
//!
//! ```sh
//! cargo run -p enjamb-sources --example own_tap -- corpora/redis corpora/http1/chunked.pcap
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_protocols::Registry;
use enjamb_sources::{Inputs, Notices, Progress, ProtocolChoice, SourceReader};

/// The counts of one connection.
#[derive(Default)]
struct Counts {
    /// The number of payload bytes, by side.
    bytes: [u64; 2],
    /// The number of bytes that were never captured.
    missing: u64,
}

/// A tap that receives the interleaved events of all connections. This one keeps counts only, so
/// its memory depends on the number of connections and not on the size of the capture.
#[derive(Default)]
struct ByteCounter {
    connections: BTreeMap<u64, (Connection, Counts)>,
}

impl Tap for ByteCounter {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        let (_, counts) = self.connections.entry(connection.number).or_insert((*connection, Counts::default()));
        match event {
            Event::Chunk { side, bytes } => counts.bytes[side.index()] += bytes.len() as u64,
            Event::Gap { missing, .. } => counts.missing += missing,
            _ => {}
        }
    }
}

/// Reads the inputs, and writes a line for each connection.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn run(paths: &[PathBuf], out: &mut impl Write) -> io::Result<()> {
    // An input that cannot be read is reported here, under the name of the program, and the others
    // are still read.
    let notices = Notices::new("own_tap", "count");
    let inputs = Inputs::find(paths);
    let progress = Progress::new(&notices, &inputs.captures, false);
    // A tap that counts bytes needs no protocol. One that feeds sessions opens them with
    // `protocols.session`.
    let protocols = ProtocolChoice::new(&Registry::builtin(), "auto").map_err(io::Error::other)?;
    let mut counter = ByteCounter::default();
    let report = SourceReader::new(&inputs, &protocols, &progress).read(&mut counter, |_, _| {});
    progress.finish();
    for (number, (connection, counts)) in &counter.connections {
        let [client, server] = Side::BOTH.map(|side| counts.bytes[side.index()]);
        let Connection { client: from, server: to, .. } = connection;
        writeln!(out, "#{number} {from} -> {to}: {client} and {server} bytes, {} missing", counts.missing)?;
    }
    write!(out, "{}", report.totals)
}

fn main() -> io::Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    run(&paths, &mut io::stdout().lock())
}
