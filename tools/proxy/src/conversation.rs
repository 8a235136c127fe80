//! One connection whose handler runs on worker threads.
//!
//! The relay's thread queues events, and one worker at a time passes a batch of them to the
//! handler. The relay never waits for a handler: it holds a lock only as long as it takes to copy
//! an event. When the handler fails, the events that it has not parsed are counted as they are, in
//! order. Later events are counted on the relay's thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enjamb::{Batch, Connection, Ending, Event, Time};
use enjamb_protocols::Protocol;

use crate::account::Account;
use crate::event_queue::{EventQueue, Missing, QueueLimits, miss};
use crate::handler::{Call, Handler, HandlerError};
use crate::messages::MessageBuffer;
use crate::shared::Shared;
use crate::worker::{Returned, Worker};

/// The limits of the events that wait for the handler of one connection; as many again may be in
/// parsing. A connection has only a few ends, so there is always room for those.
const LIMITS: QueueLimits = QueueLimits { events_max: 1 << 14, ends_max: usize::MAX, bytes_max: 4 << 20 };

/// The maximum number of the relay's errors that wait until the handler has parsed the events
/// before them. A connection has at most two.
const ERRORS_WAITING_MAX: usize = 8;

/// A connection whose handler runs on worker threads.
pub(crate) struct Conversation {
    connection: Connection,
    protocol: Arc<Protocol>,
    /// The progress. It is locked before the queue when both are needed.
    progress: Mutex<Progress>,
    queue: Mutex<Queue>,
    /// The handler, which a worker takes out while it runs.
    handler: Mutex<Option<Handler>>,
}

/// The part of the connection that has been counted.
struct Progress {
    account: Account,
    /// The batch that a worker passes to the handler, and the number of its events that have been
    /// counted.
    batch: Option<Arc<Batch>>,
    counted: usize,
}

struct Queue {
    events: EventQueue,
    missing: Missing,
    /// Errors of the relay, to be written before the end of the connection.
    errors: Vec<(Time, String)>,
    /// Whether a worker runs the conversation, or will run it.
    is_scheduled: bool,
    /// Whether parsing has stopped.
    has_failed: bool,
}

/// The work that is left for a conversation after a turn.
pub(crate) enum NextTurn {
    /// More events wait.
    Now,
    /// It is scheduled again with its next event.
    Later,
    /// The thread was abandoned, and must end.
    Never,
}

impl Conversation {
    /// Opens the connection. Its handler is opened with [`Event::Open`].
    pub(crate) fn new(connection: &Connection, protocol: Arc<Protocol>, time: Time, shared: &Shared) -> Self {
        let account = Account::open(connection, protocol.name(), time, &shared.journal);
        Self {
            connection: *connection,
            protocol,
            progress: Mutex::new(Progress { account, batch: None, counted: 0 }),
            queue: Mutex::new(Queue {
                events: EventQueue::new(LIMITS),
                missing: Missing::default(),
                errors: Vec::new(),
                is_scheduled: false,
                has_failed: false,
            }),
            handler: Mutex::new(None),
        }
    }

    /// Queues an event, or counts it if parsing has stopped. Returns whether the conversation must
    /// be scheduled.
    #[must_use]
    pub(crate) fn push(&self, time: Time, event: Event<'_>, shared: &Shared) -> bool {
        let mut queue = lock(&self.queue);
        if queue.has_failed {
            drop(queue);
            record_unparsed(&mut lock(&self.progress).account, time, event, shared);
            return false;
        }
        let Queue { events, missing, is_scheduled, .. } = &mut *queue;
        let bytes = event.payload_len();
        if !shared.reserve(bytes) {
            miss(event, missing);
            shared.counts.dropped(bytes);
        } else if !events.push(&self.connection, time, event, missing) {
            shared.release(bytes);
            shared.counts.dropped(bytes);
        }
        !events.waiting.is_empty() && !std::mem::replace(is_scheduled, true)
    }

    /// Writes an error of the relay, once the events before it have been parsed.
    pub(crate) fn report(&self, time: Time, reason: String, shared: &Shared) {
        let mut queue = lock(&self.queue);
        if queue.is_scheduled {
            if queue.errors.len() < ERRORS_WAITING_MAX {
                queue.errors.push((time, reason));
            }
        } else {
            drop(queue);
            lock(&self.progress).account.report(time, &reason, &shared.journal);
        }
    }

    /// Passes the events that wait to the handler.
    pub(crate) fn run(
        self: &Arc<Self>,
        worker: &Worker<Arc<Self>>,
        messages: &mut MessageBuffer,
        shared: &Shared,
    ) -> NextTurn {
        let Some(batch) = self.take_batch() else { return NextTurn::Later };
        let mut handler = lock(&self.handler).take();
        for (_, time, event) in batch.iter() {
            // The end of the connection ends both sides, and the handler must be called for each.
            let sides = if event == Event::Done { Some(lock(&self.progress).account.open_sides()) } else { None };
            let ends = sides.into_iter().flatten().map(|side| Event::Close { side, ending: Ending::Lost });
            for step in ends.chain([event]) {
                let is_whole = event != Event::Done || step == Event::Done;
                let result = match Call::of(&step) {
                    None => Ok(()),
                    Some(call) => {
                        let returned = worker.call(self, call, || self.step(step, &mut handler, messages, shared));
                        match returned {
                            Returned::InTime(result) => result,
                            Returned::Late(_) => {
                                messages.clear();
                                // Nobody waits for the session to be dropped, so the result does
                                // not matter.
                                let _ = handler.map(Handler::close);
                                return NextTurn::Never;
                            }
                        }
                    }
                };
                self.count(time, step, is_whole, handler.as_ref(), messages, &result, shared);
                if let Err(error) = result {
                    self.fail(time, &error, shared);
                    return self.drop_handler(handler, time, worker, shared);
                }
            }
            if event == Event::Done {
                let next = self.drop_handler(handler.take(), time, worker, shared);
                if matches!(next, NextTurn::Never) {
                    return next;
                }
            }
        }
        *lock(&self.handler) = handler;
        // The thread that gave up the conversation has released it already.
        if lock(&self.progress).batch.take().is_some() {
            shared.release(batch.payload_len());
        }
        let mut queue = lock(&self.queue);
        queue.is_scheduled = !queue.events.waiting.is_empty();
        if queue.is_scheduled { NextTurn::Now } else { NextTurn::Later }
    }

    fn take_batch(&self) -> Option<Arc<Batch>> {
        let mut progress = lock(&self.progress);
        let mut queue = lock(&self.queue);
        if queue.has_failed {
            return None;
        }
        let batch = Arc::new(std::mem::take(&mut queue.events.waiting));
        progress.batch = Some(Arc::clone(&batch));
        progress.counted = 0;
        Some(batch)
    }

    /// Makes one call of the handler. No lock is held.
    fn step(
        &self,
        event: Event<'_>,
        handler: &mut Option<Handler>,
        messages: &mut MessageBuffer,
        shared: &Shared,
    ) -> Result<(), HandlerError> {
        match (event, handler.as_mut()) {
            (Event::Open, _) => {
                *handler = Some(shared.open_handler(&self.protocol, &self.connection)?);
                Ok(())
            }
            (_, Some(handler)) => handler.call(event, messages),
            // Not reached: the opening comes first.
            (_, None) => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of a turn")]
    fn count(
        &self,
        time: Time,
        event: Event<'_>,
        is_whole: bool,
        handler: Option<&Handler>,
        messages: &mut MessageBuffer,
        result: &Result<(), HandlerError>,
        shared: &Shared,
    ) {
        let mut progress = lock(&self.progress);
        if let Err(error) = result {
            progress.account.fail(error);
        }
        if event == Event::Done {
            write_errors(&progress.account, &mut lock(&self.queue), shared);
        }
        explain_gap(&progress.account, time, event, shared);
        progress.account.record(time, event, handler, messages, &shared.journal);
        progress.counted += usize::from(is_whole);
    }

    /// Drops the handler, which is foreign code too.
    fn drop_handler(
        self: &Arc<Self>,
        handler: Option<Handler>,
        time: Time,
        worker: &Worker<Arc<Self>>,
        shared: &Shared,
    ) -> NextTurn {
        let Some(handler) = handler else { return NextTurn::Later };
        match worker.call(self, Call::Drop, || handler.close()) {
            Returned::InTime(Ok(())) => NextTurn::Later,
            Returned::InTime(Err(error)) => {
                self.fail(time, &error, shared);
                NextTurn::Later
            }
            Returned::Late(_) => NextTurn::Never,
        }
    }

    /// Stops parsing, writes the reason to the log, and counts the events that were not parsed.
    ///
    /// It may be called by the worker that runs the conversation, by the thread that abandoned that
    /// worker, and by any thread if no worker runs the conversation.
    pub(crate) fn fail(&self, time: Time, error: &HandlerError, shared: &Shared) {
        shared.failed(&self.connection, error);
        let progress = &mut *lock(&self.progress);
        let mut queue = lock(&self.queue);
        queue.has_failed = true;
        queue.is_scheduled = false;
        progress.account.fail(error);
        progress.account.report(time, &error.to_string(), &shared.journal);
        let rest = progress.batch.take();
        let waiting = std::mem::take(&mut queue.events.waiting);
        let rest_events = rest.iter().flat_map(|batch| batch.iter()).skip(progress.counted);
        let mut last = time;
        for (_, time, event) in rest_events.chain(waiting.iter()) {
            if event == Event::Done {
                write_errors(&progress.account, &mut queue, shared);
            }
            record_unparsed(&mut progress.account, time, event, shared);
            last = time;
        }
        for (side, missing) in enjamb::Side::BOTH.into_iter().zip(std::mem::take(&mut queue.missing)) {
            if missing > 0 {
                record_unparsed(&mut progress.account, last, Event::Gap { side, missing }, shared);
            }
        }
        write_errors(&progress.account, &mut queue, shared);
        shared.release(waiting.payload_len() + rest.map_or(0, |batch| batch.payload_len()));
    }
}

/// Writes the errors of the relay that have waited.
fn write_errors(account: &Account, queue: &mut Queue, shared: &Shared) {
    for (time, reason) in queue.errors.drain(..) {
        account.report(time, &reason, &shared.journal);
    }
}

/// Counts an event that is not parsed.
fn record_unparsed(account: &mut Account, time: Time, event: Event<'_>, shared: &Shared) {
    explain_gap(account, time, event, shared);
    account.record_unparsed(time, event, &shared.journal);
}

/// Writes the reason for missing bytes to the log: a relay loses none, so they were dropped here.
fn explain_gap(account: &Account, time: Time, event: Event<'_>, shared: &Shared) {
    if let Event::Gap { side, missing } = event {
        let reason =
            format!("{missing} bytes of the {side} were not parsed: the handler was slower than the connection");
        account.report(time, &reason, &shared.journal);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic may have interrupted only counts, and any count is valid.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
