//! The protocols on the [kit](crate::kit): a file and a line for each.
//!
//! Their order is that in which `auto` tries them, so those that are easily taken for another one
//! come last.

mod dcerpc;
mod http2;
mod jsonrpc;
mod mqtt;
mod rtmp;
mod smb;
mod smtp;
mod sunrpc;
#[cfg(test)]
mod testing;
mod thrift;
mod tls;
mod tpkt;
mod websocket;

use crate::protocol::Protocol;

/// Returns each protocol.
pub(crate) const ALL: &[fn() -> Protocol] = &[
    http2::protocol,
    mqtt::protocol,
    smtp::protocol,
    tls::protocol,
    smb::protocol,
    thrift::protocol,
    sunrpc::protocol,
    tpkt::protocol,
    dcerpc::protocol,
    rtmp::protocol,
    websocket::protocol,
    jsonrpc::protocol,
];
