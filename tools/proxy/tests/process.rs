//! The command as a process: its signals, its exit codes, its files. This program is the tests,
//! and, when called with `proxy`, the command.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use enjamb::{Connection, Event, Tap, Time};
use enjamb_protocols::Registry;
use enjamb_proxy::Arguments;
use support::{Trap, trapped_lines};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.get(1).is_some_and(|word| word == "proxy") {
        let Cli { arguments } = Cli::parse_from(&arguments[1..]);
        return enjamb_proxy::run(&arguments, &Registry::builtin().with(trapped_lines(Trap::Feed))).unwrap().into();
    }
    let tests: [(&str, fn()); 21] = [
        ("a_signal_ends_it_with_a_summary", a_signal_ends_it_with_a_summary),
        ("a_second_signal_ends_open_connections", a_second_signal_ends_open_connections),
        ("a_proxy_that_is_killed_leaves_its_recording", a_proxy_that_is_killed_leaves_its_recording),
        ("exit_codes_tell_wrong_usage_from_other_failures", exit_codes_tell_wrong_usage_from_other_failures),
        (
            "a_handler_that_never_returns_costs_only_its_log_lines",
            a_handler_that_never_returns_costs_only_its_log_lines,
        ),
        ("hung_handlers_without_a_timeout_do_not_delay_the_end", hung_handlers_without_a_timeout_do_not_delay_the_end),
        (
            "a_second_signal_ends_a_proxy_with_hung_handlers_at_once",
            a_second_signal_ends_a_proxy_with_hung_handlers_at_once,
        ),
        ("a_log_that_nobody_reads_costs_no_connection", a_log_that_nobody_reads_costs_no_connection),
        ("lines_that_a_full_disk_costs_are_counted_everywhere", lines_that_a_full_disk_costs_are_counted_everywhere),
        ("a_recording_on_a_full_disk_is_reported_at_once", a_recording_on_a_full_disk_is_reported_at_once),
        ("a_reader_that_never_reads_does_not_delay_the_end", a_reader_that_never_reads_does_not_delay_the_end),
        ("a_named_pipe_without_a_reader_can_be_interrupted", a_named_pipe_without_a_reader_can_be_interrupted),
        ("a_limit_of_open_files_is_raised_or_reported", a_limit_of_open_files_is_raised_or_reported),
        ("signals_without_a_meaning_do_not_end_it", signals_without_a_meaning_do_not_end_it),
        ("a_failed_start_leaves_old_files_as_they_were", a_failed_start_leaves_old_files_as_they_were),
        (
            "a_configuration_that_is_read_again_ends_no_connection",
            a_configuration_that_is_read_again_ends_no_connection,
        ),
        ("a_configuration_is_checked_without_a_start", a_configuration_is_checked_without_a_start),
        ("an_authority_is_made_once_and_its_key_is_secret", an_authority_is_made_once_and_its_key_is_secret),
        ("options_of_tls_that_make_no_sense_are_refused", options_of_tls_that_make_no_sense_are_refused),
        ("certificates_are_read_again_and_no_connection_ends", certificates_are_read_again_and_no_connection_ends),
        ("secrets_of_tls_are_logged_for_wireshark", secrets_of_tls_are_logged_for_wireshark),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// A proxy in front of a server that echoes.
struct Running {
    process: Child,
    stderr: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let server = echo_server();
        let mut process = proxy(&["--listen", "127.0.0.1:0", "--upstream", &server.to_string()])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        let address = first.strip_prefix("listening on ").and_then(|rest| rest.split_once(", relaying to ")).unwrap();
        assert_eq!(address.1.trim_end(), server.to_string());
        Self { address: address.0.parse().unwrap(), process, stderr }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end. Returns its exit code and the rest of its standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + Duration::from_secs(20);
        let status = loop {
            match self.process.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > end => {
                    self.process.kill().unwrap();
                    panic!("it does not end");
                }
                None => sleep(Duration::from_millis(5)),
            }
        };
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (status.code(), said)
    }
}

fn proxy(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("proxy").args(arguments);
    command
}

fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            std::thread::spawn(move || std::io::copy(&mut socket.try_clone().unwrap(), &mut socket));
        }
    });
    address
}

fn echo(client: &mut TcpStream, bytes: &[u8]) {
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(bytes).unwrap();
    let mut back = vec![0; bytes.len()];
    client.read_exact(&mut back).unwrap();
    assert_eq!(back, bytes);
}

fn a_signal_ends_it_with_a_summary() {
    for name in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let mut running = Running::start(&["--protocol", "lines", "--log", log.to_str().unwrap()]);
        echo(&mut TcpStream::connect(running.address).unwrap(), b"one\ntwo\n");
        running.signal("USR1");
        let mut shown = String::new();
        while !shown.contains("messages") {
            assert_ne!(running.stderr.read_line(&mut shown).unwrap(), 0, "{shown}");
        }
        running.signal(name);
        let (code, said) = running.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("messages"), "{said}");
        let log = std::fs::read_to_string(&log).unwrap();
        let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!((&last["type"], &last["client"]["messages"]), (&"summary".into(), &2.into()), "{last}");
        assert_eq!(log.lines().filter(|line| line.contains(r#""type":"message""#)).count(), 4);
    }
}

fn a_second_signal_ends_open_connections() {
    let running = Running::start(&["--drain", "3600", "--quiet"]);
    let mut client = TcpStream::connect(running.address).unwrap();
    echo(&mut client, b"before the signal\n");
    running.signal("TERM");
    sleep(Duration::from_millis(200));
    echo(&mut client, b"after the signal\n");
    running.signal("TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(0));
    assert!(said.contains("connections that were still open, and were reset: 1"), "{said}");
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

/// The bytes of each side.
#[derive(Default)]
struct Bytes([Vec<u8>; 2]);

impl Tap for Bytes {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Chunk { side, bytes } => self.0[side.index()].extend_from_slice(bytes),
            Event::Gap { missing, .. } => {
                panic!("{missing} bytes are missing");
            }
            Event::Open | Event::Close { .. } | Event::Done => {}
        }
    }
}

fn recorded(file: &Path) -> [Vec<u8>; 2] {
    let mut bytes = Bytes::default();
    let file = std::fs::File::open(file).unwrap();
    let report = enjamb_capture::read(file, &mut bytes, &enjamb_capture::Options::default());
    assert!(report.error.is_none());
    bytes.0
}

fn a_proxy_that_is_killed_leaves_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.pcapng");
    let running = Running::start(&["--quiet", "--record", file.to_str().unwrap()]);
    let mut client = TcpStream::connect(running.address).unwrap();
    for _ in 0..100 {
        echo(&mut client, b"what was said");
    }
    sleep(Duration::from_millis(300));
    running.signal("KILL");
    assert_eq!(running.end().0, None);
    let said = b"what was said".repeat(100);
    assert!(recorded(&file).iter().all(|side| *side == said));
}

fn exit_codes_tell_wrong_usage_from_other_failures() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.pcapng");
    std::fs::write(&kept, "precious").unwrap();
    let kept = kept.to_str().unwrap();
    let nowhere = folder.path().join("no/such/folder/log");
    let nowhere = nowhere.to_str().unwrap();
    let free = "127.0.0.1:0";
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--upstream", &taken], 2, "--listen"),
        (&["--listen", free, "--upstream", &taken, "--protocol", "u32xe"], 2, "^"),
        (&["--listen", free, "--upstream", "nonsense"], 2, "expected HOST:PORT"),
        (&["--listen", "nonsense", "--upstream", &taken], 2, "expected "),
        (&["--listen", free, "--upstream", &taken, "--max-connections", "0"], 2, "--max-connections"),
        (&["--listen", free, "--upstream", &taken, "--log", kept, "--record", kept], 2, "same file"),
        (&["--listen", &taken, "--upstream", &taken, "--record", kept], 3, "cannot listen on"),
        (&["--listen", free, "--upstream", &taken, "--log", nowhere], 3, nowhere),
        (&["--listen", free, "--upstream", &taken, "--quiet", "--record", nowhere], 3, nowhere),
    ];
    for (arguments, code, says) in cases {
        let output = proxy(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        let program = std::env::current_exe().unwrap();
        let program = format!("{} proxy: ", program.file_name().unwrap().to_string_lossy());
        assert!(said.starts_with(&program) || said.starts_with("error: "), "{arguments:?}: {said}");
    }
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "precious", "nothing is replaced before it listens");
}

fn a_log_that_nobody_reads_costs_no_connection() {
    let mut running = Running::start(&["--protocol", "lines"]);
    drop(running.process.stdout.take());
    let mut client = TcpStream::connect(running.address).unwrap();
    for _ in 0..200 {
        echo(&mut client, b"unheard\n");
        sleep(Duration::from_millis(1));
    }
    drop(client);
    running.signal("TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("it cannot be written: Broken pipe"), "{said}");
    // 2 for the connection, 400 messages, and 1 for the end.
    assert!(said.contains("the log lacks 402 records of "), "{said}");
}

fn lines_that_a_full_disk_costs_are_counted_everywhere() {
    let mut running = Running::start(&["--protocol", "lines", "--log", "/dev/full"]);
    let mut client = TcpStream::connect(running.address).unwrap();
    echo(&mut client, b"one\ntwo\n");
    let said = read_until(&mut running, "the log lost");
    assert!(said.contains("it cannot be written: No space left on device"), "{said}");
    let started = Instant::now();
    let mut sent = 2;
    while started.elapsed() < Duration::from_millis(1500) {
        echo(&mut client, b"more\n");
        sent += 1;
    }
    running.signal("USR1");
    let said = read_until(&mut running, "the log lacks");
    assert!(said.matches("the log lost").count() <= 3, "at most one a second: {said}");
    drop(client);
    sleep(Duration::from_millis(100));
    running.signal("TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("the log lacks {} records", 2 + 2 * sent)), "{sent}: {said}");
}

fn a_recording_on_a_full_disk_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let mut running = Running::start(&["--protocol", "lines", "--log", log.to_str().unwrap(), "--record", "/dev/full"]);
    let mut client = TcpStream::connect(running.address).unwrap();
    echo(&mut client, b"one\ntwo\n");
    let said = read_until(&mut running, "the recording lost");
    assert!(said.contains("it cannot be written: No space left on device"), "{said}");
    drop(client);
    sleep(Duration::from_millis(100));
    running.signal("TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the recording lacks 2 chunks of 16 bytes, 1 connections and 0 ends"), "{said}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("the recording lost"), "{log}");
    let summary: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(summary["recording_lost"]["bytes"], 16);
}

fn a_reader_that_never_reads_does_not_delay_the_end() {
    let running = Running::start(&["--protocol", "lines", "--format", "jsonl", "--drain", "100ms"]);
    let mut client = TcpStream::connect(running.address).unwrap();
    // More than a pipe takes.
    let sent = 5_000;
    for _ in 0..sent / 50 {
        echo(&mut client, &b"unread\n".repeat(50));
    }
    drop(client);
    sleep(Duration::from_millis(200));
    running.signal("INT");
    let started = Instant::now();
    let mut running = running;
    let mut stdout = running.process.stdout.take().unwrap();
    let (code, said) = running.end();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(code, Some(1), "{said}");
    let lost = said.split("the log lacks ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap();
    let mut written = String::new();
    stdout.read_to_string(&mut written).unwrap();
    assert!(written.ends_with('\n'));
    assert_eq!(written.lines().count() + lost, 2 + 2 * sent, "each line is read or counted");
}

fn a_named_pipe_without_a_reader_can_be_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for name in ["INT", "TERM"] {
        let mut process = proxy(&["--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9", "--log"])
            .arg(&pipe)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        assert!(first.contains("waiting for a reader of"), "{first}");
        let running = Running { process, stderr, address: "127.0.0.1:9".parse().unwrap() };
        running.signal(name);
        assert_eq!(running.end().0, Some(3));
    }
}

fn a_failed_start_leaves_old_files_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (log, foreign, linked) = (path("log.jsonl"), path("foreign.pcapng"), path("linked.jsonl"));
    let old = "{\"type\":\"error\",\"time\":\"2026-01-31T00:00:00.000000000Z\",\"reason\":\"old\"}\n";
    std::fs::write(&log, old).unwrap();
    std::fs::write(&foreign, "precious").unwrap();
    std::fs::hard_link(&log, &linked).unwrap();
    let new = path("new.jsonl");
    let start = ["--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"];
    let nowhere = path("no/such/folder");
    let cases: [(&[&str], i32); 4] = [
        (&["--log", &log, "--record", &nowhere], 3),
        (&["--log", &log, "--record", &foreign], 2),
        (&["--log", &log, "--record", &linked, "--force"], 2),
        (&["--log", &new, "--record", &foreign], 2),
    ];
    for (arguments, code) in cases {
        let output = proxy(&start).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), old, "{arguments:?}");
        assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "precious", "{arguments:?}");
        assert!(!Path::new(&new).exists(), "{arguments:?}");
    }
    // Standard output goes into the file of the recording.
    let both = path("both.pcapng");
    let file = std::fs::File::create(&both).unwrap();
    let output = proxy(&start).args(["--record", &both]).stdout(file).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the same file"));
}

/// The maximum time that a proxy may take to end beyond its drain time: the settle time, and a
/// margin for a busy machine.
const END_MAX: Duration = Duration::from_millis(2_000 + 3_000);

/// Reads standard error up to a line with `text`.
fn read_until(running: &mut Running, text: &str) -> String {
    let mut read = String::new();
    while !read.lines().any(|line| line.contains(text)) {
        assert_ne!(running.stderr.read_line(&mut read).unwrap(), 0, "it ended without {text}: {read}");
    }
    read
}

/// Waits for the end of the proxy. Returns the time that it took, the exit code, and the rest of
/// standard error.
fn timed_end(running: Running) -> (Duration, Option<i32>, String) {
    let started = Instant::now();
    let (code, said) = running.end();
    (started.elapsed(), code, said)
}

fn a_handler_that_never_returns_costs_only_its_log_lines() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let mut running = Running::start(&[
        "--protocol=trapped",
        "--handler-timeout=500ms",
        "--drain=1s",
        "--log",
        log.to_str().unwrap(),
    ]);
    let mut hung = TcpStream::connect(running.address).unwrap();
    echo(&mut hung, b"before\n");
    echo(&mut hung, b"trap\n");
    // The handler hangs by now, or will in a moment. Its connection and twelve later ones continue.
    let mut later: Vec<_> = (0..12).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    let block = b"a line of thirty-two bytes here\n".repeat(64);
    for _ in 0..10 {
        echo(&mut hung, &block);
        later.iter_mut().for_each(|client| echo(client, &block));
    }
    running.signal("USR1");
    let mut said = read_until(&mut running, "messages");
    if !said.contains("connection #1") {
        said += &read_until(&mut running, "connection #1");
    }
    assert!(said.contains("connection #1: the handler did not return from feed within 500ms"), "{said}");
    running.signal("USR1");
    read_until(&mut running, "handlers that did not return in time: 1");
    echo(&mut hung, b"after\n");
    running.signal("TERM");
    let (elapsed, code, said) = timed_end(running);
    assert_eq!(code, Some(0), "{said}");
    assert!(elapsed < Duration::from_secs(1) + END_MAX, "{elapsed:?}");
    assert!(said.contains("handlers that did not return in time: 1"), "{said}");

    let log = std::fs::read_to_string(&log).unwrap();
    let records: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reason = "the handler did not return from feed within 500ms";
    assert!(
        records.iter().any(|record| record["type"] == "error" && record["conn"] == 1 && record["reason"] == reason)
    );
    for number in 2..=13 {
        let lines = records.iter().filter(|record| record["conn"] == number && record["kind"] == "line").count();
        assert_eq!(lines, 2 * 10 * 64, "connection {number}");
    }
    let summary = records.last().unwrap();
    assert_eq!((&summary["type"], &summary["connections"]), (&"summary".into(), &13.into()));
    assert!(summary["errors"].to_string().contains("the handler did not return"), "{summary}");
    assert_eq!(summary["client"]["bytes"], 7 + 5 + 6 + 13 * 10 * block.len(), "every byte is counted");
}

fn hung_handlers_without_a_timeout_do_not_delay_the_end() {
    let mut running = Running::start(&["--protocol=trapped", "--handler-timeout=never", "--drain=300ms", "--quiet"]);
    let mut clients: Vec<_> = (0..8).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    for _ in 0..3 {
        clients.iter_mut().for_each(|client| echo(client, b"trap\n"));
    }
    running.signal("USR1");
    read_until(&mut running, "connections");
    running.signal("TERM");
    let (elapsed, code, said) = timed_end(running);
    assert_eq!(code, Some(0), "{said}");
    assert!(elapsed < Duration::from_millis(300) + END_MAX, "{elapsed:?}");
    assert!(said.contains("handlers that had not parsed all of their connection when the proxy ended: 8"), "{said}");
}

fn a_second_signal_ends_a_proxy_with_hung_handlers_at_once() {
    let running = Running::start(&["--protocol=trapped", "--handler-timeout=never", "--drain=3600s", "--quiet"]);
    let mut client = TcpStream::connect(running.address).unwrap();
    echo(&mut client, b"trap\n");
    running.signal("TERM");
    sleep(Duration::from_millis(200));
    echo(&mut client, b"still served\n");
    running.signal("TERM");
    let (elapsed, code, said) = timed_end(running);
    assert_eq!(code, Some(0), "{said}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}: {said}");
}

fn signals_without_a_meaning_do_not_end_it() {
    let running = Running::start(&["--quiet"]);
    let mut client = TcpStream::connect(running.address).unwrap();
    for name in ["HUP", "USR2", "ALRM", "PIPE", "VTALRM", "PROF", "XFSZ", "XCPU", "WINCH", "URG", "IO"] {
        running.signal(name);
        sleep(Duration::from_millis(20));
        echo(&mut client, b"still here\n");
    }
    drop(client);
    running.signal("TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("there is no file to open again"), "{said}");
}

fn a_limit_of_open_files_is_raised_or_reported() {
    let server = echo_server().to_string();
    for (limit, is_enough) in [("ulimit -n 200", false), ("ulimit -Sn 200", true)] {
        // `exec`: the signal is for the proxy, not for the shell.
        let script = format!("{limit} && exec \"$0\" \"$@\"");
        let mut process = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .args(["proxy", "--listen", "127.0.0.1:0", "--upstream", &server, "--quiet", "--max-connections", "150"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        stderr.read_line(&mut String::new()).unwrap();
        sleep(Duration::from_millis(200));
        let running = Running { process, stderr, address: "127.0.0.1:9".parse().unwrap() };
        running.signal("TERM");
        let (code, said) = running.end();
        assert_eq!(code, Some(0), "{said}");
        let notice = "only 200 files may be open (ulimit -n), which is enough for 68 connections, not for the 150";
        assert_eq!(said.contains(notice), !is_enough, "{limit}: {said}");
    }
}

/// Returns an address on which nothing listens now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn proxy_table(name: &str, listen: SocketAddr, upstream: SocketAddr, faults: &str) -> String {
    format!("[[proxy]]\nname = \"{name}\"\nlisten = \"{listen}\"\nupstream = \"{upstream}\"\nfaults = [{faults}]\n\n")
}

fn a_configuration_that_is_read_again_ends_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("enjamb.toml");
    let (first, second, third) = (free_address(), free_address(), free_address());
    let (server, other) = (echo_server(), echo_server());
    let tables = proxy_table("a", first, server, "") + &proxy_table("b", second, server, "");
    std::fs::write(&file, format!("quiet = true\ndrain = \"100ms\"\n{tables}")).unwrap();
    let mut process = proxy(&["--config", file.to_str().unwrap()]).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(process.stderr.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), format!("listening on {first}, relaying to {server}\n"));
    assert_eq!(line(), format!("listening on {second}, relaying to {server}\n"));
    let mut clients = [first, second].map(|address| TcpStream::connect(address).unwrap());
    clients.iter_mut().for_each(|client| echo(client, b"hello\n"));
    let hang_up = |process: &Child| {
        assert!(Command::new("kill").args(["-HUP", &process.id().to_string()]).status().unwrap().success());
    };

    // Another server, another address, a proxy less and one more.
    let tables = proxy_table("a", first, other, "") + &proxy_table("c", third, server, "\"drop,side=client\"");
    std::fs::write(&file, format!("quiet = true\n{tables}")).unwrap();
    hang_up(&process);
    assert!(line().contains("read the configuration again"));
    clients.iter_mut().for_each(|client| echo(client, b"still here\n"));
    echo(&mut TcpStream::connect(first).unwrap(), b"new server\n");
    assert!(TcpStream::connect(second).is_err());
    let mut dropped = TcpStream::connect(third).unwrap();
    dropped.write_all(b"gone\n").unwrap();

    // Something is wrong: nothing changes.
    std::fs::write(&file, format!("{tables}[[proxy]]\nname = \"a\"\n")).unwrap();
    hang_up(&process);
    assert!(line().contains("the old configuration stays: "));
    while !line().contains("missing field") {}
    clients.iter_mut().for_each(|client| echo(client, b"and here\n"));
    echo(&mut TcpStream::connect(first).unwrap(), b"as before\n");

    assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

fn a_configuration_is_checked_without_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("enjamb.toml");
    let check = |content: &str| {
        std::fs::write(&file, content).unwrap();
        let output = proxy(&["--config", file.to_str().unwrap(), "--check"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let table = |faults| proxy_table("a", free_address(), free_address(), faults);
    let (code, said) = check(&table("\"latency,latency=1s\""));
    assert!(code == Some(0) && said.contains("1 proxy"), "{said}");
    for (content, part) in [
        (table("\"latency,latency=1\""), "proxy a: fault latency,latency=1: `latency` is a time with a unit"),
        (table("'drop,match=kind ='"), "match:"),
        (format!("colour = true\n{}", table("")), "unknown field `colour`"),
        (format!("drain = \"soon\"\n{}", table("")), "drain: soon:"),
        (format!("max_connections = 0\n{}", table("")), "max_connections"),
    ] {
        let (code, said) = check(&content);
        assert!(code == Some(2) && said.contains(part), "{content}: {said}");
    }
}

/// Makes an authority. Returns its folder.
fn make_authority(folder: &Path) -> String {
    let authority = folder.join("authority");
    let output = proxy(&["ca"]).arg(&authority).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    authority.to_str().unwrap().to_owned()
}

fn an_authority_is_made_once_and_its_key_is_secret() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("new").join("authority");
    let output = proxy(&["ca"]).arg(&authority).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(said.contains("curl --cacert") && said.contains("update-ca-certificates"), "{said}");
    let key = authority.join("ca-key.pem");
    let mode = std::os::unix::fs::MetadataExt::mode(&key.metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(&key).unwrap();
    for file in ["ca-key.pem", "ca.pem"] {
        let output = proxy(&["ca"]).arg(&authority).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(" exists"), "{said}");
        assert_eq!(std::fs::read(&key).unwrap(), before);
        if file == "ca-key.pem" {
            std::fs::remove_file(authority.join("ca.pem")).unwrap();
        }
    }
}

fn options_of_tls_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = make_authority(folder.path());
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let other = make_authority(&other);
    let file = |folder: &str, name: &str| format!("{folder}/{name}");
    let certificate = file(&authority, "ca.pem");
    let foreign_key = file(&other, "ca-key.pem");
    let inconsistent = format!("--tls-cert {certificate}, --tls-key {foreign_key}: ");
    let no_certificate = format!("--upstream-ca {foreign_key}: there is no certificate in PEM");
    let start = ["--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9"];
    let cases: [(&[&str], &str); 9] = [
        (&["--tls-cert", &certificate], "--tls-key"),
        (&["--tls-cert", &certificate, "--tls-key", &foreign_key], &inconsistent),
        (&["--tls-cert", "/no/such", "--tls-key", &foreign_key], "--tls-cert: /no/such: "),
        (&["--tls-cert", &foreign_key, "--tls-key", &foreign_key], "there is no certificate in PEM"),
        (&["--tls-ca", folder.path().to_str().unwrap()], "--tls-ca: "),
        (&["--upstream-ca", &certificate], "--upstream-tls"),
        (&["--upstream-tls", "--upstream-ca", &foreign_key], &no_certificate),
        (
            &["--upstream-tls", "--upstream-name", "not a name"],
            "--upstream-name: \"not a name\" is neither a host name nor an IP address",
        ),
        (&["--upstream-tls", "--starttls", "smtp"], "--starttls needs --tls-cert or --tls-ca"),
    ];
    for (arguments, part) in cases {
        let output = proxy(&start).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    // In a file the names have no dashes.
    let config = folder.path().join("enjamb.toml");
    let table = |options: &str| {
        let table = proxy_table("a", free_address(), free_address(), "").trim_end().to_owned();
        std::fs::write(&config, format!("{table}\n{options}\n")).unwrap();
        let output = proxy(&["--config", config.to_str().unwrap(), "--check"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = table("tls_key = \"x\"");
    assert!(code == Some(2) && said.contains("proxy a: tls_key needs tls_cert"), "{said}");
    let (code, said) = table(&format!("tls_ca = \"{authority}\"\nupstream_tls = true\nstarttls = \"smtp\""));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = table("starttls = \"gopher\"");
    assert!(code == Some(2) && said.contains("gopher"), "{said}");
}

fn secrets_of_tls_are_logged_for_wireshark() {
    let folder = tempfile::tempdir().unwrap();
    let authority = make_authority(folder.path());
    let secrets = folder.path().join("secrets.log");
    let server = echo_server().to_string();
    let mut process = proxy(&["--listen", "127.0.0.1:0", "--upstream", &server, "--quiet", "--tls-ca", &authority])
        .env("SSLKEYLOGFILE", &secrets)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(process.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    let address = first.strip_prefix("listening on ").and_then(|rest| rest.split_once(", ")).unwrap().0;
    echo_tls(&mut connect_tls(address.parse().unwrap(), &authority)).unwrap();
    let text = std::fs::read_to_string(&secrets).unwrap();
    assert!(text.contains("SERVER_TRAFFIC_SECRET_0 "), "{text}");
    let mode = std::os::unix::fs::MetadataExt::mode(&secrets.metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let running = Running { process, stderr, address: address.parse().unwrap() };
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

/// A client inside TLS.
type TlsClient = tokio_rustls::rustls::StreamOwned<tokio_rustls::rustls::ClientConnection, TcpStream>;

fn connect_tls(address: SocketAddr, authority: &str) -> TlsClient {
    let config = tls_client(&format!("{authority}/ca.pem"));
    let connection = tokio_rustls::rustls::ClientConnection::new(config, "any.test".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    tokio_rustls::rustls::StreamOwned::new(connection, socket)
}

fn echo_tls(client: &mut TlsClient) -> std::io::Result<()> {
    client.write_all(b"text\n")?;
    let mut back = [0; 5];
    client.read_exact(&mut back)
}

fn certificates_are_read_again_and_no_connection_ends() {
    let folder = tempfile::tempdir().unwrap();
    let old = make_authority(folder.path());
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let new = make_authority(&other);
    let (address, file) = (free_address(), folder.path().join("enjamb.toml"));
    let current = folder.path().join("current");
    std::os::unix::fs::symlink(&old, &current).unwrap();
    let table = proxy_table("a", address, echo_server(), "");
    let options = format!("tls_ca = \"{}\"", current.display());
    std::fs::write(&file, format!("quiet = true\n{}\n{options}\n", table.trim_end())).unwrap();
    let mut process = proxy(&["--config", file.to_str().unwrap()]).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(process.stderr.take().unwrap());
    stderr.read_line(&mut String::new()).unwrap();
    let mut running = Running { process, stderr, address };
    let mut before = connect_tls(address, &old);
    echo_tls(&mut before).unwrap();

    std::fs::remove_file(&current).unwrap();
    std::os::unix::fs::symlink(&new, &current).unwrap();
    running.signal("HUP");
    read_until(&mut running, "read the configuration again");
    echo_tls(&mut connect_tls(address, &new)).unwrap();
    assert!(echo_tls(&mut connect_tls(address, &old)).is_err(), "the old certificate is gone");
    echo_tls(&mut before).unwrap();
    running.signal("TERM");
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

fn tls_client(authority: &str) -> std::sync::Arc<tokio_rustls::rustls::ClientConfig> {
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let config = tokio_rustls::rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    std::sync::Arc::new(config)
}
