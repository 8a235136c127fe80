//! Accepting connections, running a service on each, and stopping.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enjamb::Side;
use enjamb::units::format_duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::accept::{Accepted, Limits, accept, finish};
use crate::closed::{Closed, Reason};
use crate::driver::{Driver, reset};
use crate::error::NetError;
use crate::handle::Handle;
use crate::listener::Listener;
use crate::observers::{Observatory, Observers};
use crate::options::Options;
use crate::service::Service;
use crate::shared::{Request, Shared};
use crate::stop::{Phase, Stop};
use crate::taps::{NoTaps, Opening, Taps};

/// Accepts connections from `listener`, and runs the service that `factory` makes on each. Runs
/// until it is dropped, which resets all connections. [`Server`] has more to set.
pub async fn serve<L, F, S>(listener: L, factory: F) -> ServeReport
where
    L: Listener,
    F: FnMut(&Handle) -> S,
    S: Service,
{
    Server::new(factory).serve(listener).await
}

/// A server before it serves: the factory of its services, its limits, and who observes it.
pub struct Server<F, H = NoHandshake> {
    factory: F,
    handshake: H,
    options: Options,
    taps: Arc<dyn Taps>,
    stop: Stop,
}

/// The counts of a server that has stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeReport {
    /// The number of connections that ran a service.
    pub connections: u64,
    /// The number of clients that were refused.
    pub refused: u64,
    /// The number of clients whose handshake failed.
    pub handshakes_failed: u64,
    /// The number of connections that the client reset, or that broke in another way.
    pub broken: u64,
    /// The number of connections that were aborted by their service or a handle.
    pub aborted: u64,
    /// The number of connections that were reset for a limit, an error of a producer, or a request
    /// without an answer.
    pub failed: u64,
    /// The number of services that panicked.
    pub panics: u64,
    /// The number of taps that panicked.
    pub tap_panics: u64,
    /// The number of connections that were still open when the server stopped, and were reset.
    pub stopped: u64,
    /// The number of events that the services handled.
    pub events: u64,
    /// The number of bytes that were read.
    pub received: u64,
    /// The number of bytes that were written.
    pub sent: u64,
}

/// A step between a new connection and its service: TLS, for example.
pub trait Handshake<I>: Send + Sync + 'static {
    /// The stream that the service runs on.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Makes the stream.
    ///
    /// # Errors
    /// The connection is reset.
    fn shake(&self, io: I) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

/// The service runs on the connection itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHandshake;

impl<I: AsyncRead + AsyncWrite + Send + Unpin + 'static> Handshake<I> for NoHandshake {
    type Io = I;

    async fn shake(&self, io: I) -> io::Result<I> {
        Ok(io)
    }
}

/// A function as a handshake.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeWith<H>(H);

impl<I, H, Fut, T> Handshake<I> for HandshakeWith<H>
where
    H: Fn(I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = io::Result<T>> + Send,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    I: Send,
{
    type Io = T;

    fn shake(&self, io: I) -> impl Future<Output = io::Result<T>> + Send {
        (self.0)(io)
    }
}

impl<F> Server<F> {
    /// Creates a server with the default [`Options`]. `factory` makes the service of each
    /// connection.
    pub fn new(factory: F) -> Self {
        Self { factory, handshake: NoHandshake, options: Options::default(), taps: Arc::new(NoTaps), stop: Stop::new() }
    }
}

impl<F, H> Server<F, H> {
    /// Sets the limits.
    #[must_use]
    pub fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Sets the observers of the connections. Without them errors are warnings through `tracing`.
    #[must_use]
    pub fn taps(self, taps: Arc<dyn Taps>) -> Self {
        Self { taps, ..self }
    }

    /// Sets the handle that stops the server.
    #[must_use]
    pub fn stop(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// Sets what is done with a new connection before its service runs, within
    /// [`Options::handshake_timeout`]. For TLS: `|tcp| acceptor.accept(tcp)`.
    #[must_use]
    pub fn handshake<G>(self, handshake: G) -> Server<F, HandshakeWith<G>> {
        let Self { factory, options, taps, stop, .. } = self;
        Server { factory, handshake: HandshakeWith(handshake), options, taps, stop }
    }

    /// Serves until it is stopped and no connection is open. Dropping the future resets all
    /// connections at once.
    ///
    /// When it is [stopped gently](Stop::drain), nothing more is accepted, each service is
    /// [told](Service::stop), and what is queued is written, within [`Options::drain`]. Connections
    /// that are open after that time are reset.
    pub async fn serve<L, S>(mut self, mut listener: L) -> ServeReport
    where
        L: Listener,
        F: FnMut(&Handle) -> S,
        S: Service,
        H: Handshake<L::Io>,
    {
        let Options { max_connections, when_overloaded, drain, .. } = self.options;
        let serving = Arc::new(Serving {
            handshake: self.handshake,
            observatory: Arc::new(Observatory::new(self.taps)),
            options: Arc::new(self.options),
            open: Mutex::default(),
            stop: self.stop.clone(),
        });
        let mut report = ServeReport::default();
        let mut refused = 0;
        let mut tasks = JoinSet::new();
        let start = |listener: &L, accepted: Accepted<L::Io>, tasks: &mut JoinSet<Done>| {
            let Accepted { io, client, listener: server, place } = accepted;
            let Some(place) = place else {
                reset(&io);
                drop(io);
                refused += 1;
                serving.observatory.error(&NetError::Refused { client, max: max_connections.get() });
                return;
            };
            listener.configure(&io, &serving.options);
            let serving = Arc::clone(&serving);
            let observers = Observers::open(&serving.observatory, client, server, &Opening::new(server));
            let shared = Arc::new(Shared::new(*observers.connection(), &serving.options));
            serving.open().insert(shared.connection.number, Arc::clone(&shared));
            let service = (self.factory)(&Handle(Arc::clone(&shared)));
            let parts = Box::new(Parts { service, shared, observers });
            tasks.spawn(async move {
                let end = serving.connection(io, parts).await;
                drop(place);
                end
            });
        };
        let limits = Limits { max_connections, when_overloaded };
        let observatory = Arc::clone(&serving.observatory);
        accept(&mut listener, &limits, &observatory, &self.stop, &mut tasks, start, |done| report.add(done)).await;
        drop(listener);
        serving.request(Request::Stop);
        let halt = || {
            self.stop.now();
            serving.request(Request::Halt);
        };
        let aborted = finish(&mut tasks, drain, &self.stop, halt, |done| report.add(done)).await;
        report.stopped += aborted as u64;
        report.refused = refused;
        report.tap_panics = serving.observatory.panics();
        report
    }
}

impl<F, H> fmt::Debug for Server<F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The part of a server that all connections share.
struct Serving<H> {
    handshake: H,
    observatory: Arc<Observatory>,
    options: Arc<Options>,
    open: Mutex<HashMap<u64, Arc<Shared>>>,
    stop: Stop,
}

/// A connection that has no stream yet.
struct Parts<S> {
    service: S,
    shared: Arc<Shared>,
    observers: Observers,
}

impl<S: Service> Parts<S> {
    fn into_driver<T>(self, io: T, options: &Arc<Options>) -> Box<Driver<T, S>>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Self { service, shared, observers } = self;
        Box::new(Driver::new(io, service, shared, observers, Arc::clone(options), Side::Client))
    }
}

/// The end of a connection's task.
enum Done {
    Closed(Closed),
    HandshakeFailed,
    Stopped,
}

impl<H> Serving<H> {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Shared>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a request for all open connections.
    fn request(&self, request: Request) {
        self.open().values().for_each(|shared| shared.request(request));
    }

    /// Runs one connection, from the handshake to the end.
    ///
    /// Everything that is large is boxed: a future that moves a value from one state to the next
    /// has room for it twice.
    async fn connection<I, S>(&self, io: I, mut parts: Box<Parts<S>>) -> Done
    where
        H: Handshake<I>,
        S: Service,
    {
        let number = parts.shared.connection.number;
        let Parts { shared, observers, .. } = &mut *parts;
        let done = match Box::pin(self.shake(io, shared, observers)).await {
            Ok(io) => {
                let mut driver = parts.into_driver(io, &self.options);
                Done::Closed(poll_fn(|cx| driver.poll(cx)).await)
            }
            Err(done) => {
                parts.shared.end();
                done
            }
        };
        self.open().remove(&number);
        done
    }

    async fn shake<I>(&self, io: I, shared: &Shared, observers: &mut Observers) -> Result<H::Io, Done>
    where
        H: Handshake<I>,
    {
        let limit = self.options.handshake_timeout;
        let shaken = tokio::select! {
            biased;
            shaken = timeout(limit, self.handshake.shake(io)) => shaken,
            () = self.stop.reached(Phase::Over) => return Err(Done::Stopped),
        };
        let source = match shaken {
            Ok(Ok(io)) => return Ok(io),
            Ok(Err(source)) => source,
            Err(_) => {
                io::Error::new(io::ErrorKind::TimedOut, format!("not complete within {}", format_duration(limit)))
            }
        };
        observers.error(&NetError::Handshake { client: shared.connection.client, source });
        Err(Done::HandshakeFailed)
    }
}

impl ServeReport {
    fn add(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let closed = match done {
            Ok(Done::Closed(closed)) => closed,
            Ok(Done::HandshakeFailed) => {
                self.handshakes_failed += 1;
                return;
            }
            Ok(Done::Stopped) => {
                self.stopped += 1;
                return;
            }
            // Only a handshake can panic: all other foreign code is guarded.
            Err(error) if error.is_panic() => {
                self.handshakes_failed += 1;
                return;
            }
            Err(_) => return,
        };
        self.connections += 1;
        self.events = self.events.saturating_add(closed.events);
        self.received = self.received.saturating_add(closed.received);
        self.sent = self.sent.saturating_add(closed.sent);
        match closed.reason {
            Reason::Done => {}
            Reason::Broken(_) => self.broken += 1,
            Reason::Aborted => self.aborted += 1,
            Reason::Failed(NetError::ServicePanicked(_)) => self.panics += 1,
            Reason::Failed(NetError::Stopped) => self.stopped += 1,
            Reason::Failed(_) => self.failed += 1,
        }
    }
}
