//! `SourceReader`: captures and transcripts into one tap.

use std::path::PathBuf;

use enjamb::transcript::Collector;
use enjamb::{Connection, Event, Tap, Time};
use enjamb_protocols::Registry;
use enjamb_sources::{
    ConnectionNumbers, Inputs, NO_ADDRESS, Notices, Progress, ProtocolChoice, SourceReader, SourceReport, Stop,
    read_conversations,
};

const TRANSCRIPT: &str =
    "enjamb transcript 1\nprotocol redis\n@1 client\n  \"PING\\r\\n\"\n@2 server\n  \"+PONG\\r\\n\"\n";

fn corpora(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../corpora").join(name)
}

/// A folder with a transcript and other files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn read(paths: &[PathBuf], only: Option<&ConnectionNumbers>, tap: &mut impl Tap) -> (SourceReport, ProtocolChoice) {
    let notices = Notices::new("test", "read");
    let progress = Progress::hidden(&notices);
    let inputs = Inputs::find(paths);
    let protocols = ProtocolChoice::new(&Registry::builtin(), "auto").unwrap();
    let report = SourceReader::new(&inputs, &protocols, &progress).only(only).read(tap, |_, _| {});
    (report, protocols)
}

#[test]
fn connections_are_numbered_on_from_one_input_to_the_next() {
    let folder = folder(&[("a.txt", TRANSCRIPT)]);
    let mut collector = Collector::default();
    let paths = [corpora("redis/errors.pcap"), folder.path().join("a.txt"), corpora("http1/chunked.pcap")];
    let (report, protocols) = read(&paths, None, &mut collector);
    let connections: Vec<Connection> = collector.finish().map(|(connection, _)| connection).collect();
    let numbers: Vec<u64> = connections.iter().map(|connection| connection.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let transcript = connections.iter().find(|connection| connection.client == NO_ADDRESS).unwrap();
    assert!(transcript.number > 1 && transcript.number < numbers.len() as u64);
    assert_eq!(protocols.name(transcript), "redis", "the transcript names its protocol");
    assert_eq!(protocols.name(&connections[0]), "auto");
    assert!(report.totals.to_string().starts_with("2 captures and 1 transcript, ") && report.problems.is_empty());
}

#[test]
fn connections_that_nobody_asked_for_are_dropped() {
    let mut collector = Collector::default();
    let only: ConnectionNumbers = "2,4-5".parse().unwrap();
    read(&[corpora("redis/errors.pcap")], Some(&only), &mut collector);
    let numbers: Vec<u64> = collector.finish().map(|(connection, _)| connection.number).collect();
    assert_eq!(numbers, [2, 4, 5]);
}

/// A tap that asks to stop at its first event.
struct StopAtOnce(Stop, u64);

impl Tap for StopAtOnce {
    fn event(&mut self, _: &Connection, _: Time, _: Event<'_>) {
        self.0.request();
        self.1 += 1;
    }
}

#[test]
fn a_stopped_reader_reads_no_further_input() {
    let notices = Notices::new("test", "read");
    let progress = Progress::hidden(&notices);
    let inputs = Inputs::find(&[corpora("redis"), corpora("http1")]);
    let protocols = ProtocolChoice::new(&Registry::builtin(), "auto").unwrap();
    let stop = Stop::default();
    let mut begun = 0;
    let reader = SourceReader::new(&inputs, &protocols, &progress).stop(stop.clone());
    let report = reader.read(&mut StopAtOnce(stop, 0), |_, _| begun += 1);
    assert_eq!((begun, report.problems.len()), (1, 0), "a stop is not a problem of the capture");
}

#[test]
fn conversations_are_complete_and_in_the_order_of_their_opening() {
    let notices = Notices::new("test", "read");
    let progress = Progress::hidden(&notices);
    let inputs = Inputs::find(&[corpora("redis/errors.pcap")]);
    let protocols = ProtocolChoice::new(&Registry::builtin(), "redis").unwrap();
    let reader = SourceReader::new(&inputs, &protocols, &progress);
    let (conversations, _) = read_conversations(&reader, &protocols, 1 << 20);
    assert!(conversations.len() > 3);
    assert!(conversations.is_sorted_by_key(|conversation| conversation.opened_place));
    for conversation in &conversations {
        assert_eq!(conversation.entry_places.len(), conversation.transcript.entries.len());
        assert!(conversation.title().contains(" -> ") && conversation.dropped.is_none());
    }
    let (short, _) = read_conversations(&reader, &protocols, 100);
    let dropped = short.iter().filter(|conversation| conversation.dropped.is_some());
    assert!(dropped.clone().count() > 0);
    assert!(dropped.into_iter().all(|conversation| conversation.transcript.entries.is_empty()));
}
