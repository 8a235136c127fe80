//! A server as a process.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::server::{Program, Server};

/// A server that runs until this is dropped.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// The time that a server may take to listen.
const START_MAX: Duration = Duration::from_secs(20);

/// Pythons that may still have `asynchat`, the best first.
const PYTHONS: [&str; 4] = ["python3.11", "python3.10", "python3.9", "python3"];

impl ServerProcess {
    /// Starts a server on a free port, and waits until it listens. `None` if it is not installed.
    pub(crate) fn start(server: &Server, arguments: &[String]) -> anyhow::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = address.port().to_string();
        let mut command = match server.program {
            Program::Own(name) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["serve-as", name, &port]);
                command
            }
            Program::Peers(name) => {
                let Some(program) = crate::captures::libraries_program() else { return Ok(None) };
                let mut command = Command::new(program);
                command.args(["serve", name, &port]);
                command
            }
            Program::Python(name) => {
                let Some(python) = PYTHONS.into_iter().find(|python| has_asynchat(python)) else { return Ok(None) };
                let script = folder.path().join("servers.py");
                fs::write(&script, include_str!("servers.py"))?;
                let mut command = Command::new(python);
                command.args(["-W", "ignore"]).arg(script).args([name, &port]);
                command
            }
            Program::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
                command.args(["--maxclients", "20000"]);
                command
            }
            Program::Nginx => {
                let mut command = Command::new(nginx());
                let root = folder.path().canonicalize()?;
                let path = root.join("nginx.conf");
                fs::write(&path, nginx_configuration(&root.to_string_lossy(), address.port()))?;
                command.arg("-c").arg(path).arg("-p").arg(root);
                command
            }
        };
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot start {}", server.name)),
        };
        let mut process = Self { child, address, _folder: folder };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended at once: {status}", server.name);
            }
            if started.elapsed() > START_MAX {
                bail!("{} does not listen", server.name);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(process))
    }

    /// Returns the processor time so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> anyhow::Result<f64> {
        // proc(5): the fields 14 and 15, counted behind the name, in hundredths of a second.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("no name in /proc")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks / 100.0)
    }

    /// Returns the resident memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has_asynchat(python: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-W", "ignore", "-c", "import asynchat"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Debian keeps it where only root's PATH leads.
fn nginx() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/nginx");
    if debian.exists() { debian } else { PathBuf::from("nginx") }
}

fn nginx_configuration(root: &str, port: u16) -> String {
    let body = "x".repeat(1024);
    format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/errors;
         events {{ worker_connections 1024; }}
         http {{
             access_log off; keepalive_requests 100000000; default_type text/plain;
             client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
             uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
             server {{ listen 127.0.0.1:{port}; location / {{ return 200 \"{body}\"; }} }}
         }}"
    )
}
