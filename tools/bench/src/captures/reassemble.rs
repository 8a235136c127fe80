//! `enjamb-bench reassemble FILE`: reassembles the streams of a capture and adds up their payload.

use std::ffi::OsStr;
use std::process::ExitCode;

use enjamb::{Connection, Event, Tap, Time};

/// A tap that adds up the payload of all connections, in bytes.
#[derive(Default)]
struct PayloadSum(u64);

impl Tap for PayloadSum {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Chunk { bytes, .. } => self.0 += bytes.len() as u64,
            Event::Open | Event::Gap { .. } | Event::Close { .. } | Event::Done => {}
        }
    }
}

pub(crate) fn run(capture: &OsStr) -> ExitCode {
    let mut payload = PayloadSum::default();
    let report = enjamb_capture::open(capture, &mut payload, &enjamb_capture::Options::default());
    println!(r#"{{"payload":{}}}"#, payload.0);
    if report.error.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
