//! `--recut`: the conversations of a capture, cut in other ways.
//!
//! A capture shows one cutting of each stream, and TCP might have chosen any other. So each conversation is fed to fresh sessions under other cuts, and what
//! they say is compared: the split law, over what was captured. Where the two sides took turns stays as it was, since that is cause and effect.
//!
//! A session may be anybody's. One that panics is a difference like another; each conversation is tried on a thread of its own, and given up when the session
//! does not come back. What ends a process is seen by another, through a [`Ledger`].

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use enjamb::transcript::Content;
use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_isolate::Ledger;
use enjamb_law::{Cutting, Violation, WatchError, watch};
use sha2::{Digest as _, Sha256};

use crate::arguments::Numbers;
use crate::conversations::title;
use crate::cuts::{Cuts, Recut, Stage};
use crate::inputs::Inputs;
use crate::recut_report::Report;
use crate::sources::{Spoken, read_each};
use crate::trial::{Tried, Wrong, judged, shortened, subject, tried};
use crate::{Arguments, NOTHING_READ, OutputFormat};

/// Replays under other cuts; 1 if any message changes.
pub(crate) fn run(arguments: &Arguments, recut: &Recut, spoken: &Spoken) -> anyhow::Result<ExitCode> {
    let mut recutting = Recutting::new(recut, spoken, arguments.output.conn.as_ref());
    let inputs = Inputs::find(&arguments.captures);
    let options = arguments.bounds.options();
    let totals = read_each("enjamb replay", &inputs, &options, spoken, &mut recutting, |recutting, input| {
        recutting.source = input.name().into();
    });
    let outcome = recutting.finish();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let report = Report { recut, outcome: &outcome, totals: &totals };
    let written = if arguments.output.format == OutputFormat::Jsonl {
        report.to_json().iter().try_for_each(|record| writeln!(out, "{record}"))
    } else if totals.nothing_read() {
        Ok(())
    } else {
        write!(out, "{report}")
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
pub(crate) const MOST_DIFFERENCES: usize = 8;

/// After so many sessions that hang no connection is tried: each of them burns a processor for as long as this process lives.
pub(crate) const MOST_HUNG: usize = 3;

/// How much is kept of all conversations that have not ended, in bytes. What is beyond is not tried.
const MOST_KEPT: usize = 512 << 20;

/// A tap that keeps each conversation, and replays it under other cuts when it is over.
struct Recutting<'s> {
    spoken: &'s Spoken,
    only: Option<&'s Numbers>,
    patience: Duration,
    stages: Vec<Stage>,
    /// How much of a conversation is kept, in bytes of payload.
    most: usize,
    /// The input that is read now, as it is told to people.
    source: Arc<str>,
    open: BTreeMap<u64, Conversation>,
    kept: usize,
    /// Digests of what was tried: clients often say the same on several connections, and once is enough.
    tried: HashSet<[u8; 32]>,
    ledger: Ledger,
    outcome: Outcome,
}

/// The beginning of a conversation, with the cuts as they were captured.
struct Conversation {
    source: Arc<str>,
    connection: Connection,
    turns: Vec<(Side, Content)>,
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
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) connections: u64,
    pub(crate) copies: u64,
    pub(crate) segmentations: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// The connections that were too long for the cuts that were asked for.
    pub(crate) weaker: Vec<Weaker>,
    /// The connections of which only a beginning was kept: how much of it, and how much was not.
    pub(crate) short: Vec<(Connection, usize, u64)>,
    pub(crate) differences: Vec<Difference>,
    /// Connections that were not tried, since differences enough had been found.
    pub(crate) not_tried: u64,
    /// Sessions that hang.
    pub(crate) hung: usize,
}

/// A connection that was too long.
pub(crate) struct Weaker {
    pub(crate) connection: u64,
    /// How long it is.
    pub(crate) bytes: usize,
    /// Under which cuts it was tried, and how many bytes from its beginning.
    pub(crate) under: Vec<(Cuts, usize)>,
}

/// What is said differently, and where.
pub(crate) struct Difference {
    pub(crate) source: Arc<str>,
    pub(crate) connection: Connection,
    pub(crate) protocol: String,
    pub(crate) wrong: Wrong,
    pub(crate) violation: Box<Violation>,
    /// Other connections that come to the same.
    pub(crate) also: Vec<u64>,
}

impl<'s> Recutting<'s> {
    fn new(recut: &Recut, spoken: &'s Spoken, only: Option<&'s Numbers>) -> Self {
        Self {
            spoken,
            only,
            patience: recut.patience,
            stages: recut.stages(),
            most: recut.kept(),
            source: "".into(),
            open: BTreeMap::new(),
            kept: 0,
            tried: HashSet::new(),
            ledger: Ledger::of_this_process(),
            outcome: Outcome::default(),
        }
    }

    /// `None`: it is not to be tried.
    fn conversation(&mut self, connection: &Connection) -> Option<&mut Conversation> {
        if self.only.is_some_and(|only| !only.contain(connection.number)) {
            return None;
        }
        Some(self.open.entry(connection.number).or_insert_with(|| Conversation {
            source: Arc::clone(&self.source),
            connection: *connection,
            turns: Vec::new(),
            cuts: Vec::new(),
            payload: 0,
            weight: 0,
            full: false,
            left: 0,
        }))
    }

    fn chunk(&mut self, connection: &Connection, side: Side, bytes: &[u8]) {
        let (most, room) = (self.most, MOST_KEPT.saturating_sub(self.kept));
        let Some(conversation) = self.conversation(connection) else { return };
        let taken = if conversation.full {
            &[]
        } else {
            &bytes[..bytes.len().min(room).min(most.saturating_sub(conversation.payload))]
        };
        let before = conversation.weight;
        match conversation.turns.last_mut() {
            _ if taken.is_empty() => {}
            Some((last, Content::Chunk(glued))) if *last == side => {
                conversation.cuts.push(conversation.payload);
                glued.extend_from_slice(taken);
                conversation.weight += taken.len() + size_of::<usize>();
            }
            _ => {
                conversation.turns.push((side, Content::Chunk(taken.to_vec())));
                conversation.weight += taken.len() + size_of::<(Side, Content)>();
            }
        }
        conversation.payload += taken.len();
        conversation.left += (bytes.len() - taken.len()) as u64;
        conversation.full |= taken.len() < bytes.len();
        self.kept += conversation.weight - before;
    }

    /// Something happened that is not payload.
    fn happened(&mut self, connection: &Connection, side: Side, content: Content) {
        let room = self.kept < MOST_KEPT;
        let Some(conversation) = self.conversation(connection) else { return };
        conversation.full |= !room;
        if !conversation.full {
            conversation.turns.push((side, content));
            conversation.weight += size_of::<(Side, Content)>();
            self.kept += size_of::<(Side, Content)>();
        }
    }

    fn try_it(&mut self, conversation: Conversation) {
        let Conversation { source, connection, turns, cuts, payload, left, .. } = conversation;
        let (name, protocol) = self.spoken.protocol(connection.number);
        let outcome = &mut self.outcome;
        outcome.connections += 1;
        if outcome.differences.len() >= MOST_DIFFERENCES || outcome.hung >= MOST_HUNG {
            outcome.not_tried += 1;
            return;
        }
        if left > 0 {
            outcome.short.push((connection, payload, left));
        }
        let port = connection.server.port();
        if !self.tried.insert(digest(&name, port, &turns, &cuts)) {
            outcome.copies += 1;
            return;
        }
        let input = Cutting::of(turns);
        let title = title(&source, &connection);
        if let Some(how) = self.ledger.pass_over(connection.number) {
            let mut violation = Box::new(Violation::total(how.to_owned(), input, cuts));
            violation.subject = Some(subject(&name, port));
            let wrong = Wrong::Dies;
            outcome.differs(Difference { source, connection, protocol: name, wrong, violation, also: Vec::new() });
            return;
        }
        self.ledger.begin(connection.number);
        let stages = self.stages.clone();
        let trial = {
            let protocol = protocol.clone();
            move || tried(&protocol, port, &input, &cuts, &stages)
        };
        let (wrong, mut violation) = match watch(&title, self.patience, trial) {
            Ok(Ok(tried)) => {
                outcome.segmentations += tried.segmentations as u64;
                outcome.messages += tried.messages as u64;
                outcome.bytes += tried.bytes as u64;
                if tried.under.first().is_some_and(|(_, bytes)| *bytes < tried.bytes) {
                    let Tried { bytes, under, .. } = tried;
                    outcome.weaker.push(Weaker { connection: connection.number, bytes, under });
                }
                return;
            }
            Ok(Err(violation)) => judged(violation),
            Err(WatchError::Hung(violation)) => {
                outcome.hung += 1;
                (Wrong::Hangs, shortened(violation, &protocol, port, self.patience))
            }
            // A panic that no law sees: when a session is dropped, perhaps.
            Err(error) => (Wrong::Fails, Box::new(Violation::total(error.to_string(), Cutting::default(), Vec::new()))),
        };
        violation.subject = Some(subject(&name, port));
        outcome.differs(Difference { source, connection, protocol: name, wrong, violation, also: Vec::new() });
    }

    fn finish(mut self) -> Outcome {
        while let Some((_, conversation)) = self.open.pop_first() {
            self.try_it(conversation);
        }
        self.outcome
    }
}

impl Tap for Recutting<'_> {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => {
                self.conversation(connection);
            }
            Event::Chunk { side, bytes } => self.chunk(connection, side, bytes),
            Event::Gap { side, missing } => self.happened(connection, side, Content::Gap(missing)),
            Event::Close { side, ending } => self.happened(connection, side, Content::Close(ending)),
            Event::Done => {
                if let Some(conversation) = self.open.remove(&connection.number) {
                    self.kept -= conversation.weight;
                    self.try_it(conversation);
                }
            }
        }
    }
}

fn digest(protocol: &str, port: u16, turns: &[(Side, Content)], cuts: &[usize]) -> [u8; 32] {
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
            Content::Chunk(bytes) => part(2 + side.index() as u8, bytes.len() as u64, bytes),
            Content::Gap(missing) => part(4 + side.index() as u8, *missing, &[]),
            Content::Close(ending) => {
                part(6 + side.index() as u8, ending.as_str().len() as u64, ending.as_str().as_bytes());
            }
        }
    }
    cuts.iter().for_each(|cut| part(8, *cut as u64, &[]));
    hasher.finalize().into()
}

impl Outcome {
    fn differs(&mut self, difference: Difference) {
        let violation = &difference.violation;
        let same = self.differences.iter_mut().find(|known| {
            (known.wrong, &known.violation.call, &known.violation.traces)
                == (difference.wrong, &violation.call, &violation.traces)
        });
        match same {
            Some(same) => same.also.push(difference.connection.number),
            None => self.differences.push(difference),
        }
    }

    /// How many connections are wrong in this way.
    pub(crate) fn wrong(&self, wrong: Wrong) -> usize {
        let such = self.differences.iter().filter(|difference| difference.wrong == wrong);
        such.map(|difference| 1 + difference.also.len()).sum()
    }
}
