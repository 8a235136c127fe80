//! The codecs of `tokio_util`, driven by its own `FramedRead`, from a reader that is always ready
//! and returns reads of one size.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{AnyDelimiterCodec, Decoder, FramedRead, LengthDelimitedCodec, LinesCodec};

use crate::measure::{Contestant, Input, Tally};

/// The maximum size of a frame, in bytes: the limit of the other contestants.
const FRAME_MAX: usize = 1 << 20;

/// Initial capacity of `FramedRead`'s buffer by default, in bytes.
const CAPACITY: usize = 8 << 10;

/// A reader that returns reads of `read` bytes.
struct Reads<'b> {
    bytes: &'b [u8],
    read: usize,
}

impl AsyncRead for Reads<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = self.read.min(self.bytes.len()).min(buffer.remaining());
        let (read, rest) = self.bytes.split_at(length);
        buffer.put_slice(read);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

/// Counts the frames that a codec finds. `payload` returns the length of an item's payload, by the
/// definition of the other contestants.
fn run<D: Decoder>(bytes: &[u8], read: usize, codec: D, payload: impl Fn(&D::Item) -> usize) -> Tally {
    let mut frames = pin!(FramedRead::with_capacity(Reads { bytes, read }, codec, CAPACITY.max(read)));
    let mut context = Context::from_waker(Waker::noop());
    let mut tally = Tally::default();
    while let Poll::Ready(Some(Ok(item))) = frames.as_mut().poll_next(&mut context) {
        tally.count(payload(&item) as u64);
    }
    tally
}

/// Makes the contestant `LinesCodec`: lines that end at LF, without a CR before it, as `String`.
pub(crate) fn lines(input: &Rc<Input>, read: usize) -> Contestant {
    Contestant::new("tokio_util LinesCodec", "splits at LF, strips CR; a String per line", input, move |bytes| {
        run(bytes, read, LinesCodec::new_with_max_length(FRAME_MAX), String::len)
    })
}

/// Makes the contestant `AnyDelimiterCodec`: frames that end at any of these bytes, as `Bytes`.
///
/// The last `delimiter_rest` bytes of its frames belong to the delimiter of the other contestants:
/// it cannot split at CR LF, so it splits at LF.
pub(crate) fn any_delimiter(
    input: &Rc<Input>,
    read: usize,
    delimiters: &'static [u8],
    delimiter_rest: usize,
) -> Contestant {
    let name = "tokio_util AnyDelimiter";
    Contestant::new(name, "splits at any of several bytes; Bytes per frame", input, move |bytes| {
        let codec = AnyDelimiterCodec::new_with_max_length(delimiters.to_vec(), Vec::new(), FRAME_MAX);
        run(bytes, read, codec, |frame| frame.len() - delimiter_rest)
    })
}

/// Makes the contestant `LengthDelimitedCodec`: frames behind a big-endian length of four bytes, as
/// `BytesMut`.
pub(crate) fn length_delimited(input: &Rc<Input>, read: usize) -> Contestant {
    Contestant::new("tokio_util LengthDelim.", "BytesMut per frame", input, move |bytes| {
        let codec = LengthDelimitedCodec::builder().max_frame_length(FRAME_MAX).new_codec();
        run(bytes, read, codec, BytesMut::len)
    })
}
