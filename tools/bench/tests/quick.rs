//! Every contestant of every row finds what is in the input. How fast is not a matter for tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;

fn bench(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_enjamb-bench")).args(arguments).assert()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}

#[test]
fn all_find_the_same() {
    let run = bench(&["--quick"]).success();
    let printed = text(&run.get_output().stdout);
    let listed = bench(&["--list"]).success();
    let names = text(&listed.get_output().stdout);
    let rows: Vec<&str> = names.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(rows.len() > 10, "{names}");
    for row in rows {
        let table = printed.contains(&format!("### {row}\n"));
        assert!(table || printed.contains(&format!("| {row} ")), "{row} is missing");
    }
    let ours = printed.matches("\n| enjamb  ").count() + printed.matches("\n| enjamb replay  ").count();
    assert_eq!(ours, printed.matches("\n### ").count(), "one enjamb a row");
}

#[test]
fn a_row_that_does_not_exist_is_wrong_usage() {
    bench(&["--quick", "--row", "no such row"]).code(2);
    bench(&["--quick", "--only", "no such group"]).code(2);
}

/// Runs the row of Redis with a program of the peers that says `payload`.
fn beside_a_peer_that_says(payload: &str) -> assert_cmd::assert::Assert {
    let target = tempfile::tempdir().expect("a folder");
    let program = target.path().join("release/enjamb-peers");
    fs::create_dir(target.path().join("release")).expect("a folder in it");
    fs::write(&program, format!("#!/bin/sh\necho '{payload}'\n")).expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it may run");
    Command::new(env!("CARGO_BIN_EXE_enjamb-bench"))
        .args(["--quick", "--only", "captures", "--row", "Redis"])
        .env("CARGO_TARGET_DIR", target.path())
        .assert()
}

#[test]
fn who_counts_something_else_is_shown_with_what_it_counted() {
    let run = beside_a_peer_that_says(r#"{"payload":12}"#).success();
    let printed = text(&run.get_output().stdout);
    let wrong = printed.lines().filter(|line| line.contains("; it counts 12 bytes of payload of ")).count();
    assert_eq!(wrong, 3, "{printed}");
}

#[test]
fn who_says_nothing_that_can_be_read_fails_the_run() {
    let run = beside_a_peer_that_says("many").failure();
    let complaint = text(&run.get_output().stderr);
    assert!(complaint.contains("what flowscope, streams says"), "{complaint}");
}
