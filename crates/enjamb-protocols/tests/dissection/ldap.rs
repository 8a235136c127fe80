//! LDAP: the operations.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

/// The operations, by their number.
const OPERATIONS: [&str; 26] = [
    "bindRequest",
    "bindResponse",
    "unbindRequest",
    "searchRequest",
    "searchResEntry",
    "searchResDone",
    "modifyRequest",
    "modifyResponse",
    "addRequest",
    "addResponse",
    "delRequest",
    "delResponse",
    "modDNRequest",
    "modDNResponse",
    "compareRequest",
    "compareResponse",
    "abandonRequest",
    "",
    "",
    "searchResRef",
    "",
    "",
    "",
    "extendedReq",
    "extendedResp",
    "intermediateResponse",
];

fn value(message: &OwnedMessage) -> Vec<String> {
    let known = OPERATIONS.iter().position(|name| *name == message.kind);
    known.filter(|_| is_whole(message)).map(|number| number.to_string()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "ldap.protocolOp", values: value, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("ldap-ldap-starttls.pcap"),
    case("protocols/ldap-ldap-krb5-sign-seal-01.pcap"),
    case("protocols/ldap-sasl-ntlm.pcap"),
    case("protocols/ldap-sasl-scram-sha-512.pcap"),
    case("corpora/ldap/changes.pcap"),
    case("corpora/ldap/errors.pcap"),
    Case {
        differs: &[("2", 1, "ours: it is in two segments, of which the first has one byte (RFC 4511, section 5.2)")],
        ..case("corpora/ldap/pipelined.pcap")
    },
    case("corpora/ldap/searches.pcap"),
    case("corpora/ldap/starttls.pcap"),
];
