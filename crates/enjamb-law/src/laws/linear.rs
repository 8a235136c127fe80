//! The linear law: work for each byte is constant, one-byte chunks included.
//!
//! A reader that looks through its whole buffer again for every chunk is quadratic, and a peer who sends one byte at a time makes a server of it that answers
//! nobody else. Work is counted and not timed where it can be: allocations and the bytes in them, with the feature `allocations`. Searching allocates
//! nothing, so the processor time of the thread is looked at too, and only for what no noise can look like: growth nearer to the square than to
//! the line over a sixteenfold of bytes, twice over, each time the least of several runs.

use std::time::Duration;

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::literal;
use crate::measure::{self, Work};
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::drive;
use crate::violation::Violation;

/// A stream of any length: `start`, then `unit` over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// What comes once.
    pub start: Vec<u8>,
    /// What is repeated. Not empty.
    pub unit: Vec<u8>,
    /// The size of the chunks, in bytes; at least 1.
    pub chunk: usize,
}

impl Growth {
    fn bytes(&self, len: usize) -> Vec<u8> {
        let mut bytes = self.start.clone();
        bytes.extend(self.unit.iter().cycle().take(len.saturating_sub(self.start.len())));
        bytes
    }
}

/// A stream of this many bytes is the first one; the others are 4 and 16 times as long.
const FIRST: usize = 2 << 10;

/// Less processor time than this is not judged.
const NOISE: Duration = Duration::from_millis(4);

/// Fewer bytes allocated than this are not judged.
const FEW: u64 = 1 << 20;

/// Holds when the subject's work over `growth` grows with the bytes and not with their square.
///
/// # Errors
/// A [`Violation`] with the figures.
pub fn linear<S>(subject: &S, growth: &Growth) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let works = |len: usize, runs: usize| {
        let bytes = growth.bytes(len);
        let input = stream(&bytes);
        let cuts: Vec<usize> = (growth.chunk.max(1)..bytes.len()).step_by(growth.chunk.max(1)).collect();
        pulse::input(&input);
        pulse::cuts(&cuts);
        let one = || measure::work(|| drive(subject, &mut input.cut(&cuts), &mut NoListener, AfterError::Stop));
        (0..runs).map(|_| one()).reduce(Work::least).unwrap_or_default()
    };
    let (first, third) = (works(FIRST, 2), works(16 * FIRST, 2));
    if grown(&first, &third, 16).is_none() {
        return Ok(());
    }
    // Seen once: now for certain.
    let (first, second, third) = (works(FIRST, 8), works(4 * FIRST, 6), works(16 * FIRST, 3));
    match (grown(&first, &third, 16), grown(&second, &third, 4)) {
        (Some(what), Some(_)) => Err(violation(growth, what, [&first, &second, &third])),
        _ => Ok(()),
    }
}

/// What grew with the square.
#[derive(Clone, Copy)]
enum Resource {
    Memory,
    Time,
}

/// Over `times` the bytes, linear work is that many times as much and quadratic work the square of it: more than half way, in powers, is too much.
fn grown(small: &Work, large: &Work, times: u64) -> Option<Resource> {
    let too_much = times * times.isqrt();
    let allocated = |work: &Work| work.allocated.unwrap_or(0);
    if allocated(large) > FEW && allocated(large) / allocated(small).max(1) >= too_much {
        return Some(Resource::Memory);
    }
    let nanos = |work: &Work| work.processor.map_or(0, |time| time.as_nanos());
    (nanos(large) > NOISE.as_nanos() && nanos(large) / nanos(small).max(1) >= u128::from(too_much))
        .then_some(Resource::Time)
}

/// Hears nothing, so that only the subject's own work is counted.
struct NoListener;

impl<E, F> Listener<E, F> for NoListener {
    fn receive(&mut self, _: Output<E, F>) {}
}

fn violation(growth: &Growth, grew: Resource, [first, second, third]: [&Work; 3]) -> Box<Violation> {
    let figure = |work: &Work| match grew {
        Resource::Memory => format!("{} bytes allocated", work.allocated.unwrap_or(0)),
        Resource::Time => format!("{} us of processor time", work.processor.map_or(0, |time| time.as_micros())),
    };
    let Growth { start, unit, chunk } = growth;
    Box::new(Violation {
        law: Law::Linear,
        verdict: format!(
            "work grows with the square of the bytes, in chunks of {chunk}: {FIRST} bytes take {}, {} take {}, {} take {}",
            figure(first),
            4 * FIRST,
            figure(second),
            16 * FIRST,
            figure(third)
        ),
        call: format!(
            "linear(&subject, &Growth {{ start: {}.to_vec(), unit: {}.to_vec(), chunk: {chunk} }})",
            literal(start),
            literal(unit)
        ),
        traces: None,
        input: stream(&growth.bytes(start.len() + 2 * unit.len())),
        cuts: Vec::new(),
        messages: None,
        subject: None,
    })
}
