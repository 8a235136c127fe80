//! A relay between clients and one server: bytes first, then the taps.
//!
//! Bytes of one side reach the other unchanged and in order; the end of a stream arrives as the end
//! of a stream, and a reset as a reset. Every [`Tap`](enjamb::Tap) receives all of it. The relay
//! does not depend on any protocol, and no failure of a tap changes the relayed bytes.
//!
//! # Guarantees to taps
//!
//! Both directions of a connection are one task. For each read that task makes one attempt to write
//! the bytes to the other side, without waiting. Then it gives them to the taps, still without
//! waiting. Only then, if the other side did not take all of them, does it wait. Two things follow:
//!
//! * **Bytes first.** Nothing is parsed before the bytes were offered to the kernel. The time that
//!   a tap takes delays the next read, never this one. So a tap must return soon: other connections
//!   need its thread too.
//! * **Cause before effect.** A tap receives a request before it receives any answer to it, however
//!   fast the server is: an answer is read by the same task, which reads again only when the taps
//!   have returned. If the task waited for the rest of a long request to be written first, the
//!   answer of a server that replies early would come before its request.
//!
//! The times of events are those of the reads. They never run backwards within a connection.
//! Connections are numbered from 1, in the order and by the time of their
//! [opening](enjamb::Event::Open).

mod duplex;
mod flow;

use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use enjamb::Ending;
use enjamb::units::format_duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use crate::scratch::LONGEST_READ;

use self::duplex::{End, relay};
use crate::error::NetError;
use crate::observers::{Observatory, Observers};
use crate::stop::{Phase, Stop};
use crate::taps::Taps;

/// The time that a relay waits before it accepts again, after the process or the system has run out
/// of a resource.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The time that connections may take to end when the relay stops at once. They take longer only if
/// a tap does not return.
const END_GRACE: Duration = Duration::from_secs(1);

/// The limits of a relay. Start from the [default](Self::default) and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The number of connections that may be open at a time. Further clients wait to be accepted.
    /// 4,096 by default.
    pub max_connections: NonZeroUsize,
    /// The time that the server may take to accept a connection. 10 seconds by default.
    pub connect_timeout: Duration,
    /// The time that a connection may be open without a byte from either side. No limit by default.
    pub idle_timeout: Option<Duration>,
    /// The time that open connections may continue when the relay stops. 5 seconds by default.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        const { assert!(MAX_CONNECTIONS.get() <= Semaphore::MAX_PERMITS) };
        Self {
            max_connections: MAX_CONNECTIONS,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: None,
            drain: Duration::from_secs(5),
        }
    }
}

const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The server behind a relay: `HOST:PORT`. A name is looked up for every connection.
#[derive(Clone, Debug)]
pub struct Upstream {
    text: String,
    first: SocketAddr,
}

impl Upstream {
    /// Checks an address by looking it up once.
    ///
    /// # Errors
    /// The text is not `HOST:PORT`, or the host is not known.
    pub async fn resolve(address: impl Into<String>) -> io::Result<Self> {
        let address = address.into();
        let first = tokio::net::lookup_host(&address).await?.next();
        match first {
            Some(first) => Ok(Self { text: address, first }),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address")),
        }
    }

    /// Returns the address as the caller wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the first address that was found.
    #[must_use]
    pub fn first(&self) -> SocketAddr {
        self.first
    }
}

/// The counts of a relay that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayReport {
    /// The number of connections that were relayed.
    pub connections: u64,
    /// The number of taps that panicked.
    pub panics: u64,
    /// The number of connections that were still open when the relay stopped, and were reset.
    pub stopped: u64,
}

/// Relays every connection from `listeners` to `upstream`, until `stop` stops it and no connection
/// is open.
///
/// Dropping the future ends all connections at once. Their taps receive
/// [`Event::Done`](enjamb::Event::Done).
pub async fn serve(
    listeners: Vec<TcpListener>,
    upstream: Upstream,
    options: Options,
    taps: Arc<dyn Taps>,
    stop: &Stop,
) -> RelayReport {
    let observatory = Arc::new(Observatory::new(taps));
    let over = Stop::new();
    let relaying = Arc::new(Relaying {
        upstream,
        options: options.clone(),
        observatory: Arc::clone(&observatory),
        over: over.clone(),
    });
    let mut tasks = JoinSet::new();
    let mut stopped = 0;
    accept(listeners, &relaying, &mut tasks, stop).await;

    let all = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = all => {}
        () = sleep(options.drain) => {}
        () = stop.reached(Phase::Over) => {}
    }
    over.now();
    let rest = async {
        while let Some(task) = tasks.join_next().await {
            stopped += u64::from(matches!(task, Ok(Some(End::Stopped))));
        }
    };
    if timeout(END_GRACE, rest).await.is_err() {
        // Some tap does not return.
        stopped += tasks.len() as u64;
        tasks.abort_all();
    }
    RelayReport { connections: observatory.opened(), panics: observatory.panics(), stopped }
}

/// Accepts until the relay stops, and closes the listeners then.
async fn accept(listeners: Vec<TcpListener>, relaying: &Arc<Relaying>, tasks: &mut JoinSet<Option<End>>, stop: &Stop) {
    let room = Arc::new(Semaphore::new(relaying.options.max_connections.get().min(Semaphore::MAX_PERMITS)));
    let mut draining = pin!(stop.reached(Phase::Draining));
    loop {
        let accepted = tokio::select! {
            () = &mut draining => return,
            Some(_) = tasks.join_next() => continue,
            accepted = next(&listeners, &room) => accepted,
        };
        match accepted {
            Ok((client, address, room)) => {
                let relaying = Arc::clone(relaying);
                tasks.spawn(async move {
                    let end = relaying.connection(client, address).await;
                    drop(room);
                    end
                });
            }
            // The client had already gone.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                relaying.observatory.error(&NetError::Accept(error));
                tokio::select! {
                    () = &mut draining => return,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

/// Waits for room, and then for the next client.
async fn next(
    listeners: &[TcpListener],
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let Ok(room) = Arc::clone(room).acquire_owned().await else {
        // Not reached: the semaphore is never closed.
        return pending().await;
    };
    let (client, address) = poll_fn(|cx| {
        listeners.iter().map(|listener| listener.poll_accept(cx)).find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await?;
    Ok((client, address, room))
}

/// The part of a relay that all connections share.
struct Relaying {
    upstream: Upstream,
    options: Options,
    observatory: Arc<Observatory>,
    /// Ends every connection that is still open.
    over: Stop,
}

impl Relaying {
    /// Relays one connection, from the connect to the end. `None`: it was not opened.
    async fn connection(&self, mut client: TcpStream, address: SocketAddr) -> Option<End> {
        let connected = tokio::select! {
            connected = self.connect() => connected,
            () = self.over.reached(Phase::Over) => {
                reset(client);
                return None;
            }
        };
        let (mut server, server_address) = match connected {
            Ok(connected) => connected,
            Err(source) => {
                reset(client);
                let upstream = self.upstream.text.clone();
                self.observatory.error(&NetError::Connect { client: address, upstream, source });
                return None;
            }
        };
        for socket in [&client, &server] {
            // Fails on a socket that is broken already, which shows soon enough.
            let _ = socket.set_nodelay(true);
        }
        let mut observers = Observers::open(&self.observatory, address, server_address);
        let stopped = self.over.reached(Phase::Over);
        let end = relay(&mut client, &mut server, &mut observers, self.options.idle_timeout, stopped).await;

        if end != End::Closed {
            // After a mere close their peers would take a truncated stream for a whole one.
            reset(client);
            reset(server);
        }
        match end {
            End::Closed => {}
            End::Reset(by) => {
                let time = observers.now();
                observers.close(time, by, Ending::Reset);
                observers.close(time, !by, Ending::Reset);
            }
            End::Idle(limit) => observers.error(&NetError::Idle(limit)),
            End::Stopped => observers.error(&NetError::Stopped),
        }
        Some(end)
    }

    async fn connect(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let limit = self.options.connect_timeout;
        let server = match timeout(limit, TcpStream::connect(self.upstream.as_str())).await {
            Ok(connected) => connected?,
            Err(_) => {
                let reason = format!("no answer within {}", format_duration(limit));
                return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
            }
        };
        let address = server.peer_addr()?;
        Ok((server, address))
    }
}

/// Resets a connection: bytes that were not sent yet are dropped, and the peer sees the reset.
fn reset(socket: TcpStream) {
    // Fails on a socket that is broken already.
    let _ = socket.set_zero_linger();
    drop(socket);
}
