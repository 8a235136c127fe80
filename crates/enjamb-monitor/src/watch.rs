//! Conversations under watch: a session for each connection, and what it says written down and counted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use enjamb::{Connection, Ending, Event, Message, Session, Side, Span, Tap, Time};

use crate::payload::{Fed, Kept, Payload, Show};
use crate::record::{Record, SideTotal, micros};
use crate::statistics::{KindId, Statistics};

/// Opens a session for a connection.
pub type Opener = Arc<dyn Fn(&Connection) -> Box<dyn Session> + Send + Sync>;

/// Where records go.
pub trait Output {
    /// Is this record wanted? One that is not is neither taken nor counted. Its payload is not filled in yet.
    fn wants(&mut self, record: &Record<'_>) -> bool {
        let _ = record;
        true
    }

    /// Takes one.
    fn record(&mut self, record: &Record<'_>);
}

impl<F: FnMut(&Record<'_>)> Output for F {
    fn record(&mut self, record: &Record<'_>) {
        self(record);
    }
}

/// How many requests of one connection may wait for their answers and still have them timed.
const MOST_WAITING: usize = 1 << 16;

/// How many chunks of one message are told apart. Those beyond are counted as cuts of it all the same.
const MOST_CHUNKS: usize = 1 << 12;

/// One connection under watch.
pub struct Watched {
    connection: Connection,
    session: Box<dyn Session>,
    account: Account,
}

/// All of a connection that is not its session.
struct Account {
    opened: Time,
    sides: [SideAccount; 2],
    /// When the client's messages were complete and what they were, and the number of the first of them.
    asked: VecDeque<(Time, KindId)>,
    first_asked: u64,
    /// Was anything of it wanted, so that it counts?
    counted: bool,
    /// What is kept of each side, where messages are to be shown.
    shown: Option<(Show, [Kept; 2])>,
}

#[derive(Default)]
struct SideAccount {
    total: SideTotal,
    /// Bytes fed, and bytes missing: where the next chunk begins.
    offset: u64,
    /// The chunks that no message has reached yet: where each begins, and when it came. The newest is here and not with those before it, since mostly
    /// there is no other one, and then nothing is looked at elsewhere in memory.
    newest: Option<(u64, Time)>,
    chunks: VecDeque<(u64, Time)>,
    /// How many more there are, and when the last of them came.
    more_chunks: u64,
    latest: Time,
    /// When the chunk came that the last message reached.
    reached: Time,
}

impl SideAccount {
    fn chunk(&mut self, time: Time, length: u64) {
        if self.chunks.len() + usize::from(self.newest.is_some()) < MOST_CHUNKS {
            self.chunks.extend(self.newest.replace((self.offset, time)));
        } else {
            self.more_chunks += 1;
        }
        self.latest = time;
        self.offset += length;
        self.total.bytes += length;
    }

    /// How many chunks begin inside the message, and when the one came that its last byte is in. A session may say so only later: when it
    /// has found out which protocol it is, or where a hole ends.
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

/// A connection in which nothing was said yet. A scan opens a million of them, so there is nothing here that can come later.
struct Silent {
    opened: Time,
    /// Was anything of it wanted, so that it counts?
    counted: bool,
}

impl Silent {
    fn open(connection: &Connection, time: Time, statistics: &mut Statistics, out: &mut dyn Output) -> Self {
        let record = Record::Opened { connection, time };
        let counted = out.wants(&record);
        if counted {
            statistics.opened(time);
            out.record(&record);
        }
        Self { opened: time, counted }
    }

    fn speaking(&self, connection: &Connection, session: Box<dyn Session>) -> Watched {
        let account = Account {
            opened: self.opened,
            sides: Default::default(),
            asked: VecDeque::new(),
            first_asked: 0,
            counted: self.counted,
            shown: None,
        };
        Watched { connection: *connection, session, account }
    }
}

impl Watched {
    /// Begins to watch `connection`.
    pub fn open(
        connection: &Connection,
        session: Box<dyn Session>,
        time: Time,
        statistics: &mut Statistics,
        out: &mut dyn Output,
    ) -> Self {
        Silent::open(connection, time, statistics, out).speaking(connection, session)
    }

    /// Shows the first bytes of messages: to be called before any chunk.
    #[must_use]
    pub fn showing(mut self, show: Option<Show>) -> Self {
        self.account.shown = show.map(|show| (show, [Kept::new(show.limit), Kept::new(show.limit)]));
        self
    }

    /// Takes what happened on the connection. It is open already, and nothing comes after [`Event::Done`].
    pub fn event(&mut self, time: Time, event: Event<'_>, statistics: &mut Statistics, out: &mut dyn Output) {
        match event {
            Event::Open => {}
            Event::Chunk { side, bytes } => self.chunk(time, side, bytes, statistics, out),
            Event::Gap { side, missing } => self.gap(time, side, missing, statistics, out),
            Event::Close { side, ending } => self.close(time, side, ending, statistics, out),
            Event::Done => self.done(time, statistics, out),
        }
    }

    /// Bytes of `side`.
    fn chunk(&mut self, time: Time, side: Side, bytes: &[u8], statistics: &mut Statistics, out: &mut dyn Output) {
        let account = &mut self.account.sides[side.index()];
        let fed = Fed { offset: account.offset, bytes };
        account.chunk(time, bytes.len() as u64);
        let messages = self.speak(Some((side, fed)), statistics, out, |session, say| session.feed(side, bytes, say));
        statistics.chunk(time, side, bytes.len() as u64, messages);
    }

    /// Bytes of `side` that were never seen.
    fn gap(&mut self, time: Time, side: Side, missing: u64, statistics: &mut Statistics, out: &mut dyn Output) {
        let account = &mut self.account.sides[side.index()];
        let offset = account.offset;
        account.offset = account.offset.saturating_add(missing);
        let fed = Fed { offset: account.offset, bytes: &[] };
        let record = Record::Gap { connection: &self.connection, time, side, offset, missing };
        // Of 0 bytes, it is for the session alone: the stream was joined in the midst.
        if missing > 0 && out.wants(&record) {
            self.account.count(statistics, time);
            out.record(&record);
            statistics.gap(side, missing);
        }
        self.speak(Some((side, fed)), statistics, out, |session, say| session.gap(side, missing, say));
    }

    /// The end of `side`'s stream.
    fn close(&mut self, time: Time, side: Side, ending: Ending, statistics: &mut Statistics, out: &mut dyn Output) {
        let total = &mut self.account.sides[side.index()].total;
        if total.ending.is_none() {
            total.ending = Some(ending);
            statistics.saw_stream(time);
            self.speak(None, statistics, out, |session, say| session.close(side, ending, say));
        }
    }

    /// The end of the connection. Sides that were not closed are lost.
    fn done(&mut self, time: Time, statistics: &mut Statistics, out: &mut dyn Output) {
        for side in Side::BOTH {
            self.close(time, side, Ending::Lost, statistics, out);
        }
        let Self { connection, session, account } = self;
        let (opened, sides) = (account.opened, [account.sides[0].total, account.sides[1].total]);
        let record = Record::Ended { connection, protocol: session.protocol(), time, opened, sides };
        let wanted = out.wants(&record);
        if wanted {
            account.count(statistics, time);
        }
        if account.counted {
            statistics.ended(connection, session.protocol(), opened, time, &sides);
        }
        if wanted {
            out.record(&record);
        }
    }

    /// Gives up: the session has panicked, and is not asked for anything again.
    pub fn abandon(self, statistics: &mut Statistics) {
        if self.account.counted {
            statistics.abandoned();
        }
    }

    /// The connection that is watched.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Lets the session speak, writes down and counts what it says, and gives back how many messages it said. `fed` is what it is
    /// being fed, if anything.
    fn speak(
        &mut self,
        fed: Option<(Side, Fed<'_>)>,
        statistics: &mut Statistics,
        out: &mut dyn Output,
        act: impl FnOnce(&mut dyn Session, &mut dyn FnMut(&Message<'_>)),
    ) -> u64 {
        let Self { connection, session, account } = self;
        let mut said = 0;
        act(session.as_mut(), &mut |message| {
            said += 1;
            let kind = statistics.kind(message);
            let (time, latency, cuts) = account.place(message, kind);
            let latency_us = latency.map(|(latency_us, _)| latency_us);
            let record = Record::Message { connection, time, message, latency_us, cuts, payload: None };
            if !out.wants(&record) {
                account.pass(message);
                return;
            }
            account.count(statistics, time);
            statistics.message(message, kind, latency, cuts, time);
            let payload = account.payload(message, fed);
            out.record(&Record::Message { connection, time, message, latency_us, cuts, payload });
        });
        if let (Some((side, fed)), Some((_, kept))) = (fed, &mut account.shown) {
            kept[side.index()].keep(fed);
        }
        said
    }
}

impl Account {
    /// When a message was complete, how long it took as an answer to a message of which kind, and how many cuts fell inside it.
    fn place(&mut self, message: &Message<'_>, kind: KindId) -> (Time, Option<(u64, KindId)>, u64) {
        let side = &mut self.sides[message.side.index()];
        side.total.messages += 1;
        let (cuts, time) = side.place(message.span);
        if message.side == Side::Client {
            if self.asked.len() == MOST_WAITING {
                self.asked.pop_front();
                self.first_asked += 1;
            }
            self.asked.push_back((time, kind));
        }
        let latency = message.answers.and_then(|number| {
            while self.first_asked < number && self.asked.pop_front().is_some() {
                self.first_asked += 1;
            }
            let at = usize::try_from(number.checked_sub(self.first_asked)?).ok()?;
            self.asked.get(at).map(|(asked, kind)| (micros(time, *asked), *kind))
        });
        (time, latency, cuts)
    }

    /// Counts the connection, once.
    fn count(&mut self, statistics: &mut Statistics, time: Time) {
        if !std::mem::replace(&mut self.counted, true) {
            statistics.opened(time);
        }
    }

    /// The first bytes of a message that was just said.
    fn payload<'s>(&'s mut self, message: &Message<'_>, fed: Option<(Side, Fed<'s>)>) -> Option<Payload<'s>> {
        let (show, kept) = self.shown.as_mut()?;
        let fed = match fed {
            Some((side, fed)) if side == message.side => fed,
            // Said by the way, while the other side was fed: all of it came before.
            _ => Fed { offset: u64::MAX, bytes: &[] },
        };
        let bytes = kept[message.side.index()].of(message.span, fed);
        let more = message.span.length.saturating_sub(bytes.len() as u64);
        Some(Payload { form: show.form, offset: message.span.offset, bytes, more })
    }

    /// A message was said that nobody wants to see.
    fn pass(&mut self, message: &Message<'_>) {
        if let Some((_, kept)) = &mut self.shown {
            kept[message.side.index()].pass(message.span);
        }
    }
}

/// A connection of a source. It has no session before it needs one.
enum State {
    Silent(Silent),
    Speaking(Box<Watched>),
}

/// Every connection of a source under watch.
pub struct Watch<O> {
    open: Opener,
    watched: HashMap<u64, State, foldhash::fast::RandomState>,
    statistics: Statistics,
    show: Option<Show>,
    output: O,
}

impl<O: Output> Watch<O> {
    /// Opens sessions by `open`, and writes to `output`.
    pub fn new(open: Opener, output: O) -> Self {
        Self { open, watched: HashMap::default(), statistics: Statistics::default(), show: None, output }
    }

    /// Counts only what `output` wants, and nothing of whole streams: see [`Statistics::of_selected`].
    #[must_use]
    pub fn selecting(mut self) -> Self {
        self.statistics = Statistics::of_selected();
        self
    }

    /// Gives the first bytes of each message with it.
    #[must_use]
    pub fn showing(mut self, show: Option<Show>) -> Self {
        self.show = show;
        self
    }

    /// What was counted so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Counts a part of a work that several share: see [`Statistics::as_part`]. To be called after [`selecting`](Self::selecting).
    #[must_use]
    pub fn sharing(mut self) -> Self {
        self.statistics = self.statistics.as_part();
        self
    }

    /// What comes next is of step `step` of a work that several share: see [`Statistics::step`].
    pub fn step(&mut self, step: u64) {
        self.statistics.step(step);
    }

    /// Where the records go.
    pub fn output_mut(&mut self) -> &mut O {
        &mut self.output
    }

    /// What was counted, and where the records went.
    pub fn finish(self) -> (Statistics, O) {
        (self.statistics, self.output)
    }
}

impl<O: Output> Watch<O> {
    /// Does something with a connection in which something happens.
    fn speak(&mut self, connection: &Connection, act: impl FnOnce(&mut Watched, &mut Statistics, &mut dyn Output)) {
        let Some(state) = self.watched.get_mut(&connection.number) else {
            return;
        };
        if let State::Silent(silent) = state {
            let watched = silent.speaking(connection, (self.open)(connection)).showing(self.show);
            *state = State::Speaking(Box::new(watched));
        }
        if let State::Speaking(watched) = state {
            act(watched, &mut self.statistics, &mut self.output);
        }
    }
}

impl<O: Output> Tap for Watch<O> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let (statistics, output) = (&mut self.statistics, &mut self.output);
        match event {
            Event::Open => {
                let silent = Silent::open(connection, time, statistics, output);
                self.watched.insert(connection.number, State::Silent(silent));
            }
            Event::Chunk { .. } | Event::Gap { .. } | Event::Close { .. } => {
                self.speak(connection, |watched, statistics, out| watched.event(time, event, statistics, out));
            }
            Event::Done => {
                let mut watched = match self.watched.remove(&connection.number) {
                    None => return,
                    Some(State::Speaking(watched)) => *watched,
                    // Which protocol it would have been, the session knows.
                    Some(State::Silent(silent)) => silent.speaking(connection, (self.open)(connection)),
                };
                watched.event(time, event, statistics, output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lie_in_the_chunks_that_a_list_of_all_says() {
        // How long the chunks are that come, and how long the messages that are said then.
        let turns: [(&[u64], &[u64]); 7] = [
            (&[10], &[4, 6]),
            (&[3, 3], &[]),
            (&[4, 1], &[8]),
            (&[7, 2, 2], &[3, 1, 9]),
            (&[5], &[5]),
            (&[1; MOST_CHUNKS + 100], &[MOST_CHUNKS as u64 + 100]),
            (&[2, 6], &[1, 3, 2]),
        ];
        let (mut account, mut all) = (SideAccount::default(), Vec::new());
        let (mut fed, mut said) = (0, 0);
        for (chunks, messages) in turns {
            for &length in chunks {
                let time = Time::from_nanos(all.len() as u64);
                account.chunk(time, length);
                all.push((fed, time));
                fed += length;
            }
            for &length in messages {
                let span = Span::between(said, said + length);
                said = span.end();
                let cuts = all.iter().filter(|(start, _)| (span.offset + 1..said).contains(start)).count();
                let last = all.iter().rfind(|(start, _)| *start < said).expect("it was fed");
                // Of those that are not told apart all belong to the message, also the one that begins where it ends.
                let beyond = u64::from(chunks.len() > MOST_CHUNKS);
                let expected = (cuts as u64 + beyond, Time::from_nanos(last.1.nanos() + beyond));
                assert_eq!(account.place(span), expected, "the message at {}", span.offset);
            }
        }
    }
}
