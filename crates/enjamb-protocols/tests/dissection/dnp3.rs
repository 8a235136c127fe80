//! DNP3: the functions of the application.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The functions in these captures, by their number.
const FUNCTIONS: &[(&str, &str)] = &[
    ("CONFIRM", "0"),
    ("READ", "1"),
    ("WRITE", "2"),
    ("SELECT", "3"),
    ("OPERATE", "4"),
    ("DIRECT_OPERATE", "5"),
    ("COLD_RESTART", "13"),
    ("WARM_RESTART", "14"),
    ("STOP_APPL", "18"),
    ("ENABLE_UNSOLICITED", "20"),
    ("DISABLE_UNSOLICITED", "21"),
    ("DELAY_MEASURE", "23"),
    ("OPEN_FILE", "25"),
    ("CLOSE_FILE", "26"),
    ("DELETE_FILE", "27"),
    ("RESPONSE", "129"),
    ("UNSOLICITED_RESPONSE", "130"),
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = FUNCTIONS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "dnp3.al.func", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] =
    &[case("protocols/dnp3-dnp3_test_data_part1.pcap"), case("protocols/dnp3-input.pcap")];
