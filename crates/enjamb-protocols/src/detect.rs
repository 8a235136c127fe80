//! The protocol `auto`: detection by the first bytes of a connection.
//!
//! The candidates see the first bytes of each side, at most [`SNIFFED_MAX`]. Each time they see one
//! byte more, so the choice does not depend on the cuts. The first candidate that recognises either
//! side is chosen. Until then everything is kept, at most [`KEPT_MAX`] bytes.
//!
//! A connection that no candidate recognises is opaque. Its port alone proves nothing: TLS runs on
//! port 8080, too. The port decides only for a protocol that has no function to recognise its first
//! bytes. A connection without bytes has no protocol.
//!
//! If the capture joined a stream in the middle or lost bytes, its first bytes may be the end of a
//! message. Then the first bytes of each later turn are tried as well, until the limit: a turn
//! begins where the other side begins to send. The server's bytes of a later turn decide only for a
//! candidate that uses the port.

use std::sync::Arc;

use enjamb::{Ending, Message, Session, Side};

use crate::opaque::OpaqueSession;
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The maximum number of bytes of a side that are inspected for the decision.
pub const SNIFFED_MAX: usize = 64;

/// The maximum number of bytes of a connection that are kept before the decision.
pub const KEPT_MAX: usize = 16 << 10;

/// The maximum number of kept chunks, gaps and ends.
const KEPT_EVENTS_MAX: usize = 1 << 10;

/// A session that detects its protocol. It has no name before the first byte: a silent connection
/// has no protocol.
pub struct Detector {
    candidates: Arc<[Arc<Protocol>]>,
    port: Option<u16>,
    decided: Option<Box<dyn Session>>,
    /// The input before the decision, in order. Adjacent chunks of one side are joined.
    kept: Vec<(Side, KeptInput)>,
    kept_bytes: usize,
    /// The first bytes of each side, or of its turn.
    first: [Vec<u8>; 2],
    /// The sides whose first bytes no candidate recognises.
    unknown: [bool; 2],
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
        Self {
            candidates,
            port,
            decided: None,
            kept: Vec::new(),
            kept_bytes: 0,
            first: [Vec::new(), Vec::new()],
            unknown: [false; 2],
            holed: false,
            later_turn: [false; 2],
            turn: None,
            keeps_attributes: false,
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
        let mut all_no = true;
        for candidate in self.candidates.iter() {
            let port_fits = self.port.is_some_and(|port| candidate.ports().contains(&port));
            match candidate.sniff(side, first) {
                _ if side == Side::Server && self.later_turn[side.index()] && !port_fits => {}
                Sniff::Yes => return Some(candidate.session(self.port)),
                Sniff::More => all_no = false,
                Sniff::No => {}
            }
        }
        self.unknown[side.index()] = all_no || first.len() >= SNIFFED_MAX;
        None
    }

    /// Tries the next bytes of a side as the first ones of a message.
    fn begin_turn(&mut self, side: Side) {
        self.first[side.index()].clear();
        self.unknown[side.index()] = false;
        self.later_turn[side.index()] = true;
    }

    /// Returns the session of a connection that no candidate recognises.
    fn unrecognised(&self) -> Box<dyn Session> {
        let uses_port =
            |known: &&Arc<Protocol>| !known.is_sniffed() && self.port.is_some_and(|port| known.ports().contains(&port));
        match self.candidates.iter().find(uses_port) {
            Some(known) => known.session(self.port),
            None => Box::new(OpaqueSession::default()),
        }
    }

    /// Returns the session. If nothing has decided, nothing will.
    fn settle(&mut self, out: &mut dyn FnMut(&Message<'_>)) -> &mut Box<dyn Session> {
        let session = if self.decided.is_none() { Some(self.unrecognised()) } else { None };
        if let Some(session) = session {
            self.decide(session, out);
        }
        self.decided.get_or_insert_with(|| Box::new(OpaqueSession::default()))
    }

    /// Chooses `session` and feeds it the kept input.
    fn decide(&mut self, mut session: Box<dyn Session>, out: &mut dyn FnMut(&Message<'_>)) {
        if self.keeps_attributes {
            session.keep_attributes();
        }
        for (side, kept) in self.kept.drain(..) {
            match kept {
                KeptInput::Bytes(bytes) => session.feed(side, &bytes, out),
                KeptInput::Gap(missing) => session.gap(side, missing, out),
                KeptInput::Close(ending) => session.close(side, ending, out),
            }
        }
        self.first = [Vec::new(), Vec::new()];
        self.decided = Some(session);
    }
}

impl Session for Detector {
    fn protocol(&self) -> &str {
        match &self.decided {
            Some(session) => session.protocol(),
            None if self.kept_bytes == 0 => "",
            None => "auto",
        }
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let mut rest = chunk;
        while self.decided.is_none() && !rest.is_empty() {
            if let Some(session) = self.keep(side, &mut rest) {
                self.decide(session, out);
            }
        }
        if let (Some(session), false) = (&mut self.decided, rest.is_empty()) {
            session.feed(side, rest, out);
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        if let Some(session) = &mut self.decided {
            return session.gap(side, missing, out);
        }
        self.holed = true;
        if self.kept.len() >= KEPT_EVENTS_MAX {
            return self.settle(out).gap(side, missing, out);
        }
        self.kept.push((side, KeptInput::Gap(missing)));
        if missing > 0 {
            self.begin_turn(side);
        }
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let other_closed =
            self.kept.iter().any(|(closed, kept)| *closed != side && matches!(kept, KeptInput::Close(_)));
        if self.decided.is_none() && (!other_closed || self.kept_bytes == 0) {
            self.kept.push((side, KeptInput::Close(ending)));
            return;
        }
        self.settle(out).close(side, ending, out);
    }

    fn pause(&mut self) {
        if let Some(session) = &mut self.decided {
            session.pause();
        }
    }

    fn keep_attributes(&mut self) {
        self.keeps_attributes = true;
        if let Some(session) = &mut self.decided {
            session.keep_attributes();
        }
    }

    fn held(&self) -> usize {
        match &self.decided {
            None => self.kept_bytes,
            Some(session) => session.held(),
        }
    }
}
