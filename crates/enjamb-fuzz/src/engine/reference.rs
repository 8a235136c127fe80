//! A naive reader of the whole stream: a substring search for each frame, and nothing kept.
//!
//! Its decisions are the methods of [`Rules`]. A planted bug of the engine replaces one of them.

use enjamb::{AnyOf, End, FrameInfo, Limit, Overflow, Terminator};

use super::case::{EngineCase, Setting};
use super::output::Output;

/// Returns the outputs for the whole stream. Only the offsets at which a terminator is put in force
/// from outside matter; other cuts do not.
pub(crate) fn reference(case: &EngineCase) -> Vec<Output<Vec<u8>>> {
    read(case, Right, case.cuts.iter().filter(|(_, set)| set.is_some()))
}

/// Returns the outputs by other rules. The reader stops at every cut.
pub(crate) fn read_by(case: &EngineCase, rules: impl Rules) -> Vec<Output<Vec<u8>>> {
    read(case, rules, &case.cuts)
}

fn read<'c>(
    case: &'c EngineCase,
    mut rules: impl Rules,
    stops: impl IntoIterator<Item = &'c (usize, Option<Terminator>)>,
) -> Vec<Output<Vec<u8>>> {
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
    for (at, set) in stops {
        reader.read_to(*at, false, &mut rules);
        if let (State::Framing, Some(set)) = (reader.state, set) {
            let held = at - reader.position;
            rules.change(&mut reader, held);
            if reader.state == State::Framing {
                reader.put(set.clone());
            }
        }
    }
    reader.read_to(case.stream.len(), true, &mut rules);
    reader.end(&mut rules);
    reader.outputs
}

/// The decisions of the reader. The default ones are right.
pub(crate) trait Rules {
    /// Searches the bytes that arrived for the end of the frame. `last`: no more will arrive.
    fn search(&mut self, reader: &Reader<'_>, rest: &[u8], last: bool) -> Found {
        reader.search(rest, last)
    }

    /// Delivers payload. Returns whether the frame may continue.
    fn deliver(&mut self, reader: &mut Reader<'_>, bytes: usize) -> bool {
        let room = reader.limit().max.saturating_sub(reader.payload.len() as u64);
        reader.deliver(bytes, room)
    }

    /// Keeps bytes for the next chunk, since they may begin a delimiter.
    fn hold(&mut self, _: &mut Reader<'_>, _: usize) {}

    /// Keeps bytes when a terminator is put in force from outside.
    fn change(&mut self, _: &mut Reader<'_>, _: usize) {}

    /// Ends the frame in progress.
    fn found(&mut self, reader: &mut Reader<'_>, delimiter: usize) {
        let setting = reader.case.after(reader.frame).clone();
        reader.found(delimiter, setting);
    }

    /// Returns whether a stream that ends in a frame up to its end has that frame.
    fn has_tail(&self, _: &Reader<'_>) -> bool {
        true
    }

    /// Returns the number of bytes behind a stop.
    fn leftover(&self, reader: &Reader<'_>) -> usize {
        reader.case.stream.len() - reader.position
    }
}

/// The right rules.
pub(crate) struct Right;

impl Rules for Right {}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum State {
    Framing,
    Stopped,
    Failed,
}

/// The reader, behind the bytes that it delivered.
pub(crate) struct Reader<'c> {
    pub(crate) case: &'c EngineCase,
    /// The offset of the next byte that was not delivered.
    pub(crate) position: usize,
    /// The offset at which the frame begins.
    pub(crate) start: usize,
    /// The number of the frame.
    pub(crate) frame: usize,
    pub(crate) payload: Vec<u8>,
    /// The number of payload bytes, dropped ones included.
    pub(crate) length: u64,
    pub(crate) terminator: Terminator,
    /// The number of bytes that a length still wants.
    left: u64,
    pub(crate) outputs: Vec<Output<Vec<u8>>>,
    pub(crate) state: State,
}

impl Reader<'_> {
    pub(crate) fn limit(&self) -> Limit {
        self.case.limit(self.frame)
    }

    /// Puts a terminator in force. A length over the limit is refused at once.
    fn put(&mut self, terminator: Terminator) {
        if let Terminator::Length(length) = &terminator {
            self.left = length.get();
            let Limit { max, overflow } = self.limit();
            if overflow == Overflow::Refuse && self.length.saturating_add(self.left) > max {
                self.fail(self.length);
            }
        }
        self.terminator = terminator;
    }

    /// Refuses the frame, of which `length` bytes were read.
    pub(crate) fn fail(&mut self, length: u64) {
        let (start, max) = (self.start as u64, self.limit().max);
        self.outputs.push(Output::TooLong { start, end: start.saturating_add(length), max });
        self.state = State::Failed;
    }

    /// Reads as far as bytes before `horizon` decide. `last`: the stream ends there.
    fn read_to(&mut self, horizon: usize, last: bool, rules: &mut impl Rules) {
        while self.state == State::Framing {
            let rest = &self.case.stream[self.position..horizon];
            match rules.search(self, rest, last) {
                Found::Held(from) => {
                    if rules.deliver(self, from) {
                        rules.hold(self, horizon - self.position);
                    }
                    return;
                }
                Found::End { payload, width, delimiter } => {
                    if rules.deliver(self, payload) {
                        self.position += width;
                        rules.found(self, delimiter);
                    }
                }
            }
        }
    }

    fn search(&self, rest: &[u8], last: bool) -> Found {
        match &self.terminator {
            Terminator::Delimiter(delimiter) => {
                let at = rest.windows(delimiter.bytes().len()).position(|window| window == delimiter.bytes());
                found_or_held(at, rest, delimiter.bytes(), last)
            }
            Terminator::AnyOf(set) => find_any(rest, set, last),
            Terminator::Length(_) => match usize::try_from(self.left) {
                Ok(left) if left <= rest.len() => Found::End { payload: left, width: 0, delimiter: 0 },
                _ => Found::Held(rest.len()),
            },
            Terminator::Close => Found::Held(rest.len()),
        }
    }

    /// Delivers payload, of which `room` bytes are kept. Returns whether the frame may continue.
    pub(crate) fn deliver(&mut self, bytes: usize, room: u64) -> bool {
        let piece = &self.case.stream[self.position..self.position + bytes];
        let kept = usize::try_from(room).map_or(piece.len(), |room| room.min(piece.len()));
        self.payload.extend_from_slice(&piece[..kept]);
        self.length += bytes as u64;
        self.left = self.left.saturating_sub(bytes as u64);
        self.position += bytes;
        if kept < bytes && self.limit().overflow == Overflow::Refuse {
            self.fail(self.limit().max);
            return false;
        }
        true
    }

    /// Ends the frame in progress, and puts a setting in force.
    pub(crate) fn found(&mut self, delimiter: usize, setting: Setting) {
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
        self.frame += 1;
        self.start = self.position;
        self.length = 0;
        match setting {
            Setting::Keep => self.put(self.terminator.clone()),
            Setting::Set(terminator) => self.put(terminator),
            Setting::Stop => self.state = State::Stopped,
        }
    }

    fn end(&mut self, rules: &mut impl Rules) {
        let end = match self.state {
            State::Failed => return,
            State::Stopped => match rules.leftover(self) as u64 {
                0 => End::Clean,
                leftover => End::Leftover(leftover),
            },
            State::Framing if self.terminator == Terminator::Close => {
                if rules.has_tail(self) {
                    let before = self.outputs.len();
                    rules.found(self, 0);
                    // The frame ended with the stream, and what it puts in force matters no more.
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

/// The result of a search.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    /// The frame ends behind so many bytes of payload.
    End { payload: usize, width: usize, delimiter: usize },
    /// It does not end, and so many bytes are payload. Those that follow may be part of a
    /// delimiter.
    Held(usize),
}

/// Returns the result of a search for one delimiter that was found `at` an offset, or nowhere.
pub(crate) fn found_or_held(at: Option<usize>, rest: &[u8], delimiter: &[u8], last: bool) -> Found {
    if let Some(at) = at {
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
        if let Some((delimiter, one)) = longest(set, here) {
            return Found::End { payload: at, width: one.len(), delimiter };
        }
    }
    Found::Held(rest.len())
}

/// Returns the longest delimiter with which `rest` begins, and of several copies the first.
pub(crate) fn longest<'s>(set: &'s AnyOf, rest: &[u8]) -> Option<(usize, &'s [u8])> {
    let matching = set.delimiters().enumerate().filter(|(_, one)| rest.starts_with(one));
    matching.fold(None, |best, one| match best {
        Some((_, longest)) if one.1.len() <= <[u8]>::len(longest) => best,
        _ => Some(one),
    })
}
