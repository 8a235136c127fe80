//! Faults, and routes that change while the proxy runs.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use enjamb_faults::Fault;
use enjamb_monitor::Format;
use enjamb_protocols::Registry;
use enjamb_proxy::{Configuration, LogTarget, Proxy, Report, Route};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers each line with the line, behind a prefix.
async fn server(prefix: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut line = Vec::new();
                while let Ok(byte) = socket.read_u8().await {
                    line.push(byte);
                    if byte == b'\n' {
                        let answer = [prefix.as_bytes(), &std::mem::take(&mut line)].concat();
                        if socket.write_all(&answer).await.is_err() {
                            break;
                        }
                    }
                }
            });
        }
    });
    address
}

fn route(name: &str, upstream: SocketAddr, faults: &[&str]) -> Route {
    let protocol = Registry::builtin().resolve("lines").unwrap();
    let mut route = Route::new(name, ["127.0.0.1:0"], upstream.to_string(), protocol);
    route.faults = faults.iter().flat_map(|text| Fault::parse(text).unwrap()).collect();
    route
}

async fn start(routes: Vec<Route>, change: impl FnOnce(&mut Configuration)) -> Proxy {
    let mut configuration = Configuration::new(routes);
    configuration.prints_notices = false;
    configuration.log = LogTarget::Nowhere;
    configuration.format = Format::JsonLines;
    configuration.options.drain = Duration::from_millis(200);
    change(&mut configuration);
    Proxy::start(configuration).await.unwrap()
}

async fn end(mut proxy: Proxy) -> Report {
    proxy.stop().drain();
    let relay = within(proxy.ended()).await;
    tokio::task::spawn_blocking(move || proxy.finish(relay)).await.unwrap()
}

async fn within<T>(act: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), act).await.expect("the test hangs")
}

/// Sends a line. Returns what comes back until a line ends, or the connection.
async fn exchange(client: &mut TcpStream, line: &str) -> String {
    let mut received = Vec::new();
    if client.write_all(line.as_bytes()).await.is_err() {
        return "broken".to_owned();
    }
    loop {
        match within(client.read_u8()).await {
            Ok(byte) => received.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => received.extend(b"<reset>"),
            Err(_) => received.extend(b"<closed>"),
        }
        if received.ends_with(b"\n") || received.ends_with(b">") {
            return String::from_utf8(received).unwrap();
        }
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

fn records(log: &Path) -> Vec<Value> {
    std::fs::read_to_string(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_stand_in_the_log_beside_what_they_hit_and_in_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("all.pcapng"));
    let faults =
        ["drop,side=client,match=summary contains \"lost\"", "duplicate,side=server,message=2", "recut,side=client"];
    let proxy = start(vec![route("a", server("+ ").await, &faults)], |configuration| {
        configuration.log = LogTarget::File(log.clone());
        configuration.record = Some(recording.clone());
    })
    .await;
    let mut client = connect(proxy.addresses()[0]).await;
    assert_eq!(exchange(&mut client, "one\n").await, "+ one\n");
    assert_eq!(exchange(&mut client, "lost\ntwo\n").await, "+ two\n");
    assert_eq!(exchange(&mut client, "").await, "+ two\n");
    drop(client);
    let report = end(proxy).await;
    assert_eq!(report.faults, 3);

    let told: Vec<_> = records(&log)
        .into_iter()
        .filter(|record| record["type"] == "fault" || record["type"] == "message")
        .map(|record| match record["type"].as_str() {
            Some("fault") => json!([record["side"], record["offset"], record["fault"]]),
            _ => json!([record["side"], record["offset"], record["summary"]]),
        })
        .collect();
    let expected = [
        json!(["client", 0, "recut_upstream"]),
        json!(["client", 0, "\"one\""]),
        json!(["server", 0, "\"+ one\""]),
        json!(["client", 4, "drop_upstream"]),
        json!(["client", 4, "\"two\""]),
        json!(["server", 6, "duplicate_downstream"]),
        json!(["server", 6, "\"+ two\""]),
        json!(["server", 12, "\"+ two\""]),
    ];
    assert_eq!(told, expected);
    let bytes = std::fs::read(&recording).unwrap();
    for comment in ["fault drop_upstream: dropped message 2 (line), 5 bytes", "fault duplicate_downstream: doubled"] {
        assert!(bytes.windows(comment.len()).any(|window| window == comment.as_bytes()), "{comment}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_is_named_as_the_one_that_ends_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let faults = ["cut,side=server,message=2", "limit_data,side=client,bytes=20"];
    let proxy = start(vec![route("a", server("").await, &faults)], |configuration| {
        configuration.log = LogTarget::File(log.clone());
    })
    .await;
    let address = proxy.addresses()[0];
    let mut client = connect(address).await;
    assert_eq!(exchange(&mut client, "one\n").await, "one\n");
    assert!(exchange(&mut client, "two and more\n").await.ends_with("<reset>"));
    let mut client = connect(address).await;
    assert_eq!(exchange(&mut client, "a line that is too long\n").await, "<closed>");
    end(proxy).await;
    let ends: Vec<_> = records(&log).into_iter().filter(|record| record["event"] == "end").collect();
    let ended: Vec<_> = ends.iter().map(|end| (&end["ended_by"], &end["client_ending"])).collect();
    assert_eq!(ended, [(&json!("proxy"), &json!("reset")), (&json!("proxy"), &json!("closed"))]);
    assert_eq!(ends[1]["client_bytes"], 20);
}

/// Makes one request. Returns the status and the body.
async fn request(api: SocketAddr, method: &str, path: &str, headers: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut socket = connect(api).await;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(socket.read_to_string(&mut answer)).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_else(|_| json!(body)))
}

async fn call(api: SocketAddr, method: &str, path: &str, body: Value) -> (u16, Value) {
    request(api, method, path, "", &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_and_its_toxics_are_made_in_one_call_and_change_while_connections_are_open() {
    let upstream = server("").await.to_string();
    let proxy = start(Vec::new(), |configuration| configuration.api = Some("127.0.0.1:0".to_owned())).await;
    let api = proxy.api_address().unwrap();
    assert_eq!(call(api, "GET", "/proxies", Value::Null).await, (200, json!({})));
    let toxic = json!({"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 6}});
    let body = json!({"name": "a", "upstream": upstream, "protocol": "lines", "toxics": [toxic]});
    let (status, made) = call(api, "POST", "/proxies", body.clone()).await;
    assert_eq!((status, &made["toxics"][0]["name"]), (201, &json!("limit_data_downstream")));
    let address: SocketAddr = made["listen"].as_str().unwrap().parse().unwrap();
    let mut client = connect(address).await;
    assert_eq!(exchange(&mut client, "too long\n").await, "too lo<closed>");

    assert_eq!(call(api, "DELETE", "/proxies/a/toxics/limit_data_downstream", Value::Null).await.0, 204);
    let mut client = connect(address).await;
    assert_eq!(exchange(&mut client, "not too long\n").await, "not too long\n");
    let toxic = json!({"type": "drop", "name": "x", "stream": "upstream", "attributes": {"every": 2}});
    let (status, made) = call(api, "POST", "/proxies/a/toxics", toxic).await;
    assert_eq!((status, &made["attributes"]), (200, &json!({"every": 2, "percent": 100})));
    assert_eq!(exchange(&mut client, "one\ntwo\nthree\n").await, "one\n");
    assert_eq!(exchange(&mut client, "").await, "three\n");
    let (status, made) =
        call(api, "PATCH", "/proxies/a/toxics/x", json!({"attributes": {"match": "summary contains \"no\""}})).await;
    assert_eq!((status, &made["attributes"]["every"]), (200, &json!(2)));

    // Disabled: its connections end, and its address stays.
    assert_eq!(call(api, "POST", "/proxies/a", json!({"enabled": false})).await.1["enabled"], json!(false));
    assert_eq!(exchange(&mut client, "").await, "<reset>");
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(call(api, "POST", "/reset", Value::Null).await.0, 204);
    let (_, all) = call(api, "GET", "/proxies", Value::Null).await;
    assert_eq!((&all["a"]["enabled"], &all["a"]["toxics"]), (&json!(true), &json!([])));
    let mut client = connect(address).await;
    assert_eq!(exchange(&mut client, "no\n").await, "no\n");

    // The same proxy again keeps its connections, another server ends them.
    let populate = |upstream: String| json!([{"name": "a", "listen": address.to_string(), "upstream": upstream}, {"name": "b", "upstream": upstream}]);
    assert_eq!(call(api, "POST", "/populate", populate(upstream)).await.0, 201);
    assert_eq!(exchange(&mut client, "still\n").await, "still\n");
    let other = server("other: ").await.to_string();
    assert_eq!(call(api, "POST", "/populate", populate(other)).await.0, 201);
    assert_eq!(exchange(&mut client, "").await, "<reset>");
    assert_eq!(exchange(&mut connect(address).await, "x\n").await, "other: x\n");
    assert_eq!(call(api, "DELETE", "/proxies/a", Value::Null).await.0, 204);
    assert!(TcpStream::connect(address).await.is_err());
    let (status, page) = call(api, "GET", "/metrics", Value::Null).await;
    assert!(status == 200 && page.as_str().unwrap().contains("enjamb_faults_total 2"), "{page}");
    let report = end(proxy).await;
    assert_eq!((report.relay.connections, report.faults), (4, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_request_is_refused_with_the_way_out_and_changes_nothing() {
    let upstream = server("").await;
    let proxy = start(vec![route("a", upstream, &["latency"])], |configuration| {
        configuration.api = Some("127.0.0.1:0".to_owned());
    })
    .await;
    let api = proxy.api_address().unwrap();
    let before = call(api, "GET", "/proxies/a", Value::Null).await;
    let upstream = upstream.to_string();
    let toxic = |kind: &str, attributes: Value| json!({"type": kind, "attributes": attributes});
    for (method, path, body, status, part) in [
        ("GET", "/proxies/b", Value::Null, 404, "proxy not found"),
        ("GET", "/nothing", Value::Null, 404, "/proxies"),
        ("POST", "/proxies", json!({"name": "a", "upstream": upstream}), 409, "proxy already exists"),
        ("POST", "/proxies", json!({"upstream": upstream}), 400, "missing required field: name"),
        ("POST", "/proxies", json!({"name": "b"}), 400, "missing required field: upstream"),
        ("POST", "/proxies", json!([]), 400, "an object is expected"),
        ("POST", "/proxies", Value::Null, 400, "bad request body"),
        ("POST", "/proxies", json!({"name": "b", "upstream": upstream, "port": 1}), 400, "unknown field `port`"),
        ("POST", "/proxies", json!({"name": "b", "upstream": "nowhere"}), 400, "not HOST:PORT"),
        ("POST", "/proxies", json!({"name": "b", "upstream": upstream, "listen": "0.0.0.0:0"}), 400, "--wide"),
        ("POST", "/proxies", json!({"name": "b", "upstream": upstream, "protocol": "x y"}), 400, "protocol:"),
        ("POST", "/populate", json!([{"name": "b", "upstream": upstream}, {"name": "c"}]), 400, "at proxy 2"),
        ("POST", "/proxies/a/toxics", toxic("lag", json!({})), 400, "there are latency"),
        ("POST", "/proxies/a/toxics", toxic("latency", json!({})), 409, "toxic already exists"),
        ("POST", "/proxies/a/toxics", toxic("drop", json!({"delay": 1})), 400, "no attribute `delay`"),
        ("POST", "/proxies/a/toxics", toxic("drop", json!({"every": -1})), 400, "not negative"),
        ("POST", "/proxies/a/toxics", toxic("drop", json!({"match": "kind =="})), 400, "match:"),
        ("POST", "/proxies/a/toxics", json!({"type": "drop", "stream": "left"}), 400, "upstream or downstream"),
        ("POST", "/proxies/a/toxics", json!({"type": "drop", "toxicity": 2}), 400, "from 0 to 1"),
        ("POST", "/proxies/a/toxics/b", json!({}), 404, "toxic not found"),
        ("DELETE", "/proxies/a/toxics/b", Value::Null, 404, "toxic not found"),
    ] {
        let (got, answer) = call(api, method, path, body.clone()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(got == status && error.contains(part), "{method} {path} {body}: {got} {answer}");
        assert_eq!(answer["status"], status);
    }
    for headers in ["User-Agent: Mozilla/5.0\r\n", "Origin: http://example.org\r\n"] {
        assert_eq!(request(api, "POST", "/reset", headers, &Value::Null).await.0, 403);
        assert_eq!(request(api, "GET", "/health", headers, &Value::Null).await.0, 200);
    }
    assert_eq!(call(api, "GET", "/proxies/a", Value::Null).await, before);
    assert_eq!(call(api, "GET", "/proxies", Value::Null).await.1.as_object().unwrap().len(), 1);
    end(proxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_api_nothing_can_be_changed() {
    let proxy = start(vec![route("a", server("").await, &[])], |configuration| {
        configuration.metrics = Some("127.0.0.1:0".to_owned());
    })
    .await;
    let address = proxy.metrics_address().unwrap();
    assert_eq!(call(address, "GET", "/health", Value::Null).await.0, 200);
    assert_eq!(call(address, "GET", "/proxies", Value::Null).await.0, 404);
    assert_eq!(call(address, "POST", "/reset", Value::Null).await.0, 404);
    end(proxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_full_are_rotated_and_no_record_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("all.pcapng"));
    let proxy = start(vec![route("a", server("").await, &[])], |configuration| {
        configuration.log = LogTarget::File(log.clone());
        configuration.record = Some(recording.clone());
        configuration.rotation.size = std::num::NonZeroU64::new(20_000);
    })
    .await;
    let mut client = connect(proxy.addresses()[0]).await;
    let count = |extension: &str| {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|of| of == extension)).collect::<Vec<_>>()
    };
    let mut lines = 0;
    while count("jsonl").len() < 3 || count("pcapng").len() < 3 {
        assert_eq!(exchange(&mut client, &format!("line {lines}\n")).await, format!("line {lines}\n"));
        lines += 1;
        assert!(lines < 1_000_000, "nothing is rotated");
    }
    drop(client);
    let report = end(proxy).await;
    assert!(report.is_complete(), "{report:?}");
    let mut logs = count("jsonl");
    // The current file has no time in its name.
    logs.sort_by_key(|path| (*path == log, path.clone()));
    let all: Vec<_> = logs.iter().flat_map(|log| records(log)).collect();
    let sent: Vec<_> =
        all.iter().filter(|record| record["side"] == "client").map(|record| &record["summary"]).collect();
    assert_eq!(sent.len(), lines);
    assert!(sent.iter().enumerate().all(|(at, summary)| **summary == json!(format!("\"line {at}\""))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_selects_the_records_of_the_log_and_everything_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let proxy = start(vec![route("a", server("").await, &[])], |configuration| {
        configuration.log = LogTarget::File(log.clone());
        configuration.filter = Some(enjamb_monitor::Filter::parse("summary contains \"b\"").unwrap());
    })
    .await;
    let mut client = connect(proxy.addresses()[0]).await;
    for line in ["a\n", "b\n", "c\n"] {
        exchange(&mut client, line).await;
    }
    drop(client);
    let report = end(proxy).await;
    assert_eq!(report.statistics.to_json()["client"]["messages"], 3);
    let records = records(&log);
    let summaries: Vec<_> = records.iter().map(|record| &record["summary"]).collect();
    assert_eq!(summaries, [&json!("\"b\""), &json!("\"b\""), &Value::Null], "{records:?}");
    assert_eq!(records[2]["type"], "summary");
}
