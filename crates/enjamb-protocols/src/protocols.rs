//! The protocols on the [kit](crate::kit): a file and a line for each.
//!
//! Their order is that in which `auto` tries them, so those that are easily taken for another one
//! come last.

mod amqp;
mod bgp;
mod cassandra;
mod dcerpc;
mod diameter;
mod dnp3;
mod dns;
mod enip;
mod fix;
mod ftp;
mod hl7;
mod http2;
mod iec104;
mod imap;
mod irc;
mod jsonrpc;
mod kafka;
mod kerberos;
mod ldap;
mod memcached;
mod modbus;
mod mongodb;
mod mqtt;
mod mysql;
mod nats;
mod opcua;
mod pop3;
mod postgres;
mod rtmp;
mod rtsp;
mod sip;
mod smb;
mod smtp;
mod ssh;
mod stomp;
mod sunrpc;
mod tds;
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
    postgres::protocol,
    mysql::protocol,
    mongodb::protocol,
    dns::protocol,
    kafka::protocol,
    amqp::protocol,
    cassandra::protocol,
    ldap::protocol,
    modbus::protocol,
    dnp3::protocol,
    iec104::protocol,
    bgp::protocol,
    tds::protocol,
    diameter::protocol,
    kerberos::protocol,
    opcua::protocol,
    enip::protocol,
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
