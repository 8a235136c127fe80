//! The target `recordings`: a recording that is read back gives what was recorded.

use enjamb::transcript::{Collector, Content, Entry};
use enjamb::{Connection, Ending, Event, Tap, Time, Transcript};
use enjamb_capture::{LONGEST_CHUNK, Options, Recorder, read};
use enjamb_law::{Case, Grammar, Script};

/// The longest gap that a recording has in one piece.
const GAP_MAX: u64 = 1 << 30;

/// The target `recordings`: a script, recorded and read back, gives the same chunks, gaps and ends.
///
/// # Panics
/// When the property does not hold.
pub(crate) fn recordings(data: &[u8]) {
    check_recording(data, record);
}

/// Checks what `record` makes of a script.
pub(crate) fn check_recording(data: &[u8], record: impl Fn(&Transcript) -> Vec<u8>) {
    let Case { input, cuts } = Script::read(data).case(&Grammar::default());
    let expected = possible(&input.transcript(&cuts));
    let file = record(&expected);
    let mut found = Collector::default();
    let report = read(&file[..], &mut found, &Options::default());
    assert!(report.error.is_none(), "a recording cannot be read: {:?}", report.error);
    let found: Vec<Entry> = found.finish().flat_map(|(_, transcript)| transcript.entries).collect();
    assert!(
        found == expected.entries,
        "a recording differs from what was recorded\n  recorded: {:?}\n  read: {found:?}",
        expected.entries
    );
}

/// Returns the part of a conversation that can happen: nothing follows the end of a side, and a
/// reset ends both.
fn possible(transcript: &Transcript) -> Transcript {
    let mut open = [true; 2];
    let mut entries = Vec::new();
    for (now, entry) in (1..).zip(&transcript.entries) {
        let time = Time::from_nanos(now * 1_000_000);
        let side = entry.side;
        if !open[side.index()] {
            continue;
        }
        let content = match &entry.content {
            Content::Gap(missing) => Content::Gap((*missing).clamp(1, GAP_MAX)),
            // The end of the capture ends the sides that are open.
            Content::Close(Ending::Lost) => continue,
            other => other.clone(),
        };
        let ending = if let Content::Close(ending) = content { Some(ending) } else { None };
        match content {
            // A longer one is recorded in several packets.
            Content::Chunk(bytes) => entries.extend(bytes.chunks(LONGEST_CHUNK).map(|bytes| Entry {
                time,
                side,
                content: Content::Chunk(bytes.to_vec()),
            })),
            content => entries.push(Entry { time, side, content }),
        }
        open[side.index()] = ending.is_none();
        if ending == Some(Ending::Reset) {
            if open[(!side).index()] {
                entries.push(Entry { time, side: !side, content: Content::Close(Ending::Reset) });
            }
            break;
        }
    }
    Transcript { protocol: None, entries }
}

/// Records a conversation.
pub(crate) fn record(transcript: &Transcript) -> Vec<u8> {
    let connection =
        Connection { number: 1, client: ([192, 0, 2, 1], 40_000).into(), server: ([192, 0, 2, 2], 80).into() };
    let mut recorder = Recorder::new(Vec::new());
    recorder.event(&connection, Time::from_nanos(0), Event::Open);
    let mut last = Time::from_nanos(0);
    for entry in &transcript.entries {
        recorder.event(&connection, entry.time, entry.event());
        last = entry.time;
    }
    recorder.event(&connection, last, Event::Done);
    recorder.finish().unwrap_or_else(|error| panic!("memory can be written: {error}"))
}
