//! A protocol of lines whose handler has a trap.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use enjamb::{Ending, Message, Session, Side};
use enjamb_protocols::{Protocol, Registry};

/// The place where a handler hangs, panics or is slow. Every trap except [`Open`](Self::Open) and
/// [`Slow`](Self::Slow) needs bytes of a client with the word `trap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The first session is never opened.
    Open,
    /// `feed` does not return.
    Feed,
    /// `close` does not return.
    Close,
    /// The session's destructor does not return.
    Drop,
    /// `feed` panics.
    Panic,
    /// `feed` takes a while.
    Slow,
}

/// Lines, with a trap.
pub(crate) fn trapped_lines(trap: Trap) -> Protocol {
    let has_opened = AtomicBool::new(false);
    Protocol::new("trapped", move || {
        if trap == Trap::Open && !has_opened.swap(true, Ordering::Relaxed) {
            hang();
        }
        let lines = Registry::builtin().resolve("lines").unwrap().session(None);
        Box::new(Trapped { lines, trap, is_set: false })
    })
}

struct Trapped {
    lines: Box<dyn Session>,
    trap: Trap,
    is_set: bool,
}

fn hang() {
    loop {
        sleep(Duration::from_secs(3600));
    }
}

impl Session for Trapped {
    fn protocol(&self) -> &str {
        "trapped"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        self.is_set |= side == Side::Client && chunk.windows(4).any(|word| word == b"trap");
        match self.trap {
            Trap::Feed if self.is_set => hang(),
            Trap::Panic if self.is_set => panic!("the trap"),
            Trap::Slow => sleep(Duration::from_millis(20)),
            _ => {}
        }
        self.lines.feed(side, chunk, out);
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.lines.gap(side, missing, out);
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        if self.trap == Trap::Close && self.is_set {
            hang();
        }
        self.lines.close(side, ending, out);
    }

    fn held(&self) -> usize {
        self.lines.held()
    }
}

impl Drop for Trapped {
    fn drop(&mut self) {
        if self.trap == Trap::Drop && self.is_set {
            hang();
        }
    }
}
