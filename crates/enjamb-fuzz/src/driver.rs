//! A driver without libFuzzer: it changes seeds and calls a target, the same way every time.
//!
//! It has no coverage to steer by. So it needs no instrumented build, it runs in a test, and two
//! mutators can be compared by it.

use std::panic::AssertUnwindSafe;

use enjamb_isolate::catch_panic;
use fastrand::Rng;

use crate::mutate::{cross, mutate, plain, tokens};
use crate::target::Target;

/// The maximum length of an input, in bytes.
pub const INPUT_MAX: usize = 1024;

/// The number of changed inputs that are kept beside the seeds, to be changed again.
const KEPT_MAX: usize = 64;

/// The way inputs are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutator {
    /// Single bytes, and tokens of the dictionary.
    Plain,
    /// Messages and cuts, and single bytes every eighth time.
    Structured,
}

/// An endless sequence of inputs.
pub struct Inputs<'t> {
    target: &'t Target,
    mutator: Mutator,
    seeds: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
    next_seed: usize,
    random: Rng,
}

impl<'t> Inputs<'t> {
    /// Creates the inputs that begin with `seeds`. The same numbers give the same inputs.
    #[must_use]
    pub fn new(target: &'t Target, seeds: Vec<Vec<u8>>, mutator: Mutator, seed: u64) -> Self {
        let seeds = if seeds.is_empty() { vec![Vec::new()] } else { seeds };
        Self { target, mutator, seeds, kept: Vec::new(), next_seed: 0, random: Rng::with_seed(seed) }
    }

    /// Returns a seed, or an input that was kept.
    fn parent(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let of = if self.kept.is_empty() || random.u8(..4) > 0 { &self.seeds } else { &self.kept };
        of[random.usize(..of.len())].clone()
    }
}

impl Iterator for Inputs<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(seed) = self.seeds.get(self.next_seed) {
            self.next_seed += 1;
            return Some(seed.clone());
        }
        let parent = self.parent();
        let crosses = self.random.u8(..8) == 0;
        let is_structured = self.mutator == Mutator::Structured && self.random.u8(..8) > 0;
        let input = match (crosses, is_structured) {
            (true, true) => cross(self.target, &parent, &self.parent(), INPUT_MAX, &mut self.random),
            (true, false) => plain::cross(&parent, &self.parent(), INPUT_MAX, &mut self.random),
            (false, true) => mutate(self.target, &parent, INPUT_MAX, &mut self.random),
            (false, false) => plain::mutate(&parent, tokens(self.target), INPUT_MAX, &mut self.random),
        };
        if self.random.u8(..16) == 0 {
            if self.kept.len() < KEPT_MAX {
                self.kept.push(input.clone());
            } else {
                let at = self.random.usize(..KEPT_MAX);
                self.kept[at].clone_from(&input);
            }
        }
        Some(input)
    }
}

/// An input for which a property does not hold.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The number of the execution, from 1.
    pub execution: u64,
    /// The input.
    pub input: Vec<u8>,
    /// The text of the panic, and its place.
    pub message: String,
}

/// Calls `check` with inputs until it panics, `executions` times at most.
pub fn search(inputs: impl Iterator<Item = Vec<u8>>, executions: u64, check: &dyn Fn(&[u8])) -> Option<Finding> {
    for (execution, input) in (1..=executions).zip(inputs) {
        if let Err(panic) = catch_panic(AssertUnwindSafe(|| check(&input))) {
            return Some(Finding { execution, input, message: panic.message().to_owned() });
        }
    }
    None
}

/// Returns a smaller input for which `check` still panics, with a message of the same group.
#[must_use]
pub fn minimise(input: &[u8], check: &dyn Fn(&[u8])) -> Vec<u8> {
    let group_of =
        |input: &[u8]| catch_panic(AssertUnwindSafe(|| check(input))).err().map(|panic| group(panic.message()));
    let Some(wanted) = group_of(input) else { return input.to_vec() };
    let mut smallest = input.to_vec();
    let mut size = smallest.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < smallest.len() {
            let mut smaller = smallest.clone();
            smaller.drain(at..(at + size).min(smallest.len()));
            if group_of(&smaller).as_ref() == Some(&wanted) {
                smallest = smaller;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    smallest
}

/// Returns what a finding violates: the first line of its message, without the values in it.
/// Findings of the same group are most likely one bug.
#[must_use]
pub fn group(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line = line.rsplit_once(" (").map_or(line, |(text, _)| text);
    let mut group = String::new();
    for c in line.chars().take(100) {
        match c {
            '0'..='9' if group.ends_with('#') => {}
            '0'..='9' => group.push('#'),
            c => group.push(c),
        }
    }
    group.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::target;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let target = target("split_redis").unwrap();
        for mutator in [Mutator::Plain, Mutator::Structured] {
            let inputs = |seed| -> Vec<Vec<u8>> {
                Inputs::new(target, vec![b"PING\r\n".to_vec()], mutator, seed).take(200).collect()
            };
            assert_eq!(inputs(1), inputs(1));
            assert_ne!(inputs(1), inputs(2));
            assert!(inputs(1).iter().all(|input| input.len() <= INPUT_MAX));
        }
    }

    #[test]
    fn a_finding_is_made_small_and_stays_in_its_group() {
        let check =
            |input: &[u8]| assert!(!input.windows(2).any(|pair| pair == b"xy"), "byte {} is wrong", input.len());
        assert_eq!(minimise(b"aaaaaaaaxybbbbbbbbbb", &check), b"xy");
        assert_eq!(group("byte 17 is wrong (src/a.rs:3)\nmore"), "byte # is wrong");
    }

    #[test]
    fn the_canary_dies() {
        let canary = target("canary").unwrap();
        let inputs = Inputs::new(canary, vec![b"a\r\nb\r\n".to_vec()], Mutator::Structured, 1);
        let finding = search(inputs, 2000, &canary.run).unwrap();
        assert!(finding.message.contains("the split law is broken"), "{finding:?}");
    }
}
