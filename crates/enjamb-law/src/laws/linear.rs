//! The linear law: the work for each byte is constant, for one-byte chunks too.
//!
//! A reader that searches its whole buffer again for every chunk does quadratic work, and a single
//! peer that sends one byte at a time can then keep a server busy. Where possible, the law counts
//! work instead of timing it: with the feature `allocations` it counts the allocated bytes.
//! Searching allocates nothing, so the law measures the processor time of the thread too. It judges
//! that time only by a growth which noise cannot imitate: nearer to the square than to the line
//! over 16 times the bytes, seen twice, each time as the least of several runs.

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

/// A stream of any length: `start` once, then `unit` repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The bytes at the start of the stream.
    pub start: Vec<u8>,
    /// The bytes that are repeated. Not empty.
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

/// The length of the first stream, in bytes; the others are 4 and 16 times as long.
const FIRST_LEN: usize = 2 << 10;

/// The processor time below which nothing is judged.
const TIME_MIN: Duration = Duration::from_millis(4);

/// The number of allocated bytes below which nothing is judged.
const ALLOCATED_MIN: u64 = 1 << 20;

/// Holds when the subject's work over `growth` grows with the bytes and not with their square.
///
/// # Errors
/// A [`Violation`] with the measured figures.
pub fn linear<S>(subject: &S, growth: &Growth) -> Result<(), Box<Violation>>
where
    S: Subject<Event: Comparable, Error: Comparable>,
{
    let measure = |len: usize, runs: usize| {
        let bytes = growth.bytes(len);
        let input = stream(&bytes);
        let cuts: Vec<usize> = (growth.chunk.max(1)..bytes.len()).step_by(growth.chunk.max(1)).collect();
        pulse::input(&input);
        pulse::cuts(&cuts);
        let one = || measure::work(|| drive(subject, &mut input.cut(&cuts), &mut NullListener, AfterError::Stop));
        (0..runs).map(|_| one()).reduce(Work::least).unwrap_or_default()
    };
    let (first, third) = (measure(FIRST_LEN, 2), measure(16 * FIRST_LEN, 2));
    if quadratic(&first, &third, 16).is_none() {
        return Ok(());
    }
    // Further runs confirm a result of two runs.
    let (first, second, third) = (measure(FIRST_LEN, 8), measure(4 * FIRST_LEN, 6), measure(16 * FIRST_LEN, 3));
    match (quadratic(&first, &third, 16), quadratic(&second, &third, 4)) {
        (Some(resource), Some(_)) => Err(violation(growth, resource, [&first, &second, &third])),
        _ => Ok(()),
    }
}

/// A measured resource.
#[derive(Clone, Copy)]
enum Resource {
    AllocatedBytes,
    ProcessorTime,
}

/// Returns the resource that grew too fast from `small` to `large`, for `times` as many bytes.
/// Linear work grows by `times`, quadratic work by its square; the threshold lies half way between
/// the two powers.
fn quadratic(small: &Work, large: &Work, times: u64) -> Option<Resource> {
    let threshold = times * times.isqrt();
    let allocated = |work: &Work| work.allocated.unwrap_or(0);
    if allocated(large) > ALLOCATED_MIN && allocated(large) / allocated(small).max(1) >= threshold {
        return Some(Resource::AllocatedBytes);
    }
    let nanos = |work: &Work| work.processor.map_or(0, |time| time.as_nanos());
    (nanos(large) > TIME_MIN.as_nanos() && nanos(large) / nanos(small).max(1) >= u128::from(threshold))
        .then_some(Resource::ProcessorTime)
}

/// Drops all output, so that only the subject's own work is measured.
struct NullListener;

impl<E, F> Listener<E, F> for NullListener {
    fn receive(&mut self, _: Output<E, F>) {}
}

fn violation(growth: &Growth, resource: Resource, [first, second, third]: [&Work; 3]) -> Box<Violation> {
    let figure = |work: &Work| match resource {
        Resource::AllocatedBytes => format!("{} bytes allocated", work.allocated.unwrap_or(0)),
        Resource::ProcessorTime => {
            format!("{} us of processor time", work.processor.map_or(0, |time| time.as_micros()))
        }
    };
    let Growth { start, unit, chunk } = growth;
    Box::new(Violation {
        law: Law::Linear,
        verdict: format!(
            "work grows with the square of the bytes, in chunks of {chunk}: {FIRST_LEN} bytes take {}, {} take {}, {} take {}",
            figure(first),
            4 * FIRST_LEN,
            figure(second),
            16 * FIRST_LEN,
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
