//! The executor under async subjects: it detects when its task is idle.
//!
//! A runtime polls a task when it is woken, and a lost wake-up does not show: the test hangs, or
//! passes because something else woke the task. This executor has one task, and nothing else can
//! wake it. It polls once, and then again as long as the task was woken while it was polled. A task
//! that returned `Pending` and was not woken since is *idle*. Only then does the executor deliver
//! the next chunk, and it wakes only the waker that the reader was last polled with. If that does
//! not wake the task, nothing ever will.
//!
//! Only the waker of the most recent poll counts, as the contract of `Future::poll` requires. Each
//! poll gets a new waker if the task kept the old one, so wake-ups of a kept waker have no effect.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::output::Breach;
use crate::run::Run;

use super::feed::Feed;
#[cfg(feature = "tokio-runtime")]
use super::runtime::PausedRuntime;

/// The number of times that a task may wake itself in a row and read nothing.
const IDLE_WAKES_MAX: usize = 1_000;

#[derive(Debug, Default)]
struct WakeFlag {
    woken: AtomicBool,
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
    }
}

/// An executor that polls futures one after the other, as one task.
pub(super) struct Executor {
    feed: Feed,
    flag: Arc<WakeFlag>,
    waker: Waker,
    /// The number of empty items before each chunk.
    empty_items: usize,
    surroundings: Surroundings,
}

/// The other tasks and timers that may wake the task.
#[derive(Clone, Debug, Default)]
pub(super) enum Surroundings {
    /// There are none: only the law wakes the task.
    #[default]
    None,
    #[cfg(feature = "tokio-runtime")]
    Tokio(Arc<PausedRuntime>),
}

impl Surroundings {
    /// Calls `work` inside the runtime, if there is one.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::None => work(),
            #[cfg(feature = "tokio-runtime")]
            Self::Tokio(runtime) => {
                let _current = runtime.enter();
                work()
            }
        }
    }

    /// Runs the other tasks until `done` or until they are idle, while the clock stands still.
    /// Returns whether they have done it.
    fn settle(&self, done: impl Fn() -> bool) -> bool {
        match self {
            Self::None => done(),
            #[cfg(feature = "tokio-runtime")]
            Self::Tokio(runtime) => runtime.settle(done),
        }
    }

    /// Runs the other tasks and lets the clock pass until `done`, or for long enough. Returns
    /// whether they have done it.
    fn wait(&self, done: impl Fn() -> bool) -> bool {
        match self {
            Self::None => done(),
            #[cfg(feature = "tokio-runtime")]
            Self::Tokio(runtime) => runtime.wait(done),
        }
    }
}

/// The effect of a delivery on the task.
enum Delivery {
    /// A chunk or the end arrived and woke the task.
    Woken,
    /// Nothing arrived: the task is polled without a reason.
    Spurious,
    /// A chunk or the end arrived, and the task was not woken.
    Asleep,
}

/// The cause that woke an idle task.
enum Cause {
    /// A chunk, the end of the stream, or a poll without a reason.
    Input,
    /// Another task or a timer.
    Surroundings,
    /// Nothing, so nothing ever will.
    None,
}

impl Executor {
    pub(super) fn new(feed: Feed, empty_items: usize, surroundings: Surroundings) -> Self {
        let flag = Arc::new(WakeFlag::default());
        let waker = Waker::from(flag.clone());
        Self { feed, flag, waker, empty_items, surroundings }
    }

    /// Polls `future` until it is ready, and delivers the next chunk whenever it is idle. Returns
    /// `None` after a breach.
    pub(super) fn finish<T, E, X>(
        &mut self,
        mut future: Pin<&mut impl Future<Output = T>>,
        run: &mut Run<'_, E, X>,
    ) -> Option<T> {
        let mut idle_wakes = 0;
        loop {
            let progress = self.feed.progress();
            self.renew();
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                return Some(output);
            }
            if self.flag.woken.swap(false, Ordering::Acquire) {
                idle_wakes = if self.feed.progress() == progress { idle_wakes + 1 } else { 0 };
                if idle_wakes > IDLE_WAKES_MAX {
                    run.breach(Breach::Busy);
                    return None;
                }
                continue;
            }
            match self.wake(run) {
                Cause::Input => idle_wakes = 0,
                Cause::Surroundings if self.feed.bytes_read() != progress => idle_wakes = 0,
                Cause::Surroundings if idle_wakes < IDLE_WAKES_MAX => idle_wakes += 1,
                Cause::Surroundings => {
                    run.breach(Breach::Busy);
                    return None;
                }
                Cause::None => {
                    run.breach(Breach::Asleep);
                    return None;
                }
            }
        }
    }

    /// Wakes an idle task: by the tasks that it has started, by the next chunk, or by its timers.
    fn wake<E, X>(&self, run: &mut Run<'_, E, X>) -> Cause {
        let is_woken = || self.flag.woken.load(Ordering::Acquire);
        let by_surroundings = |is_woken| if is_woken { Cause::Surroundings } else { Cause::None };
        if self.surroundings.settle(is_woken) {
            return Cause::Surroundings;
        }
        // Nobody waits for the bytes that are there, so the task waits for something else.
        if self.feed.has_unread() {
            return by_surroundings(self.surroundings.wait(is_woken));
        }
        let read = self.feed.bytes_read();
        let moves = || is_woken() || self.feed.bytes_read() != read;
        match self.deliver(run) {
            Delivery::Woken | Delivery::Spurious => Cause::Input,
            Delivery::Asleep => by_surroundings(self.surroundings.settle(moves) || self.surroundings.wait(moves)),
        }
    }

    /// Delivers the next chunk to a task that does not wait, because it failed and is called again.
    /// Returns whether there was a chunk.
    pub(super) fn go_on<E, X>(&mut self, run: &mut Run<'_, E, X>) -> bool {
        self.deliver(run);
        !self.feed.ended()
    }

    /// Replaces the waker if the task kept it.
    fn renew(&mut self) {
        // One reference is `self.flag`, the other is in `self.waker`.
        if Arc::strong_count(&self.flag) > 2 {
            self.flag = Arc::new(WakeFlag::default());
            self.waker = Waker::from(self.flag.clone());
        } else {
            self.flag.woken.store(false, Ordering::Release);
        }
    }

    fn deliver<E, X>(&self, run: &mut Run<'_, E, X>) -> Delivery {
        match run.next_chunk() {
            Some([]) if self.empty_items == 0 => return Delivery::Spurious,
            Some(bytes) => self.feed.put(bytes, self.empty_items),
            None => self.feed.end(),
        }
        if self.flag.woken.swap(false, Ordering::Acquire) { Delivery::Woken } else { Delivery::Asleep }
    }
}
