//! Parsers of other projects, which `tools/bench/peers` runs: each is a process that measures its
//! own time, since its crates are in a workspace of their own.

use std::io::Write as _;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use enjamb::Side;

use crate::captures::libraries_program;
use crate::measure::{Contestant, Input, Tally};

/// The parsers: the protocol, the name, the work, and the side that they parse if it is only one.
const PARSERS: [(&str, &str, &str, Option<Side>); 6] = [
    ("mqtt", "mqttbytes", "owned packets of both sides", None),
    ("postgres", "postgres-protocol", "the messages of the server, without their fields", Some(Side::Server)),
    ("dns", "simple-dns", "packets of both sides, with all records", None),
    ("tls", "tls-parser", "records of both sides", None),
    ("imap", "imap-proto", "the responses of the server, with their fields", Some(Side::Server)),
    ("ldap", "ldap-parser", "messages of both sides, with their fields", None),
];

/// Makes the contestants for a protocol. `input` makes the bytes of one side or of both.
pub(crate) fn contestants(protocol: &str, input: impl Fn(Option<Side>) -> Rc<Input>) -> Vec<Contestant> {
    let Some(program) = libraries_program() else { return Vec::new() };
    let known = PARSERS.iter().filter(|(of, ..)| *of == protocol);
    let contestant = |(_, name, work, side): &(&str, &'static str, &'static str, Option<Side>)| {
        let (program, name) = (program.clone(), *name);
        Contestant::self_timed(name, work, input(*side), move |input| {
            let mut file = tempfile::NamedTempFile::new()?;
            file.write_all(&input.bytes)?;
            let output = Command::new(&program).args(["parse", name]).arg(file.path()).output()?;
            ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            let counts: serde_json::Value = serde_json::from_slice(&output.stdout)?;
            let number = |field: &str| counts[field].as_u64().with_context(|| format!("{name} prints no {field}"));
            let tally = Tally { frames: number("messages")?, payload: number("bytes")? };
            Ok((Duration::from_nanos(number("nanoseconds")?), tally))
        })
    };
    known.map(contestant).collect()
}
