//! The HTML report: one page that needs nothing else, with plots and tables of what was counted.
//!
//! The page has no script: a mark of a plot names its numbers in its `title`, which browsers show
//! as a tooltip. Its policy allows nothing but its own style sheet, by hash. The counts are also in
//! it as JSON, the record that `--summary --format json` writes; an element that shows a number
//! names its place there in `data-path`.
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
