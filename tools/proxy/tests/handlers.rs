//! Registered handlers that panic, hang, or are slow. The relay continues in all cases.

mod echo;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use echo::echo_server;
use enjamb::Side;
use enjamb_monitor::Format;
use enjamb_protocols::Protocol;
use enjamb_proxy::{Configuration, LogTarget, Proxy, Report, Route};
use serde_json::Value;
use support::{Trap, trapped_lines};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

/// The time that a call may take in these tests.
const TIMEOUT: Duration = Duration::from_millis(150);

/// A proxy in front of a server that echoes, and its log.
struct Fixture {
    proxy: Proxy,
    log: tempfile::NamedTempFile,
}

impl Fixture {
    async fn start(protocol: Protocol, timeout: Option<Duration>) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut configuration =
            Configuration::new(vec![Route::new("a", ["127.0.0.1:0"], echo_server().await.to_string(), protocol)]);
        configuration.prints_notices = false;
        configuration.log = LogTarget::File(log.path().to_owned());
        configuration.format = Format::JsonLines;
        configuration.handler_timeout = timeout;
        configuration.options.drain = Duration::from_millis(200);
        Self { proxy: Proxy::start(configuration).await.unwrap(), log }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.addresses()[0]).await.unwrap()
    }

    /// Waits until the proxy's counts are as wanted.
    async fn until(&self, is_reached: impl Fn(&Proxy) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_reached(&self.proxy) {
            assert!(Instant::now() < end, "{:?}", self.proxy.status().handlers());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the proxy. Returns its report and the records of its log.
    async fn end(mut self) -> (Report, Vec<Value>) {
        self.proxy.stop().drain();
        let relay = tokio::time::timeout(Duration::from_secs(20), self.proxy.ended()).await.unwrap();
        let report = spawn_blocking(move || self.proxy.finish(relay)).await.unwrap();
        (report, read_log(self.log.path()))
    }
}

async fn echo(client: &mut TcpStream, bytes: &[u8]) {
    client.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    tokio::time::timeout(Duration::from_secs(10), client.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, bytes);
}

fn read_log(log: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of a type on a connection.
fn of<'a>(records: &'a [Value], name: &str, number: u64) -> Vec<&'a Value> {
    records.iter().filter(|record| record["type"] == name && record["conn"] == number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_behaves_is_logged_like_a_builtin_one() {
    let fixture = Fixture::start(trapped_lines(Trap::Feed), Some(TIMEOUT)).await;
    for _ in 0..20 {
        let mut client = fixture.connect().await;
        for line in 0..50 {
            echo(&mut client, format!("line {line}\n").as_bytes()).await;
        }
    }
    let (report, records) = fixture.end().await;
    assert_eq!(report.handlers, Default::default());
    for number in 1..=20 {
        let messages = of(&records, "message", number);
        assert_eq!(messages.len(), 100, "connection {number}");
        // Requests and answers alternate: the order of the connection is kept.
        for (at, message) in messages.iter().enumerate() {
            assert_eq!(message["side"], if at % 2 == 0 { "client" } else { "server" }, "connection {number}");
            assert_eq!(message["summary"], format!("\"line {}\"", at / 2));
        }
        assert_eq!(of(&records, "connection", number).len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_leaves_the_rest_of_its_connection_unparsed() {
    let fixture = Fixture::start(trapped_lines(Trap::Panic), Some(100 * TIMEOUT)).await;
    for _ in 0..2 {
        let mut client = fixture.connect().await;
        echo(&mut client, b"quiet\n").await;
        for _ in 0..3 {
            echo(&mut client, b"trap\n").await;
        }
    }
    fixture.until(|proxy| proxy.status().handlers().panicked == 2).await;
    let (report, records) = fixture.end().await;
    assert_eq!((report.relay.panics, report.relay.stopped), (0, 0));
    for number in [1, 2] {
        let errors = of(&records, "error", number);
        assert_eq!(errors.len(), 1);
        let reason = errors[0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("the handler panicked in feed: the trap ("), "{reason}");
        let unparsed: Vec<_> =
            of(&records, "message", number).into_iter().filter(|message| message["kind"] == "unparsed").collect();
        let spans: Vec<_> =
            unparsed.iter().map(|message| (&message["side"], &message["offset"], &message["length"])).collect();
        assert_eq!(spans, [(&"client".into(), &6.into(), &15.into()), (&"server".into(), &6.into(), &15.into())]);
        assert_eq!(unparsed[0]["reason"], "the handler panicked");
        let end = of(&records, "connection", number)[1];
        assert_eq!((&end["client_bytes"], &end["server_bytes"]), (&21.into(), &21.into()));
    }
    let counted = report.statistics.to_json();
    assert_eq!((&counted["connections"], &counted["open"]), (&2.into(), &0.into()));
    assert_eq!(counted["errors"][0]["why"], "the handler panicked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_hangs_in_any_call_is_given_up() {
    let traps = [
        (Trap::Open, "the function that opens sessions"),
        (Trap::Feed, "feed"),
        (Trap::Close, "close"),
        (Trap::Drop, "drop"),
    ];
    for (trap, call) in traps {
        let fixture = Fixture::start(trapped_lines(trap), Some(TIMEOUT)).await;
        let mut hung = fixture.connect().await;
        echo(&mut hung, b"trap\n").await;
        if matches!(trap, Trap::Close | Trap::Drop) {
            hung.shutdown().await.unwrap();
            assert_eq!(hung.read(&mut [0]).await.unwrap(), 0);
        } else {
            for _ in 0..20 {
                echo(&mut hung, b"and on\n").await;
            }
        }
        for _ in 0..12 {
            let mut client = fixture.connect().await;
            echo(&mut client, b"one\n").await;
        }
        drop(hung);
        fixture.until(|proxy| proxy.status().handlers().timed_out == 1).await;
        fixture.until(|proxy| proxy.status().statistics().messages(Side::Client) >= 12).await;
        let (report, records) = fixture.end().await;
        assert_eq!(report.handlers.timed_out, 1, "{trap:?}");
        assert_eq!(report.statistics.connections(), 13);
        let errors = of(&records, "error", 1);
        assert_eq!(errors.len(), 1, "{trap:?}: {errors:?}");
        assert_eq!(errors[0]["reason"], format!("the handler did not return from {call} within 150ms"));
        let ends = records.iter().filter(|record| record["event"] == "end").count();
        assert_eq!(ends, 13, "{trap:?}: every connection has its end");
        for number in 2..=13 {
            assert_eq!(of(&records, "message", number).len(), 2, "{trap:?}: connection {number} is parsed");
        }
        let bytes: u64 = if matches!(trap, Trap::Close | Trap::Drop) { 5 } else { 5 + 20 * 7 };
        let end = of(&records, "connection", 1)[1];
        assert_eq!(end["client_bytes"], bytes, "{trap:?}");
        let messages = of(&records, "message", 1);
        let covered: u64 = messages.iter().map(|message| message["length"].as_u64().unwrap()).sum();
        assert_eq!(covered, 2 * bytes, "{trap:?}: the messages tile both streams");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_many_hung_handlers_new_connections_are_relayed_and_not_parsed() {
    let fixture = Fixture::start(trapped_lines(Trap::Feed), Some(Duration::from_millis(20))).await;
    let mut clients = Vec::new();
    for at in 0..30 {
        let mut client = fixture.connect().await;
        echo(&mut client, b"trap\n").await;
        clients.push(client);
        let wanted = (at + 1).min(16);
        fixture.until(|proxy| proxy.status().handlers().timed_out >= wanted).await;
    }
    for client in &mut clients {
        echo(client, b"still here\n").await;
    }
    let (report, records) = fixture.end().await;
    assert!(report.handlers.timed_out >= 16 && report.handlers.not_run >= 1, "{:?}", report.handlers);
    assert_eq!(report.handlers.timed_out + report.handlers.not_run, 30);
    let said = "16 handlers have not returned: new connections are relayed, but not parsed";
    assert_eq!(records.iter().filter(|record| record["reason"] == said).count(), 1);
    assert_eq!(
        of(&records, "error", 30)[0]["reason"],
        "the handler was not run, since 16 handlers before it have not returned"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_handler_loses_chunks_and_the_log_says_where() {
    const BYTES: u64 = 24 << 20;
    let fixture = Fixture::start(trapped_lines(Trap::Slow), None).await;
    let client = fixture.connect().await;
    let (mut reads, mut writes) = client.into_split();
    let block = b"a line of thirty-two bytes here\n".repeat(1 << 11);
    let writing = tokio::spawn(async move {
        for _ in 0..BYTES / block.len() as u64 {
            writes.write_all(&block).await.unwrap();
        }
        writes.shutdown().await.unwrap();
    });
    let started = Instant::now();
    let mut sink = tokio::io::sink();
    let read = tokio::time::timeout(Duration::from_secs(30), tokio::io::copy(&mut reads, &mut sink));
    assert_eq!(read.await.unwrap().unwrap(), BYTES, "the relay is not slowed down");
    writing.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(20));
    let (report, records) = fixture.end().await;
    assert!(report.handlers.dropped_chunks > 0, "{:?}", report.handlers);
    let gaps = of(&records, "gap", 1);
    let missing: u64 = gaps.iter().map(|gap| gap["missing"].as_u64().unwrap()).sum();
    assert_eq!(missing, report.handlers.dropped_bytes);
    let first = records.iter().position(|record| record["type"] == "gap").unwrap();
    let reason = records[first - 1]["reason"].as_str().unwrap();
    let expected = format!("{} bytes of the {} were not parsed", gaps[0]["missing"], gaps[0]["side"].as_str().unwrap());
    assert!(reason.starts_with(&expected), "{reason}");
    let end = of(&records, "connection", 1)[1];
    let bytes = end["client_bytes"].as_u64().unwrap() + end["server_bytes"].as_u64().unwrap();
    assert_eq!(bytes + missing, 2 * BYTES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_the_relay_comes_after_the_messages_before_it() {
    let fixture = Fixture::start(trapped_lines(Trap::Slow), None).await;
    let mut client = fixture.connect().await;
    for _ in 0..20 {
        echo(&mut client, b"a line\n").await;
    }
    let (_, records) = fixture.end().await;
    let reason = "reset, since this end stops";
    let error = records.iter().position(|record| record["reason"] == reason).unwrap();
    let messages: Vec<_> = records.iter().map(|record| record["type"] == "message").collect();
    assert_eq!(messages.iter().filter(|is_message| **is_message).count(), 40);
    assert!(!messages[error..].contains(&true) && records[error + 1]["event"] == "end");
    drop(client);
}
