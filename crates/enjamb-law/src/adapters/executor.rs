//! The executor under async subjects: it knows when its task is idle.
//!
//! A runtime polls a task when it is woken, and nothing shows that a wake-up was lost: the test hangs, or passes because something else woke the task.
//! This executor has one task and nothing else that could wake it. It polls once, then again for as long as the task was woken while it was polled. A task
//! that returned `Pending` and was not woken since is *idle*, and only then does the next chunk arrive; the waker that the reader was last
//! called with is woken, and no other. Then the task must have been woken, or it will never be.
//!
//! Only the waker of the most recent poll counts, as the contract of `Future::poll` has it. A task that keeps a waker for later is
//! polled with another one the next time, and its wake-ups by the old one are not heard.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::output::Breach;
use crate::run::Run;

use super::feed::Feed;

/// How many times a task may wake itself in a row and read nothing.
const MOST_FRUITLESS: usize = 1_000;

#[derive(Debug, Default)]
struct Task {
    woken: AtomicBool,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
    }
}

/// Polls futures one after the other, as one task.
pub(super) struct Executor {
    feed: Feed,
    task: Arc<Task>,
    waker: Waker,
    /// Items of no bytes that come before each chunk.
    empty_items: usize,
}

/// What came of asking for more.
enum More {
    /// It arrived, and the task was woken.
    Woken,
    /// Nothing arrived: the task is polled for no reason.
    Spurious,
    /// It arrived, and the task sleeps on.
    Asleep,
}

impl Executor {
    pub(super) fn new(feed: Feed, empty_items: usize) -> Self {
        let task = Arc::new(Task::default());
        let waker = Waker::from(task.clone());
        Self { feed, task, waker, empty_items }
    }

    /// Polls `future` until it is ready, and lets the next chunk arrive whenever it is idle. `None`: it broke.
    pub(super) fn finish<T, E, X>(
        &mut self,
        mut future: Pin<&mut impl Future<Output = T>>,
        run: &mut Run<'_, E, X>,
    ) -> Option<T> {
        let mut fruitless = 0;
        loop {
            let progress = self.feed.progress();
            self.renew();
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                return Some(output);
            }
            if self.task.woken.swap(false, Ordering::Acquire) {
                fruitless = if self.feed.progress() == progress { fruitless + 1 } else { 0 };
                if fruitless > MOST_FRUITLESS {
                    run.breach(Breach::Busy);
                    return None;
                }
                continue;
            }
            fruitless = 0;
            if self.feed.waits_for_nothing() || matches!(self.more(run), More::Asleep) {
                run.breach(Breach::Asleep);
                return None;
            }
        }
    }

    /// Lets the next chunk arrive for a task that does not wait: one that failed, and is called again. `false`: there is none.
    pub(super) fn go_on<E, X>(&mut self, run: &mut Run<'_, E, X>) -> bool {
        self.more(run);
        !self.feed.ended()
    }

    /// A waker that nobody holds yet.
    fn renew(&mut self) {
        // The task's own reference, and that of the waker here.
        if Arc::strong_count(&self.task) > 2 {
            self.task = Arc::new(Task::default());
            self.waker = Waker::from(self.task.clone());
        } else {
            self.task.woken.store(false, Ordering::Release);
        }
    }

    fn more<E, X>(&mut self, run: &mut Run<'_, E, X>) -> More {
        match run.next_chunk() {
            Some([]) if self.empty_items == 0 => return More::Spurious,
            Some(bytes) => self.feed.put(bytes, self.empty_items),
            None => self.feed.end(),
        }
        if self.task.woken.swap(false, Ordering::Acquire) { More::Woken } else { More::Asleep }
    }
}
