//! The bookkeeping of one connection: the bytes of each side, the beginnings of its chunks, and the
//! requests that wait for an answer.

use std::collections::VecDeque;

use enjamb::{Message, Side, Span, Time};

use crate::payload::{Fed, Payload, Shown};
use crate::record::{SideTotal, micros};
use crate::statistics::{KindId, Statistics};
use crate::watch::waiting::Waiting;

/// The maximum number of chunks of one message whose places are kept. Those beyond count as cuts of
/// the message, but have no place.
const CHUNKS_MAX: usize = 1 << 12;

/// Everything of a connection except its session.
pub(super) struct Account {
    pub(super) opened: Time,
    pub(super) sides: [SideAccount; 2],
    pub(super) waiting: Waiting,
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
    chunks: VecDeque<(u64, Time)>,
    /// The number of further chunks, and the time of the last of them.
    more_chunks: u64,
    latest: Time,
    /// The time of the chunk that the last message reached.
    reached: Time,
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
        if self.chunks.len() + usize::from(self.newest.is_some()) < CHUNKS_MAX {
            self.chunks.extend(self.newest.replace((self.offset, time)));
        } else {
            self.more_chunks += 1;
        }
        self.latest = time;
        self.offset += length;
        self.total.bytes += length;
    }

    /// Returns the number of chunks that begin inside the message, and the time of the chunk with
    /// its last byte. A session may report a message late: when it has detected the protocol, or
    /// where a gap ends.
    fn place(&mut self, span: Span) -> (u64, Time) {
        let mut cuts = 0;
        while let Some((start, time)) = self.chunks.front().copied().or(self.newest)
            && start < span.end()
        {
            if self.chunks.pop_front().is_none() {
                self.newest = None;
            }
            self.reached = time;
            cuts += u64::from(start > span.offset);
        }
        if self.newest.is_none() && self.more_chunks > 0 {
            cuts += std::mem::take(&mut self.more_chunks);
            self.reached = self.latest;
        }
        (cuts, self.reached)
    }
}

impl Account {
    pub(super) fn new(opened: Time, counted: bool) -> Self {
        Self { opened, sides: Default::default(), waiting: Waiting::default(), counted, shown: None }
    }

    /// Enters a message.
    pub(super) fn place(&mut self, message: &Message<'_>, kind: KindId) -> Place {
        let side = &mut self.sides[message.side.index()];
        side.total.messages += 1;
        side.reported = side.reported.max(message.span.end());
        let (cuts, time) = side.place(message.span);
        if message.side == Side::Client {
            self.waiting.ask(time, kind);
        }
        let request = message.answers.and_then(|number| self.waiting.answer(number));
        let latency = request.map(|(asked, kind)| (micros(time, asked), kind));
        Place { time, latency, cuts }
    }

    /// Counts the connection, once.
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
                assert_eq!(account.place(span), expected, "the message at {}", span.offset);
            }
        }
    }
}
