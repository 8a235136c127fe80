//! The run of `--recut`: a tap that collects conversations and tries each when it is over.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use enjamb::transcript::Content;
use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_isolate::Ledger;
use enjamb_law::{Cutting, Violation, WatchError, watch};
use enjamb_sources::{Exit, Inputs, Progress, ProtocolChoice, SourceReport, connection_title};
use sha2::{Digest as _, Sha256};

use crate::recut::cuts::{Recut, Stage};
use crate::recut::outcome::{Defect, Difference, RecutOutcome, ShortTrial, WeakerTrial};
use crate::recut::report::RecutReport;
use crate::recut::trial::{Coverage, detect, judge, redacted, shorten, subject, try_conversation};
use crate::setup::Setup;

/// Replays conversations under other cuts, and writes a comparison to standard output.
pub(crate) fn run(setup: &Setup<'_>, inputs: &Inputs, recut: &Recut) -> anyhow::Result<Exit> {
    let progress = Progress::new(&setup.notices, &inputs.captures, false);
    let reader = setup.reader(inputs, &progress).only(setup.output.conn.as_ref());
    let mut tap = RecutTap::new(recut, &setup.protocols, setup.output.secrets);
    let SourceReport { totals, .. } = reader.read(&mut tap, |tap, next| tap.source = next.input.to_string().into());
    let outcome = tap.finish();
    progress.finish();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let report = RecutReport { recut, outcome: &outcome, totals: &totals };
    let written = if setup.is_json() {
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
    if outcome.segmentations == 0 && outcome.differences.is_empty() && !totals.nothing_read() {
        setup.notices.notice("nothing was tried, because no connection has payload");
    }
    Ok(if !outcome.differences.is_empty() {
        Exit::FoundWanting
    } else if outcome.segmentations == 0 || !totals.is_complete() {
        // Nobody knows what the missing input would have shown.
        Exit::Unavailable
    } else {
        Exit::Done
    })
}

/// The maximum number of bytes that are kept of all conversations that have not ended. Bytes beyond
/// it are not tried.
const KEPT_MAX: usize = 512 << 20;

/// A tap that keeps each conversation, and replays it under other cuts when it is over.
struct RecutTap<'s> {
    protocols: &'s ProtocolChoice,
    /// Whether secrets are shown.
    secrets: bool,
    patience: Duration,
    stages: Vec<Stage>,
    /// The maximum number of payload bytes of one conversation that are kept.
    max: usize,
    /// The name of the input that is being read.
    source: Arc<str>,
    open: BTreeMap<u64, OpenConversation>,
    /// The number of bytes that all open conversations take.
    kept: usize,
    /// The digests of the conversations that were tried: clients often send the same bytes on
    /// several connections.
    tried: HashSet<[u8; 32]>,
    ledger: Ledger,
    outcome: RecutOutcome,
}

/// The beginning of a conversation, with the cuts as they were captured.
struct OpenConversation {
    source: Arc<str>,
    connection: Connection,
    turns: Vec<(Side, Content)>,
    cuts: Vec<usize>,
    payload: usize,
    /// The memory it takes, in bytes: turns and cuts cost more than their payload.
    weight: usize,
    /// Whether an event was not kept. Then no later event is kept either.
    full: bool,
    /// The number of payload bytes that are not kept.
    left: u64,
}

impl<'s> RecutTap<'s> {
    fn new(recut: &Recut, protocols: &'s ProtocolChoice, secrets: bool) -> Self {
        Self {
            protocols,
            secrets,
            patience: recut.patience,
            stages: recut.stages(),
            max: recut.kept(),
            source: "".into(),
            open: BTreeMap::new(),
            kept: 0,
            tried: HashSet::new(),
            ledger: Ledger::of_this_process(),
            outcome: RecutOutcome::default(),
        }
    }

    fn conversation(&mut self, connection: &Connection) -> &mut OpenConversation {
        self.open.entry(connection.number).or_insert_with(|| OpenConversation {
            source: Arc::clone(&self.source),
            connection: *connection,
            turns: Vec::new(),
            cuts: Vec::new(),
            payload: 0,
            weight: 0,
            full: false,
            left: 0,
        })
    }

    fn chunk(&mut self, connection: &Connection, side: Side, bytes: &[u8]) {
        let (max, room) = (self.max, KEPT_MAX.saturating_sub(self.kept));
        let conversation = self.conversation(connection);
        let taken = if conversation.full {
            &[]
        } else {
            &bytes[..bytes.len().min(room).min(max.saturating_sub(conversation.payload))]
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

    /// Adds a gap or an ending.
    fn add(&mut self, connection: &Connection, side: Side, content: Content) {
        let room = self.kept < KEPT_MAX;
        let conversation = self.conversation(connection);
        conversation.full |= !room;
        if !conversation.full {
            conversation.turns.push((side, content));
            conversation.weight += size_of::<(Side, Content)>();
            self.kept += size_of::<(Side, Content)>();
        }
    }

    fn try_conversation(&mut self, conversation: OpenConversation) {
        let OpenConversation { source, connection, turns, cuts, payload, left, .. } = conversation;
        let (mut name, mut protocol) = (self.protocols.name(&connection), self.protocols.protocol(&connection));
        let outcome = &mut self.outcome;
        outcome.connections += 1;
        if payload == 0 {
            outcome.silent += 1;
            return;
        }
        if outcome.is_full() {
            outcome.not_tried += 1;
            return;
        }
        if left > 0 {
            outcome.short.push(ShortTrial { connection, tried: payload, left });
        }
        let port = connection.server.port();
        if !self.tried.insert(digest(&name, port, &turns, &cuts)) {
            outcome.copies += 1;
            return;
        }
        let input = Cutting::of(turns);
        let title = connection_title(&source, &connection);
        if let Some(how) = self.ledger.pass_over(connection.number) {
            let mut violation = Box::new(Violation::total(how.to_owned(), input, cuts));
            violation.subject = Some(subject(&name, port));
            let defect = Defect::Dies;
            outcome.add(Difference { source, connection, protocol: name, defect, violation, also: Vec::new() });
            return;
        }
        self.ledger.begin(connection.number);
        let stages = self.stages.clone();
        // Detection joins the bytes before its decision into one chunk, which would hide a defect
        // of the session behind it. So the session that it chooses is tried bare.
        let detected = {
            let (protocol, input, cuts) = (protocol.clone(), input.clone(), cuts.clone());
            watch(&title, self.patience, move || detect(&protocol, port, &input, &cuts))
        };
        let tried = match detected {
            Ok(Ok(chosen)) => {
                let settled = self.protocols.settled(&protocol, &chosen);
                if !Arc::ptr_eq(&settled, &protocol) {
                    (name, protocol) = (chosen, settled);
                }
                let protocol = protocol.clone();
                let trial = move || try_conversation(&protocol, port, &input, &cuts, &stages);
                watch(&title, self.patience, trial)
            }
            Ok(Err(violation)) => Ok(Err(violation)),
            Err(error) => Err(error),
        };
        let outcome = &mut self.outcome;
        let (defect, mut violation) = match tried {
            Ok(Ok(coverage)) => {
                let Coverage { segmentations, messages, bytes, under } = coverage;
                outcome.segmentations += segmentations as u64;
                outcome.messages += messages as u64;
                outcome.bytes += bytes as u64;
                if under.first().is_some_and(|(_, tried)| *tried < bytes) {
                    outcome.weaker.push(WeakerTrial { connection: connection.number, bytes, under });
                }
                return;
            }
            Ok(Err(violation)) => {
                let (defect, violation) = judge(violation);
                let shown = if self.secrets { violation } else { redacted(violation, &protocol, port, self.patience) };
                (defect, shown)
            }
            Err(WatchError::Hung(violation)) => {
                outcome.hung += 1;
                (Defect::Hangs, shorten(violation, &protocol, port, self.patience))
            }
            // A panic outside of the calls that the law makes, for instance in `drop`.
            Err(error) => {
                (Defect::Fails, Box::new(Violation::total(error.to_string(), Cutting::default(), Vec::new())))
            }
        };
        violation.subject = Some(subject(&name, port));
        outcome.add(Difference { source, connection, protocol: name, defect, violation, also: Vec::new() });
    }

    fn finish(mut self) -> RecutOutcome {
        while let Some((_, conversation)) = self.open.pop_first() {
            self.try_conversation(conversation);
        }
        self.outcome
    }
}

impl Tap for RecutTap<'_> {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => {
                self.conversation(connection);
            }
            Event::Chunk { side, bytes } => self.chunk(connection, side, bytes),
            Event::Gap { side, missing } => self.add(connection, side, Content::Gap(missing)),
            Event::Close { side, ending } => self.add(connection, side, Content::Close(ending)),
            Event::Done => {
                if let Some(conversation) = self.open.remove(&connection.number) {
                    self.kept -= conversation.weight;
                    self.try_conversation(conversation);
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
    for (side, content) in turns {
        match content {
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
