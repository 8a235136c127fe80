//! The counts of several captures together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use enjamb::units::format_count;
use enjamb_capture::{Ignored, Incident, IncidentKind, LinkType, Report, Summary};
use serde_json::{Map, Value};

/// The counts of several captures together.
#[derive(Debug, Default)]
pub struct CaptureTotals {
    captures: u64,
    /// The number of transcripts in their text form that were read.
    pub(crate) transcripts: u64,
    damaged: u64,
    /// The number of inputs that could not be read at all.
    pub(crate) unreadable: u64,
    counts: [u64; FIELDS.len()],
    /// The number of packets that gave no TCP segment, by reason.
    ignored: [u64; Ignored::ALL.len()],
    /// The number of packets of each protocol without TCP.
    unread: BTreeMap<String, u64>,
    /// Link types that are not supported.
    unknown_links: BTreeSet<u16>,
    /// The first incidents of each capture.
    incidents: Vec<Incident>,
}

/// The number of incidents that are kept.
const INCIDENTS_MAX: usize = 64;

/// The number of incidents that are shown to people.
const INCIDENTS_SHOWN: usize = 12;

/// A count of a capture's summary: its name in records, its words for people, and its value.
///
/// The words begin with a plural noun, so that [`worded`] can make a singular of it: the first word
/// that ends in `s` is the noun, and the rest must be true of one thing as well.
type Field = (&'static str, &'static str, fn(&Summary) -> u64);

/// All counts. The first two are always shown, the others only where they are not 0.
const FIELDS: [Field; 23] = [
    ("packets", "packets", |s| s.packets),
    ("segments", "TCP segments", |s| s.segments),
    ("ignored", "packets without TCP, or not understood", Summary::ignored),
    ("cut_packets", "packets cut off by the snap length", |s| s.cut_packets),
    ("dropped_packets", "packets lost by the capturing system", |s| s.dropped_packets),
    ("fragments_given_up", "fragmented datagrams given up", |s| s.fragments_given_up),
    ("connections_given_up", "connections given up to make room", |s| s.connections_given_up),
    ("out_of_order", "segments out of order", |s| s.out_of_order),
    ("retransmitted", "bytes retransmitted", |s| s.retransmitted),
    ("late_bytes", "bytes that came when the gap had been given up: a longer --patience keeps them", |s| s.late_bytes),
    ("conflicts", "segments with other bytes than came before", |s| s.conflicts),
    ("conflicting_bytes", "bytes in conflict", |s| s.conflicting_bytes),
    ("urgent", "segments with urgent data, taken in its place", |s| s.urgent),
    ("keep_alives", "keep-alive probes", |s| s.keep_alives),
    ("resets_ignored", "resets that ended nothing", |s| s.resets_ignored),
    ("gaps", "gaps", |s| s.gaps),
    ("gap_bytes", "bytes missing in gaps", |s| s.gap_bytes),
    ("gaps_for_memory", "gaps given up early for want of memory", |s| s.gaps_for_memory),
    ("order_given_up", "times that bytes were not captured which the other side had acknowledged", |s| {
        s.order_given_up
    }),
    ("waits_timed_out", "waits for missing bytes that timed out", |s| s.waits_timed_out),
    ("late_segments", "segments with payload for connections that were over", |s| s.late_segments),
    ("stray_bytes", "bytes outside of the stream", |s| s.stray_bytes),
    ("bad_checksums", "segments with a wrong checksum, as usual for packets that the capturing machine sent", |s| {
        s.bad_checksums
    }),
];

/// The counts of data that is missing or was given up. The others are notes: nothing is lost there.
const LOSSES: [&str; 12] = [
    "cut_packets",
    "dropped_packets",
    "fragments_given_up",
    "connections_given_up",
    "late_bytes",
    "conflicts",
    "gaps",
    "gap_bytes",
    "gaps_for_memory",
    "order_given_up",
    "waits_timed_out",
    "late_segments",
];

/// The losses that are named in one line.
const NAMED_IN_BRIEF: [&str; 6] =
    ["cut_packets", "dropped_packets", "fragments_given_up", "connections_given_up", "gaps", "gap_bytes"];

/// A count of the captures, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureNote {
    /// The name in the summary record.
    pub name: &'static str,
    /// The count, which is not 0.
    pub count: u64,
    /// The words that follow the count.
    pub words: String,
    /// Whether data is missing or was given up.
    pub is_loss: bool,
}

impl CaptureTotals {
    /// Adds packets that a capturing program reports as dropped.
    pub(crate) fn add_dropped(&mut self, packets: u64) {
        let fields = FIELDS.iter().zip(&mut self.counts);
        fields.filter(|((name, ..), _)| *name == "dropped_packets").for_each(|(_, count)| *count += packets);
    }

    /// Adds the counts of a number of captures whose connections are numbered from `base` on.
    pub(crate) fn add(&mut self, report: &Report, captures: u64, damaged: u64, base: u64) {
        let room = INCIDENTS_MAX - self.incidents.len();
        self.incidents.extend(report.incidents.iter().take(room).cloned().map(|mut incident| {
            incident.connection.number += base;
            incident
        }));
        self.captures += captures;
        self.damaged += damaged;
        for (count, more) in self.ignored.iter_mut().zip(report.summary.ignored) {
            *count += more;
        }
        for (protocol, count) in &report.unread {
            *self.unread.entry(protocol.to_string()).or_default() += count;
        }
        self.unknown_links.extend(report.unknown_links.iter().map(|link| link.0));
        for (count, (_, _, value)) in self.counts.iter_mut().zip(FIELDS) {
            *count += value(&report.summary);
        }
    }

    /// Returns whether there was a problem and not one packet or transcript was read.
    #[must_use]
    pub fn nothing_read(&self) -> bool {
        self.counts[0] == 0 && self.transcripts == 0 && self.unreadable + self.damaged > 0
    }

    /// Returns whether every input was read to its end, without damage.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unreadable + self.damaged == 0
    }

    /// Returns the counts that are not 0, except those of packets and segments.
    pub fn notes(&self) -> impl Iterator<Item = CaptureNote> {
        let counts = FIELDS.iter().zip(self.counts).skip(2).filter(|(_, count)| *count > 0);
        counts.map(|((name, words, _), count)| CaptureNote {
            name,
            count,
            words: worded(words, count),
            is_loss: LOSSES.contains(name),
        })
    }

    /// Returns the totals in one line, without a line feed: the captures, and the data that is
    /// missing in them.
    #[must_use]
    pub fn in_brief(&self) -> String {
        let mut parts = vec![self.inputs()];
        let named = |note: &CaptureNote| NAMED_IN_BRIEF.contains(&note.name);
        parts.extend(self.notes().filter(named).map(|note| format!("{} {}", format_count(note.count), note.words)));
        parts.extend(self.unknown_links.iter().map(|link| format!("link type {link} is not read")));
        parts.join(", ")
    }

    /// Returns the number of captures and transcripts, packets and segments.
    fn inputs(&self) -> String {
        let counted = |count: u64, noun: &str| format!("{} {}", format_count(count), worded(noun, count));
        if self.transcripts > 0 && self.captures == 0 {
            return counted(self.transcripts, "transcripts");
        }
        let mut text = counted(self.captures, "captures");
        if self.damaged > 0 {
            let _ = write!(text, " ({} damaged)", format_count(self.damaged));
        }
        if self.transcripts > 0 {
            let _ = write!(text, " and {}", counted(self.transcripts, "transcripts"));
        }
        for ((_, words, _), count) in FIELDS.iter().zip(self.counts).take(2) {
            let _ = write!(text, ", {}", counted(count, words));
        }
        text
    }

    /// Returns the number of packets that gave no TCP segment: by protocol where they have none,
    /// and otherwise by reason.
    fn ignored_because(&self) -> Vec<(String, u64)> {
        let of_protocol = |reason: &Ignored| matches!(reason, Ignored::NotIp | Ignored::NotTcp);
        let (unread, others): (Vec<_>, Vec<_>) =
            Ignored::ALL.iter().zip(self.ignored).partition(|(reason, _)| of_protocol(reason));
        let others = others.into_iter().map(|(reason, count)| (reason.as_str().to_owned(), count));
        let named = self.unread.values().sum();
        let unnamed = unread.iter().map(|(_, count)| count).sum::<u64>().saturating_sub(named);
        let all = self.unread.iter().map(|(protocol, count)| (protocol.clone(), *count));
        let all = all.chain([("other protocols".to_owned(), unnamed)]).chain(others);
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// Returns the counts as the field `capture` of a summary record.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut record = Map::new();
        record.insert("captures".into(), self.captures.into());
        record.insert("transcripts".into(), self.transcripts.into());
        record.insert("damaged".into(), self.damaged.into());
        record.insert("unreadable".into(), self.unreadable.into());
        record.extend(FIELDS.iter().zip(self.counts).map(|((name, ..), count)| ((*name).to_owned(), count.into())));
        let reasons = self.ignored_because().into_iter().map(|(reason, count)| (reason, count.into()));
        record.insert("ignored_because".into(), Value::Object(reasons.collect()));
        record.insert("unknown_links".into(), self.unknown_links.iter().copied().collect());
        record.insert("incidents".into(), self.incidents.iter().map(incident_to_json).collect());
        record.into()
    }
}

fn incident_to_json(incident: &Incident) -> Value {
    let mut record = Map::new();
    let connection = &incident.connection;
    record.insert("conn".into(), connection.number.into());
    record.insert("client".into(), connection.client.to_string().into());
    record.insert("server".into(), connection.server.to_string().into());
    if let IncidentKind::Conflict { bytes, kept, dropped, .. } = &incident.kind {
        record.insert("bytes".into(), (*bytes).into());
        record.insert("kept".into(), kept.escape_ascii().to_string().into());
        record.insert("dropped".into(), dropped.escape_ascii().to_string().into());
    }
    record.insert("what".into(), incident.kind.as_str().into());
    if let Some((side, offset)) = incident.kind.place() {
        record.insert("side".into(), side.as_str().into());
        record.insert("offset".into(), offset.into());
    }
    record.into()
}

/// Returns `words`, which begin with a plural noun, with the noun in the singular if `count` is 1.
fn worded(words: &str, count: u64) -> String {
    let mut plural = count != 1;
    let singular = |word: &str| match word.strip_suffix('s') {
        Some(one) if !std::mem::replace(&mut plural, true) => one.to_owned(),
        _ => word.to_owned(),
    };
    words.split(' ').map(singular).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for CaptureTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.inputs())?;
        if self.captures == 0 {
            return Ok(());
        }
        for ((name, words, _), count) in FIELDS.iter().zip(self.counts).skip(2).filter(|(_, count)| *count > 0) {
            write!(f, "  {} {}", format_count(count), worded(words, count))?;
            if *name == "ignored" {
                let reasons = self.ignored_because().into_iter();
                let mut reasons: Vec<_> = reasons.map(|(reason, count)| (Reverse(count), reason)).collect();
                reasons.sort();
                let texts = reasons.iter().map(|(Reverse(count), reason)| format!("{} {reason}", format_count(*count)));
                write!(f, ": {}", texts.collect::<Vec<_>>().join(", "))?;
            }
            writeln!(f)?;
        }
        for link in &self.unknown_links {
            let link = LinkType(*link);
            let where_to_look = if link.name().is_none() { ": tcpdump.org/linktypes.html has its name" } else { "" };
            writeln!(f, "  packets of {link} are not read{where_to_look}")?;
        }
        for incident in self.incidents.iter().take(INCIDENTS_SHOWN) {
            writeln!(f, "  {incident}")?;
        }
        if self.incidents.len() > INCIDENTS_SHOWN {
            writeln!(f, "  and others: all are counted above, more are named in --format jsonl")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_written_in_the_singular() {
        for (words, one) in [
            ("TCP segments", "TCP segment"),
            ("packets lost by the capturing system", "packet lost by the capturing system"),
            ("fragmented datagrams given up", "fragmented datagram given up"),
            ("times that bytes were not captured", "time that bytes were not captured"),
            ("gaps", "gap"),
        ] {
            assert_eq!((worded(words, 1), worded(words, 2)), (one.to_owned(), words.to_owned()));
        }
        for (_, words, _) in FIELDS {
            let one = worded(words, 1);
            assert_eq!(one.len(), words.len() - 1, "there is no plural in {words:?}");
            assert!(!one.contains(" are "), "{one}");
        }
        for name in LOSSES.iter().chain(&NAMED_IN_BRIEF) {
            assert!(FIELDS.iter().any(|(known, ..)| known == name), "{name} is no count");
        }
    }
}
