//! parse-tcp: reassembly without parsers.
//!
//! It is used as its own program `tcpreassemble` uses it, but writes no files and reads a stream as
//! soon as data arrives. That program waits for 64 KiB of a stream, which takes more than twice the
//! time.

use std::cell::Cell;
use std::convert::Infallible;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use parse_tcp::ConnectionHandler;
use parse_tcp::connection::{Connection, Direction};
use parse_tcp::flow_table::FlowTable;
use parse_tcp::parser::TcpParser;
use parse_tcp::serialized::PacketExtra;
use parse_tcp::stream::SegmentInfo;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError};

use crate::{Counts, Result};

/// Size of the file buffer, in bytes: that of its own program.
const BUFFER_BYTES: usize = 4 << 20;

/// A handler that adds up the payload of all connections, in bytes.
struct PayloadSum {
    sum: Rc<Cell<u64>>,
    gaps: Vec<Range<u64>>,
    segments: Vec<SegmentInfo>,
}

impl PayloadSum {
    /// Reads the next `length` bytes of a stream. Missing bytes do not count.
    fn read(&mut self, connection: &mut Connection<Self>, direction: Direction, length: usize) {
        let stream = connection.get_stream(direction);
        let end = stream.buffer_start() + length as u64;
        let read = stream.read_next(end, &mut self.segments, &mut self.gaps, |slice| {
            let (first, second) = slice.as_slices();
            first.len() + second.map_or(0, <[u8]>::len)
        });
        let missing: u64 = self.gaps.drain(..).map(|gap| gap.end - gap.start).sum();
        self.segments.clear();
        self.sum.set(self.sum.get() + read.unwrap_or_default() as u64 - missing);
    }
}

impl ConnectionHandler for PayloadSum {
    type InitialData = Rc<Cell<u64>>;
    type ConstructError = Infallible;

    fn new(sum: Rc<Cell<u64>>, _: &mut Connection<Self>) -> std::result::Result<Self, Infallible> {
        Ok(Self { sum, gaps: Vec::new(), segments: Vec::new() })
    }

    fn data_received(&mut self, connection: &mut Connection<Self>, direction: Direction) {
        let readable = connection.get_stream(direction).readable_buffered_length();
        self.read(connection, direction, readable);
    }

    fn will_retire(&mut self, connection: &mut Connection<Self>) {
        for direction in [Direction::Forward, Direction::Reverse] {
            let rest = connection.get_stream(direction).total_buffered_length();
            self.read(connection, direction, rest);
        }
    }
}

/// Adds up the ordered bytes.
pub(crate) fn streams(capture: &Path) -> Result<Counts> {
    let sum = Rc::new(Cell::new(0));
    let mut flows: FlowTable<PayloadSum> = FlowTable::new(Rc::clone(&sum));
    let mut parser = TcpParser::new();
    let mut reader = LegacyPcapReader::new(BUFFER_BYTES, File::open(capture)?)?;
    loop {
        match reader.next() {
            Ok((length, block)) => {
                if let PcapBlockOwned::Legacy(packet) = block
                    && let Some((meta, data)) = parser.parse_packet(packet.data)
                {
                    let Ok(_) = flows.handle_packet(&meta, data, &PacketExtra::None);
                }
                reader.consume(length);
            }
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(|error| error.to_string())?,
            Err(PcapError::Eof) => break,
            Err(error) => return Err(error.to_string().into()),
        }
    }
    flows.close();
    Ok(Counts::Streams { payload: sum.get() })
}
