//! The log, the statistics and the recording of the proxy, in one process with it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use enjamb::{Ending, Side};
use enjamb_monitor::{Format, Record, Watch};
use enjamb_protocols::{Protocol, Registry};
use enjamb_proxy::{Configuration, LogTarget, Proxy, Report, StartError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that echoes.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reads, mut writes) = socket.split();
                tokio::io::copy(&mut reads, &mut writes).await
            });
        }
    });
    address
}

fn configuration(upstream: SocketAddr, protocol: Arc<Protocol>, log: LogTarget) -> Configuration {
    let mut configuration = Configuration::new(upstream.to_string(), protocol);
    configuration.prints_notices = false;
    configuration.listen = vec!["127.0.0.1:0".to_owned()];
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
    assert_eq!((report.log_dropped, report.recording), (0, vec![]));

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
        assert_eq!((report.log_dropped, report.recording), (0, vec![]), "{spec}");
        assert_eq!(report.statistics.connections(), 40);

        // Connections interleave in any order; each by itself is the same.
        let [live, again] = [read_log(&log), replay(&recording, protocol())].map(|mut records| {
            records.retain(|record| record["type"] != "summary");
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
}

#[tokio::test]
async fn a_proxy_does_not_relay_to_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut configuration = configuration(address, lines(), LogTarget::Nowhere);
    configuration.listen = vec![address.to_string()];
    assert!(matches!(Proxy::start(configuration).await, Err(StartError::Usage(_))));
}
