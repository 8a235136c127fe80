//! The protocol `auto`: detection by the first bytes of a connection.
//!
//! The candidates see the first bytes of each side, at most [`SNIFFED_MAX`]. Each time they see one
//! byte more, so the choice does not depend on the cuts. The first candidate that recognises either
//! side is chosen. Until then everything is kept, at most [`KEPT_MAX`] bytes.
//!
//! Some first bytes fit several candidates: `220 hello` begins SMTP and FTP. If no candidate is
//! sure, the first one that uses the port is chosen among those that fit both sides, or else one of
//! them; without such a port, the first one that fits both.
//!
//! A connection that no candidate recognises is opaque. Its port alone proves nothing: TLS runs on
//! port 8080, too. The port decides for a protocol that has no function to recognise its first
//! bytes, and for one of whose messages any may begin with the first bytes of a side: a ping on the
//! port of MQTT. Such a candidate is also preferred to another one that is sure: `+OK` on the port
//! of POP3 is no Redis. A connection without bytes has no protocol.
//!
//! If the capture joined a stream in the middle or lost bytes, its first bytes may be the end of a
//! message. Then the first bytes of each later turn are tried as well, until the limit: a turn
//! begins where the other side begins to send. The server's bytes of a later turn decide only for a
//! candidate that uses the port. If nothing decides, the port does.

use std::sync::Arc;

use enjamb::{Ending, Message, Session, Side};

use crate::opaque::OpaqueSession;
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The maximum number of bytes of a side that are inspected for the decision.
pub const SNIFFED_MAX: usize = 256;

/// The maximum number of bytes of a connection that are kept before the decision.
pub const KEPT_MAX: usize = 16 << 10;

/// The maximum number of kept chunks, gaps and ends.
const KEPT_EVENTS_MAX: usize = 1 << 10;

/// A session that detects its protocol. It has no name before the first byte: a silent connection
/// has no protocol.
pub struct Detector {
    decided: Option<Box<dyn Session>>,
    /// `None` after the decision.
    undecided: Option<Box<Undecided>>,
}

/// The input before the decision. It is freed then: a capture has very many connections.
struct Undecided {
    candidates: Arc<[Arc<Protocol>]>,
    port: Option<u16>,
    /// The input, in order. Adjacent chunks of one side are joined.
    kept: Vec<(Side, KeptInput)>,
    kept_bytes: usize,
    /// The first bytes of each side, or of its turn.
    first: [Vec<u8>; 2],
    /// The sides whose first bytes make no candidate sure.
    unknown: [bool; 2],
    /// The candidates that each side's first bytes do not fit, by their index.
    excluded: [Vec<bool>; 2],
    /// Whether bytes are missing, so that later turns are tried as well.
    holed: bool,
    /// Whether the turn of each side is not its first.
    later_turn: [bool; 2],
    /// The side that sent last.
    turn: Option<Side>,
    /// Whether the chosen session is to keep attributes.
    keeps_attributes: bool,
}

enum KeptInput {
    Bytes(Vec<u8>),
    /// Missing bytes. 0: the capture joined the stream in the middle.
    Gap(u64),
    Close(Ending),
}

impl Detector {
    /// Creates a session that chooses among `candidates`, the earlier ones first. `port` is the
    /// server's port, where that is known.
    #[must_use]
    pub fn new(candidates: Arc<[Arc<Protocol>]>, port: Option<u16>) -> Self {
        let undecided = Undecided {
            candidates,
            port,
            kept: Vec::new(),
            kept_bytes: 0,
            first: [Vec::new(), Vec::new()],
            unknown: [false; 2],
            excluded: [Vec::new(), Vec::new()],
            holed: false,
            later_turn: [false; 2],
            turn: None,
            keeps_attributes: false,
        };
        Self { decided: None, undecided: Some(Box::new(undecided)) }
    }

    /// Returns the session. If nothing has decided, nothing will.
    fn settle(&mut self, out: &mut dyn FnMut(&Message<'_>)) -> &mut dyn Session {
        let Self { decided, undecided } = self;
        let undecided = undecided.take();
        let session = decided.get_or_insert_with(|| match &undecided {
            Some(undecided) => undecided.unrecognised(),
            None => Box::new(OpaqueSession::default()),
        });
        if let Some(undecided) = undecided {
            undecided.pass_to(&mut **session, out);
        }
        &mut **session
    }
}

impl Undecided {
    /// Gives the kept input to the chosen session.
    fn pass_to(self, session: &mut dyn Session, out: &mut dyn FnMut(&Message<'_>)) {
        if self.keeps_attributes {
            session.keep_attributes();
        }
        for (side, kept) in self.kept {
            match kept {
                KeptInput::Bytes(bytes) => session.feed(side, &bytes, out),
                KeptInput::Gap(missing) => session.gap(side, missing, out),
                KeptInput::Close(ending) => session.close(side, ending, out),
            }
        }
    }

    /// Keeps bytes from the front of `chunk`: one, or as many as cannot decide. Returns the chosen
    /// session, if they decide.
    fn keep(&mut self, side: Side, chunk: &mut &[u8]) -> Option<Box<dyn Session>> {
        let index = side.index();
        if self.turn.replace(side) != Some(side) && self.holed && !self.first[index].is_empty() {
            self.begin_turn(side);
        }
        let room = KEPT_MAX - self.kept_bytes;
        let count = if self.unknown[index] { chunk.len().min(room) } else { 1 };
        let (taken, rest) = chunk.split_at(count);
        *chunk = rest;
        match self.kept.last_mut() {
            Some((last, KeptInput::Bytes(bytes))) if *last == side => bytes.extend_from_slice(taken),
            _ => self.kept.push((side, KeptInput::Bytes(taken.to_vec()))),
        }
        self.kept_bytes += count;
        if !self.unknown[index] {
            self.first[index].extend_from_slice(taken);
            if let Some(session) = self.recognise(side) {
                return Some(session);
            }
        }
        let nothing_fits = self.unknown == [true; 2] && !self.holed;
        (nothing_fits || self.kept_bytes >= KEPT_MAX).then(|| self.unrecognised())
    }

    fn recognise(&mut self, side: Side) -> Option<Box<dyn Session>> {
        let first = &self.first[side.index()];
        let excluded = &mut self.excluded[side.index()];
        excluded.resize(self.candidates.len(), false);
        let mut all_decided = true;
        for (candidate, excluded) in self.candidates.iter().zip(excluded) {
            let port_fits = self.port.is_some_and(|port| candidate.ports().contains(&port));
            if !*excluded {
                match candidate.sniff(side, first) {
                    Sniff::Yes if side == Side::Server && self.later_turn[side.index()] && !port_fits => {}
                    Sniff::Yes if port_fits => return Some(candidate.session(self.port)),
                    Sniff::Yes => {
                        let uses_port =
                            |known: &&Arc<Protocol>| self.port.is_some_and(|port| known.ports().contains(&port));
                        let likely = |known: &&Arc<Protocol>| known.is_likely(side, first) == Sniff::Yes;
                        let on_port = self.candidates.iter().filter(uses_port).find(likely);
                        return Some(on_port.unwrap_or(candidate).session(self.port));
                    }
                    Sniff::More => all_decided = false,
                    Sniff::Maybe => {}
                    Sniff::No => *excluded = true,
                }
            }
            if *excluded && port_fits && candidate.is_likely(side, first) == Sniff::More {
                all_decided = false;
            }
        }
        self.unknown[side.index()] = all_decided || first.len() >= SNIFFED_MAX;
        None
    }

    /// Tries the next bytes of a side as the first ones of a message.
    fn begin_turn(&mut self, side: Side) {
        self.first[side.index()].clear();
        self.unknown[side.index()] = false;
        self.excluded[side.index()].clear();
        self.later_turn[side.index()] = true;
    }

    /// Returns the session of a connection in which no candidate is sure.
    fn unrecognised(&self) -> Box<dyn Session> {
        let uses_port = |known: &&Arc<Protocol>| self.port.is_some_and(|port| known.ports().contains(&port));
        let fitting = || self.candidates.iter().filter(|known| self.fits(known));
        let by_port = || self.candidates.iter().filter(|known| !known.is_sniffed() || self.holed).find(uses_port);
        let on_port = || self.candidates.iter().filter(|known| self.fits_a_side(known)).find(uses_port);
        let likely = || self.candidates.iter().filter(uses_port).find(|known| self.is_likely(known));
        let sure_on_port = fitting().find(uses_port).or_else(on_port).or_else(likely);
        match sure_on_port.or_else(|| fitting().next()).or_else(by_port) {
            Some(known) => known.session(self.port),
            None => Box::new(OpaqueSession::default()),
        }
    }

    /// Returns whether the first bytes of a side may be this protocol's. The other side may begin
    /// with an error, such as a command that does not exist.
    fn fits_a_side(&self, candidate: &Protocol) -> bool {
        let sniff = |side: Side| candidate.sniff(side, &self.first[side.index()]);
        Side::BOTH.into_iter().any(|side| sniff(side) == Sniff::Maybe)
    }

    /// Returns whether the first bytes of a side begin a message of this protocol, which uses the
    /// port.
    fn is_likely(&self, candidate: &Protocol) -> bool {
        Side::BOTH.into_iter().any(|side| candidate.is_likely(side, &self.first[side.index()]) == Sniff::Yes)
    }

    /// Returns whether the first bytes of each side that sent some may be this protocol's.
    fn fits(&self, candidate: &Protocol) -> bool {
        let sides = Side::BOTH.into_iter().filter(|side| !self.first[side.index()].is_empty());
        let mut sniffs = sides.map(|side| candidate.sniff(side, &self.first[side.index()])).peekable();
        sniffs.peek().is_some() && sniffs.all(|sniff| sniff == Sniff::Maybe)
    }
}

impl Session for Detector {
    fn protocol(&self) -> &str {
        match (&self.decided, &self.undecided) {
            (Some(session), _) => session.protocol(),
            (None, Some(undecided)) if undecided.kept_bytes > 0 => "auto",
            _ => "",
        }
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        if let Some(session) = &mut self.decided {
            return session.feed(side, chunk, out);
        }
        let Some(undecided) = &mut self.undecided else { return };
        let continues = matches!(undecided.kept.last(), Some((last, KeptInput::Bytes(_))) if *last == side);
        let mut rest = chunk;
        while !rest.is_empty() {
            let Some(session) = undecided.keep(side, &mut rest) else {
                continue;
            };
            if !continues {
                // What was kept of this chunk is fed as the chunk came, not in two parts: a whole
                // message in it needs no buffer then.
                undecided.kept.pop();
                rest = chunk;
            }
            let session = self.decided.insert(session);
            if let Some(undecided) = self.undecided.take() {
                undecided.pass_to(&mut **session, out);
            }
            if !rest.is_empty() {
                session.feed(side, rest, out);
            }
            return;
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        if let Some(undecided) = &mut self.undecided {
            undecided.holed = true;
            if undecided.kept.len() < KEPT_EVENTS_MAX {
                undecided.kept.push((side, KeptInput::Gap(missing)));
                if missing > 0 {
                    undecided.begin_turn(side);
                }
                return;
            }
        }
        self.settle(out).gap(side, missing, out);
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        if let Some(undecided) = &mut self.undecided {
            let is_other_close = |kept: &(Side, KeptInput)| kept.0 != side && matches!(kept.1, KeptInput::Close(_));
            if undecided.kept_bytes == 0 || !undecided.kept.iter().any(is_other_close) {
                undecided.kept.push((side, KeptInput::Close(ending)));
                return;
            }
        }
        self.settle(out).close(side, ending, out);
    }

    fn pause(&mut self) {
        if let Some(session) = &mut self.decided {
            session.pause();
        }
    }

    fn keep_attributes(&mut self) {
        match (&mut self.decided, &mut self.undecided) {
            (Some(session), _) => session.keep_attributes(),
            (None, Some(undecided)) => undecided.keeps_attributes = true,
            (None, None) => {}
        }
    }

    fn held(&self) -> usize {
        match (&self.decided, &self.undecided) {
            (Some(session), _) => session.held(),
            (None, undecided) => undecided.as_ref().map_or(0, |undecided| undecided.kept_bytes),
        }
    }
}
