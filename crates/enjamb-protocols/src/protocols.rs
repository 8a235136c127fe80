//! The protocols on the [kit](crate::kit): a file and a line for each.
//!
//! Their order is that in which `auto` tries them, so those that are easily taken for another one
//! come last.

mod dcerpc;
mod fix;
mod ftp;
mod hl7;
mod http2;
mod imap;
mod irc;
mod jsonrpc;
mod memcached;
mod mqtt;
mod nats;
mod pop3;
mod rtmp;
mod rtsp;
mod sip;
mod smb;
mod smtp;
mod ssh;
mod stomp;
mod sunrpc;
mod telnet;
#[cfg(test)]
mod testing;
mod thrift;
mod tls;
mod tpkt;
mod websocket;
mod xmpp;

use crate::protocol::Protocol;

/// Returns each protocol.
pub(crate) const ALL: &[fn() -> Protocol] = &[
    http2::protocol,
    tls::protocol,
    smb::protocol,
    thrift::protocol,
    sunrpc::protocol,
    tpkt::protocol,
    dcerpc::protocol,
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
    websocket::protocol,
    jsonrpc::protocol,
    rtmp::protocol,
];
