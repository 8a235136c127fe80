//! How long a stream waits for what stands in its way.
//!
//! | in the way | waits for | until |
//! |---|---|---|
//! | the beginning | bytes sent before the first ones that were captured | a few packets of the connection, or some bytes held |
//! | a hole, acknowledged | the bytes: acknowledgements are captured early, packets out of order | `patience` packets |
//! | a hole, not acknowledged | the sender to repeat them | its time |
//! | a hole, other side not captured | either: nobody will ever say | `patience_one_sided` packets |
//! | the other side's bytes | those: acknowledged, so they were on their way before | `patience` packets |
//! | a later copy | the acknowledgement that ends the wait | `patience_one_sided` packets, when none is ever captured |
//!
//! Everything is given up when `patience_time` has passed in the capture, when too much is held, and at the end.
//!
//! A packet says that what was sent before it was not captured only where the file is in the order of time. So one whose time stamp is
//! before that of another one of its side counts against those that are in order: in most files there is none, in one that was shuffled
//! nearly all are.

use std::time::Duration;

use enjamb::Time;

use crate::moment::{Deadline, Moment, SEGMENTS_MIN, later};
use crate::stream::{Deliver, Obstacle, Scene, Stream};
use crate::summary::Summary;

/// For how many more packets of its connection a stream that the capture joins late waits for what was sent before the first
/// byte that was seen. Whenever there is any, it waits again: a file may be in any order.
const JOIN_PACKETS: u32 = 64;

/// How many bytes more it holds meanwhile, once half of the packets have come.
const JOIN_BYTES: usize = 32 << 10;

/// What a stream waits for, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    obstacle: Obstacle,
    at: u64,
    packets: u32,
    /// What was held when it began.
    weight: usize,
    /// By the latest time stamp of the capture at that time.
    pub(crate) since: Time,
    /// How many segments there had been in the capture.
    pub(crate) after_segments: u64,
}

impl Waiting {
    /// When `patience` has passed since.
    pub(crate) fn deadline(&self, patience: Duration) -> Deadline {
        Deadline { time: later(self.since, patience), segments: self.after_segments + SEGMENTS_MIN }
    }
}

impl Stream {
    /// Another packet of the connection has come, `in_order` with those of its side or not. The obstacle that there is no reason to wait for any longer.
    pub(crate) fn wait(&mut self, scene: &Scene<'_>, moment: &Moment, in_order: bool) -> Option<Obstacle> {
        let Some(obstacle) = self.obstacle(scene) else {
            self.waiting = None;
            return None;
        };
        let waiting = match &mut self.waiting {
            Some(waiting) if waiting.obstacle == obstacle && waiting.at == self.next => waiting,
            waiting => waiting.insert(Waiting {
                obstacle,
                at: self.next,
                packets: 0,
                weight: self.held.weight(),
                since: moment.latest,
                after_segments: moment.segments,
            }),
        };
        let options = scene.options;
        let patience = match obstacle {
            Obstacle::Beginning if self.held.weight().saturating_sub(waiting.weight) > JOIN_BYTES => JOIN_PACKETS / 2,
            Obstacle::Beginning => JOIN_PACKETS,
            Obstacle::Order => options.patience,
            Obstacle::Hole if self.acked > self.next => options.patience,
            Obstacle::Hole | Obstacle::Unacknowledged if !self.heard => options.patience_one_sided,
            Obstacle::Hole | Obstacle::Unacknowledged => return None,
        };
        waiting.packets = if in_order { waiting.packets.saturating_add(1) } else { waiting.packets.saturating_sub(1) };
        (waiting.packets > patience).then_some(obstacle)
    }

    /// Goes on without what is waited for. `false`: nothing is held back.
    pub(crate) fn give_up(
        &mut self,
        obstacle: Obstacle,
        scene: &Scene<'_>,
        summary: &mut Summary,
        deliver: Deliver<'_>,
    ) -> bool {
        match obstacle {
            Obstacle::Beginning => self.settle_beginning(deliver),
            Obstacle::Hole => return self.give_up_hole(scene, summary, deliver),
            Obstacle::Order => self.unordered_at = Some(scene.other.next()),
            Obstacle::Unacknowledged => self.released = self.frontier(),
        }
        self.settle(scene, summary, deliver);
        true
    }
}
