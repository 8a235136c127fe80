//! The exit codes of every command, and the files that no command may replace.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const ERRORS: &str = "corpora/redis/errors.pcap";
const MALFORMED: &str = "corpora/redis/protocol-errors.pcap";

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

fn enjamb(arguments: &[impl AsRef<OsStr>]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
    command.args(arguments).current_dir(root()).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command line, in which `{}` is `folder`, and checks its exit code.
fn check(code: i32, line: &str, folder: &Path) -> Output {
    let words: Vec<_> = line.split(' ').map(|word| word.replace("{}", folder.to_str().unwrap())).collect();
    let output = enjamb(&words);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{line}\n{error}");
    assert!(!error.contains("panicked"), "{line}\n{error}");
    // Silence is no way to report a failure.
    assert!(matches!(code, 0 | 1) || !error.is_empty(), "{line}");
    output
}

/// A folder with a damaged capture, a capture without payload, a file that is no capture, and
/// transcripts.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let whole = fs::read(root().join(ERRORS)).unwrap();
    fs::write(path("cut.pcap"), &whole[..whole.len() - 7]).unwrap();
    fs::write(path("no-packets.pcap"), &whole[..24]).unwrap();
    fs::write(path("notes.txt"), "no capture").unwrap();
    fs::write(path("ping.txt"), "enjamb transcript 1\nprotocol redis\n@0 client\n  \"PING\\r\\n\"\n").unwrap();
    fs::write(path("silent.txt"), "enjamb transcript 1\nprotocol redis\n@0 client closed\n").unwrap();
    fs::write(path("gone.txt"), "enjamb transcript 1\nprotocol gone\n@0 client\n  \"a\"\n").unwrap();
    folder
}

#[test]
fn every_command_has_the_exit_codes_of_the_table() {
    let folder = folder();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = format!(
        "\
0 replay {ERRORS}
0 replay --strict {ERRORS}
1 replay --strict {MALFORMED}
1 replay --strict {MALFORMED} missing.pcap
3 replay --strict {ERRORS} missing.pcap
3 replay --strict {ERRORS} {{}}/cut.pcap
3 replay --strict {ERRORS} {{}}/notes.txt
3 replay --strict --summary --format json {ERRORS} {{}}/gone.txt
0 replay {ERRORS} missing.pcap
0 replay {{}}/cut.pcap
3 replay missing.pcap
3 replay {{}}/notes.txt
3 replay -
2 replay
2 replay --no-such-option {ERRORS}
2 replay --protocol redsi {ERRORS}
2 replay --filter kind {ERRORS} --filter kind
2 replay --filter nothing==1 {ERRORS}
2 replay --format json {ERRORS}
2 replay --format parquet {ERRORS}
2 replay --summary --format csv {ERRORS}
2 replay --out {{}}/new {ERRORS}
2 replay --jobs 0 {ERRORS}
2 replay --jobs 257 {ERRORS}
2 replay -j 100000 {ERRORS}
2 replay -j 99999999999999999999 {ERRORS}
0 replay -j 256 {ERRORS}
2 replay -c 0 {ERRORS}
0 replay -c 3 {ERRORS}
2 replay --summary --show hex {ERRORS}
2 replay --show-max 4 {ERRORS}
2 replay --color always --format jsonl {ERRORS}
2 replay --color always --summary {ERRORS}
2 replay --force {ERRORS}
2 replay --html {{}}/r.html -j 2 {ERRORS}
2 replay -c 1 -j 2 {ERRORS}
2 replay --recut every-byte -j 2 {ERRORS}
2 replay --hung-after 1s {ERRORS}
2 replay --timeout 1s {ERRORS}
3 replay --html nowhere/report.html {ERRORS}
3 replay --html {{}} {ERRORS}
2 replay --format parquet --out {{}} {ERRORS}
3 replay --format parquet --out /proc/nowhere {ERRORS}
0 replay --list {ERRORS}
0 replay --list {{}}/ping.txt
3 replay --list missing.pcap
3 replay --list {ERRORS} missing.pcap
3 replay --list {{}}/notes.txt
3 replay --list {{}}/*.cap
2 replay --list --filter kind== {ERRORS}
2 replay --list --format parquet --summary {ERRORS}
2 replay --list --follow {ERRORS}
0 replay --recut every-byte {ERRORS}
3 replay --recut every-byte missing.pcap
3 replay --recut every-byte {ERRORS} missing.pcap
3 replay --recut every-byte {{}}/cut.pcap
3 replay --recut every-byte {{}}/no-packets.pcap
3 replay --recut every-byte {{}}/silent.txt
3 replay --recut every-byte --format jsonl {{}}/silent.txt
3 replay --recut every-byte --conn 99 {ERRORS}
2 replay --recut every-byte --recut-max 0 {ERRORS}
2 replay --recut nothing {ERRORS}
2 replay --against nonsense {ERRORS}
2 replay --against 127.0.0.1 {ERRORS}
2 replay --against 127.0.0.1:x {ERRORS}
2 replay --against 127.0.0.1:65536 {ERRORS}
2 replay --against 127.0.0.1:0 {ERRORS}
2 replay --against :80 {ERRORS}
2 replay --against ::1:80 {ERRORS}
3 replay --against {free} {ERRORS}
3 replay --against no-such-host.invalid:80 {ERRORS}
3 replay --against {free} missing.pcap
2 replay --serve nonsense {ERRORS}
2 replay --serve 127.0.0.1:65536 {ERRORS}
3 replay --serve {busy} {ERRORS}
3 replay --serve 192.0.2.1:1 {ERRORS}
3 replay --serve 127.0.0.1:0 missing.pcap
2 proxy
2 proxy --listen 127.0.0.1:0
2 proxy --listen nonsense --upstream 127.0.0.1:1
2 proxy --listen 127.0.0.1:0 --upstream nonsense
2 proxy --listen 127.0.0.1:65536 --upstream 127.0.0.1:1
2 proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:0
2 proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --protocol redsi
2 proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --quiet --force
2 proxy --listen {free} --upstream {free}
3 proxy --listen {busy} --upstream 127.0.0.1:1
3 proxy --listen 192.0.2.1:1 --upstream 127.0.0.1:1
3 proxy --listen 127.0.0.1:0 --upstream no-such-host.invalid:1
3 proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --log nowhere/log
3 proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --record nowhere/log
0 corpus extract --out {{}}/seeds {ERRORS}
2 corpus extract {ERRORS}
2 corpus extract --out {{}}/seeds --protocol redsi {ERRORS}
2 corpus extract --out {{}}/seeds --max-files 0 {ERRORS}
3 corpus extract --out {{}}/seeds missing.pcap
3 corpus extract --out {{}}/notes.txt {ERRORS}
0 corpus show {{}}/ping.txt
3 corpus show missing.txt
3 corpus show {{}}/gone.txt
2 corpus show
0 corpus to-test {{}}/ping.txt
2 corpus to-test {{}}/silent.txt
2 corpus to-test {{}}/gone.txt
3 corpus to-test missing.txt
3 corpus to-test {{}}/notes.txt
0 protocols
2 protocols --no-such-option
0 completions bash
2 completions csh
0 man
0 man --out {{}}/man
2 man --force
3 man --out {{}}/notes.txt
0 --version
0 replay --version
0 corpus extract --version
0 --help
0 replay --help
0 help
2 no-such-command",
        busy = busy.local_addr().unwrap(),
    );
    for line in table.lines() {
        let (code, arguments) = line.split_once(' ').unwrap();
        check(code.parse().unwrap(), arguments, folder.path());
    }
}

#[test]
fn the_help_of_every_command_has_the_table() {
    let codes = ["  0  done", "  1  done, and found", "  2  wrong usage", "  3  something could not be read"];
    let commands =
        ["", "replay", "proxy", "corpus extract", "corpus show", "corpus to-test", "protocols", "completions", "man"];
    for command in commands {
        for option in ["-h", "--help"] {
            let help = text(&enjamb(&[command.split_whitespace().collect(), vec![option]].concat()).stdout);
            for code in codes {
                assert!(help.contains(code), "{command} {option}: {help}");
            }
            assert!(help.contains("Examples:") || command == "protocols", "{command}");
        }
        let version = text(&enjamb(&[command.split_whitespace().collect(), vec!["--version"]].concat()).stdout);
        assert!(version.contains(env!("CARGO_PKG_VERSION")), "{command}: {version}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for arguments in [
        &["protocols"][..],
        &["man"],
        &["completions", "bash"],
        &["replay", ERRORS],
        &["replay", "--list", "corpora"],
        &["replay", "--summary", ERRORS],
        &["replay", "--format", "csv", ERRORS],
        &["replay", "--recut", "coalesce", ERRORS],
        &["corpus", "show", "corpora/asynchat", "corpora/redis"],
        &["--help"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
        command.args(arguments).current_dir(root()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        let code = child.wait().unwrap().code();
        let expected = if arguments[0] == "corpus" { 3 } else { 0 };
        assert_eq!(code, Some(expected), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{arguments:?}: {error}");
    }
}

/// Everything in a folder: the names, and the content of each file.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

#[test]
fn no_output_replaces_an_input_or_a_file_that_enjamb_did_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, from) in
        [("a.pcap", ERRORS), ("b.pcap", MALFORMED), ("c.pcapng", "corpora/redis/pipeline-benchmark.pcapng")]
    {
        fs::copy(root().join(from), path(name)).unwrap();
    }
    fs::write(path("notes.txt"), "mine").unwrap();
    fs::write(path("page.html"), "<!DOCTYPE html>\n<html><head><title>mine</title></head></html>").unwrap();
    fs::write(path("seed"), "enjamb transcript 1\nprotocol redis\n@0 client\n  \"PING\\r\\n\"\n").unwrap();
    fs::write(path("data.jsonl"), "{\"type\":\"message\",\"text\":\"mine\"}\n").unwrap();
    fs::hard_link(path("a.pcap"), path("hard.pcap")).unwrap();
    symlink(path("a.pcap"), path("soft.pcap")).unwrap();
    symlink(path("page.html"), path("soft.html")).unwrap();
    fs::create_dir(path("sub")).unwrap();
    let before = snapshot(folder.path());
    for line in [
        // The name of the report was forgotten: `--html *.pcap`.
        "replay --summary --html {}/a.pcap {}/b.pcap {}/c.pcapng",
        "replay --html {}/a.pcap {}/a.pcap",
        "replay --html {}/a.pcap {}/hard.pcap",
        "replay --html {}/hard.pcap {}/a.pcap",
        "replay --html {}/soft.pcap {}/a.pcap",
        "replay --html {}/sub/../a.pcap {}/a.pcap",
        "replay --html {}/seed {}/seed",
        "replay --html {}/a.pcap {}",
        "replay --html {}/a.pcap {}/*.pcap",
        "replay --html {}/c.pcapng --format jsonl {}/a.pcap",
        "replay --html {}/notes.txt {}/a.pcap",
        "replay --html {}/page.html {}/a.pcap",
        "replay --html {}/soft.html {}/a.pcap",
        "replay --html {}/data.jsonl {}/a.pcap",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --log {}/b.pcap",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --log {}/notes.txt",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --log {}/data.jsonl",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --record {}/a.pcap",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --record {}/c.pcapng",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --log {}/new.log --record {}/soft.pcap",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --log {}/new.log --record {}/sub/../new.log",
        "proxy --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --log {}/page.html --record {}/new.pcapng",
        "replay --format parquet --out {} {}/a.pcap",
        "replay --format parquet --out {}/a.pcap {}/a.pcap",
    ] {
        check(2, line, folder.path());
        assert!(snapshot(folder.path()) == before, "{line}: a file was changed");
    }
    // A manual page of somebody else, and beside it none of enjamb's.
    fs::write(path("sub/enjamb-proxy.1"), ".TH mine 1").unwrap();
    let before = snapshot(&path("sub"));
    check(2, "man --out {}/sub", folder.path());
    assert!(snapshot(&path("sub")) == before, "all pages or none");
    check(0, "man --force --out {}/sub", folder.path());
    check(0, "man --out {}/sub", folder.path());
}

#[test]
fn standard_output_and_input_count_as_outputs_and_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    fs::copy(root().join(ERRORS), &path).unwrap();
    let before = fs::read(&path).unwrap();
    for (command, from_standard_input) in [
        (&["replay", "PATH"][..], false),
        (&["replay", "--format", "jsonl", "-"], true),
        (&["replay", "--recut", "coalesce", "PATH"], false),
        (&["corpus", "extract", "--out", "FOLDER", "PATH"], false),
        (&["replay", "--html", "PATH", "-"], true),
    ] {
        let names = |word: &&str| match *word {
            "PATH" => path.to_str().unwrap().to_owned(),
            "FOLDER" => folder.path().join("seeds").to_str().unwrap().to_owned(),
            word => word.to_owned(),
        };
        let stdin = if from_standard_input { fs::File::open(&path).unwrap().into() } else { Stdio::null() };
        let out = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_enjamb"))
            .args(command.iter().map(names))
            .stdin(stdin)
            .stdout(out)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {}", text(&output.stderr));
        assert!(fs::read(&path).unwrap() == before, "{command:?}: the input was changed");
    }
}

#[test]
fn reports_and_pages_of_enjamb_are_replaced_and_force_replaces_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let report = format!("replay --summary --html {{}}/report.html {ERRORS}");
    check(0, &report, folder.path());
    let first = fs::read(path("report.html")).unwrap();
    fs::hard_link(path("report.html"), path("link.html")).unwrap();
    check(0, &format!("replay --summary --html {{}}/link.html {MALFORMED}"), folder.path());
    assert!(fs::read(path("report.html")).unwrap() != first, "a link to a report is that report");
    fs::write(path("empty"), "").unwrap();
    check(0, &format!("replay --summary --html {{}}/empty {ERRORS}"), folder.path());
    symlink(path("later.html"), path("dangling")).unwrap();
    check(0, &format!("replay --summary --html {{}}/dangling {ERRORS}"), folder.path());
    assert!(path("later.html").exists());
    check(0, &format!("replay --summary --html /dev/null {ERRORS}"), folder.path());
    fs::write(path("notes.txt"), "mine").unwrap();
    check(0, &format!("replay --summary --force --html {{}}/notes.txt {ERRORS}"), folder.path());
    assert!(text(&fs::read(path("notes.txt")).unwrap()).starts_with("<!DOCTYPE html>"));
    fs::copy(root().join(ERRORS), path("a.pcap")).unwrap();
    check(0, "replay --summary --force --html {}/a.pcap {}/a.pcap", folder.path());
}

#[test]
fn the_proxy_replaces_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let start = |log: &str, more: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_enjamb"))
            .args(["proxy", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1", "--log"])
            .arg(path(log))
            .args(more)
            .arg("--record")
            .arg(path("traffic.pcapng"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let mut first = [0; 9];
        stderr.read_exact(&mut first).unwrap();
        let listens = &first == b"listening";
        if listens {
            let mut line = String::new();
            let mut byte = [0];
            while stderr.read_exact(&mut byte).is_ok() && byte[0] != b',' {
                line.push(byte[0].into());
            }
            let address = line.rsplit(' ').next().unwrap().to_owned();
            // One connection, so that the log has records.
            drop(std::net::TcpStream::connect(address));
            let begun = Instant::now();
            while fs::metadata(path(log)).unwrap().len() == 0 && begun.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(10));
            }
            Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        }
        let code = child.wait().unwrap().code();
        (code, listens)
    };
    for (log, more) in [("log.txt", &[][..]), ("log.jsonl", &[]), ("log", &["--format", "jsonl"])] {
        for _ in 0..2 {
            assert_eq!(start(log, more), (Some(0), true), "{log}");
        }
        let lines = fs::read_to_string(path(log)).unwrap();
        assert!(lines.starts_with("--- 20") || lines.starts_with("{\"type\":\"error\""), "{lines}");
    }
    // A log without traffic has only the summary, or nothing.
    fs::write(path("mine.txt"), "mine").unwrap();
    assert_eq!(start("mine.txt", &[]).0, Some(2));
    assert_eq!(start("mine.txt", &["--force"]), (Some(0), true));
}
