//! Families of cuts.

use std::ops::ControlFlow;

/// A family of segmentations of an input of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segmentations {
    one_cut: bool,
    two_cuts: bool,
    every_byte: bool,
    random: Option<(u64, usize)>,
}

impl Segmentations {
    /// Creates the family with each byte as a chunk of its own, every single cut, and every pair of
    /// cuts. For an input of n bytes these are about n²/2 runs of n bytes each.
    #[must_use]
    pub fn up_to_two_cuts() -> Self {
        Self { two_cuts: true, ..Self::up_to_one_cut() }
    }

    /// Creates the family with each byte as a chunk of its own, and every single cut.
    #[must_use]
    pub fn up_to_one_cut() -> Self {
        Self { one_cut: true, two_cuts: false, every_byte: true, random: None }
    }

    /// Creates the family with each byte as a chunk of its own.
    #[must_use]
    pub fn every_byte() -> Self {
        Self { one_cut: false, two_cuts: false, every_byte: true, random: None }
    }

    /// Creates a family of only `count` random segmentations, with few cuts and with many. The same
    /// `seed` gives the same ones.
    #[must_use]
    pub fn random(seed: u64, count: usize) -> Self {
        Self { one_cut: false, two_cuts: false, every_byte: false, random: Some((seed, count)) }
    }

    /// Adds `count` random segmentations, with few cuts and with many. The same `seed` gives the
    /// same ones.
    #[must_use]
    pub fn and_random(mut self, seed: u64, count: usize) -> Self {
        self.random = Some((seed, count));
        self
    }

    /// Passes each segmentation of `len` bytes to `check`: those with the fewest cuts first, and
    /// the earlier cuts first among those. Stops at the first break.
    pub fn try_each<B>(&self, len: usize, mut check: impl FnMut(&[usize]) -> ControlFlow<B>) -> ControlFlow<B> {
        if self.one_cut {
            for cut in 1..len {
                check(&[cut])?;
            }
        }
        if self.two_cuts {
            for first in 1..len {
                for second in first + 1..len {
                    check(&[first, second])?;
                }
            }
        }
        if self.every_byte && len > 1 {
            check(&(1..len).collect::<Vec<_>>())?;
        }
        if let Some((seed, count)) = self.random {
            let mut chance = Chance(seed);
            for _ in 0..count {
                check(&chance.cuts(len))?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// A small generator (SplitMix64), so that a seed gives the same cuts on every machine.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Returns random cuts. One probability for the whole input, from rare to nearly always,
    /// decides at each place.
    fn cuts(&mut self, len: usize) -> Vec<usize> {
        let one_in = 1 << self.below(8);
        (1..len).filter(|_| self.below(one_in) == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_and_two_cuts_are_tried_once() {
        let mut seen = Vec::new();
        let _ = Segmentations::up_to_two_cuts().try_each(4, |cuts| {
            seen.push(cuts.to_vec());
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(seen, [vec![1], vec![2], vec![3], vec![1, 2], vec![1, 3], vec![2, 3], vec![1, 2, 3]]);
    }
}
