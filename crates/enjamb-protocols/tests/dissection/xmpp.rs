//! XMPP: streams, and the elements that negotiate them.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn stream(message: &OwnedMessage) -> Vec<String> {
    if message.kind == "stream" && is_whole(message) { vec!["1".to_owned()] } else { Vec::new() }
}

fn features(message: &OwnedMessage) -> Vec<String> {
    if message.kind == "features" && is_whole(message) { vec!["1".to_owned()] } else { Vec::new() }
}

const fn case(field: &'static str, values: fn(&OwnedMessage) -> Vec<String>) -> Case {
    Case { capture: "protocols/xmpp-xmpp-starttls.pcap", protocol: "auto", tshark: &[], field, values, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[case("xmpp.stream", stream), case("xmpp.features", features)];
