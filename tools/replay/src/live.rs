//! `--against` and `--serve`: one side of each recorded connection, played to a live peer.
//!
//! From the inside out:
//!
//! * `masks` and `comparison` compare the messages of two conversations. They do not depend on
//!   captures or sockets.
//! * `parsed_conversation` is a conversation as a session parses it, recorded or live.
//! * `recorded_conversation` makes the steps of a conversation from a capture, and `player` plays
//!   them.
//! * `performance` plays one conversation over a socket.
//! * `against` and `serve` are the two modes, and `report` counts and writes their comparisons.

mod against;
mod arguments;
mod comparison;
mod masks;
mod parsed_conversation;
mod performance;
mod player;
mod recorded_conversation;
mod report;
mod serve;

pub(crate) use self::against::play_against;
pub(crate) use self::arguments::LiveArguments;
pub(crate) use self::serve::serve;
