//! One connection under watch.

use std::panic::AssertUnwindSafe;

use enjamb::{Connection, Ending, Event, Message, Outcome, Session, Side, Time};
use enjamb_isolate::{Panic, catch_panic, uncaught};

use crate::payload::{Fed, Redactor, Show, Shown};
use crate::record::{EndedBy, Record};
use crate::statistics::Statistics;
use crate::watch::account::{Account, Place};
use crate::watch::output::Output;
use crate::watch::unparsed::{Rest, Unparsed};
use crate::watch::waiting::Waiting;

/// One connection under watch, for a source that keeps its connections apart.
///
/// A session that panics affects its own connection only. An error record names the connection,
/// [`Statistics`] counts it, and the connection continues: its bytes, gaps and endings are counted,
/// and its bytes are messages of kind `unparsed`.
pub struct Watched {
    connection: Connection,
    session: Box<dyn Session>,
    account: Account,
    ended_by: Option<EndedBy>,
    /// The messages in progress, if they are to be reported.
    progress: Option<Box<[MessageProgress; 2]>>,
}

/// The number of bytes of a message in progress that are reported at once.
const PROGRESS_BYTES: u64 = 1 << 20;

/// The time after which a message in progress is reported, and the minimum time between two
/// reports.
const PROGRESS_NANOS: u64 = 1_000_000_000;

/// A message of one side that is in progress.
#[derive(Clone, Copy, Debug, Default)]
struct MessageProgress {
    /// The offset at which it begins.
    offset: u64,
    /// The time of the last report, or of the chunk in which it begins.
    last: Time,
    is_reported: bool,
}

/// A connection that has not sent anything yet, and has no session. A port scan opens a million of
/// them, so this type contains only data that cannot be made later.
pub(super) struct Pending {
    opened: Time,
    /// Whether something of the connection was wanted, so that the connection is counted.
    counted: bool,
}

impl Pending {
    pub(super) fn open(connection: &Connection, time: Time, statistics: &mut Statistics, out: &mut dyn Output) -> Self {
        let record = Record::Opened { connection, time };
        let counted = out.wants(&record);
        if counted {
            statistics.opened(time);
            out.record(&record);
        }
        Self { opened: time, counted }
    }

    /// Opens a session by `open`, which may panic as sessions may.
    pub(super) fn open_session(
        &self,
        connection: &Connection,
        open: impl FnOnce() -> Box<dyn Session>,
        time: Time,
        statistics: &mut Statistics,
        out: &mut dyn Output,
    ) -> Watched {
        let mut account = Account::new(self.opened, self.counted);
        let session = caught(open).unwrap_or_else(|panic| {
            account.panicked(connection, time, &panic, statistics, out);
            Box::new(Unparsed::new(String::new(), [Rest { start: 0, fed: 0 }; 2]))
        });
        Watched { connection: *connection, session, account, ended_by: None, progress: None }
    }
}

/// Runs `work` of a session, and returns its panic. After a panic, everything that `work` borrowed
/// is either dropped or valid in any state: the session is replaced, and counts remain counts.
fn caught<R>(work: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_panic(AssertUnwindSafe(work))
}

/// A call of a session.
#[derive(Clone, Copy)]
enum Call<'a> {
    Feed(Side, &'a [u8]),
    Gap(Side, u64),
    Close(Side, Ending),
    Pause,
}

impl Call<'_> {
    fn make(self, session: &mut dyn Session, out: &mut dyn FnMut(&Message<'_>)) {
        match self {
            Self::Feed(side, bytes) => session.feed(side, bytes, out),
            Self::Gap(side, missing) => session.gap(side, missing, out),
            Self::Close(side, ending) => session.close(side, ending, out),
            Self::Pause => session.pause(),
        }
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
        let pending = Pending::open(connection, time, statistics, out);
        pending.open_session(connection, || session, time, statistics, out)
    }

    /// Gives the first bytes of each message to the output. Call it before the first chunk.
    #[must_use]
    pub fn showing(mut self, show: Option<Show>) -> Self {
        self.account.shown = show.map(|show| Box::new(Shown::new(show, None)));
        self
    }

    /// Reports messages and streams that are in progress: when they have 1 MiB or last a second,
    /// and then once a second while bytes come. For traffic that somebody watches live.
    #[must_use]
    pub fn reporting_progress(mut self) -> Self {
        self.progress = Some(Box::default());
        self
    }

    /// Notes that the proxy ends the connection, not one of its sides.
    pub fn end_by_proxy(&mut self) {
        self.ended_by = Some(EndedBy::Proxy);
    }

    /// Overwrites the secrets in the bytes that are shown. Call it after
    /// [`showing`](Self::showing).
    #[must_use]
    pub fn redacting(mut self, redactor: Option<Redactor>) -> Self {
        if let Some(shown) = &mut self.account.shown {
            shown.redactor = redactor;
        }
        self
    }

    /// Receives an event of the connection, which is open already. No event may follow
    /// [`Event::Done`].
    pub fn event(&mut self, time: Time, event: Event<'_>, statistics: &mut Statistics, out: &mut dyn Output) {
        match event {
            Event::Open => {}
            Event::Chunk { side, bytes } => self.chunk(time, side, bytes, statistics, out),
            Event::Gap { side, missing } => self.gap(time, side, missing, statistics, out),
            Event::Close { side, ending } => self.close(time, side, ending, statistics, out),
            Event::Done => self.done(time, statistics, out),
        }
    }

    /// Returns the requests that wait for their answers.
    pub(super) fn waiting(&mut self) -> &mut Waiting {
        &mut self.account.waiting
    }

    fn chunk(&mut self, time: Time, side: Side, bytes: &[u8], statistics: &mut Statistics, out: &mut dyn Output) {
        let before = self.offsets();
        if self.account.pauses(time) {
            self.call(Call::Pause, None, before, time, statistics, out);
        }
        let fed = Fed { offset: before[side.index()], bytes };
        self.account.chunk(time, side, bytes.len() as u64);
        let messages = self.call(Call::Feed(side, bytes), Some((side, fed)), before, time, statistics, out);
        statistics.chunk(time, side, bytes.len() as u64, messages);
        if self.progress.is_some() {
            self.report_progress(time, side, before[side.index()], out);
        }
    }

    /// Reports the message in progress after a chunk of `side` that began at `chunk_at`.
    fn report_progress(&mut self, time: Time, side: Side, chunk_at: u64, out: &mut dyn Output) {
        let Self { connection, account, progress: Some(progress), .. } = self else { return };
        let account = &account.sides[side.index()];
        let progress = &mut progress[side.index()];
        let (offset, length) = (account.reported, account.offset.saturating_sub(account.reported));
        if length == 0 {
            return;
        }
        if progress.offset != offset || chunk_at <= offset {
            *progress = MessageProgress { offset, last: time, is_reported: false };
        }
        let is_due = time.nanos().saturating_sub(progress.last.nanos()) >= PROGRESS_NANOS;
        if is_due || !progress.is_reported && length >= PROGRESS_BYTES {
            progress.last = time;
            progress.is_reported = true;
            let record = Record::Progress { connection, time, side, offset, length };
            if out.wants(&record) {
                out.record(&record);
            }
        }
    }

    fn gap(&mut self, time: Time, side: Side, missing: u64, statistics: &mut Statistics, out: &mut dyn Output) {
        let before = self.offsets();
        let account = &mut self.account.sides[side.index()];
        let offset = account.offset;
        account.gap(time, missing);
        let fed = Fed { offset: account.offset, bytes: &[] };
        let record = Record::Gap { connection: &self.connection, time, side, offset, missing };
        // A gap of 0 bytes is for the session alone: it means that the capture joined the stream in
        // the middle.
        if missing > 0 && out.wants(&record) {
            self.account.count(statistics, time);
            out.record(&record);
            statistics.gap(side, missing);
        }
        self.call(Call::Gap(side, missing), Some((side, fed)), before, time, statistics, out);
    }

    fn close(&mut self, time: Time, side: Side, ending: Ending, statistics: &mut Statistics, out: &mut dyn Output) {
        let total = &mut self.account.sides[side.index()].total;
        if total.ending.is_none() {
            total.ending = Some(ending);
            if ending != Ending::Lost && self.ended_by.is_none() {
                self.ended_by = Some(side.into());
            }
            statistics.saw_stream(time);
            self.call(Call::Close(side, ending), None, self.offsets(), time, statistics, out);
        }
    }

    /// Ends the connection. Sides that were not closed are lost.
    fn done(&mut self, time: Time, statistics: &mut Statistics, out: &mut dyn Output) {
        for side in Side::BOTH {
            self.close(time, side, Ending::Lost, statistics, out);
        }
        if let Err(panic) = caught(|| {
            self.session.protocol();
        }) {
            self.replace(&panic, self.offsets(), time, statistics, out);
        }
        let Self { connection, session, account, ended_by, .. } = self;
        let ended_by = *ended_by;
        let (opened, sides) = (account.opened, [account.sides[0].total, account.sides[1].total]);
        let record = Record::Ended { connection, protocol: session.protocol(), time, opened, sides, ended_by };
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

    fn offsets(&self) -> [u64; 2] {
        [self.account.sides[0].offset, self.account.sides[1].offset]
    }

    /// Calls the session, writes and counts its messages, and returns their number. `fed` is the
    /// chunk or the gap that the session receives, and `before` has the offsets of both sides
    /// before that.
    fn call(
        &mut self,
        call: Call<'_>,
        fed: Option<(Side, Fed<'_>)>,
        before: [u64; 2],
        time: Time,
        statistics: &mut Statistics,
        out: &mut dyn Output,
    ) -> u64 {
        let mut messages = 0;
        let called = caught(|| self.call_once(call, fed, &mut messages, statistics, out));
        if let Err(panic) = called {
            self.replace(&panic, before, time, statistics, out);
            self.call_once(call, fed, &mut messages, statistics, out);
        }
        self.account.keep(fed);
        messages
    }

    fn call_once(
        &mut self,
        call: Call<'_>,
        fed: Option<(Side, Fed<'_>)>,
        messages: &mut u64,
        statistics: &mut Statistics,
        out: &mut dyn Output,
    ) {
        let Self { connection, session, account, .. } = self;
        let is_close = matches!(call, Call::Close(..));
        if out.only_counts() {
            return call.make(session.as_mut(), &mut |message| {
                uncaught(|| {
                    *messages += 1;
                    let kind = statistics.kind(message);
                    let Place { time, latency, cuts } =
                        account.place(message, kind, is_close && message.outcome == Outcome::Incomplete);
                    statistics.message(message, kind, latency, cuts, time);
                });
            });
        }
        call.make(session.as_mut(), &mut |message| {
            uncaught(|| {
                *messages += 1;
                let kind = statistics.kind(message);
                let Place { time, latency, cuts } =
                    account.place(message, kind, is_close && message.outcome == Outcome::Incomplete);
                let latency_us = latency.map(|(latency_us, _)| latency_us);
                let mut record = Record::Message { connection, time, message, latency_us, cuts, payload: None };
                if !out.wants(&record) {
                    account.pass(message);
                    return;
                }
                account.count(statistics, time);
                statistics.message(message, kind, latency, cuts, time);
                if account.shown.is_some()
                    && let Record::Message { payload, .. } = &mut record
                {
                    *payload = account.payload(message, fed);
                }
                out.record(&record);
            });
        });
    }

    /// Replaces a session that panicked by one that parses nothing. `before` has the offsets of
    /// both sides before the call.
    fn replace(
        &mut self,
        panic: &Panic,
        before: [u64; 2],
        time: Time,
        statistics: &mut Statistics,
        out: &mut dyn Output,
    ) {
        let Self { connection, session, account, .. } = self;
        account.panicked(connection, time, panic, statistics, out);
        // The session may panic here too: then the protocol has no name, and the session's memory
        // is leaked or freed.
        let protocol = caught(|| session.protocol().to_owned()).unwrap_or_default();
        let rest = |side: usize| Rest { start: account.sides[side].reported, fed: before[side] };
        let broken = std::mem::replace(session, Box::new(Unparsed::new(protocol, [rest(0), rest(1)])));
        let _ = caught(|| drop(broken));
    }
}

impl Account {
    /// Writes and counts the panic of a session.
    fn panicked(
        &mut self,
        connection: &Connection,
        time: Time,
        panic: &Panic,
        statistics: &mut Statistics,
        out: &mut dyn Output,
    ) {
        let reason = &format!("its session panicked: {panic}; the rest of the connection is not parsed");
        let record = Record::Error { connection: Some(connection), time, reason };
        if out.wants(&record) {
            self.count(statistics, time);
            out.record(&record);
        }
        statistics.count_panic();
        // No answer will be paired with them.
        self.waiting.clear();
    }
}
