//! AMQP: the numbers of methods.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The methods in these captures, by their number.
const METHODS: &[(&str, &str)] = &[
    ("start", "10"),
    ("start-ok", "11"),
    ("tune", "30"),
    ("tune-ok", "31"),
    ("connection.open", "40"),
    ("connection.open-ok", "41"),
    ("connection.close", "50"),
    ("connection.close-ok", "51"),
    ("channel.open", "10"),
    ("channel.open-ok", "11"),
    ("channel.close", "40"),
    ("channel.close-ok", "41"),
    ("declare", "10"),
    ("declare-ok", "11"),
    ("bind", "20"),
    ("bind-ok", "21"),
    ("consume", "20"),
    ("consume-ok", "21"),
    ("publish", "40"),
    ("deliver", "60"),
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let name = message.kind.split('.').nth(1).unwrap_or_default();
    let known = METHODS.iter().find(|(known, _)| *known == name || *known == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "amqp.method.method", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[case("amqp_emit_receive.pcap"), case("protocols/amqp-amqp_channel_error.pcap")];
