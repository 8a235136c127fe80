//! Kafka: the numbers of requests and answers.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn api(message: &OwnedMessage) -> Vec<String> {
    let keys = [("Produce", "0"), ("Fetch", "1"), ("ListOffsets", "2"), ("Metadata", "3"), ("ApiVersions", "18")];
    let key = keys.iter().find(|(name, _)| message.side == Side::Client && *name == message.kind);
    key.filter(|_| is_whole(message)).map(|(_, key)| (*key).to_owned()).into_iter().collect()
}

pub(crate) const CASES: &[Case] = &[Case {
    capture: "protocols/kafka-kafka.pcap",
    protocol: "auto",
    tshark: &[],
    field: "kafka.api_key",
    values: api,
    differs: &[],
}];
