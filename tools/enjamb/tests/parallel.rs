//! `enjamb replay -j`: the same bytes, however many threads there are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The captures of this project, and those that others recorded where they are: in `$ENJAMB_CAPTURES`, or beside the project.
fn captures() -> Vec<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut captures = vec![project.join("corpora")];
    let beside = project.join("../shared/captures");
    let others = std::env::var_os("ENJAMB_CAPTURES").map_or(beside, PathBuf::from);
    if others.is_dir() {
        captures.push(others);
    } else {
        let message = format!("skipped in part: no captures at {} (set ENJAMB_CAPTURES)", others.display());
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("{message}");
    }
    captures
}

fn replay(jobs: &str, arguments: &[&str], captures: &[PathBuf]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
    command.args(["replay", "--jobs", jobs]).args(arguments).args(captures).output().unwrap()
}

#[test]
fn however_many_threads_there_are_the_same_bytes_are_written() {
    let captures = captures();
    for arguments in [
        &["--format", "text"][..],
        &["--format", "jsonl"],
        &["--format", "csv"],
        &["--summary"],
        &["--summary", "--format", "json"],
        &["--filter", "side == \"server\" && length > 100", "--show", "hex"],
        &["--protocol", "lines", "--summary", "--format", "jsonl"],
    ] {
        let alone = replay("1", arguments, &captures);
        assert!(alone.stdout.len() > 500, "{arguments:?}: {}", String::from_utf8_lossy(&alone.stderr));
        for jobs in ["2", "4", "7"] {
            let shared = replay(jobs, arguments, &captures);
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

#[test]
fn no_threads_at_all_is_wrong_usage() {
    assert_eq!(replay("0", &[], &captures()).status.code(), Some(2));
}
