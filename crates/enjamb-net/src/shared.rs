//! The state of a connection that its driver shares with handles and slots.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use enjamb::Connection;

use crate::error::NetError;
use crate::item::Item;
use crate::options::{Options, QueuePolicy};

/// The state of a connection that its driver shares with handles and slots.
pub(crate) struct Shared {
    pub(crate) connection: Connection,
    /// The number of bytes that wait to be written, wherever they wait.
    waiting: AtomicUsize,
    /// The number of slots that are not answered.
    outstanding: AtomicUsize,
    max_queued: usize,
    policy: QueuePolicy,
    inbox: Mutex<Inbox>,
}

/// The items and requests that handles and slots have left for the driver.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) items: Vec<Item>,
    pub(crate) request: Request,
    /// An error that ends the connection.
    pub(crate) failure: Option<NetError>,
    /// The connection is being closed: handles push nothing more.
    closing: bool,
    /// The connection is over.
    over: bool,
    /// Some slot was answered, or its bytes came.
    pub(crate) slots_changed: bool,
    driver: Option<Waker>,
    /// The tasks that wait for room, or for the end.
    waiters: Vec<Waker>,
}

/// A request of a handle or of the server to the connection. Later ones include earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    #[default]
    Nothing,
    /// The server stops.
    Stop,
    CloseWhenDone,
    /// The server has stopped.
    Halt,
    Abort,
}

/// The reason why a handle's push was not taken.
pub(crate) enum Refused {
    Over,
    Full,
}

impl Shared {
    pub(crate) fn new(connection: Connection, options: &Options) -> Self {
        Self {
            connection,
            waiting: AtomicUsize::new(0),
            outstanding: AtomicUsize::new(0),
            max_queued: options.max_queued,
            policy: options.when_queue_full,
            inbox: Mutex::default(),
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the driver what was left for it, and wakes it when more comes.
    pub(crate) fn take_inbox(&self, cx: &Context<'_>) -> Inbox {
        let mut inbox = self.inbox();
        match &mut inbox.driver {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Inbox {
            items: std::mem::take(&mut inbox.items),
            request: std::mem::take(&mut inbox.request),
            failure: inbox.failure.take(),
            slots_changed: std::mem::take(&mut inbox.slots_changed),
            ..Inbox::default()
        }
    }

    /// Adds bytes that wait to be written.
    pub(crate) fn add_waiting(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Removes bytes that were written, and wakes those who wait for room when there is some again.
    pub(crate) fn remove_waiting(&self, bytes: usize) {
        let before = self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        if before > self.max_queued / 2 && before - bytes <= self.max_queued / 2 {
            self.wake_waiters();
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    pub(crate) fn reserve(&self) {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a slot was answered.
    pub(crate) fn release(&self) {
        self.outstanding.fetch_sub(1, Ordering::Relaxed);
        self.slots_changed();
    }

    /// Makes the driver look at its slots.
    pub(crate) fn slots_changed(&self) {
        let mut inbox = self.inbox();
        inbox.slots_changed = true;
        wake(inbox);
    }

    pub(crate) fn push(&self, item: Item) -> Result<(), Refused> {
        let length = item.len();
        let mut inbox = self.inbox();
        if inbox.over || inbox.closing || inbox.failure.is_some() {
            return Err(Refused::Over);
        }
        let waiting = self.waiting();
        // Something may always be pushed when nothing waits, however long it is.
        if waiting > 0 && waiting.saturating_add(length) > self.max_queued {
            match self.policy {
                QueuePolicy::Wait => return Err(Refused::Full),
                QueuePolicy::Notify => {}
                QueuePolicy::Abort => {
                    inbox.failure = Some(NetError::QueueFull(self.max_queued));
                    wake(inbox);
                    return Err(Refused::Over);
                }
            }
        }
        self.add_waiting(length);
        inbox.items.push(item);
        wake(inbox);
        Ok(())
    }

    /// Leaves an item whose bytes were counted already.
    pub(crate) fn push_reserved(&self, item: Item) {
        self.inbox().items.push(item);
    }

    /// Registers a task that waits for room. Returns whether it must wait.
    pub(crate) fn wait_for_room(&self, cx: &Context<'_>, length: usize) -> bool {
        let mut inbox = self.inbox();
        let waiting = self.waiting();
        let must_wait = !inbox.over && waiting > 0 && waiting.saturating_add(length) > self.max_queued;
        if must_wait {
            inbox.waiters.push(cx.waker().clone());
        }
        must_wait
    }

    /// Registers a task that waits for the end. Returns whether it must wait.
    pub(crate) fn wait_for_end(&self, cx: &Context<'_>) -> bool {
        let mut inbox = self.inbox();
        if !inbox.over {
            inbox.waiters.push(cx.waker().clone());
        }
        !inbox.over
    }

    pub(crate) fn request(&self, request: Request) {
        let mut inbox = self.inbox();
        inbox.request = inbox.request.max(request);
        inbox.closing |= request >= Request::CloseWhenDone;
        wake(inbox);
    }

    /// Notes that the service closes the connection.
    pub(crate) fn close(&self) {
        self.inbox().closing = true;
    }

    pub(crate) fn fail(&self, failure: NetError) {
        let mut inbox = self.inbox();
        inbox.failure.get_or_insert(failure);
        wake(inbox);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.inbox().over
    }

    /// Notes that the connection is over. Later pushes fail.
    pub(crate) fn end(&self) {
        let mut inbox = self.inbox();
        inbox.over = true;
        let items = std::mem::take(&mut inbox.items);
        inbox.driver = None;
        drop(inbox);
        // Outside of the lock: a producer may contain a handle of this connection.
        drop(items);
        self.wake_waiters();
    }

    fn wake_waiters(&self) {
        let waiters = std::mem::take(&mut self.inbox().waiters);
        waiters.into_iter().for_each(Waker::wake);
    }
}

/// Wakes the driver, outside of the lock.
fn wake(mut inbox: MutexGuard<'_, Inbox>) {
    let driver = inbox.driver.take();
    drop(inbox);
    if let Some(driver) = driver {
        driver.wake();
    }
}
