//! The work of a subject: allocations are counted, processor time is measured.

use std::time::Duration;

/// Whether allocations are counted.
#[cfg(feature = "proptest")]
pub(crate) const COUNTS_ALLOCATIONS: bool = cfg!(feature = "allocations");

/// The cost of some work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// The number of bytes allocated in total; `None` without the feature `allocations`.
    pub(crate) allocated: Option<u64>,
    /// The maximum number of bytes allocated at one time; `None` without the feature `allocations`.
    pub(crate) allocated_most: Option<usize>,
    /// The processor time of this thread; `None` on systems that do not measure it.
    pub(crate) processor: Option<Duration>,
}

impl Work {
    /// Returns the lesser of two measurements of the same work. Counted values are the same in
    /// both.
    pub(crate) fn least(self, other: Self) -> Self {
        Self {
            allocated: self.allocated.min(other.allocated),
            allocated_most: self.allocated_most.min(other.allocated_most),
            processor: self.processor.min(other.processor),
        }
    }
}

/// Runs `work`, which must not panic, and returns its cost.
pub(crate) fn work(work: impl FnOnce()) -> Work {
    let mut measured = Work::default();
    let timed = || {
        let start = cpu_time::ThreadTime::try_now().ok();
        work();
        start.and_then(|start| start.try_elapsed().ok())
    };
    #[cfg(feature = "allocations")]
    {
        let mut processor = None;
        let info = allocation_counter::measure(|| processor = timed());
        measured.allocated = Some(info.bytes_total);
        measured.allocated_most = Some(usize::try_from(info.bytes_max).unwrap_or(usize::MAX));
        measured.processor = processor;
    }
    #[cfg(not(feature = "allocations"))]
    {
        measured.processor = timed();
    }
    measured
}

/// Runs work of the law inside a run of the subject. Its allocations are not counted.
pub(crate) fn uncounted<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(feature = "allocations")]
    {
        let mut done = None;
        allocation_counter::opt_out(|| done = Some(work()));
        match done {
            Some(done) => done,
            None => unreachable!("it was done"),
        }
    }
    #[cfg(not(feature = "allocations"))]
    {
        work()
    }
}
