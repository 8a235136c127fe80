//! Reads a capture with a library from another project: `enjamb-peers PEER TASK FILE`. Or serves
//! with one: `enjamb-peers serve actix-echo PORT`. Or parses the messages of one protocol:
//! `enjamb-peers parse PARSER FILE`.
//!
//! A *peer* is a published crate that reassembles TCP streams. Each has a file of its own, which
//! uses it in the fastest way that its documentation shows. Work that a peer leaves to its user
//! (reading the file, headers, the table of connections) is done as cheaply as possible.
//!
//! TASK is `http`, which counts requests and responses, or `streams`, which adds up the bytes of
//! payload. The program prints one line of JSON. The benchmark compares it with the contents of the
//! file.

mod actix;
mod flowscope;
mod parse_tcp;
mod parsers;
mod protolens;

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// The counts of a peer for one capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// HTTP/1 messages.
    Http { requests: u64, responses: u64 },
    /// Bytes of payload of both sides of all connections.
    Streams { payload: u64 },
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { requests, responses } => write!(f, r#"{{"requests":{requests},"responses":{responses}}}"#),
            Self::Streams { payload } => write!(f, r#"{{"payload":{payload}}}"#),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A peer and a task, with the function that reads a capture.
struct Reader {
    peer: &'static str,
    task: &'static str,
    read: fn(&Path) -> Result<Counts>,
}

const READERS: [Reader; 6] = [
    Reader { peer: "flowscope", task: "http", read: flowscope::http_by_sessions },
    Reader { peer: "flowscope-parts", task: "http", read: flowscope::http_by_parts },
    Reader { peer: "flowscope-parts", task: "streams", read: flowscope::streams_by_parts },
    Reader { peer: "protolens", task: "http", read: protolens::http },
    Reader { peer: "protolens", task: "streams", read: protolens::streams },
    Reader { peer: "parse-tcp", task: "streams", read: parse_tcp::streams },
];

/// Exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let [command, name, port] = arguments.as_slice()
        && command == "serve"
        && name == "actix-echo"
        && let Some(port) = port.to_str().and_then(|port| port.parse().ok())
    {
        return finish("a server", actix::echo(port));
    }
    if let [command, parser, file] = arguments.as_slice()
        && command == "parse"
        && let Some(parser) = parser.to_str()
    {
        let parsed = parsers::parse(parser, Path::new(file)).map(|parsed| println!("{parsed}"));
        return finish(parser, parsed);
    }
    let reader = match arguments.as_slice() {
        [peer, task, _] => READERS.iter().find(|reader| peer == reader.peer && task == reader.task),
        _ => None,
    };
    let (Some(reader), Some(file)) = (reader, arguments.last()) else {
        eprintln!("usage: enjamb-peers PEER TASK FILE, where PEER and TASK are one of");
        READERS.iter().for_each(|reader| eprintln!("  {} {}", reader.peer, reader.task));
        eprintln!("or: enjamb-peers serve actix-echo PORT");
        eprintln!("or: enjamb-peers parse PARSER FILE");
        return ExitCode::from(WRONG_USAGE);
    };
    let read = (reader.read)(Path::new(file)).map(|counts| println!("{counts}"));
    finish(&file.to_string_lossy(), read)
}

fn finish(what: &str, done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("enjamb-peers: {what}: {error}");
            ExitCode::FAILURE
        }
    }
}
