//! SMB: the commands of versions 1 and 2, and the statuses.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

const COMMANDS: [&str; 20] = [
    "NEGOTIATE",
    "SESSION_SETUP",
    "LOGOFF",
    "TREE_CONNECT",
    "TREE_DISCONNECT",
    "CREATE",
    "CLOSE",
    "FLUSH",
    "READ",
    "WRITE",
    "LOCK",
    "IOCTL",
    "CANCEL",
    "ECHO",
    "QUERY_DIRECTORY",
    "CHANGE_NOTIFY",
    "QUERY_INFO",
    "SET_INFO",
    "OPLOCK_BREAK",
    "SERVER_TO_CLIENT_NOTIFICATION",
];

/// Returns each command of a message of version 2.
fn command(message: &OwnedMessage) -> Vec<String> {
    if !is_whole(message) || !COMMANDS.contains(&message.kind.as_str()) {
        return Vec::new();
    }
    let words = message.summary.split(", ").filter_map(|part| part.split(' ').next());
    words.filter_map(|word| Some(COMMANDS.iter().position(|name| *name == word)?.to_string())).collect()
}

fn netbios_type(message: &OwnedMessage) -> Vec<String> {
    let kind = match message.kind.as_str() {
        _ if !is_whole(message) => return Vec::new(),
        "session-request" => "0x81",
        "session-response" if message.code.is_some() => "0x83",
        "session-response" => "0x82",
        "session-retarget" => "0x84",
        "keep-alive" => "0x85",
        _ => "0x00",
    };
    vec![kind.to_owned()]
}

/// Returns the command of a message of version 1.
fn command1(message: &OwnedMessage) -> Vec<String> {
    let command = match message.kind.as_str() {
        _ if !is_whole(message) => return Vec::new(),
        "SMB_COM_NEGOTIATE" => "0x72",
        "SMB_COM_SESSION_SETUP_ANDX" => "0x73",
        _ => return Vec::new(),
    };
    vec![command.to_owned()]
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "smb2.cmd", values: command, differs: &[] }
}

/// A segment is missing. Without this tshark waits for it and shows nothing behind it.
const HOLED: &[&str] = &["-o", "tcp.reassemble_out_of_order:FALSE"];

const IN_BODY: &str = "ours: the missing segment lies in the data of a READ, whose length is known";

pub(crate) const CASES: &[Case] = &[
    Case { tshark: HOLED, differs: &[("8", 1, IN_BODY)], ..case("smb2-peter-minus-p191.pcap") },
    case("corpora/smb/files.pcap"),
    case("protocols/smb-kerberos445_auth.pcapng"),
    case("protocols/smb-smb2.delete-on-close-perms-delete-existing.pcap"),
    Case {
        tshark: HOLED,
        field: "nbss.type",
        values: netbios_type,
        differs: &[("0x00", 1, IN_BODY)],
        ..case("smb2-peter-minus-p191.pcap")
    },
    Case { field: "nbss.type", values: netbios_type, ..case("protocols/smb-smb_gssapi.pcap") },
    Case {
        field: "smb.cmd",
        values: command1,
        differs: &[("0xff", -2, "tshark shows that no other command follows as a command (MS-CIFS, section 2.2.3.4)")],
        ..case("protocols/smb-smb_gssapi.pcap")
    },
];
