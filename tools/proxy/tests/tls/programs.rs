//! Clients and servers that others wrote.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use enjamb_proxy::{RouteTls, StartTls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::ends::{Authority, Ends, echo_tls, server_config};
use crate::{NEVER, Running, block_on, both, errors, signing, trusting};

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.exists())
}

fn programs(names: &[&str]) -> Result<(), String> {
    names.iter().find(|name| find(name).is_none()).map_or(Ok(()), |name| Err(format!("{name} is not installed")))
}

pub(crate) fn openssl() -> Result<(), String> {
    programs(&["openssl"])
}

pub(crate) fn curl() -> Result<(), String> {
    programs(&["curl"])
}

pub(crate) fn python() -> Result<(), String> {
    programs(&["python3"])
}

/// The programs of PostgreSQL's server.
pub(crate) fn postgres() -> Result<(), String> {
    programs(&["psql", "setpriv"])?;
    postgres_folder().map(drop).ok_or_else(|| "initdb is not installed".to_owned())
}

fn postgres_folder() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions.flatten().map(|version| version.path().join("bin")).find(|folder| folder.join("initdb").exists())
}

/// MariaDB's server and client, and `setpriv`.
pub(crate) fn mariadb() -> Result<(), String> {
    programs(&["mariadbd", "mariadb", "mariadb-install-db", "setpriv"])
}

/// Dovecot, which starts as root only, and curl.
pub(crate) fn dovecot() -> Result<(), String> {
    programs(&["dovecot", "curl"])?;
    match std::process::Command::new("id").arg("-u").output() {
        Ok(output) if output.stdout == b"0\n" => Ok(()),
        _ => Err("dovecot needs root".to_owned()),
    }
}

/// Writes a certificate and its key to files, which everybody may read.
fn write(folder: &Path, authority: &Authority, name: &str) -> (PathBuf, PathBuf, PathBuf) {
    let (certificate, key) = authority.leaf(name);
    let paths = ["cert.pem", "key.pem", "ca.pem"].map(|name| folder.join(name));
    for (path, text) in paths.iter().zip([certificate, key, authority.pem().0]) {
        std::fs::write(path, text).unwrap();
    }
    let [certificate, key, authority] = paths;
    (certificate, key, authority)
}

/// Runs a program to its end. Returns whether it succeeded, and what it wrote.
async fn run(command: &mut Command, input: &[u8]) -> (bool, String) {
    let command = command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading.
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input).await;
    drop(stdin);
    let output = tokio::time::timeout(NEVER, child.wait_with_output()).await.expect("it does not end").unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

pub(crate) fn openssl_and_its_alerts((): &()) {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let folder = tempfile::tempdir().unwrap();
        let (_, _, authority) = write(folder.path(), &own, "unused.test");
        let stranger = folder.path().join("stranger.pem");
        std::fs::write(&stranger, server.pem().0).unwrap();
        let upstream = echo_tls(server_config(&server.leaf("server.test"), &["h2", "http/1.1"])).await;
        for version in ["-tls1_2", "-tls1_3"] {
            let running = Running::start(upstream, both(signing(&own), trusting(&server, None)), |_| {}).await;
            let client = |trusts: bool| {
                let mut command = Command::new("openssl");
                command.args(["s_client", "-connect", &running.address().to_string(), version]);
                command.args(["-servername", "server.test", "-alpn", "http/1.1", "-verify_return_error"]);
                command.args(["-verify_hostname", "server.test", "-ign_eof"]);
                command.arg("-CAfile").arg(if trusts { &authority } else { &stranger });
                command
            };
            // The echo answers, and the server closes when openssl is told to quit.
            let mut command = client(true);
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.kill_on_drop(true).spawn().unwrap();
            child.stdin.as_mut().unwrap().write_all(b"hello from openssl\n").await.unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut read = Vec::new();
            let reading = async {
                while let Some(line) = lines.next_line().await.unwrap() {
                    let is_last = line == "hello from openssl";
                    read.push(line);
                    if is_last {
                        return;
                    }
                }
            };
            tokio::time::timeout(NEVER, reading).await.unwrap();
            assert!(read.iter().any(|line| line.contains("ALPN protocol: http/1.1")), "{read:#?}");
            child.kill().await.unwrap();

            let (is_ok, text) = run(&mut client(false), b"").await;
            assert!(!is_ok, "{text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            let (log, report) = running.end().await;
            assert_eq!(report.relay.handshakes_failed, 1);
            let errors = errors(&log);
            assert!(
                errors.iter().any(|error| error.contains("with the client failed: received fatal alert: UnknownCA")),
                "{errors:?}"
            );
        }
    });
}

pub(crate) fn curl_trusts_the_authority((): &()) {
    block_on(async {
        let Ends { own, .. } = Ends::new();
        let folder = tempfile::tempdir().unwrap();
        let (_, _, authority) = write(folder.path(), &own, "unused.test");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    let mut reader = BufReader::new(&mut socket);
                    while !head.ends_with(b"\r\n\r\n") {
                        if reader.read_until(b'\n', &mut head).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let body = "the plain server answers";
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    socket.write_all(answer.as_bytes()).await.unwrap();
                });
            }
        });
        let tls = RouteTls::new(Some(signing(&own)), None, Vec::new(), None).unwrap();
        let running = Running::start(upstream, Some(tls), |_| {}).await;
        let port = running.address().port();
        let mut command = Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "--resolve", &format!("api.test:{port}:127.0.0.1"), "--cacert"]);
        command.arg(&authority).arg(format!("https://api.test:{port}/path?q=1"));
        let (is_ok, text) = run(&mut command, b"").await;
        assert!(is_ok && text == "the plain server answers", "{text}");
        let (log, _) = running.end().await;
        let secured = log.iter().find(|record| record["event"] == "tls").unwrap();
        assert_eq!(secured["server_name"], "api.test");
        assert!(log.iter().any(|record| record["protocol"] == "http1" && record["kind"] == "GET"), "{log:#?}");
    });
}

/// A server of SMTP in Python's standard library, and its client `smtplib`. The server answers
/// what it receives inside TLS, and refuses mail outside of it.
const SMTP_SERVER: &str = r#"
import socketserver, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        stream, secure = self.request, False
        lines = stream.makefile("rb")
        stream.sendall(b"220 mail.test\r\n")
        while line := lines.readline():
            word = line.strip().upper()
            if word.startswith(b"EHLO"):
                stream.sendall(b"250-mail.test\r\n250-SIZE\r\n250 8BITMIME\r\n" if secure
                               else b"250-mail.test\r\n250 STARTTLS\r\n")
            elif word == b"STARTTLS":
                stream.sendall(b"220 go ahead\r\n")
                stream, secure = context.wrap_socket(stream, server_side=True), True
                lines = stream.makefile("rb")
            elif word == b"QUIT":
                stream.sendall(b"221 bye\r\n")
                return
            elif not secure:
                stream.sendall(b"530 must use STARTTLS\r\n")
            elif word == b"DATA":
                stream.sendall(b"354 go\r\n")
                while lines.readline() not in (b".\r\n", b""):
                    pass
                stream.sendall(b"250 queued\r\n")
            else:
                stream.sendall(b"250 ok\r\n")
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

const SMTP_CLIENT: &str = r#"
import smtplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
client = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=20)
client._host = "server.test"
client.ehlo()
client.starttls(context=context)
client.sendmail("a@server.test", ["b@server.test"], "Subject: inside\r\n\r\nSTARTTLS\r\nthe text\r\n")
client.quit()
print("sent")
"#;

pub(crate) fn mail_is_sent_behind_starttls((): &()) {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (certificate, key, _) = write(theirs.path(), &server, "server.test");
        let (_, _, authority) = write(ours.path(), &own, "unused.test");
        let mut command = Command::new("python3");
        command.args(["-c", SMTP_SERVER]).arg(certificate).arg(key).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let upstream: SocketAddr = format!("127.0.0.1:{}", line.trim()).parse().unwrap();

        let tls = RouteTls::new(Some(signing(&own)), Some(trusting(&server, None)), Vec::new(), Some(StartTls::Smtp))
            .unwrap();
        let running = Running::start(upstream, Some(tls), |_| {}).await;
        for _ in 0..2 {
            let mut client = Command::new("python3");
            client.args(["-c", SMTP_CLIENT, &running.address().port().to_string()]).arg(&authority);
            let (is_ok, text) = run(&mut client, b"").await;
            assert!(is_ok && text == "sent\n", "{text}");
        }
        let (log, report) = running.end().await;
        assert_eq!((report.relay.connections, report.relay.handshakes_failed), (2, 0));
        let kinds: Vec<_> = log
            .iter()
            .filter(|record| record["conn"] == 1 && record["side"] == "client")
            .map(|record| record["kind"].as_str().or(record["event"].as_str()).unwrap())
            .collect();
        assert_eq!(kinds, ["EHLO", "STARTTLS", "tls", "EHLO", "MAIL", "RCPT", "DATA", "mail", "QUIT"], "{log:#?}");
        assert!(log.iter().all(|record| record["type"] != "message" || record["protocol"] == "smtp"));
        assert!(log.iter().all(|record| record["outcome"] != "malformed"), "{log:#?}");
        let secured: Vec<_> = log.iter().filter(|record| record["event"] == "tls" && record["conn"] == 1).collect();
        assert_eq!(secured.len(), 2);
        assert_eq!((&secured[1]["side"], &secured[1]["server_name"]), (&"server".into(), &"server.test".into()));
        drop(process);
    });
}

/// A program that runs as the user `nobody`. Servers of databases do not run as root.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program).current_dir("/");
    command.env("LC_ALL", "C").stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// Gives a folder with a certificate and its key to the user `nobody`.
fn give_to_nobody(folder: &Path, certificate: &Path, key: &Path) {
    for (path, mode) in [(folder, "755"), (certificate, "644"), (key, "600")] {
        for (program, argument) in [("chown", "nobody:nogroup"), ("chmod", mode)] {
            assert!(std::process::Command::new(program).arg(argument).arg(path).status().unwrap().success());
        }
    }
}

fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn wait_for(port: u16) {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server of PostgreSQL with TLS.
async fn start_postgres(folder: &Path, certificate: &Path, key: &Path) -> (Child, u16) {
    let programs = postgres_folder().unwrap();
    give_to_nobody(folder, certificate, key);
    let data = folder.join("data");
    let mut command = as_nobody(&programs.join("initdb"));
    command.arg("-D").arg(&data).args(["-U", "alice", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"]);
    assert!(command.status().await.unwrap().success());
    let port = free_port();
    let mut command = as_nobody(&programs.join("postgres"));
    command.arg("-D").arg(&data).arg("-k").arg(folder).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F"]);
    command.args(["-c", "ssl=on", "-c", &format!("ssl_cert_file={}", certificate.display())]);
    command.args(["-c", &format!("ssl_key_file={}", key.display())]);
    let process = command.spawn().unwrap();
    wait_for(port).await;
    (process, port)
}

pub(crate) fn psql_queries_a_server_behind_its_ssl_request((): &()) {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (certificate, key, _) = write(theirs.path(), &server, "server.test");
        let (_, _, authority) = write(ours.path(), &own, "unused.test");
        let (mut process, port) = start_postgres(theirs.path(), &certificate, &key).await;
        let tls = RouteTls::new(
            Some(signing(&own)),
            Some(trusting(&server, Some("server.test"))),
            Vec::new(),
            Some(StartTls::Postgres),
        )
        .unwrap();
        let running = Running::start(([127, 0, 0, 1], port).into(), Some(tls), |_| {}).await;
        let mut answers = Vec::new();
        for mode in ["verify-full", "disable"] {
            let mut psql = Command::new("psql");
            psql.args(["-X", "-A", "-t", "-c", "select ssl, 6 * 7 from pg_stat_ssl where pid = pg_backend_pid()"]);
            psql.arg(format!(
                "host=localhost hostaddr=127.0.0.1 port={} user=alice dbname=postgres sslmode={mode} sslrootcert={}",
                running.address().port(),
                authority.display()
            ));
            let (is_ok, text) = run(&mut psql, b"").await;
            assert!(is_ok, "{mode}: {text}");
            answers.push(text.trim().to_owned());
        }
        // Without TLS the connection passes as it is.
        assert_eq!(answers, ["t|42", "f|42"]);
        let (log, report) = running.end().await;
        assert_eq!((report.relay.connections, report.relay.handshakes_failed), (2, 0));
        let kinds: Vec<_> = log
            .iter()
            .filter(|record| record["conn"] == 1 && record["side"] == "client")
            .map(|record| record["kind"].as_str().or(record["event"].as_str()).unwrap())
            .collect();
        assert_eq!(kinds, ["SSLRequest", "tls", "StartupMessage", "Query", "Terminate"], "{log:#?}");
        assert!(log.iter().all(|record| record["outcome"] != "malformed"), "{log:#?}");
        process.start_kill().unwrap();
        process.wait().await.unwrap();
    });
}

/// A server of MariaDB with TLS.
async fn start_mariadb(folder: &Path, certificate: &Path, key: &Path) -> (Child, u16) {
    give_to_nobody(folder, certificate, key);
    let data = folder.join("data");
    let mut command = as_nobody(&find("mariadb-install-db").unwrap());
    command.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
    command.arg(format!("--datadir={}", data.display()));
    assert!(command.status().await.unwrap().success());
    let port = free_port();
    let mut command = as_nobody(&find("mariadbd").unwrap());
    command.args(["--no-defaults", "--bind-address=127.0.0.1", &format!("--port={port}")]);
    for (option, path) in [
        ("datadir", &data),
        ("socket", &folder.join("socket")),
        ("pid-file", &folder.join("pid")),
        ("ssl-cert", &certificate.to_owned()),
        ("ssl-key", &key.to_owned()),
    ] {
        command.arg(format!("--{option}={}", path.display()));
    }
    let process = command.spawn().unwrap();
    wait_for(port).await;
    (process, port)
}

pub(crate) fn mariadb_queries_a_server_behind_its_ssl_request((): &()) {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (certificate, key, _) = write(theirs.path(), &server, "server.test");
        let (_, _, authority) = write(ours.path(), &own, "unused.test");
        let (mut process, port) = start_mariadb(theirs.path(), &certificate, &key).await;
        let trusting = trusting(&server, Some("server.test"));
        let tls = RouteTls::new(Some(signing(&own)), Some(trusting), Vec::new(), Some(StartTls::Mysql)).unwrap();
        let running = Running::start(([127, 0, 0, 1], port).into(), Some(tls), |configuration| {
            configuration.routes[0].protocol = enjamb_protocols::Registry::builtin().resolve("mysql").unwrap();
        })
        .await;
        for (tls, has_cipher) in [
            (vec!["--ssl".to_owned(), format!("--ssl-ca={}", authority.display())], true),
            (vec!["--skip-ssl".to_owned()], false),
        ] {
            let mut client = Command::new("mariadb");
            client.args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-N", "-P"]);
            client.arg(running.address().port().to_string()).args(tls);
            client.args(["-e", "show status like 'Ssl_cipher'; select 6 * 7"]);
            let (is_ok, text) = run(&mut client, b"").await;
            assert!(is_ok && text.ends_with("42\n"), "{text}");
            assert_eq!(text.contains("TLS_"), has_cipher, "{text}");
        }
        let (log, report) = running.end().await;
        assert_eq!((report.relay.connections, report.relay.handshakes_failed), (2, 0), "{log:#?}");
        let kinds: Vec<_> = log
            .iter()
            .filter(|record| record["conn"] == 1 && record["side"] == "client")
            .map(|record| record["kind"].as_str().or(record["event"].as_str()).unwrap())
            .collect();
        assert_eq!(kinds[..3], ["SSLRequest", "tls", "login"], "{log:#?}");
        assert!(kinds.iter().any(|kind| kind.contains("QUERY")), "{kinds:?}");
        assert!(log.iter().all(|record| record["outcome"] != "malformed"), "{log:#?}");
        process.start_kill().unwrap();
        process.wait().await.unwrap();
    });
}

/// Dovecot with one mail of a user `alice`. Returns its ports of IMAP and of POP3.
async fn start_dovecot(folder: &Path, certificate: &Path, key: &Path) -> (Child, [u16; 2]) {
    let ports = [free_port(), free_port()];
    let base = folder.display();
    std::fs::create_dir_all(folder.join("mail/new")).unwrap();
    for name in ["cur", "tmp"] {
        std::fs::create_dir(folder.join("mail").join(name)).unwrap();
    }
    std::fs::write(folder.join("mail/new/1700000001.M1P1.mail"), "Subject: one\r\n\r\nHello.\r\n").unwrap();
    std::fs::write(folder.join("users"), "alice:{PLAIN}horse:65534:65534::/nonexistent::\n").unwrap();
    for (program, arguments) in [("chmod", &["755"][..]), ("chown", &["-R", "nobody:nogroup"])] {
        assert!(std::process::Command::new(program).args(arguments).arg(folder).status().unwrap().success());
    }
    let (certificate, key, [imap, pop3]) = (certificate.display(), key.display(), ports);
    let listener = |name: &str, port| {
        format!(
            "service {name}-login {{\n inet_listener {name} {{\n port = {port}\n }}\n \
             inet_listener {name}s {{\n port = 0\n }}\n}}\n"
        )
    };
    let config = format!(
        "base_dir = {base}/run\nstate_dir = {base}/state\nlog_path = {base}/log\nprotocols = imap pop3\n\
         listen = 127.0.0.1\nssl = required\nssl_cert = <{certificate}\nssl_key = <{key}\n\
         mail_location = maildir:{base}/mail\nfirst_valid_gid = 0\n{}{}\
         passdb {{\n driver = passwd-file\n args = {base}/users\n}}\n\
         userdb {{\n driver = passwd-file\n args = {base}/users\n}}\n",
        listener("imap", imap),
        listener("pop3", pop3)
    );
    let file = folder.join("dovecot.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(find("dovecot").unwrap());
    command.arg("-F").arg("-c").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.kill_on_drop(true).spawn().unwrap();
    for port in ports {
        wait_for(port).await;
    }
    (process, ports)
}

pub(crate) fn curl_reads_mail_behind_starttls_and_stls((): &()) {
    block_on(async {
        let Ends { own, server } = Ends::new();
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (certificate, key, _) = write(theirs.path(), &server, "server.test");
        let (_, _, authority) = write(ours.path(), &own, "unused.test");
        let (mut process, ports) = start_dovecot(theirs.path(), &certificate, &key).await;
        for (at, (name, protocol, path, kinds)) in [
            ("imap", StartTls::Imap, "INBOX;MAILINDEX=1", ["STARTTLS", "tls"]),
            ("pop3", StartTls::Pop3, "1", ["STLS", "tls"]),
        ]
        .into_iter()
        .enumerate()
        {
            let trusting = trusting(&server, Some("server.test"));
            let tls = RouteTls::new(Some(signing(&own)), Some(trusting), Vec::new(), Some(protocol)).unwrap();
            let running = Running::start(([127, 0, 0, 1], ports[at]).into(), Some(tls), |_| {}).await;
            let port = running.address().port();
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--noproxy", "*", "--ssl-reqd", "-u", "alice:horse", "--cacert"]).arg(&authority);
            curl.args(["--resolve", &format!("mail.test:{port}:127.0.0.1")]);
            let (is_ok, text) = run(curl.arg(format!("{name}://mail.test:{port}/{path}")), b"").await;
            assert!(is_ok && text.contains("Hello."), "{name}: {text}");
            let (log, report) = running.end().await;
            assert_eq!((report.relay.connections, report.relay.handshakes_failed), (1, 0), "{log:#?}");
            let seen: Vec<_> = log
                .iter()
                .filter(|record| record["side"] == "client")
                .map(|record| record["kind"].as_str().or(record["event"].as_str()).unwrap())
                .collect();
            assert!(seen.windows(2).any(|pair| pair == kinds), "{seen:?}");
            assert!(seen.len() > 5, "the commands inside TLS: {seen:?}");
            assert!(log.iter().all(|record| record["type"] != "message" || record["protocol"] == name), "{log:#?}");
            assert!(log.iter().all(|record| record["outcome"] != "malformed"), "{log:#?}");
        }
        // Its processes end with it.
        let id = process.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").arg(id).status().unwrap().success());
        process.wait().await.unwrap();
    });
}
