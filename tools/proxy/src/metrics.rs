//! The page of metrics for Prometheus.
//!
//! The page has the text format of Prometheus, version 0.0.4. Counters end in `_total`, sizes are
//! bytes and times are seconds. The labels have few values: sides, outcomes, protocols, and kinds
//! of messages, of which the statistics keep at most 1024.

use std::fmt::Write as _;

use enjamb::Side;
use enjamb_monitor::{Distribution, Outcomes, Summary};

use crate::losses::{LogLosses, RecordingLosses};

/// The bounds of latencies, in microseconds. Each is one of the bounds that the statistics have.
const LATENCY_BOUNDS_US: [u64; 13] =
    [10, 33, 100, 330, 1_000, 3_300, 10_000, 33_000, 100_000, 330_000, 1_000_000, 3_300_000, 10_000_000];

/// The counts of a proxy at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) summary: Summary,
    pub(crate) unconnected: u64,
    pub(crate) handshake_failures: u64,
    pub(crate) handler_failures: u64,
    pub(crate) faults: u64,
    pub(crate) log: LogLosses,
    pub(crate) recording: RecordingLosses,
}

/// Returns the page of metrics.
pub(crate) fn page(counts: &Counts) -> String {
    let Counts { summary, unconnected, handshake_failures, handler_failures, faults, log, recording } = counts;
    let mut page = Page(String::new());
    page.single("connections_total", "counter", "Connections that were relayed.", summary.connections);
    page.single("connections_open", "gauge", "Connections that are open.", summary.open);
    page.single("connect_failures_total", "counter", "Clients whose server could not be reached.", *unconnected);
    let help = "Connections of which a TLS handshake failed.";
    page.single("tls_handshake_failures_total", "counter", help, *handshake_failures);
    page.single("handler_failures_total", "counter", "Connections that are no longer parsed.", *handler_failures);

    page.single("faults_total", "counter", "Faults that were applied on purpose.", *faults);

    page.begin("bytes_total", "counter", "Bytes that were relayed.");
    for side in Side::BOTH {
        page.value("bytes_total", &[("side", side.as_str())], summary.side(side).bytes);
    }
    page.begin("messages_total", "counter", "Messages by outcome.");
    for side in Side::BOTH {
        for (outcome, count) in by_outcome(&summary.side(side).outcomes) {
            page.value("messages_total", &[("side", side.as_str()), ("outcome", outcome)], count);
        }
    }
    page.begin("messages_by_kind_total", "counter", "Messages by protocol and kind.");
    for side in Side::BOTH {
        for kind in &summary.side(side).kinds {
            let labels = [("side", side.as_str()), ("protocol", &kind.protocol), ("kind", &kind.kind)];
            page.value("messages_by_kind_total", &labels, kind.messages);
        }
    }
    page.latencies(summary.latency_us.as_ref());

    page.single("log_lost_records_total", "counter", "Records that the log lacks.", log.lines);
    page.single("log_lost_bytes_total", "counter", "Bytes of the records that the log lacks.", log.bytes);
    page.single("recording_lost_chunks_total", "counter", "Chunks that the recording lacks.", recording.chunks);
    page.single("recording_lost_bytes_total", "counter", "Bytes that the recording lacks.", recording.bytes);
    let connections = recording.connections;
    page.single("recording_lost_connections_total", "counter", "Connections that the recording lacks.", connections);
    page.0
}

fn by_outcome(outcomes: &Outcomes) -> [(&'static str, u64); 4] {
    let Outcomes { ok, failed, malformed, incomplete, .. } = *outcomes;
    [("ok", ok), ("failed", failed), ("malformed", malformed), ("incomplete", incomplete)]
}

/// A page of metrics that is being written. Writing to a `String` does not fail.
struct Page(String);

impl Page {
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP enjamb_{name} {help}\n# TYPE enjamb_{name} {kind}\n");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.begin(name, kind, help);
        self.value(name, &[], value);
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let _ = write!(self.0, "enjamb_{name}");
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if at == 0 { '{' } else { ',' });
            for c in text.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// Writes the latencies as a histogram. Their sum is not known.
    fn latencies(&mut self, latencies: Option<&Distribution>) {
        self.begin("latency_seconds", "histogram", "Times from the end of a request to the end of its answer.");
        let buckets = latencies.map(|latencies| latencies.distribution.as_slice()).unwrap_or_default();
        for bound in LATENCY_BOUNDS_US {
            // Whole microseconds, cut off: 9 are less than 10.
            let below = buckets.iter().filter(|bucket| bucket.to < bound).map(|bucket| bucket.count).sum();
            let seconds = bound as f64 / 1e6;
            self.value("latency_seconds_bucket", &[("le", &seconds.to_string())], below);
        }
        let all = buckets.iter().map(|bucket| bucket.count).sum();
        self.value("latency_seconds_bucket", &[("le", "+Inf")], all);
        self.value("latency_seconds_count", &[], all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_shows_metrics_that_exist() {
        let counts = Counts {
            summary: enjamb_monitor::Statistics::default().summary(),
            unconnected: 0,
            handshake_failures: 0,
            handler_failures: 0,
            faults: 0,
            log: LogLosses::default(),
            recording: RecordingLosses::default(),
        };
        let page = page(&counts);
        let dashboard = include_str!("../deploy/grafana.json");
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let mut count = 0;
        for (at, _) in dashboard.match_indices("enjamb_") {
            let name = dashboard[at..].split(|c| !is_part(c)).next().unwrap().trim_end_matches("_bucket");
            assert!(page.contains(&format!("# TYPE {name} ")), "{name}");
            count += 1;
        }
        assert!(count > 10);
    }

    #[test]
    fn labels_are_escaped_and_a_value_without_labels_has_no_braces() {
        let mut page = Page(String::new());
        page.value("a_total", &[], 7);
        page.value("b_total", &[("kind", "x\"y\\z\n"), ("side", "client")], 1);
        assert_eq!(page.0, "enjamb_a_total 7\nenjamb_b_total{kind=\"x\\\"y\\\\z\\n\",side=\"client\"} 1\n");
    }
}
