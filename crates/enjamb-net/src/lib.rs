//! Connections: a server and a client that run handlers, and a relay that watches others.
//!
//! `asynchat.async_chat` was a framer and a connection in one. The framer is
//! [`enjamb::Framer`]; this crate is the connection.
//!
//! * [`serve`] accepts connections and runs a [`Service`] on each: a parser of the client's bytes,
//!   and what happens for each of its events. [`Server`] is the same with [`Options`], taps, a
//!   handshake and a way to stop. [`connect`] runs a service on a connection to a server, and
//!   [`run`] on any stream.
//! * [`Peer`] is the other end of the connection, for the service's own calls: push bytes, push
//!   with a [`Producer`], reserve a [`Slot`] for a later reply, close, abort. [`Handle`] is the
//!   same for other tasks.
//! * [`relay`] connects clients with a server and passes all bytes on unchanged.
//! * [`play`] plays one side of a recorded conversation to a live peer.
//! * [`Taps`] observe the connections of a server or a relay. [`Stop`] ends one: gently, or at
//!   once.
//! * [`sim`] has streams without sockets, for tests.
//!
//! ```no_run
//! use std::convert::Infallible;
//!
//! use enjamb::{FrameHandler, FrameInfo, Framer, Step, Terminator};
//! use enjamb_net::{answer, serve};
//!
//! struct Lines;
//!
//! impl FrameHandler for Lines {
//!     type Event = Vec<u8>;
//!     type Error = Infallible;
//!
//!     fn start(&self) -> Terminator {
//!         Terminator::lf()
//!     }
//!     fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<Vec<u8>>, Infallible> {
//!         Ok(Step::event([line, b"\n"].concat()))
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = enjamb_net::listen("127.0.0.1:7000").await?;
//!     serve(listener, |_| answer(Framer::whole(Lines), |line, peer| peer.push(line))).await;
//!     Ok(())
//! }
//! ```

mod accept;
mod client;
mod clock;
mod closed;
mod closer;
mod connect;
mod driver;
mod error;
mod guard;
mod handle;
mod item;
mod listener;
mod observers;
mod options;
mod output;
mod peer;
pub mod play;
mod producer;
pub mod relay;
mod scratch;
mod server;
mod service;
mod shared;
pub mod sim;
mod slot;
mod stop;
mod taps;
mod tls_parameters;

pub use client::{Running, connect, connect_with, run};
pub use closed::{Closed, Reason};
pub use closer::Closer;
pub use error::NetError;
pub use handle::{Handle, PushError};
pub use listener::{Listener, listen, listen_with};
pub use options::{Options, Overload, QueuePolicy, ReadRate};
pub use peer::Peer;
pub use producer::{FromIter, FromReader, FromStream, Producer};
pub use server::{Handshake, NoHandshake, ServeReport, Server, serve};
pub use service::{Answer, Service, answer};
pub use slot::Slot;
pub use stop::Stop;
pub use taps::{Opening, Taps};

/// The guide's examples are run as tests.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/serving.md")]
    struct Serving;
    #[doc = include_str!("../../../docs/from-asynchat.md")]
    struct FromAsynchat;
}
