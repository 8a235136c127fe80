//! Real servers and clients, and the binary under test.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The binary under test.
pub(crate) fn enjamb() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enjamb"));
    command.current_dir(root());
    command
}

/// Requirements of tests: programs that may be absent. Their tests are then ignored, except in CI,
/// where they fail.
pub(crate) mod installed {
    use std::path::Path;

    pub(crate) fn redis_server() -> Result<(), String> {
        programs(&["redis-server"])
    }

    pub(crate) fn redis() -> Result<(), String> {
        programs(&["redis-server", "redis-cli"])
    }

    pub(crate) fn redis_benchmark() -> Result<(), String> {
        programs(&["redis-server", "redis-benchmark"])
    }

    pub(crate) fn nginx_and_wrk() -> Result<(), String> {
        programs(&["nginx", "wrk", "curl"])
    }

    pub(crate) fn nginx() -> Result<(), String> {
        programs(&["nginx", "curl"])
    }

    pub(crate) fn chromium() -> Result<(), String> {
        programs(&["chromium"])
    }

    /// The programs that run a command on a terminal.
    pub(crate) fn terminal() -> Result<(), String> {
        programs(&["script", "stty"])
    }

    pub(crate) fn programs(names: &[&str]) -> Result<(), String> {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
        let is_there = |name: &str| path.split(':').any(|folder| Path::new(folder).join(name).exists());
        let Some(missing) = names.iter().find(|name| !is_there(name)) else { return Ok(()) };
        let reason = format!("{missing} is not installed");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        Err(reason)
    }
}

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The maximum time that anything may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns a port that is not in use.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_until_it_listens(address: SocketAddr) {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(started.elapsed() < PATIENCE, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A Redis server that keeps nothing.
pub(crate) fn redis() -> (Process, SocketAddr) {
    let port = free_port();
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process(child);
    wait_until_it_listens(loopback(port));
    (process, loopback(port))
}

/// An nginx that serves `locations`.
pub(crate) fn nginx(folder: &Path, locations: &str) -> (Process, SocketAddr) {
    let port = free_port();
    let folder = folder.canonicalize().unwrap();
    let config = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
         events {{ worker_connections 512; }}
         http {{
             access_log off; keepalive_requests 1000000;
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
             uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
             server {{ listen 127.0.0.1:{port}; root {folder}; {locations} }}
         }}",
        folder = folder.display(),
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).unwrap();
    let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
    let child =
        Command::new(program).arg("-c").arg(&path).arg("-p").arg(&folder).stderr(Stdio::null()).spawn().unwrap();
    let process = Process(child);
    wait_until_it_listens(loopback(port));
    (process, loopback(port))
}

/// A proxy under test.
pub(crate) struct Proxy {
    process: Process,
    stderr: BufReader<std::process::ChildStderr>,
    /// The address at which it listens.
    pub(crate) address: SocketAddr,
}

impl Proxy {
    /// Starts one in front of `upstream`.
    pub(crate) fn start(upstream: SocketAddr, arguments: &[&str]) -> Self {
        let mut child = enjamb()
            .args(["proxy", "--listen", "127.0.0.1:0", "--upstream", &upstream.to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok());
        let address = address.unwrap_or_else(|| panic!("the first line does not say where it listens: {line}"));
        Self { process: Process(child), stderr, address }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap().success());
    }

    /// Reads its standard error up to a line that holds `text`.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.lines().any(|line| line.contains(text)) {
            assert!(self.stderr.read_line(&mut read).unwrap() > 0, "it ended without saying {text}: {read}");
        }
        read
    }

    /// Ends it by SIGINT, and returns the rest of its standard error.
    pub(crate) fn stop(mut self) -> String {
        self.signal("INT");
        let started = Instant::now();
        let status = loop {
            match self.process.0.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(started.elapsed() < PATIENCE, "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.stderr, &mut said).unwrap();
        assert!(status.success(), "{status}: {said}");
        said
    }
}

/// Runs a client to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Returns the standard output of a client.
pub(crate) fn said(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// The records in a file.
pub(crate) fn read_records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Returns the records of a replay.
pub(crate) fn replay(capture: &Path, protocol: &str) -> Vec<Value> {
    let text = said(enjamb().args(["replay", "--format", "jsonl", "--protocol", protocol]).arg(capture));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of one type.
pub(crate) fn of_type(records: &[Value], name: &str) -> Vec<Value> {
    records.iter().filter(|record| record["type"] == name).cloned().collect()
}
