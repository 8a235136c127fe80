//! The protocol `auto`: detection by the first bytes of a connection.
//!
//! The candidates see the first bytes of each side, at most [`SNIFFED_MAX`]. Each time they see one
//! byte more, so the choice does not depend on the cuts. The first candidate that recognises either
//! side is chosen. Until then everything is kept, at most [`KEPT_MAX`] bytes.
//!
//! The server's port decides in three cases: every candidate rejects both sides, too much would
//! have to be kept, or a gap or the end comes before the decision. If no candidate uses the port,
//! the conversation is opaque.

use std::sync::Arc;

use enjamb::{Ending, Message, Session, Side};

use crate::opaque::OpaqueSession;
use crate::protocol::Protocol;
use crate::sniff::Sniff;

/// The maximum number of bytes of a side that are inspected for the decision.
pub const SNIFFED_MAX: usize = 64;

/// The maximum number of bytes of a connection that are kept before the decision.
pub const KEPT_MAX: usize = 16 << 10;

/// A session that detects its protocol.
pub struct Detector {
    candidates: Arc<[Arc<Protocol>]>,
    port: Option<u16>,
    decided: Option<Box<dyn Session>>,
    /// The input before the decision, in order. Adjacent chunks of one side are joined.
    kept: Vec<(Side, KeptInput)>,
    kept_bytes: usize,
    /// The first bytes of each side.
    first: [Vec<u8>; 2],
    /// The sides that no candidate recognises.
    unknown: [bool; 2],
}

enum KeptInput {
    Bytes(Vec<u8>),
    /// The capture joined the stream in the middle.
    Joined,
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
        }
    }

    /// Keeps one more byte. Returns the chosen session, if the byte decides.
    fn keep(&mut self, side: Side, byte: u8) -> Option<Box<dyn Session>> {
        match self.kept.last_mut() {
            Some((last, KeptInput::Bytes(bytes))) if *last == side => bytes.push(byte),
            _ => self.kept.push((side, KeptInput::Bytes(vec![byte]))),
        }
        self.kept_bytes += 1;
        let first = &mut self.first[side.index()];
        if !self.unknown[side.index()] {
            first.push(byte);
            let mut all_no = true;
            for candidate in self.candidates.iter() {
                match candidate.sniff(side, first) {
                    Sniff::Yes => return Some(candidate.session(self.port)),
                    Sniff::More => all_no = false,
                    Sniff::No => {}
                }
            }
            self.unknown[side.index()] = all_no || first.len() >= SNIFFED_MAX;
        }
        (self.unknown == [true; 2] || self.kept_bytes >= KEPT_MAX).then(|| self.by_port())
    }

    fn by_port(&self) -> Box<dyn Session> {
        let known = self.port.and_then(|port| self.candidates.iter().find(|known| known.ports().contains(&port)));
        known.map_or_else(|| Box::new(OpaqueSession::default()) as Box<dyn Session>, |known| known.session(self.port))
    }

    /// Returns the session. The port decides if nothing else has.
    fn settle(&mut self, out: &mut dyn FnMut(&Message<'_>)) -> &mut Box<dyn Session> {
        let by_port = if self.decided.is_none() { Some(self.by_port()) } else { None };
        if let Some(session) = by_port {
            self.decide(session, out);
        }
        self.decided.get_or_insert_with(|| Box::new(OpaqueSession::default()))
    }

    /// Chooses `session` and feeds it the kept input.
    fn decide(&mut self, mut session: Box<dyn Session>, out: &mut dyn FnMut(&Message<'_>)) {
        for (side, kept) in self.kept.drain(..) {
            match kept {
                KeptInput::Bytes(bytes) => session.feed(side, &bytes, out),
                KeptInput::Joined => session.gap(side, 0, out),
                KeptInput::Close(ending) => session.close(side, ending, out),
            }
        }
        self.first = [Vec::new(), Vec::new()];
        self.decided = Some(session);
    }
}

impl Session for Detector {
    fn protocol(&self) -> &str {
        self.decided.as_ref().map_or("auto", |session| session.protocol())
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        let mut rest = chunk;
        while self.decided.is_none()
            && let Some((&byte, tail)) = rest.split_first()
        {
            rest = tail;
            if let Some(session) = self.keep(side, byte) {
                self.decide(session, out);
            }
        }
        if let (Some(session), false) = (&mut self.decided, rest.is_empty()) {
            session.feed(side, rest, out);
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        if self.decided.is_none() && missing == 0 {
            self.kept.push((side, KeptInput::Joined));
            return;
        }
        self.settle(out).gap(side, missing, out);
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let other_closed =
            self.kept.iter().any(|(closed, kept)| *closed != side && matches!(kept, KeptInput::Close(_)));
        if self.decided.is_none() && !other_closed {
            self.kept.push((side, KeptInput::Close(ending)));
            return;
        }
        self.settle(out).close(side, ending, out);
    }

    fn held(&self) -> usize {
        match &self.decided {
            None => self.kept_bytes,
            Some(session) => session.held(),
        }
    }
}
