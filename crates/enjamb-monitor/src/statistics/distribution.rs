//! Distributions: of small counts in powers of two, and of times in a histogram.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// How many buckets there are: 0, 1, 2, 3 to 4, 5 to 8, and so on. The last one takes everything from 2^40 on.
const BUCKETS: usize = 43;

/// How often each size was seen: 0, 1, 2, 3 to 4, 5 to 8, 9 to 16, and so on. Exact, and cheap to count.
#[derive(Clone, Debug)]
pub(crate) struct Powers([u64; BUCKETS]);

impl Default for Powers {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Powers {
    pub(crate) fn record(&mut self, size: u64) {
        let bucket = match size {
            0 | 1 => size as usize,
            _ => (u64::BITS - (size - 1).leading_zeros()) as usize + 1,
        };
        self.0[bucket.min(BUCKETS - 1)] += 1;
    }

    pub(crate) fn add(&mut self, more: &Self) {
        self.0.iter_mut().zip(more.0).for_each(|(to, more)| *to += more);
    }

    /// How many had size 0, 1, and more.
    pub(crate) fn none_one_several(&self) -> [u64; 3] {
        [self.0[0], self.0[1], self.0[2..].iter().sum()]
    }

    /// The smallest and the largest size of a bucket, and how often it was seen.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        self.0.iter().enumerate().map(|(bucket, count)| {
            let (from, to) = match bucket {
                0 | 1 => (bucket as u64, bucket as u64),
                _ => ((1 << (bucket - 2)) + 1, 1 << (bucket - 1)),
            };
            (from, if bucket == BUCKETS - 1 { u64::MAX } else { to }, *count)
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        listed(self.buckets())
    }
}

/// The buckets that are not empty, for a record.
fn listed(buckets: impl Iterator<Item = (u64, u64, u64)>) -> Value {
    let seen = buckets.filter(|(.., count)| *count > 0);
    seen.map(|(from, to, count)| json!({ "from": from, "to": to, "count": count })).collect()
}

/// How large a histogram's values may be, and to how many digits it knows them.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) highest: u64,
    pub(crate) digits: u8,
}

/// Latencies, in microseconds up to an hour.
pub(crate) const LATENCY: Bounds = Bounds { highest: 3_600_000_000, digits: 3 };

/// Lengths of messages, in bytes up to a terabyte.
pub(crate) const LENGTH: Bounds = Bounds { highest: 1 << 40, digits: 2 };

/// How long connections lasted, in microseconds up to a hundred days.
pub(crate) const DURATION: Bounds = Bounds { highest: 8_640_000_000_000, digits: 2 };

/// Values below this have counters of their own in a [`Spread`].
const SMALL: usize = 128;

/// A histogram of numbers that are known to a few significant digits. It grows with the largest one.
///
/// To find a value's place in an HDR histogram takes longer than all else that is counted of a message. But most messages are small, and those
/// that came in one packet and were asked for in one packet all took the same time: these are counted at once.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    small: Box<[u64; SMALL]>,
    /// The last value that was not small, and how often it came that is not in the histogram yet.
    last: (u64, u64),
    histogram: Histogram<u64>,
    highest: u64,
}

pub(crate) const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// Where the buckets that latencies are listed in begin, within a decade: about equally wide on a logarithmic scale.
const STEPS: [u64; 6] = [10, 15, 22, 33, 47, 68];

impl Spread {
    pub(crate) fn new(bounds: Bounds) -> Self {
        match Histogram::new(bounds.digits) {
            Ok(histogram) => Self { small: Box::new([0; SMALL]), last: (0, 0), histogram, highest: bounds.highest },
            Err(error) => panic!("the digits are constants that hdrhistogram takes: {error}"),
        }
    }

    #[inline]
    pub(crate) fn record(&mut self, value: u64) {
        if let Some(count) = usize::try_from(value).ok().and_then(|value| self.small.get_mut(value)) {
            *count += 1;
        } else if value == self.last.0 {
            self.last.1 += 1;
        } else {
            let (value, count) = std::mem::replace(&mut self.last, (value, 1));
            self.settle(value, count);
        }
    }

    fn settle(&mut self, value: u64, count: u64) {
        if count > 0 {
            // Cannot fail: it grows, and the highest is a constant that it can grow to.
            let _ = self.histogram.record_n(value.min(self.highest), count);
        }
    }

    pub(crate) fn add(&mut self, more: &Self) {
        self.small.iter_mut().zip(more.small.iter()).for_each(|(to, more)| *to += more);
        self.settle(more.last.0, more.last.1);
        let _ = self.histogram.add(&more.histogram);
    }

    /// All that was counted.
    fn histogram(&self) -> Histogram<u64> {
        let mut all = self.clone();
        for (value, count) in self.small.iter().enumerate() {
            all.settle(value as u64, *count);
        }
        all.settle(self.last.0, self.last.1);
        all.histogram
    }

    pub(crate) fn count(&self) -> u64 {
        self.small.iter().sum::<u64>() + self.last.1 + self.histogram.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// p50, p90, p99, p999 and the largest.
    pub(crate) fn quantiles(&self) -> [u64; 5] {
        let histogram = self.histogram();
        let [p50, p90, p99, p999] = QUANTILES.map(|(_, quantile)| histogram.value_at_quantile(quantile));
        [p50, p90, p99, p999, histogram.max()]
    }

    /// `count` and the quantiles.
    pub(crate) fn to_json(&self) -> Value {
        let [p50, p90, p99, p999, max] = self.quantiles();
        json!({ "count": self.count(), "p50": p50, "p90": p90, "p99": p99, "p999": p999, "max": max })
    }

    /// [`to_json`](Self::to_json), and with `histograms` also what it takes to merge it with others: the values as far as they are known, the greatest that each
    /// may be, and how often they were seen.
    pub(crate) fn to_json_with(&self, histograms: bool) -> Value {
        let mut value = self.to_json();
        if histograms {
            let histogram = self.histogram();
            value["histogram"] = histogram
                .iter_recorded()
                .map(|it| json!([histogram.highest_equivalent(it.value_iterated_to()), it.count_at_value()]))
                .collect();
        }
        value
    }

    /// How often values from 0, 1, 2, 3, 5, 7, 10, 15, 22, 33, 47, 68, 100 and so on were seen, up to the one before the next.
    pub(crate) fn distribution(&self) -> Value {
        let mut buckets: Vec<(u64, u64, u64)> = Vec::new();
        let histogram = self.histogram();
        for value in histogram.iter_recorded() {
            let (from, to) = bucket(histogram.lowest_equivalent(value.value_iterated_to()));
            match buckets.last_mut() {
                Some((last, _, count)) if *last == from => *count += value.count_since_last_iteration(),
                _ => buckets.push((from, to, value.count_since_last_iteration())),
            }
        }
        listed(buckets.into_iter())
    }
}

/// The bucket that a value lies in.
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

/// Where the buckets begin, up to 10^13.
fn starts() -> impl Iterator<Item = u64> {
    let decades = (1..=12_u32).flat_map(|decade| STEPS.map(|step| step * 10_u64.pow(decade - 1)));
    [0, 1, 2, 3, 5, 7].into_iter().chain(decades)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_in_the_bucket_that_says_so() {
        for size in (0..5000).chain([1 << 20, (1 << 20) + 1, (1 << 40) + 1, u64::MAX]) {
            let mut powers = Powers::default();
            powers.record(size);
            let (from, to, _) = powers.buckets().find(|(.., count)| *count == 1).unwrap();
            assert!(from <= size && size <= to, "{size} in {from} to {to}");
        }
        let bounds: Vec<_> = Powers::default().buckets().map(|(from, to, _)| (from, to)).collect();
        assert!(bounds.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{bounds:?}");
    }

    #[test]
    fn it_says_what_a_histogram_of_the_same_values_says() {
        let bounds = Bounds { highest: 1 << 25, digits: 2 };
        let mut parts = [Spread::new(bounds), Spread::new(bounds)];
        let mut plain: Histogram<u64> = Histogram::new(bounds.digits).unwrap();
        let values = [0, 1, 127, 128, 128, 128, 129, 128, 5000, 5000, 3, 1 << 19, 1 << 30, 1 << 30, u64::MAX, 0, 5000];
        for (at, value) in values.iter().chain(values.iter().rev()).enumerate() {
            plain.record((*value).min(bounds.highest)).unwrap();
            parts[usize::from(at % 3 == 0)].record(*value);
        }
        let [mut all, more] = parts;
        all.add(&more);
        assert_eq!((all.histogram(), all.count()), (plain.clone(), plain.len()));
        assert!(Spread::new(bounds).is_empty() && Spread::new(bounds).histogram().is_empty());
    }

    #[test]
    fn every_latency_is_in_a_bucket_and_they_add_up() {
        let mut spread = Spread::new(LATENCY);
        for value in 0..2000 {
            spread.record(value);
        }
        let listed = spread.distribution();
        let listed = listed.as_array().unwrap();
        for bucket in listed {
            let [from, to, count] = ["from", "to", "count"].map(|name| bucket[name].as_u64().unwrap());
            assert_eq!(count, to.min(1999) - from + 1, "{bucket}");
        }
        assert_eq!(listed.iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum::<u64>(), 2000);
    }
}
