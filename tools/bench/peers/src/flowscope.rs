//! flowscope: flows, sessions and parsers.
//!
//! It is used in two ways:
//!
//! * By sessions: one function returns the messages of a capture, as at the beginning of its
//!   documentation. It runs the session engine (`FlowDriver`, in 0.22), which visits all live
//!   streams at every packet and drops segments that are out of order.
//! * By parts: its tracker passes every payload to its reassembler that does order segments, and
//!   the ordered bytes go to the same parser. The tracker's `track_with_payload` exists for this.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use flowscope::extract::{FiveTuple, FiveTupleKey};
use flowscope::http::{HttpMessage, HttpParser};
use flowscope::pcap::session_messages;
use flowscope::{
    FlowEvent, FlowSide, FlowTracker, PacketView, Reassembler, SegmentBufferReassembler, SessionParser, Timestamp,
};
use pcap_file::pcap::PcapReader;

use crate::{Counts, Result};

/// The number of messages of each kind.
#[derive(Default)]
struct Messages {
    requests: u64,
    responses: u64,
}

impl Messages {
    fn count(&mut self, message: &HttpMessage) {
        match message {
            HttpMessage::Request(_) => self.requests += 1,
            HttpMessage::Response(_) => self.responses += 1,
            _ => {}
        }
    }

    fn counts(self) -> Counts {
        Counts::Http { requests: self.requests, responses: self.responses }
    }
}

/// Counts the messages of its own iterator over a capture. That is its fastest way with sessions.
pub(crate) fn http_by_sessions(capture: &Path) -> Result<Counts> {
    let mut messages = Messages::default();
    session_messages::<HttpParser>(capture)?.for_each(|(_, message)| messages.count(&message));
    Ok(messages.counts())
}

/// A connection: a reassembler for each side, the initiator's first, and the parser.
#[derive(Default)]
struct Flow<P> {
    sides: [SegmentBufferReassembler; 2],
    parser: P,
}

/// An event of a reassembled connection.
enum StreamEvent<'a> {
    Data { side: FlowSide, bytes: &'a [u8], time: Timestamp },
    End,
}

/// Passes every payload to the reassembler of its stream, and the ordered bytes to `read`.
fn reassemble<P: Default>(capture: &Path, mut read: impl FnMut(&mut P, StreamEvent<'_>)) -> Result<()> {
    let mut tracker = FlowTracker::<FiveTuple>::new(FiveTuple::bidirectional());
    let mut flows: HashMap<FiveTupleKey, Flow<P>, ahash::RandomState> = HashMap::default();
    let mut reader = PcapReader::new(File::open(capture)?)?;
    while let Some(packet) = reader.next_packet() {
        let packet = packet?;
        let time = Timestamp::new(packet.timestamp.as_secs() as u32, packet.timestamp.subsec_nanos());
        let events = tracker.track_with_payload(PacketView::new(&packet.data, time), |key, side, sequence, payload| {
            let Flow { sides, parser } = flows.entry(*key).or_default();
            let stream = &mut sides[usize::from(side == FlowSide::Responder)];
            stream.segment(sequence, payload, time);
            let ready = stream.take();
            if !ready.is_empty() {
                read(parser, StreamEvent::Data { side, bytes: &ready, time });
            }
        });
        for event in events {
            if let FlowEvent::Ended { key, .. } = event
                && let Some(mut flow) = flows.remove(&key)
            {
                read(&mut flow.parser, StreamEvent::End);
            }
        }
    }
    flows.values_mut().for_each(|flow| read(&mut flow.parser, StreamEvent::End));
    Ok(())
}

/// Counts messages with its parts.
pub(crate) fn http_by_parts(capture: &Path) -> Result<Counts> {
    let mut messages = Messages::default();
    let mut scratch = Vec::new();
    reassemble(capture, |parser: &mut HttpParser, event| {
        match event {
            StreamEvent::Data { side: FlowSide::Initiator, bytes, time } => {
                parser.feed_initiator(bytes, time, &mut scratch)
            }
            StreamEvent::Data { side: FlowSide::Responder, bytes, time } => {
                parser.feed_responder(bytes, time, &mut scratch)
            }
            StreamEvent::End => {
                parser.fin_initiator(&mut scratch);
                parser.fin_responder(&mut scratch);
            }
        }
        scratch.drain(..).for_each(|message| messages.count(&message));
    })?;
    Ok(messages.counts())
}

/// Adds up the ordered bytes.
pub(crate) fn streams_by_parts(capture: &Path) -> Result<Counts> {
    let mut payload = 0;
    reassemble(capture, |_: &mut (), event| match event {
        StreamEvent::Data { bytes, .. } => payload += bytes.len() as u64,
        StreamEvent::End => {}
    })?;
    Ok(Counts::Streams { payload })
}
