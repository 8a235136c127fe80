//! One connection: reads, calls the service, writes, and watches the limits.
//!
//! A connection is one future. Each poll takes what handles and slots have left, writes what waits,
//! and reads and handles events until nothing can be done without waiting. The events of one read
//! are handled before their replies are written, so pipelined requests get one write.
//!
//! A connection at rest has no buffers: the read buffer belongs to the thread, and bytes are copied
//! out of it only if the service must not see them yet.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use enjamb::{Ending, Machine, Side};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::closed::{Closed, Reason};
use crate::error::NetError;
use crate::guard::guarded;
use crate::observers::Observers;
use crate::options::{Options, QueuePolicy};
use crate::output::{Output, ProducerFailed};
use crate::peer::{Control, Peer};
use crate::scratch::with_buffer;
use crate::service::Service;
use crate::shared::{Request, Shared};
use crate::sim;

/// The number of reads after which other connections of the thread have their turn.
const READS_PER_TURN: usize = 16;

/// The maximum size of a read buffer.
const READ_MAX: usize = 1 << 20;

/// How many times its limit a queue may grow under [`QueuePolicy::Notify`].
const NOTIFIED_MAX: usize = 4;

/// A connection that runs a service.
pub(crate) struct Driver<T, S: Service> {
    io: T,
    service: S,
    shared: Arc<Shared>,
    observers: Observers,
    options: Arc<Options>,
    /// The side of the peer.
    side: Side,
    output: Output,
    control: Control,
    /// Bytes that were read, and wait until the service may see them.
    rest: Vec<u8>,
    input: Input,
    /// Whether the machine may have more events without more bytes.
    has_more: bool,
    is_open: bool,
    is_full: bool,
    needs_flush: bool,
    is_closing: bool,
    is_shut: bool,
    received: u64,
    sent: u64,
    events: u64,
    /// The message in progress: the number of its bytes so far, and the time of the first.
    message: Option<(u64, Instant)>,
    /// The time at which bytes moved last, in either direction.
    moved: Instant,
    /// The time since which the peer has taken nothing of what waits.
    blocked: Option<Instant>,
    /// The time at which this end was closed.
    shut: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The waker that the timer was polled with.
    timer_waker: Option<Waker>,
    /// Whether bytes moved in this turn, so that `moved` is now.
    has_moved: bool,
    _end: EndOnDrop,
}

/// The state of the peer's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// Read and parsed.
    Open,
    /// Read, but not parsed any more.
    Ignored,
    Ended,
}

/// The result of one attempt to read.
enum Progress {
    Moved,
    Waiting,
    /// Other connections have their turn.
    Yielding,
}

impl<T, S> Driver<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service,
{
    pub(crate) fn new(
        io: T,
        service: S,
        shared: Arc<Shared>,
        observers: Observers,
        options: Arc<Options>,
        side: Side,
    ) -> Self {
        Self {
            _end: EndOnDrop(Arc::clone(&shared)),
            io,
            service,
            shared,
            observers,
            options,
            side,
            output: Output::default(),
            control: Control::default(),
            rest: Vec::new(),
            input: Input::Open,
            has_more: false,
            is_open: false,
            is_full: false,
            needs_flush: false,
            is_closing: false,
            is_shut: false,
            received: 0,
            sent: 0,
            events: 0,
            message: None,
            moved: Instant::now(),
            blocked: None,
            shut: None,
            timer: None,
            timer_waker: None,
            has_moved: false,
        }
    }

    /// Runs the connection. It is over when this is ready.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        let reason = match guarded(|| self.turn(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(reason)) => reason,
            Err(panic) => Reason::Failed(NetError::ServicePanicked(panic)),
        };
        Poll::Ready(self.finish(reason))
    }

    pub(crate) fn into_service(self) -> S {
        self.service
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        match self.advance(cx) {
            Ok(false) => self.watch(cx).map_or(Poll::Pending, Poll::Ready),
            Ok(true) => Poll::Ready(Reason::Done),
            Err(reason) => Poll::Ready(reason),
        }
    }

    /// Does all that can be done without waiting. Returns whether the connection is done.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<bool, Reason> {
        self.has_moved = false;
        self.take_inbox(cx)?;
        if !std::mem::replace(&mut self.is_open, true) {
            let (service, mut peer) = self.parts();
            service.open(&mut peer);
        }
        let mut reads = 0;
        loop {
            self.write(cx)?;
            if self.has_written_all() && self.shut(cx)? {
                return Ok(true);
            }
            if reads == READS_PER_TURN {
                cx.waker().wake_by_ref();
                return Ok(false);
            }
            reads += 1;
            match self.read(cx)? {
                Progress::Moved => {}
                Progress::Waiting => return Ok(false),
                Progress::Yielding => {
                    self.write(cx)?;
                    cx.waker().wake_by_ref();
                    return Ok(false);
                }
            }
        }
    }

    /// Takes what handles and slots have left.
    fn take_inbox(&mut self, cx: &Context<'_>) -> Result<(), Reason> {
        let inbox = self.shared.take_inbox(cx);
        if let Some(failure) = inbox.failure {
            return Err(Reason::Failed(failure));
        }
        for item in inbox.items {
            self.output.push_counted(item);
        }
        match inbox.request {
            Request::Nothing => {}
            Request::Stop => {
                let (service, mut peer) = self.parts();
                service.stop(&mut peer);
            }
            Request::CloseWhenDone => self.control.close_when_done = true,
            Request::Halt => return Err(Reason::Failed(NetError::Stopped)),
            Request::Abort => return Err(Reason::Aborted),
        }
        self.check()
    }

    /// Returns the service, and the peer for its next call.
    fn parts(&mut self) -> (&mut S, Peer<'_>) {
        let Self { service, output, control, shared, .. } = self;
        (service, Peer { output, control, shared })
    }

    /// Applies the limits after calls of the service.
    fn check(&mut self) -> Result<(), Reason> {
        if self.control.abort {
            return Err(Reason::Aborted);
        }
        let is_waiting = self.options.when_queue_full == QueuePolicy::Wait;
        if is_waiting && self.output.is_counted() && self.control.close_when_done == self.is_closing {
            return Ok(());
        }
        self.output.count_in(&self.shared);
        if self.control.close_when_done && !std::mem::replace(&mut self.is_closing, true) {
            self.shared.close();
        }
        let (waiting, max) = (self.shared.waiting(), self.options.max_queued);
        match self.options.when_queue_full {
            QueuePolicy::Abort if waiting > max => return Err(Reason::Failed(NetError::QueueFull(max))),
            QueuePolicy::Notify if waiting > max.saturating_mul(NOTIFIED_MAX) => {
                return Err(Reason::Failed(NetError::QueueFull(max.saturating_mul(NOTIFIED_MAX))));
            }
            QueuePolicy::Notify if waiting > max && !self.is_full => {
                self.is_full = true;
                let (service, mut peer) = self.parts();
                service.full(&mut peer);
                return self.check();
            }
            QueuePolicy::Notify if waiting <= max / 2 && self.is_full => {
                self.is_full = false;
                let (service, mut peer) = self.parts();
                service.drained(&mut peer);
                return self.check();
            }
            _ => {}
        }
        Ok(())
    }

    fn has_written_all(&self) -> bool {
        self.control.close_when_done && self.output.is_empty() && self.shared.outstanding() == 0
    }

    /// Returns whether the service may handle another event now.
    fn has_room(&self) -> bool {
        let is_full = self.options.when_queue_full == QueuePolicy::Wait
            && self.output.len().max(self.shared.waiting()) > self.options.max_queued;
        !self.control.paused && !is_full && self.shared.outstanding() < self.options.max_outstanding.get()
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Reason> {
        let max = self.options.write_buffer.get();
        while !self.output.is_empty() {
            self.output.prepare(cx, max).map_err(|ProducerFailed(error)| Reason::Failed(NetError::Producer(error)))?;
            match self.output.poll_write(cx, &mut self.io, max) {
                Poll::Ready(Ok(0)) => {
                    self.blocked = None;
                    break;
                }
                Poll::Ready(Ok(length)) => {
                    let (observers, side) = (&mut self.observers, !self.side);
                    self.output.advance(length, |bytes| observers.chunk_now(side, bytes));
                    self.sent = self.sent.saturating_add(length as u64);
                    self.needs_flush = true;
                    self.note_progress();
                    self.blocked = None;
                }
                Poll::Pending => {
                    self.blocked.get_or_insert_with(Instant::now);
                    break;
                }
                Poll::Ready(Err(error)) => return Err(Reason::Broken(error)),
            }
        }
        if self.needs_flush {
            match Pin::new(&mut self.io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                Poll::Ready(Err(error)) => return Err(Reason::Broken(error)),
                Poll::Pending => {}
            }
        }
        self.check()
    }

    /// Closes this end. Returns whether the peer has closed too, or was waited for long enough.
    fn shut(&mut self, cx: &mut Context<'_>) -> Result<bool, Reason> {
        if self.needs_flush {
            return Ok(false);
        }
        if !self.is_shut {
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                Poll::Pending => return Ok(false),
                // The peer has gone, after it got all bytes.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::NotConnected => {}
                Poll::Ready(Err(error)) => return Err(Reason::Broken(error)),
                Poll::Ready(Ok(())) => {}
            }
            self.is_shut = true;
            self.shut = Some(Instant::now());
            self.observers.close_now(!self.side, Ending::Closed);
            self.rest = Vec::new();
            if self.input == Input::Open {
                self.input = Input::Ignored;
            }
        }
        Ok(self.input == Input::Ended)
    }

    /// Makes one read, or handles bytes that were read before.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Progress, Reason> {
        if self.input == Input::Ended || self.must_wait() {
            return Ok(Progress::Waiting);
        }
        if std::mem::take(&mut self.has_more) {
            let rest = std::mem::take(&mut self.rest);
            return self.handle(&rest);
        }
        with_buffer(self.options.read_buffer.get().min(READ_MAX), |buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Pending => Ok(Progress::Waiting),
                // After this end was closed, a reset only says that the peer does not read.
                Poll::Ready(Err(_)) if self.is_shut => self.end(),
                Poll::Ready(Err(error)) => Err(Reason::Broken(error)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.end(),
                Poll::Ready(Ok(())) => self.take(buffer.filled()),
            }
        })
    }

    /// Returns whether the peer's bytes must stay where they are.
    fn must_wait(&self) -> bool {
        self.input == Input::Open && !self.control.close_when_done && !self.has_room()
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Progress, Reason> {
        self.received = self.received.saturating_add(bytes.len() as u64);
        self.note_progress();
        self.observers.chunk_now(self.side, bytes);
        let (events, offset) = (self.events, self.service.machine().offset());
        let progress = self.handle(bytes);
        if self.events != events || self.service.machine().offset() != offset {
            self.message = None;
        } else {
            let message = self.message.get_or_insert((0, self.moved));
            message.0 = message.0.saturating_add(bytes.len() as u64);
        }
        progress
    }

    /// Notes that bytes moved now.
    fn note_progress(&mut self) {
        if !std::mem::replace(&mut self.has_moved, true) {
            self.moved = Instant::now();
        }
    }

    /// Gives bytes to the service, as many as it may see now.
    fn handle(&mut self, mut chunk: &[u8]) -> Result<Progress, Reason> {
        for _ in 0..self.options.events_per_turn.get() {
            if self.input != Input::Open || self.control.close_when_done {
                return Ok(Progress::Moved);
            }
            if !self.has_room() {
                self.keep(chunk);
                return Ok(Progress::Moved);
            }
            let Self { service, output, control, shared, .. } = self;
            let mut peer = Peer { output, control, shared };
            match service.machine().next(&mut chunk) {
                Ok(None) => return Ok(Progress::Moved),
                Ok(Some(event)) => {
                    self.events += 1;
                    service.event(event, &mut peer);
                }
                Err(error) => {
                    let offset = service.machine().offset();
                    service.malformed(error, &mut peer);
                    self.input = Input::Ignored;
                    self.observers.error(&NetError::Malformed { offset });
                }
            }
            if self.control.abort {
                return Err(Reason::Aborted);
            }
        }
        self.keep(chunk);
        Ok(Progress::Yielding)
    }

    fn keep(&mut self, chunk: &[u8]) {
        self.rest = chunk.to_vec();
        self.has_more = true;
    }

    /// Handles the end of the peer's stream.
    fn end(&mut self) -> Result<Progress, Reason> {
        let was_open = self.input == Input::Open && !self.control.close_when_done;
        self.input = Input::Ended;
        self.message = None;
        self.observers.close_now(self.side, Ending::Closed);
        if !was_open {
            return Ok(Progress::Moved);
        }
        let mut events = Vec::new();
        let ended = self.service.machine().close(&mut |event| events.push(event));
        for event in events {
            self.events += 1;
            let (service, mut peer) = self.parts();
            service.event(event, &mut peer);
        }
        let offset = self.service.machine().offset();
        let (service, mut peer) = self.parts();
        match ended {
            Ok(end) => service.end(end, &mut peer),
            Err(error) => {
                service.malformed(error, &mut peer);
                self.observers.error(&NetError::Malformed { offset });
            }
        }
        self.check()?;
        Ok(Progress::Moved)
    }

    /// Watches the limits of time. Returns the reason to end the connection, if there is one.
    fn watch(&mut self, cx: &mut Context<'_>) -> Option<Reason> {
        if !(self.input == Input::Open && self.has_room()) {
            self.message = None;
        }
        if self.is_timer_set(cx) {
            return None;
        }
        if self.timer.is_none() && Handle::try_current().is_err() {
            // On another executor than tokio's there are no limits of time.
            return None;
        }
        loop {
            let (due, _) = self.due()?;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            // Setting the timer for every read would be costly. When it goes off too early, it is
            // set again.
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                self.timer_waker = Some(cx.waker().clone());
                return None;
            }
            let (due, limit) = self.due()?;
            if due <= Instant::now() {
                return Some(self.expire(limit));
            }
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(due);
            }
        }
    }

    /// Returns whether the timer will go off in time. That is certain, and cheap to see, if bytes
    /// moved and nothing but the limit of idle time applies.
    fn is_timer_set(&self, cx: &Context<'_>) -> bool {
        let is_idle_next = self.shut.is_none() && self.blocked.is_none() && self.message.is_none();
        let has_same_waker = || self.timer_waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        let is_ahead = |timer: &Pin<Box<Sleep>>| !timer.is_elapsed();
        self.has_moved && is_idle_next && self.timer.as_ref().is_some_and(is_ahead) && has_same_waker()
    }

    /// Returns the time limit that is due first, and when.
    fn due(&self) -> Option<(Instant, TimeLimit)> {
        let options = &self.options;
        let linger = self.shut.map(|since| (since + options.linger, TimeLimit::Linger));
        let idle = options.idle_timeout.map(|limit| (self.moved + limit, TimeLimit::Idle(limit)));
        let write = self.blocked.zip(options.write_timeout);
        let write = write.map(|(since, limit)| (since + limit, TimeLimit::Write(limit)));
        let read = self.message.zip(options.min_read_rate).map(|((bytes, began), rate)| {
            let allowed = Duration::from_secs_f64(bytes as f64 / f64::from(rate.bytes_per_second.max(1)));
            (began + allowed.max(rate.grace), TimeLimit::Read { bytes, began })
        });
        [linger, idle, write, read].into_iter().flatten().min_by_key(|(due, _)| *due)
    }

    fn expire(&self, limit: TimeLimit) -> Reason {
        Reason::Failed(match limit {
            TimeLimit::Linger => return Reason::Done,
            TimeLimit::Idle(limit) => NetError::Idle(limit),
            TimeLimit::Write(limit) => NetError::WriteTimeout(limit),
            TimeLimit::Read { bytes, began } => NetError::TooSlow { bytes, time: began.elapsed() },
        })
    }

    /// Ends the connection, towards the peer and all others.
    fn finish(&mut self, reason: Reason) -> Closed {
        if !matches!(reason, Reason::Done) {
            // After a mere close the peer would take a truncated stream for a whole one.
            reset(&self.io);
            self.observers.close_now(self.side, Ending::Reset);
            self.observers.close_now(!self.side, Ending::Reset);
        }
        let has_panicked = matches!(reason, Reason::Failed(NetError::ServicePanicked(_)));
        if let Reason::Failed(error) = &reason {
            self.observers.error(error);
        }
        self.output.count_in(&self.shared);
        self.shared.end();
        let Self { received, sent, events, .. } = *self;
        let closed = Closed { reason, received, sent, unsent: self.shared.waiting() as u64, events };
        if !has_panicked {
            // The connection is over, so there is nothing that a panic could cost.
            let _ = guarded(|| self.service.closed(&closed));
        }
        closed
    }
}

/// A limit of time.
#[derive(Clone, Copy, Debug)]
enum TimeLimit {
    Linger,
    Idle(Duration),
    Write(Duration),
    Read { bytes: u64, began: Instant },
}

/// Ends the connection for all handles, however its task ends.
struct EndOnDrop(Arc<Shared>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Makes the peer see a reset when `io` is closed, where `io` is a socket of TCP.
pub(crate) fn reset<T: 'static>(io: &T) {
    let io: &dyn Any = io;
    if let Some(socket) = io.downcast_ref::<TcpStream>() {
        // Fails on a socket that is broken already.
        let _ = socket.set_zero_linger();
    } else if let Some(stream) = io.downcast_ref::<sim::Stream>() {
        stream.reset();
    }
}
