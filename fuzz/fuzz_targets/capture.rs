//! Any bytes as a capture file.
//!
//! The reader returns whole packets, or an error with a byte offset, and never panics. The events
//! are consistent: each connection opens and ends once, no chunk is empty, an empty gap occurs only
//! at the start of a side that the capture joins in the middle, and no event follows the end of a
//! connection.
#![no_main]

use std::collections::HashSet;

use enjamb::{Connection, Event, Side, Tap, Time};
use libfuzzer_sys::fuzz_target;

/// A tap that asserts that events are consistent.
#[derive(Default)]
struct ConsistencyCheck {
    /// Numbers of the connections that are open.
    open: HashSet<u64>,
    /// Sides of connections that have had an event.
    started: HashSet<(u64, usize)>,
}

impl ConsistencyCheck {
    /// Returns whether this is the first event of the side.
    fn start(&mut self, connection: &Connection, side: Side) -> bool {
        self.started.insert((connection.number, side.index()))
    }
}

impl Tap for ConsistencyCheck {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => assert!(self.open.insert(connection.number), "a connection is opened twice"),
            Event::Chunk { side, bytes } => {
                self.start(connection, side);
                assert!(!bytes.is_empty(), "an empty chunk");
                assert!(self.open.contains(&connection.number), "a chunk of a connection that is not open");
            }
            Event::Gap { side, missing } => {
                assert!(self.start(connection, side) || missing > 0, "an empty gap inside a stream");
                assert!(self.open.contains(&connection.number), "a gap of a connection that is not open");
            }
            Event::Close { side, .. } => {
                self.start(connection, side);
                assert!(self.open.contains(&connection.number), "a side ends of a connection that is not open");
            }
            Event::Done => assert!(self.open.remove(&connection.number), "a connection ends that is not open"),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut tap = ConsistencyCheck::default();
    let report = enjamb_capture::read(data, &mut tap, &enjamb_capture::Options::default());
    assert!(tap.open.is_empty(), "connections are left open");
    // In a compressed file the offset is a place in the decompressed bytes.
    let compressed = [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd], &[0x2a, 0x4d, 0x18]];
    let compressed = compressed
        .iter()
        .any(|magic| data.starts_with(magic) || data.get(1..).is_some_and(|data| data.starts_with(magic)));
    if let Some(error) = report.error
        && !compressed
    {
        assert!(error.offset <= data.len() as u64);
    }
});
