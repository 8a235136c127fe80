//! Every contestant of every row finds all frames of its input. Tests do not check speed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use assert_cmd::Command;

fn bench(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_enjamb-bench")).args(arguments).assert()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the output is UTF-8")
}

#[test]
fn every_row_is_measured_and_starts_with_enjamb() {
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
    // The tables on tuning compare enjamb with itself.
    let (printed, _) = printed.split_once("## tuning").expect("the group is there");
    let ours = printed.matches("\n| enjamb  ").count() + printed.matches("\n| enjamb replay  ").count();
    assert_eq!(ours, printed.matches("\n### ").count(), "every table has one row of enjamb");
}

#[test]
fn an_unknown_row_or_group_is_wrong_usage() {
    bench(&["--quick", "--row", "no such row"]).code(2);
    bench(&["--quick", "--only", "no such group"]).code(2);
}

/// Measures the Redis capture beside a substitute for the peers' program that prints `output`.
fn measure_beside_peer(output: &str) -> assert_cmd::assert::Assert {
    let target = tempfile::tempdir().expect("a temporary folder");
    let program = target.path().join("release/enjamb-peers");
    fs::create_dir(target.path().join("release")).expect("a subfolder");
    fs::write(&program, format!("#!/bin/sh\necho '{output}'\n")).expect("the program is written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the program is executable");
    Command::new(env!("CARGO_BIN_EXE_enjamb-bench"))
        .args(["--quick", "--only", "captures", "--row", "Redis"])
        .env("CARGO_TARGET_DIR", target.path())
        .assert()
}

#[test]
fn a_peer_that_miscounts_is_shown_with_its_count() {
    let run = measure_beside_peer(r#"{"payload":12}"#).success();
    let printed = text(&run.get_output().stdout);
    let wrong = printed.lines().filter(|line| line.contains("; it counts 12 of ")).count();
    assert_eq!(wrong, 3, "{printed}");
}

#[test]
fn a_peer_with_unreadable_output_fails_the_run() {
    let run = measure_beside_peer("many").failure();
    let complaint = text(&run.get_output().stderr);
    assert!(complaint.contains("cannot read the counts of flowscope, streams"), "{complaint}");
}
