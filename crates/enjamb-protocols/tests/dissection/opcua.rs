//! OPC UA: the types of chunks.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The types.
const KINDS: &[(&str, &str)] =
    &[("HEL", "HEL"), ("ACK", "ACK"), ("ERR", "ERR"), ("OPN", "OPN"), ("CLO", "CLO"), ("MSG", "MSG")];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "opcua.transport.type", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[case("protocols/opcua-opcua_synthetic.pcap")];
