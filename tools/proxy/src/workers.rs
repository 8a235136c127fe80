//! The threads that run handlers of registered protocols.
//!
//! The laws hold for built-in protocols, so those parse in place, on the relay's threads. A handler
//! that a program registered may never return. It runs here, and a watchdog abandons a thread whose
//! call takes too long: the connection continues without being parsed, and a new thread replaces
//! the abandoned one. Rust has no way to end a thread, so the number of abandoned threads has a
//! limit. When it is reached, the handlers of new connections are not run.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::{Connection, Event, Tap, Time};
use enjamb_protocols::Protocol;

use crate::clock::now;
use crate::conversation::{Conversation, NextTurn};
use crate::handler::{Call, HandlerError};
use crate::messages::MessageBuffer;
use crate::settling::Deadline;
use crate::shared::Shared;
use crate::worker::Worker as GenericWorker;

/// The minimum number of threads that run handlers: while one of them waits for a call that does
/// not return, the others continue.
const THREADS_MIN: usize = 2;

/// The maximum number of abandoned threads that have not returned. When it is reached, no handlers
/// are run for new connections, and abandoned threads are not replaced.
pub(crate) const ABANDONED_MAX: usize = 16;

/// The longest interval at which calls are checked.
const CHECK_INTERVAL_MAX: Duration = Duration::from_millis(100);

/// The time for which the proxy gives up handlers when it ends: a thread that is between two calls
/// cannot be abandoned.
const GIVE_UP_MAX: Duration = Duration::from_millis(200);

type Worker = GenericWorker<Arc<Conversation>>;

/// The threads that run handlers.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// The open connections, by their numbers.
    open: Mutex<HashMap<u64, Arc<Conversation>>>,
    /// Notified when something is ready, or the workers end.
    ready: Condvar,
    /// Notified when the workers end.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Conversation>>,
    /// The threads that have not been abandoned.
    workers: Vec<Arc<Worker>>,
    /// The number of those that run a conversation.
    busy: usize,
    abandoned: usize,
    /// Whether no handlers are run for new connections.
    refuses: bool,
    ended: bool,
}

impl Workers {
    /// Starts the threads. Without a `timeout`, a call that does not return is never given up.
    pub(crate) fn start(shared: Arc<Shared>, timeout: Option<Duration>) -> io::Result<Arc<Self>> {
        let (ready, ended) = (Condvar::new(), Condvar::new());
        let workers = Arc::new(Self { shared, state: Mutex::default(), open: Mutex::default(), ready, ended });
        let threads = std::thread::available_parallelism().map_or(1, Into::into).max(THREADS_MIN);
        for _ in 0..threads {
            workers.start_worker()?;
        }
        if let Some(timeout) = timeout {
            let workers = Arc::clone(&workers);
            let watchdog = std::thread::Builder::new().name("enjamb-watchdog".to_owned());
            watchdog.spawn(move || workers.watch(timeout))?;
        }
        Ok(workers)
    }

    fn start_worker(self: &Arc<Self>) -> io::Result<()> {
        let worker = Arc::new(Worker::new());
        self.lock().workers.push(Arc::clone(&worker));
        let workers = Arc::clone(self);
        let work = {
            let worker = Arc::clone(&worker);
            move || workers.work(&worker)
        };
        let started = std::thread::Builder::new().name("enjamb-handler".to_owned()).spawn(work);
        if started.is_err() {
            self.lock().workers.retain(|other| !Arc::ptr_eq(other, &worker));
        }
        started.map(drop)
    }

    /// A tap that gives the events of one connection to a handler.
    pub(crate) fn tap(self: &Arc<Self>, protocol: Arc<Protocol>) -> Box<dyn Tap + Send> {
        Box::new(WorkerTap { workers: Arc::clone(self), protocol, conversation: None })
    }

    /// Writes an error of the relay on an open connection, once the events before it have been
    /// parsed.
    pub(crate) fn report(&self, connection: &Connection, time: Time, reason: String) {
        let conversation = self.open().get(&connection.number).cloned();
        match conversation {
            Some(conversation) => conversation.report(time, reason, &self.shared),
            None => self.shared.journal.error(time, Some(connection), &reason),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Conversation>>> {
        // Nothing panics while it holds the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until handlers have parsed everything. Those that have not finished at the deadline
    /// are given up.
    pub(crate) fn finish(self: &Arc<Self>, deadline: &Deadline) {
        deadline.wait_until(|| {
            let state = self.lock();
            state.ready.is_empty() && state.busy == 0
        });
        let mut state = self.lock();
        state.ended = true;
        let waiting = std::mem::take(&mut state.ready);
        drop(state);
        self.ready.notify_all();
        self.ended.notify_all();
        for conversation in waiting {
            conversation.fail(now(), &HandlerError::Unfinished, &self.shared);
        }
        Deadline::after(GIVE_UP_MAX).wait_until(|| {
            self.abandon_after(Duration::ZERO, |_| HandlerError::Unfinished);
            self.lock().busy == 0
        });
    }

    /// Runs a worker thread.
    fn work(&self, worker: &Worker) {
        let mut messages = MessageBuffer::default();
        while let Some(conversation) = self.next() {
            let next = conversation.run(worker, &mut messages, &self.shared);
            let mut state = self.lock();
            match next {
                NextTurn::Never => {
                    // The watchdog has already removed the thread from the list.
                    state.abandoned -= 1;
                    return;
                }
                NextTurn::Later => state.busy -= 1,
                NextTurn::Now if state.ended => {
                    state.busy -= 1;
                    drop(state);
                    conversation.fail(now(), &HandlerError::Unfinished, &self.shared);
                }
                NextTurn::Now => {
                    state.busy -= 1;
                    state.ready.push_back(conversation);
                    self.ready.notify_one();
                }
            }
        }
    }

    fn next(&self) -> Option<Arc<Conversation>> {
        let is_idle = |state: &mut State| state.ready.is_empty() && !state.ended;
        let mut state = self.ready.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let conversation = state.ready.pop_front()?;
        state.busy += 1;
        Some(conversation)
    }

    fn schedule(&self, conversation: Arc<Conversation>) {
        let mut state = self.lock();
        let error = match (state.ended, state.workers.is_empty()) {
            (true, _) => HandlerError::Unfinished,
            (_, true) => HandlerError::NotRun(state.abandoned),
            (false, false) => {
                state.ready.push_back(conversation);
                self.ready.notify_one();
                return;
            }
        };
        drop(state);
        conversation.fail(now(), &error, &self.shared);
    }

    /// Runs the watchdog's thread.
    fn watch(self: &Arc<Self>, timeout: Duration) {
        let interval = (timeout / 10).clamp(Duration::from_millis(1), CHECK_INTERVAL_MAX);
        loop {
            let is_running = |state: &mut State| !state.ended;
            let waited = self.ended.wait_timeout_while(self.lock(), interval, is_running);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.ended {
                return;
            }
            drop(state);
            self.abandon_after(timeout, |call| HandlerError::TimedOut { call, limit: timeout });
        }
    }

    /// Abandons the threads whose call takes longer than `limit`, and gives up their connections.
    fn abandon_after(self: &Arc<Self>, limit: Duration, error: impl Fn(Call) -> HandlerError) {
        let workers = self.lock().workers.clone();
        for worker in workers {
            // Locked first: the thread may return right after it was abandoned.
            let mut state = self.lock();
            let Some((conversation, call)) = worker.abandon_after(limit) else { continue };
            state.workers.retain(|other| !Arc::ptr_eq(other, &worker));
            state.busy -= 1;
            state.abandoned += 1;
            let may_replace = state.abandoned < ABANDONED_MAX && !state.ended;
            let begins_to_refuse = state.abandoned >= ABANDONED_MAX && !std::mem::replace(&mut state.refuses, true);
            drop(state);
            conversation.fail(now(), &error(call), &self.shared);
            if begins_to_refuse {
                self.report_refusal();
            }
            if !may_replace || self.start_worker().is_err() {
                self.give_up_ready();
            }
        }
    }

    fn report_refusal(&self) {
        let reason = format!("{ABANDONED_MAX} handlers have not returned: new connections are relayed, but not parsed");
        self.shared.journal.error(now(), None, &reason);
        self.shared.notices.notice(format_args!("{reason}"));
    }

    /// Gives up the conversations that wait for a worker, if there are no workers left.
    fn give_up_ready(&self) {
        let mut state = self.lock();
        if !state.workers.is_empty() {
            return;
        }
        let (ready, abandoned) = (std::mem::take(&mut state.ready), state.abandoned);
        drop(state);
        for conversation in ready {
            conversation.fail(now(), &HandlerError::NotRun(abandoned), &self.shared);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the events of one connection to a handler.
struct WorkerTap {
    workers: Arc<Workers>,
    protocol: Arc<Protocol>,
    /// The conversation, from its opening on.
    conversation: Option<Arc<Conversation>>,
}

impl Tap for WorkerTap {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        let Self { workers, protocol, conversation } = self;
        if event == Event::Open {
            let opened = Conversation::new(connection, Arc::clone(protocol), time, &workers.shared);
            let state = workers.lock();
            let refused = state.refuses.then_some(HandlerError::NotRun(state.abandoned));
            drop(state);
            if let Some(error) = refused {
                opened.fail(time, &error, &workers.shared);
            }
            let opened = Arc::new(opened);
            workers.open().insert(connection.number, Arc::clone(&opened));
            *conversation = Some(opened);
        }
        let Some(conversation) = conversation else { return };
        if event == Event::Done {
            workers.open().remove(&connection.number);
        }
        if conversation.push(time, event, &workers.shared) {
            workers.schedule(Arc::clone(conversation));
        }
    }
}
