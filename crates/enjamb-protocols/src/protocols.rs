//! The protocols on the [kit](crate::kit): a file and a line for each.
//!
//! Their order is that in which `auto` tries them, so those that are easily taken for another one
//! come last.

mod fix;
mod ftp;
mod hl7;
mod imap;
mod irc;
mod memcached;
mod mqtt;
mod nats;
mod pop3;
mod rtsp;
mod sip;
mod smtp;
mod ssh;
mod stomp;
mod telnet;
mod xmpp;

use crate::protocol::Protocol;

/// Returns each protocol.
pub(crate) const ALL: &[fn() -> Protocol] = &[
    mqtt::protocol,
    smtp::protocol,
    ftp::protocol,
    pop3::protocol,
    imap::protocol,
    irc::protocol,
    memcached::protocol,
    nats::protocol,
    sip::protocol,
    rtsp::protocol,
    stomp::protocol,
    xmpp::protocol,
    telnet::protocol,
    ssh::protocol,
    hl7::protocol,
    fix::protocol,
];
