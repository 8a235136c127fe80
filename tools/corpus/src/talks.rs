//! Conversations as they are read from captures, handed to sessions a part at a time.
//!
//! A session may be anybody's, and one that panics or does not come back is to cost its own conversation and no other. So what is read is collected a little,
//! and each part is fed on a thread of its own, which is given up when it takes too long.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use enjamb::transcript::Entry;
use enjamb::{Connection, Event, Tap, Time};
use enjamb_isolate::{Failure, Ledger, supervise};
use enjamb_protocols::Registry;
use enjamb_replay::{Spoken, title};

use crate::pieces::{LeftOut, Piece, Taken, Talk};

/// How much of a conversation is collected before it is fed, in bytes of payload and in entries.
const PART: usize = 16 << 10;
const PART_ENTRIES: usize = 1 << 10;

/// After so many sessions that hang nothing more is tried: each of them burns a processor for as long as this process lives.
const MOST_HUNG: usize = 3;

/// How a conversation is read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) registry: Arc<Registry>,
    pub(crate) spoken: Arc<Spoken>,
    /// The most payload of a piece, in bytes.
    pub(crate) most: usize,
    /// How long a part of a conversation may take.
    pub(crate) patience: Duration,
}

/// A tap that gives pieces to `found`.
pub(crate) struct Talks<F> {
    reading: Reading,
    /// The input that is read now, as it is told to people.
    pub(crate) source: Arc<str>,
    open: HashMap<u64, Open>,
    found: F,
    pub(crate) conversations: u64,
    pub(crate) left_out: LeftOut,
    /// The kinds of all messages.
    pub(crate) kinds: BTreeSet<String>,
    /// Conversations that were lost, and why.
    pub(crate) lost: Vec<(String, String)>,
    ledger: Ledger,
    hung: usize,
    /// Conversations that were not tried.
    pub(crate) not_tried: u64,
}

/// A conversation that goes on.
#[derive(Default)]
struct Open {
    talk: Option<Talk>,
    /// Its session is lost.
    lost: bool,
    entries: Vec<Entry>,
    payload: usize,
}

impl<F: FnMut(Piece)> Talks<F> {
    pub(crate) fn new(reading: Reading, found: F) -> Self {
        Self {
            reading,
            source: "".into(),
            open: HashMap::new(),
            found,
            conversations: 0,
            left_out: LeftOut::default(),
            kinds: BTreeSet::new(),
            lost: Vec::new(),
            ledger: Ledger::of_this_process(),
            hung: 0,
            not_tried: 0,
        }
    }

    fn entry(&mut self, connection: &Connection, entry: Entry) {
        let open = self.open.entry(connection.number).or_default();
        if open.lost {
            return;
        }
        open.payload += entry.content.payload_len();
        open.entries.push(entry);
        if open.payload >= PART || open.entries.len() >= PART_ENTRIES {
            self.feed(connection, false);
        }
    }

    /// Feeds what is collected of a conversation; `ends`: nothing more comes of it.
    fn feed(&mut self, connection: &Connection, ends: bool) {
        let Some(open) = self.open.get_mut(&connection.number) else { return };
        let Open { talk, entries, .. } = std::mem::take(open);
        let reading = self.reading.clone();
        let connection = *connection;
        let work = move || -> (Talk, Taken) {
            let Reading { registry, spoken, most, .. } = reading;
            let mut talk = talk
                .unwrap_or_else(|| Talk::new(spoken.session(&connection), spoken.protocol(connection.number).0, most));
            entries.into_iter().for_each(|entry| talk.entry(entry, &registry));
            if ends {
                talk.end(&registry);
            }
            let taken = talk.taken();
            (talk, taken)
        };
        let title = title(&self.source, &connection);
        if let Some(how) = self.ledger.pass_over(connection.number) {
            open.lost = true;
            self.lost.push((title, how.to_owned()));
            return;
        }
        if self.hung >= MOST_HUNG || self.ledger.is_full() {
            open.lost = true;
            self.not_tried += 1;
            return;
        }
        self.ledger.begin(connection.number);
        match supervise(&title, self.reading.patience, work) {
            Ok((talk, taken)) => {
                open.talk = Some(talk);
                self.left_out += taken.left_out;
                self.kinds.extend(taken.kinds);
                taken.pieces.into_iter().for_each(&mut self.found);
            }
            Err(lost) => {
                open.lost = true;
                let why = match lost {
                    Failure::Panicked(panic) => format!("its session panicked: {panic}"),
                    Failure::Hung(patience) => {
                        self.hung += 1;
                        format!("its session did not come back within {} s", patience.as_secs_f32())
                    }
                    other => other.to_string(),
                };
                self.lost.push((title, why));
            }
        }
    }
}

impl<F: FnMut(Piece)> Tap for Talks<F> {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if let Some(entry) = Entry::of_event(time, event) {
            self.entry(connection, entry);
        } else if event == Event::Open {
            self.open.entry(connection.number).or_default();
        } else {
            if self.open.get(&connection.number).is_some_and(|open| !open.lost) {
                self.feed(connection, true);
            }
            self.conversations += u64::from(self.open.remove(&connection.number).is_some());
        }
    }
}
