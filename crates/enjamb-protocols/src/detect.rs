//! `auto`: whichever protocol the first bytes turn out to be.
//!
//! The first bytes of each side, at most [`SNIFFED_MAX`] of them, are shown to the candidates one byte longer at a time, so that what is
//! chosen does not depend on how they arrived. The first candidate that says yes to either side is it. What is fed before that is kept, at
//! most [`KEPT_MAX`] bytes of it. When every candidate has said no to both sides, or too much would have to be kept, or there is a hole or an
//! end before the first decision, the server's port decides; where that is nobody's, the conversation is opaque.

use std::sync::Arc;

use enjamb::{Ending, Message, Session, Side};

use crate::opaque::Opaque;
use crate::registry::{Protocol, Sniff};

/// How many bytes of a side are looked at.
pub const SNIFFED_MAX: usize = 64;

/// How many bytes are kept before the decision.
pub const KEPT_MAX: usize = 16 << 10;

/// A session that becomes one of several.
pub struct Detect {
    candidates: Arc<[Protocol]>,
    port: Option<u16>,
    decided: Option<Box<dyn Session>>,
    /// What was fed before the decision, in order. Adjacent chunks of one side are glued.
    kept: Vec<(Side, Kept)>,
    kept_bytes: usize,
    /// The first bytes of each side.
    first: [Vec<u8>; 2],
    /// The sides of which nobody knows what they speak.
    unknown: [bool; 2],
}

enum Kept {
    Bytes(Vec<u8>),
    /// The stream was joined in the midst.
    Joined,
    Close(Ending),
}

impl Detect {
    /// Decides among `candidates`, the earlier ones first. `port` is the server's, where it is known.
    #[must_use]
    pub fn new(candidates: Arc<[Protocol]>, port: Option<u16>) -> Self {
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

    /// Keeps one byte more, and says which session it decides for, if it does.
    fn keep(&mut self, side: Side, byte: u8) -> Option<Box<dyn Session>> {
        match self.kept.last_mut() {
            Some((last, Kept::Bytes(bytes))) if *last == side => bytes.push(byte),
            _ => self.kept.push((side, Kept::Bytes(vec![byte]))),
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
        known.map_or_else(|| Box::new(Opaque::default()) as Box<dyn Session>, |known| known.session(self.port))
    }

    /// The session, decided by the port if nothing else has decided it.
    fn settle(&mut self, out: &mut dyn FnMut(&Message<'_>)) -> &mut Box<dyn Session> {
        let by_port = if self.decided.is_none() { Some(self.by_port()) } else { None };
        if let Some(session) = by_port {
            self.decide(session, out);
        }
        self.decided.get_or_insert_with(|| Box::new(Opaque::default()))
    }

    /// Becomes `session`, and feeds it what was kept.
    fn decide(&mut self, mut session: Box<dyn Session>, out: &mut dyn FnMut(&Message<'_>)) {
        for (side, kept) in self.kept.drain(..) {
            match kept {
                Kept::Bytes(bytes) => session.feed(side, &bytes, out),
                Kept::Joined => session.gap(side, 0, out),
                Kept::Close(ending) => session.close(side, ending, out),
            }
        }
        self.first = [Vec::new(), Vec::new()];
        self.decided = Some(session);
    }
}

impl Session for Detect {
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
            self.kept.push((side, Kept::Joined));
            return;
        }
        self.settle(out).gap(side, missing, out);
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let other_closed = self.kept.iter().any(|(closed, kept)| *closed != side && matches!(kept, Kept::Close(_)));
        if self.decided.is_none() && !other_closed {
            self.kept.push((side, Kept::Close(ending)));
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
