//! The clients that load a server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::process::ServerProcess;
use crate::scale::Scale;

/// The work of the clients.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// `redis-benchmark` with 50 connections, each with so many requests that wait for replies.
    Redis { test: &'static str, ahead: u32 },
    /// `wrk` with 50 connections.
    Wrk,
    /// One connection that sends lines of so many bytes as fast as they come back.
    Bulk { length: usize },
    /// Connections that send nothing.
    Idle { connections: usize },
}

/// The unit of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    RequestsPerSecond,
    MegabytesPerSecond,
    /// Resident memory for each connection.
    BytesPerConnection,
}

/// The result of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// In the unit of the load.
    pub(crate) value: f64,
    /// The server's processor time for one request, in microseconds. Not finite if requests were
    /// not counted.
    pub(crate) processor_us: f64,
}

/// The number of requests for each second that a run should last.
const REQUESTS: u32 = 100_000;

/// The number of bytes that are sent in bulk.
const BULK_BYTES: usize = 64 << 20;

impl Load {
    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Redis { .. } | Self::Wrk => Unit::RequestsPerSecond,
            Self::Bulk { .. } => Unit::MegabytesPerSecond,
            Self::Idle { .. } => Unit::BytesPerConnection,
        }
    }

    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Redis { .. } => "redis-benchmark",
            Self::Wrk => "wrk",
            Self::Bulk { .. } | Self::Idle { .. } => "",
        }
    }

    pub(crate) fn is_installed(self) -> bool {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        self.program().is_empty() || std::env::split_paths(&paths).any(|folder| folder.join(self.program()).is_file())
    }

    /// Runs the clients once.
    pub(crate) fn run(self, server: &ServerProcess, scale: Scale) -> anyhow::Result<Measured> {
        let before = server.processor_seconds()?;
        let (value, requests) = match self {
            Self::Redis { test, ahead } => redis_benchmark(server, test, ahead, scale)?,
            Self::Wrk => wrk(server, scale)?,
            Self::Bulk { length } => (bulk(server, length, scale)?, 0.0),
            Self::Idle { connections } => (idle(server, connections / scale.connections_divisor as usize)?, 0.0),
        };
        let processor = server.processor_seconds()? - before;
        Ok(Measured { value, processor_us: processor * 1e6 / requests })
    }
}

fn redis_benchmark(server: &ServerProcess, test: &str, ahead: u32, scale: Scale) -> anyhow::Result<(f64, f64)> {
    let requests = if ahead > 1 { 4 * REQUESTS } else { REQUESTS } / scale.load_divisor;
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "-p", &server.address.port().to_string(), "--csv", "-t", test]);
    let output = command.args(["-n", &requests.to_string(), "-P", &ahead.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("\"{test}")));
    let rate = line.and_then(|line| line.split('"').nth(3)).with_context(|| {
        format!("redis-benchmark printed no result: {text}{}", String::from_utf8_lossy(&output.stderr))
    })?;
    Ok((rate.parse()?, f64::from(requests)))
}

fn wrk(server: &ServerProcess, scale: Scale) -> anyhow::Result<(f64, f64)> {
    let url = format!("http://{}/", server.address);
    let seconds = if scale.load_divisor > 1 { "1s" } else { "2s" };
    let output = Command::new("wrk").args(["-t", "1", "-c", "50", "-d", seconds, &url]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "wrk: {text}");
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.with_context(|| format!("wrk printed no result: {text}"))?.trim().parse()?;
    let count = text.lines().find_map(|line| line.trim().split_once(" requests in ")).context("wrk counted nothing")?;
    Ok((rate, count.0.parse()?))
}

/// Each line comes back with one byte more.
fn bulk(server: &ServerProcess, length: usize, scale: Scale) -> anyhow::Result<f64> {
    let lines = BULK_BYTES / scale.load_divisor as usize / length;
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_nodelay(true)?;
    let mut line = vec![b'x'; length];
    line[length - 1] = b'\n';
    let all = line.repeat(lines);
    let mut writer = stream.try_clone()?;
    let started = Instant::now();
    let writing = std::thread::spawn(move || writer.write_all(&all));
    let mut buffer = vec![0; 256 << 10];
    let mut missing = lines * (length + 1);
    while missing > 0 {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0 && read <= missing, "{missing} bytes are missing");
        missing -= read;
    }
    let time = started.elapsed();
    writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    Ok((lines * length) as f64 / 1e6 / time.as_secs_f64())
}

fn idle(server: &ServerProcess, connections: usize) -> anyhow::Result<f64> {
    // This process holds the other ends.
    let limit = rlimit::increase_nofile_limit(2 * connections as u64 + 100)?;
    if limit < connections as u64 + 100 {
        bail!("{connections} connections need as many open files, and the limit is {limit}");
    }
    // What a first connection allocates once is not counted.
    drop(TcpStream::connect(server.address)?);
    std::thread::sleep(Duration::from_millis(200));
    let before = server.memory_bytes()?;
    let open: Vec<_> = (0..connections).map(|_| TcpStream::connect(server.address)).collect::<Result<_, _>>()?;
    std::thread::sleep(Duration::from_millis(1000));
    let after = server.memory_bytes()?;
    Ok(after.saturating_sub(before) as f64 / open.len() as f64)
}
