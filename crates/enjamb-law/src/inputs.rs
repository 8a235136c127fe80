//! The inputs of the laws, made from the messages of a definition: streams, floods, depths and
//! random cases.

use enjamb::Side;
use enjamb::transcript::Content;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::cutting::{Cutting, stream};
use crate::grammar::Grammar;
use crate::laws::Growth;
use crate::script::Case;
use crate::segmentations::Segmentations;
use crate::strategy;

/// Returns streams of well-formed messages: each alone, two neighbours, all, and all followed by a
/// part of one.
pub(crate) fn streams(messages: &[Vec<u8>]) -> Vec<Cutting> {
    let mut streams: Vec<Vec<u8>> = messages.to_vec();
    if messages.len() > 1 {
        let next = messages.iter().cycle().skip(1);
        streams.extend(messages.iter().zip(next).map(|(first, second)| [&first[..], second].concat()));
        streams.push(messages.concat());
    }
    if let Some(first) = messages.first() {
        let part = &first[..first.len().div_ceil(2)];
        streams.push([&messages.concat()[..], part].concat());
        streams.push(first.repeat(3));
    }
    streams.iter().map(|bytes| stream(bytes)).collect()
}

/// A message of the client, and the server's answer to it.
pub(crate) type Exchange<'a> = (&'a [u8], &'a [u8]);

/// Returns a conversation whose client waits for each answer. The law derives all other orders from
/// it.
pub(crate) fn conversation<'a>(exchanges: impl IntoIterator<Item = Exchange<'a>>) -> Cutting {
    Cutting::of(exchanges.into_iter().flat_map(|(message, answer)| {
        [(Side::Client, Content::Chunk(message.to_vec())), (Side::Server, Content::Chunk(answer.to_vec()))]
    }))
}

/// Returns conversations: each exchange alone, two neighbours, and all. If the messages depend on
/// each other, the first ones of them.
pub(crate) fn conversations(exchanges: &[Exchange<'_>], dependent: bool) -> Vec<Cutting> {
    if dependent {
        return (1..=exchanges.len()).map(|count| conversation(exchanges[..count].iter().copied())).collect();
    }
    let mut conversations: Vec<_> = exchanges.iter().map(|exchange| conversation([*exchange])).collect();
    let next = exchanges.iter().cycle().skip(1);
    conversations.extend(exchanges.iter().zip(next).map(|(first, second)| conversation([*first, *second])));
    conversations.push(conversation(exchanges.iter().copied()));
    conversations
}

/// Returns as many segmentations as a stream of this length allows in reasonable time.
pub(crate) fn segmentations(len: usize) -> Segmentations {
    match len {
        0..=96 => Segmentations::up_to_two_cuts(),
        97..=2048 => Segmentations::up_to_one_cut().and_random(1, 64),
        _ => Segmentations::every_byte().and_random(1, 64),
    }
}

/// Returns the first messages, with at most `bytes_max` bytes together, and always at least one.
pub(crate) fn within(messages: &[Vec<u8>], bytes_max: usize) -> Vec<&[u8]> {
    let mut len = 0;
    let mut taken: Vec<&[u8]> = Vec::new();
    for message in messages {
        len += message.len();
        if len > bytes_max && !taken.is_empty() {
            break;
        }
        taken.push(message);
    }
    taken
}

/// Returns the messages repeated in one long list: 200 of them, or as many as have 64 KiB, and
/// always at least two.
pub(crate) fn many(messages: &[Vec<u8>]) -> Vec<&[u8]> {
    const MOST: usize = 200;
    const MOST_BYTES: usize = 64 << 10;
    let mut len = 0;
    let mut taken: Vec<&[u8]> = Vec::new();
    for message in messages.iter().cycle().take(MOST) {
        len += message.len();
        if len > MOST_BYTES && taken.len() >= 2 {
            break;
        }
        taken.push(message);
    }
    taken
}

/// Random cases, the same for the same name of a definition. `ENJAMB_LAW_SEED` changes them.
pub(crate) struct Chance {
    runner: TestRunner,
}

impl Chance {
    pub(crate) fn new(name: &str) -> Self {
        let mut seed = [0_u8; 32];
        let seed_text = std::env::var("ENJAMB_LAW_SEED").unwrap_or_default();
        for (at, byte) in name.bytes().chain(seed_text.bytes()).enumerate() {
            seed[at % 32] = seed[at % 32].wrapping_mul(31).wrapping_add(byte);
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        Self { runner: TestRunner::new_with_rng(Config::default(), rng) }
    }

    pub(crate) fn draw<S: Strategy>(&mut self, strategy: &S) -> Option<S::Value> {
        strategy.new_tree(&mut self.runner).ok().map(|tree| tree.current())
    }

    /// Returns `count` scripts over `grammar`, half of them with other cuts than their own.
    pub(crate) fn cases(&mut self, grammar: &Grammar, count: usize) -> Vec<Case> {
        let scripts = strategy::scripts(grammar);
        let case = |chance: &mut Self| {
            let Case { input, cuts } = chance.draw(&scripts)?.case(grammar);
            let more = chance.draw(&strategy::cuts(input.len()))?;
            Some([cuts, more].map(|cuts| Case { input: input.clone(), cuts }))
        };
        (0..count.div_ceil(2)).filter_map(|_| case(self)).flatten().collect()
    }

    /// Returns `count` conversations of up to six exchanges, cut.
    pub(crate) fn conversations(&mut self, exchanges: &[Exchange<'_>], count: usize) -> Vec<Case> {
        let places = proptest::collection::vec(0..exchanges.len(), 1..=6);
        let case = |chance: &mut Self| {
            let input = conversation(chance.draw(&places)?.into_iter().map(|place| exchanges[place]));
            let cuts = chance.draw(&strategy::cuts(input.len()))?;
            Some(Case { input, cuts })
        };
        (0..count).filter_map(|_| case(self)).collect()
    }

    /// Returns `count` byte strings without any meaning.
    pub(crate) fn noise(&mut self, count: usize) -> Vec<Case> {
        let bytes = proptest::collection::vec(proptest::num::u8::ANY, 0..64);
        let noise = |chance: &mut Self| {
            let input = stream(&chance.draw(&bytes)?);
            let cuts = chance.draw(&strategy::cuts(input.len()))?;
            Some(Case { input, cuts })
        };
        (0..count).filter_map(|_| noise(self)).collect()
    }
}

/// Returns up to `most` places inside `message`: the first, the last, and some between.
fn places(message: &[u8], most: usize) -> impl Iterator<Item = usize> {
    let step = message.len().div_ceil(most.max(1)).max(1);
    (0..message.len())
        .step_by(step)
        .map(move |at| at + usize::from(at == 0 && step > 1))
        .chain(message.len().checked_sub(1).filter(|last| *last > 0))
}

/// Returns messages that never end: the beginning of one, and then one byte without end.
pub(crate) fn floods(messages: &[Vec<u8>], places_most: usize) -> Vec<Growth> {
    let mut floods: Vec<Growth> = Vec::new();
    for message in messages.iter().take(4) {
        for at in places(message, places_most) {
            let before = at.checked_sub(1).map_or(b'a', |at| message[at]);
            for byte in [b'a', b'9', before] {
                let flood = Growth { start: message[..at].to_vec(), unit: vec![byte], chunk: 1 };
                if !floods.contains(&flood) {
                    floods.push(flood);
                }
            }
        }
    }
    floods
}

/// Returns the shortest message that is not empty, or no bytes.
pub(crate) fn shortest(messages: &[Vec<u8>]) -> &[u8] {
    messages
        .iter()
        .map(Vec::as_slice)
        .filter(|message| !message.is_empty())
        .min_by_key(|message| message.len())
        .unwrap_or_default()
}

/// Returns messages whose lines never end: the first lines of one, and then one line of it without
/// end.
pub(crate) fn line_floods(messages: &[Vec<u8>]) -> Vec<Growth> {
    const MOST: usize = 8;
    let mut floods = Vec::new();
    for message in messages.iter().take(4) {
        let mut start = 0;
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            // An empty line ends most heads.
            if !line.iter().all(u8::is_ascii_whitespace) && line.ends_with(b"\n") && line.len() < message.len() {
                floods.push(Growth { start: message[..start].to_vec(), unit: line.to_vec(), chunk: 1 });
            }
            start += line.len();
        }
    }
    floods.truncate(MOST);
    floods
}

/// Numbers at the edges of their types, as digits.
const NUMBERS: [&[u8]; 8] = [
    b"18446744073709551615",
    b"18446744073709551614",
    b"18446744073709551616",
    b"9223372036854775807",
    b"4294967295",
    b"2147483647",
    b"99999999999999999999999999",
    b"-1",
];

/// Returns inputs that may overflow a stack or an integer, or exhaust memory: beginnings of
/// messages repeated many times, and lengths at the edges of their types.
pub(crate) fn extremes(grammar: &Grammar) -> Vec<Vec<u8>> {
    const DEEP: usize = 64 << 10;
    const MOST: usize = 400;
    // Some parsers read a nesting only once its message has ended.
    let end = grammar.tokens.first().map_or(&[][..], Vec::as_slice);
    let mut extremes: Vec<Vec<u8>> = Vec::new();
    for piece in grammar.messages.iter().chain(&grammar.tokens) {
        for len in [1, 2, 3, 4, 5, 8, piece.len()] {
            let unit = &piece[..len.min(piece.len())];
            extremes.push([&unit.repeat(DEEP / unit.len().max(1)), end].concat());
        }
    }
    for message in &grammar.messages {
        for digits in digits(message) {
            let number = |number: &&[u8]| [&message[..digits.start], number, &message[digits.end..]].concat();
            extremes.extend(NUMBERS.iter().map(number));
        }
        for at in 0..message.len().min(12) {
            for length in [1, 2, 4, 8] {
                for (first, others) in [(0xff, 0xff), (0x7f, 0xff), (0xff, 0x7f), (0x80, 0)] {
                    let mut extreme = message.clone();
                    for (place, byte) in extreme.iter_mut().skip(at).take(length).enumerate() {
                        *byte = if place == 0 { first } else { others };
                    }
                    extremes.push(extreme);
                }
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    extremes.retain(|extreme| !extreme.is_empty() && seen.insert(extreme.clone()));
    extremes.truncate(MOST);
    extremes
}

/// Returns the runs of decimal digits in `message`.
fn digits(message: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for at in (0..message.len()).filter(|at| message[*at].is_ascii_digit()) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_not_passed_over() {
        let messages = [vec![b'a'; 100 << 10], b"b".to_vec()];
        assert_eq!(within(&messages, 10), [&messages[0][..]]);
        assert_eq!(within(&messages[1..], 10), [b"b"]);
        assert_eq!(many(&messages[..1]).len(), 2);
        assert_eq!(many(&messages[1..]).len(), 200);
    }

    #[test]
    fn numbers_become_extreme_and_beginnings_deep() {
        let grammar = Grammar { messages: vec![b"set 12 3\r\n".to_vec()], ..Grammar::default() }.inferred();
        let extremes = extremes(&grammar);
        for expected in [&b"set 18446744073709551615 3\r\n"[..], b"set 12 -1\r\n", b"\xff\xff\xff\xff12 3\r\n"] {
            assert!(extremes.iter().any(|extreme| extreme == expected), "{}", expected.escape_ascii());
        }
        assert!(extremes.iter().any(|extreme| extreme.len() > 60_000 && extreme.starts_with(b"sss")));
    }
}
