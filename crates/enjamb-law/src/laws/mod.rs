//! The laws, one file each: plain functions that return the smallest
//! [`Violation`](crate::Violation) they find.

mod alone;
mod awake;
mod boundaries;
mod bounded;
mod coalesce;
mod end;
mod fused;
mod interleaved;
mod linear;
mod prompt;
mod quiet;
mod round_trip;
mod split;
mod total;
mod usual;

pub use alone::{alone, alone_after};
pub use awake::awake;
pub use bounded::{Bound, bounded};
pub use coalesce::coalesce;
pub use end::{end, end_between};
pub use fused::fused;
#[cfg(feature = "proptest")]
pub(crate) use interleaved::sides;
pub use interleaved::{Interleavings, interleaved};
pub use linear::{Growth, linear};
pub use prompt::prompt;
pub use quiet::quiet;
pub use round_trip::round_trip;
#[cfg(feature = "proptest")]
pub(crate) use split::split_each;
pub use split::{Coverage, split, split_everywhere};
pub use total::total;

/// The hint on a violation that does not come again.
pub(crate) const NOT_REPEATED: &str = "the same bytes in the same chunks gave two different outputs: the subject is not \
     deterministic. Look for a global or thread-local variable, the order of a `HashMap`, a clock, or a random number";
