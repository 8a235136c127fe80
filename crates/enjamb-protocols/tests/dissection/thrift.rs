//! Thrift: the types of messages and the methods.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn kind(message: &OwnedMessage) -> Vec<String> {
    let kinds = ["call", "reply", "exception", "oneway"];
    let known = kinds.iter().position(|kind| *kind == message.kind).filter(|_| is_whole(message));
    known.map(|kind| format!("0x{:02x}", kind + 1)).into_iter().collect()
}

fn method(message: &OwnedMessage) -> Vec<String> {
    let method = message.summary.rsplit(' ').next().filter(|_| is_whole(message) && message.kind != "message");
    method.map(str::to_owned).into_iter().collect()
}

const fn case(capture: &'static str, field: &'static str, values: fn(&OwnedMessage) -> Vec<String>) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field, values, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("thrift_tutorial_framed_transport.pcap", "thrift.mtype", kind),
    case("thrift_tutorial_framed_transport.pcap", "thrift.method", method),
    case("protocols/thrift-ipv6_thrift.pcap", "thrift.mtype", kind),
    case("protocols/thrift-ipv6_thrift.pcap", "thrift.method", method),
    case("protocols/thrift-thrift_integration.pcap", "thrift.mtype", kind),
    case("protocols/thrift-thrift_integration.pcap", "thrift.method", method),
    case("corpora/thrift/binary.pcap", "thrift.mtype", kind),
    case("corpora/thrift/binary.pcap", "thrift.method", method),
    case("corpora/thrift/compact.pcap", "thrift.mtype", kind),
    case("corpora/thrift/compact.pcap", "thrift.method", method),
];
