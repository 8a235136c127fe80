//! Sessions with a planted bug that only the order of the two sides' chunks shows: `laws!` finds
//! each of them, and does not accuse the session without a bug.

use std::collections::VecDeque;

use enjamb::{Ending, Message, Outcome, Session, Side, Span};
use enjamb_law::{Law, Laws, Sessions, Verdict, laws};

/// The mistake of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// An answer is paired with the newest request that waits.
    NewestFirst,
    /// Both sides share the buffer of the line in progress.
    OneBuffer,
    /// An answer is not paired while a part of the next request is there.
    PartHidesRequests,
    /// The kind of an answer depends on the number of requests that wait.
    KindByRequests,
    /// A request that was begun counts as a request that waits.
    BegunWaits,
}

/// Lines of a client, each answered by a line of the server.
struct Lines {
    bug: Bug,
    /// The line in progress of each side, and the offset at which it begins.
    parts: [Vec<u8>; 2],
    starts: [u64; 2],
    waiting: VecDeque<u64>,
    requests: u64,
}

impl Lines {
    fn open(bug: Bug) -> Box<dyn Session> {
        Box::new(Self { bug, parts: Default::default(), starts: [0; 2], waiting: VecDeque::new(), requests: 0 })
    }

    fn part(&mut self, side: Side) -> &mut Vec<u8> {
        &mut self.parts[if self.bug == Bug::OneBuffer { 0 } else { side.index() }]
    }

    fn answered(&mut self) -> Option<u64> {
        let asking = !self.parts[Side::Client.index()].is_empty();
        match self.bug {
            Bug::NewestFirst => self.waiting.pop_back(),
            Bug::PartHidesRequests if asking => None,
            Bug::BegunWaits if asking && self.waiting.len() == 1 => self.waiting.pop_front().map(|first| first + 1),
            _ => self.waiting.pop_front(),
        }
    }
}

impl Session for Lines {
    fn protocol(&self) -> &str {
        "answered-lines"
    }

    fn feed(&mut self, side: Side, chunk: &[u8], out: &mut dyn FnMut(&Message<'_>)) {
        for &byte in chunk {
            self.part(side).push(byte);
            if byte != b'\n' {
                continue;
            }
            let line = std::mem::take(self.part(side));
            let span = Span { offset: self.starts[side.index()], length: line.len() as u64 };
            self.starts[side.index()] += span.length;
            let crowded = self.bug == Bug::KindByRequests && self.waiting.len() > 1;
            let (kind, answers) = match side {
                Side::Client => {
                    self.waiting.push_back(self.requests);
                    self.requests += 1;
                    ("request", None)
                }
                Side::Server if crowded => ("crowded", self.answered()),
                Side::Server => ("answer", self.answered()),
            };
            let summary = String::from_utf8_lossy(&line);
            out(&Message { answers, summary: &summary, ..Message::new("answered-lines", side, kind, span) });
        }
    }

    fn gap(&mut self, side: Side, missing: u64, out: &mut dyn FnMut(&Message<'_>)) {
        self.close(side, Ending::Lost, out);
        self.starts[side.index()] += missing;
    }

    fn close(&mut self, side: Side, ending: Ending, out: &mut dyn FnMut(&Message<'_>)) {
        let length = std::mem::take(self.part(side)).len() as u64;
        let span = Span { offset: self.starts[side.index()], length };
        self.starts[side.index()] += length;
        if length > 0 {
            let (outcome, reason) = (Outcome::Incomplete, Some(ending.reason()));
            out(&Message { outcome, reason, ..Message::new("answered-lines", side, "part", span) });
        }
    }

    fn held(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }
}

laws! {
    mod without_a_bug {
        subject: Sessions(|| Lines::open(Bug::None)),
        messages: ["one\n", "another\n", "\n"],
        answers: ["1\n", "a longer answer\n", "2\n"],
    }
}

// The server may send the messages themselves.
laws! {
    mod without_answers {
        subject: Sessions(|| Lines::open(Bug::None)),
        messages: ["one\n", "another\n"],
    }
}

macro_rules! planted {
    ($($name:ident: $bug:ident),*) => {$(
        mod $name {
            use super::*;

            fn definition() -> Laws<impl enjamb_law::Subject<Event = enjamb::OwnedMessage, Error = enjamb_law::Never> + Send + Sync + 'static> {
                Laws::new(stringify!($name), Sessions(|| Lines::open(Bug::$bug))).messages(["one\n", "another\n", "\n"])
            }

            #[test]
            fn the_interleaved_law_finds_it() {
                let definitions = [definition().answers(["1\n", "a longer answer\n", "2\n"]), definition()];
                for definition in definitions {
                    let Verdict::Broken(violation) = definition.check(Law::Interleaved) else { panic!("it was not found") };
                    assert_eq!(violation.law, Law::Interleaved);
                    assert!(violation.input.len() <= 40, "{violation}");
                }
            }

            #[test]
            fn no_law_of_one_stream_finds_it() {
                for law in [Law::Total, Law::Split, Law::Coalesce, Law::Prompt, Law::Quiet] {
                    assert!(matches!(definition().check(law), Verdict::Holds(_)), "{law}");
                }
            }
        }
    )*};
}

planted! {
    newest_first: NewestFirst,
    one_buffer: OneBuffer,
    part_hides_requests: PartHidesRequests,
    kind_by_requests: KindByRequests,
    begun_waits: BegunWaits
}

#[test]
fn the_definition_needs_answers_that_the_session_reads() {
    let definition = || {
        Laws::new("answers", Sessions(enjamb_protocols::http1::session)).message("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    };
    let unfit = |laws: Laws<_>| match laws.check(Law::Interleaved) {
        Verdict::Unfit(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert!(unfit(definition()).contains("give its `answers`"));
    assert!(unfit(definition().answer("no\r\n")).contains("is not read"));
    assert!(unfit(definition().answer("").answer("")).contains("2 answers to 1 messages"));
    let right = definition().answer("HTTP/1.1 204 No\r\n\r\n").check(Law::Interleaved);
    assert!(matches!(right, Verdict::Holds(_)), "{right:?}");
}

#[test]
fn a_subject_with_one_stream_is_not_tried() {
    let framing = enjamb_protocols::Framing::parse("lines").unwrap();
    let machines = enjamb_law::Machines(move || enjamb::Framer::new(framing.handler()));
    let verdict = Laws::new("one-stream", machines).message("a\n").check(Law::Interleaved);
    assert!(matches!(verdict, Verdict::NotTried(reason) if reason == "it reads one stream"));
}
