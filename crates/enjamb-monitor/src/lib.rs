//! What was seen in framed traffic: records, statistics, latency, errors, and how they are written. No sockets.
//!
//! * [`Watch`] is the [`enjamb::Tap`] that opens a session for each connection, writes down what it says and counts it; [`Watched`] is one
//!   connection of it, for a source that keeps its connections apart.
//! * [`Record`] is what is written down: `docs/records.md` is the schema.
//! * [`Filter`] says which are wanted.
//! * [`Format`] writes records as JSON lines or as text, [`CsvWriter`] as CSV; [`trace`] sends them through `tracing` to the same lines.
//! * `DatasetWriter` writes them as a dataset of Parquet files, with the feature `parquet`: `docs/scale.md` is the schema.
//! * [`Statistics`] counts.

mod csv;
#[cfg(feature = "parquet")]
mod dataset;
mod field;
mod filter;
mod format;
mod payload;
mod record;
mod statistics;
mod text;
pub mod trace;
mod watch;

pub use csv::CsvWriter;
#[cfg(feature = "parquet")]
pub use dataset::{Captures, DatasetWriter, Rows, SUMMARY_FILE};
pub use field::{Field, FieldType};
pub use filter::{Filter, FilterError};
pub use format::{Format, LineWriter, Rfc3339};
pub use payload::{Payload, Show, ShowForm};
pub use record::{Record, SideTotal, Value, Visitor};
pub use statistics::Statistics;
pub use watch::{Opener, Output, Watch, Watched};
