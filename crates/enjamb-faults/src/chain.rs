//! The faults of one side, one behind the other.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use enjamb::{Connection, Message, Side, Time};

use crate::delivery::Delivery;
use crate::item::{Item, Note, Piece};
use crate::plan::{Plan, Planned};
use crate::select::Selection;
use crate::stage::{Output, Stage};
use crate::stages::stage;

/// The most bytes that are delivered together.
const DELIVERY_MAX: usize = 60 << 10;

/// The stages of one side.
pub(crate) struct Chain {
    side: Side,
    links: Vec<Link>,
    /// The items that have passed all stages.
    out: VecDeque<Item>,
    out_bytes: usize,
    /// The bytes that were delivered.
    delivered: u64,
}

/// A fault at work.
struct Link {
    planned: Arc<Planned>,
    stage: Box<dyn Stage>,
    /// The choice of messages, if the fault concerns messages.
    selection: Option<Selection>,
}

impl Chain {
    pub(crate) fn new(side: Side) -> Self {
        Self { side, links: Vec::new(), out: VecDeque::new(), out_bytes: 0, delivered: 0 }
    }

    /// Takes over the faults of a changed plan. Faults that are in it as before go on; those that
    /// are gone pass on what they hold.
    pub(crate) fn update(&mut self, plan: &Plan, faults: &[Arc<Planned>], connection: &Connection, now: Time) {
        let mut at = 0;
        while let Some(link) = self.links.get_mut(at) {
            if faults.iter().any(|planned| planned.id == link.planned.id) {
                at += 1;
                continue;
            }
            let mut released = Output::new(self.side, &link.planned.fault.name);
            link.stage.release(&mut released);
            self.links.remove(at);
            self.run(at, now, released.items);
        }
        // What remains is in the order of the plan, since a plan only appends and replaces.
        let mut old = std::mem::take(&mut self.links).into_iter().peekable();
        for planned in faults.iter().filter(|planned| planned.fault.side == self.side) {
            if let Some(link) = old.next_if(|link| link.planned.id == planned.id) {
                self.links.push(link);
            } else if let Some(link) = Link::new(planned, plan, connection, now) {
                self.links.push(link);
            }
        }
    }

    /// Returns whether a fault must know where messages end.
    pub(crate) fn needs_messages(&self) -> bool {
        self.links.iter().any(|link| link.planned.fault.effect.needs_messages())
    }

    /// Returns the identities of the faults that a message is selected for.
    pub(crate) fn select(&mut self, connection: &Connection, message: &Message<'_>) -> Vec<u64> {
        let selecting = self.links.iter_mut().filter_map(|link| {
            let selection = link.selection.as_mut()?;
            selection.selects(connection, message).then_some(link.planned.id)
        });
        selecting.collect()
    }

    /// Takes an item.
    pub(crate) fn take(&mut self, now: Time, item: Item) {
        self.run(0, now, VecDeque::from([item]));
    }

    /// Passes items through the stages from number `from` on.
    fn run(&mut self, from: usize, now: Time, mut items: VecDeque<Item>) {
        for link in self.links.iter_mut().skip(from) {
            if items.is_empty() {
                return;
            }
            let mut out = Output::new(self.side, &link.planned.fault.name);
            items.into_iter().for_each(|item| link.stage.take(now, item, &mut out));
            items = out.items;
        }
        self.out_bytes += items.iter().map(Item::len).sum::<usize>();
        self.out.extend(items);
    }

    /// Wakes the stages that are due.
    fn wake(&mut self, now: Time) {
        for at in 0..self.links.len() {
            let link = &mut self.links[at];
            if link.stage.due().is_some_and(|due| due <= now) {
                let mut out = Output::new(self.side, &link.planned.fault.name);
                link.stage.wake(now, &mut out);
                self.run(at + 1, now, out.items);
            }
        }
    }

    /// Returns the next thing to deliver, and puts the notes before it into `notes`.
    pub(crate) fn next(&mut self, now: Time, notes: &mut Vec<Note>) -> Delivery {
        loop {
            if self.out.is_empty() {
                self.wake(now);
            }
            match self.out.pop_front() {
                None => return Delivery::Wait(self.due()),
                Some(Item::Note(note)) => notes.push(Note { offset: self.delivered, ..note }),
                Some(Item::End) => return Delivery::End,
                Some(Item::Close) => return Delivery::Close,
                Some(Item::Reset) => return Delivery::Reset,
                Some(Item::Bytes(piece)) => return self.deliver(piece),
            }
        }
    }

    /// Delivers a piece together with those behind it that need not be apart.
    fn deliver(&mut self, first: Piece) -> Delivery {
        let mut bytes = first.bytes;
        let mut together = BytesMut::new();
        let joins = |out: &VecDeque<Item>, length: usize| match out.front() {
            Some(Item::Bytes(next)) => !next.is_cut && length + next.bytes.len() <= DELIVERY_MAX,
            _ => false,
        };
        while joins(&self.out, bytes.len().max(together.len()))
            && let Some(Item::Bytes(next)) = self.out.pop_front()
        {
            if together.is_empty() {
                together.extend_from_slice(&bytes);
            }
            together.extend_from_slice(&next.bytes);
        }
        if !together.is_empty() {
            bytes = together.freeze();
        }
        self.out_bytes -= bytes.len();
        self.delivered += bytes.len() as u64;
        Delivery::Bytes(bytes)
    }

    /// Returns the time at which a stage must continue.
    fn due(&self) -> Option<Time> {
        self.links.iter().filter_map(|link| link.stage.due()).min()
    }

    /// Returns the number of bytes that are held back.
    pub(crate) fn held(&self) -> usize {
        self.out_bytes + self.links.iter().map(|link| link.stage.held()).sum::<usize>()
    }
}

impl Link {
    /// Puts a fault to work. `None`: by its probability it does not concern this connection.
    fn new(planned: &Arc<Planned>, plan: &Plan, connection: &Connection, now: Time) -> Option<Self> {
        let mut random = plan.random(connection.number, &planned.fault.name);
        // Drawn in any case, so that a change of the probability changes nothing else.
        let chance = random.f64();
        if chance >= planned.fault.probability {
            return None;
        }
        let effect = &planned.fault.effect;
        let selection = effect.select().map(|select| {
            Selection::new(select.clone(), planned.test.clone(), fastrand::Rng::with_seed(random.u64(..)))
        });
        let stage = stage(effect, planned.id, random, now);
        Some(Self { planned: Arc::clone(planned), stage, selection })
    }
}
