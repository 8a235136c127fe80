//! The run says what is known of the entries, and `docs/zoo.md` says what the run says.

use std::process::Command;

#[test]
fn the_document_is_what_a_run_says() {
    // It takes minutes, and tells how it goes as it goes.
    let status = Command::new(env!("CARGO_BIN_EXE_zoo")).arg("--check").status().unwrap();
    assert!(status.success(), "it says above what differs");
}

#[test]
fn an_entry_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_zoo")).args(["--only", "no such crate"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such crate"));
}
