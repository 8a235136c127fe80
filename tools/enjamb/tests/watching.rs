//! Traffic that is still being captured: `replay -`, `replay --follow` and `watch`.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;
mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use requirements::trials;
use serde_json::Value;
use support::{Process, enjamb, of_type, root};

trials! {
    always: [
        lines_of_a_pipe_are_written_before_it_ends, a_pipe_may_be_cut_anywhere,
        a_connection_that_was_joined_late_is_shown_at_a_pause, a_file_is_followed_as_it_grows,
        a_followed_file_may_be_replaced, follow_takes_one_file, an_interrupted_pipe_ends_with_its_totals,
        a_missing_capturing_program_is_named,
    ];
    requires capturing: [an_interface_that_does_not_exist_is_told, a_wrong_capture_filter_is_told];
    requires capturing_of_redis: [watched_traffic_of_redis_equals_a_capture_of_it];
    requires capturing_of_http: [watched_traffic_of_http_equals_a_capture_of_it];
}

/// The time after which something that should have happened never will.
const NEVER: Duration = Duration::from_secs(30);

/// The capturing programs, and the right to use them.
fn capturing() -> Result<(), String> {
    support::installed::programs(&["tcpdump", "dumpcap"])?;
    for program in ["tcpdump", "dumpcap"] {
        let mut child = Command::new(program)
            .args(["-i", "lo", "-w", "/dev/null", "-c", "1"])
            .args((program == "dumpcap").then_some("-f"))
            .arg("tcp port 1")
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        std::thread::sleep(Duration::from_millis(500));
        let ended = child.try_wait().unwrap();
        let process = Process(child);
        if ended.is_some() {
            let mut process = process;
            let mut reason = String::new();
            let _ = process.0.stderr.take().unwrap().read_to_string(&mut reason);
            return Err(format!("{program} may not capture: {}", reason.trim().replace('\n', " ")));
        }
    }
    Ok(())
}

fn capturing_of_redis() -> Result<(), String> {
    support::installed::redis_benchmark().and_then(|()| capturing())
}

fn capturing_of_http() -> Result<(), String> {
    support::installed::nginx_and_wrk().and_then(|()| capturing())
}

const ERRORS: &str = "corpora/redis/errors.pcap";

fn bytes_of(capture: &str) -> Vec<u8> {
    fs::read(root().join(capture)).unwrap()
}

/// The offsets at which the packets of a little-endian pcap begin.
fn packets(capture: &[u8]) -> Vec<usize> {
    let length = |at: usize| u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap()) as usize;
    std::iter::successors(Some(24), |&at| Some(at + 16 + length(at)).filter(|next| *next < capture.len())).collect()
}

/// The output of `replay` for a whole file.
fn replayed(arguments: &[&str]) -> String {
    let output = enjamb().arg("replay").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A run of enjamb whose output is read line by line.
struct Running {
    process: Process,
    lines: Receiver<String>,
    read: String,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Self { process: Process(child), lines, read: String::new() }
    }

    /// Waits for a line with this text.
    fn line(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(NEVER).unwrap_or_else(|_| panic!("no {text} after\n{}", self.read));
            self.read.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let stdin = self.process.0.stdin.as_mut().unwrap();
        stdin.write_all(bytes).and_then(|()| stdin.flush()).unwrap();
    }

    fn interrupt(&self) {
        let id = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Waits for the end. Returns all output, all messages and the status.
    fn end(mut self) -> (String, String, ExitStatus) {
        drop(self.process.0.stdin.take());
        while let Ok(line) = self.lines.recv_timeout(NEVER) {
            self.read.push_str(&line);
        }
        let status = wait(&mut self.process.0);
        let mut messages = String::new();
        self.process.0.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
        (self.read, messages, status)
    }
}

fn lines_of(out: ChildStdout) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|length| length > 0) && send.send(std::mem::take(&mut line)).is_ok() {}
    });
    lines
}

fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < NEVER, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn lines_of_a_pipe_are_written_before_it_ends() {
    let capture = bytes_of(ERRORS);
    let packets = packets(&capture);
    let expected = replayed(&[ERRORS]);
    let mut running = Running::new(enjamb().args(["replay", "-"]));
    for (at, end) in packets.iter().zip(packets[1..].iter().chain([&capture.len()])) {
        running.write(if *at == 24 { &capture[..*end] } else { &capture[*at..*end] });
        if *at == packets[10] {
            // The handshake, and the first command with its reply.
            running.line("opened");
            running.line("client ->");
            running.line("server <-");
        }
    }
    let (output, messages, status) = running.end();
    assert!(status.success() && messages.is_empty(), "{messages}");
    assert_eq!(output, expected);
}

fn a_pipe_may_be_cut_anywhere() {
    let capture = bytes_of(ERRORS);
    let expected = replayed(&["--format", "jsonl", ERRORS]);
    for piece in [1, 7, 4_096] {
        let mut running = Running::new(enjamb().args(["replay", "--format", "jsonl", "-"]));
        for (number, bytes) in capture.chunks(piece).enumerate() {
            running.write(bytes);
            // Long enough for some pauses in the midst of packets.
            if number % 2_000 == 999 || piece > 7 {
                std::thread::sleep(Duration::from_millis(120));
            }
        }
        let (output, messages, status) = running.end();
        assert!(status.success() && messages.is_empty(), "{messages}");
        assert_eq!(output, expected, "in pieces of {piece}");
    }
}

fn a_connection_that_was_joined_late_is_shown_at_a_pause() {
    let capture = bytes_of(ERRORS);
    let packets = packets(&capture);
    // Without the handshake, and far fewer packets than a replay waits for earlier ones.
    let mut running = Running::new(enjamb().args(["replay", "--protocol", "redis", "-"]));
    running.write(&capture[..24]);
    running.write(&capture[packets[3]..packets[8]]);
    running.line("client ->");
    running.line("server <-");
    let (_, messages, status) = running.end();
    assert!(status.success() && messages.is_empty(), "{messages}");
}

fn a_file_is_followed_as_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.pcap");
    let capture = bytes_of(ERRORS);
    let packets = packets(&capture);
    let mut file = File::create(&path).unwrap();
    file.write_all(&capture[..packets[10]]).unwrap();
    let mut running = Running::new(enjamb().args(["replay", "--follow"]).arg(&path));
    running.line("server <-");
    // Half of a packet, then the rest of the file.
    file.write_all(&capture[packets[10]..packets[11] - 5]).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    file.write_all(&capture[packets[11] - 5..]).unwrap();
    running.line("ended");
    running.interrupt();
    let (output, messages, status) = running.end();
    assert!(status.success() && messages.is_empty(), "{messages}");
    assert_eq!(output, replayed(&[ERRORS]));
}

fn a_followed_file_may_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rotated.pcap");
    fs::write(&path, bytes_of(ERRORS)).unwrap();
    let mut running = Running::new(enjamb().args(["replay", "--follow", "--format", "jsonl"]).arg(&path));
    running.line("\"event\":\"end\"");
    let next = folder.path().join("next");
    fs::write(&next, bytes_of("corpora/http1/chunked.pcap")).unwrap();
    fs::rename(&next, &path).unwrap();
    running.line("\"protocol\":\"http1\"");
    // Truncated, as by a program that copies its captures away.
    let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    file.write_all(&bytes_of("corpora/redis/resp3-types.pcap")).unwrap();
    running.line("\"protocol\":\"redis\"");
    running.interrupt();
    let (output, messages, status) = running.end();
    assert!(status.success() && messages.is_empty(), "{messages}");
    let files = [ERRORS, "corpora/http1/chunked.pcap", "corpora/redis/resp3-types.pcap"];
    let messages = |text: &str| -> Vec<Value> {
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|record| record["type"] == "message").collect()
    };
    assert_eq!(messages(&output), messages(&replayed(&[&["--format", "jsonl"], &files[..]].concat())));
}

fn follow_takes_one_file() {
    for (arguments, reason) in [
        (&["--follow", ERRORS, ERRORS][..], "--follow is for one file"),
        (&["--follow", "corpora"], "this is a directory"),
        (&["--follow", "-"], "standard input is read as it comes"),
    ] {
        let output = enjamb().arg("replay").args(arguments).output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{messages}");
        assert!(messages.contains(reason), "{messages}");
    }
}

fn an_interrupted_pipe_ends_with_its_totals() {
    let mut running = Running::new(enjamb().args(["replay", "--format", "jsonl", "-"]));
    running.write(&bytes_of(ERRORS));
    running.line("\"event\":\"end\"");
    running.interrupt();
    // The pipe stays open: a program that does not end must not keep enjamb from ending.
    let summary: Value = serde_json::from_str(&running.line("\"type\":\"summary\"")).unwrap();
    assert!(summary["client"]["messages"].as_u64().unwrap() > 0);
    let (_, messages, status) = running.end();
    assert!(status.success() && messages.is_empty(), "{messages}");
}

fn a_missing_capturing_program_is_named() {
    let output = enjamb().args(["watch", "-i", "lo"]).env("PATH", "/nowhere").output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{messages}");
    assert!(messages.contains("dumpcap or tcpdump is not installed"), "{messages}");
    assert_eq!(messages.lines().count(), 1, "{messages}");
}

fn an_interface_that_does_not_exist_is_told(_: &()) {
    for program in ["dumpcap", "tcpdump"] {
        let output = enjamb().args(["watch", "-i", "nowhere", "--capture-with", program]).output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{messages}");
        assert!(messages.contains("there is no network interface nowhere; there are "), "{messages}");
        assert_eq!(messages.lines().count(), 1, "{messages}");
    }
}

fn a_wrong_capture_filter_is_told(_: &()) {
    for program in ["dumpcap", "tcpdump"] {
        let arguments = ["watch", "-i", "lo", "--capture-with", program, "--capture-filter", "tcp prot 1"];
        let output = enjamb().args(arguments).output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{messages}");
        assert!(messages.contains(&format!("{program} failed: ")) && messages.contains("filter"), "{messages}");
    }
}

fn watched_traffic_of_redis_equals_a_capture_of_it(_: &()) {
    let (_server, address) = support::redis();
    for program in ["dumpcap", "tcpdump"] {
        let port = address.port().to_string();
        watched_equals_captured(
            &port,
            program,
            Command::new("redis-benchmark").args([
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-n",
                "5000",
                "-c",
                "10",
                "-P",
                "3",
                "-q",
                "-t",
                "set,get,lrange",
            ]),
        );
    }
}

fn watched_traffic_of_http_equals_a_capture_of_it(_: &()) {
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = support::nginx(folder.path(), "location / { return 200 'hello'; }");
    let port = address.port().to_string();
    let url = format!("http://{address}/");
    watched_equals_captured(&port, "dumpcap", Command::new("wrk").args(["-t1", "-c4", "-d1s", &url]));
}

/// Watches the traffic of `load` with `program`, beside tcpdump. The messages must be the same.
fn watched_equals_captured(port: &str, program: &str, load: &mut Command) {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("beside.pcap");
    let mut running = Running::new(enjamb().args([
        "watch",
        "-i",
        "lo",
        "--port",
        port,
        "--capture-with",
        program,
        "--format",
        "jsonl",
    ]));
    let beside = Command::new("tcpdump")
        .args(["-i", "lo", "-B", "65536", "-w"])
        .arg(&capture)
        .args(["tcp", "port", port])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut beside = Process(beside);
    wait_until_capturing(&capture, port, &mut running);
    let output = load.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(output.success(), "{output}");
    // Both programs write what the kernel gave them last.
    std::thread::sleep(Duration::from_millis(1_500));
    running.interrupt();
    let id = beside.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let (watched, messages, status) = running.end();
    assert!(status.success() && messages.is_empty(), "{messages}");
    wait(&mut beside.0);
    let captured = replayed(&["--format", "jsonl", capture.to_str().unwrap()]);
    let messages = |text: &str| -> Vec<Value> {
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut messages: Vec<Value> = of_type(&records, "message");
        for message in &mut messages {
            // The two captures number connections that only one of them has seen.
            message
                .as_object_mut()
                .unwrap()
                .retain(|field, _| !["conn", "time", "latency_us"].contains(&field.as_str()));
        }
        messages.sort_by_key(|message| {
            (message["client"].to_string(), message["side"].to_string(), message["offset"].as_u64())
        });
        messages
    };
    let (watched, captured) = (messages(&watched), messages(&captured));
    assert!(watched.len() > 1_000, "{} messages", watched.len());
    assert_eq!(watched.len(), captured.len());
    let different = watched.iter().zip(&captured).find(|(watched, captured)| watched != captured);
    assert!(different.is_none(), "{different:?}");
}

/// Opens connections until both programs have seen one, which shows that they capture.
fn wait_until_capturing(capture: &Path, port: &str, running: &mut Running) {
    let started = Instant::now();
    let mut has_watched = false;
    loop {
        drop(std::net::TcpStream::connect(("127.0.0.1", port.parse().unwrap())));
        std::thread::sleep(Duration::from_millis(100));
        while let Ok(line) = running.lines.try_recv() {
            has_watched |= line.contains("\"open\"");
            running.read.push_str(&line);
        }
        if has_watched && fs::metadata(capture).is_ok_and(|file| file.len() > 24) {
            return;
        }
        // tcpdump writes whole blocks.
        if has_watched && started.elapsed() > Duration::from_secs(2) && capture.exists() {
            return;
        }
        assert!(started.elapsed() < NEVER, "nothing is captured");
    }
}
