//! Any bytes as a capture: whole packets or a fault that names a byte, never a panic; and what was read is consistent: chunks are not
//! empty, a gap of nothing is only where a stream is joined in its midst, and nothing comes of a connection that is over.
#![no_main]

use std::collections::HashSet;

use enjamb::{Connection, Ending, Side, Tap, Time};
use libfuzzer_sys::fuzz_target;

#[derive(Default)]
struct Consistent {
    open: HashSet<u64>,
    /// The sides of which something was told.
    begun: HashSet<(u64, usize)>,
}

impl Consistent {
    /// Is this the first of a side?
    fn begins(&mut self, connection: &Connection, side: Side) -> bool {
        self.begun.insert((connection.number, side.index()))
    }
}

impl Tap for Consistent {
    fn open(&mut self, connection: &Connection, _: Time) {
        assert!(self.open.insert(connection.number), "opened twice");
    }
    fn chunk(&mut self, connection: &Connection, _: Time, side: Side, bytes: &[u8]) {
        self.begins(connection, side);
        assert!(!bytes.is_empty(), "an empty chunk");
        assert!(self.open.contains(&connection.number), "a chunk of no connection");
    }
    fn gap(&mut self, connection: &Connection, _: Time, side: Side, missing: u64) {
        assert!(self.begins(connection, side) || missing > 0, "an empty gap in a stream");
        assert!(self.open.contains(&connection.number), "a gap of no connection");
    }
    fn close(&mut self, connection: &Connection, _: Time, side: Side, _: Ending) {
        self.begins(connection, side);
        assert!(self.open.contains(&connection.number), "the end of a side of no connection");
    }
    fn done(&mut self, connection: &Connection, _: Time) {
        assert!(self.open.remove(&connection.number), "over twice");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut tap = Consistent::default();
    let report = enjamb_capture::read(data, &mut tap, &enjamb_capture::Options::default());
    assert!(tap.open.is_empty(), "connections that are never over");
    // Of a compressed one, the offset is a place in what is inside.
    let compressed = [&[0x1f, 0x8b][..], &[0x28, 0xb5, 0x2f, 0xfd], &[0x2a, 0x4d, 0x18]];
    let compressed = compressed
        .iter()
        .any(|magic| data.starts_with(magic) || data.get(1..).is_some_and(|data| data.starts_with(magic)));
    if let Some(fault) = report.fault
        && !compressed
    {
        assert!(fault.offset <= data.len() as u64);
    }
});
