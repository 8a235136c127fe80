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

pub use alone::alone;
pub use awake::awake;
pub use bounded::{Bound, bounded};
pub use coalesce::coalesce;
pub use end::end;
pub use fused::fused;
#[cfg(feature = "proptest")]
pub(crate) use interleaved::sides;
pub use interleaved::{Interleavings, interleaved};
pub use linear::{Growth, linear};
pub use prompt::prompt;
pub use quiet::quiet;
pub use round_trip::round_trip;
pub use split::{Coverage, split, split_everywhere};
pub use total::total;
