//! The processes that read captures: enjamb, installed programs, and libraries from other projects.

use std::path::{Path, PathBuf};

use crate::captures::process::Process;

/// Libraries from other projects, with which `tools/bench/peers` reads captures: a name, its work,
/// and the arguments of that program.
const LIBRARIES: [(&str, &str, [&str; 3]); 6] = [
    ("flowscope", "owned messages; drops segments that are out of order", ["flowscope", "http", "{}"]),
    ("flowscope, by parts", "owned messages; its tracker, reassembler and parser", ["flowscope-parts", "http", "{}"]),
    ("protolens", "start lines of messages", ["protolens", "http", "{}"]),
    ("flowscope, streams", "reassembled streams, not parsed", ["flowscope-parts", "streams", "{}"]),
    ("protolens, streams", "packets in stream order", ["protolens", "streams", "{}"]),
    ("parse-tcp, streams", "reassembled streams, not parsed", ["parse-tcp", "streams", "{}"]),
];

/// Returns the contestants of a row that exist on this machine. Names the others on standard error.
pub(crate) fn installed(row: &str, protocol: &'static str, fields: &[&'static str; 2]) -> anyhow::Result<Vec<Process>> {
    let mut all = ours(protocol)?;
    all.extend(programs(fields));
    if let Some(program) = libraries_program() {
        for (name, work, arguments) in LIBRARIES {
            // None of the libraries parses another protocol than HTTP/1.
            if protocol == "http1" || arguments[1] != "http" {
                let (program, arguments) = (program.clone().into(), arguments.to_vec());
                all.push(Process { name, work, program, arguments, slow: false, prints_counts: true });
            }
        }
    } else {
        eprintln!(
            "enjamb-bench: {row}: flowscope, protolens and parse-tcp are left out, since they are not built: \
             cargo build --release --manifest-path tools/bench/peers/Cargo.toml"
        );
    }
    all.retain(|contestant| {
        let installed = contestant.is_installed();
        if !installed {
            eprintln!("enjamb-bench: {row}: {} is left out, since it is not installed", contestant.name);
        }
        installed
    });
    Ok(all)
}

/// Returns enjamb: this binary, started again.
fn ours(protocol: &'static str) -> anyhow::Result<Vec<Process>> {
    let program = std::env::current_exe()?;
    let ours = |name, work, arguments: &[&'static str]| Process {
        name,
        work,
        program: program.clone().into(),
        arguments: arguments.to_vec(),
        slow: false,
        prints_counts: false,
    };
    Ok(vec![
        ours(
            "enjamb replay",
            "sessions, pairs, statistics; one thread",
            &["replay", "--summary", "-j", "1", "--protocol", protocol, "{}"],
        ),
        ours("enjamb replay, auto", "detects the protocol; one thread", &["replay", "--summary", "-j", "1", "{}"]),
        ours(
            "enjamb replay -j 2",
            "sessions, pairs, statistics; two threads",
            &["replay", "--summary", "-j", "2", "--protocol", protocol, "{}"],
        ),
        ours(
            "enjamb replay, jsonl",
            "writes a record per message; one thread",
            &["replay", "--format", "jsonl", "-j", "1", "--protocol", protocol, "{}"],
        ),
        ours("enjamb, reassembly", "reassembled streams, not parsed", &["reassemble", "{}"]),
    ])
}

/// Returns programs that are looked up in `PATH`.
fn programs(fields: &[&'static str; 2]) -> Vec<Process> {
    let other = |name, work, program: &str, arguments: &[&'static str], slow| Process {
        name,
        work,
        program: program.into(),
        arguments: arguments.to_vec(),
        slow,
        prints_counts: false,
    };
    vec![
        other(
            "cat into wc -c",
            "reads the bytes and copies them through a pipe",
            "sh",
            &["-c", "cat \"$0\" | wc -c", "{}"],
            false,
        ),
        other("tcptrace", "follows connections, no payload", "tcptrace", &["-n", "-q", "{}"], false),
        other("tcpflow", "streams, written to files", "tcpflow", &["-r", "{}", "-o", "{folder}"], true),
        other("tshark conv,tcp", "a table of connections", "tshark", &["-r", "{}", "-q", "-z", "conv,tcp"], true),
        other(
            "tshark fields",
            "messages of the protocol",
            "tshark",
            &["-r", "{}", "-T", "fields", "-e", fields[0], "-e", fields[1]],
            true,
        ),
    ]
}

/// Returns the program that reads captures with libraries from other projects, if it is built.
pub(crate) fn libraries_program() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let program = std::path::absolute(target.join("release/enjamb-peers")).ok()?;
    program.is_file().then_some(program)
}
