//! The codecs of `tokio_util`, driven by its own `FramedRead`, from a reader that is always ready and gives reads of one size.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{AnyDelimiterCodec, Decoder, FramedRead, LengthDelimitedCodec, LinesCodec};

use crate::measure::{Contestant, Input, Tally};

/// The largest frame that is allowed, as in the other contestants.
const FRAME_MAX: usize = 1 << 20;

/// What `FramedRead` has room for at first, unless it is told otherwise.
const CAPACITY: usize = 8 << 10;

struct Reads<'b> {
    bytes: &'b [u8],
    read: usize,
}

impl AsyncRead for Reads<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let here = self.read.min(self.bytes.len()).min(buffer.remaining());
        let (read, rest) = self.bytes.split_at(here);
        buffer.put_slice(read);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

/// All that a codec finds. `payload` is the length of what an item is in the other contestants.
fn run<D: Decoder>(bytes: &[u8], read: usize, codec: D, payload: impl Fn(&D::Item) -> usize) -> Tally {
    let mut frames = pin!(FramedRead::with_capacity(Reads { bytes, read }, codec, CAPACITY.max(read)));
    let mut context = Context::from_waker(Waker::noop());
    let mut tally = Tally::default();
    while let Poll::Ready(Some(Ok(item))) = frames.as_mut().poll_next(&mut context) {
        tally.count(payload(&item) as u64);
    }
    tally
}

/// `LinesCodec`: lines that end at LF, a CR before it cut off, as `String`.
pub(crate) fn lines(input: &Rc<Input>, read: usize) -> Contestant {
    Contestant::new("tokio_util LinesCodec", "LF, strips CR; a String for each line", input, move |bytes| {
        run(bytes, read, LinesCodec::new_with_max_length(FRAME_MAX), String::len)
    })
}

/// `AnyDelimiterCodec`: frames that end at any of these bytes, as `Bytes`. Of what it says `behind` bytes belong to the delimiter.
pub(crate) fn any_delimiter(input: &Rc<Input>, read: usize, delimiters: &'static [u8], behind: usize) -> Contestant {
    let name = "tokio_util AnyDelimiter";
    Contestant::new(name, "any of some bytes; Bytes for each frame", input, move |bytes| {
        let codec = AnyDelimiterCodec::new_with_max_length(delimiters.to_vec(), Vec::new(), FRAME_MAX);
        run(bytes, read, codec, |frame| frame.len() - behind)
    })
}

/// `LengthDelimitedCodec`: frames behind a length of four bytes, big-endian, as `BytesMut`.
pub(crate) fn length_delimited(input: &Rc<Input>, read: usize) -> Contestant {
    Contestant::new("tokio_util LengthDelim.", "BytesMut for each frame", input, move |bytes| {
        let codec = LengthDelimitedCodec::builder().max_frame_length(FRAME_MAX).new_codec();
        run(bytes, read, codec, BytesMut::len)
    })
}
