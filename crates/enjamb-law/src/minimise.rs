//! From a failure to the smallest one: the smallest input, then the fewest cuts, then the earliest.
//!
//! Inputs shrink by leaving out turns and runs of bytes, long runs first. A smaller input counts when some cutting of it fails:
//! the cuts that are left of the known ones, or any one or two cuts where the input is short enough to try them all.
//! The number of runs is bounded, so a slow subject gives a larger violation rather than a test that hangs.

use enjamb::Side;
use enjamb::transcript::What;

use crate::cutting::{Cutting, payload};
use crate::split::{agrees, trace};
use crate::subject::Subject;
use crate::violation::Violation;

/// How many times the subject may be run to make a failure smaller.
const MOST_RUNS: usize = 200_000;

/// Inputs up to this length have all their pairs of cuts tried.
const SHORT: usize = 24;

/// Inputs up to this length have all their single cuts tried.
const MEDIUM: usize = 512;

/// Makes `input`, which fails at `cuts`, as small as it gets.
pub(crate) fn violation<S: Subject>(subject: &S, input: &Cutting, cuts: &[usize]) -> Violation<S::Said> {
    let mut search = Search { subject, runs: 0 };
    let mut best = Failure { input: input.clone(), cuts: cuts.to_vec() };
    while let Some(smaller) = search.smaller(&best) {
        best = smaller;
    }
    let cuts = search.fewest_cuts(&best.input, &best.cuts);
    Violation {
        whole: trace(subject, &best.input, &[]),
        cut: trace(subject, &best.input, &cuts),
        input: best.input,
        cuts,
    }
}

struct Failure {
    input: Cutting,
    cuts: Vec<usize>,
}

struct Search<'s, S> {
    subject: &'s S,
    runs: usize,
}

impl<S: Subject> Search<'_, S> {
    /// A failure with something left out, or `None` when nothing can be.
    fn smaller(&mut self, failure: &Failure) -> Option<Failure> {
        let turns = failure.input.turns();
        for at in 0..turns.len() {
            let without = turns[..at].iter().chain(&turns[at + 1..]).cloned();
            let start: usize = turns[..at].iter().map(|(_, what)| payload(what).len()).sum();
            let left_out = start..start + payload(&turns[at].1).len();
            if let Some(found) = self.fails(Cutting::of(without), &shift(&failure.cuts, left_out)) {
                return Some(found);
            }
        }
        let mut run = failure.input.len() / 2;
        while run > 0 {
            for from in (0..=failure.input.len().saturating_sub(run)).step_by(run.div_ceil(2)) {
                if self.runs >= MOST_RUNS {
                    return None;
                }
                let without = leave_out(turns, from, from + run);
                if let Some(found) = self.fails(without, &shift(&failure.cuts, from..from + run)) {
                    return Some(found);
                }
            }
            run /= 2;
        }
        None
    }

    /// Does `input` fail, with `cuts` or with others?
    fn fails(&mut self, input: Cutting, cuts: &[usize]) -> Option<Failure> {
        let whole = trace(self.subject, &input, &[]);
        let mut candidates = vec![cuts.to_vec()];
        if input.len() <= MEDIUM && self.runs < MOST_RUNS / 2 {
            candidates.extend((1..input.len()).map(|cut| vec![cut]));
        }
        if input.len() <= SHORT {
            candidates.extend(pairs(input.len()));
        }
        self.runs += 1;
        for cuts in candidates {
            self.runs += 1;
            if !agrees(self.subject, &input, &cuts, &whole) {
                return Some(Failure { input, cuts });
            }
        }
        None
    }

    /// The fewest cuts that fail, the earliest of those.
    fn fewest_cuts(&mut self, input: &Cutting, known: &[usize]) -> Vec<usize> {
        let whole = trace(self.subject, input, &[]);
        let mut fails = |cuts: &[usize]| {
            self.runs += 1;
            !agrees(self.subject, input, cuts, &whole)
        };
        if let Some(cut) = (1..input.len()).find(|&cut| fails(&[cut])) {
            return vec![cut];
        }
        if input.len() <= MEDIUM
            && let Some(cuts) = pairs(input.len()).find(|cuts| fails(cuts))
        {
            return cuts;
        }
        let mut cuts = known.to_vec();
        let mut at = 0;
        while at < cuts.len() {
            let mut fewer = cuts.clone();
            fewer.remove(at);
            if fails(&fewer) {
                cuts = fewer;
            } else {
                at += 1;
            }
        }
        cuts
    }
}

fn pairs(len: usize) -> impl Iterator<Item = Vec<usize>> {
    (1..len).flat_map(move |first| (first + 1..len).map(move |second| vec![first, second]))
}

/// Where the cuts lie once the bytes of `left_out` are gone.
fn shift(cuts: &[usize], left_out: std::ops::Range<usize>) -> Vec<usize> {
    let mut shifted: Vec<usize> = cuts
        .iter()
        .map(|&cut| match cut {
            cut if cut <= left_out.start => cut,
            cut if cut < left_out.end => left_out.start,
            cut => cut - left_out.len(),
        })
        .filter(|&cut| cut > 0)
        .collect();
    shifted.dedup();
    shifted
}

fn leave_out(turns: &[(Side, What)], from: usize, to: usize) -> Cutting {
    let mut offset = 0;
    Cutting::of(turns.iter().map(|(side, what)| {
        let What::Chunk(bytes) = what else {
            return (*side, what.clone());
        };
        let place = |at: usize| at.saturating_sub(offset).min(bytes.len());
        let (from, to) = (place(from), place(to));
        offset += bytes.len();
        (*side, What::Chunk([&bytes[..from], &bytes[to..]].concat()))
    }))
}
