//! The examples, each with clients that others wrote.

#[path = "../../enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use requirements::trials;

trials! {
    requires nc: [nc_gets_its_lines_back];
    requires redis: [
        redis_benchmark_takes_the_echo_for_a_redis_of_inline_commands, redis_cli_and_redis_benchmark_use_the_small_redis,
        a_server_logs_and_records_its_own_messages,
    ];
    requires python: [
        a_thousand_python_clients_chat, a_slow_reader_is_dropped_from_the_chat, xmlrpc_client_of_python_is_answered,
    ];
    requires curl: [curl_loads_uploads_and_keeps_its_connection];
    requires wrk: [wrk_loads_files];
    requires h11: [h11_agrees_with_every_response];
    requires openssl: [openssl_speaks_tls_with_the_echo];
    requires nginx: [a_site_of_two_hosts_is_crawled];
}

/// The time after which a client that has not ended never will.
const NEVER: Duration = Duration::from_secs(180);

fn programs(names: &[&str]) -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_there = |name: &str| path.split(':').any(|folder| Path::new(folder).join(name).exists());
    names.iter().find(|name| !is_there(name)).map_or(Ok(()), |missing| Err(format!("{missing} is not installed")))
}

fn nc() -> Result<(), String> {
    programs(&["nc"])
}
fn redis() -> Result<(), String> {
    programs(&["redis-cli", "redis-benchmark"])
}
fn python() -> Result<(), String> {
    programs(&["python3"])
}
fn curl() -> Result<(), String> {
    programs(&["curl"])
}
fn wrk() -> Result<(), String> {
    programs(&["wrk"])
}
fn openssl() -> Result<(), String> {
    programs(&["openssl"])
}
fn nginx() -> Result<(), String> {
    programs(&["nginx"])
}

/// Debian's Python with its package of h11.
fn h11() -> Result<(), String> {
    match Command::new("/usr/bin/python3").args(["-c", "import h11"]).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("python3-h11 is not installed".to_owned()),
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An example that is running.
struct Example {
    process: Process,
    port: u16,
}

/// `cargo test` builds the examples beside this test, unless it is restricted to some targets.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples").join(name)
}

/// Starts an example that listens, on a port that it chooses.
fn start(name: &str, arguments: &[&str]) -> Example {
    let mut command = Command::new(built(name));
    command.arg("127.0.0.1:0").args(arguments).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", built(name).display()));
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    // Byte by byte: what follows is for others.
    while !line.ends_with('\n') {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        line.push(char::from(byte[0]));
    }
    let port = line.split("127.0.0.1:").nth(1).expect("the first line has the address");
    let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
    Example { process: Process(child), port: digits.parse().unwrap() }
}

/// Runs a client to its end. Returns what it printed.
fn run(command: &mut Command, input: &[u8]) -> String {
    let output = run_any(command, input);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

fn run_any(command: &mut Command, input: &[u8]) -> Output {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // Fails if the client has ended already.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(started.elapsed() < NEVER, "{command:?} took {:?}", started.elapsed());
    output
}

fn script(python: &str, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name));
    command
}

fn nc_gets_its_lines_back((): &()) {
    let echo = start("echo", &[]);
    let input: String = (0..1000).map(|number| format!("line {number}\n")).collect();
    let mut command = Command::new("nc");
    command.args(["-N", "127.0.0.1", &echo.port.to_string()]);
    assert_eq!(run(&mut command, input.as_bytes()), input);
    assert_eq!(run(&mut command, b"one\ntw"), "one\n-ERR the last line has no end, after 2 bytes\r\n");
}

fn redis_benchmark_takes_the_echo_for_a_redis_of_inline_commands((): &()) {
    let echo = start("echo", &["--status"]);
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &echo.port.to_string(), "-t", "ping_inline", "-n", "20000", "-P", "16", "--csv"]);
    let out = run(&mut command, b"");
    assert!(out.contains("\"PING_INLINE\",\""), "{out}");
}

fn redis_cli_and_redis_benchmark_use_the_small_redis((): &()) {
    let redis = start("redis", &[]);
    let port = redis.port.to_string();
    let ask = |commands: &str| run(Command::new("redis-cli").args(["-p", &port]), commands.as_bytes());
    assert_eq!(ask("ping\nset a 41\nincr a\nget a\ndel a b\nget a\n"), "PONG\nOK\n42\n42\n1\n\n");
    assert_eq!(ask("multi\nset a 1\nincr a\nexec\n"), "OK\nQUEUED\nQUEUED\nOK\n2\n");
    assert!(ask("set a x\nincr a\nnonsense\n").contains("ERR value is not an integer"));

    let mut subscriber = Command::new("redis-cli");
    subscriber.args(["-p", &port, "subscribe", "news"]).stdout(Stdio::piped()).stdin(Stdio::null());
    let mut subscriber = Process(subscriber.spawn().unwrap());
    let mut lines = BufReader::new(subscriber.0.stdout.take().unwrap()).lines();
    for expected in ["subscribe", "news", "1"] {
        assert!(lines.next().unwrap().unwrap().ends_with(expected));
    }
    assert_eq!(ask("publish news hello\npublish other hello\n"), "1\n0\n");
    for expected in ["message", "news", "hello"] {
        assert!(lines.next().unwrap().unwrap().ends_with(expected));
    }

    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args([
        "-p",
        &port,
        "-t",
        "ping,set,get,incr",
        "-n",
        "20000",
        "-P",
        "16",
        "-r",
        "100",
        "-d",
        "300",
        "--csv",
    ]);
    let out = run(&mut benchmark, b"");
    for name in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"] {
        assert!(out.contains(&format!("\"{name}\",\"")), "{out}");
    }
}

fn a_server_logs_and_records_its_own_messages((): &()) {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("recording.pcapng");
    let mut watched = start("watched", &[recording.to_str().unwrap()]);
    let out = run(Command::new("redis-cli").args(["-p", &watched.port.to_string()]), b"ping\nget x\n");
    assert!(out.starts_with("PONG\nERR "), "{out}");
    let child = &mut watched.process.0;
    run(Command::new("kill").args(["-INT", &child.id().to_string()]), b"");
    let mut log = String::new();
    child.stdout.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success());
    let messages: Vec<_> = log.lines().filter(|line| line.contains("\"type\":\"message\"")).collect();
    assert!(messages.len() >= 4, "{log}");
    assert!(messages.iter().any(|line| line.contains("\"kind\":\"PING\"")), "{log}");
    assert!(messages.iter().any(|line| line.contains("\"code\":\"ERR\"") && line.contains("\"latency_us\":")), "{log}");
    assert!(fs::metadata(recording).unwrap().len() > 500);
}

fn a_thousand_python_clients_chat((): &()) {
    let chat = start("chat", &[]);
    let out = run(script("python3", "chat.py").args([&chat.port.to_string(), "many"]), b"");
    assert_eq!(out, "1000 clients, 999 heard the message\n");
}

fn a_slow_reader_is_dropped_from_the_chat((): &()) {
    let chat = start("chat", &[]);
    let out = run(script("python3", "chat.py").args([&chat.port.to_string(), "slow"]), b"");
    assert_eq!(out, "the slow reader was dropped\n");
}

fn xmlrpc_client_of_python_is_answered((): &()) {
    let server = start("xmlrpc", &[]);
    let out = run(script("python3", "xmlrpc_client.py").arg(server.port.to_string()), b"");
    assert_eq!(out, "every call was answered\n");
}

/// A folder with a page and a large file.
fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), "<h1>enjamb</h1>\n").unwrap();
    fs::write(folder.path().join("kib.bin"), vec![b'x'; 1024]).unwrap();
    let large: Vec<u8> = (0..5_000_000u32).map(|number| (number % 251) as u8).collect();
    fs::write(folder.path().join("large file.bin"), large).unwrap();
    folder
}

fn curl_loads_uploads_and_keeps_its_connection((): &()) {
    let folder = site();
    let http = start("http", &[folder.path().to_str().unwrap()]);
    let url = |path: &str| format!("http://127.0.0.1:{}/{path}", http.port);
    let curl = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new("curl");
        run_any(command.args(["-sS", "--max-time", "30"]).args(arguments), input)
    };
    let large = fs::read(folder.path().join("large file.bin")).unwrap();
    assert!(curl(&[&url("large%20file.bin")], b"").stdout == large);
    let head = String::from_utf8(curl(&["-I", &url("large%20file.bin")], b"").stdout).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nContent-Length: 5000000\r\n"), "{head}");

    let expected = format!("{} bytes\n", large.len());
    for arguments in [&["-T", "-"][..], &["-T", "-", "-H", "Transfer-Encoding: chunked"], &["--data-binary", "@-"]] {
        let output = curl(&[arguments, &["-H", "Expect: 100-continue", &url("upload")]].concat(), &large);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{arguments:?}");
    }
    let output = curl(&["-v", &url(""), &url("nothing"), &url("kib.bin"), "-o", "/dev/null", "-o", "/dev/null"], b"");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.matches("Re-using existing connection").count(), 2, "{text}");
    for (path, status) in [("..%2fCargo.toml", "400"), ("nothing", "404"), ("", "200")] {
        let arguments = ["--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", &url(path)];
        assert_eq!(String::from_utf8(curl(&arguments, b"").stdout).unwrap(), status, "{path}");
    }
    let index = url("");
    let status = |arguments: &[&str]| {
        let arguments = [arguments, &["-o", "/dev/null", "-w", "%{http_code} %{http_version}", &index]].concat();
        String::from_utf8(curl(&arguments, b"").stdout).unwrap()
    };
    assert_eq!(status(&["--http1.0"]), "200 1.1");
    assert_eq!(status(&["-X", "DELETE"]), "405 1.1");
}

fn wrk_loads_files((): &()) {
    let folder = site();
    let http = start("http", &[folder.path().to_str().unwrap()]);
    let url = format!("http://127.0.0.1:{}/kib.bin", http.port);
    let out = run(Command::new("wrk").args(["-t", "1", "-c", "50", "-d", "1s", &url]), b"");
    let requests: u64 = out.split(" requests in").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(requests > 100 && !out.contains("errors") && !out.contains("Non-2xx"), "{out}");
}

fn h11_agrees_with_every_response((): &()) {
    let folder = site();
    let http = start("http", &[folder.path().to_str().unwrap()]);
    let out = run(script("/usr/bin/python3", "h11_client.py").arg(http.port.to_string()), b"");
    assert!(out.ends_with("as expected\n"), "{out}");
}

fn openssl_speaks_tls_with_the_echo((): &()) {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("certificate.pem");
    let tls = start("tls", &[certificate.to_str().unwrap()]);
    let address = format!("127.0.0.1:{}", tls.port);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &address, "-CAfile"]).arg(&certificate);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = Process(command.spawn().unwrap());
    let mut lines = BufReader::new(client.0.stdout.take().unwrap()).lines();
    let mut stdin = client.0.stdin.take().unwrap();
    for line in ["one", "two"] {
        writeln!(stdin, "{line}").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), line);
    }
}

fn a_site_of_two_hosts_is_crawled((): &()) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A tree of 1,000 pages, each of which links to the next ones and to the same page of the other
    // host.
    for page in 0..1000 {
        let links: String = (1..=3).map(|child| format!("<a href=\"{}.html\">", (page * 3 + child) % 1000)).collect();
        let other = format!("<a href=\"http://127.0.0.2:{port}/{page}.html\"><a href=\"mailto:a@b\"><a href=\"#top\">");
        fs::write(root.join(format!("{page}.html")), links + &other).unwrap();
    }
    let config = format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/errors;
         events {{ worker_connections 512; }}
         http {{
             access_log off; keepalive_requests 20;
             client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
             uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
             server {{ listen 127.0.0.1:{port} backlog=1024; listen 127.0.0.2:{port} backlog=1024; root {root}; }}
         }}",
        root = root.display(),
    );
    fs::write(root.join("nginx.conf"), config).unwrap();
    let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
    let mut nginx = Command::new(program);
    nginx.arg("-c").arg(root.join("nginx.conf")).arg("-p").arg(&root).stderr(Stdio::null());
    let _nginx = Process(nginx.spawn().unwrap());
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.2", port)).is_err() {
        assert!(started.elapsed() < NEVER);
        std::thread::sleep(Duration::from_millis(20));
    }
    let url = format!("http://127.0.0.1:{port}/0.html");
    let out = run(Command::new(built("crawl")).args([&url, "--connections", "200", "--per-host", "30"]), b"");
    assert!(out.starts_with("2000 pages, ") && out.contains(" 0 failed, 2 hosts, "), "{out}");
    assert!(out.ends_with("  200: 2000\n"), "{out}");
    let most: usize = out.split(" connections at most").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((31..=60).contains(&most), "{out}");
    let out = run(Command::new(built("crawl")).args([&url, "--pages", "100"]), b"");
    assert!(out.starts_with("100 pages, "), "{out}");
}
