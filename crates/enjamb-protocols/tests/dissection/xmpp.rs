//! XMPP: streams, and the elements that negotiate them.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn stream(message: &OwnedMessage) -> Vec<String> {
    if message.kind == "stream" && is_whole(message) { vec!["1".to_owned()] } else { Vec::new() }
}

fn features(message: &OwnedMessage) -> Vec<String> {
    if message.kind == "features" && is_whole(message) { vec!["1".to_owned()] } else { Vec::new() }
}

const fn case(capture: &'static str, field: &'static str, values: fn(&OwnedMessage) -> Vec<String>) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field, values, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("protocols/xmpp-xmpp-starttls.pcap", "xmpp.stream", stream),
    case("protocols/xmpp-xmpp-starttls.pcap", "xmpp.features", features),
    case("corpora/xmpp/clear-text.pcap", "xmpp.stream", stream),
    case("corpora/xmpp/starttls.pcap", "xmpp.stream", stream),
];
