//! Any bytes as a capture: whole packets or an error that names a byte, never a panic. The events
//! are consistent: no chunk is empty, a gap is empty only where a stream was joined late, and
//! nothing comes after the end of a connection.
#![no_main]

use std::collections::HashSet;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use libfuzzer_sys::fuzz_target;

#[derive(Default)]
struct Consistent {
    open: HashSet<u64>,
    /// The sides that had an event.
    begun: HashSet<(u64, usize)>,
}

impl Consistent {
    /// Returns whether this is the first event of a side.
    fn begins(&mut self, connection: &Connection, side: Side) -> bool {
        self.begun.insert((connection.number, side.index()))
    }
}

impl Tap for Consistent {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => assert!(self.open.insert(connection.number), "opened twice"),
            Event::Chunk { side, bytes } => {
                self.begins(connection, side);
                assert!(!bytes.is_empty(), "an empty chunk");
                assert!(self.open.contains(&connection.number), "a chunk of no connection");
            }
            Event::Gap { side, missing } => {
                assert!(self.begins(connection, side) || missing > 0, "an empty gap in a stream");
                assert!(self.open.contains(&connection.number), "a gap of no connection");
            }
            Event::Close { side, .. } => {
                self.begins(connection, side);
                assert!(self.open.contains(&connection.number), "the end of a side of no connection");
            }
            Event::Done => assert!(self.open.remove(&connection.number), "over twice"),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut tap = Consistent::default();
    let report = enjamb_capture::read(data, &mut tap, &enjamb_capture::Options::default());
    assert!(tap.open.is_empty(), "connections that are never over");
    // In a compressed file, the offset counts decompressed bytes.
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
