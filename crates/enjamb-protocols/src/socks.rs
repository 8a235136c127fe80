//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929), and the protocol inside the tunnel.
//!
//! The two sides take turns, and the bytes of a side do not tell what they are: that depends on the
//! other side's answer. So the session keeps bytes, at most [`KEPT_MAX`] of each side, until it is
//! their turn. How the chunks were cut and interleaved decides nothing.
//!
//! ```text
//! Greeting ─► Method ─┬─► Authentication ─► Status ─┬─► Request ─► Reply ─► the tunnel
//!                     └─────────────────────────────┘
//! Greeting4 (a request of SOCKS 4) ───────────────────────────────► Reply4 ─► the tunnel
//! ```
//!
//! A refusal, a method that is not read (GSSAPI), `BIND` and UDP leave the rest `opaque`. A
//! malformed message or a gap leaves the rest `unparsed`.

mod handshake;

use enjamb::{AFTER_MALFORMED, BYTES_MISSING, Ending, Message, Outcome, Session, Side, Span};

pub(crate) use self::handshake::sniff;
use self::handshake::{Parsed, Turn, parse};
use crate::opaque::opaque;
use crate::tunnel::{OpenInner, Tunnel};

/// The maximum number of bytes of a side that are kept until their turn comes.
const KEPT_MAX: usize = 16 << 10;

/// The reason of bytes of which too many came before their turn.
const BEFORE_ITS_TURN: &str = "sent before the other side's answer";

const NAME: &str = "socks";

/// Opens a session that `depth` tunnels contain, and whose own tunnel is parsed by what `open`
/// opens.
pub(crate) fn session(open: OpenInner, depth: u8) -> Box<dyn Session> {
    Box::new(Socks {
        phase: Phase::Handshake(Turn::Greeting),
        sides: Default::default(),
        open,
        depth,
        keeps_attributes: false,
    })
}

struct Socks {
    phase: Phase,
    sides: [SideState; 2],
    open: OpenInner,
    depth: u8,
    keeps_attributes: bool,
}

enum Phase {
    Handshake(Turn),
    Tunnel(Tunnel),
    /// The rest of both sides is one message for each: `unparsed` for this reason, or `opaque`.
    Rest(Option<&'static str>),
}

#[derive(Default)]
struct SideState {
    /// The offset of the first byte that no message has claimed.
    start: u64,
    /// The unclaimed bytes during the handshake.
    kept: Vec<u8>,
    /// The number of unclaimed bytes that are not kept.
    counted: u64,
    emitted: u64,
    ending: Option<Ending>,
}

type Out<'o> = &'o mut dyn FnMut(&Message<'_>);

impl Socks {
    /// Reads the handshake as far as it goes, with the bytes of the side that has just sent some.
    fn advance(&mut self, sender: Side, out: Out<'_>) {
        while let Phase::Handshake(turn) = self.phase {
            let side = turn.side();
            let kept = &self.sides[side.index()].kept;
            match parse(turn, kept) {
                Parsed::More => {
                    let Some(ending) = self.sides[side.index()].ending else { return };
                    let length = kept.len();
                    if length > 0 {
                        let verdict = (Outcome::Incomplete, None, Some(ending.reason()));
                        self.emit(side, length, turn.kind(), "cut off", verdict, out);
                    }
                    self.phase = Phase::Rest(None);
                }
                Parsed::Malformed { length, reason } => {
                    let verdict = (Outcome::Malformed, None, Some(reason));
                    self.emit(side, length, turn.kind(), "malformed", verdict, out);
                    self.phase = Phase::Rest(Some(AFTER_MALFORMED));
                }
                Parsed::Whole { length, kind, failed, code, summary, next } => {
                    let outcome = if failed { Outcome::Failed } else { Outcome::Ok };
                    self.emit(side, length, kind, &summary, (outcome, code.as_deref(), None), out);
                    match next {
                        Some(Turn::Tunnel) => return self.begin_tunnel(sender, out),
                        Some(turn) => self.phase = Phase::Handshake(turn),
                        None => self.phase = Phase::Rest(None),
                    }
                }
            }
        }
        self.settle(out);
    }

    /// Counts the kept bytes that are not parsed, and ends the sides that have ended.
    fn settle(&mut self, out: Out<'_>) {
        for side in Side::BOTH {
            let state = &mut self.sides[side.index()];
            state.counted += std::mem::take(&mut state.kept).len() as u64;
            if state.ending.is_some() {
                self.end(side, out);
            }
        }
    }

    /// Begins the tunnel behind the handshake. What the other side has sent already is older than
    /// the rest of the sender's chunk.
    fn begin_tunnel(&mut self, sender: Side, out: Out<'_>) {
        let mut tunnel = Tunnel::new((self.open)(self.depth + 1), NAME);
        if self.keeps_attributes {
            tunnel.keep_attributes();
        }
        for side in Side::BOTH {
            tunnel.begin(side, self.sides[side.index()].start, self.sides[side.index()].emitted);
        }
        for side in [!sender, sender] {
            let kept = std::mem::take(&mut self.sides[side.index()].kept);
            if !kept.is_empty() {
                tunnel.feed(side, &kept, out);
            }
        }
        for side in Side::BOTH {
            if let Some(ending) = self.sides[side.index()].ending {
                tunnel.close(side, ending, out);
            }
        }
        self.phase = Phase::Tunnel(tunnel);
    }

    /// Emits the first `length` kept bytes of a side as one message.
    fn emit(
        &mut self,
        side: Side,
        length: usize,
        kind: &'static str,
        summary: &str,
        (outcome, code, reason): (Outcome, Option<&str>, Option<&str>),
        out: Out<'_>,
    ) {
        let answers = match side {
            Side::Server => self.sides[Side::Client.index()].emitted.checked_sub(1),
            Side::Client => None,
        };
        let state = &mut self.sides[side.index()];
        let span = Span { offset: state.start, length: length as u64 };
        state.kept.drain(..length);
        state.start = span.end();
        state.emitted += 1;
        let message = Message::new(NAME, side, kind, span);
        out(&Message { outcome, code, reason, answers, summary: &summary, ..message });
    }

    /// Emits the rest of a side that is not parsed.
    fn end(&mut self, side: Side, out: Out<'_>) {
        let Phase::Rest(reason) = self.phase else { return };
        let state = &mut self.sides[side.index()];
        let span = Span { offset: state.start, length: std::mem::take(&mut state.counted) };
        state.start = span.end();
        if span.length == 0 {
            return;
        }
        state.emitted += 1;
        let rest = opaque(NAME, side, span);
        if reason.is_some() {
            out(&Message { kind: "unparsed", outcome: Outcome::Incomplete, reason, ..rest });
        } else {
            out(&rest);
        }
    }
}

impl Session for Socks {
    fn protocol(&self) -> &str {
        NAME
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: Out<'_>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let state = &mut self.sides[side.index()];
            match &mut self.phase {
                Phase::Tunnel(tunnel) => return tunnel.feed(side, rest, out),
                Phase::Rest(_) => {
                    state.counted += rest.len() as u64;
                    return;
                }
                Phase::Handshake(_) => {
                    let room = KEPT_MAX.saturating_sub(state.kept.len());
                    let (taken, behind) = rest.split_at(rest.len().min(room));
                    state.kept.extend_from_slice(taken);
                    rest = behind;
                    self.advance(side, out);
                    let full = self.sides[side.index()].kept.len() >= KEPT_MAX;
                    if let (Phase::Handshake(_), true, false) = (&self.phase, full, rest.is_empty()) {
                        self.phase = Phase::Rest(Some(BEFORE_ITS_TURN));
                        self.settle(out);
                    }
                }
            }
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: Out<'_>) {
        if let Phase::Tunnel(tunnel) = &mut self.phase {
            return tunnel.gap(side, missing, out);
        }
        if let Phase::Handshake(_) = self.phase {
            self.phase = Phase::Rest(Some(BYTES_MISSING));
            self.settle(out);
        }
        self.end(side, out);
        let start = &mut self.sides[side.index()].start;
        *start = start.saturating_add(missing);
    }

    fn close(&mut self, side: Side, ending: Ending, out: Out<'_>) {
        if let Phase::Tunnel(tunnel) = &mut self.phase {
            return tunnel.close(side, ending, out);
        }
        self.sides[side.index()].ending = Some(ending);
        if let Phase::Handshake(_) = self.phase { self.advance(side, out) } else { self.end(side, out) }
    }

    fn pause(&mut self) {
        if let Phase::Tunnel(tunnel) = &mut self.phase {
            tunnel.pause();
        }
    }

    fn keep_attributes(&mut self) {
        self.keeps_attributes = true;
    }

    fn held(&self) -> usize {
        let inner = if let Phase::Tunnel(tunnel) = &self.phase { tunnel.held() } else { 0 };
        inner + self.sides.iter().map(|side| side.kept.len()).sum::<usize>()
    }
}
