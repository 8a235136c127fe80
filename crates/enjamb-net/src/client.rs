//! Services on connections that this end opened, or on any stream.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use enjamb::Side;
use enjamb::units::format_duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::closed::Closed;
use crate::driver::Driver;
use crate::handle::Handle;
use crate::listener::{NO_ADDRESS, configure};
use crate::observers::{Observatory, Observers};
use crate::options::Options;
use crate::service::Service;
use crate::shared::Shared;
use crate::taps::{NoTaps, Opening, Taps};

/// Connects to `address`, which is `HOST:PORT`, and runs `service` on the connection: `connect` of
/// `asyncore.dispatcher`. Await the result, or spawn it as a task.
///
/// # Errors
/// The server cannot be reached within [`Options::handshake_timeout`].
pub async fn connect<S: Service>(address: &str, service: S) -> io::Result<Running<TcpStream, S>> {
    connect_with(address, service, &Options::default(), Arc::new(NoTaps)).await
}

/// Connects like [`connect`], with options and taps.
///
/// # Errors
/// The server cannot be reached within [`Options::handshake_timeout`].
pub async fn connect_with<S: Service>(
    address: &str,
    service: S,
    options: &Options,
    taps: Arc<dyn Taps>,
) -> io::Result<Running<TcpStream, S>> {
    let limit = options.handshake_timeout;
    let Ok(connected) = timeout(limit, TcpStream::connect(address)).await else {
        let reason = format!("no answer within {}", format_duration(limit));
        return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
    };
    let io = connected?;
    configure(&io, options.keep_alive);
    let (client, server) = (io.local_addr()?, io.peer_addr()?);
    let observers = Observers::open(&Arc::new(Observatory::new(taps)), client, server, &Opening::new(server));
    Ok(Running::new(io, service, observers, options.clone(), Side::Server))
}

/// Runs `service` on any stream: a Unix socket, TLS, a pipe, a simulated stream. The peer counts as
/// the client. Await the result, or spawn it as a task.
pub fn run<T, S>(io: T, service: S, options: &Options) -> Running<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service,
{
    let observers = Observers::open(
        &Arc::new(Observatory::new(Arc::new(NoTaps))),
        NO_ADDRESS,
        NO_ADDRESS,
        &Opening::new(NO_ADDRESS),
    );
    Running::new(io, service, observers, options.clone(), Side::Client)
}

/// A connection that runs while this is polled. It returns the service and how the connection
/// ended.
#[must_use = "a connection does nothing unless it is awaited or spawned"]
pub struct Running<T, S: Service> {
    driver: Option<Driver<T, S>>,
    handle: Handle,
}

impl<T, S> Running<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service,
{
    fn new(io: T, service: S, observers: Observers, options: Options, peer: Side) -> Self {
        let shared = Arc::new(Shared::new(*observers.connection(), &options));
        let handle = Handle(Arc::clone(&shared));
        Self { driver: Some(Driver::new(io, service, shared, observers, Arc::new(options), peer)), handle }
    }

    /// Returns a handle to the connection.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

// Nothing inside is ever pinned.
impl<T, S: Service> Unpin for Running<T, S> {}

impl<T, S> Future for Running<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service,
{
    type Output = (S, Closed);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(S, Closed)> {
        let Some(driver) = &mut self.driver else {
            // Polled again after the end, against the rule for futures.
            return Poll::Pending;
        };
        let closed = ready!(driver.poll(cx));
        match self.driver.take() {
            Some(driver) => Poll::Ready((driver.into_service(), closed)),
            None => Poll::Pending,
        }
    }
}

impl<T, S: Service> fmt::Debug for Running<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("handle", &self.handle).finish_non_exhaustive()
    }
}
