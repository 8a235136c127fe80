//! Servers under load of clients from other projects: `redis-benchmark`, `wrk`, and clients that do
//! nothing.
//!
//! Every contestant is a process with one thread, on a port of loopback. The contestants of a row
//! run at the same time, and are loaded in turns, round after round.

mod load;
mod process;
mod programs;
mod server;
mod table;
mod tuning;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;

use self::load::{Load, Measured};
use self::process::ServerProcess;
use self::server::{Program, Server, server};
use crate::scale::Scale;

/// A row: what is asked for, and who answers.
pub(crate) struct ServingRow {
    pub(crate) name: &'static str,
    load: Load,
    servers: &'static [Server],
}

const BY_HAND: &str = "a loop of read, parse, and one write for each read";

const ECHO: &[Server] = &[
    server("enjamb", "a service over a framer", Program::Own("enjamb-echo")),
    server("tokio by hand", BY_HAND, Program::Own("hand-echo")),
    server("Framed, forward", "`LinesCodec`; writes when nothing more can be read", Program::Own("framed-echo")),
    server("Framed, send", "`LinesCodec`; each reply is sent at once", Program::Own("framed-send-echo")),
    server("actix-codec, send", "its `LinesCodec`; each reply is sent at once", Program::Peers("actix-echo")),
    server("Python asyncio", "a `Protocol` that splits lines", Program::Python("asyncio-echo")),
    server("Python asynchat", "`found_terminator`, `push`", Program::Python("asynchat-echo")),
    server("redis-server", "the ceiling: it answers `PONG`", Program::Redis),
];

const REDIS: &[Server] = &[
    server("enjamb", "a service over a framer", Program::Own("enjamb-redis")),
    server("tokio by hand", BY_HAND, Program::Own("hand-redis")),
    server("Framed, forward", "a codec; writes when nothing more can be read", Program::Own("framed-redis")),
    server("redis-server", "the ceiling", Program::Redis),
];

const HTTP: &[Server] = &[
    server("enjamb", "a service over a framer, httparse", Program::Own("enjamb-http")),
    server("tokio by hand", "the same loop, httparse", Program::Own("hand-http")),
    server("Framed, forward", "a codec, httparse", Program::Own("framed-http")),
    server("Python asyncio", "a `Protocol`", Program::Python("asyncio-http")),
    server("Python asynchat", "`found_terminator`, `push`", Program::Python("asynchat-http")),
    server("nginx", "the ceiling: it returns the same text from its configuration", Program::Nginx),
];

const IDLE: &[Server] = &[
    server("enjamb", "a service over a framer", Program::Own("enjamb-echo")),
    server("tokio by hand", "a task with a buffer of 4 KiB", Program::Own("hand-echo")),
    server("Framed, forward", "`LinesCodec`", Program::Own("framed-echo")),
    server("redis-server", "", Program::Redis),
];

pub(crate) const ROWS: [ServingRow; 7] = [
    ServingRow {
        name: "echo a line, one at a time",
        load: Load::Redis { test: "ping_inline", ahead: 1 },
        servers: ECHO,
    },
    ServingRow {
        name: "echo a line, 16 at a time",
        load: Load::Redis { test: "ping_inline", ahead: 16 },
        servers: ECHO,
    },
    ServingRow { name: "Redis GET, one at a time", load: Load::Redis { test: "get", ahead: 1 }, servers: REDIS },
    ServingRow { name: "Redis GET, 16 at a time", load: Load::Redis { test: "get", ahead: 16 }, servers: REDIS },
    ServingRow { name: "Redis SET, 16 at a time", load: Load::Redis { test: "set", ahead: 16 }, servers: REDIS },
    ServingRow { name: "HTTP, 1 KiB", load: Load::Wrk, servers: HTTP },
    ServingRow { name: "10,000 connections at rest", load: Load::Idle { connections: 10_000 }, servers: IDLE },
];

/// The maximum number of rounds of a row.
const ROUNDS_MAX: u32 = 9;

/// Time after which a contestant takes part in no more rounds of a row.
const SPENT_MAX: Duration = Duration::from_secs(15);

/// The maximum number of rounds of a question on tuning.
const TUNING_ROUNDS_MAX: u32 = 5;

/// Runs this program as a server, if its arguments say so.
pub(crate) fn run_subprocess() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == "serve-as").then(|| {
        let (name, port) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
        match programs::run(&name, &port, &arguments.collect::<Vec<_>>()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("enjamb-bench: {error:#}");
                ExitCode::FAILURE
            }
        }
    })
}

/// Measures a row, and prints its table.
pub(crate) fn measure(row: &ServingRow, scale: Scale, rounds: u32, out: &mut impl Write) -> anyhow::Result<()> {
    if !row.load.is_installed() {
        eprintln!("enjamb-bench: {} is left out, since {} is not installed", row.name, row.load.program());
        return Ok(());
    }
    let mut running = Vec::new();
    for server in row.servers {
        match ServerProcess::start(server, &[])? {
            Some(process) => running.push((server, process)),
            None => eprintln!("enjamb-bench: {}: {} is left out, since it is not installed", row.name, server.name),
        }
    }
    let mut results: Vec<Vec<Measured>> = running.iter().map(|_| Vec::new()).collect();
    let mut spent = vec![Duration::ZERO; running.len()];
    let rounds = if matches!(row.load, Load::Idle { .. }) { 1 } else { rounds.min(ROUNDS_MAX) };
    let rounds = if scale.checks_only() { 1 } else { rounds };
    for _ in 0..rounds {
        for ((_, process), (results, spent)) in running.iter().zip(results.iter_mut().zip(&mut spent)) {
            if *spent < SPENT_MAX {
                let started = Instant::now();
                results.push(row.load.run(process, scale)?);
                *spent += started.elapsed();
            }
        }
    }
    ensure!(!results.is_empty(), "no server of {} is installed", row.name);
    let names = running.iter().map(|(server, _)| *server);
    table::write(row.name, row.load.unit(), &names.zip(results).collect::<Vec<_>>(), out)?;
    Ok(())
}

/// The names of the questions that [`measure_tuning`] answers.
pub(crate) use self::tuning::NAMES as QUESTIONS;

/// Measures a question on tuning, prints its table, and draws its plot into `plots`.
pub(crate) fn measure_tuning(
    name: &str,
    scale: Scale,
    rounds: u32,
    plots: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let rounds = if scale.checks_only() { 1 } else { rounds.min(TUNING_ROUNDS_MAX) };
    tuning::measure(name, scale, rounds, plots, out)
}
