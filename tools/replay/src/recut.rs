//! `--recut`: the conversations of a capture, cut in other ways.
//!
//! A capture shows one cutting of each stream, and TCP might have chosen any other. So each conversation is fed to fresh sessions under other cuts, and what
//! they say is compared: the split law, over what was captured. Where the two sides took turns stays as it was, since that is cause and effect.
//!
//! Trying all cuts takes time that grows with the square or the cube of the payload, so no more than the beginning of a conversation is tried where it is
//! long. The beginning of a conversation is a conversation; what lies behind it is reported as not tried.

use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use enjamb::transcript::What;
use enjamb::{Connection, Ending, Side, Tap, Time};
use enjamb_law::{Cutting, Segmentations, Sessions, Violation, split, split_everywhere};
use enjamb_protocols::Registry;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bounds::size;
use crate::inputs::Inputs;
use crate::report::CaptureTotals;
use crate::sources::{Spoken, read_all};
use crate::{Arguments, NOTHING_READ, OutputFormat};

/// Under which cuts conversations are replayed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Other cuts")]
pub(crate) struct RecutArguments {
    /// Replay each conversation under other cuts than the captured ones, and compare the messages: every-byte, coalesce, one-cut, all-two-cuts, random:SEED.
    #[arg(long, value_name = "CUTS")]
    recut: Option<Cuts>,

    /// How much of a conversation is replayed under other cuts, from its beginning; 2k for all-two-cuts, 16k for one-cut, 256k for random, else 4M.
    #[arg(long, value_parser = size, value_name = "SIZE", requires = "recut")]
    recut_max: Option<usize>,
}

/// Which cuts, and of how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recut {
    cuts: Cuts,
    /// The most payload of a conversation, in bytes.
    most: usize,
}

impl RecutArguments {
    pub(crate) fn cuts(&self) -> Option<Recut> {
        let cuts = self.recut?;
        Some(Recut { cuts, most: self.recut_max.unwrap_or(cuts.most()).max(1) })
    }
}

/// A family of cuts, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cuts {
    EveryByte,
    Coalesce,
    OneCut,
    AllPairs,
    Random(u64),
}

/// How many segmentations `random` tries.
const BY_CHANCE: usize = 100;

impl Cuts {
    fn segmentations(self) -> Segmentations {
        match self {
            Self::Coalesce => Segmentations::random(0, 0),
            Self::EveryByte => Segmentations::every_byte(),
            Self::OneCut => Segmentations::up_to_one_cut(),
            Self::AllPairs => Segmentations::up_to_two_cuts(),
            Self::Random(seed) => Segmentations::random(seed, BY_CHANCE),
        }
    }

    /// How much of a conversation is tried unless it is said: about a second's work at most.
    fn most(self) -> usize {
        match self {
            Self::AllPairs => 2 << 10,
            Self::OneCut => 16 << 10,
            Self::Random(_) => 256 << 10,
            Self::EveryByte | Self::Coalesce => 4 << 20,
        }
    }
}

impl FromStr for Cuts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "every-byte" => Ok(Self::EveryByte),
            "coalesce" => Ok(Self::Coalesce),
            "one-cut" => Ok(Self::OneCut),
            "all-two-cuts" => Ok(Self::AllPairs),
            _ => match text.strip_prefix("random:").map(str::parse) {
                Some(Ok(seed)) => Ok(Self::Random(seed)),
                Some(Err(_)) => Err("the seed is a number up to 2^64 - 1, as in random:7".to_owned()),
                None => Err("expected every-byte, coalesce, one-cut, all-two-cuts or random:SEED".to_owned()),
            },
        }
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EveryByte => f.write_str("every-byte"),
            Self::Coalesce => f.write_str("coalesce"),
            Self::OneCut => f.write_str("one-cut"),
            Self::AllPairs => f.write_str("all-two-cuts"),
            Self::Random(seed) => write!(f, "random:{seed}"),
        }
    }
}

/// Replays under other cuts; 1 if any message changes.
pub(crate) fn run(arguments: &Arguments, recut: &Recut, spoken: &Spoken) -> anyhow::Result<ExitCode> {
    let mut recutting = Recutting::new(recut.clone(), spoken);
    let inputs = Inputs::find(&arguments.captures);
    let totals = read_all("enjamb replay", &inputs, &arguments.bounds.options(), spoken, &mut recutting);
    let outcome = recutting.finish();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = if arguments.output.format == OutputFormat::Jsonl {
        outcome.to_json(&totals).iter().try_for_each(|record| writeln!(out, "{record}"))
    } else if totals.nothing_read() {
        Ok(())
    } else {
        write!(out, "{}", Report { outcome: &outcome, totals: &totals })
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write to standard output");
        }
        _ => {}
    }
    Ok(if totals.nothing_read() {
        ExitCode::from(NOTHING_READ)
    } else {
        ExitCode::from(u8::from(!outcome.differences.is_empty()))
    })
}

/// How many different differences are made small and shown. No connection is tried after that many.
const MOST_DIFFERENCES: usize = 8;

/// How much is kept of all conversations that have not ended, in bytes. What is beyond is not tried.
const MOST_KEPT: usize = 512 << 20;

/// A tap that keeps each conversation, and replays it under other cuts when it is over.
struct Recutting<'s> {
    spoken: &'s Spoken,
    open: BTreeMap<u64, Conversation>,
    kept: usize,
    /// Digests of what was tried: clients often say the same on several connections, and once is enough.
    tried: HashSet<[u8; 32]>,
    outcome: Outcome,
}

/// The beginning of a conversation, with the cuts as they were captured.
struct Conversation {
    connection: Connection,
    turns: Vec<(Side, What)>,
    cuts: Vec<usize>,
    payload: usize,
    /// What keeping it costs, in bytes: each turn and each cut costs more than its payload.
    weight: usize,
    /// The beginning is over: something came that is not kept.
    full: bool,
    /// Bytes behind the beginning.
    left: u64,
}

/// What came of it.
struct Outcome {
    recut: Recut,
    connections: u64,
    copies: u64,
    segmentations: u64,
    messages: u64,
    bytes: u64,
    /// The connections of which only a beginning was tried: how much of it, and how much was not.
    short: Vec<(Connection, usize, u64)>,
    differences: Vec<Difference>,
    /// Connections that were not tried, since differences enough had been found.
    not_tried: u64,
}

/// What is said differently, and where.
struct Difference {
    connection: Connection,
    protocol: String,
    violation: Box<Violation>,
    /// Other connections that come to the same.
    also: Vec<u64>,
}

impl<'s> Recutting<'s> {
    fn new(recut: Recut, spoken: &'s Spoken) -> Self {
        let outcome = Outcome {
            recut,
            connections: 0,
            copies: 0,
            segmentations: 0,
            messages: 0,
            bytes: 0,
            short: Vec::new(),
            differences: Vec::new(),
            not_tried: 0,
        };
        Self { spoken, open: BTreeMap::new(), kept: 0, tried: HashSet::new(), outcome }
    }

    fn conversation(&mut self, connection: &Connection) -> &mut Conversation {
        self.open.entry(connection.number).or_insert_with(|| Conversation {
            connection: *connection,
            turns: Vec::new(),
            cuts: Vec::new(),
            payload: 0,
            weight: 0,
            full: false,
            left: 0,
        })
    }

    /// Something happened that is not payload.
    fn happened(&mut self, connection: &Connection, side: Side, what: What) {
        let room = self.kept < MOST_KEPT;
        let conversation = self.conversation(connection);
        conversation.full |= !room;
        if !conversation.full {
            conversation.turns.push((side, what));
            conversation.weight += size_of::<(Side, What)>();
            self.kept += size_of::<(Side, What)>();
        }
    }

    fn try_it(&mut self, conversation: Conversation) {
        let Conversation { connection, turns, cuts, payload, left, .. } = conversation;
        let (name, protocol) = self.spoken.protocol(connection.number);
        let outcome = &mut self.outcome;
        outcome.connections += 1;
        if left > 0 {
            outcome.short.push((connection, payload, left));
        }
        if !self.tried.insert(digest(&name, connection.server.port(), &turns, &cuts)) {
            outcome.copies += 1;
            return;
        }
        if outcome.differences.len() >= MOST_DIFFERENCES {
            outcome.not_tried += 1;
            return;
        }
        let input = Cutting::of(turns);
        let port = connection.server.port();
        let sessions = Sessions(|| protocol.session(Some(port)));
        let checked = split(&sessions, &input, &cuts)
            .and_then(|()| split_everywhere(&sessions, &input, &outcome.recut.cuts.segmentations()));
        match checked {
            Ok(checked) => {
                outcome.segmentations += 1 + checked.segmentations as u64;
                outcome.messages += checked.said as u64;
                outcome.bytes += input.len() as u64;
            }
            Err(violation) => outcome.differs(connection, &name, port, violation),
        }
    }

    fn finish(mut self) -> Outcome {
        while let Some((_, conversation)) = self.open.pop_first() {
            self.try_it(conversation);
        }
        self.outcome
    }
}

impl Tap for Recutting<'_> {
    fn open(&mut self, connection: &Connection, _: Time) {
        self.conversation(connection);
    }

    fn chunk(&mut self, connection: &Connection, _: Time, side: Side, bytes: &[u8]) {
        let (most, room) = (self.outcome.recut.most, MOST_KEPT.saturating_sub(self.kept));
        let conversation = self.conversation(connection);
        let taken = if conversation.full {
            &[]
        } else {
            &bytes[..bytes.len().min(room).min(most.saturating_sub(conversation.payload))]
        };
        let before = conversation.weight;
        match conversation.turns.last_mut() {
            _ if taken.is_empty() => {}
            Some((last, What::Chunk(glued))) if *last == side => {
                conversation.cuts.push(conversation.payload);
                glued.extend_from_slice(taken);
                conversation.weight += taken.len() + size_of::<usize>();
            }
            _ => {
                conversation.turns.push((side, What::Chunk(taken.to_vec())));
                conversation.weight += taken.len() + size_of::<(Side, What)>();
            }
        }
        conversation.payload += taken.len();
        conversation.left += (bytes.len() - taken.len()) as u64;
        conversation.full |= taken.len() < bytes.len();
        self.kept += self.open[&connection.number].weight - before;
    }

    fn gap(&mut self, connection: &Connection, _: Time, side: Side, missing: u64) {
        self.happened(connection, side, What::Gap(missing));
    }

    fn close(&mut self, connection: &Connection, _: Time, side: Side, ending: Ending) {
        self.happened(connection, side, What::Close(ending));
    }

    fn done(&mut self, connection: &Connection, _: Time) {
        if let Some(conversation) = self.open.remove(&connection.number) {
            self.kept -= conversation.weight;
            self.try_it(conversation);
        }
    }
}

fn digest(protocol: &str, port: u16, turns: &[(Side, What)], cuts: &[usize]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut part = |kind: u8, number: u64, bytes: &[u8]| {
        hasher.update([kind]);
        hasher.update(number.to_le_bytes());
        hasher.update(bytes);
    };
    part(0, protocol.len() as u64, protocol.as_bytes());
    part(1, port.into(), &[]);
    for (side, what) in turns {
        match what {
            What::Chunk(bytes) => part(2 + side.index() as u8, bytes.len() as u64, bytes),
            What::Gap(missing) => part(4 + side.index() as u8, *missing, &[]),
            What::Close(ending) => {
                part(6 + side.index() as u8, ending.as_str().len() as u64, ending.as_str().as_bytes());
            }
        }
    }
    cuts.iter().for_each(|cut| part(8, *cut as u64, &[]));
    hasher.finalize().into()
}

impl Outcome {
    fn differs(&mut self, connection: Connection, protocol: &str, port: u16, mut violation: Box<Violation>) {
        if let Some(same) = self
            .differences
            .iter_mut()
            .find(|known| (&known.violation.call, &known.violation.traces) == (&violation.call, &violation.traces))
        {
            same.also.push(connection.number);
            return;
        }
        if let Some([whole, cut]) = &violation.traces
            && whole == &(enjamb_law::Told { of: whole.of.clone(), said: cut.said.clone() })
        {
            "the session fails, however the stream is cut".clone_into(&mut violation.verdict);
        }
        violation.subject = Some(subject(protocol, port));
        self.differences.push(Difference { connection, protocol: protocol.to_owned(), violation, also: Vec::new() });
    }

    fn differing(&self) -> usize {
        self.differences.iter().map(|difference| 1 + difference.also.len()).sum()
    }

    fn to_json(&self, totals: &CaptureTotals) -> Vec<Value> {
        let mut records: Vec<Value> = self.differences.iter().map(Difference::to_json).collect();
        let short = self.short.iter().map(|(connection, tried, left)| {
            json!({ "conn": connection.number, "bytes_tried": tried, "bytes_not_tried": left })
        });
        records.push(json!({
            "type": "recut",
            "cuts": self.recut.cuts.to_string(),
            "bytes_max": self.recut.most,
            "connections": self.connections,
            "copies": self.copies,
            "differing": self.differing(),
            "connections_not_tried": self.not_tried,
            "bytes": self.bytes,
            "messages": self.messages,
            "segmentations": self.segmentations,
            "short": short.collect::<Vec<_>>(),
            "capture": totals.to_json(),
        }));
        records
    }
}

impl Difference {
    fn to_json(&self) -> Value {
        let Violation { verdict, input, cuts, traces, .. } = &*self.violation;
        let mut transcript = input.transcript(cuts);
        transcript.protocol = Some(self.protocol.clone());
        let said = |at: usize| traces.as_ref().map(|traces| &traces[at].said[..]).unwrap_or_default();
        json!({
            "type": "difference",
            "conn": self.connection.number,
            "client": self.connection.client.to_string(),
            "server": self.connection.server.to_string(),
            "protocol": self.protocol,
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

/// An expression for the sessions, where the protocol is one that everybody has.
fn subject(protocol: &str, port: u16) -> String {
    let quoted = format!("{protocol:?}");
    if Registry::builtin().resolve(protocol).is_err() {
        return format!("Sessions(|| todo!(\"a session of {}\"))", protocol.escape_debug());
    }
    format!("Sessions(|| enjamb_protocols::Registry::builtin().resolve({quoted}).unwrap().session(Some({port})))")
}

/// For people.
struct Report<'a> {
    outcome: &'a Outcome,
    totals: &'a CaptureTotals,
}

/// How many connections are named of those that were not tried to their ends.
const MOST_NAMED: usize = 8;

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.outcome;
        for Difference { connection, protocol, violation, also } in &outcome.differences {
            let Connection { number, client, server } = connection;
            writeln!(f, "#{number} {client} -> {server} {protocol}: {violation}")?;
            if !also.is_empty() {
                writeln!(f, "the same on {}\n", numbers(also.iter().copied()))?;
            }
        }
        write!(f, "{}", self.totals)?;
        let Outcome { recut, connections, messages, segmentations, copies, .. } = outcome;
        let s = |count: u64| if count == 1 { "" } else { "s" };
        write!(f, "recut {}: {connections} connection{}, ", recut.cuts, s(*connections))?;
        match outcome.differing() {
            0 => write!(
                f,
                "{messages} message{}, the same under {segmentations} segmentation{}",
                s(*messages),
                s(*segmentations)
            )?,
            1 => write!(f, "1 says something else when it is cut in another way")?,
            more => write!(f, "{more} say something else when they are cut in another way")?,
        }
        writeln!(f)?;
        if outcome.differing() > 0 && *messages > 0 {
            writeln!(
                f,
                "  the others: {messages} message{}, the same under {segmentations} segmentation{}",
                s(*messages),
                s(*segmentations)
            )?;
        }
        if *copies > 0 {
            let be = if *copies == 1 { "is a copy" } else { "are copies" };
            writeln!(f, "  {copies} of them {be} of another to the byte, and tried once")?;
        }
        if outcome.not_tried > 0 {
            writeln!(
                f,
                "  {} not tried, since {MOST_DIFFERENCES} differences are enough to begin with",
                outcome.not_tried
            )?;
        }
        if !outcome.short.is_empty() {
            let left: u64 = outcome.short.iter().map(|(.., left)| left).sum();
            let names = numbers(outcome.short.iter().map(|(connection, ..)| connection.number));
            writeln!(
                f,
                "  not tried: {left} byte{} behind the first {} of a conversation, on {names}; --recut-max takes more",
                s(left),
                recut.most,
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
