//! One conversation under other cuts: what is tried of it, and what is wrong with a session that does not stand it.

use std::time::Duration;

use enjamb_law::{
    Cutting, Segmentations, Sessions, Trace, Violation, WatchError, split, split_everywhere, total, watch,
};
use enjamb_protocols::{Protocol, Registry};

use crate::cuts::{Cuts, Length, Stage};

/// How long a part of a conversation is tried in which a session hung, to see whether the part is enough.
const PROBE: Duration = Duration::from_millis(500);

/// What is wrong with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It says something else under other cuts.
    Differs,
    /// It panics, or goes on for ever, however the stream is cut.
    Fails,
    /// It does not come back.
    Hangs,
    /// It ends the process.
    Dies,
}

/// What was tried of a conversation.
pub(crate) struct Tried {
    pub(crate) segmentations: usize,
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    /// Under which cuts, and how many bytes from the beginning.
    pub(crate) under: Vec<(Cuts, usize)>,
}

/// Tries a conversation: all of it as it was captured against all of it glued, and its beginnings under the cuts of each stage.
pub(crate) fn tried(
    protocol: &Protocol,
    port: u16,
    input: &Cutting,
    captured: &[usize],
    stages: &[Stage],
) -> Result<Tried, Box<Violation>> {
    let sessions = Sessions(|| protocol.session(Some(port)));
    split(&sessions, input, captured)?;
    let messages = split_everywhere(&sessions, input, &Segmentations::random(0, 0))?.outputs;
    let length = Length { bytes: input.len(), turns: input.turns().len(), messages };
    let mut tried = Tried { segmentations: 1, messages, bytes: input.len(), under: Vec::new() };
    let mut so_far = 0;
    for stage in stages {
        let bytes = stage.extent(length);
        if bytes > so_far || so_far == 0 {
            let checked = split_everywhere(&sessions, &input.beginning(bytes), &stage.cuts.segmentations())?;
            tried.segmentations += checked.segmentations;
            tried.under.push((stage.cuts, bytes));
            so_far = bytes;
        }
        if so_far == input.len() {
            break;
        }
    }
    Ok(tried)
}

/// A session that does the same wrong thing with the whole does not depend on the cuts.
pub(crate) fn judged(mut violation: Box<Violation>) -> (Wrong, Box<Violation>) {
    match &violation.traces {
        Some([whole, cut]) if whole == &(Trace { label: whole.label.clone(), outputs: cut.outputs.clone() }) => {
            "the session fails, however the stream is cut".clone_into(&mut violation.verdict);
            (Wrong::Fails, violation)
        }
        _ => (Wrong::Differs, violation),
    }
}

/// The last turns of what a session hung in, where it hangs in them too; all of it otherwise. Whatever hangs leaves a thread behind, so that is tried once.
pub(crate) fn shortened(
    hung: Box<Violation>,
    protocol: &std::sync::Arc<Protocol>,
    port: u16,
    patience: Duration,
) -> Box<Violation> {
    let turns = hung.input.turns();
    let patience = patience.min(PROBE);
    for last in [1, 2, 4, 8, 16].into_iter().filter(|last| *last < turns.len()) {
        let part = Cutting::of(turns[turns.len() - last..].iter().cloned());
        let before = hung.input.len() - part.len();
        let cuts: Vec<usize> =
            hung.cuts.iter().filter_map(|cut| cut.checked_sub(before)).filter(|cut| *cut > 0).collect();
        let protocol = protocol.clone();
        let trial = move || {
            let _ = total(&Sessions(|| protocol.session(Some(port))), &part, &cuts);
        };
        if let Err(WatchError::Hung(mut shorter)) = watch("the last of it", patience, trial) {
            shorter.verdict = hung.verdict;
            return shorter;
        }
    }
    hung
}

/// An expression for the sessions, where the protocol is one that everybody has.
pub(crate) fn subject(protocol: &str, port: u16) -> String {
    let quoted = format!("{protocol:?}");
    if Registry::builtin().resolve(protocol).is_err() {
        return format!("Sessions(|| todo!(\"a session of {}\"))", protocol.escape_debug());
    }
    format!("Sessions(|| enjamb_protocols::Registry::builtin().resolve({quoted}).unwrap().session(Some({port})))")
}
