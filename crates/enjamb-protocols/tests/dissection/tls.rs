//! TLS: the types of records and of handshake messages.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// Returns the type of each record of a message.
fn content_type(message: &OwnedMessage) -> Vec<String> {
    let content = match message.kind.as_str() {
        "record" => return Vec::new(),
        _ if !is_whole(message) || message.flags == "sslv2" => return Vec::new(),
        "ChangeCipherSpec" => "20",
        "alert" | "encrypted-alert" => "21",
        "application_data" => "23",
        "heartbeat" | "heartbeat-response" => "24",
        _ => "22",
    };
    let records = message.summary.strip_suffix(" records").and_then(|text| text.rsplit(' ').next()?.parse().ok());
    vec![content.to_owned(); records.unwrap_or(1)]
}

const HANDSHAKE: &[(&str, &str)] = &[
    ("HelloRequest", "0"),
    ("ClientHello", "1"),
    ("ServerHello", "2"),
    ("NewSessionTicket", "4"),
    ("EncryptedExtensions", "8"),
    ("Certificate", "11"),
    ("ServerKeyExchange", "12"),
    ("CertificateRequest", "13"),
    ("ServerHelloDone", "14"),
    ("CertificateVerify", "15"),
    ("ClientKeyExchange", "16"),
    ("Finished", "20"),
    ("CertificateStatus", "22"),
];

/// Returns the type of each handshake message of a message.
fn handshake_type(message: &OwnedMessage) -> Vec<String> {
    let summary = message.summary.split([',', ' ']).filter(|_| is_whole(message));
    summary
        .filter_map(|word| HANDSHAKE.iter().find(|(name, _)| *name == word).map(|(_, kind)| (*kind).to_owned()))
        .collect()
}

fn name(message: &OwnedMessage) -> Vec<String> {
    let name = message.summary.strip_prefix("ClientHello ").and_then(|rest| rest.split(',').next());
    name.map(str::to_owned).into_iter().collect()
}

const fn case(capture: &'static str, field: &'static str, values: fn(&OwnedMessage) -> Vec<String>) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field, values, differs: &[] }
}

const fn records(capture: &'static str) -> Case {
    case(capture, "tls.record.content_type", content_type)
}

const fn handshakes(capture: &'static str) -> Case {
    case(capture, "tls.handshake.type", handshake_type)
}

pub(crate) const CASES: &[Case] = &[
    records("tls-tls-1.2-stream-keylog.pcap"),
    handshakes("tls-tls-1.2-stream-keylog.pcap"),
    case("tls-tls-1.2-stream-keylog.pcap", "tls.handshake.extensions_server_name", name),
    records("tls-tls-fragmented-handshake.pcap.gz"),
    Case {
        differs: &[("11", 1, "ours: it is in 21 records, which form one handshake message (RFC 8446, section 5.1)")],
        ..handshakes("tls-tls-fragmented-handshake.pcap.gz")
    },
    Case { protocol: "tls", ..records("tls-xmpp-dialback-starttls.pcap") },
    Case { protocol: "tls", ..handshakes("tls-xmpp-dialback-starttls.pcap") },
    records("protocols/tls-https-generalizedtime.pcap"),
    handshakes("protocols/tls-https-generalizedtime.pcap"),
    records("protocols/tls-signed_certificate_timestamp-2.pcap"),
    handshakes("protocols/tls-signed_certificate_timestamp-2.pcap"),
    // The version of a record in the middle is broken. Ours: the next records are whole again.
    // tshark reads no further record of this side.
    Case {
        differs: &[("21", 1, "ours"), ("22", 1, "ours"), ("23", 2, "ours")],
        ..records("protocols/tls-tls1.2-late-protocol-error.pcap")
    },
    handshakes("protocols/tls-tls1.2-late-protocol-error.pcap"),
    records("test301.pcapng"),
    Case {
        differs: &[("20", -2, "tshark decrypts them with the keys in the capture")],
        ..handshakes("test301.pcapng")
    },
    handshakes("corpora/tls/alerts.pcap"),
    handshakes("corpora/tls/client-certificate.pcap"),
    handshakes("corpora/tls/resumption.pcap"),
    handshakes("corpora/tls/retry.pcap"),
    handshakes("corpora/tls/version12.pcap"),
    handshakes("corpora/tls/version13.pcap"),
];
