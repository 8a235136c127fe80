//! The report of `--recut`, for people and for programs.

use std::fmt::{self, Write as _};

use enjamb_law::Violation;
use enjamb_sources::{CaptureTotals, connection_title};
use serde_json::{Value, json};

use crate::recut::cuts::Recut;
use crate::recut::outcome::{DIFFERENCES_MAX, Defect, Difference, HUNG_MAX, RecutOutcome, ShortTrial, WeakerTrial};

/// The maximum number of connections that are named in a list.
const NAMED_MAX: usize = 8;

/// The maximum payload, in bytes, of a violation that is shown with its test. Nobody would read a
/// longer test.
const SHOWN_MAX: usize = 64 << 10;

/// The requested cuts and the outcome, to be written.
pub(crate) struct RecutReport<'a> {
    pub(crate) recut: &'a Recut,
    pub(crate) outcome: &'a RecutOutcome,
    pub(crate) totals: &'a CaptureTotals,
}

impl RecutReport<'_> {
    /// Returns a record `difference` for each difference, and a record `recut` at the end.
    pub(crate) fn to_json(&self) -> Vec<Value> {
        let Self { recut, outcome, totals } = self;
        let mut records: Vec<Value> = outcome.differences.iter().map(Difference::to_json).collect();
        let short = outcome.short.iter().map(|ShortTrial { connection, tried, left }| {
            json!({ "conn": connection.number, "bytes_tried": tried, "bytes_not_tried": left })
        });
        let weaker = outcome.weaker.iter().map(|WeakerTrial { connection, bytes, under }| {
            let under = under.iter().map(|(cuts, bytes)| json!({ "cuts": cuts.to_string(), "bytes": bytes }));
            json!({ "conn": connection, "bytes": bytes, "under": under.collect::<Vec<_>>() })
        });
        let [differing, failing, hanging, dying] = Defect::ALL.map(|defect| outcome.count(defect));
        records.push(json!({
            "type": "recut",
            "cuts": recut.cuts.to_string(),
            "bytes_max": recut.kept(),
            "connections": outcome.connections,
            "copies": outcome.copies,
            "differing": differing + failing + hanging + dying,
            "failing": failing,
            "hanging": hanging,
            "dying": dying,
            "connections_not_tried": outcome.not_tried,
            "bytes": outcome.bytes,
            "messages": outcome.messages,
            "segmentations": outcome.segmentations,
            "silent": outcome.silent,
            "weaker": weaker.collect::<Vec<_>>(),
            "short": short.collect::<Vec<_>>(),
            "capture": totals.to_json(),
        }));
        records
    }

    /// Writes the number of connections with each defect.
    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (Defect::Differs, "emits other messages under other cuts", "emit other messages under other cuts"),
            (Defect::Fails, "fails under any cuts", "fail under any cuts"),
            (Defect::Hangs, "hangs", "hang"),
            (Defect::Dies, "ends the process", "end the process"),
        ];
        let counted = parts.into_iter().filter_map(|(defect, one, more)| match self.outcome.count(defect) {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        });
        f.write_str(&counted.collect::<Vec<_>>().join(", "))
    }
}

impl Difference {
    fn to_json(&self) -> Value {
        let Violation { law, verdict, input, cuts, traces, .. } = &*self.violation;
        let mut transcript = input.transcript(cuts);
        transcript.protocol = Some(self.protocol.clone());
        let outputs = |at: usize| traces.as_ref().map(|traces| &traces[at].outputs[..]).unwrap_or_default();
        json!({
            "type": "difference",
            "what": self.defect.as_str(),
            "input": *self.source,
            "conn": self.connection.number,
            "client": self.connection.client.to_string(),
            "server": self.connection.server.to_string(),
            "protocol": self.protocol,
            "law": law.name(),
            "verdict": verdict,
            "bytes": input.len(),
            "cuts": cuts,
            "whole": outputs(0),
            "cut": outputs(1),
            "transcript": transcript.to_string(),
            "also": self.also,
        })
    }
}

impl fmt::Display for RecutReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recut, outcome, totals } = self;
        for Difference { source, connection, protocol, violation, also, .. } in &outcome.differences {
            write!(f, "{}, {protocol}: ", connection_title(source, connection))?;
            match violation.input.len() {
                0..=SHOWN_MAX => writeln!(f, "{violation}")?,
                bytes => writeln!(
                    f,
                    "{} in its first {bytes} bytes; --format jsonl has them as a transcript\n",
                    violation.verdict
                )?,
            }
            if !also.is_empty() {
                writeln!(f, "the same on {}\n", numbers(also.iter().copied()))?;
            }
        }
        write!(f, "{totals}")?;
        let RecutOutcome { connections, messages, segmentations, copies, .. } = outcome;
        let s = |count: u64| if count == 1 { "" } else { "s" };
        let same = format!(
            "{messages} message{}, the same under {segmentations} segmentation{}",
            s(*messages),
            s(*segmentations)
        );
        write!(f, "recut {}: {connections} connection{}, ", recut.cuts, s(*connections))?;
        if outcome.differences.is_empty() && *segmentations == 0 {
            writeln!(f, "nothing was tried, because there is no payload")?;
        } else if outcome.differences.is_empty() {
            writeln!(f, "{same}")?;
        } else {
            self.verdict(f)?;
            writeln!(f)?;
            if *messages > 0 {
                writeln!(f, "  the others: {same}")?;
            }
        }
        if outcome.silent > 0 && *segmentations > 0 {
            writeln!(f, "  {} of them without a byte, and not tried", outcome.silent)?;
        }
        if *copies > 0 {
            let are = if *copies == 1 { "is the same" } else { "are the same" };
            writeln!(f, "  {copies} of them {are} to the byte as another one, and not tried again")?;
        }
        if outcome.not_tried > 0 {
            let reason = if outcome.hung >= HUNG_MAX {
                format!("{HUNG_MAX} sessions hang and keep the processor busy")
            } else {
                format!("{DIFFERENCES_MAX} different differences were found")
            };
            writeln!(f, "  {} not tried, because {reason}", outcome.not_tried)?;
        }
        if !outcome.weaker.is_empty() {
            writeln!(
                f,
                "  too long for these cuts, so the rest was tried under weaker ones (--recut-max takes more):"
            )?;
            for WeakerTrial { connection, bytes, under } in outcome.weaker.iter().take(NAMED_MAX) {
                let under = under.iter().map(|(cuts, tried)| match tried {
                    tried if tried == bytes => format!("{cuts} of all {bytes}"),
                    tried => format!("{cuts} of the first {tried} bytes"),
                });
                writeln!(f, "    #{connection}: {}", under.collect::<Vec<_>>().join(", "))?;
            }
            if outcome.weaker.len() > NAMED_MAX {
                writeln!(f, "    and {} more", outcome.weaker.len() - NAMED_MAX)?;
            }
        }
        if !outcome.short.is_empty() {
            let left: u64 = outcome.short.iter().map(|short| short.left).sum();
            let names = numbers(outcome.short.iter().map(|short| short.connection.number));
            writeln!(
                f,
                "  not tried: {left} byte{} after the first {} of a conversation, on {names}; --recut-max takes more",
                s(left),
                recut.kept(),
            )?;
        }
        Ok(())
    }
}

/// Returns a list such as `#1, #2 and 7 more`.
fn numbers(of: impl Iterator<Item = u64>) -> String {
    let all: Vec<u64> = of.collect();
    let named: Vec<String> = all.iter().take(NAMED_MAX).map(|number| format!("#{number}")).collect();
    let mut text = named.join(", ");
    if all.len() > NAMED_MAX {
        let _ = write!(text, " and {} more", all.len() - NAMED_MAX);
    }
    text
}
