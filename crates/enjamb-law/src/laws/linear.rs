//! The linear law: the work for each byte is constant, for one-byte chunks too.
//!
//! A reader that searches its whole buffer again for every chunk does quadratic work, and a single
//! peer that sends one byte at a time can then keep a server busy. Where possible, the law counts
//! work instead of timing it: with the feature `allocations` it counts the allocated bytes.
//! Searching allocates nothing, so the law measures the processor time of the thread too. It judges
//! that time only by a growth which noise cannot imitate: nearer to the square than to the line
//! over 16 times the bytes, seen twice, each time as the least of several runs. A subject that is
//! slow is measured over shorter streams: slow is not quadratic.

use std::time::{Duration, Instant};

use crate::cutting::stream;
use crate::law::Law;
use crate::literal::literal;
use crate::measure::{self, Work};
use crate::output::Output;
use crate::pulse;
use crate::run::{AfterError, Listener};
use crate::subject::{Comparable, Subject};
use crate::trace::drive;
use crate::violation::{Violation, counted};

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

/// The length of the longest stream, in bytes. The shape of the growth is read off streams of a
/// sixteenth, a quarter, and all of it.
const LEN_MAX: usize = 32 << 10;

/// The length of the shortest stream, for subjects that are slow.
const LEN_MIN: usize = 128;

/// The time of one run after which no longer stream is tried.
const RUN_MAX: Duration = Duration::from_millis(250);

/// The time of a run over a sixteenth of the longest stream below which the longest one is tried at
/// once.
const QUICK: Duration = Duration::from_millis(4);

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
        let started = Instant::now();
        let mut least = one();
        for _ in 1..runs {
            if started.elapsed() > RUN_MAX {
                break;
            }
            least = least.least(one());
        }
        (least, started.elapsed())
    };
    let Some(len) = longest(|len| measure(len, 1).1) else {
        return Ok(());
    };
    let (first, third) = (measure(len / 16, 2).0, measure(len, 2).0);
    if quadratic(&first, &third, 16).is_none() {
        return Ok(());
    }
    // Further runs confirm a result of two runs.
    let sizes = [(len / 16, 8), (len / 4, 6), (len, 3)].map(|(len, runs)| (len, measure(len, runs).0));
    let [(_, first), (_, second), (_, third)] = &sizes;
    match (quadratic(first, third, 16), quadratic(second, third, 4)) {
        (Some(resource), Some(_)) => Err(violation(growth, resource, &sizes)),
        _ => Ok(()),
    }
}

/// Returns the longest length whose run is not too slow, or the one after it. `None`: even the
/// shortest lengths are too slow to compare.
fn longest(run_time: impl Fn(usize) -> Duration) -> Option<usize> {
    let mut len = LEN_MAX / 16;
    let mut time = run_time(len);
    // Even quadratic work over the longest stream takes about a second then.
    if time < QUICK {
        return Some(LEN_MAX);
    }
    while time > RUN_MAX {
        len /= 4;
        if len < LEN_MIN {
            return None;
        }
        time = run_time(len);
    }
    while len < LEN_MAX {
        len *= 4;
        if run_time(len) > RUN_MAX {
            break;
        }
    }
    Some(len)
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
    // What is held at one time is not work that is repeated: a single large allocation, by a length
    // from the wire, is for the total law.
    let allocated =
        |work: &Work| work.allocated.unwrap_or(0).saturating_sub(work.allocated_most.map_or(0, |most| most as u64));
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

fn violation(growth: &Growth, resource: Resource, sizes: &[(usize, Work); 3]) -> Box<Violation> {
    let amount = |work: &Work| match resource {
        Resource::AllocatedBytes => work.allocated.unwrap_or(0),
        Resource::ProcessorTime => work.processor.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
    };
    let (unit_name, column) = match resource {
        Resource::AllocatedBytes => ("bytes", "allocated"),
        Resource::ProcessorTime => ("us", "processor time"),
    };
    let Growth { start, unit, chunk } = growth;
    let mut verdict = format!(
        "work grows with the square of the bytes, in chunks of {}: {}{}, and so on\n\n  {:>8}  {column:>20}",
        counted(*chunk, "byte"),
        if start.is_empty() { String::new() } else { format!("{} once, then ", literal(start)) },
        literal(unit),
        "bytes",
    );
    let mut before: Option<u64> = None;
    for (len, work) in sizes {
        let amount = amount(work);
        let figure = format!("{amount} {unit_name}");
        verdict.push_str(&format!("\n  {len:>8}  {figure:>20}"));
        if let Some(before) = before {
            verdict.push_str(&format!(
                "  {:.1} times as much for 4 times the bytes",
                amount as f64 / before.max(1) as f64
            ));
        }
        before = Some(amount);
    }
    Box::new(Violation {
        law: Law::Linear,
        verdict,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_large_allocation_is_not_repeated_work() {
        let allocating =
            |allocated, most| Work { allocated: Some(allocated), allocated_most: Some(most), processor: None };
        let (small, large) = (allocating(25_000, 20_000), allocating(1 << 30, 1 << 30));
        assert!(quadratic(&small, &large, 16).is_none());
        // The same bytes are copied for each chunk.
        assert!(quadratic(&allocating(4_000, 2_000), &allocating(100 << 20, 50 << 10), 16).is_some());
        // A buffer that doubles.
        assert!(quadratic(&allocating(128 << 10, 64 << 10), &allocating(2 << 20, 1 << 20), 16).is_none());
    }
}
