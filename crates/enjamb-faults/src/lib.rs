//! Faults on purpose, on the streams between a client and a server.
//!
//! A program that works while the network is fast and every read is a whole message may fail when
//! it is not. A [`Fault`] makes that happen: it delays the bytes of one side, cuts them elsewhere,
//! holds them together, loses, doubles or changes messages, or ends the connection inside one.
//!
//! * A [`Fault`] is data. Its [`Effect`] has one of the types of [`EFFECT_TYPES`], which are a
//!   table with their attributes. [`Fault::parse`] reads the form of a command line.
//! * A [`Plan`] has the faults of a proxy. It may change at any time, and open connections follow.
//! * [`ConnectionFaults`] applies a plan to one connection.
//!
//! There is no socket and no clock here: bytes and times go in, and bytes and times come out.
//!
//! ```
//! use std::sync::Arc;
//!
//! use enjamb::{Connection, Side, Time};
//! use enjamb_faults::{ConnectionFaults, Delivery, Fault, Plan};
//! # use enjamb::{Ending, Message, Session};
//! # struct Opaque;
//! # impl Session for Opaque {
//! #     fn protocol(&self) -> &str { "opaque" }
//! #     fn feed(&mut self, _: Side, _: &[u8], _: &mut dyn FnMut(&Message<'_>)) {}
//! #     fn gap(&mut self, _: Side, _: u64, _: &mut dyn FnMut(&Message<'_>)) {}
//! #     fn close(&mut self, _: Side, _: Ending, _: &mut dyn FnMut(&Message<'_>)) {}
//! #     fn held(&self) -> usize { 0 }
//! # }
//! # let session = Box::new(Opaque);
//!
//! let plan = Arc::new(Plan::new(1, |_| Err("there are no expressions here".to_owned())));
//! plan.set(Fault::parse("latency,side=client,latency=5ms").unwrap()).unwrap();
//! let (client, server) = ("127.0.0.1:4000".parse().unwrap(), "127.0.0.1:80".parse().unwrap());
//! let connection = Connection { number: 1, client, server };
//! let mut faults = ConnectionFaults::new(plan, connection, session, Time::from_nanos(0));
//!
//! faults.feed(Time::from_nanos(0), Side::Client, b"hello");
//! let due = Time::from_nanos(5_000_000);
//! assert_eq!(faults.next(Time::from_nanos(0), Side::Client), Delivery::Wait(Some(due)));
//! assert_eq!(faults.next(due, Side::Client), Delivery::Bytes("hello".into()));
//! ```
//!
//! # What is repeatable
//!
//! Everything random comes from the seed of the plan, the number of the connection and the name of
//! the fault. With the same connections and the same bytes, the same messages are hit in the same
//! way. Times depend on the clock, of course, and sizes of segments on the bytes that one read
//! brings.
//!
//! # Faults that concern messages
//!
//! Their bytes are held back until the message is whole, up to [`MESSAGE_MAX`] bytes and
//! [`MESSAGE_TIME`]. Bytes of a message that is longer, or that takes longer, are delivered as they
//! come, and the fault does not apply to it.

mod chain;
mod connection;
mod corrupt;
mod delivery;
mod effect;
mod effect_type;
mod error;
mod fault;
mod item;
mod plan;
mod select;
mod stage;
mod stages;

pub use connection::{ConnectionFaults, HELD_MAX, MESSAGE_MAX, MESSAGE_TIME};
pub use delivery::Delivery;
pub use effect::{Cuts, Effect, Part, Values};
pub use effect_type::{Attribute, EFFECT_TYPES, EffectType, SELECT_ATTRIBUTES, Unit, Value};
pub use error::FaultError;
pub use fault::{Fault, NAME_MAX, stream};
pub use item::Note;
pub use plan::{Compile, FAULTS_MAX, Plan};
pub use select::{MessageTest, Select};
