//! Ways to reach the proxy beside a TCP port, and what it does with some of the connections.

mod echo;
#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use echo::echo_server;
use enjamb_monitor::Format;
use enjamb_protocols::Registry;
use enjamb_proxy::{Configuration, LogTarget, Proxy, Report, Route};
use requirements::trials;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

trials! {
    always: [
        unix_sockets_are_relayed_on_both_sides, a_socket_that_was_left_behind_is_replaced_and_others_are_not,
        clients_name_their_server_with_socks5, clients_name_their_server_with_connect,
        servers_that_no_rule_allows_are_refused, one_of_several_connections_is_a_sample,
        a_malformed_message_ends_its_connection,
    ];
    requires curl: [curl_names_its_server];
}

const NEVER: Duration = Duration::from_secs(20);

fn curl() -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let is_there = path.split(':').any(|folder| Path::new(folder).join("curl").exists());
    if is_there { Ok(()) } else { Err("curl is not installed".to_owned()) }
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(3 * NEVER, test).await.expect("the test takes too long") });
}

struct Running {
    proxy: Proxy,
    folder: tempfile::TempDir,
}

impl Running {
    async fn start(listen: &str, upstream: &str, change: impl FnOnce(&mut Configuration)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let protocol = Registry::builtin().resolve("lines").unwrap();
        let mut configuration = Configuration::new(vec![Route::new("a", [listen], upstream, protocol)]);
        configuration.prints_notices = false;
        configuration.log = LogTarget::File(folder.path().join("log.jsonl"));
        configuration.format = Format::JsonLines;
        configuration.record = Some(folder.path().join("recording.pcapng"));
        change(&mut configuration);
        Self { proxy: Proxy::start(configuration).await.unwrap(), folder }
    }

    /// A proxy whose clients name their server.
    async fn forwarding(rules: &[&str]) -> Self {
        Self::start("127.0.0.1:0", "", |configuration| {
            configuration.routes[0].allow = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        })
        .await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.addresses()[0]).await.unwrap()
    }

    async fn end(mut self) -> (Vec<Value>, Report, usize) {
        self.proxy.stop().drain();
        let relay = tokio::time::timeout(NEVER, self.proxy.ended()).await.unwrap();
        let Self { proxy, folder } = self;
        let report = tokio::task::spawn_blocking(move || proxy.finish(relay)).await.unwrap();
        assert!(report.is_complete());
        let log = std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
        let recorded = connections_in(&folder.path().join("recording.pcapng"));
        (log.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), report, recorded)
    }
}

/// The number of connections in a recording.
fn connections_in(recording: &Path) -> usize {
    let opener: enjamb_monitor::Opener =
        std::sync::Arc::new(|_| Registry::builtin().resolve("lines").unwrap().session(None));
    let mut count = 0;
    let mut watch = enjamb_monitor::Watch::new(opener, |record: &enjamb_monitor::Record<'_>| {
        count += usize::from(matches!(record, enjamb_monitor::Record::Opened { .. }));
    });
    let file = std::fs::File::open(recording).unwrap();
    assert!(enjamb_capture::read(file, &mut watch, &enjamb_capture::Options::default()).error.is_none());
    drop(watch);
    count
}

fn echo_on(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reads, mut writes) = socket.split();
                tokio::io::copy(&mut reads, &mut writes).await
            });
        }
    });
}

async fn echo(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), text: &[u8]) {
    stream.write_all(text).await.unwrap();
    expect(stream, text).await;
}

async fn expect(stream: &mut (impl AsyncReadExt + Unpin), text: &[u8]) {
    let mut back = vec![0; text.len()];
    tokio::time::timeout(NEVER, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back.escape_ascii().to_string(), text.escape_ascii().to_string());
}

fn errors(log: &[Value]) -> Vec<&str> {
    log.iter().filter(|record| record["type"] == "error").map(|record| record["reason"].as_str().unwrap()).collect()
}

fn unix_sockets_are_relayed_on_both_sides() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (own, server) = (folder.path().join("own"), folder.path().join("server"));
        echo_on(&server);
        let address = |path: &Path| format!("unix:{}", path.display());
        let running = Running::start(&address(&own), &address(&server), |configuration| {
            configuration.unix_mode = 0o660;
        })
        .await;
        assert_eq!(own.metadata().unwrap().mode() & 0o777, 0o660);
        let mut clients = Vec::new();
        for number in 0..5 {
            let mut client = UnixStream::connect(&own).await.unwrap();
            echo(&mut client, format!("hello {number}\n").as_bytes()).await;
            clients.push(client);
        }
        let large = b"a line that is repeated\n".repeat(100_000);
        let (mut reads, mut writes) = clients[0].split();
        tokio::join!(async { writes.write_all(&large).await.unwrap() }, expect(&mut reads, &large));
        for mut client in clients {
            client.shutdown().await.unwrap();
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        }
        let (log, report, recorded) = running.end().await;
        assert_eq!((report.relay.connections, recorded), (5, 5));
        assert_eq!(errors(&log), [""; 0]);
        assert!(!own.exists(), "the file is removed");

        // Mixed.
        let running = Running::start("127.0.0.1:0", &address(&server), |_| {}).await;
        echo(&mut running.connect().await, b"hello\n").await;
        running.end().await;
        let running = Running::start(&address(&own), &echo_server().await.to_string(), |_| {}).await;
        echo(&mut UnixStream::connect(&own).await.unwrap(), b"hello\n").await;
        running.end().await;
    });
}

fn a_socket_that_was_left_behind_is_replaced_and_others_are_not() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listen = format!("unix:{}", path.display());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.symlink_metadata().unwrap().file_type().is_socket());
        let upstream = echo_server().await.to_string();
        let running = Running::start(&listen, &upstream, |_| {}).await;
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        echo(&mut UnixStream::connect(&path).await.unwrap(), b"hello\n").await;
        let start = async || {
            let protocol = Registry::builtin().resolve("lines").unwrap();
            let mut configuration = Configuration::new(vec![Route::new("b", [&listen], &upstream, protocol)]);
            configuration.log = LogTarget::Nowhere;
            Proxy::start(configuration).await.map(drop).unwrap_err().to_string()
        };
        assert!(start().await.contains("another process listens on it"));
        running.end().await;
        std::fs::write(&path, "precious").unwrap();
        assert!(start().await.contains("no socket"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["socket"]);
    });
}

fn clients_name_their_server_with_socks5() {
    block_on(async {
        let server = echo_server().await;
        let running = Running::forwarding(&["127.0.0.0/8:*", "localhost:*"]).await;
        let port = server.port().to_be_bytes();
        let by_address = [&[5, 1, 0, 1, 127, 0, 0, 1][..], &port].concat();
        let by_name = [&[5, 1, 0, 3, 9][..], b"localhost", &port].concat();
        for request in [by_address, by_name] {
            for piece in [1, 3, usize::MAX] {
                let mut client = running.connect().await;
                client.set_nodelay(true).unwrap();
                // Two methods, the first of which is a password.
                client.write_all(&[5, 2, 2, 0]).await.unwrap();
                expect(&mut client, &[5, 0]).await;
                for bytes in request.chunks(piece) {
                    client.write_all(bytes).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                expect(&mut client, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await;
                echo(&mut client, b"hello\n").await;
            }
        }
        // Everything at once: what follows the request is for the server.
        let mut client = running.connect().await;
        let all = [&[5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1][..], &port, b"early\n"].concat();
        client.write_all(&all).await.unwrap();
        expect(&mut client, &[&[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"early\n"].concat()).await;
        drop(client);
        let (log, report, _) = running.end().await;
        assert_eq!(report.relay.connections, 7);
        let opened = log.iter().find(|record| record["event"] == "open").unwrap();
        assert_eq!(opened["server"], server.to_string());
    });
}

fn clients_name_their_server_with_connect() {
    block_on(async {
        let server = echo_server().await;
        let running = Running::forwarding(&["127.0.0.1:*"]).await;
        let mut client = running.connect().await;
        let request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\nX: y\r\n\r\nearly\n");
        client.write_all(request.as_bytes()).await.unwrap();
        expect(&mut client, b"HTTP/1.1 200 Connection established\r\n\r\nearly\n").await;
        echo(&mut client, b"late\n").await;
        drop(client);
        for (request, status) in [
            ("GET http://127.0.0.1/ HTTP/1.1\r\n\r\n", "405 "),
            ("CONNECT nothing HTTP/1.1\r\n\r\n", "400 "),
            ("CONNECT 127.0.0.1:9;x HTTP/1.1\r\n\r\n", "400 "),
            ("CONNECT a b HTTP/1.1\r\n\r\n", "400 "),
        ] {
            let mut client = running.connect().await;
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            tokio::time::timeout(NEVER, client.read_to_string(&mut answer)).await.unwrap().unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
        }
        // Nobody listens there.
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut client = running.connect().await;
        client.write_all(format!("CONNECT {closed} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        let (log, report, _) = running.end().await;
        assert_eq!((report.relay.connections, report.relay.unconnected), (1, 1));
        assert_eq!(errors(&log).len(), 5, "{log:#?}");
    });
}

fn servers_that_no_rule_allows_are_refused() {
    block_on(async {
        let server = echo_server().await;
        let running = Running::forwarding(&["api.test:443", "127.0.0.1:1-99"]).await;
        let mut client = running.connect().await;
        client.write_all(&[5, 1, 0]).await.unwrap();
        expect(&mut client, &[5, 0]).await;
        client.write_all(&[&[5, 1, 0, 1, 127, 0, 0, 1][..], &server.port().to_be_bytes()].concat()).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [5, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
        let mut client = running.connect().await;
        client.write_all(b"CONNECT api.test.evil.test:443 HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        let (log, report, _) = running.end().await;
        assert_eq!(report.relay.connections, 0);
        let errors = errors(&log);
        assert!(errors[0].ends_with(&format!("no rule (--allow) allows {server}")), "{errors:?}");
        assert!(errors[1].ends_with("no rule (--allow) allows api.test.evil.test:443"), "{errors:?}");
    });
}

fn one_of_several_connections_is_a_sample() {
    block_on(async {
        let upstream = echo_server().await.to_string();
        let running = Running::start("127.0.0.1:0", &upstream, |configuration| {
            configuration.sample = 3.try_into().unwrap();
        })
        .await;
        for _ in 0..7 {
            let mut client = running.connect().await;
            echo(&mut client, b"hello\n").await;
            client.shutdown().await.unwrap();
            assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        }
        let (log, report, recorded) = running.end().await;
        let opened: Vec<_> = log
            .iter()
            .filter(|record| record["event"] == "open")
            .map(|record| record["conn"].as_u64().unwrap())
            .collect();
        assert_eq!(opened, [1, 4, 7]);
        assert_eq!((report.relay.connections, recorded), (7, 3));
        assert_eq!(log.last().unwrap()["connections"], 3);
    });
}

fn a_malformed_message_ends_its_connection() {
    block_on(async {
        let upstream = echo_server().await.to_string();
        for is_strict in [true, false] {
            let running = Running::start("127.0.0.1:0", &upstream, |configuration| {
                configuration.strict = is_strict;
                configuration.routes[0].protocol = Registry::builtin().resolve("lines max=10").unwrap();
            })
            .await;
            let mut good = running.connect().await;
            let mut bad = running.connect().await;
            echo(&mut good, b"fine\n").await;
            echo(&mut bad, b"fine\n").await;
            // Which of the two has number 2 is not known.
            let address = bad.local_addr().unwrap().to_string();
            bad.write_all(b"this line is much too long\n").await.unwrap();
            let mut rest = Vec::new();
            if is_strict {
                let read = tokio::time::timeout(NEVER, bad.read_to_end(&mut rest)).await.unwrap();
                assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
            } else {
                expect(&mut bad, b"this line is much too long\n").await;
                echo(&mut bad, b"and on\n").await;
            }
            echo(&mut good, b"still\n").await;
            drop((good, bad));
            let (log, ..) = running.end().await;
            let errors = errors(&log);
            if is_strict {
                assert_eq!(errors.len(), 1, "{errors:?}");
                assert!(
                    errors[0].starts_with("reset: the line of the client at offset 5 is malformed: "),
                    "{errors:?}"
                );
                let ended = log.iter().find(|record| record["event"] == "end" && record["client"] == address).unwrap();
                assert_eq!(ended["ended_by"], "proxy");
            } else {
                assert_eq!(errors, [""; 0]);
            }
        }
    });
}

fn curl_names_its_server((): &()) {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = vec![0; 4096];
                    let _ = socket.read(&mut head).await;
                    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await
                });
            }
        });
        let running = Running::forwarding(&["localhost:*", "127.0.0.1:*"]).await;
        let proxy = running.proxy.addresses()[0].to_string();
        let socks = ["--socks5-hostname", proxy.as_str()];
        let (with_address, connect) = (["--socks5", proxy.as_str()], ["--proxytunnel", "--proxy", proxy.as_str()]);
        for options in [&socks[..], &with_address, &connect] {
            let mut command = tokio::process::Command::new("curl");
            command.args(["-sS", "--noproxy", ""]).args(options).arg(format!("http://localhost:{}/", server.port()));
            let output = command.stderr(Stdio::inherit()).kill_on_drop(true).output().await.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{options:?}");
        }
        let (_, report, _) = running.end().await;
        assert_eq!(report.relay.connections, 3);
    });
}
