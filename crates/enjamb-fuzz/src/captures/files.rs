//! The target `captures`: any bytes as a capture file.

use std::collections::HashSet;
use std::io::Read;

use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_capture::{Options, read};

/// A tap that asserts that events are consistent, and hashes them.
#[derive(Default)]
struct ConsistencyCheck {
    /// Numbers of the connections that are open.
    open: HashSet<u64>,
    /// Sides of connections that have had an event.
    started: HashSet<(u64, usize)>,
    events: Vec<(u64, Time, String)>,
}

impl ConsistencyCheck {
    /// Returns whether this is the first event of the side.
    fn start(&mut self, connection: &Connection, side: Side) -> bool {
        self.started.insert((connection.number, side.index()))
    }
}

impl Tap for ConsistencyCheck {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        self.events.push((connection.number, time, format!("{event:?}")));
        let is_open = self.open.contains(&connection.number);
        match event {
            Event::Open => assert!(self.open.insert(connection.number), "a connection is opened twice"),
            Event::Chunk { side, bytes } => {
                self.start(connection, side);
                assert!(!bytes.is_empty(), "an empty chunk");
                assert!(is_open, "a chunk of a connection that is not open");
            }
            Event::Gap { side, missing } => {
                assert!(self.start(connection, side) || missing > 0, "an empty gap inside a stream");
                assert!(is_open, "a gap of a connection that is not open");
            }
            Event::Close { side, .. } => {
                self.start(connection, side);
                assert!(is_open, "a side ends of a connection that is not open");
            }
            Event::Done => assert!(self.open.remove(&connection.number), "a connection ends that is not open"),
        }
    }
}

/// A reader that returns a few bytes for each call.
struct ShortReads<'d>(&'d [u8]);

impl Read for ShortReads<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(13);
        self.0.read(&mut buffer[..most])
    }
}

/// The longest file that is also read in pieces.
const SHORT_READS_MAX: usize = 1 << 10;

/// The target `captures`: the reader returns whole packets, or an error with an offset in the file.
/// The events are consistent: each connection opens and ends once, no chunk is empty, an empty gap
/// occurs only at the start of a side, and no event follows the end. Short reads change nothing.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn captures(data: &[u8]) {
    let mut tap = ConsistencyCheck::default();
    let report = read(data, &mut tap, &Options::default());
    assert!(tap.open.is_empty(), "connections are left open");
    // In a compressed file the offset is a place in the decompressed bytes.
    let compressed = [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd], &[0x2a, 0x4d, 0x18]];
    let compressed = compressed
        .iter()
        .any(|magic| data.starts_with(magic) || data.get(1..).is_some_and(|data| data.starts_with(magic)));
    if let Some(error) = &report.error
        && !compressed
    {
        assert!(error.offset <= data.len() as u64, "an error outside of the file: {error}");
    }
    if data.len() <= SHORT_READS_MAX {
        let mut pieces = ConsistencyCheck::default();
        let again = read(ShortReads(data), &mut pieces, &Options::default());
        assert!(
            pieces.events == tap.events,
            "short reads change the events\n  {:?}\n  {:?}",
            tap.events,
            pieces.events
        );
        assert_eq!(again.error.map(|error| error.offset), report.error.map(|error| error.offset), "short reads");
    }
}
