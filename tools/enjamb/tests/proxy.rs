//! `enjamb proxy` between real clients and real servers: it changes nothing, and its recording
//! replays to its log.

#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;
mod support;

use std::process::Command;

use requirements::trials;
use serde_json::Value;
use support::{Proxy, enjamb, nginx, of_type, read_records, redis, replay, run, said};

trials! {
    always: [wrong_arguments_are_explained_with_exit_code_2, an_address_that_is_taken_is_named_with_exit_code_3];
    requires support::installed::redis: [redis_cli_prints_the_same_with_and_without_the_proxy];
    requires support::installed::redis_benchmark: [redis_benchmark_runs_through_the_proxy_and_its_recording_replays];
    requires support::installed::nginx_and_wrk: [wrk_and_curl_through_the_proxy_get_the_bytes_that_nginx_serves];
}

/// The messages, sorted by connection. Records of different connections interleave in any order.
fn by_connection(records: &[Value]) -> Vec<Value> {
    let mut messages = of_type(records, "message");
    messages.sort_by_key(|message| message["conn"].as_u64());
    messages
}

fn redis_cli_prints_the_same_with_and_without_the_proxy((): &()) {
    let (_server, upstream) = redis();
    let folder = tempfile::tempdir().unwrap();
    let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("recording.pcapng"));
    let mut proxy = Proxy::start(
        upstream,
        &["--protocol", "redis", "--log", log.to_str().unwrap(), "--record", recording.to_str().unwrap()],
    );
    let script: [&[&str]; 6] = [
        &["set", "greeting", "hello\r\nworld"],
        &["get", "greeting"],
        &["lpush", "greeting", "x"],
        &["rpush", "list", "a", "b", "c"],
        &["lrange", "list", "0", "-1"],
        &["flushall"],
    ];
    let converse = |port: u16| -> Vec<String> {
        let cli =
            |arguments: &&[&str]| said(Command::new("redis-cli").args(["-p", &port.to_string()]).args(*arguments));
        script.iter().map(cli).collect()
    };
    assert_eq!(converse(proxy.address.port()), converse(upstream.port()));

    proxy.signal("USR1");
    assert!(proxy.read_until("connections").contains("6 connections"));
    let ending = proxy.stop();
    assert!(ending.contains("WRONGTYPE"), "{ending}");

    let live = read_records(&log);
    let kinds: Vec<Value> = of_type(&live, "message").iter().map(|message| message["kind"].clone()).collect();
    assert_eq!(kinds.len(), 2 * script.len(), "{live:?}");
    assert!(kinds.contains(&"LRANGE".into()));
    assert_eq!(live.last().unwrap()["type"], "summary");
    assert_eq!(live.last().unwrap()["errors"][0]["why"], "WRONGTYPE");

    assert_eq!(by_connection(&replay(&recording, "redis")), by_connection(&live));
}

fn redis_benchmark_runs_through_the_proxy_and_its_recording_replays((): &()) {
    let (_server, upstream) = redis();
    let folder = tempfile::tempdir().unwrap();
    let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("recording.pcapng"));
    let proxy = Proxy::start(
        upstream,
        &["--protocol", "redis", "--log", log.to_str().unwrap(), "--record", recording.to_str().unwrap()],
    );
    let port = proxy.address.port().to_string();
    let report = said(Command::new("redis-benchmark").args([
        "-p",
        &port,
        "-n",
        "2000",
        "-c",
        "10",
        "-P",
        "16",
        "-d",
        "100",
        "-t",
        "set,get,lrange_100",
        "--csv",
    ]));
    assert!(report.contains("\"GET\"") && !report.contains("rror"), "{report}");
    let ending = proxy.stop();

    let live = read_records(&log);
    let summary = live.last().unwrap();
    assert!(summary["client"]["messages"].as_u64().unwrap() >= 6000, "{summary}");
    assert_eq!(summary["client"]["ok"], summary["client"]["messages"], "{ending}");
    assert_eq!(summary["server"]["malformed"], 0);
    assert_eq!(summary["server"]["messages"], summary["latency_us"]["count"], "every reply answers a command");
    assert!(summary["client"]["chunks_by_messages"]["several"].as_u64().unwrap() > 0, "pipelined");

    assert_eq!(by_connection(&replay(&recording, "redis")), by_connection(&live));
}

fn wrk_and_curl_through_the_proxy_get_the_bytes_that_nginx_serves((): &()) {
    let folder = tempfile::tempdir().unwrap();
    let blob: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(folder.path().join("blob"), &blob).unwrap();
    std::fs::write(folder.path().join("page.html"), "hello ".repeat(2000)).unwrap();
    let (_server, upstream) = nginx(folder.path(), "gzip on; gzip_types *; location /ok { return 200 ok; }");
    let (log, recording) = (folder.path().join("log.jsonl"), folder.path().join("recording.pcapng"));
    let proxy = Proxy::start(
        upstream,
        &["--protocol", "auto", "--log", log.to_str().unwrap(), "--record", recording.to_str().unwrap()],
    );
    let url = |path: &str| format!("http://{}/{path}", proxy.address);

    assert_eq!(run(Command::new("curl").args(["-sS", &url("blob")])).stdout, blob);
    let page = said(Command::new("curl").args(["-sS", "--compressed", &url("page.html"), &url("missing"), &url("ok")]));
    assert!(page.starts_with("hello hello") && page.contains("404") && page.ends_with("ok"), "{page}");
    let head = said(Command::new("curl").args(["-sSI", &url("blob")]));
    assert!(head.contains("Content-Length: 300000"), "{head}");

    let report = said(Command::new("wrk").args(["-t1", "-c8", "-d1s", &url("ok")]));
    assert!(report.contains("requests in") && !report.contains("Socket errors"), "{report}");
    let ending = proxy.stop();

    let live = read_records(&log);
    let summary = live.last().unwrap();
    for side in ["client", "server"] {
        assert_eq!(summary[side]["malformed"], 0, "{ending}");
    }
    assert!(summary["server"]["failed"].as_u64().unwrap() >= 1, "the 404: {summary}");
    let codes: Vec<Value> = of_type(&live, "message").iter().map(|message| message["code"].clone()).collect();
    assert!(codes.contains(&"404".into()) && codes.contains(&"200".into()));

    // wrk may be faster than the log or the recording. Then standard error reports the losses;
    // otherwise they agree.
    if ending.contains(" lacks ") {
        eprintln!("not compared, since records were dropped: {ending}");
    } else {
        assert_eq!(by_connection(&replay(&recording, "auto")), by_connection(&live));
    }
}

fn wrong_arguments_are_explained_with_exit_code_2() {
    let output =
        enjamb().args(["proxy", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1", "--protocol", "u33"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains('^'));
}

fn an_address_that_is_taken_is_named_with_exit_code_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = enjamb().args(["proxy", "--listen", &address, "--upstream", "127.0.0.1:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
}
