//! Messages over time, in all and on the first connections.
//!
//! The length of a capture is known only at its end. So time is counted in steps that begin small.
//! When there are too many steps, each two become one. At the end their number is between about a
//! half of [`BINS_MAX`] and all of it.
//!
//! The beginning is not known either: the first of several captures that is read need not be the
//! first that was recorded. So steps are numbered from the beginning of time, and the numbers are
//! halved when the step is doubled.

use std::collections::{HashMap, VecDeque};

use enjamb::{Connection, Outcome, Side, Time};
use enjamb_monitor::{Record, Rfc3339};
use serde_json::{Value, json};

/// The largest number of steps.
pub(crate) const BINS_MAX: usize = 512;

/// The number of connections that are drawn: the first ones.
pub(crate) const DRAWN_MAX: usize = 48;

/// The first length of a step, in nanoseconds.
const STEP_MIN: u64 = 1000;

/// Messages over time.
#[derive(Default)]
pub(crate) struct Timeline {
    /// The length of a step in nanoseconds. 0 before the first record.
    step: u64,
    /// The number of the first step of `bins`.
    first: u64,
    bins: VecDeque<Counts>,
    drawn: Vec<Drawn>,
    /// The places of connections in `drawn`.
    places: HashMap<u64, usize>,
}

/// The messages of one step.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Messages of each side.
    pub(crate) messages: [u64; 2],
    /// The messages of each side that were not `ok`.
    pub(crate) errors: [u64; 2],
}

/// A connection that is drawn.
pub(crate) struct Drawn {
    pub(crate) connection: Connection,
    pub(crate) from: Time,
    pub(crate) to: Time,
    /// The messages by the number of the step, in order.
    pub(crate) ticks: Vec<(u64, Counts)>,
    pub(crate) totals: Counts,
}

impl Counts {
    fn add(&mut self, more: &Self) {
        for side in [0, 1] {
            self.messages[side] += more.messages[side];
            self.errors[side] += more.errors[side];
        }
    }

    pub(crate) fn has_error(&self) -> bool {
        self.errors.iter().any(|errors| *errors > 0)
    }
}

impl Timeline {
    pub(crate) fn record(&mut self, record: &Record<'_>) {
        let time = record.time();
        let bin = self.bin(time);
        let drawn = record.connection().and_then(|connection| self.drawn(connection, time));
        if let Some(drawn) = drawn {
            let drawn = &mut self.drawn[drawn];
            drawn.from = drawn.from.min(time);
            drawn.to = drawn.to.max(time);
        }
        let Record::Message { message, .. } = record else { return };
        let mut counts = Counts::default();
        counts.messages[message.side.index()] = 1;
        counts.errors[message.side.index()] = u64::from(message.outcome != Outcome::Ok);
        self.bins[(bin - self.first) as usize].add(&counts);
        if let Some(drawn) = drawn {
            let Drawn { ticks, totals, .. } = &mut self.drawn[drawn];
            totals.add(&counts);
            match ticks.binary_search_by_key(&bin, |(bin, _)| *bin) {
                Ok(place) => ticks[place].1.add(&counts),
                Err(place) => ticks.insert(place, (bin, counts)),
            }
        }
    }

    /// Returns the number of the step of a time, after making room for it.
    fn bin(&mut self, time: Time) -> u64 {
        let time = time.nanos();
        if self.bins.is_empty() {
            self.step = STEP_MIN;
            self.first = time / STEP_MIN;
        }
        let (mut from, mut to);
        loop {
            from = self.first.min(time / self.step);
            to = (self.first + self.bins.len() as u64).max(time / self.step + 1);
            if to - from <= BINS_MAX as u64 {
                break;
            }
            self.halve();
        }
        for _ in from..self.first {
            self.bins.push_front(Counts::default());
        }
        self.first = from;
        self.bins.resize((to - from) as usize, Counts::default());
        time / self.step
    }

    /// Joins each two steps.
    fn halve(&mut self) {
        let odd = (self.first % 2) as usize;
        let mut halved = VecDeque::with_capacity(BINS_MAX);
        for (place, counts) in self.bins.iter().enumerate() {
            if place == 0 || (place + odd).is_multiple_of(2) {
                halved.push_back(Counts::default());
            }
            halved.back_mut().into_iter().for_each(|sum: &mut Counts| sum.add(counts));
        }
        self.bins = halved;
        self.first /= 2;
        self.step *= 2;
        for Drawn { ticks, .. } in &mut self.drawn {
            let mut halved: Vec<(u64, Counts)> = Vec::with_capacity(ticks.len());
            for (bin, counts) in ticks.drain(..) {
                match halved.last_mut() {
                    Some((last, sum)) if *last == bin / 2 => sum.add(&counts),
                    _ => halved.push((bin / 2, counts)),
                }
            }
            *ticks = halved;
        }
    }

    fn drawn(&mut self, connection: &Connection, time: Time) -> Option<usize> {
        if let Some(place) = self.places.get(&connection.number) {
            return Some(*place);
        }
        let place = self.drawn.len();
        (place < DRAWN_MAX).then(|| {
            let (ticks, totals) = (Vec::new(), Counts::default());
            self.drawn.push(Drawn { connection: *connection, from: time, to: time, ticks, totals });
            self.places.insert(connection.number, place);
            place
        })
    }

    /// Returns the beginning of the first step.
    pub(crate) fn origin(&self) -> Time {
        Time::from_nanos(self.first * self.step)
    }

    /// Returns the length of a step in nanoseconds.
    pub(crate) fn step(&self) -> u64 {
        self.step.max(STEP_MIN)
    }

    /// Returns the messages in at most `most` steps, and the length of such a step in nanoseconds.
    pub(crate) fn bins(&self, most: usize) -> (Vec<Counts>, u64) {
        let by = self.bins.len().div_ceil(most.max(1)).max(1);
        let bins: Vec<Counts> = self.bins.iter().copied().collect();
        (merged(&bins, by), self.step().saturating_mul(by as u64))
    }

    /// Returns the nanoseconds from the beginning of the first step to the beginning of this one.
    pub(crate) fn since_origin(&self, bin: u64) -> u64 {
        bin.saturating_sub(self.first) * self.step
    }

    /// Returns the connections that are drawn, in the order in which they were seen.
    pub(crate) fn connections(&self) -> &[Drawn] {
        &self.drawn
    }

    /// Returns the counts of all steps.
    pub(crate) fn to_json(&self) -> Value {
        let (origin, step) = (self.origin(), self.step());
        let list = |of: &dyn Fn(&Counts) -> u64| self.bins.iter().map(of).collect::<Vec<_>>();
        let mut value = json!({ "first": Rfc3339(origin).to_string(), "step_us": step / 1000 });
        for side in Side::BOTH {
            value[side.as_str()] = json!({
                "messages": list(&|counts| counts.messages[side.index()]),
                "errors": list(&|counts| counts.errors[side.index()]),
            });
        }
        value
    }
}

fn merged(bins: &[Counts], by: usize) -> Vec<Counts> {
    let sum = |bins: &[Counts]| {
        let mut sum = Counts::default();
        bins.iter().for_each(|counts| sum.add(counts));
        sum
    };
    bins.chunks(by).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds a message. Its number decides the side, and each tenth has failed.
    fn add(timeline: &mut Timeline, nanos: u64, number: u64) {
        let side = if number.is_multiple_of(2) { Side::Client } else { Side::Server };
        let message = enjamb::Message {
            outcome: if number.is_multiple_of(10) { Outcome::Failed } else { Outcome::Ok },
            ..enjamb::Message::new("", side, "", enjamb::Span::default())
        };
        let connection = Connection { number: 1, client: ([0; 4], 1).into(), server: ([0; 4], 2).into() };
        timeline.record(&Record::Message {
            connection: &connection,
            time: Time::from_nanos(nanos),
            message: &message,
            latency_us: None,
            cuts: 0,
            payload: None,
        });
    }

    #[test]
    fn a_capture_that_is_read_later_may_begin_earlier() {
        let second = 1_000_000_000;
        // Three captures, of which the second was recorded first.
        let mut timeline = Timeline::default();
        for (number, at) in (0..).zip([50, 51, 7, 8, 9, 100, 0]) {
            add(&mut timeline, at * second, number);
        }
        let (bins, step) = timeline.bins(BINS_MAX);
        assert_eq!(timeline.origin(), Time::from_nanos(0));
        for at in [0, 7, 8, 9, 50, 51, 100] {
            let bin = bins[(at * second / step) as usize];
            assert_eq!(bin.messages.iter().sum::<u64>(), 1, "{at}");
        }
        assert_eq!(bins.iter().flat_map(|bin| bin.messages).sum::<u64>(), 7);
        let drawn = &timeline.connections()[0];
        assert_eq!((drawn.from.nanos(), drawn.to.nanos()), (0, 100 * second));
        let ticks: Vec<u64> = drawn.ticks.iter().map(|(bin, _)| timeline.since_origin(*bin) / second).collect();
        assert_eq!(ticks.len(), 7);
        assert!(ticks.is_sorted());
    }

    #[test]
    fn no_message_is_lost_and_steps_are_limited_however_long_it_lasts() {
        for last in [0_u64, 1, 1000, 511_999, 512_000, 10_u64.pow(9), 10_u64.pow(15), u64::MAX / 2] {
            let mut timeline = Timeline::default();
            let start = 1_000_000;
            for part in 0..=1000_u64 {
                add(&mut timeline, start + (u128::from(last) * u128::from(part) / 1000) as u64, part);
            }
            let (bins, step) = timeline.bins(BINS_MAX);
            assert!(
                bins.len() <= BINS_MAX && (last < 512_000 || bins.len() >= BINS_MAX / 2 - 1),
                "{last}: {}",
                bins.len()
            );
            assert!(last / step < bins.len() as u64);
            let sum = |counts: &mut dyn Iterator<Item = &Counts>| {
                counts.fold((0, 0), |(messages, errors), bin| {
                    (messages + bin.messages.iter().sum::<u64>(), errors + bin.errors.iter().sum::<u64>())
                })
            };
            assert_eq!(sum(&mut bins.iter()), (1001, 101), "{last}");
            assert_eq!(sum(&mut timeline.bins(7).0.iter()), (1001, 101), "{last}");
            let drawn = &timeline.connections()[0];
            assert_eq!(sum(&mut drawn.ticks.iter().map(|(_, counts)| counts)), (1001, 101), "{last}");
            assert!(drawn.ticks.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
