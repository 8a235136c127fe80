//! The kinds of sockets that a relay connects: TCP, Unix, and simulated ones.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream, unix};

use crate::accept::without_mapping;
use crate::listener::{Listener, NO_ADDRESS, configure};
use crate::sim;

/// A listening socket of a relay.
#[derive(Debug)]
#[non_exhaustive]
pub enum RelayListener {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixListener),
    /// Simulated clients.
    Simulated(sim::Listener),
}

impl From<sim::Listener> for RelayListener {
    fn from(listener: sim::Listener) -> Self {
        Self::Simulated(listener)
    }
}

impl From<TcpListener> for RelayListener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for RelayListener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl Listener for RelayListener {
    type Io = Socket;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, SocketAddr, SocketAddr)>> {
        match self {
            Self::Tcp(listener) => {
                Listener::poll_accept(listener, cx).map_ok(|(io, client, own)| (Socket::Tcp(io), client, own))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                Listener::poll_accept(listener, cx).map_ok(|(io, client, own)| (Socket::Unix(io), client, own))
            }
            Self::Simulated(listener) => {
                Listener::poll_accept(listener, cx).map_ok(|(io, client, own)| (Socket::Simulated(io), client, own))
            }
        }
    }
}

/// A connected socket of a relay.
#[derive(Debug)]
pub enum Socket {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// No socket.
    Simulated(sim::Stream),
}

/// The direction of a socket from its peer.
pub(crate) enum ReadEnd<'s> {
    Tcp(tcp::ReadHalf<'s>),
    #[cfg(unix)]
    Unix(unix::ReadHalf<'s>),
    Simulated(&'s sim::Stream),
}

/// The direction of a socket to its peer.
pub(crate) enum WriteEnd<'s> {
    Tcp(tcp::WriteHalf<'s>),
    #[cfg(unix)]
    Unix(unix::WriteHalf<'s>),
    Simulated(&'s sim::Stream),
}

impl Socket {
    /// Returns the two directions.
    pub(crate) fn split(&mut self) -> (ReadEnd<'_>, WriteEnd<'_>) {
        match self {
            Self::Tcp(socket) => {
                let (reads, writes) = socket.split();
                (ReadEnd::Tcp(reads), WriteEnd::Tcp(writes))
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                let (reads, writes) = socket.split();
                (ReadEnd::Unix(reads), WriteEnd::Unix(writes))
            }
            Self::Simulated(stream) => (ReadEnd::Simulated(stream), WriteEnd::Simulated(stream)),
        }
    }

    /// Returns this end's address. A Unix socket has none.
    pub(crate) fn local_address(&self) -> SocketAddr {
        match self {
            Self::Tcp(socket) => socket.local_addr().map_or(NO_ADDRESS, without_mapping),
            #[cfg(unix)]
            Self::Unix(_) => NO_ADDRESS,
            Self::Simulated(_) => NO_ADDRESS,
        }
    }

    /// Returns whether it has addresses and a port.
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Ends the stream to the peer.
    pub(crate) fn shut_down(&self) {
        let socket = match self {
            Self::Tcp(socket) => SockRef::from(socket),
            #[cfg(unix)]
            Self::Unix(socket) => SockRef::from(socket),
            Self::Simulated(stream) => return stream.shut_down(),
        };
        // It fails on a socket that is broken already.
        let _ = socket.shutdown(Shutdown::Write);
    }

    /// Resets the connection: bytes that were not sent yet are dropped, and the peer sees the
    /// reset. A Unix socket has no resets, and is closed.
    pub(crate) fn reset(self) {
        match self {
            // It fails on a socket that is broken already.
            Self::Tcp(socket) => drop(socket.set_zero_linger()),
            #[cfg(unix)]
            Self::Unix(_) => {}
            Self::Simulated(stream) => stream.reset(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Simulated(stream) => stream.poll_read_step(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Simulated(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down();
        Poll::Ready(Ok(()))
    }
}

impl ReadEnd<'_> {
    #[inline]
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Simulated(stream) => stream.poll_read_step(cx, buffer),
        }
    }

    /// Reads without waiting, and not through tokio, which may not have noticed yet that there is
    /// something to read.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => (&*SockRef::from(socket.as_ref())).read(buffer),
            #[cfg(unix)]
            Self::Unix(socket) => (&*SockRef::from(socket.as_ref())).read(buffer),
            Self::Simulated(stream) => stream.read_now(buffer),
        }
    }
}

impl WriteEnd<'_> {
    /// Sets the options of a new connection, as far as its kind has them.
    pub(crate) fn configure(&self, keep_alive: Option<Duration>) {
        match self {
            Self::Tcp(socket) => configure(socket.as_ref(), keep_alive),
            #[cfg(unix)]
            Self::Unix(_) => {}
            Self::Simulated(_) => {}
        }
    }

    /// Writes as much as the socket takes without waiting.
    #[inline]
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write(bytes),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_write(bytes),
            Self::Simulated(stream) => stream.try_write(bytes),
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.as_ref().poll_write_ready(cx),
            #[cfg(unix)]
            Self::Unix(socket) => socket.as_ref().poll_write_ready(cx),
            Self::Simulated(stream) => stream.poll_write_ready(cx),
        }
    }

    /// Ends the stream to the peer.
    pub(crate) fn shut_down(&self) {
        let socket = match self {
            Self::Tcp(socket) => SockRef::from(socket.as_ref()),
            #[cfg(unix)]
            Self::Unix(socket) => SockRef::from(socket.as_ref()),
            Self::Simulated(stream) => return stream.shut_down(),
        };
        // It fails on a socket that is broken already, which shows elsewhere.
        let _ = socket.shutdown(Shutdown::Write);
    }

    /// Waits until the socket has an error.
    pub(crate) async fn failed(&self) {
        // An error of the call itself is reported by `has_failed`.
        let _ = match self {
            Self::Tcp(socket) => socket.as_ref().ready(Interest::ERROR).await,
            #[cfg(unix)]
            Self::Unix(socket) => socket.as_ref().ready(Interest::ERROR).await,
            Self::Simulated(stream) => return stream.failed().await,
        };
    }

    /// Returns whether the socket has an error. It has none any more if another reader has taken
    /// it.
    pub(crate) fn has_failed(&self) -> bool {
        let error = match self {
            Self::Tcp(socket) => socket.as_ref().take_error(),
            #[cfg(unix)]
            Self::Unix(socket) => socket.as_ref().take_error(),
            Self::Simulated(stream) => return stream.has_failed(),
        };
        !matches!(error, Ok(None))
    }
}
