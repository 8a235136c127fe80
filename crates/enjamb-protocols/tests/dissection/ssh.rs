//! SSH: versions, and the numbers of packets before the encryption.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn version(message: &OwnedMessage) -> Vec<String> {
    if message.kind != "version" || !is_whole(message) {
        return Vec::new();
    }
    message.summary.strip_prefix("version ").map(str::to_owned).into_iter().collect()
}

fn number(message: &OwnedMessage) -> Vec<String> {
    let number = match message.kind.as_str() {
        "KEXINIT" => 20,
        "NEWKEYS" => 21,
        "KEX_30" => 30,
        "KEX_31" => 31,
        "KEX_32" => 32,
        "KEX_33" => 33,
        "KEX_34" => 34,
        _ => return Vec::new(),
    };
    if is_whole(message) { vec![number.to_string()] } else { Vec::new() }
}

const fn versions(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "ssh.protocol", values: version, differs: &[] }
}

const fn numbers(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "ssh.message_code", values: number, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    versions("tcp-ssh-dups.pcap"),
    numbers("tcp-ssh-dups.pcap"),
    versions("protocols/ssh-reverse-ssh.pcap"),
    numbers("protocols/ssh-reverse-ssh.pcap"),
    versions("protocols/ssh-ssh_client_sends_first_enc_pkt_with_newkeys.pcap"),
    numbers("protocols/ssh-ssh_client_sends_first_enc_pkt_with_newkeys.pcap"),
    versions("protocols/ssh-ssh_server_sends_first_enc_pkt_with_newkeys.pcap"),
    numbers("protocols/ssh-ssh_server_sends_first_enc_pkt_with_newkeys.pcap"),
    Case { tshark: &["-d", "tcp.port==2222,ssh"], ..versions("corpora/ssh/errors.pcap") },
    Case { tshark: &["-d", "tcp.port==2222,ssh"], ..numbers("corpora/ssh/errors.pcap") },
    Case { tshark: &["-d", "tcp.port==2222,ssh"], ..versions("corpora/ssh/sessions.pcap") },
    Case { tshark: &["-d", "tcp.port==2222,ssh"], ..numbers("corpora/ssh/sessions.pcap") },
];
