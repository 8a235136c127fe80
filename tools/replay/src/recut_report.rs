//! What came of `--recut`, for people and for programs.

use std::fmt::{self, Write as _};

use enjamb_law::Violation;
use serde_json::{Value, json};

use crate::conversations::title;
use crate::cuts::Recut;
use crate::recut::{Difference, MOST_DIFFERENCES, MOST_HUNG, Outcome, Weaker};
use crate::report::CaptureTotals;
use crate::trial::Wrong;

/// How many connections are named of those of which not all was tried.
const MOST_NAMED: usize = 8;

/// A violation of more payload than this is shown without its test, which nobody would read.
const MOST_SHOWN: usize = 64 << 10;

/// What was asked for, and what came of it.
pub(crate) struct Report<'a> {
    pub(crate) recut: &'a Recut,
    pub(crate) outcome: &'a Outcome,
    pub(crate) totals: &'a CaptureTotals,
}

impl Report<'_> {
    /// A record for each difference, and one of it all.
    pub(crate) fn to_json(&self) -> Vec<Value> {
        let Self { recut, outcome, totals } = self;
        let mut records: Vec<Value> = outcome.differences.iter().map(Difference::to_json).collect();
        let short = outcome.short.iter().map(|(connection, tried, left)| {
            json!({ "conn": connection.number, "bytes_tried": tried, "bytes_not_tried": left })
        });
        let weaker = outcome.weaker.iter().map(|Weaker { connection, bytes, under }| {
            let under = under.iter().map(|(cuts, bytes)| json!({ "cuts": cuts.to_string(), "bytes": bytes }));
            json!({ "conn": connection, "bytes": bytes, "under": under.collect::<Vec<_>>() })
        });
        let wrong = [Wrong::Differs, Wrong::Fails, Wrong::Hangs, Wrong::Dies].map(|wrong| outcome.wrong(wrong));
        records.push(json!({
            "type": "recut",
            "cuts": recut.cuts.to_string(),
            "bytes_max": recut.kept(),
            "connections": outcome.connections,
            "copies": outcome.copies,
            "differing": wrong.iter().sum::<usize>(),
            "failing": wrong[1],
            "hanging": wrong[2],
            "dying": wrong[3],
            "connections_not_tried": outcome.not_tried,
            "bytes": outcome.bytes,
            "messages": outcome.messages,
            "segmentations": outcome.segmentations,
            "weaker": weaker.collect::<Vec<_>>(),
            "short": short.collect::<Vec<_>>(),
            "capture": totals.to_json(),
        }));
        records
    }

    /// What was found wanting, in a few words.
    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (
                Wrong::Differs,
                "says something else when it is cut in another way",
                "say something else when they are cut in another way",
            ),
            (Wrong::Fails, "fails however it is cut", "fail however they are cut"),
            (Wrong::Hangs, "hangs", "hang"),
            (Wrong::Dies, "ends the process", "end the process"),
        ];
        let counted = parts.into_iter().filter_map(|(wrong, one, more)| match self.outcome.wrong(wrong) {
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
        let said = |at: usize| traces.as_ref().map(|traces| &traces[at].outputs[..]).unwrap_or_default();
        json!({
            "type": "difference",
            "what": match self.wrong {
                Wrong::Differs => "differs",
                Wrong::Fails => "fails",
                Wrong::Hangs => "hangs",
                Wrong::Dies => "dies",
            },
            "input": *self.source,
            "conn": self.connection.number,
            "client": self.connection.client.to_string(),
            "server": self.connection.server.to_string(),
            "protocol": self.protocol,
            "law": law.name(),
            "verdict": verdict,
            "bytes": input.len(),
            "cuts": cuts,
            "whole": said(0),
            "cut": said(1),
            "transcript": transcript.to_string(),
            "also": self.also,
        })
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recut, outcome, totals } = self;
        for Difference { source, connection, protocol, violation, also, .. } in &outcome.differences {
            write!(f, "{}, {protocol}: ", title(source, connection))?;
            match violation.input.len() {
                0..=MOST_SHOWN => writeln!(f, "{violation}")?,
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
        let Outcome { connections, messages, segmentations, copies, .. } = outcome;
        let s = |count: u64| if count == 1 { "" } else { "s" };
        let same = format!(
            "{messages} message{}, the same under {segmentations} segmentation{}",
            s(*messages),
            s(*segmentations)
        );
        write!(f, "recut {}: {connections} connection{}, ", recut.cuts, s(*connections))?;
        if outcome.differences.is_empty() {
            writeln!(f, "{same}")?;
        } else {
            self.verdict(f)?;
            writeln!(f)?;
            if *messages > 0 {
                writeln!(f, "  the others: {same}")?;
            }
        }
        if *copies > 0 {
            let be = if *copies == 1 { "is a copy" } else { "are copies" };
            writeln!(f, "  {copies} of them {be} of another to the byte, and tried once")?;
        }
        if outcome.not_tried > 0 {
            let since = if outcome.hung >= MOST_HUNG {
                format!("{MOST_HUNG} sessions that hang keep this machine busy as it is")
            } else {
                format!("{MOST_DIFFERENCES} differences are enough to begin with")
            };
            writeln!(f, "  {} not tried, since {since}", outcome.not_tried)?;
        }
        if !outcome.weaker.is_empty() {
            writeln!(f, "  too long for that, so beyond a beginning under weaker ones (--recut-max takes more):")?;
            for Weaker { connection, bytes, under } in outcome.weaker.iter().take(MOST_NAMED) {
                let under = under.iter().map(|(cuts, tried)| match tried {
                    tried if tried == bytes => format!("{cuts} of all {bytes}"),
                    tried => format!("{cuts} of the first {tried} bytes"),
                });
                writeln!(f, "    #{connection}: {}", under.collect::<Vec<_>>().join(", "))?;
            }
            if outcome.weaker.len() > MOST_NAMED {
                writeln!(f, "    and {} more", outcome.weaker.len() - MOST_NAMED)?;
            }
        }
        if !outcome.short.is_empty() {
            let left: u64 = outcome.short.iter().map(|(.., left)| left).sum();
            let names = numbers(outcome.short.iter().map(|(connection, ..)| connection.number));
            writeln!(
                f,
                "  not tried: {left} byte{} behind the first {} of a conversation, on {names}; --recut-max takes more",
                s(left),
                recut.kept(),
            )?;
        }
        Ok(())
    }
}

/// `#1, #2 and 7 more`.
fn numbers(of: impl Iterator<Item = u64>) -> String {
    let all: Vec<u64> = of.collect();
    let named: Vec<String> = all.iter().take(MOST_NAMED).map(|number| format!("#{number}")).collect();
    let mut text = named.join(", ");
    if all.len() > MOST_NAMED {
        let _ = write!(text, " and {} more", all.len() - MOST_NAMED);
    }
    text
}
