//! A run must agree with the findings of the entries and with `docs/zoo.md`.

use std::process::Command;

#[test]
fn a_run_agrees_with_the_document() {
    // This takes minutes and prints its progress.
    let status = Command::new(env!("CARGO_BIN_EXE_zoo")).arg("--check").status().unwrap();
    assert!(status.success(), "the difference is printed above");
}

#[test]
fn an_unknown_entry_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_zoo")).args(["--only", "no such crate"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such crate"));
}
