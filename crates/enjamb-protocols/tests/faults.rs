//! Small captures of HTTP/1 that are easy to read wrongly, in `corpora/faults`, with the right
//! messages, pairs and latencies.

use std::path::Path;
use std::sync::Arc;

use enjamb::{Connection, OwnedMessage, Side};
use enjamb_capture::Options;
use enjamb_monitor::{Record, Watch};
use enjamb_protocols::Registry;

/// Returns the messages of a capture, each with its latency in microseconds.
fn messages(name: &str) -> Vec<(OwnedMessage, Option<u64>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/faults").join(name);
    let protocol = Registry::builtin().resolve("http1").unwrap();
    let open = Arc::new(move |_: &Connection| protocol.session(None));
    let mut messages = Vec::new();
    let mut watch = Watch::new(open, |record: &Record<'_>| {
        if let Record::Message { message, latency_us, .. } = record {
            messages.push((enjamb::Message::to_owned(message), *latency_us));
        }
    });
    let report = enjamb_capture::open(&path, &mut watch, &Options::default());
    assert!(report.error.is_none(), "{}: {:?}", path.display(), report.error);
    drop(watch.finish());
    messages
}

fn of_side(messages: &[(OwnedMessage, Option<u64>)], side: Side) -> Vec<(OwnedMessage, Option<u64>)> {
    messages.iter().filter(|(message, _)| message.side == side).cloned().collect()
}

#[test]
fn a_lost_request_costs_one_latency() {
    let messages = messages("E2-http-request-lost.pcap");
    let latencies: Vec<_> = of_side(&messages, Side::Server).into_iter().map(|(_, latency)| latency).collect();
    assert_eq!(latencies.iter().flatten().count(), 199);
    assert!(latencies.iter().flatten().all(|&latency| latency == 500), "{latencies:?}");
    assert_eq!(latencies.len(), 200);
    let missing = messages.iter().filter(|(message, _)| message.flags == "request-missing");
    assert!(missing.map(|(_, latency)| *latency).eq([None]), "one answer has no request");
}

#[test]
fn a_hole_over_whole_answers_makes_no_latency_up() {
    let messages = messages("R-hole-over-messages.pcap");
    let latencies: Vec<_> = of_side(&messages, Side::Server).into_iter().filter_map(|(_, latency)| latency).collect();
    assert!(latencies.len() >= 7, "{latencies:?}");
    assert!(latencies.iter().all(|&latency| latency == 500), "{latencies:?}");
}

#[test]
fn a_space_in_a_target_makes_one_message_malformed() {
    let messages = messages("F-space-in-target.pcap");
    let requests = of_side(&messages, Side::Client);
    let malformed: Vec<_> = requests.iter().filter(|(request, _)| request.outcome.as_str() != "ok").collect();
    assert_eq!((requests.len(), malformed.len()), (10, 1));
    assert_eq!(malformed[0].0.reason.as_deref(), Some("target contains white space"));
    let answers = of_side(&messages, Side::Server);
    assert!(answers.iter().map(|(answer, _)| answer.answers).eq((0..10).map(Some)));
    assert!(answers.iter().all(|(_, latency)| *latency == Some(1000)));
}

#[test]
fn http_1_2_is_read_as_http_1_1() {
    let messages = messages("I-http12.pcap");
    assert_eq!(messages.len(), 4);
    assert!(messages.iter().all(|(message, _)| message.outcome.as_str() == "ok"), "{messages:?}");
    assert!(of_side(&messages, Side::Server).iter().all(|(_, latency)| *latency == Some(1000)));
}

#[test]
fn a_control_character_in_a_value_is_flagged_and_the_later_requests_are_read() {
    let messages = messages("M-ctl-in-value.pcap");
    let requests = of_side(&messages, Side::Client);
    assert!(requests.iter().all(|(request, _)| request.outcome.as_str() == "ok"), "{messages:?}");
    let flags: Vec<_> = requests.iter().map(|(request, _)| request.flags.as_str()).collect();
    assert_eq!(flags, ["", "control-character", "", ""]);
    assert!(of_side(&messages, Side::Server).iter().map(|(answer, _)| answer.answers).eq((0..4).map(Some)));
}
