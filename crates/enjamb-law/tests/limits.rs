//! The effect of a limit depends on the bytes and never on the cuts, under every policy, and a
//! framer keeps no more than the limit.

use std::convert::Infallible;

use enjamb::{
    FrameError, FrameHandler, FrameInfo, Framer, Handler, Limit, Machine, Overflow, Step, Terminator, WholeFrames,
};
use enjamb_law::{Machines, Segmentations, split_everywhere, stream};
use proptest::prelude::*;

const LEN_MAX: u64 = 4;

/// A handler of whole frames, with any terminator and policy.
#[derive(Clone, Debug)]
struct Frames {
    terminator: Terminator,
    overflow: Overflow,
}

#[derive(Clone, Debug, PartialEq)]
enum FrameEvent {
    Frame(Vec<u8>, FrameInfo),
    Oversized(FrameInfo),
    Partial(Vec<u8>),
}

impl FrameHandler for Frames {
    type Event = FrameEvent;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.terminator.clone()
    }
    fn limit(&self) -> Limit {
        Limit { max: LEN_MAX, overflow: self.overflow }
    }
    fn frame(&mut self, frame: &[u8], found: FrameInfo) -> Result<Step<FrameEvent>, Infallible> {
        Ok(Step::event(FrameEvent::Frame(frame.to_vec(), found)))
    }
    fn oversized(&mut self, found: FrameInfo) -> Result<Step<FrameEvent>, Infallible> {
        Ok(Step::event(FrameEvent::Oversized(found)))
    }
    fn close(&mut self, partial: &[u8], _: enjamb::End) -> Result<Option<FrameEvent>, Infallible> {
        Ok(Some(FrameEvent::Partial(partial.to_vec())))
    }
}

const POLICIES: [Overflow; 3] = [Overflow::Refuse, Overflow::Skip, Overflow::Truncate];

fn frames(terminator: &Terminator, overflow: Overflow) -> Framer<WholeFrames<Frames>> {
    Framer::whole(Frames { terminator: terminator.clone(), overflow })
}

fn all(terminator: &Terminator, overflow: Overflow, bytes: &[u8]) -> (Vec<FrameEvent>, Option<FrameError<Infallible>>) {
    let mut events = Vec::new();
    let error = frames(terminator, overflow).feed(bytes, &mut |event| events.push(event)).err();
    (events, error)
}

#[test]
fn a_frame_of_exactly_the_limit_is_accepted() {
    for overflow in POLICIES {
        let (events, error) = all(&Terminator::crlf(), overflow, b"abcd\r\n");
        let found = FrameInfo { start: 0, end: 6, length: 4, dropped: 0, lost: 0, delimiter: 0 };
        assert_eq!((events, error), (vec![FrameEvent::Frame(b"abcd".to_vec(), found)], None));
    }
}

#[test]
fn each_policy_applies_to_one_byte_over_the_limit() {
    let bytes = b"abcde\r\nxy\r\n";
    let long = FrameInfo { start: 0, end: 7, length: 5, dropped: 1, lost: 0, delimiter: 0 };
    let next = FrameEvent::Frame(
        b"xy".to_vec(),
        FrameInfo { start: 7, end: 11, length: 2, dropped: 0, lost: 0, delimiter: 0 },
    );

    let (events, error) = all(&Terminator::crlf(), Overflow::Refuse, bytes);
    assert_eq!((events, error), (vec![], Some(FrameError::TooLong { start: 0, end: 4, max: 4 })));

    let (events, error) = all(&Terminator::crlf(), Overflow::Skip, bytes);
    assert_eq!((events, error), (vec![FrameEvent::Oversized(long), next.clone()], None));

    let (events, error) = all(&Terminator::crlf(), Overflow::Truncate, bytes);
    assert_eq!((events, error), (vec![FrameEvent::Frame(b"abcd".to_vec(), long), next], None));
}

#[test]
fn an_announced_length_over_the_limit_is_refused_before_its_first_byte() {
    let mut framer = frames(&Terminator::length(5).unwrap(), Overflow::Refuse);
    let refused = Err(FrameError::TooLong { start: 0, end: 0, max: 4 });
    assert_eq!(framer.next(&mut &b""[..]), refused);
    assert_eq!(framer.next(&mut &b"abc"[..]), refused, "a machine that failed is fused");
}

#[test]
fn every_policy_obeys_the_split_law_under_every_terminator() {
    let terminators = [
        Terminator::lf(),
        Terminator::crlf(),
        Terminator::delimiter("aab").unwrap(),
        Terminator::length(4).unwrap(),
        Terminator::length(5).unwrap(),
        Terminator::Close,
    ];
    let bytes = b"ab\r\nabcd\r\naaabcde\r\n\r\r\n\raaaab\naabaaaaaab\r";
    for terminator in &terminators {
        for overflow in POLICIES {
            let machines = Machines(|| frames(terminator, overflow));
            split_everywhere(&machines, &stream(bytes), &Segmentations::up_to_two_cuts())
                .unwrap_or_else(|violation| panic!("{terminator:?} {overflow:?}: {violation}"));
        }
    }
}

proptest! {
    #[test]
    fn no_more_is_kept_than_the_limit_and_the_delimiter(
        bytes in prop::collection::vec(prop::sample::select(&b"ab\r\n"[..]), 0..200),
        chunk in 1_usize..20,
        policy in prop::sample::select(&POLICIES[..]),
    ) {
        let mut framer = frames(&Terminator::crlf(), policy);
        for chunk in bytes.chunks(chunk) {
            let failed = framer.feed(chunk, &mut |_| {}).is_err();
            prop_assert!(framer.held() as u64 <= LEN_MAX + 1);
            if failed {
                break;
            }
        }
    }
}

/// A handler of a length prefix and its payload: after the prefix, the message needs another frame.
struct Prefixed {
    body: bool,
}

impl Handler for Prefixed {
    type Event = u64;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::length(1).unwrap()
    }
    fn collect(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }
    fn found(&mut self, found: FrameInfo) -> Result<Step<u64>, Infallible> {
        self.body = !self.body;
        let next = Terminator::length(if self.body { 3 } else { 1 }).unwrap();
        Ok(if self.body { Step::quiet() } else { Step::event(found.end) }.until(next))
    }
    fn at_boundary(&self) -> bool {
        !self.body
    }
}

/// `LengthDelimitedCodec` of tokio-util takes this stream for a clean end.
#[test]
fn a_stream_that_ends_after_a_length_prefix_is_truncated() {
    use enjamb::End;
    for (bytes, end) in [
        (&b""[..], End::Clean),
        (b"n", End::Truncated { have: 0, missing: Some(3) }),
        (b"nab", End::Truncated { have: 2, missing: Some(1) }),
        (b"nabc", End::Clean),
    ] {
        let mut framer = Framer::new(Prefixed { body: false });
        framer.feed(bytes, &mut |_| {}).unwrap();
        assert_eq!(framer.close(&mut |_| {}), Ok(end), "{}", bytes.escape_ascii());
    }
}
