//! The target `reassembly`: segments in any order, lost, repeated, overlapping and in conflict.
//!
//! The expected result comes from a map of bytes, which ignores order.

use std::net::SocketAddr;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_capture::{Options, Overlap, Reassembler, Segment, Summary};

/// The longest stream, in bytes. All of it is still compared with retransmissions.
const LONGEST: usize = 1500;

/// The maximum number of segments. It is so low that a stream that is joined late waits for all of
/// them.
const MOST: usize = 60;

/// The captured packets of one side.
///
/// Every byte string is a case: the first sequence number in 4 bytes, a byte of flags (1: the
/// handshake was captured, 2: the last copy counts), and 5 bytes for each action: its kind, a place
/// in 2 bytes, a length, and a flavour.
#[derive(Clone, Debug)]
pub struct ReassemblyCase {
    /// The sequence number of the SYN: it may wrap soon.
    pub first: u32,
    /// Whether the SYN was captured.
    pub handshake: bool,
    /// Whether the last copy counts.
    pub last: bool,
    /// The packets, in the order of the capture.
    pub actions: Vec<Action>,
}

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of a segment")]
pub enum Action {
    /// `length` and 2 more bytes. Copies of different flavours differ in some bytes.
    Data { at: u16, length: u8, flavour: u8 },
    /// A packet of which only the first bytes were captured.
    Cut { at: u16, length: u8, captured: u8 },
    /// The other side acknowledges this many bytes.
    Acknowledge { bytes: u16 },
    /// The stream ends at its greatest length.
    Finish,
}

/// The number of bytes before the actions of a case.
pub(crate) const HEAD: usize = 5;

/// The number of bytes of an action.
pub(crate) const WIDTH: usize = 5;

impl ReassemblyCase {
    /// Decodes a case. Every byte string is one.
    #[must_use]
    pub fn decode(data: &[u8]) -> Self {
        let (head, rest) = data.split_at(data.len().min(HEAD));
        let head: [u8; HEAD] = std::array::from_fn(|at| head.get(at).copied().unwrap_or(0));
        let actions = rest.chunks(WIDTH).take(MOST).map(|bytes| {
            let [kind, high, low, length, flavour] = std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0));
            let at = u16::from_be_bytes([high, low]);
            match kind % 8 {
                0..=4 => Action::Data { at, length, flavour },
                5 => Action::Cut { at, length, captured: flavour },
                6 => Action::Acknowledge { bytes: at },
                _ => Action::Finish,
            }
        });
        Self {
            first: u32::from_be_bytes([head[0], head[1], head[2], head[3]]),
            handshake: head[4] & 1 != 0,
            last: head[4] & 2 != 0,
            actions: actions.collect(),
        }
    }

    /// Encodes the case.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = self.first.to_be_bytes().to_vec();
        data.push(u8::from(self.handshake) | u8::from(self.last) << 1);
        for action in &self.actions {
            let (kind, at, length, flavour) = match *action {
                Action::Data { at, length, flavour } => (0, at, length, flavour),
                Action::Cut { at, length, captured } => (5, at, length, captured),
                Action::Acknowledge { bytes } => (6, bytes, 0, 0),
                Action::Finish => (7, 0, 0, 0),
            };
            let [high, low] = at.to_be_bytes();
            data.extend([kind, high, low, length, flavour]);
        }
        data
    }
}

/// Returns the byte that a copy of a flavour has in a place.
fn byte(at: usize, flavour: u8) -> u8 {
    let plain = (at * 31 + at / 256) as u8;
    // Most bytes are the same in all flavours.
    if flavour != 0 && (at / 3).is_multiple_of(usize::from(flavour % 7) + 2) { plain ^ flavour } else { plain }
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Unseen,
    /// It was in a packet that the capture truncated.
    Lost,
    Byte(u8),
}

/// The map.
struct Model {
    places: Vec<Place>,
    last: bool,
    acknowledged: usize,
    /// All places before this one were seen or are known to be lost.
    final_to: usize,
    ended: bool,
    conflicts: u64,
    conflicting_bytes: u64,
}

impl Model {
    fn take(&mut self, at: usize, bytes: &[u8], missing: usize) {
        let mut differing = 0;
        for (place, &byte) in (at..).zip(bytes) {
            let known = &mut self.places[place];
            match *known {
                Place::Byte(before) => {
                    differing += u64::from(before != byte);
                    if self.last && place >= self.acknowledged {
                        *known = Place::Byte(byte);
                    }
                }
                _ if place < self.final_to => {}
                _ => *known = Place::Byte(byte),
            }
        }
        self.conflicts += u64::from(differing > 0);
        self.conflicting_bytes += differing;
        for place in &mut self.places[at + bytes.len()..at + bytes.len() + missing] {
            if *place == Place::Unseen {
                *place = Place::Lost;
            }
        }
    }

    /// Makes all places before the first one that was neither seen nor lost final. Called only if
    /// the first copy counts.
    fn settle(&mut self) {
        while self.final_to < self.places.len() && self.places[self.final_to] != Place::Unseen {
            self.final_to += 1;
        }
    }
}

/// A tap that collects the client's stream.
#[derive(Default)]
struct ClientStream {
    stream: Vec<Option<u8>>,
    ending: Option<Ending>,
}

impl Tap for ClientStream {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Chunk { side, bytes } => {
                assert_eq!((side, self.ending), (Side::Client, None), "a chunk that nobody sent");
                self.stream.extend(bytes.iter().copied().map(Some));
            }
            Event::Gap { side, missing } => {
                assert_eq!((side, self.ending), (Side::Client, None), "a gap where nothing was sent");
                self.stream.extend((0..missing).map(|_| None));
            }
            Event::Close { side, ending } => {
                assert_eq!((side, self.ending.replace(ending)), (Side::Client, None), "an end that nobody sent");
            }
            Event::Open | Event::Done => {}
        }
    }
}

/// Returns the actions that count. The lost bytes of truncated packets depend on the delivered
/// bytes. If those depend on more than the packets seen, truncated packets are left out.
fn actions(case: &ReassemblyCase) -> impl Iterator<Item = &Action> {
    let exact = case.handshake && !case.last;
    case.actions.iter().take(MOST).filter(move |action| exact || !matches!(action, Action::Cut { .. }))
}

/// Passes a segment on to the reassembler: as it is, changed, several times, or not at all.
pub(crate) type Pass<'p> = &'p mut dyn FnMut(&Segment<'_>, &mut dyn FnMut(&Segment<'_>));

/// Reassembles a case with unlimited patience and enough memory.
fn reassemble(case: &ReassemblyCase, pass: Pass<'_>) -> (ClientStream, Summary) {
    let overlap = if case.last { Overlap::Last } else { Overlap::First };
    let options = Options { overlap, patience: u32::MAX, patience_one_sided: u32::MAX, ..Options::default() };
    let (mut reassembler, mut found, mut now) = (Reassembler::new(options), ClientStream::default(), 0);
    let mut push = |segment: &Segment<'_>| {
        pass(segment, &mut |segment| {
            now += 1000;
            reassembler.push(Time::from_nanos(now), segment, &mut found);
        });
    };
    let (client, server) = (SocketAddr::from(([192, 0, 2, 1], 40_000)), SocketAddr::from(([192, 0, 2, 2], 80)));
    let sequence = |at: usize| case.first.wrapping_add(1).wrapping_add(at as u32);
    let empty = Segment {
        source: client,
        destination: server,
        sequence: 0,
        acknowledgement: None,
        syn: false,
        fin: false,
        rst: false,
        urgent: false,
        network: 0,
        payload: &[],
        missing: 0,
        dropped: 0,
        bad_checksum: false,
    };
    if case.handshake {
        push(&Segment { sequence: case.first, syn: true, ..empty });
    }
    for action in actions(case) {
        match *action {
            Action::Data { at, length, flavour } => {
                let (at, end) = range(at, length);
                let payload: Vec<u8> = (at..end).map(|at| byte(at, flavour)).collect();
                push(&Segment { sequence: sequence(at), payload: &payload, ..empty });
            }
            Action::Cut { at, length, captured } => {
                let (at, end, captured) = cut(at, length, captured);
                let payload: Vec<u8> = (at..captured).map(|at| byte(at, 0)).collect();
                push(&Segment { sequence: sequence(at), payload: &payload, missing: (end - captured) as u64, ..empty });
            }
            Action::Acknowledge { bytes } => {
                let acknowledgement = Some(sequence(usize::from(bytes) % (LONGEST + 1)));
                push(&Segment { source: server, destination: client, sequence: 7, acknowledgement, ..empty });
            }
            Action::Finish => push(&Segment { sequence: sequence(LONGEST), fin: true, ..empty }),
        }
    }
    reassembler.finish(&mut found);
    assert_eq!(reassembler.held(), 0, "bytes are held at the end");
    (found, reassembler.summary().clone())
}

fn range(at: u16, length: u8) -> (usize, usize) {
    let at = usize::from(at) % (LONGEST - 1);
    (at, (at + 2 + usize::from(length)).min(LONGEST))
}

fn cut(at: u16, length: u8, captured: u8) -> (usize, usize, usize) {
    let (at, end) = range(at, length);
    // At least two bytes, because one byte is taken for a keep-alive probe.
    (at, end, (at + 2 + usize::from(captured)).min(end))
}

/// Compares reassembly with the map: every byte and gap, the end, and the number of conflicts.
///
/// # Panics
/// When they differ.
pub fn check_reassembly(case: &ReassemblyCase) {
    check_reassembly_of(case, &mut |segment, push| push(segment));
}

/// Compares reassembly of the segments that `pass` passes on with the map of all segments.
pub(crate) fn check_reassembly_of(case: &ReassemblyCase, pass: Pass<'_>) {
    let mut model = Model {
        places: vec![Place::Unseen; LONGEST],
        last: case.last,
        acknowledged: 0,
        final_to: 0,
        ended: false,
        conflicts: 0,
        conflicting_bytes: 0,
    };
    let mut begins = if case.handshake { 0 } else { LONGEST };
    for action in actions(case) {
        match *action {
            Action::Data { at, length, flavour } => {
                let (at, end) = range(at, length);
                begins = begins.min(at);
                let bytes: Vec<u8> = (at..end).map(|at| byte(at, flavour)).collect();
                model.take(at, &bytes, 0);
            }
            Action::Cut { at, length, captured } => {
                let (at, end, captured) = cut(at, length, captured);
                begins = begins.min(at);
                let bytes: Vec<u8> = (at..captured).map(|at| byte(at, 0)).collect();
                model.take(at, &bytes, end - captured);
            }
            Action::Acknowledge { bytes } => {
                model.acknowledged = model.acknowledged.max(usize::from(bytes) % (LONGEST + 1));
            }
            Action::Finish => model.ended = true,
        }
        if case.handshake && !case.last {
            model.settle();
        }
    }
    let mut expected: Vec<Option<u8>> = model.places[begins..]
        .iter()
        .map(|place| if let Place::Byte(byte) = place { Some(*byte) } else { None })
        .collect();
    if !model.ended {
        // Without a FIN, the stream ends with the last byte seen.
        let last = model.places[begins..].iter().rposition(|place| *place != Place::Unseen);
        expected.truncate(last.map_or(0, |last| last + 1));
    }
    let (client, summary) = reassemble(case, pass);
    let first = client.stream.iter().zip(&expected).position(|(found, expected)| found != expected);
    assert_eq!(
        (first, client.stream.len()),
        (None, expected.len()),
        "the first place that differs, and the length: {case:?}"
    );
    assert_eq!(client.ending, model.ended.then_some(Ending::Closed), "the end: {case:?}");
    assert_eq!(summary.payload, expected.iter().flatten().count() as u64, "the payload: {case:?}");
    assert_eq!(summary.gap_bytes, expected.iter().filter(|byte| byte.is_none()).count() as u64, "the gaps: {case:?}");
    // Bytes before a gap are not compared after it. Gaps come early only where packets were
    // truncated.
    let cut = actions(case).any(|action| matches!(action, Action::Cut { .. }));
    if !cut {
        let found = (summary.conflicts, summary.conflicting_bytes);
        assert_eq!(found, (model.conflicts, model.conflicting_bytes), "the conflicts: {case:?}");
    }
}

/// The target `reassembly`.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn reassembly(data: &[u8]) {
    check_reassembly(&ReassemblyCase::decode(data));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_decoded_as_it_was_encoded() {
        let actions = vec![
            Action::Data { at: 300, length: 4, flavour: 1 },
            Action::Cut { at: 2, length: 200, captured: 3 },
            Action::Acknowledge { bytes: 301 },
            Action::Finish,
        ];
        let case = ReassemblyCase { first: u32::MAX, handshake: true, last: false, actions };
        let again = ReassemblyCase::decode(&case.encode());
        assert_eq!((again.first, again.handshake, again.last), (case.first, true, false));
        assert_eq!(again.actions, case.actions);
    }
}
