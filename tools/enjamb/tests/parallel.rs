//! `enjamb replay --jobs`: the same output for any number of threads.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use requirements::trials;

trials! {
    always: [the_corpora_give_the_same_output_on_any_number_of_threads, zero_threads_are_wrong_usage];
    requires requirements::captures: [captures_of_others_give_the_same_output_on_any_number_of_threads];
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora")
}

fn replay(jobs: &str, arguments: &[&str], captures: &[PathBuf]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
    command.args(["replay", "--jobs", jobs]).args(arguments).args(captures).output().unwrap()
}

fn the_corpora_give_the_same_output_on_any_number_of_threads() {
    compare_outputs(&[corpora()]);
}

fn captures_of_others_give_the_same_output_on_any_number_of_threads(captures: &Path) {
    compare_outputs(&[captures.to_owned()]);
}

fn compare_outputs(captures: &[PathBuf]) {
    for arguments in [
        &["--format", "text"][..],
        &["--format", "jsonl"],
        &["--format", "csv"],
        &["--summary"],
        &["--summary", "--format", "json"],
        &["--filter", "side == \"server\" && length > 100", "--show", "hex"],
        &["--protocol", "lines", "--summary", "--format", "jsonl"],
    ] {
        let alone = replay("1", arguments, captures);
        assert!(alone.stdout.len() > 500, "{arguments:?}: {}", String::from_utf8_lossy(&alone.stderr));
        for jobs in ["2", "4", "7"] {
            let shared = replay(jobs, arguments, captures);
            assert_eq!(shared.status, alone.status, "{arguments:?}");
            assert!(shared.stderr == alone.stderr, "{arguments:?}: {}", String::from_utf8_lossy(&shared.stderr));
            if shared.stdout != alone.stdout {
                let (ours, theirs) = (String::from_utf8_lossy(&shared.stdout), String::from_utf8_lossy(&alone.stdout));
                let differs = ours.lines().zip(theirs.lines()).enumerate().find(|(_, (ours, theirs))| ours != theirs);
                panic!("{arguments:?} with {jobs} threads: {differs:?}");
            }
        }
    }
}

fn zero_threads_are_wrong_usage() {
    assert_eq!(replay("0", &[], &[corpora()]).status.code(), Some(2));
}
