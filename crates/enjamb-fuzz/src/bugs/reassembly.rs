//! Reassembly that is easily written wrong.

use enjamb_capture::Segment;

use super::{PlantedBug, bug};
use crate::captures::{ReassemblyCase, check_reassembly_of};

/// The mistakes.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    Wrap,
    Overlap,
    EarlyEnd,
    LongerCopy,
    Queue,
    Truncated,
    Acknowledged,
    SameLength,
}

macro_rules! reassembly_bugs {
    ($($name:literal $mistake:ident $text:literal),* $(,)?) => {
        [$(bug!($name, "reassembly", $text, |data| check(data, Mistake::$mistake))),*]
    };
}

pub(super) const BUGS: &[PlantedBug] = &reassembly_bugs![
    "sequence-wrap" Wrap "sequence numbers are compared as plain numbers, so the stream ends where they wrap",
    "overlap" Overlap "a segment that begins inside of what is known loses one byte more",
    "early-end" EarlyEnd "an end that overtakes data is dropped",
    "longer-copy" LongerCopy "a copy that is longer than the first one brings nothing",
    "queue" Queue "the third segment that waits for an earlier one is dropped",
    "truncated" Truncated "bytes that the capture truncated are not counted",
    "acknowledged" Acknowledged "a segment that was acknowledged before it was seen is dropped",
    "same-length" SameLength "a segment of the length of the one before is taken for its copy",
];

fn check(data: &[u8], mistake: Mistake) {
    let case = ReassemblyCase::decode(data);
    let begin = case.first.wrapping_add(1);
    let at = |sequence: u32| sequence.wrapping_sub(begin) as usize;
    // The bytes known without a hole, the segments that wait, the last segment, what was
    // acknowledged.
    let (mut known, mut waiting, mut last, mut acknowledged) = (0usize, 0usize, (0usize, 0usize), 0usize);
    check_reassembly_of(&case, &mut |segment: &Segment<'_>, push: &mut dyn FnMut(&Segment<'_>)| {
        if segment.syn {
            return push(segment);
        }
        if let Some(acknowledgement) = segment.acknowledgement {
            acknowledged = acknowledged.max(at(acknowledgement));
            return push(segment);
        }
        let from = at(segment.sequence);
        let end = from + segment.payload.len();
        let before = std::mem::replace(&mut last, (from, segment.payload.len()));
        let is_early = from > known;
        waiting = if is_early { waiting + 1 } else { 0 };
        let passed = match mistake {
            Mistake::Wrap => segment.sequence >= case.first,
            Mistake::EarlyEnd => !(segment.fin && is_early),
            Mistake::LongerCopy => !(before.0 == from && segment.payload.len() > before.1 && before.1 > 0),
            Mistake::Queue => waiting != 3,
            Mistake::Acknowledged => !(end <= acknowledged && from >= known && !segment.payload.is_empty()),
            Mistake::SameLength => !(segment.payload.len() == before.1 && before.1 > 90 && from != before.0),
            _ => true,
        };
        if passed {
            match mistake {
                Mistake::Overlap if from < known && end > known && segment.payload.len() > 2 => {
                    let sequence = segment.sequence.wrapping_add((known - from) as u32 + 1);
                    let payload = &segment.payload[(known - from + 1).min(segment.payload.len())..];
                    push(&Segment { sequence, ..segment.with_payload(payload) });
                }
                Mistake::Truncated => push(&Segment { missing: 0, ..*segment }),
                _ => push(segment),
            }
        }
        if from <= known {
            known = known.max(end);
        }
    });
}
