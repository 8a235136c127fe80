//! Somebody else's library reads a capture: `enjamb-peers PEER WHAT FILE`.
//!
//! A *peer* is a published crate that puts TCP streams together. Each has a file of its own, in which it is used in the fastest way that its
//! documentation shows, with what it leaves to its user (reading the file, headers, a table of connections) done as cheaply as can be. WHAT is
//! `http`, and the program says how many requests and responses it was given, or `streams`, and it says how many bytes of payload. One line of JSON
//! is all that is written: whoever measures holds it to what is in the file.

mod flowscope;
mod parse_tcp;
mod protolens;

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// What a peer found in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Messages of HTTP/1.
    Http { requests: u64, responses: u64 },
    /// Bytes of payload, of both sides of all connections.
    Streams { payload: u64 },
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { requests, responses } => write!(f, r#"{{"requests":{requests},"responses":{responses}}}"#),
            Self::Streams { payload } => write!(f, r#"{{"payload":{payload}}}"#),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Reads a capture.
type Read = fn(&Path) -> Result<Found>;

const PEERS: [(&str, &str, Read); 6] = [
    ("flowscope", "http", flowscope::sessions),
    ("flowscope-parts", "http", flowscope::http),
    ("flowscope-parts", "streams", flowscope::streams),
    ("protolens", "http", protolens::http),
    ("protolens", "streams", protolens::streams),
    ("parse-tcp", "streams", parse_tcp::streams),
];

/// Exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let read = match arguments.as_slice() {
        [peer, what, _] => PEERS.iter().find(|(name, can, _)| peer == name && what == can),
        _ => None,
    };
    let (Some((.., read)), Some(file)) = (read, arguments.last()) else {
        eprintln!("usage: enjamb-peers PEER WHAT FILE, PEER and WHAT being one of");
        PEERS.iter().for_each(|(peer, what, _)| eprintln!("  {peer} {what}"));
        return ExitCode::from(WRONG_USAGE);
    };
    match read(Path::new(file)) {
        Ok(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("enjamb-peers: {}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}
