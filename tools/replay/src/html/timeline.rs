//! When messages came, in all and on the first connections.
//!
//! How long a capture lasts is known only when it is over. So time is counted in steps that begin small, and when there are too
//! many of them each two become one: at the end there are at least half as many as there may be, however long it lasted.

use std::collections::HashMap;

use enjamb::{Connection, Outcome, Side, Time};
use enjamb_monitor::{Record, Rfc3339};
use serde_json::{Value, json};

/// How many steps there are at most.
pub(crate) const BINS_MAX: usize = 512;

/// How many connections are drawn: the first ones.
pub(crate) const DRAWN_MAX: usize = 48;

/// What one step is at first, in nanoseconds.
const STEP_MIN: u64 = 1000;

/// When messages came.
#[derive(Default)]
pub(crate) struct Timeline {
    scale: Option<Scale>,
    bins: Vec<Counts>,
    drawn: Vec<Drawn>,
    /// Where in `drawn` a connection is.
    places: HashMap<u64, usize>,
}

#[derive(Clone, Copy)]
struct Scale {
    origin: Time,
    step: u64,
}

/// What came in one step.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Messages of each side.
    pub(crate) messages: [u64; 2],
    /// Those of them that were not `ok`.
    pub(crate) errors: [u64; 2],
}

/// A connection that is drawn.
pub(crate) struct Drawn {
    pub(crate) connection: Connection,
    pub(crate) from: Time,
    pub(crate) to: Time,
    /// What came in which step, in order.
    pub(crate) ticks: Vec<(usize, Counts)>,
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
        self.bins[bin].add(&counts);
        if let Some(drawn) = drawn {
            let Drawn { ticks, totals, .. } = &mut self.drawn[drawn];
            totals.add(&counts);
            match ticks.binary_search_by_key(&bin, |(bin, _)| *bin) {
                Ok(place) => ticks[place].1.add(&counts),
                Err(place) => ticks.insert(place, (bin, counts)),
            }
        }
    }

    /// The step that a time lies in. What is before the first record counts to its step.
    fn bin(&mut self, time: Time) -> usize {
        let scale = *self.scale.get_or_insert(Scale { origin: time, step: STEP_MIN });
        let since = time.nanos().saturating_sub(scale.origin.nanos());
        let mut step = scale.step;
        while since / step >= BINS_MAX as u64 {
            step *= 2;
            self.halve();
        }
        self.scale = Some(Scale { step, ..scale });
        let bin = (since / step) as usize;
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, Counts::default());
        }
        bin
    }

    /// Makes one step of each two.
    fn halve(&mut self) {
        self.bins = merged(&self.bins, 2);
        for Drawn { ticks, .. } in &mut self.drawn {
            let mut halved: Vec<(usize, Counts)> = Vec::with_capacity(ticks.len());
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

    /// When the first step begins, and how long one is, in nanoseconds.
    pub(crate) fn scale(&self) -> (Time, u64) {
        self.scale.map_or((Time::default(), STEP_MIN), |scale| (scale.origin, scale.step))
    }

    /// What came in each step, and how long one is, in at most `most` steps.
    pub(crate) fn bins(&self, most: usize) -> (Vec<Counts>, u64) {
        let by = self.bins.len().div_ceil(most.max(1)).max(1);
        (merged(&self.bins, by), self.scale().1.saturating_mul(by as u64))
    }

    /// The connections that are drawn, in the order in which they were seen.
    pub(crate) fn connections(&self) -> &[Drawn] {
        &self.drawn
    }

    /// What it is drawn from.
    pub(crate) fn to_json(&self) -> Value {
        let (origin, step) = self.scale();
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

    #[test]
    fn however_long_it_lasts_nothing_is_lost_and_the_steps_are_so_many() {
        for last in [0_u64, 1, 1000, 511_999, 512_000, 10_u64.pow(9), 10_u64.pow(15), u64::MAX / 2] {
            let mut timeline = Timeline::default();
            let connection = Connection { number: 1, client: ([0; 4], 1).into(), server: ([0; 4], 2).into() };
            let start = 1_000_000;
            for part in 0..=1000_u64 {
                let time = Time::from_nanos(start + (u128::from(last) * u128::from(part) / 1000) as u64);
                let message = enjamb::Message {
                    protocol: "",
                    side: if part % 2 == 0 { Side::Client } else { Side::Server },
                    kind: "",
                    span: enjamb::Span::default(),
                    outcome: if part % 10 == 0 { Outcome::Failed } else { Outcome::Ok },
                    code: None,
                    reason: None,
                    answers: None,
                    summary: &"",
                };
                timeline.record(&Record::Message {
                    connection: &connection,
                    time,
                    message: &message,
                    latency_us: None,
                    cuts: 0,
                    payload: None,
                });
            }
            let (bins, step) = timeline.bins(BINS_MAX);
            assert!(bins.len() <= BINS_MAX && (last < 512_000 || bins.len() >= BINS_MAX / 2), "{last}: {}", bins.len());
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
