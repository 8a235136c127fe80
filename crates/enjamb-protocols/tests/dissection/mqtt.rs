//! MQTT: the types of packets.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

const TYPES: [&str; 16] = [
    "",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

fn packet_type(message: &OwnedMessage) -> Vec<String> {
    let known = TYPES.iter().position(|kind| *kind == message.kind);
    known.filter(|_| is_whole(message)).map(|kind| kind.to_string()).into_iter().collect()
}

const fn case(capture: &'static str, tshark: &'static [&'static str]) -> Case {
    Case { capture, protocol: "mqtt", tshark, field: "mqtt.msgtype", values: packet_type, differs: &[] }
}

const fn auto(capture: &'static str) -> Case {
    Case { protocol: "auto", ..case(capture, &[]) }
}

pub(crate) const CASES: &[Case] = &[
    case("mqtt.pcap", &[]),
    case("protocols/mqtt-input.pcap", &[]),
    case("protocols/mqtt-mqtt_big.pcap", &[]),
    case("protocols/mqtt-mqtt_synthetic.pcap", &[]),
    case("corpora/mqtt/pipelined.pcap", &[]),
    case("corpora/mqtt/quality-of-service.pcap", &[]),
    auto("corpora/mqtt/refused.pcap"),
    case("corpora/mqtt/version5.pcap", &[]),
];
