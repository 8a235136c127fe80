//! Records and statistics of framed traffic, and the formats in which they are written. The crate
//! opens no sockets.
//!
//! Data flows in one direction. A source, such as a capture or a relay, emits *events* of
//! connections. A watch gives them to a session for each connection, turns its messages into typed
//! *records*, and counts them. A *writer* turns records into bytes.
//!
//! | component | does |
//! |---|---|
//! | [`Watch`] | the [`enjamb::Tap`] that opens a session for each connection, writes its records and counts them |
//! | [`Watched`] | the same for one connection, for a source that keeps its connections apart |
//! | [`Output`] | receives records; a closure is one |
//! | [`Record`], [`Field`], [`Value`] | a record and its fields; one table has them all, and `docs/records.md` shows it |
//! | [`Filter`] | selects records by an expression over their fields |
//! | [`Format`], [`CsvWriter`] | write records as JSON lines, as text for people, as CSV |
//! | [`trace`] | passes records to subscribers of `tracing` |
//! | `DatasetWriter` | writes records as a dataset of Parquet files, which `docs/scale.md` describes |
//! | [`Statistics`], [`Summary`] | the counters; and the counts as plain data, JSON and tables |
//!
//! | feature | adds |
//! |---|---|
//! | `parquet` | `DatasetWriter`, `Rows` and `Captures`, with the crate `parquet`. Pure Rust: pages are compressed with LZ4 |
//!
//! # An output
//!
//! An output of your own, which writes the slow answers of Redis as JSON lines:
//!
//! ```
//! use std::sync::Arc;
//!
//! use enjamb::{Connection, Event, Side, Tap, Time};
//! use enjamb_monitor::{Filter, Format, Output, Record, Watch};
//! use enjamb_protocols::Registry;
//!
//! struct SlowAnswers(Filter, String);
//!
//! impl Output for SlowAnswers {
//!     fn record(&mut self, record: &Record<'_>) {
//!         if self.0.matches(record) {
//!             Format::JsonLines.write(record, &mut self.1);
//!         }
//!     }
//! }
//!
//! let redis = Registry::builtin().resolve("redis").unwrap();
//! let slow = SlowAnswers(Filter::parse("latency_us > 10ms").unwrap(), String::new());
//! let mut watch = Watch::new(Arc::new(move |_: &Connection| redis.session(None)), slow);
//! let ends = (([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 6379).into());
//! let connection = Connection { number: 1, client: ends.0, server: ends.1 };
//! let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
//! watch.event(&connection, at(0), Event::Open);
//! watch.event(&connection, at(1), Event::Chunk { side: Side::Client, bytes: b"PING\r\n" });
//! watch.event(&connection, at(51), Event::Chunk { side: Side::Server, bytes: b"+PONG\r\n" });
//! watch.event(&connection, at(52), Event::Done);
//! let (statistics, SlowAnswers(_, lines)) = watch.finish();
//! assert!(lines.contains("\"latency_us\":50000"));
//! assert_eq!(statistics.summary().latency_us.unwrap().quantiles.count, 1);
//! ```

mod csv;
#[cfg(feature = "parquet")]
mod dataset;
mod escape;
mod field;
mod filter;
mod format;
mod json;
mod payload;
mod record;
mod statistics;
mod text;
mod time;
pub mod trace;
mod watch;

pub use csv::CsvWriter;
#[cfg(feature = "parquet")]
pub use dataset::{Captures, DatasetWriter, Rows, SUMMARY_FILE};
pub use field::{Field, FieldType, RecordType, field_table};
pub use filter::{Filter, FilterError};
pub use format::Format;
pub use json::JsonWriter;
pub use payload::{Payload, Redactor, Show, ShowForm};
pub use record::{EndedBy, Record, SideTotal, UNNUMBERED, Value, Visitor};
pub use statistics::{
    Bucket, ChunkSummary, Distribution, EndingCount, ErrorCount, FlagCount, KindCount, KindLatency, LongConnection,
    NoneOneSeveral, Outcomes, Quantiles, SideSummary, Statistics, Summary,
};
pub use time::{Day, Rfc3339};
pub use watch::{Opener, Output, Watch, Watched};
