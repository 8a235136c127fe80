//! Real conversations with damage: cut off, with holes, with wrong bytes, joined in the middle, fed
//! to every protocol. The cuts decide nothing, the messages tile each side, and nothing panics.
//!
//! The conversations are those of `corpora/`, and of the captures of other projects where they are.

#[path = "../../enjamb-capture/tests/requirements/mod.rs"]
mod requirements;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use enjamb::transcript::Content;
use enjamb::{Connection, Ending, Event, Message, Session, Side, Span, Tap, Time};
use enjamb_capture::Options;
use enjamb_law::{Cutting, Sessions, split};
use enjamb_protocols::{Protocol, Registry};
use requirements::trials;

trials! {
    always: [the_corpora_survive_damage];
    requires requirements::captures: [the_captures_of_others_survive_damage];
}

/// The largest conversation that is damaged, in bytes.
const LENGTH_MAX: usize = 24 << 10;

/// The number of conversations of one capture that are damaged.
const CONVERSATIONS_MAX: usize = 6;

/// The damages of one conversation.
const DAMAGES: u64 = 24;

fn the_corpora_survive_damage() {
    damage_all(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora")]);
}

fn the_captures_of_others_survive_damage(folder: &Path) {
    damage_all(&[folder.to_owned(), folder.join("protocols")]);
}

fn damage_all(folders: &[PathBuf]) {
    let mut paths = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && folder.ends_with("corpora") {
                paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                paths.push(path);
            }
        }
    }
    paths.retain(|path| path.to_string_lossy().contains(".pcap"));
    paths.sort();
    let registry = Registry::builtin();
    let mut tried = 0;
    for path in paths {
        for (port, input) in conversations(&path).into_iter().take(CONVERSATIONS_MAX) {
            // The protocol that it is, and another one for which it is noise.
            let protocols: Vec<_> = registry.iter().collect();
            let noise = protocols[(tried as usize) % protocols.len()];
            for (protocol, port) in [(&registry.auto(), Some(port)), (noise, None)] {
                for seed in 0..DAMAGES {
                    let mut random = Random(seed * 7919 + tried + 1);
                    let damaged = Cutting::of(damage(&input, &mut random));
                    let name = format!("{}, seed {seed}, as {}", path.display(), protocol.name());
                    check(&damaged, protocol, port, &mut random, &name);
                }
            }
            tried += 1;
        }
    }
    assert!(tried > 20, "only {tried} conversations");
}

fn check(input: &Cutting, protocol: &Protocol, port: Option<u16>, random: &mut Random, name: &str) {
    let subject = Sessions(|| protocol.session(port));
    for _ in 0..3 {
        let mut cuts: Vec<usize> =
            (0..1 + random.below(12)).map(|_| 1 + random.below(input.len().max(2) - 1)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.retain(|cut| *cut < input.len());
        if let Err(violation) = split(&subject, input, &cuts) {
            panic!("{name}: {:.4000}", violation.to_string());
        }
    }
    tiles(input, protocol.session(port), name);
}

/// Checks that the messages of each side tile its stream.
fn tiles(input: &Cutting, mut session: Box<dyn Session>, name: &str) {
    let mut spans: [Vec<Span>; 2] = [Vec::new(), Vec::new()];
    let mut fed = [0_u64; 2];
    let mut emitted = [0_u64; 2];
    let mut gaps: [Vec<Span>; 2] = [Vec::new(), Vec::new()];
    let mut closed = [false; 2];
    let mut out = |message: &Message<'_>| {
        spans[message.side.index()].push(message.span);
        emitted[message.side.index()] += 1;
    };
    for (side, content) in input.turns() {
        match content {
            Content::Chunk(bytes) => {
                fed[side.index()] += bytes.len() as u64;
                session.feed(*side, bytes, &mut out);
            }
            Content::Gap(missing) => {
                gaps[side.index()].push(Span { offset: fed[side.index()], length: *missing });
                fed[side.index()] += missing;
                session.gap(*side, *missing, &mut out);
            }
            Content::Close(ending) => {
                closed[side.index()] = true;
                session.close(*side, *ending, &mut out);
            }
        }
    }
    for side in Side::BOTH.into_iter().filter(|side| !closed[side.index()]) {
        session.close(side, Ending::Lost, &mut out);
    }
    for side in Side::BOTH {
        let mut at = 0;
        for span in &spans[side.index()] {
            // Only a gap may be between two messages.
            while at < span.offset {
                let gap = gaps[side.index()].iter().find(|gap| gap.offset <= at && at < gap.end());
                let gap = gap.unwrap_or_else(|| panic!("{name}: {side}: no message has byte {at}, before {span:?}"));
                at = gap.end().min(span.offset);
            }
            assert_eq!(at, span.offset, "{name}: {side}: two messages have the same bytes: {span:?}");
            assert!(span.length > 0, "{name}: {side}: a message of no bytes at {}", span.offset);
            at = span.end();
        }
        let covered = gaps[side.index()].iter().filter(|gap| gap.end() > at).map(|gap| gap.length).sum::<u64>();
        assert!(at + covered >= fed[side.index()], "{name}: {side}: no message has the bytes behind {at}");
    }
}

/// A conversation, with some of its bytes changed, removed or lost.
fn damage(input: &Cutting, random: &mut Random) -> Vec<(Side, Content)> {
    let mut turns = input.turns().to_vec();
    for _ in 0..1 + random.below(3) {
        if turns.is_empty() {
            break;
        }
        let at = random.below(turns.len());
        let (side, content) = turns[at].clone();
        let Content::Chunk(mut bytes) = content else { continue };
        match random.below(6) {
            0 => {
                let place = random.below(bytes.len());
                bytes[place] = [0, 0xff, b'\r', b'\n', b'0', 0x80, b' '][random.below(7)];
                turns[at].1 = Content::Chunk(bytes);
            }
            1 => {
                let from = random.below(bytes.len());
                let behind = bytes.split_off(from);
                let lost = 1 + random.below(behind.len());
                turns.splice(
                    at..=at,
                    [
                        (side, Content::Chunk(bytes)),
                        (side, Content::Gap(lost as u64)),
                        (side, Content::Chunk(behind[lost..].to_vec())),
                    ],
                );
            }
            2 => turns[at].1 = Content::Gap(bytes.len() as u64),
            3 => {
                turns.drain(..at);
                turns.splice(..0, Side::BOTH.map(|side| (side, Content::Gap(0))));
            }
            4 => turns.truncate(at + 1),
            _ => {
                let from = random.below(bytes.len());
                bytes.truncate(from);
                turns[at].1 = Content::Chunk(bytes);
            }
        }
        turns.retain(|(_, content)| !matches!(content, Content::Chunk(bytes) if bytes.is_empty()));
    }
    turns
}

/// Returns the conversations of a capture with data, and the ports of their servers.
fn conversations(path: &Path) -> Vec<(u16, Cutting)> {
    /// The server's port, the number of bytes, and the turns.
    type Turns = (u16, usize, Vec<(Side, Content)>);
    #[derive(Default)]
    struct Collector(BTreeMap<u64, Turns>);
    impl Tap for Collector {
        fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
            let (port, length, turns) = self.0.entry(connection.number).or_default();
            *port = connection.server.port();
            match event {
                Event::Chunk { side, bytes } if *length < LENGTH_MAX => {
                    *length += bytes.len();
                    turns.push((side, Content::Chunk(bytes.to_vec())));
                }
                Event::Gap { side, missing } => turns.push((side, Content::Gap(missing))),
                _ => {}
            }
        }
    }
    let mut collector = Collector::default();
    let _ = enjamb_capture::open(path, &mut collector, &Options::default());
    let with_data = collector.0.into_values().filter(|(_, length, _)| *length > 1);
    with_data.map(|(port, _, turns)| (port, Cutting::of(turns))).collect()
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % bound.max(1)
    }
}
