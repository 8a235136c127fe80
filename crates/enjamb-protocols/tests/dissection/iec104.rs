//! IEC 60870-5-104: the types of ASDUs.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The types in these captures, by their number.
const KINDS: &[(&str, &str)] = &[
    ("M_SP_NA_1", "1"),
    ("M_DP_NA_1", "3"),
    ("M_ME_NA_1", "9"),
    ("M_ME_NB_1", "11"),
    ("M_ME_NC_1", "13"),
    ("M_SP_TB_1", "30"),
    ("M_ME_TF_1", "36"),
    ("C_SC_NA_1", "45"),
    ("M_EI_NA_1", "70"),
    ("C_IC_NA_1", "100"),
    ("C_CS_NA_1", "103"),
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = KINDS.iter().find(|(name, _)| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|(_, number)| (*number).to_owned()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "iec60870_asdu.typeid", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[case("protocols/iec104-JavaRMI_and_IEC_Misc.pcap")];
