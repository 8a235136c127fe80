//! One stage of a chain: a fault at work on one stream.

use std::collections::VecDeque;
use std::time::Duration;

use enjamb::{Side, Time};

use crate::item::{Item, Note};

/// A fault at work. Items go in and come out in order, some of them later.
pub(crate) trait Stage: Send {
    /// Takes the next item.
    fn take(&mut self, now: Time, item: Item, out: &mut Output);

    /// Returns the items that wait in it. A stage that holds back something else has its own
    /// versions of the functions below.
    fn queue(&self) -> Option<&TimedQueue> {
        None
    }

    /// Returns the same, to be changed.
    fn queue_mut(&mut self) -> Option<&mut TimedQueue> {
        None
    }

    /// Continues at a time that was [due](Self::due).
    fn wake(&mut self, now: Time, out: &mut Output) {
        if let Some(queue) = self.queue_mut() {
            queue.pass_due(now, out);
        }
    }

    /// Returns the time at which it must continue.
    fn due(&self) -> Option<Time> {
        self.queue()?.due()
    }

    /// Returns the number of bytes that it holds back.
    fn held(&self) -> usize {
        self.queue().map_or(0, TimedQueue::held)
    }

    /// Passes on everything that it holds back, when the fault is removed.
    fn release(&mut self, out: &mut Output) {
        if let Some(queue) = self.queue_mut() {
            queue.pass_all(out);
        }
    }
}

/// The items that a stage passes on.
pub(crate) struct Output {
    pub(crate) items: VecDeque<Item>,
    side: Side,
    /// The name of the fault.
    fault: String,
}

impl Output {
    pub(crate) fn new(side: Side, fault: &str) -> Self {
        Self { items: VecDeque::new(), side, fault: fault.to_owned() }
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.items.push_back(item);
    }

    /// Returns an empty output of the same fault.
    pub(crate) fn beside(other: &Self) -> Self {
        Self::new(other.side, &other.fault)
    }

    /// Notes that the fault was applied here.
    pub(crate) fn note(&mut self, text: String) {
        let (side, fault) = (self.side, self.fault.clone());
        self.items.push_back(Item::Note(Note { side, offset: 0, fault, text }));
    }
}

/// Items that wait for their times.
#[derive(Default)]
pub(crate) struct TimedQueue {
    items: VecDeque<(Time, Item)>,
    held: usize,
}

impl TimedQueue {
    /// Appends an item that is due at a time, and not before those that were appended earlier.
    pub(crate) fn push(&mut self, due: Time, item: Item) {
        let due = self.items.back().map_or(due, |(last, _)| due.max(*last));
        self.held += item.len();
        self.items.push_back((due, item));
    }

    /// Passes on what is due.
    pub(crate) fn pass_due(&mut self, now: Time, out: &mut Output) {
        while let Some((due, _)) = self.items.front()
            && *due <= now
            && let Some((_, item)) = self.items.pop_front()
        {
            self.held -= item.len();
            out.push(item);
        }
    }

    pub(crate) fn pass_all(&mut self, out: &mut Output) {
        self.held = 0;
        self.items.drain(..).for_each(|(_, item)| out.push(item));
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.items.front().map(|(due, _)| *due)
    }

    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the time of the last item, or `now` if that is later.
    pub(crate) fn last(&self, now: Time) -> Time {
        self.items.back().map_or(now, |(due, _)| now.max(*due))
    }
}

/// Returns the time that is `duration` later.
pub(crate) fn after(time: Time, duration: Duration) -> Time {
    Time::from_nanos(time.nanos().saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
}
