//! `enjamb replay --against` and `--serve`: one side of a capture, played to real servers and
//! clients, and to some that misbehave.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;
mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use requirements::trials;
use serde_json::Value;
use support::{Proxy, enjamb, free_port, nginx, of_type, redis, said};

trials! {
    always: [a_request_that_followed_an_answer_waits_for_the_answer, a_silent_server_is_waited_for_until_the_timeout, a_server_that_disconnects_or_sends_too_much_is_a_difference, every_kind_of_wrong_answer_is_reported, a_difference_shows_no_secrets, concurrent_limits_the_number_of_connections, the_recorded_pace_is_kept_only_where_it_is_asked_for, unreachable_servers_and_unplayable_captures_are_reported, wrong_silent_and_surplus_clients_are_reported];
    requires support::installed::redis_server: [a_real_redis_gives_the_recorded_answers_across_connections];
    requires support::installed::redis: [a_redis_with_other_data_differs, a_redis_key_expires_at_the_recorded_pace, redis_cli_talks_to_a_recording];
    requires support::installed::nginx: [nginx_gives_the_recorded_answers_except_volatile_fields, nginx_gives_the_recorded_answers_on_concurrent_connections, curl_talks_to_a_recording_until_an_interrupt];
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn against(server: SocketAddr, arguments: &[&str]) -> Ran {
    let mut command = enjamb();
    command.args(["replay", "--against", &server.to_string()]).args(arguments);
    ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// The records of a comparison.
fn compared(server: SocketAddr, arguments: &[&str]) -> Vec<Value> {
    let ran = against(server, &[&["--format", "jsonl"], arguments].concat());
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Records a conversation between a client and a server.
fn record(server: SocketAddr, folder: &Path, converse: impl FnOnce(u16)) -> PathBuf {
    let recording = folder.join("recording.pcapng");
    let proxy = Proxy::start(server, &["--quiet", "--record", recording.to_str().unwrap()]);
    converse(proxy.address.port());
    proxy.stop();
    recording
}

fn a_real_redis_gives_the_recorded_answers_across_connections(&(): &()) {
    let (_server, address) = redis();
    for capture in ["inline-commands.pcap", "pubsub-resp2.pcap", "protocol-errors.pcap", "pipeline-benchmark.pcapng"] {
        let ran = against(address, &[&format!("corpora/redis/{capture}")]);
        assert_eq!(ran.code, 0, "{capture}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("answers from the server in the recording"), "{}", ran.out);
    }
    // The number of the connection differs each time.
    let plain = against(address, &["corpora/redis/pubsub-resp3.pcap"]);
    assert!(plain.code == 1 && plain.out.contains("answer 1, to HELLO 3:"), "{}", plain.out);
    for mask in ["volatile", "answer:HELLO", r"/id\r\n:\d+/"] {
        let masked = against(address, &["--ignore", mask, "corpora/redis/pubsub-resp3.pcap"]);
        assert_eq!(masked.code, 0, "{mask}: {}", masked.out);
    }
}

fn a_redis_with_other_data_differs(&(): &()) {
    let (_server, address) = redis();
    let folder = tempfile::tempdir().unwrap();
    let cli = |port: u16, arguments: &[&str]| {
        said(Command::new("redis-cli").args(["-p", &port.to_string()]).args(arguments));
    };
    let recording = record(address, folder.path(), |port| {
        cli(port, &["get", "poem"]);
        cli(port, &["rpush", "lines", "one", "two"]);
        cli(port, &["lrange", "lines", "0", "-1"]);
    });
    let recording = recording.to_str().unwrap();
    cli(address.port(), &["flushall"]);
    assert_eq!(against(address, &[recording]).code, 0);

    cli(address.port(), &["set", "poem", "ode"]);
    let ran = against(address, &[recording]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("answer 1, to get poem:\n  - reply (nil)\n  + reply \"ode\"\n"), "{}", ran.out);
    assert!(ran.out.contains("      - \"*2\\r\\n\"\n      + \"*4\\r\\n\"\n"), "what differs inside of it: {}", ran.out);

    let records = compared(address, &["--compare", "kind", recording]);
    let differences = of_type(&records, "difference");
    assert!(differences.is_empty(), "a reply is a reply: {differences:?}");
    let records = compared(
        address,
        &["--ignore", "answer:GET", "--ignore", "answer:RPUSH", "--ignore", "answer:LRANGE", recording],
    );
    assert_eq!(records.last().unwrap()["same"], 3);
}

fn nginx_gives_the_recorded_answers_except_volatile_fields(&(): &()) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("verse.txt"), "Thou still unravish'd bride of quietness,\nThou foster-child\n")
        .unwrap();
    let (_server, address) = nginx(
        folder.path(),
        "location = /time { add_header X-Took $msec; return 200 \"$msec\"; } location = /gone { return 410; }",
    );
    let recording = record(address, folder.path(), |port| {
        let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
        said(Command::new("curl").args(["-s", "-H", "Host: a", &url("verse.txt"), &url("gone"), &url("verse.txt")]));
        said(Command::new("curl").args(["-sI", "-H", "Host: a", &url("verse.txt")]));
    });
    let recording = recording.to_str().unwrap();
    let ran = against(address, &["--ignore", "volatile", recording]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("4 answers from the server in the recording, 4 the same"), "{}", ran.out);

    std::fs::write(folder.path().join("verse.txt"), "Thou still unravish'd bride of quietness,\nThou foster-sister\n")
        .unwrap();
    let ran = against(
        address,
        &["--ignore", "header:date", "--ignore", "header:etag", "--ignore", "header:last-*", recording],
    );
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("- \"Thou foster-child\\n\"\n      + \"Thou foster-sister\\n\""), "{}", ran.out);
    assert!(ran.out.contains("- \"Content-Length: "), "{}", ran.out);
    assert!(!ran.out.contains("410 Gone"), "that one is the same: {}", ran.out);
    assert!(!ran.out.contains("Date:"), "{}", ran.out);
}

/// A server of one connection, which runs `what` with it.
fn server(what: impl FnOnce(std::net::TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        what(socket);
    });
    (address, thread)
}

fn transcript(folder: &Path, protocol: &str, entries: &str) -> String {
    let path = folder.join("conversation.txt");
    std::fs::write(&path, format!("enjamb transcript 1\nprotocol {protocol}\n{entries}")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Returns whether there are bytes to read, after a while in which they would have come.
fn has_more(socket: &std::net::TcpStream) -> bool {
    std::thread::sleep(Duration::from_millis(150));
    socket.set_nonblocking(true).unwrap();
    let more = socket.peek(&mut [0]).is_ok_and(|length| length > 0);
    socket.set_nonblocking(false).unwrap();
    more
}

fn read_exactly(socket: &mut std::net::TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    socket.read_exact(&mut read).unwrap();
    assert_eq!(read, bytes);
}

fn a_request_that_followed_an_answer_waits_for_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    // The player waits by messages if they are known, whatever their length, and by bytes
    // otherwise.
    for (protocol, first, rest) in [("lines", "longer", "\n"), ("opaque", "he", "re\n")] {
        let conversation = transcript(
            folder.path(),
            protocol,
            "@1 client\n  \"a\\n\"\n@2 client\n  \"b\\n\"\n@3 server\n  \"he\"\n@4 server\n  \"re\\n\"\n@5 client\n  \"c\\n\"\n@6 client closed\n@7 server closed\n",
        );
        let (address, thread) = server(move |mut socket| {
            read_exactly(&mut socket, b"a\nb\n");
            assert!(!has_more(&socket), "the third is sent only after the answer");
            socket.write_all(first.as_bytes()).unwrap();
            assert!(!has_more(&socket), "and that is not whole");
            socket.write_all(rest.as_bytes()).unwrap();
            read_exactly(&mut socket, b"c\n");
            assert_eq!(socket.read(&mut [0]).unwrap(), 0, "it ends its stream as it did");
        });
        let ran = against(address, &[&conversation]);
        thread.join().unwrap();
        assert_eq!(ran.code, i32::from(protocol == "lines"), "the line is another: {}", ran.out);
    }
}

fn a_silent_server_is_waited_for_until_the_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let entries = "@1 client\n  \"a\\n\"\n@2 server\n  \"x\\n\"\n@3 client\n  \"b\\n\"\n@4 server\n  \"y\\n\"\n@5 client closed\n@6 server closed\n";
    let conversation = transcript(folder.path(), "lines", entries);
    let (address, thread) = server(|mut socket| {
        read_exactly(&mut socket, b"a\n");
        // A message that was never sent is not sent twice: the next one is answered.
        read_exactly(&mut socket, b"b\n");
        socket.write_all(b"y\n").unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    });
    let ran = against(address, &["--timeout", "0.3", &conversation]);
    thread.join().unwrap();
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("answer 1 is missing:\n  - line \"x\"\n"), "{}", ran.out);
    assert!(ran.out.contains("once the peer's next message did not come within the timeout"), "{}", ran.out);

    let (address, thread) = server(|mut socket| {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap_or_default();
    });
    let ran = against(address, &["--timeout", "0.1", &conversation]);
    thread.join().unwrap();
    assert!(ran.code == 1 && ran.out.contains("is missing"), "{}", ran.out);
}

fn a_server_that_disconnects_or_sends_too_much_is_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    let entries = "@1 client\n  \"a\\n\"\n@2 server\n  \"x\\n\"\n@3 client\n  \"b\\n\"\n@4 server\n  \"y\\n\"\n";
    let conversation = transcript(folder.path(), "lines", entries);
    let (address, thread) = server(|mut socket| {
        read_exactly(&mut socket, b"a\n");
        socket.write_all(b"x\n").unwrap();
    });
    let ran = against(address, &[&conversation]);
    thread.join().unwrap();
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("answer 2 is missing"), "{}", ran.out);

    let (address, thread) = server(|mut socket| {
        let flood = vec![b'z'; 1 << 20];
        while socket.write_all(&flood).is_ok() {}
    });
    let ran = against(address, &[&conversation]);
    thread.join().unwrap();
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("the peer sent more than 16777"), "{}", ran.out);
}

fn every_kind_of_wrong_answer_is_reported() {
    const ENTRIES: &str = "@1 client\n  \"PING\\r\\n\"\n@2 server\n  \"+PONG\\r\\n\"\n@3 client\n  \"PING\\r\\n\"\n@4 server\n  \"+PONG\\r\\n\"\n@5 client closed\n@6 server closed\n";
    // The answers to the first and to the second request, and the way in which the stream ends.
    type Answers = (&'static [u8], &'static [u8], bool);
    let cases: [(Answers, &[&str]); 6] = [
        ((b"+PONG\r\n", b"+PONG\r\n", false), &["2 answers from the server in the recording, 2 the same\n"]),
        ((b"+PONG\r\n", b"+PONG\r\n+MORE\r\n", false), &["answer 3 is not in the recording:\n  + reply MORE\n"]),
        (
            (b"+PONG\r\n", b"-ERR no\r\n", false),
            &["answer 2, to PING:\n  - reply PONG\n  + reply failed (ERR) (error) ERR no\n"],
        ),
        (
            (b"\x00\x01 garbage\r\n", b"\xff\xff\r\n", false),
            &["  + reply malformed (unknown type)", "  + unparsed incomplete (after a malformed message)"],
        ),
        ((b"+PONG\r\n", b"+PO", false), &["  + reply incomplete ("]),
        (
            (b"+PONG\r\n", b"", true),
            &["answer 2, to PING is missing", "the end of the stream:\n  - closed\n  + reset\n"],
        ),
    ];
    for ((first, second, resets), expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let conversation = transcript(folder.path(), "redis", ENTRIES);
        let (address, thread) = server(move |mut socket| {
            read_exactly(&mut socket, b"PING\r\n");
            socket.write_all(first).unwrap();
            if resets {
                // Unread bytes at the close of a socket make it a reset.
                while !has_more(&socket) {}
                return;
            }
            read_exactly(&mut socket, b"PING\r\n");
            socket.write_all(second).unwrap();
            assert_eq!(socket.read(&mut [0]).unwrap(), 0);
        });
        let ran = against(address, &["--timeout", "1", &conversation]);
        thread.join().unwrap();
        assert_eq!(ran.code, i32::from(expected.len() > 1 || second != b"+PONG\r\n"), "{}{}", ran.out, ran.err);
        for part in expected {
            assert!(ran.out.contains(part), "{part} in {}", ran.out);
        }
    }
}

fn a_difference_shows_no_secrets() {
    const ENTRIES: &str = "@1 client\n  \"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"\n@2 server\n  \"HTTP/1.1 200 OK\\r\\nX-A: 1\\r\\nSet-Cookie: hunter2\\r\\nContent-Length: 0\\r\\n\\r\\n\"\n";
    let folder = tempfile::tempdir().unwrap();
    let conversation = transcript(folder.path(), "http1", ENTRIES);
    // The answer, and what the difference shows without and with `--secrets`.
    for (field, cookie, shown, secret) in [
        ("2", "hunter2", "- \"X-A: 1\\r\\n\"\n", "\"Set-Cookie: hunter2\\r\\n\""),
        ("2", "hunter3", "- \"X-A: 1\\r\\n\"\n", "- \"Set-Cookie: hunter2\\r\\n\"\n"),
        ("1", "hunter3", "(the difference is in a secret: --secrets shows it)\n", "+ \"Set-Cookie: hunter3\\r\\n\"\n"),
    ] {
        for with_secrets in [false, true] {
            let answer =
                format!("HTTP/1.1 200 OK\r\nX-A: {field}\r\nSet-Cookie: {cookie}\r\nContent-Length: 0\r\n\r\n");
            let (address, thread) = server(move |mut socket| {
                read_exactly(&mut socket, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                socket.write_all(answer.as_bytes()).unwrap();
            });
            let arguments: &[&str] = if with_secrets { &["--secrets", &conversation] } else { &[&conversation] };
            let ran = against(address, &[&["--timeout", "1"], arguments].concat());
            thread.join().unwrap();
            assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
            let expected = if with_secrets { secret } else { shown };
            assert!(ran.out.contains(expected), "{expected} in {}", ran.out);
            assert_eq!(ran.out.contains("hunter"), with_secrets, "{}", ran.out);
        }
    }
}

/// A server of many connections, each with a line that is echoed when `together` of them are there.
/// Returns the maximum number of connections at a time.
fn together_server(connections: usize, together: usize) -> (SocketAddr, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut most = 0;
        for _ in 0..connections / together {
            let mut sockets: Vec<_> = (0..together).map(|_| listener.accept().unwrap().0).collect();
            // One more connection would have come by now, if it did not wait for these.
            std::thread::sleep(Duration::from_millis(150));
            listener.set_nonblocking(true).unwrap();
            sockets.extend(listener.accept().map(|(socket, _)| socket));
            listener.set_nonblocking(false).unwrap();
            most = most.max(sockets.len());
            for socket in &mut sockets {
                socket.set_nonblocking(false).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                read_exactly(socket, b"line\n");
                socket.write_all(b"line\n").unwrap();
                assert_eq!(socket.read(&mut [0]).unwrap(), 0);
            }
        }
        most
    });
    (address, thread)
}

fn concurrent_limits_the_number_of_connections() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..6 {
        let entries = "@1 client\n  \"line\\n\"\n@2 server\n  \"line\\n\"\n@3 client closed\n@4 server closed\n";
        let text = format!("enjamb transcript 1\nprotocol lines\n{entries}");
        std::fs::write(folder.path().join(format!("{number}.txt")), text).unwrap();
    }
    let folder = folder.path().to_str().unwrap();
    for (option, together) in
        [(&["--concurrent", "3"][..], 3), (&["--concurrent", "1"], 1), (&["--concurrent", "6"], 6)]
    {
        let (address, thread) = together_server(6, together);
        let ran = against(address, &[option, &[folder]].concat());
        assert_eq!((ran.code, thread.join().unwrap()), (0, together), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("6 answers from the server in the recording, 6 the same"), "{}", ran.out);
    }
}

fn the_recorded_pace_is_kept_only_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let entries = |gap: &str| {
        format!(
            "@0 client\n  \"a\\n\"\n@0.1 server\n  \"x\\n\"\n@{gap} client\n  \"b\\n\"\n@{gap} server\n  \"y\\n\"\n@{gap} client closed\n@{gap} server closed\n"
        )
    };
    let answering = || {
        server(|mut socket| {
            read_exactly(&mut socket, b"a\n");
            socket.write_all(b"x\n").unwrap();
            read_exactly(&mut socket, b"b\n");
            socket.write_all(b"y\n").unwrap();
            assert_eq!(socket.read(&mut [0]).unwrap(), 0);
        })
    };
    for options in [&["--pace", "recorded"][..], &["--pace", "recorded", "--concurrent", "2"]] {
        let conversation = transcript(folder.path(), "lines", &entries("0.7"));
        let (address, thread) = answering();
        let started = std::time::Instant::now();
        // Silence in the recording does not count as silence of the peer.
        let ran = against(address, &[options, &["--timeout", "0.2", &conversation]].concat());
        thread.join().unwrap();
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(started.elapsed() >= Duration::from_millis(700), "{:?}", started.elapsed());
    }
    // An hour of the recording: this must end.
    let conversation = transcript(folder.path(), "lines", &entries("3600"));
    let (address, thread) = answering();
    let ran = against(address, &[&conversation]);
    thread.join().unwrap();
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

fn a_redis_key_expires_at_the_recorded_pace(&(): &()) {
    let (_server, address) = redis();
    let folder = tempfile::tempdir().unwrap();
    let recording = record(address, folder.path(), |port| {
        let cli = |arguments: &[&str]| said(Command::new("redis-cli").args(["-p", &port.to_string()]).args(arguments));
        assert_eq!(cli(&["set", "mayfly", "x", "px", "100"]), "OK\n");
        std::thread::sleep(Duration::from_millis(1000));
        assert_eq!(cli(&["get", "mayfly"]), "\n");
    });
    let ran = against(address, &["--pace", "recorded", recording.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("2 answers from the server in the recording, 2 the same"), "{}", ran.out);
}

fn nginx_gives_the_recorded_answers_on_concurrent_connections(&(): &()) {
    let folder = tempfile::tempdir().unwrap();
    let verse = "Thou still unravish'd bride of quietness,\n".repeat(500);
    std::fs::write(folder.path().join("verse.txt"), verse).unwrap();
    let (_server, address) = nginx(folder.path(), "location = /gone { return 410; }");
    let recording = record(address, folder.path(), |port| {
        for _ in 0..10 {
            let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
            said(Command::new("curl").args(["-s", "-H", "Host: a", &url("verse.txt"), &url("gone")]));
        }
    });
    let ran = against(address, &["--ignore", "volatile", "--concurrent", "4", recording.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("10 connections played to"), "{}", ran.out);
    assert!(ran.out.contains("20 answers from the server in the recording, 20 the same"), "{}", ran.out);
}

fn unreachable_servers_and_unplayable_captures_are_reported() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let ran = against(nobody, &["corpora/redis/errors.pcap"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("--against 127.0.0.1:") && ran.err.contains("refused"), "{}", ran.err);

    let ran = against(nobody, &["--ignore", "headr:date", "corpora/redis/errors.pcap"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("expected header:NAME"), "{}", ran.err);

    for options in [&["--summary"][..], &["--recut", "coalesce"], &["--serve", "127.0.0.1:0"], &["--format", "csv"]] {
        let ran = against(nobody, &[options, &["corpora/redis/errors.pcap"]].concat());
        assert_eq!(ran.code, 2, "{options:?} does not go with it: {}", ran.err);
    }

    let folder = tempfile::tempdir().unwrap();
    let entries = "@1 client\n  \"a\\n\"\n@2 client gap 100\n@3 client\n  \"b\\n\"\n";
    let ran = against(nobody, &[&transcript(folder.path(), "lines", entries)]);
    assert_eq!(ran.code, 3, "nothing was compared: {}", ran.err);
    assert!(
        ran.out.contains("not played: #1") && ran.out.contains("100 bytes of the client are missing"),
        "{}",
        ran.out
    );

    let ran = against(nobody, &["nowhere.pcap"]);
    assert_eq!(ran.code, 3);
}

/// A server made of a recording, and its port.
fn serve(arguments: &[&str]) -> (Child, u16) {
    let mut command = enjamb();
    command.args(["replay", "--serve", "127.0.0.1:0"]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find_map(|word| word.trim_end_matches(',').parse::<SocketAddr>().ok());
    (child, address.unwrap_or_else(|| panic!("the first line does not say where it listens: {line}")).port())
}

fn redis_cli_talks_to_a_recording(&(): &()) {
    let (server, address) = redis();
    let folder = tempfile::tempdir().unwrap();
    let converse = |port: u16, key: &str| {
        let cli = |arguments: &[&str]| said(Command::new("redis-cli").args(["-p", &port.to_string()]).args(arguments));
        [cli(&["set", key, "ode"]), cli(&["get", key]), cli(&["lpush", key, "x"])]
    };
    let mut answers = None;
    let recording = record(address, folder.path(), |port| answers = Some(converse(port, "poem")));
    drop(server);
    let recording = recording.to_str().unwrap();

    let (child, port) = serve(&[recording]);
    assert_eq!(Some(converse(port, "poem")), answers, "it hears what it heard");
    let ran = ended(child);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("3 connections served") && ran.out.contains("3 messages from the clients"), "{}", ran.out);

    let (child, port) = serve(&[recording]);
    converse(port, "song");
    let ran = ended(child);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("- \"poem\\r\\n\"\n      + \"song\\r\\n\""), "{}", ran.out);
}

fn wrong_silent_and_surplus_clients_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let entries = "@1 client\n  \"a\\n\"\n@2 server\n  \"x\\n\"\n@3 client\n  \"b\\n\"\n@4 server\n  \"y\\n\"\n@5 client closed\n@6 server closed\n";
    let conversation = transcript(folder.path(), "lines", entries);
    let connect = |port: u16| {
        let socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    };
    let everything = |socket: &mut std::net::TcpStream| {
        let mut read = Vec::new();
        // A reset is an end too.
        let _ = socket.read_to_end(&mut read);
        String::from_utf8(read).unwrap()
    };
    // The bytes that the client sends at once, the bytes that it gets, and the report.
    let cases: [(&str, &str, &[&str]); 4] = [
        ("a\nb\n", "x\ny\n", &["1 connection served", "2 messages from the clients in the recording, 2 the same"]),
        ("a\nc\n", "x\ny\n", &["message 2:\n  - line \"b\"\n  + line \"c\"\n"]),
        ("a\nb\nc\n", "x\ny\n", &["message 3 is not in the recording:\n  + line \"c\"\n"]),
        ("", "x\ny\n", &["message 1 is missing", "message 2 is missing"]),
    ];
    for (sends, gets, expected) in cases {
        let (child, port) = serve(&["--timeout", "0.3", &conversation]);
        let mut socket = connect(port);
        socket.write_all(sends.as_bytes()).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(everything(&mut socket), gets, "to {sends:?}");
        let ran = ended(child);
        assert_eq!(ran.code, i32::from(sends != "a\nb\n"), "{}", ran.out);
        for part in expected {
            assert!(ran.out.contains(part), "{part} in {}", ran.out);
        }
    }
    // A silent client is waited for, and then gets the messages that the others got.
    let (child, port) = serve(&["--timeout", "0.2", &conversation]);
    let mut silent = connect(port);
    assert_eq!(everything(&mut silent), "x\ny\n");
    drop(silent);
    let ran = ended(child);
    assert!(ran.code == 1 && ran.out.contains("did not come within the timeout"), "{}", ran.out);

    // While the one recorded connection is served, others are turned away.
    let (child, port) = serve(&["--timeout", "20", &conversation]);
    let mut first = connect(port);
    first.write_all(b"a\n").unwrap();
    let mut answer = [0; 2];
    first.read_exact(&mut answer).unwrap();
    assert_eq!((&answer, everything(&mut connect(port)).as_str()), (b"x\n", ""));
    first.write_all(b"b\n").unwrap();
    first.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(everything(&mut first), "y\n");
    let ran = ended(child);
    assert!(ran.code == 0 && ran.out.contains("1 client turned away: all recorded connections"), "{}", ran.out);
}

fn curl_talks_to_a_recording_until_an_interrupt(&(): &()) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("verse.txt"), "Thou still unravish'd bride of quietness\n").unwrap();
    let (server, address) = nginx(folder.path(), "");
    let get = |port: u16| {
        let url = format!("http://127.0.0.1:{port}/verse.txt");
        said(Command::new("curl").args(["-s", &url, &url]))
    };
    let recording = record(address, folder.path(), |port| {
        get(port);
        get(port);
    });
    drop(server);
    let (child, port) = serve(&["--ignore", "header:host", recording.to_str().unwrap()]);
    assert_eq!(get(port), "Thou still unravish'd bride of quietness\n".repeat(2));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = ended(child);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("no client came for: #2 "), "{}", ran.out);
}
