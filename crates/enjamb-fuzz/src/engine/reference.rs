//! A naive reader of the whole stream: a substring search for each frame, and nothing kept.

use enjamb::{AnyOf, End, FrameInfo, Limit, Overflow, Terminator};

use super::case::{EngineCase, Setting};
use super::output::Output;

/// Returns the outputs for the whole stream. Only the offsets at which a terminator is put in force
/// from outside matter; other cuts do not.
pub(crate) fn reference(case: &EngineCase) -> Vec<Output<Vec<u8>>> {
    let mut reader = Reader {
        case,
        position: 0,
        start: 0,
        frame: 0,
        payload: Vec::new(),
        length: 0,
        terminator: case.first.clone(),
        left: 0,
        outputs: Vec::new(),
        state: State::Framing,
    };
    reader.put(case.first.clone());
    for (at, set) in case.cuts.iter().filter_map(|(at, set)| Some((*at, set.as_ref()?))) {
        reader.read_to(at, false);
        if matches!(reader.state, State::Framing) {
            reader.put(set.clone());
        }
    }
    reader.read_to(case.stream.len(), true);
    reader.end();
    reader.outputs
}

#[derive(PartialEq)]
enum State {
    Framing,
    Stopped,
    Failed,
}

struct Reader<'c> {
    case: &'c EngineCase,
    /// The offset of the next byte that was not delivered.
    position: usize,
    /// The offset at which the frame begins.
    start: usize,
    /// The number of the frame.
    frame: usize,
    payload: Vec<u8>,
    /// The number of payload bytes, dropped ones included.
    length: u64,
    terminator: Terminator,
    /// The number of bytes that a length still wants.
    left: u64,
    outputs: Vec<Output<Vec<u8>>>,
    state: State,
}

impl Reader<'_> {
    fn limit(&self) -> Limit {
        self.case.limit(self.frame)
    }

    /// Puts a terminator in force. A length over the limit is refused at once.
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

    /// Reads as far as bytes before `horizon` decide. `last`: the stream ends there.
    fn read_to(&mut self, horizon: usize, last: bool) {
        while self.state == State::Framing {
            let rest = &self.case.stream[self.position..horizon];
            let found = match &self.terminator {
                Terminator::Delimiter(delimiter) => find(rest, delimiter.bytes(), last),
                Terminator::AnyOf(set) => find_any(rest, set, last),
                Terminator::Length(_) => match usize::try_from(self.left) {
                    Ok(left) if left <= rest.len() => Found::End { payload: left, width: 0, delimiter: 0 },
                    _ => Found::Held(rest.len()),
                },
                Terminator::Close => Found::Held(rest.len()),
            };
            match found {
                Found::Held(from) => {
                    self.deliver(from);
                    return;
                }
                Found::End { payload, width, delimiter } => {
                    if self.deliver(payload) {
                        self.position += width;
                        self.found(delimiter);
                    }
                }
            }
        }
    }

    /// Delivers payload. Returns whether the frame may continue.
    fn deliver(&mut self, bytes: usize) -> bool {
        let Limit { max, overflow } = self.limit();
        let piece = &self.case.stream[self.position..self.position + bytes];
        let room = max.saturating_sub(self.payload.len() as u64);
        let kept = usize::try_from(room).map_or(piece.len(), |room| room.min(piece.len()));
        self.payload.extend_from_slice(&piece[..kept]);
        self.length += bytes as u64;
        self.left = self.left.saturating_sub(bytes as u64);
        self.position += bytes;
        if kept < bytes && overflow == Overflow::Refuse {
            let start = self.start as u64;
            self.fail(Output::TooLong { start, end: start.saturating_add(max), max });
            return false;
        }
        true
    }

    /// Ends the frame in progress.
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
        let skipped = dropped > 0 && self.limit().overflow == Overflow::Skip;
        self.outputs.push(Output::Frame { info, skipped, payload: std::mem::take(&mut self.payload) });
        let setting = self.case.after(self.frame).clone();
        self.frame += 1;
        self.start = self.position;
        self.length = 0;
        match setting {
            Setting::Keep => self.put(self.terminator.clone()),
            Setting::Set(terminator) => self.put(terminator),
            Setting::Stop => self.state = State::Stopped,
        }
    }

    fn end(&mut self) {
        let end = match self.state {
            State::Failed => return,
            State::Stopped => match (self.case.stream.len() - self.position) as u64 {
                0 => End::Clean,
                leftover => End::Leftover(leftover),
            },
            State::Framing if self.terminator == Terminator::Close => {
                let before = self.outputs.len();
                self.found(0);
                // The frame ended with the stream, and what it puts in force matters no more.
                self.outputs.truncate(before + 1);
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
    /// The frame ends behind so many bytes of payload.
    End { payload: usize, width: usize, delimiter: usize },
    /// It does not end, and so many bytes are payload. Those that follow may be part of a
    /// delimiter.
    Held(usize),
}

fn find(rest: &[u8], delimiter: &[u8], last: bool) -> Found {
    if let Some(at) = rest.windows(delimiter.len()).position(|window| window == delimiter) {
        return Found::End { payload: at, width: delimiter.len(), delimiter: 0 };
    }
    let from = rest.len().saturating_sub(delimiter.len() - 1);
    let held = (from..rest.len()).find(|at| delimiter.starts_with(&rest[*at..]));
    Found::Held(held.filter(|_| !last).unwrap_or(rest.len()))
}

/// Finds the delimiter that begins first, and the longest of those.
fn find_any(rest: &[u8], set: &AnyOf, last: bool) -> Found {
    for at in 0..rest.len() {
        let here = &rest[at..];
        // A longer one may begin here, or one that ends later than those that begin behind it.
        if !last && set.delimiters().any(|one| one.len() > here.len() && one.starts_with(here)) {
            return Found::Held(at);
        }
        let matching = set.delimiters().enumerate().filter(|(_, one)| here.starts_with(one));
        // The first of several copies.
        if let Some((delimiter, one)) = matching.longest() {
            return Found::End { payload: at, width: one.len(), delimiter };
        }
    }
    Found::Held(rest.len())
}

/// The longest delimiter, and the first of its copies.
trait Longest<'d>: Iterator<Item = (usize, &'d [u8])> + Sized {
    fn longest(self) -> Option<(usize, &'d [u8])> {
        self.fold(None, |best, one| match best {
            Some((_, longest)) if one.1.len() <= longest.len() => best,
            _ => Some(one),
        })
    }
}

impl<'d, I: Iterator<Item = (usize, &'d [u8])>> Longest<'d> for I {}
