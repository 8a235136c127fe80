//! Python's own `asynchat`, if a Python that has it is installed (up to 3.11; 3.12 removed it).
//!
//! A Python process reads the input from a file, and then runs once for each line on its standard
//! input. It calls `handle_read` over a `recv` that returns the next read, so no socket adds to the
//! time. It measures the time itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;

use crate::measure::{Contestant, Input, Tally};

const DRIVER: &str = include_str!("asynchat.py");

/// Commands that may start a Python with `asynchat`.
const PYTHONS: [&str; 2] = ["python3.11", "python3"];

/// A Python process that runs `asynchat` on request.
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has_asynchat(python: &str) -> bool {
    let imports = Command::new(python)
        .args(["-W", "ignore", "-c", "import asynchat"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    imports.is_ok_and(|status| status.success())
}

impl Process {
    fn start(python: &str, framing: &str, read: usize, bytes: &[u8]) -> anyhow::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        let mut child = Command::new(python)
            .args(["-W", "ignore", "-c", DRIVER, framing, &read.to_string()])
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("the child has no standard input")?;
        let output = BufReader::new(child.stdout.take().context("the child has no standard output")?);
        let mut process = Self { child, input, output };
        // Waits until the process has read the file, which is deleted when this function returns.
        process.run()?;
        Ok(process)
    }

    /// Starts a run, and parses its result: `NANOSECONDS FRAMES PAYLOAD`.
    fn run(&mut self) -> anyhow::Result<(Duration, Tally)> {
        self.input.write_all(b"go\n")?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [time, frames, payload] = numbers?[..] else { anyhow::bail!("the driver of asynchat printed {line:?}") };
        Ok((Duration::from_nanos(time), Tally { frames, payload }))
    }
}

/// Makes the contestant that finds frames by `framing`: `delimiter:HEX`, `fixed:BYTES` or `u32be`.
///
/// Returns `None` if no Python has the module. It reads only the first `bytes_max` bytes of the
/// input.
pub(crate) fn asynchat(input: &Rc<Input>, read: usize, framing: String, bytes_max: usize) -> Option<Contestant> {
    let python = PYTHONS.into_iter().find(|python| has_asynchat(python))?;
    let mut process = None;
    Some(Contestant::self_timed(
        "Python asynchat",
        "found_terminator counts frames",
        input.prefix(bytes_max),
        move |input| {
            let process = match &mut process {
                Some(process) => process,
                none => none.insert(Process::start(python, &framing, read, &input.bytes)?),
            };
            process.run()
        },
    ))
}
