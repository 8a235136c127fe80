//! Async readers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use enjamb_law::{
    Breach, Chunks, Law, Reading, Segmentations, Subject, awake, end, quiet, split, split_everywhere, stream, total,
};
use futures_util::TryStreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio_util::codec::{FramedRead, LinesCodec};

use crate::laws::{broken, hold, output};

/// Reads a frame, a length and that many bytes; `None` at the end of the stream.
async fn frame<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0];
    if reader.read(&mut length).await? == 0 {
        return Ok(None);
    }
    let mut frame = vec![0; length[0].into()];
    reader.read_exact(&mut frame).await?;
    Ok(Some(frame))
}

const FRAMES: [&[u8]; 3] = [b"\x03abc", b"\0", b"\x01d"];

#[test]
fn an_async_function_obeys_the_laws() {
    hold(&Reading::new(frame), &FRAMES);
    hold(&Reading::new(frame).stingy(1), &FRAMES);
    hold(&Reading::with(|chunks| tokio::io::BufReader::with_capacity(2, chunks), frame), &FRAMES);
}

#[test]
fn the_readers_of_tokio_and_of_futures_obey_the_laws() {
    let lines: [&[u8]; 3] = [b"one\r\n", b"\n", "größe\n".as_bytes()];
    let of_tokio =
        Reading::with(|chunks| tokio::io::BufReader::new(chunks).lines(), async |lines| lines.next_line().await);
    hold(&of_tokio, &lines);
    let of_futures = Reading::with(
        |chunks| futures_util::io::AsyncBufReadExt::lines(futures_util::io::BufReader::new(chunks)),
        async |lines| lines.try_next().await,
    );
    hold(&of_futures, &lines);
    // `Chunks` is an `AsyncBufRead` itself, so it needs no buffer around it.
    hold(&Reading::with(tokio::io::AsyncBufReadExt::lines, async |lines| lines.next_line().await), &lines);
    let untils = Reading::new(async |chunks: &mut Chunks| {
        let mut field = Vec::new();
        let read = futures_util::io::AsyncBufReadExt::read_until(chunks, b',', &mut field).await?;
        Ok::<_, io::Error>((read > 0).then_some(field))
    });
    hold(&untils, &[b"a,", b"bc,", b","]);
}

#[test]
fn a_framed_read_obeys_the_laws() {
    let framed = Reading::stream(|chunks| FramedRead::new(chunks, LinesCodec::new()));
    hold(&framed, &[b"one\n", b"\n", b"three\n"]);
    assert_eq!(output(framed, b"one\ntwo", &[2]), [r#""one""#, r#""two""#]);
}

#[test]
fn an_error_ends_the_run_unless_it_resumes() {
    async fn even(reader: &mut Chunks) -> Result<Option<u8>, String> {
        match reader.read_u8().await {
            Ok(byte) if byte % 2 == 0 => Ok(Some(byte)),
            Ok(byte) => Err(format!("{byte} is odd")),
            Err(_) => Ok(None),
        }
    }
    assert_eq!(output(Reading::new(even), &[2, 3, 4], &[1]), ["2", "failed: _"]);
    assert_eq!(output(Reading::new(even).resumes(), &[2, 3, 4], &[1]), ["2", "failed: _", "4"]);
    // An error at the end of the stream is the last.
    let pairs = Reading::new(async |reader: &mut Chunks| reader.read_u16().await.map(Some)).resumes();
    assert_eq!(output(pairs, b"ab", &[1]), ["24930", "failed: Kind(UnexpectedEof)"]);
}

/// A reader that passes reads on, with one bug.
struct BuggyReader {
    reader: Chunks,
    bug: Bug,
    /// The waker of the first poll.
    kept: Option<Waker>,
    polled: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    /// Passes on a waker that wakes nothing.
    NoopWaker,
    /// Returns `Pending` once before each read, without keeping a waker and without a read.
    PendingWithoutRead,
    /// Wakes itself instead of waiting.
    Spins,
    /// Passes on the waker of the first poll.
    KeepsWaker,
    /// Reads only at every other poll.
    ReadsEveryOtherPoll,
}

impl AsyncRead for BuggyReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.polled += 1;
        let mut reader = Pin::new(&mut this.reader);
        match this.bug {
            Bug::NoopWaker => AsyncRead::poll_read(reader, &mut Context::from_waker(Waker::noop()), buf),
            Bug::PendingWithoutRead if this.polled % 2 == 1 => Poll::Pending,
            Bug::ReadsEveryOtherPoll if this.polled.is_multiple_of(2) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Bug::PendingWithoutRead | Bug::ReadsEveryOtherPoll => AsyncRead::poll_read(reader, cx, buf),
            Bug::Spins => {
                let read = AsyncRead::poll_read(reader.as_mut(), &mut Context::from_waker(Waker::noop()), buf);
                if read.is_pending() {
                    cx.waker().wake_by_ref();
                }
                read
            }
            Bug::KeepsWaker => {
                let kept = this.kept.get_or_insert_with(|| cx.waker().clone());
                AsyncRead::poll_read(reader, &mut Context::from_waker(kept), buf)
            }
        }
    }
}

fn buggy(bug: Bug) -> impl Subject<Event = Vec<u8>, Error = enjamb_law::Kind> {
    Reading::with(move |reader| BuggyReader { reader, bug, kept: None, polled: 0 }, frame)
}

#[test]
fn lost_wake_ups_are_caught() {
    for (bug, fault, cuts) in [
        (Bug::NoopWaker, Breach::Asleep, &[][..]),
        (Bug::PendingWithoutRead, Breach::Asleep, &[]),
        (Bug::Spins, Breach::Busy, &[]),
        // At the first chunk the kept waker is the current one; at the second it is not.
        (Bug::KeepsWaker, Breach::Asleep, &[1]),
    ] {
        let violation = awake(&buggy(bug), &stream(b"\x01a\x02bc"), cuts).unwrap_err();
        assert_eq!((violation.law, violation.verdict), (Law::Awake, fault.to_string()), "{bug:?}");
        assert!(violation.input.len() <= 2, "{bug:?}: {:?}", violation.input);
    }
    // A read that takes two polls is slow, not wrong.
    awake(&buggy(Bug::ReadsEveryOtherPoll), &stream(b"\x01a\x02bc"), &[1, 3]).unwrap();
    split(&buggy(Bug::ReadsEveryOtherPoll), &stream(b"\x01a\x02bc"), &[1, 3]).unwrap();
}

/// A reader that polls its inner reader only when the waker that it left there was woken, as joins
/// of many futures do.
struct WokenOnlyReader {
    reader: Chunks,
    left: Option<Arc<FlagWaker>>,
}

struct FlagWaker {
    woken: AtomicBool,
    task: Waker,
}

impl Wake for FlagWaker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl AsyncRead for WokenOnlyReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left.as_ref().is_some_and(|left| !left.woken.load(Ordering::Acquire)) {
            return Poll::Pending;
        }
        let left = Arc::new(FlagWaker { woken: AtomicBool::new(false), task: cx.waker().clone() });
        let waker = Waker::from(left.clone());
        let read = AsyncRead::poll_read(Pin::new(&mut this.reader), &mut Context::from_waker(&waker), buf);
        this.left = read.is_pending().then_some(left);
        read
    }
}

#[test]
fn a_reader_that_keeps_the_waker_of_an_earlier_poll_is_caught() {
    let reading = Reading::with(|reader| WokenOnlyReader { reader, left: None }, frame);
    awake(&reading, &stream(b"\x02ab"), &[1, 2]).unwrap();
    let violation = quiet(&reading, &stream(b"\x02ab"), &[]).unwrap_err();
    assert_eq!(violation.traces.unwrap()[1].outputs, [Breach::Asleep.to_string()]);
}

#[test]
fn a_reader_that_takes_a_read_for_a_whole_frame_is_caught() {
    async fn read_once(reader: &mut Chunks) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0];
        if reader.read(&mut length).await? == 0 {
            return Ok(None);
        }
        let mut frame = vec![0; length[0].into()];
        let read = reader.read(&mut frame).await?;
        frame.truncate(read);
        Ok(Some(frame))
    }
    let reading = Reading::new(read_once);
    let violation = split_everywhere(&reading, &stream(b"\x02ab"), &Segmentations::up_to_one_cut()).unwrap_err();
    assert_eq!((violation.input, violation.cuts), (stream(b"aaa"), vec![2]));
    assert_eq!(output(reading.clone(), b"\x02ab", &[]), ["[97, 98]"]);
    // Short reads show the bug without a cut.
    assert_eq!(output(reading.stingy(1), b"\x02ab", &[]), ["[97]", "[]"]);
}

#[test]
fn a_reader_that_never_checks_for_the_end_is_caught() {
    async fn line(reader: &mut Chunks) -> io::Result<Option<String>> {
        let mut line = String::new();
        let mut byte = [0];
        while byte != *b"\n" {
            let _ = reader.read(&mut byte).await?;
            line.push(char::from(byte[0]));
        }
        Ok(Some(line))
    }
    let violation = total(&Reading::new(line), &stream(b"a\nb"), &[]).unwrap_err();
    assert_eq!(violation.verdict, Breach::Hung.to_string());
}

#[test]
fn a_reader_that_takes_an_end_inside_a_frame_for_a_clean_end_is_caught() {
    async fn lenient(reader: &mut Chunks) -> io::Result<Option<Vec<u8>>> {
        match frame(reader).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read,
        }
    }
    let violation = end(&Reading::new(lenient), &FRAMES).unwrap_err();
    assert_eq!(
        violation.verdict,
        "the stream ends 1 bytes into a message of 2, and nothing reports it: the bytes are lost silently"
    );
}

#[test]
fn a_reader_whose_buffer_dies_with_the_call_is_caught() {
    async fn line(reader: &mut Chunks) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = tokio::io::BufReader::new(reader).read_line(&mut line).await?;
        Ok((read > 0).then_some(line))
    }
    let violation = broken(&Reading::new(line), &[b"a\n", b"b\n"], &[]).unwrap();
    assert_eq!(violation.law, Law::Split);
    assert_eq!((violation.input, violation.cuts), (stream(b"\na"), vec![1]));
}
