//! The places of errors, which depend on the bytes and never on the cuts.

use enjamb::{FrameError, FrameInfo, Framer, GapError, Handler, Limit, Machine, Overflow, Step, Terminator};

use crate::trace::{TraceEntry, under_every_cut};

/// A handler that refuses a piece with a `!` when it sees it, and a frame with a `?` when it is
/// whole.
struct Picky {
    terminator: Terminator,
    limit: Limit,
    question: bool,
}

impl Picky {
    fn framer(terminator: &Terminator, limit: Limit) -> Framer<Self> {
        Framer::new(Self { terminator: terminator.clone(), limit, question: false })
    }
}

impl Handler for Picky {
    type Event = FrameInfo;
    type Error = char;

    fn start(&self) -> Terminator {
        self.terminator.clone()
    }
    fn limit(&self) -> Limit {
        self.limit
    }
    fn collect(&mut self, piece: &[u8]) -> Result<(), char> {
        self.question |= piece.contains(&b'?');
        if piece.contains(&b'!') { Err('!') } else { Ok(()) }
    }
    fn found(&mut self, frame: FrameInfo) -> Result<Step<FrameInfo>, char> {
        if std::mem::take(&mut self.question) { Err('?') } else { Ok(Step::event(frame)) }
    }
}

#[test]
fn errors_of_pieces_and_of_frames_have_their_own_places() {
    let crlf = Terminator::crlf();
    for (bytes, error) in [
        (&b"ab\r\nc!d\r\n"[..], FrameError::Handler { start: 4, end: 4, error: '!' }),
        (b"ab\r\n!\r\n", FrameError::Handler { start: 4, end: 4, error: '!' }),
        (b"ab\r\ncd!", FrameError::Handler { start: 4, end: 4, error: '!' }),
        (b"ab\r\nc?d\r\n", FrameError::Handler { start: 4, end: 9, error: '?' }),
        (b"ab\r\n?!\r\n", FrameError::Handler { start: 4, end: 4, error: '!' }),
    ] {
        let entries = under_every_cut(|| Picky::framer(&crlf, Limit::DEFAULT), bytes);
        assert_eq!(entries.last(), Some(&TraceEntry::Failed(error)), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_skipped_frame_is_collected_up_to_its_limit_under_every_cut() {
    let crlf = Terminator::crlf();
    for overflow in [Overflow::Skip, Overflow::Truncate, Overflow::Refuse] {
        let limit = Limit { max: 3, overflow };
        let entries = under_every_cut(|| Picky::framer(&crlf, limit), b"ab!de\r\n");
        assert_eq!(entries, [TraceEntry::Failed(FrameError::Handler { start: 0, end: 0, error: '!' })], "{overflow:?}");
    }
}

#[test]
fn an_error_in_a_gap_is_returned_at_once() {
    let four = Terminator::length(4).unwrap();
    let mut framer = Picky::framer(&four, Limit::DEFAULT);
    framer.feed(b"a?", &mut |_| {}).unwrap();
    let error = FrameError::Handler { start: 0, end: 4, error: '?' };
    assert_eq!(framer.pass(2), Ok(Err(error.clone())));
    assert_eq!(framer.pass(1), Err(GapError), "nothing can be placed behind an error");
    assert_eq!(framer.next(&mut &b"abcd"[..]), Err(error));
}

#[test]
fn lost_bytes_count_towards_the_limit() {
    let ten = Terminator::length(10).unwrap();
    let mut framer = Picky::framer(&ten, Limit::skip(4));
    framer.feed(b"ab", &mut |_| {}).unwrap();
    let found = FrameInfo { start: 0, end: 10, length: 10, dropped: 6, lost: 2, delimiter: 0 };
    assert_eq!(framer.pass(8), Ok(Ok(Some(found))));

    let mut framer = Picky::framer(&Terminator::Close, Limit::refuse(4));
    framer.feed(b"ab", &mut |_| {}).unwrap();
    assert_eq!(framer.pass(2), Ok(Ok(None)));
    assert_eq!(framer.pass(1), Ok(Err(FrameError::TooLong { start: 0, end: 4, max: 4 })));
}
