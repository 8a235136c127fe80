//! The sources of a server's connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};

use crate::options::Options;

/// A source of connections: a listening socket, or several.
pub trait Listener: Send {
    /// The stream of a connection.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Accepts the next connection. Returns its stream, the client's address and this end's. What
    /// has no address of IP, such as a Unix socket, is `0.0.0.0:0`.
    ///
    /// # Errors
    /// The connection could not be accepted. The listener is tried again.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, SocketAddr, SocketAddr)>>;

    /// Applies options to a new connection, as far as its kind has them.
    fn configure(&self, io: &Self::Io, options: &Options) {
        let _ = (io, options);
    }
}

/// The address of what has none.
pub(crate) const NO_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Listener for TcpListener {
    type Io = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr, SocketAddr)>> {
        Self::poll_accept(self, cx).map_ok(|(io, client)| {
            let server = io.local_addr().unwrap_or(NO_ADDRESS);
            (io, client, server)
        })
    }

    fn configure(&self, io: &TcpStream, options: &Options) {
        configure(io, options.keep_alive);
    }
}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {
    type Io = tokio::net::UnixStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, SocketAddr, SocketAddr)>> {
        Self::poll_accept(self, cx).map_ok(|(io, _)| (io, NO_ADDRESS, NO_ADDRESS))
    }
}

/// Several listeners of one kind.
impl<L: Listener> Listener for Vec<L> {
    type Io = L::Io;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(L::Io, SocketAddr, SocketAddr)>> {
        self.iter_mut().map(|listener| listener.poll_accept(cx)).find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    fn configure(&self, io: &L::Io, options: &Options) {
        if let Some(listener) = self.first() {
            listener.configure(io, options);
        }
    }
}

/// Turns off the delay of short segments, and turns keep-alive on.
pub(crate) fn configure(io: &TcpStream, keep_alive: Option<Duration>) {
    // Each fails on a socket that is broken already, which shows soon enough.
    let _ = io.set_nodelay(true);
    if let Some(after) = keep_alive {
        let _ = SockRef::from(io).set_tcp_keepalive(&TcpKeepalive::new().with_time(after).with_interval(after));
    }
}

/// Listens on `address`, which is `HOST:PORT`, with the default backlog of
/// [`Options`].
///
/// # Errors
/// The address is not known, or cannot be listened on.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    listen_with(address, &Options::default()).await
}

/// Listens on `address`, which is `HOST:PORT`, with the backlog of `options`.
///
/// # Errors
/// The address is not known, or cannot be listened on.
pub async fn listen_with(address: &str, options: &Options) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host(address).await? {
        match listen_on(address, options) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_on(address: SocketAddr, options: &Options) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
    // As the standard library does: a server that is started again may use its port again.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(options.backlog)
}
