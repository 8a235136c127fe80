//! Drivers of decoders: the code that owns the buffer and calls the decoder.

use std::marker::PhantomData;

/// A driver of decoders of one kind: it owns their buffer and calls them.
///
/// `TokioUtil` (feature `tokio-util`) and `AsynchronousCodec` (feature `asynchronous-codec`) are
/// ready to use. A driver for another crate's trait, or for an old version of these, takes a dozen
/// lines.
pub trait Driver<D> {
    /// The buffer from which the decoder takes frames.
    type Buffer: AsRef<[u8]>;
    /// A frame.
    type Item;
    /// The error of the decoder.
    type Error;

    /// Returns the buffer of a new stream.
    fn buffer(&self) -> Self::Buffer;

    /// Appends bytes from the front of `chunk`, which is not empty, to the buffer, and returns
    /// their number: as many as one read returns, and at least one.
    fn read(&self, buffer: &mut Self::Buffer, chunk: &[u8]) -> usize;

    /// Returns the next frame, or `None` when the decoder needs more bytes.
    ///
    /// # Errors
    /// The decoder's own.
    fn decode(&self, decoder: &mut D, buffer: &mut Self::Buffer) -> Result<Option<Self::Item>, Self::Error>;

    /// Returns the next frame after the end of the stream, or `None` when there is none.
    ///
    /// # Errors
    /// The decoder's own.
    fn decode_eof(&self, decoder: &mut D, buffer: &mut Self::Buffer) -> Result<Option<Self::Item>, Self::Error>;

    /// Returns whether the real driver reports bytes that were left in the buffer when the stream
    /// ended.
    fn tells_leftover(&self) -> bool {
        false
    }

    /// Returns whether the real driver reads on after an error before it calls the decoder again.
    /// If it does not, a decoder that returns the same error again although its buffer is empty is
    /// given up: the real driver would call it for ever.
    fn reads_on(&self) -> bool {
        false
    }

    /// Returns the number of bytes that the buffer holds.
    fn held(&self, buffer: &Self::Buffer) -> usize {
        buffer.as_ref().len()
    }
}

/// A driver made of two functions; see [`Decoded::by`](crate::Decoded::by).
#[derive(Clone, Copy, Debug)]
pub struct ByHand<D, E, B> {
    decode: D,
    decode_eof: E,
    buffer: PhantomData<fn() -> B>,
}

impl<D, E, B> ByHand<D, E, B> {
    pub(super) fn new(decode: D, decode_eof: E) -> Self {
        Self { decode, decode_eof, buffer: PhantomData }
    }
}

impl<C, B, D, E, T, X> Driver<C> for ByHand<D, E, B>
where
    D: Fn(&mut C, &mut B) -> Result<Option<T>, X>,
    E: Fn(&mut C, &mut B) -> Result<Option<T>, X>,
    B: Default + AsRef<[u8]> + for<'b> Extend<&'b u8>,
{
    type Buffer = B;
    type Item = T;
    type Error = X;

    // A program that calls the decoder itself owns the buffer, and sees the bytes that are left in
    // it.
    fn tells_leftover(&self) -> bool {
        true
    }

    fn buffer(&self) -> B {
        B::default()
    }
    fn read(&self, buffer: &mut B, chunk: &[u8]) -> usize {
        buffer.extend(chunk);
        chunk.len()
    }
    fn decode(&self, decoder: &mut C, buffer: &mut B) -> Result<Option<T>, X> {
        (self.decode)(decoder, buffer)
    }
    fn decode_eof(&self, decoder: &mut C, buffer: &mut B) -> Result<Option<T>, X> {
        (self.decode_eof)(decoder, buffer)
    }
}
