//! An engine that is easily written wrong.

use enjamb::{AnyOf, End, FrameInfo, InvalidUtf8, Limit, Overflow, Terminator};

use super::{PlantedBug, bug};
use crate::engine::case::{EngineCase, Setting};
use crate::engine::output::Output;
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

/// The engine with a mistake.
fn run(case: &EngineCase, mistake: Mistake) -> Vec<Output<Vec<u8>>> {
    let mut engine = Engine {
        case,
        mistake,
        position: 0,
        start: 0,
        frame: 0,
        payload: Vec::new(),
        length: 0,
        terminator: case.first.clone(),
        left: 0,
        held: 0,
        was_skipped: false,
        outputs: Vec::new(),
        state: State::Framing,
        stopped_at: 0,
    };
    engine.put(case.first.clone());
    for (at, set) in &case.cuts {
        engine.read_to(*at, false);
        if let (State::Framing, Some(set)) = (engine.state, set) {
            if mistake == Mistake::HeldIsPayload && at - engine.position > 0 {
                engine.deliver(at - engine.position);
            }
            if engine.state == State::Framing {
                engine.put(set.clone());
            }
        }
    }
    engine.read_to(case.stream.len(), true);
    engine.end();
    engine.outputs
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Framing,
    Stopped,
    Failed,
}

struct Engine<'c> {
    case: &'c EngineCase,
    mistake: Mistake,
    position: usize,
    start: usize,
    frame: usize,
    payload: Vec<u8>,
    length: u64,
    terminator: Terminator,
    left: u64,
    /// The number of bytes that were held at the end of the last chunk.
    held: usize,
    was_skipped: bool,
    outputs: Vec<Output<Vec<u8>>>,
    state: State,
    stopped_at: usize,
}

impl Engine<'_> {
    fn limit(&self) -> Limit {
        self.case.limit(self.frame)
    }

    fn put(&mut self, terminator: Terminator) {
        if let Terminator::Length(length) = &terminator {
            self.left = length.get();
            let Limit { max, overflow } = self.limit();
            if overflow == Overflow::Refuse && self.length.saturating_add(self.left) > max {
                let (start, end) = (self.start as u64, self.start as u64 + self.length);
                self.fail(Output::TooLong { start, end, max });
            }
        }
        self.terminator = terminator;
    }

    fn fail(&mut self, output: Output<Vec<u8>>) {
        self.outputs.push(output);
        self.state = State::Failed;
    }

    fn read_to(&mut self, horizon: usize, last: bool) {
        if self.state == State::Stopped && self.stopped_at == usize::MAX {
            self.stopped_at = horizon;
        }
        let held = std::mem::take(&mut self.held);
        let mut is_first = held > 0;
        while self.state == State::Framing {
            let rest = &self.case.stream[self.position..horizon];
            let found = self.search(rest, last);
            let continues = std::mem::take(&mut is_first);
            match found {
                Found::Held(from) => {
                    if continues && self.mistake == Mistake::LostPrefix && from >= held {
                        self.position += held;
                        self.deliver(from - held);
                    } else {
                        self.deliver(from);
                    }
                    self.held = horizon - self.position;
                    let Limit { max, overflow } = self.limit();
                    if self.mistake == Mistake::LimitCountsHeld
                        && self.state == State::Framing
                        && overflow == Overflow::Refuse
                        && self.length + self.held as u64 > max
                    {
                        let start = self.start as u64;
                        self.fail(Output::TooLong { start, end: start + max, max });
                    }
                    return;
                }
                Found::End { payload, width, delimiter } => {
                    let mut payload = payload;
                    if continues && self.mistake == Mistake::LostPrefix && payload >= held {
                        self.position += held;
                        payload -= held;
                    }
                    if self.deliver(payload) {
                        self.position += width;
                        self.found(delimiter);
                        if continues && payload == 0 && self.mistake == Mistake::OffsetOfChunk {
                            self.start = self.start.saturating_sub(1);
                        }
                    }
                }
            }
        }
    }

    fn search(&self, rest: &[u8], last: bool) -> Found {
        match &self.terminator {
            Terminator::Delimiter(delimiter) => {
                let delimiter = delimiter.bytes();
                let found = if self.mistake == Mistake::NoFailureTable {
                    without_failure_table(rest, delimiter)
                } else {
                    rest.windows(delimiter.len()).position(|window| window == delimiter)
                };
                if let Some(at) = found {
                    return Found::End { payload: at, width: delimiter.len(), delimiter: 0 };
                }
                let from = rest.len().saturating_sub(delimiter.len() - 1);
                let held = (from..rest.len()).find(|at| delimiter.starts_with(&rest[*at..]));
                Found::Held(held.filter(|_| !last && self.mistake != Mistake::ChunkEdge).unwrap_or(rest.len()))
            }
            Terminator::AnyOf(set) => self.search_any(rest, set, last),
            Terminator::Length(_) => match usize::try_from(self.left) {
                Ok(left) if left < rest.len() => Found::End { payload: left, width: 0, delimiter: 0 },
                Ok(left) if left == rest.len() && self.mistake != Mistake::LengthAtEdge => {
                    Found::End { payload: left, width: 0, delimiter: 0 }
                }
                _ => Found::Held(rest.len()),
            },
            Terminator::Close => Found::Held(rest.len()),
        }
    }

    fn search_any(&self, rest: &[u8], set: &AnyOf, last: bool) -> Found {
        for at in 0..rest.len() {
            let here = &rest[at..];
            let may_grow = set.delimiters().any(|one| one.len() > here.len() && one.starts_with(here));
            let mut matching = set.delimiters().enumerate().filter(|(_, one)| here.starts_with(one));
            let best = if self.mistake == Mistake::FirstListed {
                matching.next()
            } else {
                matching.fold(None, |best: Option<(usize, &[u8])>, one| match best {
                    Some((_, longest)) if one.1.len() <= longest.len() => best,
                    _ => Some(one),
                })
            };
            if may_grow && !last && (self.mistake != Mistake::NoWaiting || best.is_none()) {
                return Found::Held(at);
            }
            if let Some((delimiter, one)) = best {
                return Found::End { payload: at, width: one.len(), delimiter };
            }
        }
        Found::Held(rest.len())
    }

    fn deliver(&mut self, bytes: usize) -> bool {
        let Limit { max, overflow } = self.limit();
        let piece = &self.case.stream[self.position..self.position + bytes];
        let before = if self.mistake == Mistake::TruncatesPieces && overflow == Overflow::Truncate {
            0
        } else {
            self.payload.len() as u64
        };
        let kept = usize::try_from(max.saturating_sub(before)).map_or(piece.len(), |room| room.min(piece.len()));
        self.payload.extend_from_slice(&piece[..kept]);
        self.length += bytes as u64;
        self.left = self.left.saturating_sub(bytes as u64);
        self.position += bytes;
        let reached = self.mistake == Mistake::LimitReached && self.length >= max && bytes > 0;
        if (kept < bytes || reached) && overflow == Overflow::Refuse {
            let start = self.start as u64;
            self.fail(Output::TooLong { start, end: start.saturating_add(max), max });
            return false;
        }
        true
    }

    fn found(&mut self, delimiter: usize) {
        let dropped = self.length - self.payload.len() as u64;
        let info = FrameInfo {
            start: self.start as u64,
            end: self.position as u64,
            length: self.length,
            dropped,
            lost: 0,
            delimiter,
        };
        let is_over = dropped > 0 && self.limit().overflow == Overflow::Skip;
        let sticky =
            self.mistake == Mistake::SkipIsSticky && self.was_skipped && self.limit().overflow == Overflow::Skip;
        self.was_skipped = is_over;
        self.outputs.push(Output::Frame {
            info,
            skipped: is_over || sticky,
            payload: std::mem::take(&mut self.payload),
        });
        let frame = match self.mistake {
            Mistake::CycleOff if self.case.cycle && self.frame >= self.case.settings.len() => self.frame + 1,
            _ => self.frame,
        };
        let setting = self.case.after(frame).clone();
        self.frame += 1;
        self.start = self.position;
        self.length = 0;
        match setting {
            Setting::Keep
                if self.mistake == Mistake::LengthGoesOn && matches!(self.terminator, Terminator::Length(_)) =>
            {
                self.terminator = Terminator::Close;
            }
            Setting::Keep => self.put(self.terminator.clone()),
            Setting::Set(terminator) => self.put(terminator),
            Setting::Stop => {
                self.state = State::Stopped;
                self.stopped_at = if self.mistake == Mistake::StopAtChunk { usize::MAX } else { self.position };
            }
        }
    }

    fn end(&mut self) {
        let end = match self.state {
            State::Failed => return,
            State::Stopped => match (self.case.stream.len() - self.stopped_at.min(self.case.stream.len())) as u64 {
                0 => End::Clean,
                leftover => End::Leftover(leftover),
            },
            State::Framing if self.terminator == Terminator::Close => {
                if self.length > 0 || self.mistake != Mistake::EmptyTail {
                    let before = self.outputs.len();
                    self.found(0);
                    self.outputs.truncate(before + 1);
                }
                End::Clean
            }
            State::Framing if self.length > 0 => {
                let missing = matches!(self.terminator, Terminator::Length(_)).then_some(self.left);
                End::Truncated { have: self.length, missing }
            }
            State::Framing => End::Clean,
        };
        self.outputs.push(Output::End { end, payload: std::mem::take(&mut self.payload) });
    }
}

enum Found {
    End { payload: usize, width: usize, delimiter: usize },
    Held(usize),
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
