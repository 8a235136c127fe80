//! An engine that is easily written wrong.

use enjamb::{InvalidUtf8, Limit, Overflow, Terminator};

use super::{PlantedBug, bug};
use crate::engine::case::{EngineCase, Setting};
use crate::engine::output::Output;
use crate::engine::reference::{Found, Reader, Right, Rules, found_or_held, longest, read_by};
use crate::engine::{check_engine, check_text, subject};

/// The mistakes.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    ChunkEdge,
    LostPrefix,
    NoFailureTable,
    FirstListed,
    NoWaiting,
    LimitReached,
    LimitCountsHeld,
    SkipIsSticky,
    LengthAtEdge,
    HeldIsPayload,
    StopAtChunk,
    CycleOff,
    TruncatesPieces,
    EmptyTail,
    LengthGoesOn,
    OffsetOfChunk,
}

macro_rules! engine_bugs {
    ($($name:literal $mistake:ident $text:literal),* $(,)?) => {
        [$(bug!($name, "engine", $text, |data| check_engine(data, |case| run(case, Mistake::$mistake)))),*]
    };
}

pub(super) const BUGS: &[PlantedBug] = &engine_bugs![
    "chunk-edge" ChunkEdge "each chunk is searched on its own, so a delimiter between two is missed",
    "lost-prefix" LostPrefix "the held beginning of a delimiter is dropped if it was none",
    "no-failure-table" NoFailureTable "a search that fails inside a delimiter goes on behind it: aab in aaab",
    "first-listed" FirstListed "of several delimiters the first listed wins, not the longest",
    "no-waiting" NoWaiting "a delimiter that another may continue does not wait for the next chunk",
    "limit-reached" LimitReached "a frame of exactly the limit is refused",
    "limit-counts-held" LimitCountsHeld "held bytes count for the limit, so the verdict depends on the cut",
    "skip-is-sticky" SkipIsSticky "a frame behind a skipped one is skipped, too, if it is cut",
    "length-at-edge" LengthAtEdge "a length that ends with its chunk waits for another byte",
    "held-is-payload" HeldIsPayload "held bytes are not searched again when the terminator changes",
    "stop-at-chunk" StopAtChunk "the rest behind a stop is counted from the next chunk",
    "cycle-off" CycleOff "a program that begins again leaves out its first setting",
    "truncates-pieces" TruncatesPieces "the limit applies to each piece, not to the frame",
    "empty-tail" EmptyTail "a frame up to the end of the stream is lost if it is empty",
    "length-goes-on" LengthGoesOn "behind a length that was used up everything is data, as in asynchat",
    "offset-of-chunk" OffsetOfChunk "the frame behind a cut in a delimiter begins one byte early",
];

/// Returns the outputs of an engine with a mistake.
fn run(case: &EngineCase, mistake: Mistake) -> Vec<Output<Vec<u8>>> {
    read_by(case, Wrong { mistake, held: 0, begins_with_held: false, was_skipped: false })
}

/// The rules of the naive reader, of which one is wrong.
struct Wrong {
    mistake: Mistake,
    /// The number of bytes that were held at the end of the last chunk.
    held: usize,
    /// Whether the delimiter of the frame began with held bytes.
    begins_with_held: bool,
    /// Whether the last frame was skipped.
    was_skipped: bool,
}

impl Rules for Wrong {
    fn search(&mut self, reader: &Reader<'_>, rest: &[u8], last: bool) -> Found {
        let right = Right.search(reader, rest, last);
        match (self.mistake, &reader.terminator, right) {
            (Mistake::ChunkEdge, Terminator::Delimiter(_), Found::Held(_)) => Found::Held(rest.len()),
            (Mistake::NoFailureTable, Terminator::Delimiter(delimiter), _) => {
                let at = without_failure_table(rest, delimiter.bytes());
                found_or_held(at, rest, delimiter.bytes(), last)
            }
            (Mistake::FirstListed, Terminator::AnyOf(set), Found::End { payload, .. }) => {
                let first = set.delimiters().enumerate().find(|(_, one)| rest[payload..].starts_with(one));
                first.map_or(right, |(delimiter, one)| Found::End { payload, width: one.len(), delimiter })
            }
            (Mistake::NoWaiting, Terminator::AnyOf(set), Found::Held(payload)) => {
                let here = longest(set, &rest[payload..]);
                here.map_or(right, |(delimiter, one)| Found::End { payload, width: one.len(), delimiter })
            }
            (Mistake::LengthAtEdge, Terminator::Length(_), Found::End { payload, .. }) if payload == rest.len() => {
                Found::Held(payload)
            }
            _ => right,
        }
    }

    fn deliver(&mut self, reader: &mut Reader<'_>, mut bytes: usize) -> bool {
        let held = std::mem::take(&mut self.held);
        self.begins_with_held = held > 0 && bytes == 0;
        if self.mistake == Mistake::LostPrefix && bytes >= held {
            reader.position += held;
            bytes -= held;
        }
        let Limit { max, overflow } = reader.limit();
        let room = match overflow {
            Overflow::Truncate if self.mistake == Mistake::TruncatesPieces => max,
            _ => max.saturating_sub(reader.payload.len() as u64),
        };
        let continues = reader.deliver(bytes, room);
        let is_reached = self.mistake == Mistake::LimitReached && reader.length >= max && bytes > 0;
        if continues && is_reached && overflow == Overflow::Refuse {
            reader.fail(max);
            return false;
        }
        continues
    }

    fn hold(&mut self, reader: &mut Reader<'_>, bytes: usize) {
        self.held = bytes;
        let Limit { max, overflow } = reader.limit();
        let is_over = reader.length + bytes as u64 > max;
        if self.mistake == Mistake::LimitCountsHeld && overflow == Overflow::Refuse && is_over {
            reader.fail(max);
        }
    }

    fn change(&mut self, reader: &mut Reader<'_>, held: usize) {
        if self.mistake == Mistake::HeldIsPayload && held > 0 {
            self.deliver(reader, held);
        }
    }

    fn found(&mut self, reader: &mut Reader<'_>, delimiter: usize) {
        let skips = reader.limit().overflow == Overflow::Skip;
        let begins_again = reader.case.cycle && reader.frame >= reader.case.settings.len();
        let number = reader.frame + usize::from(self.mistake == Mistake::CycleOff && begins_again);
        let setting = match reader.case.after(number) {
            Setting::Keep
                if self.mistake == Mistake::LengthGoesOn && matches!(reader.terminator, Terminator::Length(_)) =>
            {
                Setting::Set(Terminator::Close)
            }
            setting => setting.clone(),
        };
        let at = reader.outputs.len();
        reader.found(delimiter, setting);
        if let Some(Output::Frame { skipped, .. }) = reader.outputs.get_mut(at) {
            let was_skipped = std::mem::replace(&mut self.was_skipped, *skipped);
            *skipped |= self.mistake == Mistake::SkipIsSticky && was_skipped && skips;
        }
        if self.mistake == Mistake::OffsetOfChunk && self.begins_with_held {
            reader.start = reader.start.saturating_sub(1);
        }
    }

    fn has_tail(&self, reader: &Reader<'_>) -> bool {
        reader.length > 0 || self.mistake != Mistake::EmptyTail
    }

    fn leftover(&self, reader: &Reader<'_>) -> usize {
        let cuts = reader.case.cuts.iter().map(|(at, _)| *at);
        let from = match self.mistake {
            Mistake::StopAtChunk => cuts.filter(|at| *at >= reader.position).min(),
            _ => Some(reader.position),
        };
        from.map_or(0, |from| reader.case.stream.len() - from)
    }
}

/// Searches without looking at a byte again that did not continue a match.
fn without_failure_table(rest: &[u8], delimiter: &[u8]) -> Option<usize> {
    let mut matched = 0;
    for (at, byte) in rest.iter().enumerate() {
        matched = if *byte == delimiter[matched] { matched + 1 } else { 0 };
        if matched == delimiter.len() {
            return Some(at + 1 - matched);
        }
    }
    None
}

/// The mistakes in text.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum TextMistake {
    EachPiece,
    AcrossFrames,
    WholeFrame,
    CutCharacter,
}

/// Returns the outputs of a text adapter with a mistake.
pub(super) fn check_text_with(data: &[u8], mistake: TextMistake) {
    check_text(data, |case, invalid| {
        if invalid == InvalidUtf8::Refuse {
            // These mistakes replace.
            return subject::run_text(case, invalid);
        }
        let pieces = subject::run_pieces(case);
        let mut left: Vec<u8> = Vec::new();
        let mut outputs = Vec::new();
        for output in pieces {
            let text = |pieces: Vec<Vec<u8>>, dropped: bool, left: &mut Vec<u8>| -> String {
                match mistake {
                    TextMistake::EachPiece => {
                        pieces.iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
                    }
                    TextMistake::AcrossFrames => {
                        let bytes = [std::mem::take(left), pieces.concat()].concat();
                        let valid = bytes.len() - incomplete(&bytes);
                        *left = bytes[valid..].to_vec();
                        String::from_utf8_lossy(&bytes[..valid]).into_owned()
                    }
                    TextMistake::WholeFrame => match String::from_utf8(pieces.concat()) {
                        Ok(text) => text,
                        Err(_) => "\u{fffd}".to_owned(),
                    },
                    TextMistake::CutCharacter => {
                        let bytes = pieces.concat();
                        let _ = dropped;
                        String::from_utf8_lossy(&bytes).into_owned()
                    }
                }
            };
            outputs.push(match output {
                Output::Frame { info, skipped, payload } => {
                    let payload = text(payload, info.dropped > 0, &mut left);
                    Output::Frame { info, skipped, payload }
                }
                Output::End { end, payload } => Output::End { end, payload: text(payload, false, &mut left) },
                Output::TooLong { start, end, max } => Output::TooLong { start, end, max },
                Output::Invalid { start, end, at, length } => Output::Invalid { start, end, at, length },
            });
        }
        outputs
    });
}

/// Returns the number of bytes at the end that begin a character.
fn incomplete(bytes: &[u8]) -> usize {
    let is_begun = |count: &usize| {
        std::str::from_utf8(&bytes[bytes.len() - count..])
            .is_err_and(|error| error.error_len().is_none() && error.valid_up_to() == 0)
    };
    (1..=bytes.len().min(3)).rfind(is_begun).unwrap_or(0)
}
