//! Tests that require something which may be absent: captures from other projects, a program.
//! Without it they are reported as ignored, with the reason.
//!
//! The standard test harness cannot ignore a test at run time. So a file with such tests sets
//! `harness = false` in the manifest, and makes its `main` with [`trials`]. Other crates include
//! this file with `#[path]`, and depend on `libtest-mimic`.

#![allow(dead_code, unused_macros, unused_imports, reason = "every test file uses another part of it")]

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Trial};

/// Makes the `main` of a test file. Tests under `requires FUNCTION` get the value that the function
/// returns. If it returns an error instead, they are ignored for that reason.
///
/// ```text
/// trials! {
///     always: [a_test, another_test];
///     requires captures: [a_test_of_a_path];
/// }
/// ```
macro_rules! trials {
    ($(always: [$($always:ident),* $(,)?];)? $(requires $requirement:path: [$($test:ident),* $(,)?];)*) => {
        fn main() -> std::process::ExitCode {
            $crate::requirements::run(vec![
                $($($crate::requirements::trial(stringify!($always), || Ok(()), |(): &()| $always()),)*)?
                $($($crate::requirements::trial(stringify!($test), $requirement, $test),)*)*
            ])
        }
    };
}
pub(crate) use trials;

/// Runs tests with the arguments of the command line.
pub(crate) fn run(trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Makes a test that is ignored if `requirement` returns an error.
pub(crate) fn trial<T, B>(name: &str, requirement: fn() -> Result<T, String>, test: fn(&B)) -> Trial
where
    T: Borrow<B> + 'static,
    B: ?Sized + 'static,
{
    Trial::ignorable_test(name, move || match requirement() {
        Ok(required) => {
            test(required.borrow());
            Ok(Completion::Completed)
        }
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// Returns the folder with captures from other projects, which are not part of this one:
/// `$ENJAMB_CAPTURES`, by default `../shared/captures` beside the repository.
pub(crate) fn captures() -> Result<PathBuf, String> {
    let folder = captures_folder();
    if folder.join("golden").is_dir() {
        return Ok(folder);
    }
    Err(format!("no captures in {} (set ENJAMB_CAPTURES)", folder.display()))
}

/// Returns the script that generates captures, which is in the same folder. It requires Python.
pub(crate) fn capture_generator() -> Result<PathBuf, String> {
    let script = captures_folder().join("../tools/gen_capture.py");
    if !script.is_file() {
        return Err(format!("no script {} (set ENJAMB_CAPTURES)", script.display()));
    }
    program("python3").map(|()| script)
}

/// Checks that Wireshark's command line program can be run.
pub(crate) fn tshark() -> Result<(), String> {
    program("tshark")
}

/// Returns an error if a program cannot be run.
pub(crate) fn program(name: &str) -> Result<(), String> {
    match Command::new(name).arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!("{name} is not installed")),
    }
}

fn captures_folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    std::env::var_os("ENJAMB_CAPTURES").map_or(beside, PathBuf::from)
}
