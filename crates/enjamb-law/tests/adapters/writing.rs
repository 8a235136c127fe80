//! Async writers.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use enjamb_law::{Breach, Outgoing, Segmentations, Subject, Writing, awake, quiet, split, split_everywhere, stream};
use futures_util::SinkExt as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufWriter};
use tokio_util::codec::{FramedWrite, LengthDelimitedCodec};

/// Asserts that the writer writes `bytes` and obeys the laws, under every one and two cuts of the
/// room that it needs.
#[track_caller]
fn assert_obeys<M, T, F, A>(writing: &Writing<M, T, F, A>, bytes: &[u8])
where
    Writing<M, T, F, A>: Subject<Event = enjamb_law::WrittenBytes, Error = enjamb_law::Kind>,
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
    assert_obeys(
        &Writing::new(words.clone(), async |outgoing: &mut Outgoing, word| outgoing.write_all(word.as_bytes()).await),
        b"soitgoes",
    );
    let of_futures = async |outgoing: &mut Outgoing, word: &str| {
        futures_util::AsyncWriteExt::write_all(outgoing, word.as_bytes()).await
    };
    assert_obeys(&Writing::new(words.clone(), of_futures), b"soitgoes");
    let buffered = Writing::with(
        |outgoing| BufWriter::with_capacity(16, outgoing),
        words,
        async |writer, word| writer.write_all(word.as_bytes()).await,
    );
    // The bytes are still in the buffer and were not written.
    assert!(buffered.input().is_empty());
    assert_obeys(&buffered.at_end(async |writer: &mut BufWriter<Outgoing>| writer.flush().await), b"soitgoes");
    let framed = Writing::with(
        |outgoing| FramedWrite::new(outgoing, LengthDelimitedCodec::new()),
        vec![Bytes::from_static(b"abc"), Bytes::from_static(b"d")],
        async |frames, frame| frames.send(frame).await,
    );
    assert_obeys(&framed, b"\0\0\0\x03abc\0\0\0\x01d");
}

#[test]
fn a_writer_that_ignores_how_much_was_written_is_caught() {
    let careless = Writing::new(vec!["one", "two"], async |outgoing: &mut Outgoing, word: &str| {
        outgoing.write(word.as_bytes()).await.map(drop)
    });
    let violation = split_everywhere(&careless, &careless.input(), &Segmentations::up_to_one_cut()).unwrap_err();
    let [whole, cut] = violation.traces.clone().unwrap();
    assert_eq!((violation.input.len(), violation.cuts), (2, vec![1]));
    assert_eq!((whole.outputs, cut.outputs), (vec![r#""ontwo""#.to_owned()], vec![r#""ot""#.to_owned()]));
}

#[test]
fn a_writer_that_miscounts_a_vectored_write_is_caught() {
    // A header and a payload in one write: the writer assumes that the whole header was written.
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

/// A writer that passes writes on with a waker that wakes nothing. With `spins` it wakes itself
/// instead.
struct NoopWakerWriter {
    outgoing: Outgoing,
    spins: bool,
}

impl AsyncWrite for NoopWakerWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken =
            AsyncWrite::poll_write(Pin::new(&mut self.outgoing), &mut Context::from_waker(Waker::noop()), bytes);
        if self.spins && taken.is_pending() {
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
fn lost_wake_ups_are_caught() {
    for (spins, fault) in [(false, Breach::Asleep), (true, Breach::Busy)] {
        let lost = Writing::with(
            move |outgoing| NoopWakerWriter { outgoing, spins },
            vec!["abc"],
            async |writer, word| writer.write_all(word.as_bytes()).await,
        );
        assert_eq!(awake(&lost, &stream(b"aaa"), &[]).unwrap_err().verdict, fault.to_string());
    }
}

#[test]
fn an_error_comes_after_the_bytes_that_were_written() {
    let failing = Writing::new(vec!["one", ""], async |outgoing: &mut Outgoing, word: &str| match word {
        "" => Err(io::ErrorKind::InvalidInput.into()),
        word => outgoing.write_all(word.as_bytes()).await,
    });
    assert_eq!(crate::laws::output(failing, b"aaaa", &[1, 2]), [r#""one""#, "failed: Kind(InvalidInput)"]);
}
