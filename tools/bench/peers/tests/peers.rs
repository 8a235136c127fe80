//! Every peer reads a whole capture and counts its contents. Tests do not check speed.

use std::path::Path;
use std::process::{Command, Output};

fn peers(arguments: &[&str]) -> Output {
    let run = Command::new(env!("CARGO_BIN_EXE_enjamb-peers")).args(arguments).output();
    run.expect("the program is built")
}

#[test]
fn all_peers_count_the_same() {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../corpora/http1/ranges.pcap");
    let capture = capture.to_str().expect("a path in UTF-8");
    for (peer, task, expected) in [
        ("flowscope", "http", r#"{"requests":4,"responses":4}"#),
        ("flowscope-parts", "http", r#"{"requests":4,"responses":4}"#),
        ("protolens", "http", r#"{"requests":4,"responses":4}"#),
        ("flowscope-parts", "streams", r#"{"payload":1706}"#),
        ("protolens", "streams", r#"{"payload":1706}"#),
        ("parse-tcp", "streams", r#"{"payload":1706}"#),
    ] {
        let output = peers(&[peer, task, capture]);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), expected, "{peer} {task}");
        assert!(output.status.success(), "{peer} {task}: {}", output.status);
    }
}

#[test]
fn an_unreadable_file_is_an_error_without_counts() {
    for (peer, task) in
        [("flowscope", "http"), ("flowscope-parts", "streams"), ("protolens", "http"), ("parse-tcp", "streams")]
    {
        for file in [concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "no such file"] {
            let output = peers(&[peer, task, file]);
            assert_eq!(output.status.code(), Some(1), "{peer} {task} {file}");
            assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{peer} {task} {file}");
        }
    }
}

#[test]
fn an_unknown_peer_or_task_is_wrong_usage() {
    for arguments in [&[][..], &["nobody", "http", "a.pcap"], &["parse-tcp", "http", "a.pcap"], &["protolens", "http"]]
    {
        assert_eq!(peers(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
