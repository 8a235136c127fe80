//! The verdict on a law.

use std::ops::AddAssign;

use crate::violation::Violation;

/// The verdict on a law of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The law holds for all inputs that were tried.
    Holds(Tally),
    /// The law is broken.
    Broken(Box<Violation>),
    /// The law was not tried, for this reason: it does not apply, or this process is a child that
    /// was started for another law.
    NotTried(String),
    /// The definition cannot be used, for this reason: the subject refuses one of its messages, or
    /// one of its files cannot be read.
    Unfit(String),
}

/// The number of inputs and runs with which a law was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// The number of inputs.
    pub inputs: usize,
    /// The approximate number of runs of the subject. Each cutting of an input is a run.
    pub runs: usize,
}

impl Tally {
    pub(crate) fn one(runs: usize) -> Self {
        Self { inputs: 1, runs }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.runs += other.runs;
    }
}
