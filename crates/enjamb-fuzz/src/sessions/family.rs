//! Protocols that share a fuzz target.
//!
//! A target for each protocol would be forty programs to build and to run. One target for all would
//! mix forty dictionaries and corpora, and coverage of one protocol would say nothing about
//! another. Families are between the two.

use std::sync::{Arc, LazyLock};

use enjamb_protocols::{Protocol, Registry};

use super::check_split;

/// A family of protocols, with the name of its target.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name of its target.
    pub target: &'static str,
    /// The names of its protocols, in the order in which the first byte of an input numbers them.
    /// New ones are added at the end, so that old inputs keep their meaning.
    pub protocols: &'static [&'static str],
}

/// All families. Every built-in protocol belongs to one.
pub const FAMILIES: &[Family] = &[
    Family { target: "split_http1", protocols: &["http1"] },
    Family { target: "split_redis", protocols: &["redis"] },
    Family { target: "split_web", protocols: &["http2", "websocket", "rtsp", "sip", "rtmp"] },
    Family { target: "split_databases", protocols: &["memcached", "postgres", "mysql", "mongodb", "cassandra", "tds"] },
    Family { target: "split_mail", protocols: &["smtp", "pop3", "imap", "ftp"] },
    Family { target: "split_chat", protocols: &["irc", "xmpp", "telnet", "ssh"] },
    Family { target: "split_messaging", protocols: &["mqtt", "amqp", "kafka", "nats", "stomp"] },
    Family { target: "split_directory", protocols: &["dns", "ldap", "kerberos", "diameter", "bgp"] },
    Family {
        target: "split_industry",
        protocols: &["modbus", "dnp3", "iec104", "enip", "opcua", "tpkt", "hl7", "fix"],
    },
    Family { target: "split_rpc", protocols: &["smb", "dcerpc", "sunrpc", "thrift", "jsonrpc"] },
    Family { target: "split_tunnels", protocols: &["socks", "tls", "opaque", "auto"] },
];

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);

impl Family {
    /// Returns the family of this target.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn named(target: &str) -> &'static Self {
        let family = FAMILIES.iter().find(|family| family.target == target);
        family.unwrap_or_else(|| panic!("no family has the target {target}"))
    }

    /// Splits an input into its protocol and its script.
    #[must_use]
    pub fn split_input<'d>(&self, data: &'d [u8]) -> (Arc<Protocol>, &'d [u8]) {
        let (name, script) = match (self.protocols, data.split_first()) {
            ([name], _) | ([name, ..], None) => (*name, data),
            (names, Some((&choice, script))) => (names[usize::from(choice) % names.len()], script),
            ([], _) => unreachable!("a family has a protocol"),
        };
        (resolve(name), script)
    }

    /// Returns the bytes that choose a protocol, before its script.
    #[must_use]
    pub fn choice(&self, protocol: &str) -> Option<Vec<u8>> {
        let number = self.protocols.iter().position(|name| *name == protocol)?;
        Some(if self.protocols.len() == 1 { Vec::new() } else { vec![u8::try_from(number).ok()?] })
    }

    /// Returns the number of bytes that choose a protocol.
    #[must_use]
    pub fn choice_len(&self) -> usize {
        usize::from(self.protocols.len() > 1)
    }

    /// Checks the split law for an input of the target.
    pub(crate) fn check(&self, data: &[u8]) {
        let (protocol, script) = self.split_input(data);
        check_split(script, &|| protocol.session(None));
    }
}

fn resolve(name: &str) -> Arc<Protocol> {
    let known: Option<&Arc<Protocol>> = REGISTRY.get(name);
    known.map_or_else(|| REGISTRY.auto(), Arc::clone)
}
