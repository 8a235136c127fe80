//! The report: one page that needs nothing else, with plots and tables of what was counted.
//!
//! The page is written here, plots included: it works without its script, which only shows what is under the pointer. All its numbers are in it once more as
//! JSON, the same that `--summary --format json` writes, and an element that shows one names its place there in `data-path`.
//!
//! Its size is bounded: times are counted in at most [`timeline::BINS_MAX`] steps, only so many connections are drawn, and lists are as long as they are
//! anywhere. Whatever came from the wire is escaped.

mod chart;
mod page;
mod text;
mod timeline;

pub(crate) use page::{Page, write};
pub(crate) use timeline::Timeline;
