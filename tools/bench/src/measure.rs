//! Measures a row: its contestants read the same input in turns, round after round.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;

/// Time after which a contestant takes part in no more rounds of a row, in nanoseconds.
const SPENT_MAX_NS: f64 = 1e9;

/// Number of rounds that every contestant runs, however slow it is.
const ROUNDS_MIN: usize = 3;

/// The number of frames in an input, and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) frames: u64,
    /// Total length of the payloads, in bytes.
    pub(crate) payload: u64,
}

impl Tally {
    /// Counts one frame.
    #[inline]
    pub(crate) fn count(&mut self, payload: u64) {
        self.frames += 1;
        self.payload += payload;
    }
}

/// The bytes of a row, and the frames in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    /// For each frame, the offset of its end (behind its delimiter) and the length of its payload.
    pub(crate) frames: Vec<(usize, u64)>,
}

impl Input {
    /// Appends a frame: its bytes, in parts, and the length of its payload.
    pub(crate) fn push(&mut self, parts: &[&[u8]], payload: usize) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.frames.push((self.bytes.len(), payload as u64));
    }

    /// Returns the whole frames within the first `bytes_max` bytes, and at least one frame.
    pub(crate) fn prefix(&self, bytes_max: usize) -> Rc<Self> {
        let frames = self.frames.partition_point(|&(end, _)| end <= bytes_max).max(1);
        let frames = &self.frames[..frames.min(self.frames.len())];
        let end = frames.last().map_or(0, |&(end, _)| end);
        Rc::new(Self { bytes: self.bytes[..end].to_vec(), frames: frames.to_vec() })
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally { frames: self.frames.len() as u64, payload: self.frames.iter().map(|&(_, payload)| payload).sum() }
    }
}

/// A parser that reads a whole input. Each run returns its duration and its counts.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// The work it does with the bytes and with each frame.
    pub(crate) work: &'static str,
    input: Rc<Input>,
    #[expect(clippy::type_complexity, reason = "the field is its only use")]
    run: Box<dyn FnMut(&Input) -> anyhow::Result<(Duration, Tally)>>,
}

impl Contestant {
    /// Makes a contestant that runs in this process.
    pub(crate) fn new(
        name: &'static str,
        work: &'static str,
        input: &Rc<Input>,
        mut run: impl FnMut(&[u8]) -> Tally + 'static,
    ) -> Self {
        let timed = move |input: &Input| {
            let start = Instant::now();
            let tally = run(&input.bytes);
            Ok((start.elapsed(), tally))
        };
        Self { name, work, input: Rc::clone(input), run: Box::new(timed) }
    }

    /// Makes a contestant that measures its own time, with an input of its own: slow contestants
    /// get a prefix of the row's input.
    pub(crate) fn self_timed(
        name: &'static str,
        work: &'static str,
        input: Rc<Input>,
        run: impl FnMut(&Input) -> anyhow::Result<(Duration, Tally)> + 'static,
    ) -> Self {
        Self { name, work, input, run: Box::new(run) }
    }

    /// Runs once and returns the time per byte, in nanoseconds.
    ///
    /// Fails if the contestant does not find the frames of the input.
    fn run_once(&mut self) -> anyhow::Result<f64> {
        let (time, found) = (self.run)(&self.input)?;
        let expected = self.input.tally();
        ensure!(found == expected, "{} found {found:?}, but the input has {expected:?}", self.name);
        Ok(time.as_secs_f64() * 1e9 / self.input.bytes.len() as f64)
    }
}

/// An input and its contestants. The first contestant is enjamb.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) contestants: Vec<Contestant>,
}

/// The result of a row.
pub(crate) struct RowResult {
    pub(crate) name: String,
    pub(crate) contestants: Vec<ContestantResult>,
}

/// The result of one contestant in a row.
pub(crate) struct ContestantResult {
    pub(crate) name: &'static str,
    pub(crate) work: &'static str,
    /// Size of the input it read, in bytes.
    pub(crate) input_bytes: usize,
    /// Speed in the median round, in millions of bytes per second.
    pub(crate) median_rate: f64,
    /// Speed in its best round, in millions of bytes per second.
    pub(crate) best_rate: f64,
    /// Its time per byte divided by enjamb's: the median over the rounds in which both ran.
    pub(crate) median_ratio: f64,
    /// Its time per byte divided by enjamb's, with the best round of each. A busy machine
    /// interrupts a long run more often than a short one, so the median ratio flatters the shorter
    /// one.
    pub(crate) best_ratio: f64,
}

impl Row {
    /// Runs all contestants in turns, `rounds` times, after one warm-up turn that does not count.
    pub(crate) fn measure(mut self, rounds: u32) -> anyhow::Result<RowResult> {
        let mut times: Vec<Vec<f64>> = self.contestants.iter().map(|_| Vec::new()).collect();
        for contestant in &mut self.contestants {
            contestant.run_once()?;
        }
        for _ in 0..rounds {
            for (contestant, times) in self.contestants.iter_mut().zip(&mut times) {
                let spent = times.iter().sum::<f64>() * contestant.input.bytes.len() as f64;
                if spent < SPENT_MAX_NS || times.len() < ROUNDS_MIN {
                    times.push(contestant.run_once()?);
                }
            }
        }
        let ours = times.first().cloned().unwrap_or_default();
        let best = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
        let result = |(contestant, times): (Contestant, Vec<f64>)| ContestantResult {
            name: contestant.name,
            work: contestant.work,
            input_bytes: contestant.input.bytes.len(),
            median_rate: 1e3 / median(times.clone()),
            best_rate: 1e3 / best(&times),
            median_ratio: median(times.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect()),
            best_ratio: best(&times) / best(&ours),
        };
        Ok(RowResult { name: self.name, contestants: self.contestants.into_iter().zip(times).map(result).collect() })
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
