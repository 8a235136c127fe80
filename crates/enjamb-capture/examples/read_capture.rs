//! Prints the payload of a capture: `cargo run -p enjamb-capture --example read_capture -- FILE`.

use std::path::Path;

use enjamb::{Connection, Event, Tap, Time};
use enjamb_capture::{CaptureError, Options, open};

/// A tap that makes a line of text of each chunk.
#[derive(Default)]
struct Lines(Vec<String>);

impl Tap for Lines {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        if let Event::Chunk { side, bytes } = event {
            self.0.push(format!("#{} {side}: \"{}\"", connection.number, bytes.escape_ascii()));
        }
    }
}

/// Reads a capture. Returns its lines, and the error if the capture is damaged or truncated.
pub(crate) fn lines(path: &Path) -> (Vec<String>, Option<CaptureError>) {
    let mut lines = Lines::default();
    let report = open(path, &mut lines, &Options::default());
    (lines.0, report.error)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: read_capture FILE")?;
    let (lines, error) = lines(path.as_ref());
    lines.iter().for_each(|line| println!("{line}"));
    error.map_or(Ok(()), |error| Err(error.into()))
}
