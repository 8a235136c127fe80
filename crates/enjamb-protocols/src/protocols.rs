//! The protocols on the [kit](crate::kit): a file and a line for each.
//!
//! Their order is that in which `auto` tries them, so those that are easily taken for another one
//! come last.

mod amqp;
mod bgp;
mod cassandra;
mod diameter;
mod dnp3;
mod dns;
mod enip;
mod iec104;
mod kafka;
mod kerberos;
mod ldap;
mod modbus;
mod mongodb;
mod mqtt;
mod mysql;
mod opcua;
mod postgres;
mod smtp;
mod tds;

use crate::protocol::Protocol;

/// Returns each protocol.
pub(crate) const ALL: &[fn() -> Protocol] = &[
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
];
