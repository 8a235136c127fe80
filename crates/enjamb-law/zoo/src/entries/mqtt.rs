//! MQTT.

use bytes::BytesMut;
use enjamb_law::{Decoded, Parsed, Parsing};

use super::{BUFFER, DECODER, PARSE};
use crate::entry::Entry;
use crate::subject::any;

/// Packets of MQTT 3.1.1.
const V4: [&[u8]; 7] = [
    b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a",
    b"\x30\x05\x00\x01ahi",
    b"\x32\x07\x00\x01a\x00\x01hi",
    b"\xc0\x00",
    b"\xe0\x00",
    b"\x82\x06\x00\x01\x00\x01a\x00",
    b"\x40\x02\x00\x01",
];

pub fn entries() -> Vec<Entry> {
    vec![
        Entry::new("mqttbytes 0.6.0 v4", "MQTT 3.1.1", BUFFER, || {
            any(Decoded::by(|| (), |(), buffer| v4(buffer), |(), buffer| v4(buffer)))
        })
        .messages(V4)
        .limit(1024),
        Entry::new("mqttbytes 0.6.0 v5", "MQTT 5", BUFFER, || {
            any(Decoded::by(|| (), |(), buffer| v5(buffer), |(), buffer| v5(buffer)))
        })
        .messages([
            &b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a"[..],
            b"\x30\x06\x00\x01a\x00hi",
            b"\x32\x08\x00\x01a\x00\x01\x00hi",
            b"\xc0\x00",
            b"\x40\x02\x00\x01",
            b"\x90\x04\x00\x01\x00\x00",
        ])
        .limit(1024),
        Entry::new("mqtt-v5 0.1.1", "MQTT 3.1.1", BUFFER, || {
            any(Decoded::by(|| (), |(), buffer| mqtt_v5(buffer), |(), buffer| mqtt_v5(buffer)))
        })
        .messages(V4),
        Entry::new("mqttrs 0.4.1", "MQTT 3.1.1", PARSE, || any(Parsing::new(mqttrs))).messages(V4),
        Entry::new("mqtt-frame 0.1.5", "MQTT 3.1.1", DECODER, || any(Decoded::new(mqtt_frame::MqttCodec::new)))
            .messages(V4),
    ]
}

fn v4(buffer: &mut BytesMut) -> Result<Option<mqttbytes::v4::Packet>, mqttbytes::Error> {
    match mqttbytes::v4::read(buffer, 1024) {
        Ok(packet) => Ok(Some(packet)),
        Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn v5(buffer: &mut BytesMut) -> Result<Option<mqttbytes::v5::Packet>, mqttbytes::Error> {
    match mqttbytes::v5::read(buffer, 1024) {
        Ok(packet) => Ok(Some(packet)),
        Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn mqtt_v5(buffer: &mut bytes_05::BytesMut) -> Result<Option<mqtt_v5::types::Packet>, mqtt_v5::types::DecodeError> {
    mqtt_v5::decoder::decode_mqtt(buffer, mqtt_v5::types::ProtocolVersion::V311)
}

/// `decode_slice` does not return the length of the packet; `clone_packet` does.
fn mqttrs(bytes: &[u8]) -> Parsed<String, String> {
    match mqttrs::decode_slice(bytes) {
        Ok(Some(packet)) => {
            let mut copy = vec![0; bytes.len()];
            let used = mqttrs::clone_packet(bytes, &mut copy).unwrap_or(0);
            Parsed::Done(format!("{packet:?}"), used)
        }
        Ok(None) => Parsed::Incomplete,
        Err(error) => Parsed::Failed(format!("{error:?}")),
    }
}
