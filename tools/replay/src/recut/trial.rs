//! The trial of one conversation under other cuts, and the judgement of a session that fails it.

use std::sync::Arc;
use std::time::Duration;

use enjamb_law::{
    Cutting, Segmentations, Sessions, Trace, Violation, WatchError, split, split_everywhere, total, watch,
};
use enjamb_protocols::{Protocol, Registry, redact_transcript};

use crate::recut::cuts::{Cuts, Length, Stage};
use crate::recut::outcome::Defect;

/// The time for which a part of a conversation is tried, to find out whether a session hangs in
/// that part alone.
const PROBE_TIME: Duration = Duration::from_millis(500);

/// The name of the protocol that detects another one.
const AUTO: &str = "auto";

/// The number of bytes from the beginning of a conversation that are cut everywhere to test its
/// detection, which decides within [`KEPT_MAX`](enjamb_protocols::KEPT_MAX) bytes.
const DETECTED_MAX: usize = 64 << 10;

/// The extent of a successful trial.
pub(crate) struct Coverage {
    pub(crate) segmentations: usize,
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// The cuts, and for each the number of bytes from the beginning.
    pub(crate) under: Vec<(Cuts, usize)>,
}

/// Tries a conversation: the captured cuts of all of it against no cuts, and its beginnings under
/// the cuts of each stage.
///
/// # Errors
/// The smallest violation of the split law.
pub(crate) fn try_conversation(
    protocol: &Protocol,
    port: u16,
    input: &Cutting,
    captured: &[usize],
    stages: &[Stage],
) -> Result<Coverage, Box<Violation>> {
    let sessions = Sessions(|| protocol.session(Some(port)));
    split(&sessions, input, captured)?;
    let messages = split_everywhere(&sessions, input, &Segmentations::random(0, 0))?.outputs;
    let length = Length { bytes: input.len(), turns: input.turns().len(), messages };
    let mut coverage = Coverage { segmentations: 1, messages, bytes: input.len(), under: Vec::new() };
    let mut so_far = 0;
    for stage in stages {
        let bytes = stage.extent(length);
        if bytes > so_far || so_far == 0 {
            let checked = split_everywhere(&sessions, &input.beginning(bytes), &stage.cuts.segmentations())?;
            coverage.segmentations += checked.segmentations;
            coverage.under.push((stage.cuts, bytes));
            so_far = bytes;
        }
        if so_far == input.len() {
            break;
        }
    }
    Ok(coverage)
}

/// Returns the name of the protocol of a conversation: that of `protocol`, or the one that it
/// detects. The choice must not depend on the cuts, so the captured cuts and every byte are tried.
///
/// # Errors
/// The smallest violation of the split law.
pub(crate) fn detect(
    protocol: &Protocol,
    port: u16,
    input: &Cutting,
    captured: &[usize],
) -> Result<String, Box<Violation>> {
    if protocol.name() != AUTO {
        return Ok(protocol.name().to_owned());
    }
    let sessions = Sessions(|| protocol.session(Some(port)));
    split(&sessions, input, captured)?;
    let beginning = input.beginning(DETECTED_MAX);
    split_everywhere(&sessions, &beginning, &Segmentations::every_byte())?;
    // The same input did not make the session panic above.
    let mut session = protocol.session(Some(port));
    input.transcript(&[]).play(session.as_mut(), &mut |_| {});
    Ok(session.protocol().to_owned())
}

/// Judges a violation of the split law: a session that goes wrong in the same way with the whole
/// stream does not depend on the cuts.
pub(crate) fn judge(mut violation: Box<Violation>) -> (Defect, Box<Violation>) {
    match &violation.traces {
        Some([whole, cut]) if whole == &(Trace { label: whole.label.clone(), outputs: cut.outputs.clone() }) => {
            "the session fails, however the stream is cut".clone_into(&mut violation.verdict);
            (Defect::Fails, violation)
        }
        _ => (Defect::Differs, violation),
    }
}

/// Returns the last turns of a conversation in which a session hung, if it hangs in them alone, and
/// the whole conversation otherwise. Every hang leaves a thread behind, so only one hang is caused.
pub(crate) fn shorten(hung: Box<Violation>, protocol: &Arc<Protocol>, port: u16, patience: Duration) -> Box<Violation> {
    let turns = hung.input.turns();
    let patience = patience.min(PROBE_TIME);
    for last in [1, 2, 4, 8, 16].into_iter().filter(|last| *last < turns.len()) {
        let part = Cutting::of(turns[turns.len() - last..].iter().cloned());
        let before = hung.input.len() - part.len();
        let cuts: Vec<usize> =
            hung.cuts.iter().filter_map(|cut| cut.checked_sub(before)).filter(|cut| *cut > 0).collect();
        let protocol = protocol.clone();
        let trial = move || {
            let _ = total(&Sessions(|| protocol.session(Some(port))), &part, &cuts);
        };
        if let Err(WatchError::Hung(mut shorter)) = watch("the last turns", patience, trial) {
            shorter.verdict = hung.verdict;
            return shorter;
        }
    }
    hung
}

/// Returns a violation of the split law whose input has its secrets overwritten. If the session is
/// right about that input, or hangs in it, the secrets stay: they are part of the defect.
pub(crate) fn redacted(
    violation: Box<Violation>,
    protocol: &Arc<Protocol>,
    port: u16,
    patience: Duration,
) -> Box<Violation> {
    let (input, cuts, protocol) = (violation.input.clone(), violation.cuts.clone(), Arc::clone(protocol));
    let trial = move || {
        let mut transcript = input.transcript(&[]);
        redact_transcript(&mut transcript, protocol.session(Some(port)).as_mut());
        let redacted = Cutting::from(&transcript);
        if redacted == input {
            return None;
        }
        split(&Sessions(|| protocol.session(Some(port))), &redacted, &cuts).err()
    };
    match watch("the conversation without its secrets", patience, trial) {
        Ok(Some(redacted)) => judge(redacted).1,
        _ => violation,
    }
}

/// Returns a Rust expression that opens sessions of the protocol, with a `todo!` where it is not
/// built in.
pub(crate) fn subject(protocol: &str, port: u16) -> String {
    let quoted = format!("{protocol:?}");
    if Registry::builtin().resolve(protocol).is_err() {
        return format!("Sessions(|| todo!(\"a session of {}\"))", protocol.escape_debug());
    }
    format!("Sessions(|| enjamb_protocols::Registry::builtin().resolve({quoted}).unwrap().session(Some({port})))")
}
