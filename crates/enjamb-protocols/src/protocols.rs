//! The protocols on the [kit](crate::kit): a file and a line for each.
//!
//! Their order is that in which `auto` tries them, so those that are easily taken for another one
//! come last.

mod ftp;
mod imap;
mod irc;
mod mqtt;
mod pop3;
mod smtp;

use crate::protocol::Protocol;

/// Returns each protocol.
pub(crate) const ALL: &[fn() -> Protocol] =
    &[mqtt::protocol, smtp::protocol, ftp::protocol, pop3::protocol, imap::protocol, irc::protocol];
