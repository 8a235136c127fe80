//! One side's messages, from parts.
//!
//! A message that lies in one chunk is read there, without a copy ([`glance`]). Otherwise the bytes
//! that the rules may ask for are kept in a buffer. Both ways ask the same questions with the same
//! bytes, so the cuts decide nothing.

use enjamb::{Scanner, Side, Terminator, Token};

use super::pairing::Pairing;
use super::rules::{Fault, Next, Progress, Rules};

/// A message in progress.
#[derive(Debug)]
pub(super) struct Reader<M> {
    /// Cuts at the end of the part in progress.
    scanner: Scanner,
    part: Option<Part>,
    /// The head of the message, then the last part.
    buffer: Vec<u8>,
    /// The length of the head, once there are bytes that do not belong to it.
    head: Option<usize>,
    /// The place of the last part in the buffer.
    part_at: usize,
    /// The length of the part in progress.
    part_length: u64,
    parts: u64,
    length: u64,
    lost: u64,
    oversized: bool,
    memo: M,
}

/// The part in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    kept: bool,
    /// Whether a gap may be in it.
    may_lose: bool,
    last: bool,
    /// The ends of a [`Next::Run`].
    run: Option<Run>,
}

/// The bytes that end a run behind them, and those that end it before them.
type Run = (&'static [u8], &'static [u8]);

/// A message that is whole, in the reader's buffer or in a chunk.
#[derive(Debug)]
pub(super) struct Whole<'a, M> {
    pub(super) head: &'a [u8],
    pub(super) last: &'a [u8],
    pub(super) length: u64,
    pub(super) lost: u64,
    /// Whether a part was longer than [`Rules::LINE_MAX`].
    pub(super) oversized: bool,
    pub(super) memo: &'a M,
}

/// The result of reading a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The chunk is used up.
    More,
    /// The message is whole.
    Whole,
    /// The bytes so far are no message, and its end is not known.
    Broken(Fault),
}

/// The rules never end a message without bytes: that would never stop.
const EMPTY: Fault = Fault("a message of no bytes");

impl<M: Default> Reader<M> {
    pub(super) fn new() -> Self {
        Self {
            scanner: Scanner::new(Terminator::Close),
            part: None,
            buffer: Vec::new(),
            head: None,
            part_at: 0,
            part_length: 0,
            parts: 0,
            length: 0,
            lost: 0,
            oversized: false,
            memo: M::default(),
        }
    }

    /// Returns whether the first byte of a message was read, and not its last.
    pub(super) fn is_begun(&self) -> bool {
        self.length > 0
    }

    /// Returns the length of the message so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the head of the message so far.
    pub(super) fn head(&self) -> &[u8] {
        &self.buffer[..self.head.unwrap_or(self.buffer.len())]
    }

    /// Returns the message that is whole.
    pub(super) fn whole(&self) -> Whole<'_, M> {
        Whole {
            head: self.head(),
            last: &self.buffer[self.part_at..],
            length: self.length,
            lost: self.lost,
            oversized: self.oversized,
            memo: &self.memo,
        }
    }

    /// Ends the message, if it ends with the stream.
    pub(super) fn close<R: Rules<Memo = M>>(&mut self) -> Option<Step> {
        let part = self.part.filter(|_| *self.scanner.terminator() == Terminator::Close)?;
        self.freeze::<R>(part);
        Some(Step::Whole)
    }

    /// Forgets the message.
    pub(super) fn clear(&mut self) {
        self.part = None;
        if self.scanner.held() > 0 {
            self.scanner = Scanner::new(Terminator::Close);
        }
        if self.buffer.capacity() > CAPACITY_MAX {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.head = None;
        self.part_at = 0;
        self.part_length = 0;
        self.parts = 0;
        self.length = 0;
        self.lost = 0;
        self.oversized = false;
        self.memo = M::default();
    }

    /// Takes bytes of the message from the front of a chunk.
    pub(super) fn feed<R: Rules<Memo = M>>(
        &mut self,
        (rules, pairing): (&R, &Pairing),
        side: Side,
        chunk: &mut &[u8],
    ) -> Step {
        loop {
            let part = match self.part {
                Some(part) => part,
                None if chunk.is_empty() => return Step::More,
                None => match self.begin_part((rules, pairing), side) {
                    Ok(Some(part)) => part,
                    Ok(None) if self.length == 0 => return Step::Broken(EMPTY),
                    Ok(None) => return Step::Whole,
                    Err(fault) => return Step::Broken(fault),
                },
            };
            let Self { scanner, buffer, part_length, part_at, length, .. } = self;
            let before = chunk.len();
            let mut keep = |bytes: &[u8]| {
                let room = (*part_at + R::KEPT_MAX).saturating_sub(buffer.len());
                if part.kept {
                    buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                *part_length += bytes.len() as u64;
            };
            let token = match part.run {
                Some(run) => {
                    let end = run_end(run, chunk);
                    let (bytes, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
                    *chunk = rest;
                    Some(if end.is_some() { Token::Last(bytes) } else { Token::Piece(bytes) })
                }
                None => scanner.next(chunk),
            };
            let ended = match token {
                None => false,
                Some(Token::Piece(bytes)) => {
                    keep(bytes);
                    false
                }
                Some(Token::Last(bytes)) => {
                    keep(bytes);
                    true
                }
            };
            *length += (before - chunk.len()) as u64;
            if ended {
                let delimiter = match self.scanner.terminator() {
                    Terminator::Delimiter(delimiter) => delimiter.bytes(),
                    Terminator::AnyOf(set) => set.delimiters().nth(self.scanner.delimiter()).unwrap_or_default(),
                    _ => &[],
                };
                if !delimiter.is_empty() {
                    self.oversized |= self.part_length > R::LINE_MAX;
                    let room = (self.part_at + R::KEPT_MAX).saturating_sub(self.buffer.len());
                    self.buffer.extend_from_slice(&delimiter[..delimiter.len().min(room)]);
                    self.part_length += delimiter.len() as u64;
                }
                if let Some(step) = self.end_part((rules, pairing), side, part) {
                    return step;
                }
            } else if chunk.is_empty() {
                return Step::More;
            }
        }
    }

    /// Ends the part in progress. `None` means that another part follows.
    fn end_part<R: Rules<Memo = M>>(&mut self, rules: (&R, &Pairing), side: Side, part: Part) -> Option<Step> {
        self.parts += 1;
        self.part = None;
        self.freeze::<R>(part);
        if part.last {
            return Some(Step::Whole);
        }
        match self.begin_part(rules, side) {
            Ok(Some(_)) => None,
            Ok(None) => Some(Step::Whole),
            Err(fault) => Some(Step::Broken(fault)),
        }
    }

    /// Ends the head, if the part in progress is not all of what follows it.
    fn freeze<R: Rules<Memo = M>>(&mut self, part: Part) {
        if self.head.is_none() {
            let kept_whole = (self.buffer.len() - self.part_at) as u64 == self.part_length;
            if self.buffer.len() > R::KEPT_MAX || !kept_whole || !part.kept {
                self.head = Some(self.buffer.len().min(R::KEPT_MAX));
            }
        }
    }

    /// Begins the next part. `None` means that the message is whole.
    fn begin_part<R: Rules<Memo = M>>(
        &mut self,
        (rules, pairing): (&R, &Pairing),
        side: Side,
    ) -> Result<Option<Part>, Fault> {
        let head = &self.buffer[..self.head.unwrap_or(self.buffer.len())];
        let progress = Progress {
            side,
            head,
            last: &self.buffer[self.part_at..],
            parts: self.parts,
            length: self.length,
            memo: &mut self.memo,
            requests: pairing.requests(side),
        };
        let Some((part, terminator)) = plan(rules.next(progress)?) else { return Ok(None) };
        // Only the head and the last part are kept.
        self.buffer.truncate(self.head.unwrap_or(usize::MAX));
        self.part_at = self.buffer.len();
        self.part_length = 0;
        self.scanner.set(terminator);
        self.part = Some(part);
        Ok(Some(part))
    }

    /// Passes a gap. `None` means that it does not fit into the part in progress.
    pub(super) fn pass<R: Rules<Memo = M>>(&mut self, rules: (&R, &Pairing), side: Side, missing: u64) -> Option<Step> {
        let part = self.part.filter(|part| part.may_lose)?;
        let ended = self.scanner.pass(missing).ok()?;
        // The bytes before the gap are the end of the head.
        if self.head.is_none() {
            self.head = Some(self.buffer.len().min(R::KEPT_MAX));
        }
        self.part = Some(Part { kept: false, ..part });
        self.length = self.length.saturating_add(missing);
        self.part_length = self.part_length.saturating_add(missing);
        self.lost = self.lost.saturating_add(missing);
        if ended { Some(self.end_part(rules, side, part).unwrap_or(Step::More)) } else { Some(Step::More) }
    }

    /// Returns the number of bytes that are kept.
    pub(super) fn held(&self) -> usize {
        self.buffer.len() + self.scanner.held()
    }
}

/// The capacity that an idle reader keeps, in bytes.
const CAPACITY_MAX: usize = 256;

/// Returns the part and its terminator. `None` means that the message is whole.
fn plan(next: Next) -> Option<(Part, Terminator)> {
    let part = Part { kept: true, may_lose: false, last: false, run: None };
    let body = Part { may_lose: true, ..part };
    let skipped = Part { kept: false, ..body };
    let counted = |part: Part, length: u64| Terminator::length(length).map(|end| (part, end));
    match next {
        Next::Bytes(length) => counted(part, length),
        Next::Body(length) => counted(body, length),
        Next::Skip(length) => counted(skipped, length),
        Next::Last(length) => counted(Part { last: true, ..body }, length),
        Next::SkipLast(length) => counted(Part { last: true, ..skipped }, length),
        Next::Line => Some((part, Terminator::lf())),
        Next::Until(terminator) => Some((part, terminator)),
        Next::Run { through, before } => {
            Some((Part { last: true, run: Some((through, before)), ..part }, Terminator::Close))
        }
        Next::End => None,
    }
}

/// Returns the length of a run, if its end is in `bytes`.
fn run_end((through, before): Run, bytes: &[u8]) -> Option<usize> {
    let at = bytes.iter().position(|byte| through.contains(byte) || before.contains(byte))?;
    Some(if through.contains(&bytes[at]) { at + 1 } else { at })
}

/// Reads a message at the front of a chunk. `None` means that it is not whole, or broken, or not to
/// be decided here: the parts decide then.
#[inline]
pub(super) fn glance<'c, R: Rules>(
    (rules, pairing): (&R, &Pairing),
    side: Side,
    chunk: &'c [u8],
    memo: &mut R::Memo,
) -> Option<(&'c [u8], &'c [u8], usize)> {
    let mut head: Option<usize> = None;
    let (mut last, mut at, mut parts) = (&chunk[..0], 0_usize, 0_u64);
    loop {
        let progress = Progress {
            side,
            head: &chunk[..head.unwrap_or(at)],
            last,
            parts,
            length: at as u64,
            memo: &mut *memo,
            requests: pairing.requests(side),
        };
        let rest = &chunk[at..];
        let (length, kept, ends) = match rules.next(progress).ok()? {
            Next::Bytes(0) | Next::End => break,
            Next::Bytes(length) | Next::Body(length) => (length, true, length == 0),
            Next::Skip(length) => (length, false, length == 0),
            Next::Last(length) => (length, true, true),
            Next::SkipLast(length) => (length, false, true),
            Next::Line => {
                let length = memchr::memchr(b'\n', rest)? as u64;
                if length > R::LINE_MAX {
                    return None;
                }
                (length + 1, true, false)
            }
            Next::Run { through, before } => (run_end((through, before), rest)? as u64, true, true),
            Next::Until(_) => return None,
        };
        let length = usize::try_from(length).ok()?;
        let part = rest.get(..length)?;
        if length > 0 {
            at += length;
            parts += 1;
            last = if kept { &part[..length.min(R::KEPT_MAX)] } else { &[] };
            if head.is_none() && (!kept || at > R::KEPT_MAX || length > R::KEPT_MAX) {
                let before = at - length;
                let kept_bytes = if kept { length.min(R::KEPT_MAX) } else { 0 };
                head = Some((before + kept_bytes).min(R::KEPT_MAX));
            }
        }
        if ends {
            break;
        }
    }
    (at > 0).then_some((&chunk[..head.unwrap_or(at)], last, at))
}
