//! Segments of one connection, by their offset in its streams.

#![allow(dead_code, reason = "every test file uses another part of it")]

use enjamb::{Side, Time};
use enjamb_capture::{Options, Reassembler, Segment, Summary};

use crate::conversations::Conversations;

/// The segments of one connection, and their reassembly.
pub(crate) struct Wire {
    pub(crate) reassembler: Reassembler,
    pub(crate) tap: Conversations,
    pub(crate) first: u32,
    pub(crate) server_first: u32,
    pub(crate) now: u64,
}

impl Wire {
    pub(crate) fn new(first: u32, options: Options) -> Self {
        let server_first = first.wrapping_mul(7).wrapping_add(99);
        Self { reassembler: Reassembler::new(options), tap: Conversations::default(), first, server_first, now: 0 }
    }

    pub(crate) fn segment<'a>(&self, side: Side, at: i64, payload: &'a [u8]) -> Segment<'a> {
        let client = "192.0.2.1:40000".parse().expect("an address");
        let server = "192.0.2.2:80".parse().expect("an address");
        let (source, destination, first) = match side {
            Side::Client => (client, server, self.first),
            Side::Server => (server, client, self.server_first),
        };
        Segment {
            source,
            destination,
            sequence: first.wrapping_add(1).wrapping_add(at as u32),
            acknowledgement: None,
            syn: false,
            fin: false,
            rst: false,
            urgent: false,
            network: 0,
            payload,
            missing: 0,
            dropped: 0,
            bad_checksum: false,
        }
    }

    pub(crate) fn push(&mut self, segment: &Segment<'_>) {
        self.now += 1_000;
        self.reassembler.push(Time::from_nanos(self.now), segment, &mut self.tap);
    }

    pub(crate) fn handshake(&mut self) {
        let syn = Segment { syn: true, ..self.segment(Side::Client, -1, b"") };
        self.push(&syn);
        let acknowledgement = Some(self.first.wrapping_add(1));
        let syn_ack = Segment { syn: true, acknowledgement, ..self.segment(Side::Server, -1, b"") };
        self.push(&syn_ack);
    }

    pub(crate) fn finish(mut self) -> (Conversations, Summary) {
        self.reassembler.finish(&mut self.tap);
        assert_eq!(self.reassembler.held(), 0, "nothing is held at the end");
        (self.tap, self.reassembler.summary().clone())
    }
}

/// Returns options with unlimited patience.
pub(crate) fn patient() -> Options {
    Options { patience: u32::MAX, patience_one_sided: u32::MAX, ..Options::default() }
}

/// Processes segments after a handshake.
pub(crate) fn play(options: Options, make: impl Fn(&Wire) -> Vec<Segment<'static>>) -> Conversations {
    let mut wire = Wire::new(1000, options);
    wire.handshake();
    for segment in &make(&wire) {
        wire.push(segment);
    }
    wire.finish().0
}
