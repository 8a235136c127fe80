//! Diameter: the codes of commands.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The commands in these captures, by their code.
const KINDS: &[(&str, &str)] =
    &[("Capabilities-Exchange", "257"), ("Credit-Control", "272"), ("Update-Location", "316"), ("Accounting", "271")];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "diameter.cmd.code", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[case("protocols/diameter-diameter_synthetic.pcap")];
