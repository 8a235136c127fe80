//! WebSocket: the opcodes of frames.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

const OPCODES: [&str; 11] = ["continuation", "text", "binary", "", "", "", "", "", "close", "ping", "pong"];

fn opcode(message: &OwnedMessage) -> Vec<String> {
    let known = OPCODES.iter().position(|name| *name == message.kind).filter(|_| is_whole(message));
    known.map(|opcode| opcode.to_string()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "websocket.opcode", values: opcode, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("websocket-jupyter-websocket.pcap"),
    case("protocols/websocket-basic_websockets.pcap"),
    case("protocols/websocket-broker-websocket.pcap"),
    case("protocols/websocket-websocket.pcap"),
    case("corpora/websocket/closing.pcap"),
    case("corpora/websocket/compressed.pcap"),
    case("corpora/websocket/messages.pcap"),
    Case {
        differs: &[
            ("1", 1, "ours: a segment ends inside its mask (RFC 6455, section 5.2)"),
            ("3", -1, "ours: a frame with a reserved opcode has no kind (RFC 6455, section 5.2)"),
        ],
        ..case("corpora/websocket/plain-socket.pcap")
    },
];
