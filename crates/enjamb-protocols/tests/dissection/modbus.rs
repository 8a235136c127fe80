//! Modbus: the functions.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The functions in these captures, by their number.
const FUNCTIONS: &[(&str, &str)] = &[
    ("Read Coils", "1"),
    ("Read Discrete Inputs", "2"),
    ("Read Holding Registers", "3"),
    ("Read Input Registers", "4"),
    ("Write Single Coil", "5"),
    ("Write Single Register", "6"),
    ("Diagnostics", "8"),
    ("Write Multiple Coils", "15"),
    ("Write Multiple Registers", "16"),
    ("Report Server ID", "17"),
    ("Mask Write Register", "22"),
    ("Read/Write Multiple Registers", "23"),
    ("Encapsulated Interface Transport", "43"),
    ("Unity (Schneider)", "90"),
];

fn value(message: &OwnedMessage) -> Vec<String> {
    if let (Some(number), true) = (message.summary.strip_prefix("function "), is_whole(message)) {
        return vec![number.to_owned()];
    }
    let known = FUNCTIONS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "modbus.func_code", values: value, differs: &[] }
}

const CLIENT_PORT: &str =
    "ours: here 502 is the client's port, and the server's one is 4446; tshark takes either for Modbus";

pub(crate) const CASES: &[Case] = &[
    case("modbus-modbusSmall.pcap"),
    Case {
        differs: &[("1", -10, CLIENT_PORT), ("42", -1, CLIENT_PORT)],
        ..case("protocols/modbus-modbus_test_data_part1.pcap")
    },
    case("protocols/modbus-modicon_test.pcap"),
    case("corpora/modbus/functions.pcap"),
    Case {
        differs: &[("3", 1, "ours: a segment ends inside its header (implementation guide, section 3.1.3)")],
        ..case("corpora/modbus/plain-socket.pcap")
    },
];
