//! ONC RPC: calls and replies.

use enjamb::OwnedMessage;

use crate::{Case, is_whole};

fn kind(message: &OwnedMessage) -> Vec<String> {
    let known = ["call", "reply"].iter().position(|kind| *kind == message.kind).filter(|_| is_whole(message));
    known.map(|kind| kind.to_string()).into_iter().collect()
}

const fn case(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &["-Y", "tcp"], field: "rpc.msgtyp", values: kind, differs: &[] }
}

pub(crate) const CASES: &[Case] = &[
    case("protocols/rpc-nfs-mount_base.pcap"),
    case("protocols/rpc-nfs-nfs_fsinfo_bad_status.pcap"),
    case("protocols/rpc-nfs-nfs_getattr_bad_ftype.pcap"),
];
