//! Async writers.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use enjamb_law::{Breach, Outgoing, Segmentations, Subject, Writing, awake, quiet, split, split_everywhere, stream};
use futures_util::SinkExt as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufWriter};
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

/// Under every one and two cuts of the room it needs.
#[track_caller]
fn holds<M, T, F, A>(writing: &Writing<M, T, F, A>, bytes: &[u8])
where
    Writing<M, T, F, A>: Subject<Event = enjamb_law::Written, Error = enjamb_law::Kind>,
{
    let input = writing.input();
    assert_eq!(input.len(), bytes.len());
    let checked = split_everywhere(writing, &input, &Segmentations::up_to_two_cuts());
    assert_eq!(checked.unwrap_or_else(|violation| panic!("{violation}")).outputs, 1);
    let every: Vec<usize> = (1..input.len()).collect();
    awake(writing, &input, &every).unwrap();
    quiet(writing, &input, &every).unwrap();
}

#[test]
fn writers_of_tokio_and_of_futures_obey_the_laws() {
    let words = vec!["so", "it", "goes"];
    holds(
        &Writing::new(words.clone(), async |outgoing: &mut Outgoing, word| outgoing.write_all(word.as_bytes()).await),
        b"soitgoes",
    );
    let of_futures = async |outgoing: &mut Outgoing, word: &str| {
        futures_util::AsyncWriteExt::write_all(outgoing, word.as_bytes()).await
    };
    holds(&Writing::new(words.clone(), of_futures), b"soitgoes");
    let buffered = Writing::with(
        |outgoing| BufWriter::with_capacity(16, outgoing),
        words,
        async |writer, word| writer.write_all(word.as_bytes()).await,
    );
    // What is still in the buffer is not written.
    assert!(buffered.input().is_empty());
    holds(&buffered.at_end(async |writer: &mut BufWriter<Outgoing>| writer.flush().await), b"soitgoes");
    let framed = Writing::with(
        |outgoing| FramedWrite::new(outgoing, LengthDelimitedCodec::new()),
        vec![Bytes::from_static(b"abc"), Bytes::from_static(b"d")],
        async |frames, frame| frames.send(frame).await,
    );
    holds(&framed, b"\0\0\0\x03abc\0\0\0\x01d");
}

#[test]
fn a_writer_that_does_not_look_how_much_was_taken_is_caught() {
    let careless = Writing::new(vec!["one", "two"], async |outgoing: &mut Outgoing, word: &str| {
        outgoing.write(word.as_bytes()).await.map(drop)
    });
    let violation = split_everywhere(&careless, &careless.input(), &Segmentations::up_to_one_cut()).unwrap_err();
    let [whole, cut] = violation.traces.clone().unwrap();
    assert_eq!((violation.input.len(), violation.cuts), (2, vec![1]));
    assert_eq!((whole.outputs, cut.outputs), (vec![r#""ontwo""#.to_owned()], vec![r#""ot""#.to_owned()]));
}

#[test]
fn a_writer_that_counts_wrong_over_several_buffers_is_caught() {
    // A header and a payload in one write: it believes that the header went out whole.
    async fn both(outgoing: &mut Outgoing, payload: &'static str) -> io::Result<()> {
        let header = [b'0', b'0' + u8::try_from(payload.len()).unwrap_or(0)];
        let written = outgoing.write_vectored(&[IoSlice::new(&header), IoSlice::new(payload.as_bytes())]).await?;
        outgoing.write_all(&payload.as_bytes()[written.saturating_sub(header.len())..]).await
    }
    let writing = || Writing::new(vec!["abc"], both);
    split(&writing(), &stream(&[0; 5]), &[2]).unwrap();
    split(&writing().vectored(), &stream(&[0; 5]), &[3]).unwrap();
    let violation = split_everywhere(&writing().vectored(), &stream(&[0; 5]), &Segmentations::up_to_one_cut());
    assert_eq!(violation.unwrap_err().cuts, [1]);
}

/// A writer that hands writes on with a waker that wakes nobody; or with the right one, and then wakes itself too.
struct Lost(Outgoing, bool);

impl AsyncWrite for Lost {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = AsyncWrite::poll_write(Pin::new(&mut self.0), &mut Context::from_waker(Waker::noop()), bytes);
        if self.1 && taken.is_pending() {
            cx.waker().wake_by_ref();
        }
        taken
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn wake_ups_that_are_lost_are_seen() {
    for (spins, fault) in [(false, Breach::Asleep), (true, Breach::Busy)] {
        let lost = Writing::with(
            move |outgoing| Lost(outgoing, spins),
            vec!["abc"],
            async |writer, word| writer.write_all(word.as_bytes()).await,
        );
        assert_eq!(awake(&lost, &stream(b"aaa"), &[]).unwrap_err().verdict, fault.to_string());
    }
}

#[test]
fn an_error_is_said_behind_what_was_written() {
    let failing = Writing::new(vec!["one", ""], async |outgoing: &mut Outgoing, word: &str| match word {
        "" => Err(io::ErrorKind::InvalidInput.into()),
        word => outgoing.write_all(word.as_bytes()).await,
    });
    assert_eq!(crate::laws::said(failing, b"aaaa", &[1, 2]), [r#""one""#, "failed: Kind(InvalidInput)"]);
}
