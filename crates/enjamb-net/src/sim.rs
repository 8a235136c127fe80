//! Streams without sockets, for tests: every read, every short write and every reset is scripted.
//!
//! [`run`](crate::run), [`Server`](crate::Server) and everything else of this crate that takes a
//! stream takes a [`Stream`]. A [`Relay`](crate::relay::Relay) takes a [`Listener`] and
//! [`Upstream::simulated`](crate::relay::Upstream::simulated). Time is tokio's, so a test that
//! begins with `#[tokio::test(start_paused = true)]` waits for no clock: minutes pass as soon as
//! nothing else can happen.
//!
//! ```
//! use std::time::Duration;
//!
//! use enjamb_net::sim::{Read, Stream, Write};
//! # use std::convert::Infallible;
//! # use enjamb::{FrameHandler, FrameInfo, Framer, Step, Terminator};
//! # struct Lines;
//! # impl FrameHandler for Lines {
//! #     type Event = Vec<u8>;
//! #     type Error = Infallible;
//! #     fn start(&self) -> Terminator { Terminator::lf() }
//! #     fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<Vec<u8>>, Infallible> {
//! #         Ok(Step::event(line.to_vec()))
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let (stream, log) = Stream::new(
//!     [Read::bytes("on"), Read::Pause(Duration::from_secs(5)), Read::bytes("e\ntwo\n"), Read::End],
//!     [Write::Take(2), Write::Block(Duration::from_secs(1))],
//! );
//! let service = enjamb_net::answer(Framer::whole(Lines), |line, peer| peer.push([&line[..], b"!"].concat()));
//! let (_, closed) = enjamb_net::run(stream, service, &enjamb_net::Options::default()).await;
//! assert_eq!(log.written(), b"one!two!");
//! assert_eq!(log.writes(), [&b"on"[..], b"e!two!"]);
//! assert_eq!((closed.events, log.is_shut()), (2, true));
//! # }
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

/// One step of a stream's reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Read {
    /// These bytes arrive together. A read with a smaller buffer gets the first of them.
    Bytes(Bytes),
    /// Nothing arrives for this time.
    Pause(Duration),
    /// The peer ends its stream.
    End,
    /// The peer resets the connection.
    Reset,
}

impl Read {
    /// Bytes that arrive together.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes.as_ref()))
    }
}

/// One step of a stream's writes. After the last step every write is taken whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Write {
    /// The next write takes at most this many bytes.
    Take(usize),
    /// Nothing is taken for this time.
    Block(Duration),
    /// Nothing is taken any more.
    BlockForever,
    /// The peer resets the connection.
    Reset,
}

/// A stream without a socket.
///
/// After the last step of its reads nothing arrives any more, unless a [`Log`] adds some.
pub struct Stream {
    state: Arc<Mutex<State>>,
    read_pause: Pause,
    write_pause: Pause,
}

/// A pause that may have begun.
type Pause = Mutex<Option<Pin<Box<Sleep>>>>;

/// The other end of a [`Stream`]: what was written to it, and how it was left.
#[derive(Clone)]
pub struct Log(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    reads: VecDeque<Read>,
    writes: VecDeque<Write>,
    written: Vec<Vec<u8>>,
    shut: bool,
    reset: bool,
    dropped: bool,
    reader: Option<Waker>,
    watchers: Vec<Waker>,
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn changed(&mut self) {
        self.watchers.drain(..).for_each(Waker::wake);
    }

    fn is_reset_by_peer(&self) -> bool {
        matches!(self.reads.front(), Some(Read::Reset)) || matches!(self.writes.front(), Some(Write::Reset))
    }
}

impl Stream {
    /// Creates a stream from the steps of its reads and of its writes.
    pub fn new(reads: impl IntoIterator<Item = Read>, writes: impl IntoIterator<Item = Write>) -> (Self, Log) {
        let (reads, writes) = (reads.into_iter().collect(), writes.into_iter().collect());
        let state = Arc::new(Mutex::new(State { reads, writes, ..State::default() }));
        (Self { state: Arc::clone(&state), read_pause: Mutex::default(), write_pause: Mutex::default() }, Log(state))
    }

    /// Creates a stream on which `chunks` arrive one by one, and then its end.
    pub fn of_chunks<B: AsRef<[u8]>>(chunks: impl IntoIterator<Item = B>) -> (Self, Log) {
        Self::new(chunks.into_iter().map(Read::bytes).chain([Read::End]), [])
    }

    /// Resets the connection from this end, which the [`Log`] shows.
    pub fn reset(&self) {
        lock(&self.state).reset = true;
    }

    /// Ends the stream to the peer.
    pub(crate) fn shut_down(&self) {
        let mut state = lock(&self.state);
        state.shut = true;
        state.changed();
    }

    /// Returns whether the next step is a reset by the peer.
    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.state).is_reset_by_peer()
    }

    /// Waits until the next step is a reset by the peer.
    pub(crate) async fn failed(&self) {
        poll_fn(|cx| {
            let mut state = lock(&self.state);
            if state.is_reset_by_peer() {
                return Poll::Ready(());
            }
            state.watchers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Reads. Nothing is the end of the peer's stream.
    pub(crate) fn poll_read_step(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut state = lock(&self.state);
            match state.reads.front() {
                None => {
                    state.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Some(Read::Pause(length)) => {
                    let length = *length;
                    drop(state);
                    ready!(poll_pause(&self.read_pause, length, cx));
                    let mut state = lock(&self.state);
                    state.reads.pop_front();
                    state.changed();
                }
                Some(_) => {
                    drop(state);
                    let length = self.read_now(buffer.initialize_unfilled());
                    return Poll::Ready(length.map(|length| buffer.advance(length)));
                }
            }
        }
    }

    /// Reads without waiting. Nothing is the end of the peer's stream.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = lock(&self.state);
        loop {
            match state.reads.front_mut() {
                None | Some(Read::Pause(_)) => return Err(io::ErrorKind::WouldBlock.into()),
                Some(Read::End) => return Ok(0),
                Some(Read::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
                Some(Read::Bytes(bytes)) => {
                    let length = bytes.len().min(buffer.len());
                    bytes.split_to(length).copy_to_slice(&mut buffer[..length]);
                    let is_empty = bytes.is_empty();
                    if is_empty {
                        state.reads.pop_front();
                        state.changed();
                    }
                    // Otherwise the step had no bytes, and the next one counts.
                    if length > 0 || !is_empty {
                        return Ok(length);
                    }
                }
            }
        }
    }

    /// Waits until a write does not wait.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let state = lock(&self.state);
            match state.writes.front() {
                Some(Write::Block(length)) => {
                    let length = *length;
                    drop(state);
                    ready!(poll_pause(&self.write_pause, length, cx));
                    let mut state = lock(&self.state);
                    state.writes.pop_front();
                    state.changed();
                }
                Some(Write::BlockForever) => return Poll::Pending,
                None | Some(Write::Take(_) | Write::Reset) => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Writes without waiting.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = lock(&self.state);
        if state.shut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let most = match state.writes.front() {
            None => bytes.len(),
            Some(Write::Take(most)) => (*most).max(1),
            Some(Write::Block(_) | Write::BlockForever) => return Err(io::ErrorKind::WouldBlock.into()),
            Some(Write::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        state.writes.pop_front();
        let taken = &bytes[..bytes.len().min(most)];
        state.written.push(taken.to_vec());
        state.changed();
        Ok(taken.len())
    }
}

/// Waits until a pause is over. Starts it if there is none.
fn poll_pause(pause: &Pause, length: Duration, cx: &mut Context<'_>) -> Poll<()> {
    let mut pause = lock(pause);
    let timer = pause.get_or_insert_with(|| Box::pin(sleep(length)));
    ready!(timer.as_mut().poll(cx));
    *pause = None;
    Poll::Ready(())
}

impl Log {
    /// Adds steps to the stream's reads.
    pub fn send(&self, reads: impl IntoIterator<Item = Read>) {
        let mut state = lock(&self.0);
        state.reads.extend(reads);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// Returns all bytes that were written.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        lock(&self.0).written.concat()
    }

    /// Returns the bytes of each write.
    #[must_use]
    pub fn writes(&self) -> Vec<Vec<u8>> {
        lock(&self.0).written.clone()
    }

    /// Returns whether this end ended its stream.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        lock(&self.0).shut
    }

    /// Returns whether this end reset the connection.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        lock(&self.0).reset
    }

    /// Returns whether the stream was dropped.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        lock(&self.0).dropped
    }

    /// Waits until `enough` of what was written is there, or the stream was ended or dropped.
    /// Returns what was written.
    pub async fn wait_for(&self, mut enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        poll_fn(|cx| {
            let mut state = lock(&self.0);
            let written = state.written.concat();
            if state.shut || state.dropped || enough(&written) {
                return Poll::Ready(written);
            }
            state.watchers.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_step(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_write_ready(cx))?;
        Poll::Ready(self.try_write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.dropped = true;
        state.changed();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("written", &self.written().escape_ascii().to_string()).finish_non_exhaustive()
    }
}

/// A listener whose clients are simulated streams.
#[derive(Debug)]
pub struct Listener {
    clients: mpsc::UnboundedReceiver<Stream>,
    accepted: u16,
}

/// Connects simulated streams to a [`Listener`].
#[derive(Clone, Debug)]
pub struct Connector(mpsc::UnboundedSender<Stream>);

/// Creates a listener, and the means to connect to it. Clients have the addresses `127.0.0.1:1`,
/// `127.0.0.1:2` and so on.
#[must_use]
pub fn listener() -> (Listener, Connector) {
    let (connector, clients) = mpsc::unbounded_channel();
    (Listener { clients, accepted: 0 }, Connector(connector))
}

impl Connector {
    /// Connects a stream. It is dropped if nobody listens any more.
    pub fn connect(&self, stream: Stream) {
        let _ = self.0.send(stream);
    }
}

impl crate::Listener for Listener {
    type Io = Stream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, SocketAddr, SocketAddr)>> {
        let Some(stream) = ready!(self.clients.poll_recv(cx)) else {
            // Nobody will connect any more.
            return Poll::Pending;
        };
        self.accepted = self.accepted.wrapping_add(1);
        let address = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Poll::Ready(Ok((stream, address(self.accepted), address(0))))
    }
}
