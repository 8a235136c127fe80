//! The HTML report: one page that loads nothing, with plots and tables of all counts.
//!
//! The page has no script: a mark of a plot has its numbers in its `title`, which browsers show as
//! a tooltip. Its policy allows only its own style sheet, by hash. The counts are also in the page
//! as JSON, in the record that `--summary --format json` writes. An element that shows a number has
//! its place in that record in `data-path`.
//!
//! The size of the page is limited: time is counted in at most [`timeline::BINS_MAX`] steps, only
//! some connections are drawn, and lists are cut. All text is escaped by the templates.

mod chart;
mod page;
mod sections;
mod style;
mod tables;
mod text;
mod timeline;

pub(crate) use page::{Page, write};
pub(crate) use timeline::Timeline;
