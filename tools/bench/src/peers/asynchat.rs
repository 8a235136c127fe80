//! The real `asynchat`, where there is a Python that has it (3.6 to 3.11; 3.12 removed it).
//!
//! A Python process reads the input from a file, and then runs once for each line it is told: `handle_read` over a `recv` that gives the next read,
//! so that no socket is in the way. It takes its own time.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;

use crate::measure::{Contestant, Input, Tally};

const DRIVER: &str = include_str!("asynchat.py");

/// The names that a Python with `asynchat` may have.
const PYTHONS: [&str; 2] = ["python3.11", "python3"];

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
        let input = child.stdin.take().context("it has a standard input")?;
        let output = BufReader::new(child.stdout.take().context("it has a standard output")?);
        let mut process = Self { child, input, output };
        // The file is read once it has answered.
        process.ask()?;
        Ok(process)
    }

    /// `nanoseconds frames payload`
    fn ask(&mut self) -> anyhow::Result<(Duration, Tally)> {
        self.input.write_all(b"go\n")?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [time, frames, payload] = numbers?[..] else { anyhow::bail!("asynchat said {line:?}") };
        Ok((Duration::from_nanos(time), Tally { frames, payload }))
    }
}

/// Frames by `framing`: `delimiter:HEX`, `fixed:BYTES` or `u32be`. Nobody where no Python has the module. It gets the first `most` bytes only.
pub(crate) fn asynchat(input: &Rc<Input>, read: usize, framing: String, most: usize) -> Option<Contestant> {
    let python = PYTHONS.into_iter().find(|python| has_asynchat(python))?;
    let mut process = None;
    Some(Contestant::slow("Python asynchat", "found_terminator counts", input.prefix(most), move |input| {
        let process = match &mut process {
            Some(process) => process,
            none => none.insert(Process::start(python, &framing, read, &input.bytes)?),
        };
        process.ask()
    }))
}
