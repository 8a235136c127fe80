//! The ends of streams, and their last offsets.

use std::convert::Infallible;

use enjamb::{End, FrameError, FrameHandler, FrameInfo, Framer, Limit, Machine, Step, Terminator};

use crate::trace::{TraceEntry, under_every_cut};

/// A handler with a script of terminators, one for each frame. The last one stays.
struct Script {
    terminators: Vec<Terminator>,
    limit: Limit,
    at: usize,
}

impl Script {
    fn framer(terminators: &[Terminator], limit: Limit) -> Framer<enjamb::WholeFrames<Self>> {
        Framer::whole(Self { terminators: terminators.to_vec(), limit, at: 0 })
    }
}

impl FrameHandler for Script {
    type Event = (Vec<u8>, FrameInfo);
    type Error = Infallible;

    fn start(&self) -> Terminator {
        self.terminators[0].clone()
    }
    fn limit(&self) -> Limit {
        self.limit
    }
    fn frame(&mut self, frame: &[u8], found: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        let step = Step::event((frame.to_vec(), found));
        self.at += 1;
        Ok(match self.terminators.get(self.at) {
            Some(next) => step.until(next.clone()),
            None => step,
        })
    }
    fn oversized(&mut self, found: FrameInfo) -> Result<Step<Self::Event>, Infallible> {
        Ok(Step::event((b"oversized".to_vec(), found)))
    }
}

fn length(bytes: u64) -> Terminator {
    Terminator::length(bytes).unwrap()
}

#[test]
fn the_end_reports_the_state_of_the_stream() {
    let clean = End::Clean;
    let cut_off = |have, missing| End::Truncated { have, missing };
    let any = Terminator::any_of(["\r", "\r\n", "\n\n\n"]).unwrap();
    for (terminators, bytes, frames, end) in [
        (vec![Terminator::crlf()], &b""[..], 0, clean),
        (vec![Terminator::crlf()], b"ab\r\n", 1, clean),
        (vec![Terminator::crlf()], b"ab\r\ncd", 1, cut_off(2, None)),
        (vec![Terminator::crlf()], b"ab\r\n\r", 1, cut_off(1, None)),
        (vec![length(4)], b"abcd", 1, clean),
        (vec![length(4)], b"abcdefg", 1, cut_off(3, Some(1))),
        (vec![Terminator::Close], b"", 1, clean),
        (vec![Terminator::Close], b"abc\r\n", 1, clean),
        (vec![Terminator::lf(), length(2), Terminator::Close], b"a\nbc", 3, clean),
        (vec![Terminator::lf(), length(2), Terminator::Close], b"a\nb", 1, cut_off(1, Some(1))),
        (vec![any.clone()], b"ab\r", 1, clean),
        (vec![any.clone()], b"ab\n\n", 0, cut_off(4, None)),
        // Held bytes come under the terminator that the frame before them set.
        (vec![any.clone(), Terminator::Close], b"ab\r", 2, clean),
        (vec![any, length(3)], b"\r\n\n\n", 1, cut_off(2, Some(1))),
    ] {
        let entries = under_every_cut(|| Script::framer(&terminators, Limit::DEFAULT), bytes);
        assert_eq!(entries.len(), frames + 1, "{}: {entries:?}", bytes.escape_ascii());
        assert_eq!(entries.last(), Some(&TraceEntry::End(end)), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_frame_that_ends_with_the_stream_obeys_its_limit() {
    let close = [Terminator::Close];
    let found = FrameInfo { start: 0, end: 5, length: 5, dropped: 1, lost: 0, delimiter: 0 };
    for (limit, expected) in [
        (Limit::truncate(4), (b"abcd".to_vec(), found)),
        (Limit::skip(4), (b"oversized".to_vec(), found)),
        (Limit::refuse(5), (b"abcde".to_vec(), FrameInfo { dropped: 0, ..found })),
    ] {
        let entries = under_every_cut(|| Script::framer(&close, limit), b"abcde");
        assert_eq!(entries, [TraceEntry::Event(expected, u64::MAX), TraceEntry::End(End::Clean)], "{limit:?}");
    }
    let entries = under_every_cut(|| Script::framer(&close, Limit::refuse(4)), b"abcde");
    assert_eq!(entries, [TraceEntry::Failed(FrameError::TooLong { start: 0, end: 4, max: 4 })]);
}

/// The held bytes are over the limit: the error comes with the end, as it would have come with the
/// next byte.
#[test]
fn the_limit_holds_for_bytes_that_the_end_delivers() {
    let any = [Terminator::any_of(["b", "aaac"]).unwrap()];
    let entries = under_every_cut(|| Script::framer(&any, Limit::refuse(2)), b"baaa");
    assert_eq!(entries.last(), Some(&TraceEntry::Failed(FrameError::TooLong { start: 1, end: 3, max: 2 })));
}

#[test]
fn offsets_are_exact_up_to_the_last_one_and_stay_there() {
    let any = Terminator::any_of(["\r\n", "\r"]).unwrap();
    for terminator in [Terminator::crlf(), any, length(3), Terminator::Close] {
        for overflow in [Limit::DEFAULT, Limit::truncate(1), Limit::skip(1)] {
            let near = |start| {
                let script = Script { terminators: vec![terminator.clone()], limit: overflow, at: 0 };
                Framer::at(enjamb::WholeFrames::new(script), start)
            };
            let bytes = b"a\r\nbcd\r\n\r\nefgh\r\n";
            let at_zero = under_every_cut(|| near(0), bytes);
            for before_the_end in 0..20 {
                let start = u64::MAX - before_the_end;
                let moved = |offset: u64| start.saturating_add(offset);
                let expected: Vec<_> = at_zero
                    .iter()
                    .map(|entries| match entries.clone() {
                        TraceEntry::Event((frame, found), offset) => {
                            let found = FrameInfo { start: moved(found.start), end: moved(found.end), ..found };
                            TraceEntry::Event((frame, found), moved(offset))
                        }
                        other => other,
                    })
                    .collect();
                assert_eq!(under_every_cut(|| near(start), bytes), expected, "{terminator:?} {overflow:?}");
            }
        }
    }
}

#[test]
fn a_limit_near_the_last_offset_does_not_overflow() {
    let mut framer = Framer::at(
        enjamb::WholeFrames::new(Script { terminators: vec![length(u64::MAX)], limit: Limit::DEFAULT, at: 0 }),
        9,
    );
    assert_eq!(framer.next(&mut &b"x"[..]), Err(FrameError::TooLong { start: 9, end: 9, max: 1 << 20 }));

    let whole = enjamb::WholeFrames::new(Script { terminators: vec![length(u64::MAX)], limit: Limit::skip(3), at: 0 });
    let mut framer = Framer::at(whole, u64::MAX - 2);
    framer.feed(b"abcdef", &mut |_| {}).unwrap();
    assert_eq!(framer.pass(u64::MAX - 7), Ok(Ok(None)));
    let found = FrameInfo {
        start: u64::MAX - 2,
        end: u64::MAX,
        length: u64::MAX,
        dropped: u64::MAX - 3,
        lost: 0,
        delimiter: 0,
    };
    assert_eq!(framer.next(&mut &b"x"[..]), Ok(Some((b"oversized".to_vec(), found))));
    assert_eq!(framer.offset(), u64::MAX);
}
