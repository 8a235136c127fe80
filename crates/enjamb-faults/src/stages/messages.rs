//! The stage of the faults that concern messages: drop, duplicate, delay, corrupt and cut.

use std::time::Duration;

use bytes::BytesMut;
use enjamb::Time;
use enjamb::units::format_duration;

use crate::corrupt::corrupt;
use crate::effect::Effect;
use crate::item::{Item, MessageMark, Piece};
use crate::stage::{Output, Stage, TimedQueue, after};

/// Applies an effect to the messages that were selected for it.
pub(super) struct MessageStage {
    effect: Effect,
    /// The identity of the fault.
    id: u64,
    random: fastrand::Rng,
    queue: TimedQueue,
}

impl MessageStage {
    pub(super) fn new(effect: Effect, id: u64, random: fastrand::Rng) -> Self {
        Self { effect, id, random, queue: TimedQueue::default() }
    }

    /// Passes an item on, behind those that wait.
    fn pass(&mut self, now: Time, item: Item, out: &mut Output) {
        if self.queue.is_empty() {
            out.push(item);
        } else {
            self.queue.push(now, item);
        }
    }

    fn apply(&mut self, now: Time, piece: Piece, mark: &MessageMark, out: &mut Output) {
        let phrase = mark.phrase();
        match self.effect.clone() {
            Effect::Drop { .. } => out.note(format!("dropped {phrase}, {} bytes", piece.bytes.len())),
            Effect::Duplicate { .. } => {
                let mut copy = piece.clone();
                // The copy is another message, and other faults must not take it for the first.
                copy.message = None;
                out.note(format!("doubled {phrase}, {} bytes", piece.bytes.len()));
                out.push(Item::Bytes(piece));
                out.push(Item::Bytes(copy));
            }
            Effect::Delay { delay, .. } => self.delay(now, delay, piece, &phrase, out),
            Effect::Corrupt { part, .. } => {
                let mut bytes = BytesMut::from(&piece.bytes[..]);
                match corrupt(&mut bytes, part, &mut self.random) {
                    Some(change) => {
                        out.note(format!("changed {change} of {phrase}"));
                        // It is no longer the message that was selected, but it is still one piece.
                        out.push(Item::Bytes(Piece { bytes: bytes.freeze(), ..piece }));
                    }
                    None => {
                        out.note(format!("{phrase} has no {} that could be changed", part.as_str()));
                        out.push(Item::Bytes(piece));
                    }
                }
            }
            Effect::Cut { at, resets, .. } => {
                let length = piece.bytes.len();
                let at = match at {
                    Some(at) => usize::try_from(at).unwrap_or(length).min(length),
                    None if length > 1 => self.random.usize(1..length),
                    None => 0,
                };
                let ending = if resets { "reset" } else { "closed" };
                let mut bytes = piece.bytes;
                let delivered = bytes.split_to(at);
                if !delivered.is_empty() {
                    out.push(Item::Bytes(Piece { bytes: delivered, message: None, is_cut: piece.is_cut }));
                }
                out.note(format!("the connection is {ending} behind byte {at} of {phrase}, which has {length}"));
                out.push(if resets { Item::Reset } else { Item::Close });
            }
            _ => out.push(Item::Bytes(piece)),
        }
    }

    fn delay(&mut self, now: Time, delay: Duration, piece: Piece, phrase: &str, out: &mut Output) {
        let mut note = Output::beside(out);
        note.note(format!("{phrase} is {} late", format_duration(delay)));
        let due = after(self.queue.last(now), delay);
        for item in note.items {
            self.queue.push(due, item);
        }
        self.queue.push(due, Item::Bytes(piece));
    }
}

impl Stage for MessageStage {
    fn take(&mut self, now: Time, item: Item, out: &mut Output) {
        match item {
            Item::Bytes(piece) => match piece.message.clone().filter(|mark| mark.selected.contains(&self.id)) {
                Some(mark) => self.apply(now, piece, &mark, out),
                None => self.pass(now, Item::Bytes(piece), out),
            },
            item => self.pass(now, item, out),
        }
    }

    fn queue(&self) -> Option<&TimedQueue> {
        Some(&self.queue)
    }

    fn queue_mut(&mut self) -> Option<&mut TimedQueue> {
        Some(&mut self.queue)
    }
}
