//! Decoders that take frames off the front of a buffer: `tokio_util::codec::Decoder` and similar
//! traits.
//!
//! Such a decoder is half of a program. The other half, the driver, owns the buffer, and many bugs
//! lie between the two. For example, a decoder that returns `None` with a frame in the buffer is
//! called again only when more bytes arrive, and at the end of the stream another method is called
//! than before. So the drivers here make the same calls as `FramedRead`.

use enjamb::End;

use crate::kind::Kind;
use crate::output::Output;
use crate::run::Run;
use crate::subject::Subject;

use super::driver::{ByHand, Driver};

/// The [`Subject`] of a decoder that takes frames from a buffer.
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
/// Its events are the frames, its errors their [`Kind`]. After an error the decoder is called
/// again, unless the adapter [`stops`](Self::stops). Bytes may be left in the buffer when the
/// stream ends. Tokio's `FramedRead` does not report them, so this adapter does not either, unless
/// you ask for it ([`with_verdict`](Self::with_verdict)). A decoder whose `decode_eof` ignores such
/// bytes breaks the law [`end`](crate::end).
///
/// When it is [called again](crate::Event::Again) without new bytes, the decoder is called with the
/// buffer as it is.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<M, V> {
    make: M,
    driver: V,
    resumes: bool,
    verdict: bool,
}

impl<M, V> Decoded<M, V> {
    /// Makes a subject of the decoders that `make` returns, called by `driver`.
    pub fn driven<D>(make: M, driver: V) -> Self
    where
        M: Fn() -> D,
        V: Driver<D>,
    {
        Self { make, driver, resumes: true, verdict: false }
    }

    /// Continues after an error, as a program does that logs it and requests the next frame. The
    /// run ends when the decoder returns the same error twice in a row and takes no byte in
    /// between. This is the default.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }

    /// Ends the run at the first error, as a program does that gives the connection up.
    #[must_use]
    pub fn stops(mut self) -> Self {
        self.resumes = false;
        self
    }

    /// Reports at the end of the stream whether the buffer is empty ([`End::Clean`]) or not
    /// ([`End::Leftover`]), for programs that check it.
    #[must_use]
    pub fn with_verdict(mut self) -> Self {
        self.verdict = true;
        self
    }
}

#[cfg(feature = "tokio-util")]
impl<M> Decoded<M, super::framed_read::TokioUtil> {
    /// Makes a subject of the `tokio_util::codec::Decoder`s that `make` returns.
    pub fn new<D>(make: M) -> Self
    where
        M: Fn() -> D,
        D: tokio_util::codec::Decoder,
    {
        Self::driven(make, super::framed_read::TokioUtil)
    }
}

#[cfg(feature = "asynchronous-codec")]
impl<M> Decoded<M, super::framed_read::AsynchronousCodec> {
    /// Makes a subject of the `asynchronous_codec::Decoder`s that `make` returns. Bytes that no
    /// frame took are an error in `FramedRead`, and [`End::Leftover`] here.
    pub fn asynchronous<D>(make: M) -> Self
    where
        M: Fn() -> D,
        D: asynchronous_codec::Decoder,
    {
        Self::driven(make, super::framed_read::AsynchronousCodec)
    }
}

impl<M, D, E, B> Decoded<M, ByHand<D, E, B>> {
    /// Makes a subject of the decoders that `make` returns. `decode`, and at the end of the stream
    /// `decode_eof`, call a decoder until it returns `None`. The buffer is any type that can be
    /// extended: a `Vec<u8>`, or a `BytesMut` of any version.
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
        Self::driven(make, ByHand::new(decode, decode_eof))
    }
}

/// The most bytes that are read while a decoder refuses those that are there.
const REFUSED_MAX: usize = 4 << 10;

/// The error that a decoder returns again and again while it takes no byte. A line that is longer
/// than a limit may stay in the buffer like that until its end is there.
struct Refusal {
    kind: Kind,
    /// The number of bytes in the buffer when it began.
    held: usize,
    /// The number of bytes in the buffer when the error was emitted last.
    emitted_at: usize,
}

/// The reaction of a driver to a decoder that refuses the bytes in its buffer.
#[derive(Clone, Copy)]
enum Patience {
    /// It reads on, even if the buffer is empty.
    ReadsOn,
    /// It reads on if the buffer is not empty: the rest of a message may end the refusal.
    ReadsOnWithBytes,
    /// The stream has ended: it gives the decoder up.
    None,
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
        let mut refusal = None;
        let patience = if self.driver.reads_on() { Patience::ReadsOn } else { Patience::ReadsOnWithBytes };
        while let Some(mut chunk) = run.next_chunk() {
            loop {
                if !chunk.is_empty() {
                    let read = self.driver.read(&mut buffer, chunk);
                    chunk = &chunk[read..];
                    run.holds(self.driver.held(&buffer));
                }
                let decode = |buffer: &mut V::Buffer| self.driver.decode(&mut decoder, buffer);
                if !self.frames(run, &mut buffer, &mut refusal, patience, decode) {
                    return;
                }
                if chunk.is_empty() {
                    break;
                }
            }
            run.holds(self.driver.held(&buffer));
        }
        let decode_eof = |buffer: &mut V::Buffer| self.driver.decode_eof(&mut decoder, buffer);
        if !self.frames(run, &mut buffer, &mut None, Patience::None, decode_eof) {
            return;
        }
        if self.verdict || self.driver.tells_leftover() {
            let left = buffer.as_ref().len();
            run.emit(Output::End(if left == 0 { End::Clean } else { End::Leftover(left as u64) }));
        }
    }
}

impl<M, V> Decoded<M, V> {
    /// Emits all frames of the buffer. Returns whether the run continues.
    fn frames<B, T, X>(
        &self,
        run: &mut Run<'_, T, Kind>,
        buffer: &mut B,
        refusal: &mut Option<Refusal>,
        patience: Patience,
        mut decode: impl FnMut(&mut B) -> Result<Option<T>, X>,
    ) -> bool
    where
        B: AsRef<[u8]>,
        X: std::fmt::Debug,
    {
        loop {
            let before = buffer.as_ref().len();
            let error = match decode(buffer) {
                Ok(Some(frame)) => {
                    *refusal = None;
                    run.event(frame);
                    continue;
                }
                Ok(None) => {
                    *refusal = None;
                    return true;
                }
                Err(error) => error,
            };
            let kind = Kind::of(&error);
            let held = buffer.as_ref().len();
            // A different error is progress too: `LinesCodec` refuses a line that is too long after
            // one that is not UTF-8, and skips it only when it is called again.
            if let Some(refused) = refusal.as_mut().filter(|refused| held == before && refused.kind == kind) {
                let reads_on = match patience {
                    Patience::ReadsOn => true,
                    Patience::ReadsOnWithBytes => held > 0,
                    Patience::None => false,
                };
                if reads_on && held.saturating_sub(refused.held) < REFUSED_MAX {
                    if held > refused.emitted_at {
                        refused.emitted_at = held;
                        return run.fail(kind) || self.resumes;
                    }
                    return true;
                }
                run.emit(if reads_on { Output::Refuses } else { Output::GivenUp });
                return false;
            }
            let goes_on = run.fail(kind.clone());
            if !self.resumes {
                return goes_on;
            }
            *refusal = (held == before).then_some(Refusal { kind, held, emitted_at: held });
        }
    }
}
