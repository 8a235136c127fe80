//! Decoders that take frames off the front of a buffer: `tokio_util::codec::Decoder` and its kin.
//!
//! Such a decoder is half of a program. The other half, the driver, owns the buffer, and much of what goes wrong goes wrong between the two: a decoder
//! that returns `None` with a frame in the buffer is asked again only when more bytes arrive, one that is asked at the end of the stream by another
//! method than before. So the driver here does what `FramedRead` does, call for call.

use std::marker::PhantomData;

use enjamb::End;

use crate::kind::Kind;
use crate::output::Output;
use crate::run::Run;
use crate::subject::Subject;

/// How decoders of one kind are driven: what their buffer is, and what they are called with.
///
/// `TokioUtil` and `AsynchronousCodec` are ready, with the features of their names; one for another crate's trait, or for an old version of these, is a dozen lines.
pub trait Driver<D> {
    /// The buffer that frames are taken off.
    type Buffer: AsRef<[u8]>;
    /// A frame.
    type Item;
    /// Why there is none.
    type Error;

    /// The buffer of a new stream.
    fn buffer(&self) -> Self::Buffer;

    /// Puts bytes from the front of `chunk`, which is not empty, behind those in the buffer, and says how many: as many as one read would
    /// bring, at least one.
    fn read(&self, buffer: &mut Self::Buffer, chunk: &[u8]) -> usize;

    /// The next frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The decoder's own.
    fn decode(&self, decoder: &mut D, buffer: &mut Self::Buffer) -> Result<Option<Self::Item>, Self::Error>;

    /// The next frame, now that the stream has ended; `None` when there is none.
    ///
    /// # Errors
    /// The decoder's own.
    fn decode_eof(&self, decoder: &mut D, buffer: &mut Self::Buffer) -> Result<Option<Self::Item>, Self::Error>;

    /// Does the real driver tell whoever reads from it that bytes were left in the buffer when the stream ended?
    fn tells_leftover(&self) -> bool {
        false
    }

    /// How many bytes the buffer holds on to.
    fn held(&self, buffer: &Self::Buffer) -> usize {
        buffer.as_ref().len()
    }
}

/// A constructor of decoders, as a [`Subject`].
///
/// ```
/// # #[cfg(feature = "tokio-util")] {
/// use enjamb_law::{Decoded, Segmentations, split_everywhere, stream};
/// use tokio_util::codec::LinesCodec;
///
/// let lines = Decoded::new(|| LinesCodec::new_with_max_length(80));
/// split_everywhere(&lines, &stream(b"one\r\ntwo\n\nthree"), &Segmentations::up_to_two_cuts()).unwrap();
/// # }
/// ```
///
/// Its events are the frames, its errors their [`Kind`]. When the stream ends with bytes that no frame took and `decode_eof` does not say so, whoever
/// reads from tokio's `FramedRead` never learns of them, and so nothing is said of them here either, unless
/// [`with_verdict`](Self::with_verdict) asks for it: such a decoder breaks the law [`end`](crate::end).
///
/// [Asked again](crate::Event::Again), the decoder is called once more with the buffer as it is.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<M, V> {
    make: M,
    driver: V,
    resumes: bool,
    verdict: bool,
}

impl<M, V> Decoded<M, V> {
    /// The decoders that `make` makes, driven by `driver`.
    pub fn driven<D>(make: M, driver: V) -> Self
    where
        M: Fn() -> D,
        V: Driver<D>,
    {
        Self { make, driver, resumes: false, verdict: false }
    }

    /// Goes on after an error, as a program does that logs it and asks for the next frame. The run is over when the decoder fails twice in a row in the same way and
    /// takes no byte in between. Without this an error is the end, as it is for `FramedRead`.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// Says at the end of the stream whether the buffer is empty ([`End::Clean`]) or not ([`End::Leftover`]): for a program that looks.
    #[must_use]
    pub fn with_verdict(mut self) -> Self {
        self.verdict = true;
        self
    }
}

impl<M, D, E, B> Decoded<M, ByHand<D, E, B>> {
    /// The decoders that `make` makes, called by `decode` and, at the end of the stream, by `decode_eof`, until they return `None`. The
    /// buffer is any that can be extended: a `Vec<u8>`, a `BytesMut` of whatever version.
    ///
    /// ```
    /// use enjamb_law::{Decoded, Segmentations, split_everywhere, stream};
    ///
    /// fn pair(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, ()> {
    ///     Ok((buffer.len() >= 2).then(|| buffer.drain(..2).collect()))
    /// }
    ///
    /// let pairs = Decoded::by(|| (), |(), buffer: &mut Vec<u8>| pair(buffer), |(), buffer: &mut Vec<u8>| pair(buffer));
    /// split_everywhere(&pairs, &stream(b"aabbc"), &Segmentations::up_to_two_cuts()).unwrap();
    /// ```
    pub fn by<C, T, X>(make: M, decode: D, decode_eof: E) -> Self
    where
        M: Fn() -> C,
        D: Fn(&mut C, &mut B) -> Result<Option<T>, X>,
        E: Fn(&mut C, &mut B) -> Result<Option<T>, X>,
        B: Default + AsRef<[u8]> + for<'b> Extend<&'b u8>,
    {
        Self::driven(make, ByHand { decode, decode_eof, buffer: PhantomData })
    }
}

impl<M, D, V> Subject for Decoded<M, V>
where
    M: Fn() -> D,
    V: Driver<D>,
    V::Error: std::fmt::Debug,
{
    type Event = V::Item;
    type Error = Kind;

    fn run(&self, run: &mut Run<'_, V::Item, Kind>) {
        let mut decoder = (self.make)();
        let mut buffer = self.driver.buffer();
        while let Some(mut chunk) = run.next_chunk() {
            loop {
                if !chunk.is_empty() {
                    let read = self.driver.read(&mut buffer, chunk);
                    chunk = &chunk[read..];
                    run.holds(self.driver.held(&buffer));
                }
                if !self.frames(run, &mut buffer, |buffer| self.driver.decode(&mut decoder, buffer)) {
                    return;
                }
                if chunk.is_empty() {
                    break;
                }
            }
            run.holds(self.driver.held(&buffer));
        }
        if !self.frames(run, &mut buffer, |buffer| self.driver.decode_eof(&mut decoder, buffer)) {
            return;
        }
        if self.verdict || self.driver.tells_leftover() {
            let left = buffer.as_ref().len();
            run.emit(Output::End(if left == 0 { End::Clean } else { End::Leftover(left as u64) }));
        }
    }
}

impl<M, V> Decoded<M, V> {
    /// Says all frames there are. `false`: nothing more is to be asked of the decoder.
    fn frames<B, T, X>(
        &self,
        run: &mut Run<'_, T, Kind>,
        buffer: &mut B,
        mut decode: impl FnMut(&mut B) -> Result<Option<T>, X>,
    ) -> bool
    where
        B: AsRef<[u8]>,
        X: std::fmt::Debug,
    {
        // How it failed the last time, and how many bytes were in the buffer then. Another error is a step too: a line that is too long is refused behind one
        // that is no text, and only skipped when it is asked again.
        let mut failed: Option<(Kind, usize)> = None;
        loop {
            match decode(buffer) {
                Ok(Some(frame)) => {
                    failed = None;
                    run.event(frame);
                }
                Ok(None) => return true,
                Err(error) => {
                    let this = (Kind::of(&error), buffer.as_ref().len());
                    if failed.as_ref() == Some(&this) {
                        return false;
                    }
                    let goes_on = run.fail(this.0.clone());
                    if !self.resumes {
                        return goes_on;
                    }
                    failed = Some(this);
                }
            }
        }
    }
}

/// Drives a decoder by two functions; see [`Decoded::by`].
#[derive(Clone, Copy, Debug)]
pub struct ByHand<D, E, B> {
    decode: D,
    decode_eof: E,
    buffer: PhantomData<fn() -> B>,
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

    /// Whoever calls a decoder by hand has the buffer, and sees what is left in it.
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

#[cfg(any(feature = "tokio-util", feature = "asynchronous-codec"))]
mod framed {
    use bytes::BytesMut;

    use super::{Decoded, Driver};

    /// The buffer that a `FramedRead` begins with, in bytes; and what one of asynchronous-codec reads at once.
    const INITIAL_CAPACITY: usize = 8 << 10;

    /// Drives a `tokio_util::codec::Decoder` as `tokio_util::codec::FramedRead` of version 0.7 does: a buffer of 8 KiB, which grows when the
    /// decoder reserves more; a read brings as much as there is room for; `decode` until `None` after each read, and `decode_eof` until `None`
    /// at the end, for an empty buffer too.
    #[cfg(feature = "tokio-util")]
    #[derive(Clone, Copy, Debug, Default)]
    pub struct TokioUtil;

    #[cfg(feature = "tokio-util")]
    impl<D: tokio_util::codec::Decoder> Driver<D> for TokioUtil {
        type Buffer = BytesMut;
        type Item = D::Item;
        type Error = D::Error;

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

    #[cfg(feature = "tokio-util")]
    impl<M> Decoded<M, TokioUtil> {
        /// The `tokio_util::codec::Decoder`s that `make` makes.
        pub fn new<D>(make: M) -> Self
        where
            M: Fn() -> D,
            D: tokio_util::codec::Decoder,
        {
            Self::driven(make, TokioUtil)
        }
    }

    /// Drives an `asynchronous_codec::Decoder` as `asynchronous_codec::FramedRead` of version 0.7 does: reads of 8 KiB at the most, `decode` until `None`
    /// after each; at the end `decode` first, and `decode_eof` only when there are bytes left.
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

    #[cfg(feature = "asynchronous-codec")]
    impl<M> Decoded<M, AsynchronousCodec> {
        /// The `asynchronous_codec::Decoder`s that `make` makes. What `FramedRead` calls an error, bytes that no frame took, is [`End::Leftover`](enjamb::End) here.
        pub fn asynchronous<D>(make: M) -> Self
        where
            M: Fn() -> D,
            D: asynchronous_codec::Decoder,
        {
            Self::driven(make, AsynchronousCodec)
        }
    }
}

#[cfg(feature = "asynchronous-codec")]
pub use framed::AsynchronousCodec;
#[cfg(feature = "tokio-util")]
pub use framed::TokioUtil;
