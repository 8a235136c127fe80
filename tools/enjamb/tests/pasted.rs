//! Every shell block of README.md, CONTRIBUTING.md and docs/ is pasted into a shell, as a user
//! would do.
//!
//! A block runs in a directory that looks like a clone: the entries of the repository are links,
//! and everything that a block writes is thrown away. `enjamb` is the binary under test. `cargo` is
//! a stand-in: `cargo run --release --` runs that binary, and a command that only takes time
//! (`cargo test`, `cargo fuzz run`) is not run: only the things that it names are checked.
//!
//! A block that cannot be pasted has a comment in front of it, which is the reason:
//! `<!-- not pasted: it needs a cluster -->`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The maximum time of a block.
const BLOCK_MAX: Duration = Duration::from_secs(60);

/// Programs that blocks use and that a machine may lack.
const PROGRAMS: &[&str] =
    &["redis-server", "redis-cli", "nginx", "curl", "wrk", "tshark", "editcap", "mergecap", "duckdb"];

/// The replacement of cargo. It fails for a command that is not in its list, so that somebody looks
/// at a new one.
const CARGO: &str = r#"#!/bin/sh
named() { # Checks every package, target or path that the arguments name.
    while [ $# -gt 0 ]; do
        case "$1" in
            -p) grep -rqx "name = \"$2\"" crates/*/Cargo.toml tools/*/Cargo.toml || { echo "no package $2" >&2; exit 1; }; shift;;
            --path) [ -f "$2/Cargo.toml" ] || { echo "no crate at $2" >&2; exit 1; }; shift;;
            --manifest-path) [ -f "$2" ] || { echo "no manifest at $2" >&2; exit 1; }; shift;;
        esac
        shift
    done
}
case "$*" in
    "run --release -- "*) shift 3; exec "$ENJAMB" "$@";;
    "run --release -p enjamb-bench"*|"build"*|"test"*|"clippy"*|"fmt"*|"doc"*|"install "*|"deny "*|"tree "*) named "$@";;
    "run --release --example "*|"run --example "*|"run -p "*) named "$@";;
    "+nightly fuzz run "*) [ -f "fuzz/fuzz_targets/$4.rs" ] || { echo "no target $4" >&2; exit 1; };;
    "+nightly fuzz "*) ;;
    "fuzzer "*) grep -q '^fuzzer = ' .cargo/config.toml || { echo "no alias fuzzer" >&2; exit 1; };;
    *) echo "cargo $*: not known to this test" >&2; exit 1;;
esac
"#;

/// A shell block of a page.
struct Block {
    page: PathBuf,
    line: usize,
    text: String,
    /// The reason why it is not pasted, as its page states it.
    excuse: Option<String>,
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = fs::canonicalize(root).expect("the repository");
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    pages.extend(fs::read_dir(root.join("docs")).expect("docs").map(|entry| entry.expect("an entry").path()));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    let trials = pages.iter().flat_map(|page| blocks(page)).map(|block| trial(&root, block)).collect();
    // One at a time: blocks use the ports that a person would.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit();
}

/// Returns the shell blocks of a page.
fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).expect("a page");
    let (mut blocks, mut open, mut excuse) = (Vec::new(), None::<Block>, None);
    for (at, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some("sh" | "bash" | "shell" | "console")) => {
                let (page, excuse) = (page.to_owned(), excuse.take());
                open = Some(Block { page, line: at + 1, text: String::new(), excuse });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, _) => {
                let comment = line.trim().strip_prefix("<!-- not pasted: ").and_then(|rest| rest.strip_suffix(" -->"));
                match comment {
                    Some(reason) => excuse = Some(reason.to_owned()),
                    None if line.trim().is_empty() => {}
                    None => excuse = None,
                }
            }
        }
    }
    assert!(open.is_none(), "{}: a block has no end", page.display());
    blocks
}

fn trial(root: &Path, block: Block) -> Trial {
    let page = block.page.strip_prefix(root).unwrap_or(&block.page);
    let name = format!("{}:{}", page.display(), block.line);
    let root = root.to_owned();
    Trial::ignorable_test(name, move || {
        if let Some(reason) = &block.excuse {
            return Ok(Completion::ignored_with(reason.clone()));
        }
        if let Some(program) = PROGRAMS.iter().find(|program| uses(&block.text, program) && !is_installed(program)) {
            return Ok(Completion::ignored_with(format!("{program} is not installed")));
        }
        paste(&root, &block).map(|()| Completion::Completed)
    })
}

fn uses(text: &str, program: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).any(|word| word == program)
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| folder.join(program).is_file())
}

/// Runs a block. Processes that it leaves behind end with it.
fn paste(root: &Path, block: &Block) -> Result<(), Failed> {
    let clone = tempfile::tempdir()?;
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name();
        if !matches!(name.to_str(), Some("target" | ".git")) {
            symlink(root.join(&name), clone.path().join(&name))?;
        }
    }
    let programs = tempfile::tempdir()?;
    let enjamb = env!("CARGO_BIN_EXE_enjamb");
    symlink(enjamb, programs.path().join("enjamb"))?;
    let cargo = programs.path().join("cargo");
    fs::write(&cargo, CARGO)?;
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;

    // What `cargo build --release` makes.
    fs::create_dir_all(clone.path().join("target/release"))?;
    symlink(enjamb, clone.path().join("target/release/enjamb"))?;

    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("timeout")
        // The whole group is ended, servers in the background included.
        .args(["--kill-after=5", &BLOCK_MAX.as_secs().to_string(), "bash", "-euo", "pipefail", "-m", "-c", &block.text])
        .current_dir(clone.path())
        .env("PATH", format!("{}:{path}:/usr/sbin", programs.path().display()))
        .env("ENJAMB", enjamb)
        .env("HOME", clone.path())
        .env("TMPDIR", clone.path())
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4000)..]).into_owned();
    Err(format!(
        "the block ended with {}\n--- block\n{}--- standard output\n{}--- standard error\n{}",
        output.status,
        block.text,
        shown(&output.stdout),
        shown(&output.stderr)
    )
    .into())
}
