//! Distributions: sizes in powers of two, times in a histogram.

use hdrhistogram::Histogram;

use crate::statistics::summary::{Bucket, NoneOneSeveral, Quantiles};

/// The number of buckets: 0, 1, 2, 3 to 4, 5 to 8, and so on. The last one takes everything above
/// 2^40.
const BUCKETS: usize = 43;

/// Sizes in powers of two: 0, 1, 2, 3 to 4, 5 to 8, 9 to 16, and so on. Exact, and cheap to count.
#[derive(Clone, Debug)]
pub(super) struct Powers([u64; BUCKETS]);

impl Default for Powers {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Powers {
    #[inline]
    pub(super) fn record(&mut self, size: u64) {
        self.record_n(size, 1);
    }

    #[inline]
    fn record_n(&mut self, size: u64, count: u64) {
        let bucket = match size {
            0 | 1 => size as usize,
            _ => (u64::BITS - (size - 1).leading_zeros()) as usize + 1,
        };
        self.0[bucket.min(BUCKETS - 1)] += count;
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.0.iter_mut().zip(more.0).for_each(|(to, more)| *to += more);
    }

    /// Returns how many values were 0, 1, and more.
    pub(super) fn none_one_several(&self) -> NoneOneSeveral {
        NoneOneSeveral { none: self.0[0], one: self.0[1], several: self.0[2..].iter().sum() }
    }

    /// Returns how many values were 2.
    pub(super) fn two(&self) -> u64 {
        self.0[2]
    }

    /// Returns all buckets, in order of size.
    fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.0.iter().enumerate().map(|(bucket, count)| {
            let (from, to) = match bucket {
                0 | 1 => (bucket as u64, bucket as u64),
                _ => ((1 << (bucket - 2)) + 1, 1 << (bucket - 1)),
            };
            Bucket { from, to: if bucket == BUCKETS - 1 { u64::MAX } else { to }, count: *count }
        })
    }

    /// Returns the buckets that are not empty.
    pub(super) fn seen(&self) -> Vec<Bucket> {
        self.buckets().filter(|bucket| bucket.count > 0).collect()
    }
}

/// The largest value of a histogram, and its precision in significant digits: at most 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) highest: u64,
    pub(super) digits: u8,
}

/// Latencies, in microseconds up to an hour.
pub(super) const LATENCY: Bounds = Bounds { highest: 3_600_000_000, digits: 3 };

/// Lengths of messages, in bytes up to a terabyte.
pub(super) const LENGTH: Bounds = Bounds { highest: 1 << 40, digits: 2 };

/// Durations of connections, in microseconds up to a hundred days.
pub(super) const DURATION: Bounds = Bounds { highest: 8_640_000_000_000, digits: 2 };

/// Values below this are all exact in a [`Spread`].
const SMALL: usize = 128;

/// A histogram of numbers to a few significant digits. It grows with the largest number.
///
/// Counting is an addition in the list of the counts of an HDR histogram, whose method for it takes
/// five times as long: values below `2^bits` have a place each, and each doubling beyond has
/// `2^(bits - 1)` of them. The HDR histogram itself is made when its quantiles are wanted.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    counts: Vec<u64>,
    bounds: Bounds,
    /// Those of the bounds.
    bits: u32,
}

/// The beginnings of the buckets of latencies within a decade: about equally wide on a logarithmic
/// scale.
const STEPS: [u64; 6] = [10, 15, 22, 33, 47, 68];

impl Bounds {
    /// The number of bits of the values that are exact, as in an HDR histogram: the largest of them
    /// is at least twice ten to the power of the digits.
    const fn bits(self) -> u32 {
        match self.digits {
            1 => 5,
            2 => 8,
            _ => 11,
        }
    }
}

impl Spread {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { counts: vec![0; SMALL], bounds, bits: bounds.bits() }
    }

    /// Returns the place of a value.
    #[inline(always)]
    fn place(&self, value: u64) -> usize {
        let value = value.min(self.bounds.highest);
        let shift = (u64::BITS - value.leading_zeros()).saturating_sub(self.bits);
        ((shift as usize) << (self.bits - 1)) + (value >> shift) as usize
    }

    /// Returns the smallest value of a place.
    fn value(&self, place: usize) -> u64 {
        let half = 1 << (self.bits - 1);
        let shift = (place / half).saturating_sub(1);
        ((place - shift * half) as u64) << shift
    }

    /// Counts a value. Returns whether it is small.
    #[inline]
    pub(super) fn record(&mut self, value: u64) -> bool {
        let place = self.place(value);
        match self.counts.get_mut(place) {
            Some(count) => *count += 1,
            None => self.record_beyond(place, 1),
        }
        value < SMALL as u64
    }

    /// Counts values at a place that the list does not have yet.
    #[cold]
    fn record_beyond(&mut self, place: usize, count: u64) {
        // As many places as there are up to the next doubling.
        let half = 1 << (self.bits - 1);
        self.counts.resize((place + 1).next_multiple_of(half), 0);
        self.counts[place] += count;
    }

    /// Returns the small values in powers of two.
    pub(super) fn small(&self) -> Powers {
        let mut powers = Powers::default();
        self.counts[..SMALL].iter().enumerate().for_each(|(value, count)| powers.record_n(value as u64, *count));
        powers
    }

    pub(super) fn add(&mut self, more: &Self) {
        debug_assert_eq!(self.bounds, more.bounds, "the places are those of the same values");
        if more.counts.len() > self.counts.len() {
            self.counts.resize(more.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&more.counts).for_each(|(to, more)| *to += more);
    }

    /// Returns the histogram of all values.
    fn histogram(&self) -> Histogram<u64> {
        let mut all = match Histogram::new(self.bounds.digits) {
            Ok(histogram) => histogram,
            Err(error) => panic!("the digits are constants that hdrhistogram takes: {error}"),
        };
        for (place, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            // Cannot fail: the histogram can grow up to the highest value, which is a constant.
            let _ = all.record_n(self.value(place), count);
        }
        all
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Returns the quantiles, and with `histogram` the histogram too. `None` if there are no
    /// values.
    ///
    /// The histogram has the greatest value of each bucket of the HDR histogram. The quantiles are
    /// such values too.
    pub(super) fn quantiles(&self, with_histogram: bool) -> Option<Quantiles> {
        if self.is_empty() {
            return None;
        }
        let histogram = self.histogram();
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|quantile| histogram.value_at_quantile(quantile));
        let listed = with_histogram.then(|| {
            let values = histogram.iter_recorded();
            values
                .map(|value| (histogram.highest_equivalent(value.value_iterated_to()), value.count_at_value()))
                .collect()
        });
        Some(Quantiles { count: self.count(), p50, p90, p99, p999, max: histogram.max(), histogram: listed })
    }

    /// Returns the values in buckets that begin at 0, 1, 2, 3, 5, 7, 10, 15, 22, 33, 47, 68, 100
    /// and so on.
    pub(super) fn distribution(&self) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        let histogram = self.histogram();
        for value in histogram.iter_recorded() {
            let (from, to) = bucket(histogram.lowest_equivalent(value.value_iterated_to()));
            let count = value.count_since_last_iteration();
            match buckets.last_mut() {
                Some(last) if last.from == from => last.count += count,
                _ => buckets.push(Bucket { from, to, count }),
            }
        }
        buckets
    }
}

/// Returns the bucket of a value.
fn bucket(value: u64) -> (u64, u64) {
    let mut starts = starts();
    let mut from = starts.next().unwrap_or_default();
    for next in starts {
        if value < next {
            return (from, next - 1);
        }
        from = next;
    }
    (from, u64::MAX)
}

/// Returns the beginnings of the buckets, up to 10^13.
fn starts() -> impl Iterator<Item = u64> {
    let decades = (1..=12_u32).flat_map(|decade| STEPS.map(|step| step * 10_u64.pow(decade - 1)));
    [0, 1, 2, 3, 5, 7].into_iter().chain(decades)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_counted_in_its_bucket() {
        for size in (0..5000).chain([1 << 20, (1 << 20) + 1, (1 << 40) + 1, u64::MAX]) {
            let mut powers = Powers::default();
            powers.record(size);
            let Bucket { from, to, .. } = powers.seen()[0];
            assert!(from <= size && size <= to, "{size} in {from} to {to}");
        }
        let bounds: Vec<_> = Powers::default().buckets().map(|bucket| (bucket.from, bucket.to)).collect();
        assert!(bounds.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{bounds:?}");
    }

    #[test]
    fn a_spread_equals_a_plain_histogram_of_the_same_values() {
        for digits in 1..=3 {
            let bounds = Bounds { highest: 1 << 25, digits };
            let mut parts = [Spread::new(bounds), Spread::new(bounds)];
            let mut plain: Histogram<u64> = Histogram::new(digits).unwrap();
            let around = (5..26).flat_map(|bit| (0..4).map(move |more| (1_u64 << bit) + (more << (bit / 3)) - 2));
            let values: Vec<u64> = (0..300).chain(around).chain([1 << 30, 1 << 30, u64::MAX, 0, 5000, 5000]).collect();
            for (at, value) in values.iter().chain(values.iter().rev()).enumerate() {
                plain.record((*value).min(bounds.highest)).unwrap();
                assert_eq!(parts[usize::from(at % 3 == 0)].record(*value), *value < SMALL as u64);
            }
            let [mut all, more] = parts;
            all.add(&more);
            assert_eq!(all.count(), plain.len());
            assert_eq!(all.histogram(), plain);
            let listed = |histogram: &Histogram<u64>| -> Vec<_> {
                histogram.iter_recorded().map(|it| (it.value_iterated_to(), it.count_at_value())).collect()
            };
            assert_eq!(listed(&all.histogram()), listed(&plain));
            for quantile in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
                assert_eq!(all.histogram().value_at_quantile(quantile), plain.value_at_quantile(quantile));
            }
            assert!(Spread::new(bounds).is_empty() && Spread::new(bounds).histogram().is_empty());
        }
    }

    #[test]
    fn every_latency_is_counted_in_its_bucket() {
        let mut spread = Spread::new(LATENCY);
        for value in 0..2000 {
            spread.record(value);
        }
        let buckets = spread.distribution();
        for Bucket { from, to, count } in &buckets {
            assert_eq!(*count, to.min(&1999) - from + 1);
        }
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 2000);
    }
}
