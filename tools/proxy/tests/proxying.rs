//! The log, the statistics and the recording of the proxy, in one process with it.

mod echo;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use echo::echo_server;
use enjamb::{Ending, Side};
use enjamb_monitor::{Format, Record, Watch};
use enjamb_protocols::{Protocol, Registry};
use enjamb_proxy::{Configuration, LogTarget, Proxy, Report, Route, StartError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn configuration(upstream: SocketAddr, protocol: Arc<Protocol>, log: LogTarget) -> Configuration {
    let mut configuration = Configuration::new(vec![Route::new("a", ["127.0.0.1:0"], upstream.to_string(), protocol)]);
    configuration.prints_notices = false;
    configuration.log = log;
    configuration.format = Format::JsonLines;
    configuration
}

async fn start(protocol: Arc<Protocol>, log: LogTarget, record: Option<&Path>) -> Proxy {
    let mut configuration = configuration(echo_server().await, protocol, log);
    configuration.record = record.map(Into::into);
    Proxy::start(configuration).await.unwrap()
}

async fn end(mut proxy: Proxy) -> Report {
    proxy.stop().drain();
    let relay = tokio::time::timeout(Duration::from_secs(20), proxy.ended()).await.unwrap();
    tokio::task::spawn_blocking(move || proxy.finish(relay)).await.unwrap()
}

async fn echo(client: &mut TcpStream, bytes: &[u8]) {
    client.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    tokio::time::timeout(Duration::from_secs(10), client.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, bytes);
}

fn lines() -> Arc<Protocol> {
    Registry::builtin().resolve("lines").unwrap()
}

/// The records of a log.
fn read_log(log: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_has_the_connection_its_messages_and_the_summary() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let proxy = start(lines(), LogTarget::File(log.clone()), None).await;
    let mut client = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    let client_address = client.local_addr().unwrap().to_string();
    for chunk in ["en", "jamb\na\x1b\nb\n", "end"] {
        echo(&mut client, chunk.as_bytes()).await;
    }
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let report = end(proxy).await;
    assert!(report.is_complete());

    let mut records = read_log(&log);
    let server = records[0]["server"].clone();
    let mut times = Vec::new();
    for record in &mut records {
        let fields = record.as_object_mut().unwrap();
        if fields["type"] != "summary" {
            assert_eq!(fields.remove("client"), Some(client_address.clone().into()));
            assert_eq!(fields.remove("server"), Some(server.clone()));
            assert_eq!(fields.remove("conn"), Some(1.into()));
            times.push(fields.remove("time").unwrap().as_str().unwrap().to_owned());
            if let Some(duration) = fields.remove("duration_us") {
                assert!(duration.as_u64().is_some());
            }
        }
    }
    assert!(times.is_sorted());
    let message = |side, offset, length, cuts, summary| {
        json!({
            "type": "message", "protocol": "lines", "side": side, "kind": "line", "offset": offset, "length": length,
            "outcome": "ok", "cuts": cuts, "summary": summary,
        })
    };
    let cut = |side| {
        json!({
            "type": "message", "protocol": "lines", "side": side, "kind": "line", "offset": 12, "length": 3,
            "outcome": "incomplete", "reason": Ending::Closed.reason(), "cuts": 0, "summary": r#""end""#,
        })
    };
    let mut expected = vec![json!({"type": "connection", "event": "open"})];
    for side in ["client", "server"] {
        expected.push(message(side, 0, 7, 1, r#""enjamb""#));
        expected.push(message(side, 7, 3, 0, r#""a\x1b""#));
        expected.push(message(side, 10, 2, 0, r#""b""#));
    }
    expected.extend([cut("client"), cut("server")]);
    expected.push(json!({
        "type": "connection", "protocol": "lines", "event": "end",
        "client_bytes": 15, "client_messages": 4, "client_ending": "closed",
        "server_bytes": 15, "server_messages": 4, "server_ending": "closed",
        "ended_by": "client",
    }));
    let summary = records.pop().unwrap();
    assert_eq!(records, expected);
    assert_eq!(summary, report.statistics.to_json());
    assert_eq!((&summary["connections"], &summary["server"]["messages"]), (&1.into(), &4.into()));
}

/// The log of a recording, made by replaying it.
fn replay(recording: &Path, protocol: Arc<Protocol>) -> Vec<Value> {
    let mut log = String::new();
    let opener: enjamb_monitor::Opener = Arc::new(move |connection| protocol.session(Some(connection.server.port())));
    let mut watch = Watch::new(opener, |record: &Record<'_>| Format::JsonLines.write(record, &mut log));
    let file = std::fs::File::open(recording).unwrap();
    let report = enjamb_capture::read(file, &mut watch, &enjamb_capture::Options::default());
    assert!(report.error.is_none());
    drop(watch);
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_recording_gives_the_same_log() {
    for spec in ["lines", "u16be", "auto"] {
        let protocol = || Registry::builtin().resolve(spec).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("recording.pcapng"));
        let proxy = start(protocol(), LogTarget::File(log.clone()), Some(&recording)).await;
        let address = proxy.addresses()[0];
        let clients: Vec<_> = (0..40_u64)
            .map(|seed| {
                tokio::spawn(async move {
                    let mut random = seed * 2 + 1;
                    let mut next = move |below: u64| {
                        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                        (random >> 33) % below
                    };
                    let mut client = TcpStream::connect(address).await.unwrap();
                    for round in 0..30 {
                        // Now and then one that takes several reads.
                        let length = if round % 10 == 9 { 150_000 } else { 1 + next(200) };
                        let bytes: Vec<u8> = (0..length)
                            .map(|_| if next(512) == 0 { b"\0\x05\r\n"[next(4) as usize] } else { b'a' })
                            .collect();
                        let (mut reads, mut writes) = client.split();
                        let mut back = vec![0; bytes.len()];
                        let (wrote, read) = tokio::join!(writes.write_all(&bytes), reads.read_exact(&mut back));
                        assert!(wrote.is_ok() && read.is_ok() && back == bytes);
                    }
                    match seed % 3 {
                        0 => client.set_zero_linger().unwrap(),
                        1 => {
                            client.shutdown().await.unwrap();
                            client.read_to_end(&mut Vec::new()).await.unwrap();
                        }
                        _ => {}
                    }
                })
            })
            .collect();
        for client in clients {
            tokio::time::timeout(Duration::from_secs(60), client).await.unwrap().unwrap();
        }
        let report = end(proxy).await;
        assert!(report.is_complete(), "{spec}");
        assert_eq!(report.statistics.connections(), 40);

        // Connections interleave in any order; each by itself is the same.
        let [live, again] = [read_log(&log), replay(&recording, protocol())].map(|mut records| {
            // On a busy machine some are in progress for a second.
            records.retain(|record| record["type"] != "summary" && record["type"] != "progress");
            records.sort_by_key(|record| record["conn"].as_u64());
            records
        });
        assert!(live.len() > 120, "{spec}: {} records", live.len());
        for (live, again) in live.iter().zip(&again) {
            assert_eq!(live, again, "{spec}");
        }
        assert_eq!(live.len(), again.len(), "{spec}");
    }
}

/// Connects from a port of the client's choice.
async fn connect_from(port: u16, to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], port).into()).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_port_on_several_listeners_is_several_connections_in_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("recording.pcapng"));
    let mut configuration = configuration(echo_server().await, lines(), LogTarget::File(log.clone()));
    configuration.routes[0].listen = vec!["127.0.0.1:0".to_owned(); 3];
    configuration.record = Some(recording.clone());
    let proxy = Proxy::start(configuration).await.unwrap();
    let addresses = proxy.addresses().to_vec();
    for round in 0..5 {
        let mut clients = vec![connect_from(0, addresses[0]).await];
        let port = clients[0].local_addr().unwrap().port();
        for address in &addresses[1..] {
            clients.push(connect_from(port, *address).await);
        }
        for turn in 0..4 {
            for (at, client) in clients.iter_mut().enumerate() {
                echo(client, format!("round {round} turn {turn} of client {at}\n").as_bytes()).await;
            }
        }
    }
    assert!(end(proxy).await.is_complete());
    let key = |records: Vec<Value>| {
        let mut lines: Vec<_> = records
            .into_iter()
            .filter(|record| record["type"] == "message")
            .map(|record| (record["conn"].as_u64(), record["side"].to_string(), record["summary"].to_string()))
            .collect();
        lines.sort();
        lines
    };
    let live = key(read_log(&log));
    assert_eq!(live.len(), 5 * 3 * 4 * 2);
    assert_eq!(key(replay(&recording, lines())), live);
}

#[tokio::test]
async fn a_proxy_without_a_log_counts() {
    let proxy = start(lines(), LogTarget::Nowhere, None).await;
    let mut client = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    echo(&mut client, b"one\ntwo\n").await;
    assert_eq!(proxy.status().statistics().messages(Side::Client), 2);
    drop(client);
    assert_eq!(end(proxy).await.statistics.messages(Side::Server), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(configuration(nobody, lines(), LogTarget::File(log.clone()))).await.unwrap();
    let mut client = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    assert!(client.read(&mut [0]).await.is_err());
    end(proxy).await;
    let records = read_log(&log);
    assert_eq!((records.len(), &records[0]["type"], &records[1]["type"]), (2, &"error".into(), &"summary".into()));
    assert!(records[0]["reason"].as_str().unwrap().starts_with(&format!("cannot connect to {nobody}")));
    assert_eq!((&records[0]["server"], &records[0]["conn"]), (&nobody.to_string().into(), &Value::Null));
    assert_eq!(records[0]["client"], client.local_addr().unwrap().to_string());
    assert_eq!(records[1]["unconnected"], 1);
}

/// The records of the ends of connections, by the numbers of connections.
fn ends(records: &[Value]) -> Vec<&Value> {
    let mut ends: Vec<_> = records.iter().filter(|record| record["event"] == "end").collect();
    ends.sort_by_key(|record| record["conn"].as_u64());
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_and_the_recording_say_who_ended_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("recording.pcapng"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut configuration = configuration(listener.local_addr().unwrap(), lines(), LogTarget::File(log.clone()));
    configuration.record = Some(recording.clone());
    configuration.options.idle_timeout = Some(Duration::from_millis(400));
    let proxy = Proxy::start(configuration).await.unwrap();
    for round in 0..5 {
        let mut client = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"a line\n").await.unwrap();
        server.read_exact(&mut [0; 7]).await.unwrap();
        match round {
            0 => client.set_zero_linger().unwrap(),
            1 => {
                server.set_zero_linger().unwrap();
                drop(server);
                assert!(client.read(&mut [0]).await.is_err());
                continue;
            }
            2 => {
                client.shutdown().await.unwrap();
                assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
                continue;
            }
            3 => {
                server.shutdown().await.unwrap();
                assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
                continue;
            }
            // Idle.
            _ => assert!(client.read(&mut [0]).await.is_err()),
        }
        drop(client);
        let _ = server.read(&mut [0]).await;
    }
    assert!(end(proxy).await.is_complete());
    let live = read_log(&log);
    let mut by: Vec<_> = ends(&live).iter().map(|record| record["ended_by"].as_str().unwrap().to_owned()).collect();
    by.sort();
    assert_eq!(by, ["client", "client", "proxy", "server", "server"]);
    let again = replay(&recording, lines());
    assert_eq!(ends(&again).len(), 5);
    for (live, again) in ends(&live).iter().zip(ends(&again)) {
        assert_eq!(live["client_ending"], again["client_ending"]);
        assert_eq!(live["server_ending"], again["server_ending"]);
        assert_ne!(live["client_ending"], "lost", "resets of the proxy are in the recording");
        if live["ended_by"] != "proxy" {
            assert_eq!(live["ended_by"], again["ended_by"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_takes_long_is_seen_while_it_is_in_progress() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let proxy = start(lines(), LogTarget::File(log.clone()), None).await;
    let mut client = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    echo(&mut client, b"short\n").await;
    // 2.4 seconds in steps of 0.1.
    for _ in 0..24 {
        echo(&mut client, &[b'x'; 1000]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    echo(&mut client, b"\n").await;
    drop(client);
    end(proxy).await;
    let records = read_log(&log);
    let progress: Vec<_> =
        records.iter().filter(|record| record["type"] == "progress" && record["side"] == "client").collect();
    assert_eq!(progress.len(), 2, "one a second: {progress:?}");
    for record in &progress {
        assert_eq!(record["offset"], 6);
        assert!(record["length"].as_u64().is_some_and(|length| (8_000..24_000).contains(&length)), "{record}");
    }
    let last = records.iter().rfind(|record| record["type"] == "message" && record["side"] == "client").unwrap();
    assert_eq!(last["length"], 24_001);
}

/// The status line and the body of a page.
async fn page(address: SocketAddr, path: &str) -> (String, String) {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_metrics_has_the_counts_and_the_page_of_health_the_state() {
    let mut configuration = configuration(echo_server().await, lines(), LogTarget::Nowhere);
    configuration.metrics = Some("127.0.0.1:0".to_owned());
    let proxy = Proxy::start(configuration).await.unwrap();
    let metrics = proxy.metrics_address().unwrap();
    let mut client = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    echo(&mut client, b"one\ntwo\n").await;
    let (status, body) = page(metrics, "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in [
        "# TYPE enjamb_connections_total counter",
        "enjamb_connections_total 1",
        "enjamb_connections_open 1",
        "enjamb_bytes_total{side=\"client\"} 8",
        "enjamb_messages_total{side=\"server\",outcome=\"ok\"} 2",
        "enjamb_messages_by_kind_total{side=\"client\",protocol=\"lines\",kind=\"line\"} 2",
        "enjamb_log_lost_records_total 0",
        "enjamb_latency_seconds_bucket{le=\"+Inf\"} 0",
    ] {
        assert!(body.lines().any(|found| found == line), "{line} is not in {body}");
    }
    assert_eq!(page(metrics, "/health").await, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    assert_eq!(page(metrics, "/other").await.0, "HTTP/1.1 404 Not Found");
    proxy.stop().drain();
    assert_eq!(page(metrics, "/health").await.0, "HTTP/1.1 503 Service Unavailable");
    drop(client);
    end(proxy).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(metrics).await.is_err(), "it ends with the proxy");
}

#[tokio::test]
async fn a_wide_bind_must_be_asked_for() {
    let upstream = echo_server().await;
    for wide in [false, true] {
        let mut configuration = configuration(upstream, lines(), LogTarget::Nowhere);
        configuration.routes[0].listen = vec!["0.0.0.0:0".to_owned()];
        configuration.wide = wide;
        let started = Proxy::start(configuration).await;
        assert_eq!(started.is_ok(), wide);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_were_moved_away_are_opened_again_and_both_parts_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (log, recording) = (path("log.jsonl"), path("recording.pcapng"));
    let proxy = start(lines(), LogTarget::File(log.clone()), Some(&recording)).await;
    let mut client = TcpStream::connect(proxy.addresses()[0]).await.unwrap();
    echo(&mut client, b"first\nhalf ").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::fs::rename(&log, path("old.jsonl")).unwrap();
    std::fs::rename(&recording, path("old.pcapng")).unwrap();
    proxy.status().reopen().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Once more without moving: both continue.
    proxy.status().reopen().unwrap();
    echo(&mut client, b"and half\nlast\n").await;
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert!(end(proxy).await.is_complete());
    let sent = |records: Vec<Value>| -> Vec<String> {
        let lines = records.iter().filter(|record| record["type"] == "message" && record["side"] == "client");
        lines.map(|record| record["summary"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(sent(read_log(&path("old.jsonl"))), [r#""first""#]);
    assert_eq!(sent(read_log(&log)), [r#""half and half""#, r#""last""#]);
    assert_eq!(sent(replay(&path("old.pcapng"), lines()))[0], r#""first""#);
    assert_eq!(sent(replay(&recording, lines())).last().unwrap(), r#""last""#);
    #[cfg(unix)]
    for file in [&log, &recording] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_proxy_does_not_relay_to_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut configuration = configuration(address, lines(), LogTarget::Nowhere);
    configuration.routes[0].listen = vec![address.to_string()];
    assert!(matches!(Proxy::start(configuration).await, Err(StartError::Usage(_))));
}
