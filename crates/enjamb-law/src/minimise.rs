//! The search for the smallest failure: the smallest input, then the fewest cuts, then the
//! earliest.
//!
//! An input shrinks by leaving out turns and runs of bytes, long runs first. Then bytes are
//! replaced by a plain one. A smaller input counts if some cutting of it fails: with the cuts that
//! are left of the known ones, or with any one or two cuts if the input is short enough to try them
//! all. The number of runs and the bytes fed are limited, so a slow subject or a long input gives a
//! larger violation and not a test that hangs.

use std::ops::Range;
use std::time::{Duration, Instant};

use enjamb::Side;
use enjamb::transcript::Content;

use crate::cutting::{Cutting, payload};
#[cfg(feature = "proptest")]
use crate::script::Case;

/// A test of an input and its cuts: whether they break the law.
pub(crate) trait Trial {
    /// The part of the test that is computed once for each input, such as the outputs of the uncut
    /// input.
    type Reference;

    fn reference(&self, input: &Cutting) -> Self::Reference;

    fn fails(&self, input: &Cutting, reference: &Self::Reference, cuts: &[usize]) -> bool;
}

/// The maximum number of runs, and the maximum time, of the search: a person waits for it.
const MOST_RUNS: usize = 200_000;
const LONGEST: Duration = Duration::from_secs(3);

/// The maximum number of bytes that the subject is fed in all of those runs.
const MOST_FED: usize = 1 << 30;

/// The maximum length of inputs in which all pairs of cuts are tried, in bytes.
const SHORT: usize = 24;

/// The maximum length of inputs in which all single cuts are tried, in bytes.
const MEDIUM: usize = 512;

/// The byte that replaces each byte whose value does not matter.
const PLAIN: u8 = b'a';

/// Returns the smallest failure that is found from `input`, which fails with `cuts`.
pub(crate) fn smallest<T: Trial>(trial: &T, input: &Cutting, cuts: &[usize]) -> (Cutting, Vec<usize>) {
    let mut search = Search { trial, runs: 0, fed: 0, started: Instant::now() };
    let mut best = Failure { input: input.clone(), cuts: cuts.to_vec() };
    while let Some(smaller) = search.smaller(&best) {
        best = smaller;
    }
    search.plainer(&mut best);
    let cuts = search.fewest_cuts(&best.input, &best.cuts);
    (best.input, cuts)
}

struct Failure {
    input: Cutting,
    cuts: Vec<usize>,
}

struct Search<'t, T> {
    trial: &'t T,
    runs: usize,
    started: Instant,
    fed: usize,
}

impl<T: Trial> Search<'_, T> {
    /// Returns the failure with something left out; `None` if nothing can be left out.
    fn smaller(&mut self, failure: &Failure) -> Option<Failure> {
        let turns = failure.input.turns();
        // The start of the payload of each turn, and the end of the last one.
        let mut starts = vec![0];
        starts.extend(turns.iter().scan(0, |at, (_, what)| {
            *at += payload(what).len();
            Some(*at)
        }));
        let mut run = turns.len() / 2;
        while run > 1 {
            for from in (0..=turns.len() - run).step_by(run) {
                if self.spent() {
                    return None;
                }
                if let Some(found) = self.without_turns(failure, &starts, from..from + run) {
                    return Some(found);
                }
            }
            run /= 2;
        }
        for at in 0..turns.len() {
            if self.spent() {
                return None;
            }
            if let Some(found) = self.without_turns(failure, &starts, at..at + 1) {
                return Some(found);
            }
        }
        let mut run = failure.input.len() / 2;
        while run > 0 {
            for from in (0..=failure.input.len().saturating_sub(run)).step_by(run.div_ceil(2)) {
                if self.spent() {
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

    /// Returns the failure without some of its turns, if that still fails.
    fn without_turns(&mut self, failure: &Failure, starts: &[usize], left_out: Range<usize>) -> Option<Failure> {
        let turns = failure.input.turns();
        let without = turns[..left_out.start].iter().chain(&turns[left_out.end..]).cloned();
        let bytes = starts[left_out.start]..starts[left_out.end];
        self.fails(Cutting::of(without), &shift(&failure.cuts, bytes))
    }

    /// Returns whether a limit of the search is reached.
    fn spent(&self) -> bool {
        self.runs >= MOST_RUNS || self.fed >= MOST_FED || self.started.elapsed() >= LONGEST
    }

    /// Counts one run of the subject.
    fn ran(&mut self, input: &Cutting) {
        self.runs += 1;
        self.fed = self.fed.saturating_add(input.len());
    }

    /// Returns the failure of `input` with `cuts` or with other cuts, if there is one.
    fn fails(&mut self, input: Cutting, cuts: &[usize]) -> Option<Failure> {
        let reference = self.trial.reference(&input);
        let mut candidates = vec![cuts.to_vec()];
        if input.len() <= MEDIUM && self.runs < MOST_RUNS / 2 && !self.spent() {
            candidates.extend((1..input.len()).map(|cut| vec![cut]));
        }
        if input.len() <= SHORT {
            candidates.extend(pairs(input.len()));
        }
        self.ran(&input);
        for cuts in candidates {
            self.ran(&input);
            if self.trial.fails(&input, &reference, &cuts) {
                return Some(Failure { input, cuts });
            }
        }
        None
    }

    /// Replaces the bytes whose value does not matter by a plain one, so that the others stand out.
    fn plainer(&mut self, failure: &mut Failure) {
        if failure.input.len() > MEDIUM {
            return;
        }
        for at in 0..failure.input.len() {
            if self.spent() {
                return;
            }
            let Some(input) = with_byte(failure.input.turns(), at, PLAIN) else {
                continue;
            };
            let reference = self.trial.reference(&input);
            self.ran(&input);
            self.ran(&input);
            if self.trial.fails(&input, &reference, &failure.cuts) {
                failure.input = input;
            }
        }
    }

    /// Returns the fewest cuts that fail, and the earliest of those.
    fn fewest_cuts(&mut self, input: &Cutting, known: &[usize]) -> Vec<usize> {
        let reference = self.trial.reference(input);
        let mut fails = |cuts: &[usize]| {
            self.ran(input);
            self.trial.fails(input, &reference, cuts)
        };
        if fails(&[]) {
            return Vec::new();
        }
        if input.len() <= 8 * MEDIUM
            && let Some(cut) = (1..input.len()).find(|&cut| fails(&[cut]))
        {
            return vec![cut];
        }
        if input.len() <= MEDIUM
            && let Some(cuts) = pairs(input.len()).find(|cuts| fails(cuts))
        {
            return cuts;
        }
        let mut cuts = known.to_vec();
        let mut run = cuts.len().div_ceil(2);
        while run > 0 {
            let mut at = 0;
            while at < cuts.len() && !self.spent() {
                let mut fewer = cuts.clone();
                fewer.drain(at..(at + run).min(cuts.len()));
                self.ran(input);
                if self.trial.fails(input, &reference, &fewer) {
                    cuts = fewer;
                } else {
                    at += run;
                }
            }
            run /= 2;
        }
        cuts
    }
}

/// Returns the least part of `case` that still `dies`, by leaving out cuts, then runs of bytes, and
/// then cuts again. For trials that are slow.
#[cfg(feature = "proptest")]
pub(crate) fn least(case: &Case, mut dies: impl FnMut(&Case) -> bool) -> Case {
    let mut best = case.clone();
    let uncut = Case { cuts: Vec::new(), ..best.clone() };
    if !best.cuts.is_empty() && dies(&uncut) {
        best = uncut;
    }
    best.cuts = fewest_cuts_that_die(&best, &mut dies);
    let mut run = best.input.len().div_ceil(2);
    // A nesting of thousands need not be exact to the last level.
    while run > best.input.len() / 64 {
        let mut from = 0;
        let mut smaller_found = false;
        while from < best.input.len() {
            let input = leave_out(best.input.turns(), from, from + run);
            let smaller = Case { cuts: shift(&best.cuts, from..from + run), input };
            if smaller.input.len() < best.input.len() && dies(&smaller) {
                best = smaller;
                smaller_found = true;
            } else {
                from += run;
            }
        }
        // When no half can be left out, quarters are tried, and so on.
        if !smaller_found || run > best.input.len() {
            run /= 2;
        }
    }
    best.cuts = fewest_cuts_that_die(&best, &mut dies);
    best
}

/// Returns the fewest cuts with which the input of a case still `dies`.
#[cfg(feature = "proptest")]
fn fewest_cuts_that_die(Case { input, cuts }: &Case, dies: &mut impl FnMut(&Case) -> bool) -> Vec<usize> {
    match cuts.len() {
        // That it survives without any was seen before.
        0 | 1 => cuts.clone(),
        _ => fewest_of(cuts, |cuts| !cuts.is_empty() && dies(&Case { input: input.clone(), cuts: cuts.to_vec() })),
    }
}

/// Returns the fewest of `messages`, in their order, that still fail. The messages stay whole,
/// since a law over messages concerns whole ones.
pub(crate) fn fewest<'m>(messages: &[&'m [u8]], fails: impl FnMut(&[&'m [u8]]) -> bool) -> Vec<&'m [u8]> {
    fewest_of(messages, fails)
}

/// Returns the fewest of `messages` of any type that still fail.
pub(crate) fn fewest_of<M: Clone>(messages: &[M], mut fails: impl FnMut(&[M]) -> bool) -> Vec<M> {
    let mut best = messages.to_vec();
    let mut run = best.len().div_ceil(2);
    let mut runs = 0;
    while run > 0 {
        let mut at = 0;
        while at < best.len() && runs < 10_000 {
            let mut fewer = best.clone();
            fewer.drain(at..(at + run).min(best.len()));
            runs += 1;
            if fails(&fewer) {
                best = fewer;
            } else {
                at += run;
            }
        }
        run /= 2;
    }
    best
}

fn pairs(len: usize) -> impl Iterator<Item = Vec<usize>> {
    (1..len).flat_map(move |first| (first + 1..len).map(move |second| vec![first, second]))
}

/// Returns the cuts after the bytes of `left_out` were removed.
fn shift(cuts: &[usize], left_out: Range<usize>) -> Vec<usize> {
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

fn leave_out(turns: &[(Side, Content)], from: usize, to: usize) -> Cutting {
    let mut offset = 0;
    Cutting::of(turns.iter().map(|(side, what)| {
        let Content::Chunk(bytes) = what else {
            return (*side, what.clone());
        };
        let place = |at: usize| at.saturating_sub(offset).min(bytes.len());
        let (from, to) = (place(from), place(to));
        offset += bytes.len();
        (*side, Content::Chunk([&bytes[..from], &bytes[to..]].concat()))
    }))
}

/// Returns the turns with another byte at `at`; `None` if it is that byte already.
fn with_byte(turns: &[(Side, Content)], at: usize, byte: u8) -> Option<Cutting> {
    let mut offset = 0;
    let mut turns = turns.to_vec();
    for (_, what) in &mut turns {
        if let Content::Chunk(bytes) = what {
            if let Some(old) = at.checked_sub(offset).and_then(|at| bytes.get_mut(at)) {
                if *old == byte {
                    return None;
                }
                *old = byte;
                return Some(Cutting::of(turns));
            }
            offset += bytes.len();
        }
    }
    None
}
