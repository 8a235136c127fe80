//! Pairs under loss. The whole conversation is the oracle: no pair may differ from one of it, and
//! most must remain.

use std::collections::{HashMap, HashSet};

use enjamb::{Outcome, Side};
use enjamb_protocols::redis;
use proptest::prelude::*;

use crate::{Step, client, server};

/// The way in which a client sends its commands.
#[derive(Clone, Copy, Debug)]
enum Discipline {
    /// One command, then its reply.
    Alternating,
    /// Some commands in one chunk, then all replies in one chunk.
    Batches,
    /// Some commands in chunks of their own, then all replies in chunks of their own.
    SeparateBatches,
    /// Always some commands that wait for their replies.
    Window(usize),
    /// The same, behind two turns: `HELLO` and `AUTH`, for example.
    LateWindow(usize),
}

const DISCIPLINES: [Discipline; 9] = [
    Discipline::Alternating,
    Discipline::Batches,
    Discipline::SeparateBatches,
    Discipline::Window(2),
    Discipline::Window(3),
    Discipline::Window(5),
    Discipline::Window(9),
    Discipline::LateWindow(2),
    Discipline::LateWindow(5),
];

/// Commands and their replies.
const EXCHANGES: [(&str, &str); 10] = [
    ("*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "$5\r\nhello\r\n"),
    ("*2\r\n$3\r\nGET\r\n$1\r\nb\r\n", "$-1\r\n"),
    ("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\n", "+OK\r\n"),
    ("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", ":17\r\n"),
    ("*2\r\n$3\r\nDEL\r\n$1\r\nn\r\n", ":1\r\n"),
    ("*4\r\n$6\r\nLRANGE\r\n$1\r\nl\r\n$1\r\n0\r\n$1\r\n9\r\n", "*3\r\n$1\r\na\r\n:5\r\n$3\r\n+OK\r\n"),
    ("*2\r\n$6\r\nOBJECT\r\n$4\r\nHELP\r\n", "*1\r\n+OBJECT <subcommand>\r\n"),
    ("*2\r\n$4\r\nINCR\r\n$1\r\na\r\n", "-ERR value is not an integer or out of range\r\n"),
    ("*1\r\n$4\r\nPING\r\n", "+PONG\r\n"),
    ("PING\r\n", "+PONG\r\n"),
];

/// A source of small numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }
}

/// Returns the chunks of a conversation of about `turns` turns.
fn conversation(discipline: Discipline, turns: usize, random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut waiting = std::collections::VecDeque::new();
    for turn in 0..turns {
        let batch: Vec<_> = match discipline {
            Discipline::Alternating | Discipline::Window(_) | Discipline::LateWindow(_) => {
                vec![EXCHANGES[random.below(EXCHANGES.len())]]
            }
            _ => (0..=random.below(12)).map(|_| EXCHANGES[random.below(EXCHANGES.len())]).collect(),
        };
        let (asked, answered): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match discipline {
            Discipline::Alternating | Discipline::SeparateBatches => {
                steps.extend(asked.iter().map(client));
                steps.extend(answered.iter().map(server));
            }
            Discipline::Batches => {
                // A large batch fills more than one segment.
                for (bytes, side) in [(asked.concat(), Side::Client), (answered.concat(), Side::Server)] {
                    steps.extend(bytes.as_bytes().chunks(100).map(|chunk| Step::Feed(side, chunk.to_vec())));
                }
            }
            Discipline::Window(size) | Discipline::LateWindow(size) => {
                let turns_first = matches!(discipline, Discipline::LateWindow(_)) && turn < 2;
                let size = if turns_first { 1 } else { size };
                steps.extend(asked.iter().map(client));
                waiting.extend(answered);
                if waiting.len() >= size {
                    steps.extend(waiting.pop_front().map(server));
                }
            }
        }
    }
    steps.extend(waiting.into_iter().map(server));
    steps
}

/// The pairs of a conversation, and what is missing in it.
struct Pairs {
    /// The offset of the command that each reply answers, by the offset of the reply.
    commands: HashMap<u64, u64>,
    /// The offsets of the replies whose command is missing.
    missing: Vec<u64>,
    /// The offsets of the whole commands.
    whole: HashSet<u64>,
}

fn pairs(steps: &[Step]) -> Pairs {
    let mut session = redis::session();
    let (mut commands, mut pairs) = (Vec::new(), Vec::new());
    let (mut missing, mut whole) = (Vec::new(), HashSet::new());
    for step in steps {
        let mut out = |message: &enjamb::Message<'_>| match message.side {
            Side::Client => {
                commands.push(message.span.offset);
                whole.extend((message.outcome == Outcome::Ok).then_some(message.span.offset));
            }
            Side::Server => {
                pairs.extend(message.answers.map(|answers| (message.span.offset, answers)));
                missing.extend((message.flags.as_str() == "request-missing").then_some(message.span.offset));
            }
        };
        match step {
            Step::Feed(side, bytes) => session.feed(*side, bytes, &mut out),
            Step::Gap(side, missing) => session.gap(*side, *missing, &mut out),
            Step::Close(side, ending) => session.close(*side, *ending, &mut out),
        }
    }
    let commands = pairs.into_iter().map(|(reply, command)| (reply, commands[command as usize])).collect();
    Pairs { commands, missing, whole }
}

/// Loses each chunk with a chance of one in `rarity`. Losses of one side in a row are one gap.
fn lossy(steps: &[Step], rarity: usize, random: &mut Random) -> Vec<Step> {
    let mut seen: Vec<Step> = Vec::new();
    for step in steps {
        match (step, seen.last_mut()) {
            (Step::Feed(side, bytes), last) if random.below(rarity) == 0 => match last {
                Some(Step::Gap(before, missing)) if before == side => *missing += bytes.len() as u64,
                _ => seen.push(Step::Gap(*side, bytes.len() as u64)),
            },
            _ => seen.push(step.clone()),
        }
    }
    seen
}

/// Loses the chunks among the first ones whose bit is set.
fn lossy_beginning(steps: &[Step], lost: usize) -> Vec<Step> {
    let mut seen: Vec<Step> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match (step, seen.last_mut()) {
            (Step::Feed(side, bytes), last) if number < usize::BITS as usize && lost >> number & 1 == 1 => match last {
                Some(Step::Gap(before, missing)) if before == side => *missing += bytes.len() as u64,
                _ => seen.push(Step::Gap(*side, bytes.len() as u64)),
            },
            _ => seen.push(step.clone()),
        }
    }
    seen
}

/// Returns the number of pairs of the whole conversation, and those that a loss leaves.
fn compare(discipline: Discipline, turns: usize, rarity: usize, seed: u64) -> (usize, usize) {
    let mut random = Random(seed | 1);
    let steps = conversation(discipline, turns, &mut random);
    let lossy = lossy(&steps, rarity, &mut random);
    compare_with(&steps, &lossy, discipline, seed)
}

fn compare_with(steps: &[Step], lossy: &[Step], discipline: Discipline, seed: u64) -> (usize, usize) {
    let all = pairs(steps);
    assert!(all.missing.is_empty(), "{discipline:?}, seed {seed}: nothing is missing");
    let whole = all.commands;
    let Pairs { commands: left, missing, whole: captured } = pairs(lossy);
    for reply in missing {
        // What begins in a payload is no reply.
        let command = whole.get(&reply);
        assert!(
            command.is_none_or(|command| !captured.contains(command)),
            "{discipline:?}, seed {seed}: the command of the reply at {reply} was captured"
        );
    }
    for (reply, command) in &left {
        // A message whose tail is missing has no pair in the whole conversation if it begins in a
        // payload; a pair of it would be a wrong one.
        assert_eq!(whole.get(reply), Some(command), "{discipline:?}, seed {seed}: the reply at {reply}");
    }
    (whole.len(), left.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120_000, ..ProptestConfig::default() })]

    #[test]
    fn a_loss_never_leaves_a_wrong_pair(
        discipline in prop::sample::select(&DISCIPLINES[..]),
        rarity in prop::sample::select(&[2usize, 3, 5, 10, 30, 100][..]),
        seed: u64,
    ) {
        compare(discipline, 60, rarity, seed);
    }
}

#[test]
fn a_loss_among_the_first_chunks_leaves_no_wrong_pair() {
    for discipline in DISCIPLINES {
        for seed in 1..6 {
            let steps = conversation(discipline, 24, &mut Random(seed));
            for lost in 0..1 << 10 {
                compare_with(&steps, &lossy_beginning(&steps, lost), discipline, seed);
            }
        }
    }
}

#[test]
fn a_client_that_lets_equal_commands_wait_is_not_paired_from_the_middle() {
    for waiting in 1..40 {
        let mut session = redis::session();
        let mut answered = 0;
        let mut out = |message: &enjamb::Message<'_>| answered += usize::from(message.answers.is_some());
        session.gap(Side::Client, 0, &mut out);
        session.gap(Side::Server, 0, &mut out);
        for turn in 0..500 {
            session.feed(Side::Client, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", &mut out);
            if turn >= waiting {
                session.feed(Side::Server, b"$5\r\nhello\r\n", &mut out);
            }
        }
        assert_eq!(answered, 0, "{waiting} commands wait");
    }
}

#[test]
fn few_pairs_are_lost_with_one_chunk_in_a_thousand() {
    for discipline in &DISCIPLINES[..3] {
        let (whole, left) = compare(*discipline, 20_000, 1000, 7);
        assert!(left * 100 >= whole * 98, "{discipline:?}: {left} of {whole}");
    }
    // A client that always lets commands wait gives no proof but the form of a reply.
    let (whole, left) = compare(Discipline::Window(2), 20_000, 1000, 7);
    assert!(left > 0 && left < whole);
}

#[test]
fn a_client_that_lets_commands_wait_is_paired_again_behind_a_pause() {
    let mut random = Random(5);
    let steps = conversation(Discipline::Window(3), 40, &mut random);
    let mut session = redis::session();
    let mut answered = 0;
    let mut play = |session: &mut Box<dyn enjamb::Session>, steps: &[Step]| {
        let before = answered;
        for step in steps {
            if let Step::Feed(side, bytes) = step {
                session.feed(*side, bytes, &mut |message| answered += usize::from(message.answers.is_some()));
            }
        }
        answered - before
    };
    assert_eq!(play(&mut session, &steps), 40);
    session.gap(Side::Client, 20, &mut |_| {});
    assert_eq!(play(&mut session, &[server("+PONG\r\n")]), 0);
    assert_eq!(play(&mut session, &steps), 0);
    session.pause();
    assert_eq!(play(&mut session, &steps), 40);
}

#[test]
fn a_pause_proves_nothing_if_a_reply_ends_it_or_a_command_may_block() {
    for (before, first) in [("PING\r\n", Some("+PONG\r\n")), ("BLPOP q 0\r\n", None)] {
        let mut session = redis::session();
        let mut answers = Vec::new();
        let mut out = |message: &enjamb::Message<'_>| {
            if message.side == Side::Server {
                answers.push(message.answers);
            }
        };
        // The client lets commands wait.
        session.feed(Side::Client, b"PING\r\nPING\r\n", &mut out);
        session.feed(Side::Server, b"+PONG\r\n", &mut out);
        session.feed(Side::Client, b"PING\r\n", &mut out);
        session.feed(Side::Server, b"+PONG\r\n", &mut out);
        session.feed(Side::Client, before.as_bytes(), &mut out);
        session.gap(Side::Server, 7, &mut out);
        session.pause();
        if let Some(first) = first {
            session.feed(Side::Server, first.as_bytes(), &mut out);
        }
        session.feed(Side::Client, b"PING\r\n", &mut out);
        session.feed(Side::Server, b"+PONG\r\n", &mut out);
        assert_eq!(answers.last(), Some(&None), "{before}");
    }
}
