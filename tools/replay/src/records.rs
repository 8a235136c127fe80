//! The default mode: one record per message, then the statistics.
//!
//! A [`SourceReader`](enjamb_sources::SourceReader) gives events to sessions under watch, on this
//! thread or on several (`parallel`). The records go to a sink (`output`), which writes them as
//! lines, as CSV or into a dataset, and keeps the times for the report (`html`). `selection`
//! decides which records count.

mod html;
mod ordered_lines;
mod output;
mod parallel;
mod piece;
mod piece_sink;
mod run;
mod selection;
mod status;

pub(crate) use self::run::run;
pub(crate) use self::selection::Selection;
