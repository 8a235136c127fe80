//! Rows, contestants, rounds.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;

/// How long a contestant may run in a row before it sits out the other rounds, in nanoseconds.
const SPENT_MAX_NS: f64 = 1e9;

/// How many rounds it runs in any case.
const ROUNDS_MIN: usize = 3;

/// What was found in an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) frames: u64,
    /// Their lengths together, in bytes.
    pub(crate) payload: u64,
}

impl Tally {
    /// One frame more.
    #[inline]
    pub(crate) fn count(&mut self, payload: u64) {
        self.frames += 1;
        self.payload += payload;
    }
}

/// Bytes, and what is to be found in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    /// For each frame where it ends, its delimiter included, and how long its payload is.
    pub(crate) frames: Vec<(usize, u64)>,
}

impl Input {
    /// One frame more: what is in the input of it, and how long its payload is.
    pub(crate) fn push(&mut self, parts: &[&[u8]], payload: usize) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.frames.push((self.bytes.len(), payload as u64));
    }

    /// The whole frames within the first `most` bytes, one frame at least.
    pub(crate) fn prefix(&self, most: usize) -> Rc<Self> {
        let frames = self.frames.partition_point(|&(end, _)| end <= most).max(1);
        let frames = &self.frames[..frames.min(self.frames.len())];
        let end = frames.last().map_or(0, |&(end, _)| end);
        Rc::new(Self { bytes: self.bytes[..end].to_vec(), frames: frames.to_vec() })
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally { frames: self.frames.len() as u64, payload: self.frames.iter().map(|&(_, payload)| payload).sum() }
    }
}

/// Reads a whole input, and says how long it took and what was found.
type Run = Box<dyn FnMut(&Input) -> anyhow::Result<(Duration, Tally)>>;

/// Somebody who reads the input.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// What is done with the bytes, and with a frame.
    pub(crate) does: &'static str,
    input: Rc<Input>,
    run: Run,
}

impl Contestant {
    /// One that runs in this process.
    pub(crate) fn new(
        name: &'static str,
        does: &'static str,
        input: &Rc<Input>,
        mut run: impl FnMut(&[u8]) -> Tally + 'static,
    ) -> Self {
        let timed = move |input: &Input| {
            let begin = Instant::now();
            let tally = run(&input.bytes);
            Ok((begin.elapsed(), tally))
        };
        Self { name, does, input: Rc::clone(input), run: Box::new(timed) }
    }

    /// One that takes its own time. It is slow: it gets less of the input.
    pub(crate) fn slow(
        name: &'static str,
        does: &'static str,
        input: Rc<Input>,
        run: impl FnMut(&Input) -> anyhow::Result<(Duration, Tally)> + 'static,
    ) -> Self {
        Self { name, does, input, run: Box::new(run) }
    }

    /// Nanoseconds a byte, of one run. What was found is what is there.
    fn round(&mut self) -> anyhow::Result<f64> {
        let (time, found) = (self.run)(&self.input)?;
        let expected = self.input.tally();
        ensure!(found == expected, "{} found {found:?} where there are {expected:?}", self.name);
        Ok(time.as_secs_f64() * 1e9 / self.input.bytes.len() as f64)
    }
}

/// An input, and everybody who reads it. The first of them is enjamb.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) contestants: Vec<Contestant>,
}

/// What came of a row.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) results: Vec<Result>,
}

/// What came of a contestant.
pub(crate) struct Result {
    pub(crate) name: &'static str,
    pub(crate) does: &'static str,
    pub(crate) bytes: usize,
    /// Millions of bytes a second, in the middle of all rounds and in the best.
    pub(crate) median: f64,
    pub(crate) best: f64,
    /// How many times as long as enjamb it takes for a byte, in the middle of all rounds that both ran in, and in the best round of either. On a
    /// busy machine a long run is interrupted more often than a short one, and the first of the two flatters the short one.
    pub(crate) slower: f64,
    pub(crate) slower_at_best: f64,
}

impl Row {
    /// Everybody in turns, `rounds` times, after one turn that does not count.
    pub(crate) fn measure(mut self, rounds: u32) -> anyhow::Result<Measured> {
        let mut times: Vec<Vec<f64>> = self.contestants.iter().map(|_| Vec::new()).collect();
        for contestant in &mut self.contestants {
            contestant.round()?;
        }
        for _ in 0..rounds {
            for (contestant, times) in self.contestants.iter_mut().zip(&mut times) {
                let spent = times.iter().sum::<f64>() * contestant.input.bytes.len() as f64;
                if spent < SPENT_MAX_NS || times.len() < ROUNDS_MIN {
                    times.push(contestant.round()?);
                }
            }
        }
        let ours = times.first().cloned().unwrap_or_default();
        let best = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
        let result = |(contestant, times): (Contestant, Vec<f64>)| Result {
            name: contestant.name,
            does: contestant.does,
            bytes: contestant.input.bytes.len(),
            median: 1e3 / median(times.clone()),
            best: 1e3 / best(&times),
            slower_at_best: best(&times) / best(&ours),
            slower: median(times.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect()),
        };
        Ok(Measured { name: self.name, results: self.contestants.into_iter().zip(times).map(result).collect() })
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
