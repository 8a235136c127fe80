//! Conversations as they are read from captures, given to sessions part by part.
//!
//! A session may come from any program. If it panics or does not return, that affects only its own
//! conversation. So entries are collected, and each part is fed on a thread of its own, which is
//! abandoned when it takes too long.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use enjamb::transcript::Entry;
use enjamb::units::format_duration;
use enjamb::{Connection, Event, Tap, Time};
use enjamb_isolate::{Failure, Ledger, supervise};
use enjamb_protocols::{Registry, redact_transcript};
use enjamb_sources::{ProtocolChoice, connection_title};

use crate::pieces::{LeftOut, Piece, PieceCutter, Pieces};

/// The size of a part of a conversation that is collected before it is fed: bytes of payload, and
/// entries.
const PART_BYTES: usize = 16 << 10;
const PART_ENTRIES: usize = 1 << 10;

/// The number of hanging sessions after which nothing more is tried: each of them keeps a processor
/// busy for as long as this process lives.
const HUNG_MAX: usize = 3;

/// The settings for all conversations.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) registry: Arc<Registry>,
    pub(crate) protocols: Arc<ProtocolChoice>,
    /// The maximum number of payload bytes in a piece.
    pub(crate) max: usize,
    /// The time that a session may take for a part of a conversation.
    pub(crate) patience: Duration,
    /// Whether secrets are kept.
    pub(crate) secrets: bool,
}

/// A tap that cuts conversations into pieces, and gives them to `found`.
pub(crate) struct ConversationTap<F> {
    settings: Settings,
    /// The name of the input that is being read.
    pub(crate) source: Arc<str>,
    open: HashMap<u64, OpenConversation>,
    found: F,
    pub(crate) conversations: u64,
    pub(crate) left_out: LeftOut,
    /// The kinds of all messages.
    pub(crate) kinds: BTreeSet<String>,
    /// Conversations whose session failed.
    pub(crate) lost: Vec<LostConversation>,
    ledger: Ledger,
    hung: usize,
    /// The number of conversations that were not tried.
    pub(crate) not_tried: u64,
}

/// A conversation whose session failed.
pub(crate) struct LostConversation {
    pub(crate) title: String,
    pub(crate) reason: String,
}

/// A conversation that has not ended.
#[derive(Default)]
struct OpenConversation {
    cutter: Option<PieceCutter>,
    /// Whether its session failed, or was not tried.
    lost: bool,
    entries: Vec<Entry>,
    payload: usize,
}

impl<F: FnMut(Piece)> ConversationTap<F> {
    pub(crate) fn new(settings: Settings, found: F) -> Self {
        Self {
            settings,
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
        if open.payload >= PART_BYTES || open.entries.len() >= PART_ENTRIES {
            self.feed(connection, false);
        }
    }

    /// Feeds the collected entries of a conversation. `ends`: whether the conversation ends with
    /// them.
    fn feed(&mut self, connection: &Connection, ends: bool) {
        let Some(open) = self.open.get_mut(&connection.number) else { return };
        let OpenConversation { cutter, entries, .. } = std::mem::take(open);
        let settings = self.settings.clone();
        let connection = *connection;
        let work = move || -> (PieceCutter, Pieces) {
            let Settings { registry, protocols, max, secrets, .. } = settings;
            let mut cutter = cutter
                .unwrap_or_else(|| PieceCutter::new(protocols.session(&connection), protocols.name(&connection), max));
            entries.into_iter().for_each(|entry| cutter.entry(entry, &registry));
            if ends {
                cutter.end(&registry);
            }
            let mut pieces = cutter.take();
            for piece in pieces.pieces.iter_mut().filter(|_| !secrets) {
                let name = piece.transcript.protocol.as_deref().unwrap_or_default();
                if let Ok(protocol) = registry.resolve(name) {
                    let port = protocol.ports().first().copied();
                    redact_transcript(&mut piece.transcript, protocol.session(port).as_mut());
                }
            }
            (cutter, pieces)
        };
        let title = connection_title(&self.source, &connection);
        if let Some(reason) = self.ledger.pass_over(connection.number) {
            open.lost = true;
            self.lost.push(LostConversation { title, reason: reason.to_owned() });
            return;
        }
        if self.hung >= HUNG_MAX || self.ledger.is_full() {
            open.lost = true;
            self.not_tried += 1;
            return;
        }
        self.ledger.begin(connection.number);
        match supervise(&title, self.settings.patience, work) {
            Ok((cutter, Pieces { pieces, left_out, kinds })) => {
                open.cutter = Some(cutter);
                self.left_out += left_out;
                self.kinds.extend(kinds);
                pieces.into_iter().for_each(&mut self.found);
            }
            Err(failure) => {
                open.lost = true;
                let reason = match failure {
                    Failure::Panicked(panic) => format!("its session panicked: {panic}"),
                    Failure::Hung(patience) => {
                        self.hung += 1;
                        format!("its session did not return within {}", format_duration(patience))
                    }
                    other => other.to_string(),
                };
                self.lost.push(LostConversation { title, reason });
            }
        }
    }
}

impl<F: FnMut(Piece)> Tap for ConversationTap<F> {
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
