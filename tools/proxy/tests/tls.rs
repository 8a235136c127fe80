//! TLS of the proxy, with rustls on both ends, and with clients that others wrote.

#[path = "tls/ends.rs"]
mod ends;
#[path = "tls/programs.rs"]
mod programs;
#[path = "../../../crates/enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ends::{Authority, Ends, Stream, client_config, echo_plain, echo_tls, server_config};
use enjamb_protocols::Registry;
use enjamb_proxy::{
    ClientTls, Configuration, LogTarget, Proxy, Report, Route, RouteTls, ServerTls, TrustedAuthorities,
};
use programs::{
    curl_reads_mail_behind_starttls_and_stls, curl_trusts_the_authority, mail_is_sent_behind_starttls,
    mariadb_queries_a_server_behind_its_ssl_request, openssl_and_its_alerts,
    psql_queries_a_server_behind_its_ssl_request,
};
use requirements::trials;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ClientConfig;

trials! {
    always: [
        both_sides_agree_as_without_the_proxy_and_the_text_is_logged_and_recorded, each_side_may_have_tls_alone,
        an_authority_signs_for_every_name_that_clients_ask_for, certificates_that_are_wrong_are_reported_with_their_side,
        a_server_that_signed_itself_is_trusted_if_its_certificate_is_given,
        a_server_gets_the_certificate_of_the_proxy, clients_that_send_something_else_are_reported,
        tls_that_passes_unchanged_shows_its_names, a_missing_close_notify_and_a_reset_are_visible_and_passed_on,
        large_streams_pass_both_ways_and_ends_are_half_closes, a_hundred_connections_pass_at_once,
        faults_change_the_text_inside_tls,
    ];
    requires programs::openssl: [openssl_and_its_alerts];
    requires programs::curl: [curl_trusts_the_authority];
    requires programs::python: [mail_is_sent_behind_starttls];
    requires programs::mariadb: [mariadb_queries_a_server_behind_its_ssl_request];
    requires programs::dovecot: [curl_reads_mail_behind_starttls_and_stls];
    requires programs::postgres: [psql_queries_a_server_behind_its_ssl_request];
}

/// The time after which something that has not come never will.
const NEVER: Duration = Duration::from_secs(30);

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(4 * NEVER, test).await.expect("the test takes too long") });
}

/// A proxy with its log.
struct Running {
    proxy: Proxy,
    folder: Arc<tempfile::TempDir>,
}

impl Running {
    async fn start(upstream: SocketAddr, tls: Option<RouteTls>, change: impl FnOnce(&mut Configuration)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let protocol = Registry::builtin().resolve("auto").unwrap();
        let mut route = Route::new("a", ["127.0.0.1:0"], upstream.to_string(), protocol);
        route.tls = tls;
        let mut configuration = Configuration::new(vec![route]);
        configuration.prints_notices = false;
        configuration.log = LogTarget::File(folder.path().join("log.jsonl"));
        configuration.record = Some(folder.path().join("recording.pcapng"));
        configuration.format = enjamb_monitor::Format::JsonLines;
        change(&mut configuration);
        Self { proxy: Proxy::start(configuration).await.unwrap(), folder }
    }

    fn address(&self) -> SocketAddr {
        self.proxy.addresses()[0]
    }

    /// Returns the records of the log, and the report.
    async fn end(mut self) -> (Vec<Value>, Report) {
        self.proxy.stop().drain();
        let relay = tokio::time::timeout(NEVER, self.proxy.ended()).await.unwrap();
        let Self { proxy, folder } = self;
        let report = tokio::task::spawn_blocking(move || proxy.finish(relay)).await.unwrap();
        (read_log(&folder.path().join("log.jsonl")), report)
    }
}

fn read_log(log: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the reasons of the error records.
fn errors(log: &[Value]) -> Vec<&str> {
    log.iter().filter(|record| record["type"] == "error").map(|record| record["reason"].as_str().unwrap()).collect()
}

fn given(authority: &Authority, name: &str) -> ClientTls {
    let (chain, key) = authority.leaf(name);
    ClientTls::Certificate { chain: chain.into_bytes(), key: key.into_bytes() }
}

fn signing(authority: &Authority) -> ClientTls {
    let (certificate, key) = authority.pem();
    ClientTls::Authority { certificate: certificate.into_bytes(), key: key.into_bytes() }
}

fn trusting(authority: &Authority, name: Option<&str>) -> ServerTls {
    let authorities = TrustedAuthorities::File(authority.pem().0.into_bytes());
    ServerTls { authorities, name: name.map(str::to_owned), identity: None }
}

fn both(client: ClientTls, server: ServerTls) -> Option<RouteTls> {
    Some(RouteTls::new(Some(client), Some(server), Vec::new(), None).unwrap())
}

async fn echo(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), text: &[u8]) {
    stream.write_all(text).await.unwrap();
    let mut back = vec![0; text.len()];
    tokio::time::timeout(NEVER, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, text);
}

/// Returns whether a client gets nothing. The proxy may have reset it before it was connected.
async fn is_refused(client: std::io::Result<TcpStream>) -> bool {
    let Ok(mut client) = client else { return true };
    !matches!(client.read(&mut [0]).await, Ok(1..))
}

async fn connect(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> std::io::Result<Stream> {
    ends::connect(TcpStream::connect(address).await?, name, config).await
}

fn both_sides_agree_as_without_the_proxy_and_the_text_is_logged_and_recorded() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let config = server_config(&server.leaf("server.test"), &["http/1.1"]);
        let upstream = echo_tls(config).await;
        let tls = both(signing(&own), trusting(&server, None));
        let running = Running::start(upstream, tls, |configuration| {
            configuration.routes[0].protocol = Registry::builtin().resolve("lines").unwrap();
        })
        .await;
        let mut client =
            connect(running.address(), "server.test", client_config(&own, &["h2", "http/1.1"])).await.unwrap();
        assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        echo(&mut client, b"hello\nworld\n").await;
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);

        let folder = Arc::clone(&running.folder);
        let (log, report) = running.end().await;
        assert!(report.is_complete());
        let secured: Vec<_> = log.iter().filter(|record| record["event"] == "tls").collect();
        assert_eq!((log[0]["event"].as_str(), secured.len()), (Some("open"), 2), "{log:?}");
        for (record, side) in secured.iter().zip(["client", "server"]) {
            assert_eq!(record["side"], side);
            assert_eq!(record["version"], "TLS 1.3");
            assert_eq!(record["server_name"], "server.test");
            assert_eq!(record["alpn"], "http/1.1");
        }
        let lines: Vec<_> = log.iter().filter(|record| record["kind"] == "line").collect();
        assert_eq!(lines.len(), 4);
        let end = log.iter().find(|record| record["event"] == "end").unwrap();
        assert_eq!(
            (&end["client_bytes"], &end["client_ending"], &end["server_ending"]),
            (&12.into(), &"closed".into(), &"closed".into())
        );
        assert_eq!(errors(&log), [""; 0]);

        let recorded = std::fs::read(folder.path().join("recording.pcapng")).unwrap();
        let holds = |text: &[u8]| recorded.windows(text.len()).any(|window| window == text);
        assert!(holds(b"hello\nworld\n") && !holds(b"server.test"));
    });
}

fn each_side_may_have_tls_alone() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let tls = RouteTls::new(Some(given(&own, "proxy.test")), None, vec!["h2".to_owned()], None).unwrap();
        let running = Running::start(echo_plain().await, Some(tls), |_| {}).await;
        let mut client = connect(running.address(), "proxy.test", client_config(&own, &["h2"])).await.unwrap();
        assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        echo(&mut client, b"text").await;
        // A client without ALPN is served, too.
        let mut client = connect(running.address(), "proxy.test", client_config(&own, &[])).await.unwrap();
        echo(&mut client, b"text").await;
        drop(client);
        let (log, _) = running.end().await;
        assert!(log.iter().all(|record| record["event"] != "tls" || record["side"] == "client"));

        let upstream = echo_tls(server_config(&server.leaf("server.test"), &["h2"])).await;
        let server_tls = trusting(&server, Some("server.test"));
        let tls = RouteTls::new(None, Some(server_tls), vec!["h2".to_owned()], None).unwrap();
        let running = Running::start(upstream, Some(tls), |_| {}).await;
        let mut client = TcpStream::connect(running.address()).await.unwrap();
        echo(&mut client, b"text").await;
        drop(client);
        let (log, _) = running.end().await;
        let secured = log.iter().find(|record| record["event"] == "tls").unwrap();
        assert_eq!((&secured["side"], &secured["alpn"]), (&"server".into(), &"h2".into()));
    });
}

fn an_authority_signs_for_every_name_that_clients_ask_for() {
    block_on(async {
        let Ends { own, .. } = Ends::new();
        let (certificate, key) = enjamb_net::relay::CertificateAuthority::create("test").unwrap();
        let made = Authority::from_pem(&certificate, &key);
        for authority in [own, made] {
            let tls = RouteTls::new(Some(signing(&authority)), None, Vec::new(), None).unwrap();
            let running = Running::start(echo_plain().await, Some(tls), |_| {}).await;
            for name in ["one.test", "two.test", "ONE.test", "127.0.0.1", "one.test"] {
                let mut client = connect(running.address(), name, client_config(&authority, &[])).await.unwrap();
                echo(&mut client, name.as_bytes()).await;
            }
            let (log, report) = running.end().await;
            assert_eq!((report.relay.connections, report.relay.handshakes_failed), (5, 0), "{log:?}");
        }
    });
}

fn certificates_that_are_wrong_are_reported_with_their_side() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let stranger = Authority::new();
        let upstream = echo_tls(server_config(&server.leaf("server.test"), &[])).await;
        let insecure = ServerTls { authorities: TrustedAuthorities::Any, name: None, identity: None };
        for (roots, name, trusted, reason) in [
            (
                trusting(&stranger, None),
                "server.test",
                &own,
                "the server failed: invalid peer certificate: UnknownIssuer",
            ),
            (
                trusting(&server, Some("other.test")),
                "server.test",
                &own,
                "the server failed: invalid peer certificate: certificate not valid for name \"other.test\"",
            ),
            (trusting(&server, None), "server.test", &stranger, "the client failed: received fatal alert: UnknownCA"),
            (insecure, "whatever.test", &own, ""),
        ] {
            let running = Running::start(upstream, both(signing(&own), roots), |_| {}).await;
            let connected = connect(running.address(), name, client_config(trusted, &[])).await;
            if reason.is_empty() {
                let mut client = connected.unwrap();
                echo(&mut client, b"text").await;
                client.shutdown().await.unwrap();
                assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
            } else {
                assert!(connected.is_err(), "{reason}");
            }
            // A client may have finished its handshake before the alert arrives.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let metrics = running.proxy.status().handshake_failures();
            let (log, report) = running.end().await;
            let failures = u64::from(!reason.is_empty());
            assert_eq!((metrics, report.relay.handshakes_failed), (failures, failures));
            assert_eq!(report.relay.connections, 1 - failures);
            let errors = errors(&log);
            assert_eq!(errors.len() as u64, failures, "{errors:?}");
            assert!(errors.iter().all(|error| error.contains(reason)), "{errors:?}");
            let summary = log.last().unwrap();
            assert_eq!(summary["tls_handshake_failures"].as_u64().unwrap_or(0), failures);
        }
    });
}

fn a_server_that_signed_itself_is_trusted_if_its_certificate_is_given() {
    block_on(async {
        let valid = Authority::self_signed("server.test", [2020, 2100]);
        let expired = Authority::self_signed("server.test", [2020, 2021]);
        let other = Authority::self_signed("server.test", [2020, 2100]);
        for (server, given, name, reason) in [
            (&valid, &valid, "server.test", ""),
            (&valid, &valid, "other.test", "not valid for name"),
            (&expired, &expired, "server.test", "expired"),
            (&valid, &other, "server.test", "invalid peer certificate"),
        ] {
            let upstream = echo_tls(server_config(&server.pem(), &[])).await;
            let tls = RouteTls::new(None, Some(trusting(given, Some(name))), Vec::new(), None).unwrap();
            let running = Running::start(upstream, Some(tls), |_| {}).await;
            let client = TcpStream::connect(running.address()).await;
            if reason.is_empty() {
                echo(&mut client.unwrap(), b"text").await;
            } else {
                assert!(is_refused(client).await);
                let (log, _) = running.end().await;
                assert!(errors(&log).iter().any(|error| error.contains(reason)), "{reason}: {log:?}");
            }
        }
    });
}

fn a_server_gets_the_certificate_of_the_proxy() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let upstream = echo_tls(ends::demanding_config(&server.leaf("server.test"), &own)).await;
        let mut trusting = trusting(&server, Some("server.test"));
        for has_certificate in [true, false] {
            let (chain, key) = own.leaf("proxy");
            trusting.identity = has_certificate.then(|| (chain.into_bytes(), key.into_bytes()));
            let tls = RouteTls::new(None, Some(trusting.clone()), Vec::new(), None).unwrap();
            let running = Running::start(upstream, Some(tls), |_| {}).await;
            let client = TcpStream::connect(running.address()).await;
            if has_certificate {
                echo(&mut client.unwrap(), b"text").await;
                continue;
            }
            assert!(is_refused(client).await);
            let (log, _) = running.end().await;
            let errors = errors(&log);
            assert!(
                errors
                    .iter()
                    .any(|error| error.contains("of the server failed: received fatal alert: CertificateRequired")),
                "{errors:?}"
            );
        }
    });
}

fn clients_that_send_something_else_are_reported() {
    block_on(async {
        let Ends { own, .. } = Ends::new();
        let tls = RouteTls::new(Some(signing(&own)), None, Vec::new(), None).unwrap();
        let running = Running::start(echo_plain().await, Some(tls), |configuration| {
            configuration.tls_timeout = Duration::from_millis(300);
        })
        .await;
        let mut plain = TcpStream::connect(running.address()).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = plain.read_to_end(&mut rest).await;
        assert_eq!(rest.first(), Some(&0x15), "an alert");
        let mut silent = TcpStream::connect(running.address()).await.unwrap();
        assert!(silent.read(&mut [0]).await.is_err(), "it is reset");
        drop(TcpStream::connect(running.address()).await.unwrap());
        let mut slow = TcpStream::connect(running.address()).await.unwrap();
        slow.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        drop(slow);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (log, report) = running.end().await;
        let mut errors = errors(&log);
        errors.sort_unstable();
        let expected = [
            "it was not finished within 300ms",
            "its first bytes are not TLS: \"GET / HTTP/1\"",
            "its stream ended before the handshake did",
            "its stream ended without a byte",
        ];
        assert_eq!(errors, expected.map(|reason| format!("the TLS handshake with the client failed: {reason}")));
        assert_eq!((report.relay.connections, report.relay.handshakes_failed), (0, 4));
        // They have the addresses of the client, and no number.
        let record = log.iter().find(|record| record["type"] == "error").unwrap();
        assert!(record["client"].is_string() && record.get("conn").is_none(), "{record}");

        // The other way round: the server has no TLS.
        let server = ServerTls { authorities: TrustedAuthorities::Any, name: None, identity: None };
        let tls = RouteTls::new(None, Some(server), Vec::new(), None).unwrap();
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = Running::start(upstream.local_addr().unwrap(), Some(tls), |_| {}).await;
        let client = TcpStream::connect(running.address()).await.unwrap();
        let (mut server, _) = upstream.accept().await.unwrap();
        server.write_all(b"220 mail.test ready\r\n").await.unwrap();
        assert!(is_refused(Ok(client)).await);
        let (log, _) = running.end().await;
        assert_eq!(
            self::errors(&log),
            ["the TLS handshake with the server failed: its first bytes are not TLS: \"220 mail.tes\""]
        );
    });
}

fn tls_that_passes_unchanged_shows_its_names() {
    block_on(async {
        let Ends { server, .. } = Ends::new();
        let upstream = echo_tls(server_config(&server.leaf("server.test"), &["h2"])).await;
        let running = Running::start(upstream, None, |_| {}).await;
        let mut client = connect(running.address(), "server.test", client_config(&server, &["h2"])).await.unwrap();
        echo(&mut client, b"secret").await;
        client.shutdown().await.unwrap();
        let (log, _) = running.end().await;
        let hello = |kind: &str| {
            let record = log.iter().find(|record| record["kind"] == kind).unwrap_or_else(|| panic!("{log:?}"));
            (record["protocol"].as_str().unwrap().to_owned(), record["summary"].as_str().unwrap().to_owned())
        };
        let (protocol, summary) = hello("ClientHello");
        assert_eq!(protocol, "tls");
        for part in ["server.test", "TLS 1.3", "h2"] {
            assert!(summary.contains(part), "{summary}");
        }
        assert!(hello("ServerHello").1.contains("TLS 1.3"));
    });
}

fn a_missing_close_notify_and_a_reset_are_visible_and_passed_on() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let running = Running::start(upstream, both(signing(&own), trusting(&server, None)), |_| {}).await;
        let acceptor = ends::acceptor(server_config(&server.leaf("server.test"), &[]));
        let pair = async || {
            let config = client_config(&own, &[]);
            let client = connect(running.address(), "server.test", config);
            let accepted = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
            let (client, server) = tokio::join!(client, accepted);
            (client.unwrap(), server)
        };
        // The client's TCP stream ends, and its TLS does not.
        let (mut client, mut server_end) = pair().await;
        client.write_all(b"cut").await.unwrap();
        client.get_mut().0.shutdown().await.unwrap();
        let mut read = Vec::new();
        let error = server_end.read_to_end(&mut read).await.unwrap_err();
        assert_eq!((&read[..], error.kind()), (&b"cut"[..], std::io::ErrorKind::UnexpectedEof));
        // The server may go on.
        server_end.write_all(b"answer").await.unwrap();
        server_end.shutdown().await.unwrap();
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"answer");

        // The client resets.
        let (mut client, mut server_end) = pair().await;
        client.write_all(b"last words").await.unwrap();
        let mut text = [0; 10];
        server_end.read_exact(&mut text).await.unwrap();
        client.get_mut().0.set_zero_linger().unwrap();
        drop(client);
        let error = server_end.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

        // The server sends a record that is none.
        let (mut client, server_end) = pair().await;
        let mut socket = server_end.into_inner().0;
        socket.write_all(b"\x17\x03\x03\x00\x20this is not what was agreed on!!").await.unwrap();
        assert!(client.read(&mut [0]).await.is_err());
        let mut alert = Vec::new();
        let _ = socket.read_to_end(&mut alert).await;
        assert!(!alert.is_empty(), "the server gets an alert");

        let (log, _) = running.end().await;
        let errors: Vec<_> = errors(&log);
        let expected = [
            "the client ended its stream without close_notify",
            "the TLS of the server failed: cannot decrypt peer's message",
        ];
        assert_eq!(errors.len(), 2, "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.contains(expected), "{errors:?}");
        }
    });
}

fn large_streams_pass_both_ways_and_ends_are_half_closes() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let upstream = echo_tls(server_config(&server.leaf("server.test"), &[])).await;
        let running = Running::start(upstream, both(signing(&own), trusting(&server, None)), |configuration| {
            configuration.record = None;
        })
        .await;
        let client = connect(running.address(), "server.test", client_config(&own, &[])).await.unwrap();
        let (mut reads, mut writes) = tokio::io::split(client);
        let sent: Vec<u8> = (0..20_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let copy = sent.clone();
        let writing = tokio::spawn(async move {
            writes.write_all(&copy).await.unwrap();
            // The rest of the answer is still to come.
            writes.shutdown().await.unwrap();
            writes
        });
        let mut back = Vec::new();
        reads.read_to_end(&mut back).await.unwrap();
        assert!(back == sent);
        writing.await.unwrap();
        let (log, _) = running.end().await;
        let end = log.iter().find(|record| record["event"] == "end").unwrap();
        for side in ["client", "server"] {
            assert_eq!(
                (&end[format!("{side}_bytes")], &end[format!("{side}_ending")]),
                (&20_000_000.into(), &"closed".into())
            );
        }
        assert_eq!(errors(&log), [""; 0]);
    });
}

fn a_hundred_connections_pass_at_once() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let upstream = echo_tls(server_config(&server.leaf("server.test"), &[])).await;
        let running = Running::start(upstream, both(signing(&own), trusting(&server, None)), |_| {}).await;
        let (address, config) = (running.address(), client_config(&own, &[]));
        let clients: Vec<_> = (0..100_usize)
            .map(|number| {
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    let mut client = connect(address, "server.test", config).await.unwrap();
                    for round in 0..10 {
                        echo(&mut client, format!("{number} {round}\n").repeat(1 + number * 7 % 100).as_bytes()).await;
                    }
                    client.shutdown().await.unwrap();
                    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let (log, report) = running.end().await;
        assert_eq!((report.relay.connections, report.relay.handshakes_failed), (100, 0));
        assert_eq!(errors(&log), [""; 0]);
    });
}

fn faults_change_the_text_inside_tls() {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let upstream = echo_tls(server_config(&server.leaf("server.test"), &[])).await;
        let running = Running::start(upstream, both(signing(&own), trusting(&server, None)), |configuration| {
            let route = &mut configuration.routes[0];
            route.protocol = Registry::builtin().resolve("lines").unwrap();
            route.faults = enjamb_faults::Fault::parse("drop,side=client,every=2").unwrap();
        })
        .await;
        let mut client = connect(running.address(), "server.test", client_config(&own, &[])).await.unwrap();
        client.write_all(b"one\ntwo\nthree\n").await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = String::new();
        client.read_to_string(&mut back).await.unwrap();
        assert_eq!(back, "one\nthree\n");
        running.end().await;
    });
}
