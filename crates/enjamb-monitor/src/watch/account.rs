//! The bookkeeping of one connection: the bytes of each side, the beginnings of its chunks, and the
//! requests that wait for an answer.

use std::collections::VecDeque;

use enjamb::{Message, Outcome, PAUSE_MIN, Side, Span, Time};

use crate::payload::{Fed, Payload, Shown};
use crate::record::{SideTotal, micros};
use crate::statistics::{KindId, Statistics};
use crate::watch::waiting::Waiting;

/// The maximum number of chunks of one message whose places are kept. Those beyond count as cuts of
/// the message, but have no place.
const CHUNKS_MAX: usize = 1 << 12;

/// The time of a request whose last byte was not captured. No answer comes later, so none has a
/// latency.
const UNKNOWN: Time = Time::from_nanos(u64::MAX);

/// Everything of a connection except its session.
pub(super) struct Account {
    pub(super) opened: Time,
    pub(super) sides: [SideAccount; 2],
    pub(super) waiting: Waiting,
    /// The time of the last chunk of either side.
    heard: Time,
    /// Whether something of the connection was wanted, so that the connection is counted.
    pub(super) counted: bool,
    /// The kept bytes of both sides, if messages are to be shown.
    pub(super) shown: Option<Box<Shown>>,
}

/// The bookkeeping of one side.
#[derive(Default)]
pub(super) struct SideAccount {
    pub(super) total: SideTotal,
    /// The offset of the next chunk: bytes fed and bytes missing.
    pub(super) offset: u64,
    /// The end of the last message.
    pub(super) reported: u64,
    /// The beginning and the time of each chunk that no message has reached yet. The newest chunk
    /// is separate from the others: usually it is the only one, and then no other memory is
    /// touched.
    newest: Option<(u64, Time)>,
    earlier: Option<Box<EarlierChunks>>,
    /// The beginning of the first of these chunks. No message up to there reaches another one.
    unreached: Unreached,
    /// The time of the last chunk.
    latest: Time,
    /// The time of the chunk that the last message reached.
    reached: Time,
    /// The last bytes whose time is not known, if there were any. Most captures have none.
    uncertain: Option<Box<Uncertain>>,
}

/// The chunks before the newest one that no message has reached yet.
#[derive(Default)]
struct EarlierChunks {
    chunks: VecDeque<(u64, Time)>,
    /// The number of further chunks, after the newest one.
    more: u64,
}

/// An offset before which all chunks were reached. By default, all were.
struct Unreached(u64);

impl Default for Unreached {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

/// Bytes of one side whose time is not known, from an offset up to another one. Only the last of
/// them are remembered, and those that no message has reached yet.
#[derive(Default)]
struct Uncertain {
    /// Bytes that were not captured. They were sent at any time since the byte before them.
    missing: Option<(u64, u64)>,
    /// Bytes that were captured before bytes of the other side that were there before them. So the
    /// time stamps of both sides are not in the order of cause and effect.
    early: Option<(u64, u64)>,
}

impl Uncertain {
    /// Returns `range` extended by the bytes from `start` up to `end`. It is replaced if messages
    /// were `reported` that reach its end.
    fn extend(range: Option<(u64, u64)>, start: u64, end: u64, reported: u64) -> Option<(u64, u64)> {
        match range {
            Some((from, to)) if to > reported || to == start => Some((from, end)),
            _ => Some((start, end)),
        }
    }

    /// Returns whether the time of the last byte of a message is known.
    fn is_end_known(&self, span: Span, outcome: Outcome) -> bool {
        // A message that a gap cuts off ends in the gap or in front of it.
        let is_cut = outcome == Outcome::Incomplete;
        self.missing.is_none_or(|(start, end)| {
            let begins_after = span.offset >= end;
            let ends_before = span.end() < start || span.end() == start && !is_cut;
            begins_after || ends_before || span.end() > end
        })
    }

    /// Returns whether bytes of a message came before their cause.
    fn is_early(&self, span: Span) -> bool {
        self.early.is_some_and(|(start, end)| span.offset < end && span.end() > start)
    }
}

/// The time, the latency and the cuts of a message.
pub(super) struct Place {
    /// The time when the message was complete.
    pub(super) time: Time,
    /// The latency in microseconds, and the kind of the request.
    pub(super) latency: Option<(u64, KindId)>,
    /// The chunk boundaries inside the message.
    pub(super) cuts: u64,
}

impl SideAccount {
    pub(super) fn chunk(&mut self, time: Time, length: u64) {
        let newest = (self.offset, time);
        if let Some(before) = self.newest {
            let earlier = self.earlier.get_or_insert_default();
            if earlier.chunks.len() + 1 < CHUNKS_MAX {
                earlier.chunks.push_back(before);
                self.newest = Some(newest);
            } else {
                earlier.more += 1;
            }
        } else {
            self.newest = Some(newest);
            self.unreached.0 = self.offset;
        }
        self.latest = time;
        self.offset += length;
        self.total.bytes += length;
    }

    /// Enters a gap. Its bytes were sent between `time` and that of the last chunk.
    pub(super) fn gap(&mut self, time: Time, missing: u64) {
        // A packet that the capture truncated has its time.
        if missing > 0 && time != self.latest {
            let (start, end) = (self.offset, self.offset.saturating_add(missing));
            let uncertain = self.uncertain.get_or_insert_default();
            uncertain.missing = Uncertain::extend(uncertain.missing, start, end, self.reported);
        }
        self.offset = self.offset.saturating_add(missing);
    }

    /// Returns the number of chunks that begin inside the message, and the times of the chunks with
    /// its first and its last byte. A session may report a message late: when it has detected the
    /// protocol, or where a gap ends.
    #[inline(always)]
    fn place(&mut self, span: Span) -> (u64, Time, Time) {
        // Most small messages follow another one in the same chunk.
        if span.end() <= self.unreached.0 { (0, self.reached, self.reached) } else { self.reach(span) }
    }

    /// Places a message that reaches another chunk.
    fn reach(&mut self, span: Span) -> (u64, Time, Time) {
        let mut cuts = 0;
        let mut began = self.reached;
        while let Some((start, time)) = self.first_unreached()
            && start < span.end()
        {
            if self.earlier.as_mut().and_then(|earlier| earlier.chunks.pop_front()).is_none() {
                self.newest = None;
            }
            self.reached = time;
            if start > span.offset {
                cuts += 1;
            } else {
                began = time;
            }
        }
        if self.newest.is_none()
            && let Some(earlier) = &mut self.earlier
            && earlier.more > 0
        {
            cuts += std::mem::take(&mut earlier.more);
            self.reached = self.latest;
        }
        self.unreached = self.first_unreached().map(|(start, _)| Unreached(start)).unwrap_or_default();
        (cuts, began, self.reached)
    }

    /// Returns the beginning and the time of the first chunk that no message has reached.
    fn first_unreached(&self) -> Option<(u64, Time)> {
        self.earlier.as_ref().and_then(|earlier| earlier.chunks.front().copied()).or(self.newest)
    }
}

impl Account {
    pub(super) fn new(opened: Time, counted: bool) -> Self {
        let waiting = Waiting::default();
        Self { opened, sides: Default::default(), waiting, heard: opened, counted, shown: None }
    }

    /// Notes that a chunk arrives. Returns whether both sides were silent for a while before it.
    pub(super) fn pauses(&mut self, time: Time) -> bool {
        let before = self.heard;
        self.heard = time.max(before);
        time.nanos().saturating_sub(before.nanos()) >= PAUSE_MIN.as_nanos() as u64
    }

    /// Enters a message. `is_cut_off` states that it is incomplete because its stream ended.
    #[inline(always)]
    pub(super) fn place(&mut self, message: &Message<'_>, kind: KindId, is_cut_off: bool) -> Place {
        let side = &mut self.sides[message.side.index()];
        side.total.messages += 1;
        side.reported = side.reported.max(message.span.end());
        let (cuts, began, time) = side.place(message.span);
        let uncertain = side.uncertain.as_deref();
        let is_known = !is_cut_off && uncertain.is_none_or(|bytes| bytes.is_end_known(message.span, message.outcome));
        if message.side == Side::Client {
            self.waiting.ask(if is_known { time } else { UNKNOWN }, kind);
        }
        let request = message.answers.and_then(|number| self.waiting.answer(number));
        // A wrong latency is worse than none. If an answer was captured before its request, what
        // was captured is another copy of the request.
        let is_early = |asked| uncertain.is_some_and(|bytes| bytes.is_early(message.span) && began < asked);
        let latency = request.filter(|&(asked, _)| is_known && asked <= time && !is_early(asked));
        let latency = latency.map(|(asked, kind)| (micros(time, asked), kind));
        Place { time, latency, cuts }
    }

    /// Enters a chunk of `side`.
    pub(super) fn chunk(&mut self, time: Time, side: Side, length: u64) {
        let is_early = time < self.sides[(!side).index()].latest;
        let account = &mut self.sides[side.index()];
        if is_early {
            let (start, end) = (account.offset, account.offset + length);
            let uncertain = account.uncertain.get_or_insert_default();
            uncertain.early = Uncertain::extend(uncertain.early, start, end, account.reported);
        }
        account.chunk(time, length);
    }

    /// Counts the connection, once.
    #[inline]
    pub(super) fn count(&mut self, statistics: &mut Statistics, time: Time) {
        if !std::mem::replace(&mut self.counted, true) {
            statistics.opened(time);
        }
    }

    /// Returns the first bytes of a message that was just reported, while the chunk of a side was
    /// fed.
    pub(super) fn payload<'s>(
        &'s mut self,
        message: &Message<'_>,
        fed: Option<(Side, Fed<'s>)>,
    ) -> Option<Payload<'s>> {
        let shown = self.shown.as_mut()?;
        let fed = match fed {
            Some((side, fed)) if side == message.side => fed,
            // The other side was fed: all bytes of the message came before.
            _ => Fed { offset: u64::MAX, bytes: &[] },
        };
        Some(shown.payload(message, fed))
    }

    /// Notes that a message was reported that is not to be shown.
    pub(super) fn pass(&mut self, message: &Message<'_>) {
        if let Some(shown) = &mut self.shown {
            shown.kept[message.side.index()].pass(message.span);
        }
    }

    /// Keeps the bytes of a chunk that a later message may need.
    pub(super) fn keep(&mut self, fed: Option<(Side, Fed<'_>)>) {
        if let (Some((side, fed)), Some(shown)) = (fed, &mut self.shown) {
            shown.kept[side.index()].keep(fed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_times_are_those_that_a_list_of_all_chunks_gives() {
        // The lengths of the chunks that arrive, and of the messages that are reported then.
        let turns: [(&[u64], &[u64]); 7] = [
            (&[10], &[4, 6]),
            (&[3, 3], &[]),
            (&[4, 1], &[8]),
            (&[7, 2, 2], &[3, 1, 9]),
            (&[5], &[5]),
            (&[1; CHUNKS_MAX + 100], &[CHUNKS_MAX as u64 + 100]),
            (&[2, 6], &[1, 3, 2]),
        ];
        let (mut account, mut all) = (SideAccount::default(), Vec::new());
        let (mut fed, mut reported) = (0, 0);
        for (chunks, messages) in turns {
            for &length in chunks {
                let time = Time::from_nanos(all.len() as u64);
                account.chunk(time, length);
                all.push((fed, time));
                fed += length;
            }
            for &length in messages {
                let span = Span::between(reported, reported + length);
                reported = span.end();
                let cuts = all.iter().filter(|(start, _)| (span.offset + 1..reported).contains(start)).count();
                let last = all.iter().rfind(|(start, _)| *start < reported).expect("a chunk was fed");
                // Chunks beyond the limit are all counted for the message, also the one that begins
                // where it ends.
                let beyond = u64::from(chunks.len() > CHUNKS_MAX);
                let expected = (cuts as u64 + beyond, Time::from_nanos(last.1.nanos() + beyond));
                let (cuts, _, time) = account.place(span);
                assert_eq!((cuts, time), expected, "the message at {}", span.offset);
            }
        }
    }
}
