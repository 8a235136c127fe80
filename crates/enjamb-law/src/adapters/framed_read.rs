//! Drivers that call a decoder as the `FramedRead` of its crate does.

use bytes::BytesMut;

use super::driver::Driver;

/// The initial size of the buffer of a `FramedRead`, in bytes. asynchronous-codec reads that many
/// at once.
const INITIAL_CAPACITY: usize = 8 << 10;

/// The driver of `tokio_util::codec::Decoder`s. It makes the calls of
/// `tokio_util::codec::FramedRead`, version 0.7: a buffer of 8 KiB, which grows when the decoder
/// reserves more; reads into all room that there is; `decode` until `None` after each read, and
/// `decode_eof` until `None` at the end, for an empty buffer too.
#[cfg(feature = "tokio-util")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioUtil;

#[cfg(feature = "tokio-util")]
impl<D: tokio_util::codec::Decoder> Driver<D> for TokioUtil {
    type Buffer = BytesMut;
    type Item = D::Item;
    type Error = D::Error;

    fn reads_on(&self) -> bool {
        true
    }

    fn buffer(&self) -> BytesMut {
        BytesMut::with_capacity(INITIAL_CAPACITY)
    }
    fn read(&self, buffer: &mut BytesMut, chunk: &[u8]) -> usize {
        buffer.reserve(1);
        let read = chunk.len().min(buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&chunk[..read]);
        read
    }
    fn decode(&self, decoder: &mut D, buffer: &mut BytesMut) -> Result<Option<D::Item>, D::Error> {
        decoder.decode(buffer)
    }
    fn decode_eof(&self, decoder: &mut D, buffer: &mut BytesMut) -> Result<Option<D::Item>, D::Error> {
        decoder.decode_eof(buffer)
    }
    fn held(&self, buffer: &BytesMut) -> usize {
        buffer.capacity()
    }
}

/// The driver of `asynchronous_codec::Decoder`s. It makes the calls of
/// `asynchronous_codec::FramedRead`, version 0.7: reads of at most 8 KiB, `decode` until `None`
/// after each; at the end `decode` first, and `decode_eof` only when bytes are left.
#[cfg(feature = "asynchronous-codec")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AsynchronousCodec;

#[cfg(feature = "asynchronous-codec")]
impl<D: asynchronous_codec::Decoder> Driver<D> for AsynchronousCodec {
    type Buffer = BytesMut;
    type Item = D::Item;
    type Error = D::Error;

    fn tells_leftover(&self) -> bool {
        true
    }

    fn buffer(&self) -> BytesMut {
        BytesMut::with_capacity(INITIAL_CAPACITY)
    }
    fn read(&self, buffer: &mut BytesMut, chunk: &[u8]) -> usize {
        let read = chunk.len().min(INITIAL_CAPACITY);
        buffer.extend_from_slice(&chunk[..read]);
        read
    }
    fn decode(&self, decoder: &mut D, buffer: &mut BytesMut) -> Result<Option<D::Item>, D::Error> {
        decoder.decode(buffer)
    }
    fn decode_eof(&self, decoder: &mut D, buffer: &mut BytesMut) -> Result<Option<D::Item>, D::Error> {
        match decoder.decode(buffer)? {
            None if !buffer.is_empty() => decoder.decode_eof(buffer),
            frame => Ok(frame),
        }
    }
    fn held(&self, buffer: &BytesMut) -> usize {
        buffer.capacity()
    }
}
