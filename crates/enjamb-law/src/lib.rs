//! The laws of framing, as plain functions.
//!
//! **The split law**: one trace, however the bytes were cut. TCP may cut a stream anywhere and glue any of it together, so
//! whatever a parser says must follow from the bytes alone. [`split`] checks it for one segmentation, [`split_everywhere`] for a whole
//! family of them; a failure is a [`Violation`], minimised and printed so that a person sees it.
//!
//! ```
//! use enjamb_law::{Machines, Segmentations, split_everywhere};
//! use enjamb_protocols::Framing;
//!
//! let framing = Framing::parse("lines").unwrap();
//! let lines = Machines(|| enjamb::Framer::new(framing.handler()));
//! let stream = enjamb_law::stream(b"one\r\ntwo\r\n\r\nthree");
//! let checked = split_everywhere(&lines, &stream, &Segmentations::up_to_two_cuts()).unwrap();
//! assert!(checked.segmentations > 100);
//! ```
//!
//! * [`Subject`]: what is put under a law. [`Machines`] and [`Sessions`] make one of a constructor.
//! * Adapters make subjects of what others write: [`Decoded`] of decoders with a buffer, [`Reading`] and [`Writing`] of async readers and writers, `Streaming` of transformers
//!   of streams, [`Parsing`] of parse functions, [`Pushing`] of push parsers, [`Accumulating`] of accumulators, [`Blocking`] of blocking readers.
//! * [`Cutting`]: an input with its chunks glued, and how to cut it again.
//! * [`Segmentations`]: which cuts are tried.
//! * [`asynchat`]: programs of terminators, and the naive reading of a whole stream that the engine is held against.
//! * [`strategy`]: the same as proptest strategies (feature `proptest`).
//! * [`fuzz`]: inputs for fuzz targets, where every byte string is one.

mod adapters;
pub mod asynchat;
mod cutting;
mod definition;
pub mod fuzz;
mod grammar;
mod guard;
mod inputs;
mod isolate;
mod kind;
mod law;
mod laws;
mod machines;
#[macro_use]
mod macros;
mod measure;
mod minimise;
mod panics;
mod pulse;
mod regressions;
mod run;
mod script;
mod segmentations;
pub mod strategy;
mod subject;
mod trying;
mod violation;

#[cfg(feature = "asynchronous-codec")]
pub use adapters::AsynchronousCodec;
pub use adapters::{
    Accumulating, Blocking, ByHand, Chunks, Decoded, Driver, Feed, Incoming, Outgoing, Parsed, Parsing, Pushing,
    Reading, Writing, WrittenBytes, reads_back,
};
#[cfg(feature = "futures")]
pub use adapters::{Body, Streaming};
#[cfg(feature = "tokio-util")]
pub use adapters::{TokioUtil, encoded};
pub use cutting::{Cutting, Event, stream};
pub use definition::{Laws, Tried, Verdict};
pub use grammar::{Grammar, Prefix};
pub use guard::{Lost, survive};
pub use kind::Kind;
pub use law::{Law, UnknownLaw};
pub use laws::{
    Bound, Checked, Growth, alone, awake, bounded, coalesce, end, fused, linear, prompt, quiet, round_trip, split,
    split_everywhere, total,
};
pub use machines::{At, Machines, Never, Sessions};
pub use run::Run;
pub use script::{Case, Item, Script};
pub use segmentations::Segmentations;
pub use subject::{Comparable, Fault, FlatMapped, Mapped, MappedError, Merging, Said, Shown, Subject};
pub use violation::{Told, Violation};

/// The guide's examples are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/laws.md")]
#[doc = include_str!("../../../docs/adapters.md")]
struct GuideExamples;
