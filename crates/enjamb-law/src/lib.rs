//! The laws of framing, as plain functions.
//!
//! **The split law**: one trace of messages, however the bytes were cut. TCP may cut a stream
//! anywhere and glue any of it together, so a parser's output must follow from the bytes alone.
//! [`split`] checks that for one segmentation, [`split_everywhere`] for a whole family of them. A
//! failure is a [`Violation`]. It is minimised, and its text shows a person what happened.
//!
//! ```
//! use enjamb_law::{Machines, Segmentations, split_everywhere};
//! use enjamb_protocols::Framing;
//!
//! let framing = Framing::parse("lines").unwrap();
//! let lines = Machines(|| enjamb::Framer::new(framing.handler()));
//! let stream = enjamb_law::stream(b"one\r\ntwo\r\n\r\nthree");
//! let coverage = split_everywhere(&lines, &stream, &Segmentations::up_to_two_cuts()).unwrap();
//! assert!(coverage.segmentations > 100);
//! ```
//!
//! * `laws!` and `Laws`: one definition, and every law as a test of it.
//! * [`Subject`]: the code under a law. [`Machines`] and [`Sessions`] make one from a constructor.
//! * Adapters make subjects of code from other crates: [`Decoded`] of decoders with a buffer,
//!   [`Reading`] and [`Writing`] of async readers and writers, `Streaming` of stream transformers,
//!   [`Parsing`] of parse functions, [`Pushing`] of push parsers, [`Accumulating`] of accumulators,
//!   [`Blocking`] of blocking readers, [`Connecting`] of clients that take an address, `Serving` of
//!   servers.
//! * [`Cutting`]: an input with its chunks glued, and the ways to cut it again.
//! * [`Segmentations`]: a family of cuts to try.
//! * [`interleaved`]: the law for sessions, which have two sides. The order of the two sides'
//!   chunks does not change the messages.
//! * [`asynchat`]: programs of terminators, and a naive reader of the whole stream. The engine must
//!   agree with it.
//! * [`fuzz`]: oracles for fuzz targets. Every byte string is an input.
//!
//! # Features
//!
//! | feature | brings | default |
//! |---|---|---|
//! | `proptest` | `laws!`, `Laws`, and the strategies of `strategy` | yes |
//! | `allocations` | the laws `bounded` and `linear` count allocations. It sets a global allocator, so a test binary that has its own cannot use it | |
//! | `arbitrary` | `arbitrary::Arbitrary` for [`Script`] | |
//! | `tokio-util` | [`Decoded`] over `tokio_util::codec::Decoder`, and `encoded` over its `Encoder` | |
//! | `asynchronous-codec` | [`Decoded`] over `asynchronous_codec::Decoder` | |
//! | `tokio` | tokio's reader and writer traits for [`Reading`] and [`Writing`]; `Serving` | |
//! | `tokio-runtime` | `in_runtime`: async subjects in a runtime of tokio, with a paused clock | |
//! | `tokio-net` | `Connecting::asynchronous`: async clients over real sockets | |
//! | `futures` | the traits of the futures crates for them; `Streaming` | |
//! | `httparse`, `nom7`, `nom8` | [`Parsing`] takes the results of these parsers | |

mod adapters;
pub mod asynchat;
#[cfg(feature = "proptest")]
mod check;
#[cfg(feature = "proptest")]
mod child;
#[cfg(feature = "proptest")]
mod classics;
mod cutting;
#[cfg(feature = "proptest")]
mod definition;
#[cfg(feature = "proptest")]
mod families;
pub mod fuzz;
mod grammar;
#[cfg(feature = "proptest")]
mod inputs;
mod kind;
mod law;
mod laws;
mod literal;
mod machines;
#[cfg(feature = "proptest")]
mod macros;
mod measure;
mod minimise;
mod output;
mod pulse;
#[cfg(feature = "proptest")]
mod regressions;
mod run;
mod script;
mod segmentations;
#[cfg(feature = "proptest")]
pub mod strategy;
#[cfg(feature = "proptest")]
mod stretch;
mod subject;
mod trace;
#[cfg(feature = "proptest")]
mod trying;
#[cfg(feature = "proptest")]
mod verdict;
mod violation;
mod watch;

#[cfg(feature = "asynchronous-codec")]
pub use adapters::AsynchronousCodec;
pub use adapters::{
    Accumulating, AtEnd, Blocking, ByHand, Chunks, Connecting, Decoded, Driver, Feed, Incoming, Outgoing, Parsed,
    Parsing, Pushing, Reading, Writing, WrittenBytes, reads_back,
};
#[cfg(feature = "futures")]
pub use adapters::{Body, Streaming};
#[cfg(feature = "tokio")]
pub use adapters::{Exchange, Serving};
#[cfg(feature = "tokio-util")]
pub use adapters::{TokioUtil, encoded};
pub use cutting::{Cutting, Event, stream};
#[cfg(feature = "proptest")]
pub use definition::Laws;
pub use grammar::{Grammar, Prefix};
pub use kind::Kind;
pub use law::{Law, UnknownLaw};
pub use laws::{
    Bound, Coverage, Growth, Interleavings, alone, alone_after, awake, bounded, coalesce, end, end_between, fused,
    interleaved, linear, prompt, quiet, round_trip, split, split_everywhere, total,
};
pub use machines::{EventAt, Machines, Never, Sessions};
pub use output::{Breach, DebugText, Output};
pub use run::Run;
pub use script::{Case, Item, Script};
pub use segmentations::Segmentations;
pub use subject::{Comparable, FlatMap, Map, MapError, Merge, Subject};
#[cfg(feature = "proptest")]
pub use verdict::{Tally, Verdict};
pub use violation::{Trace, Violation};
pub use watch::{WatchError, watch};

/// The guide's examples are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/laws.md")]
#[doc = include_str!("../../../docs/adapters.md")]
struct GuideExamples;
