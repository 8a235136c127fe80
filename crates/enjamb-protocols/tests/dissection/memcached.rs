//! Memcached: the commands of the text protocol, and the operations of the binary one.

use enjamb::{OwnedMessage, Side};

use crate::{Case, is_whole};

fn command(message: &OwnedMessage) -> Vec<String> {
    if message.side == Side::Client && is_whole(message) { vec![message.kind.clone()] } else { Vec::new() }
}

fn reply(message: &OwnedMessage) -> Vec<String> {
    // tshark has a field for the others.
    let is_word = !matches!(message.kind.as_str(), "number" | "VALUE");
    if message.side == Side::Server && is_whole(message) && is_word { vec![message.kind.clone()] } else { Vec::new() }
}

fn operation(message: &OwnedMessage) -> Vec<String> {
    let code = match message.kind.as_str() {
        "set" => 1,
        "quit" => 7,
        "getk" => 12,
        "stat" => 16,
        _ => return Vec::new(),
    };
    if is_whole(message) { vec![code.to_string()] } else { Vec::new() }
}

const fn commands(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "memcache.command", values: command, differs: &[] }
}

const fn replies(capture: &'static str) -> Case {
    Case { capture, protocol: "auto", tshark: &[], field: "memcache.response", values: reply, differs: &[] }
}

const END: &str = "ours: tshark stops behind a value, and does not show the END of its reply";
const STAT: &str = "ours: tshark takes the statistics of the second segment for commands";

pub(crate) const CASES: &[Case] = &[
    Case {
        capture: "memcache_bin_tcp_stats.pcap",
        protocol: "auto",
        tshark: &[],
        field: "memcache.opcode",
        values: operation,
        differs: &[],
    },
    commands("memcache_text_tcp_multi_store_load.pcap"),
    Case { differs: &[("END", 1, END)], ..replies("memcache_text_tcp_multi_store_load.pcap") },
    commands("protocols/memcached-memcache_text_tcp_counter_ops.pcap"),
    Case { differs: &[("END", 1, END)], ..replies("protocols/memcached-memcache_text_tcp_counter_ops.pcap") },
    commands("protocols/memcached-memcache_text_tcp_single_load_store.pcap"),
    replies("protocols/memcached-memcache_text_tcp_single_load_store.pcap"),
    Case { differs: &[("STAT", -52, STAT)], ..commands("protocols/memcached-memcache_text_tcp_stats.pcap") },
    Case {
        differs: &[("STAT", 52, STAT), ("END", 2, END)],
        ..replies("protocols/memcached-memcache_text_tcp_stats.pcap")
    },
];
