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
mod proxy_protocol;
mod shaper;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::units::format_duration;
use enjamb::{Ending, Side};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

pub use self::proxy_protocol::ProxyProtocol;
pub use self::shaper::{Shaped, Shaper, Shapers};
pub use crate::observers::Numbering;
pub use crate::scratch::LONGEST_READ;

use self::duplex::{End, Relayed, relay};
use self::proxy_protocol::{Origin, header, read_header};
use crate::accept::{Accepted, Limits, accept, finish, without_mapping};
use crate::connect::{ServerConnection, connect};
use crate::error::NetError;
use crate::listener::{NO_ADDRESS, configure};
use crate::observers::{Observatory, Observers};
use crate::options::Overload;
use crate::stop::{Phase, Stop};
use crate::taps::{NoTaps, Taps};

/// The limits of a relay. Start from the [default](Self::default) and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The number of connections that may be open at a time. Further clients wait to be accepted.
    /// 4,096 by default.
    pub max_connections: NonZeroUsize,
    /// The time that each address of the server may take to accept a connection. The name of the
    /// server may take as long to be looked up. 10 seconds by default.
    pub connect_timeout: Duration,
    /// The time that a connection may be open without a byte from either side. No limit by default.
    pub idle_timeout: Option<Duration>,
    /// The time without a byte after which TCP checks that a peer still exists. 60 seconds by
    /// default.
    pub keep_alive: Option<Duration>,
    /// The time that open connections may continue when the relay stops. 5 seconds by default.
    pub drain: Duration,
    /// Whether each client begins with a header of the PROXY protocol, of either version. Its
    /// address is that of the connection then. A client without one is reset. Not by default.
    pub accept_proxy_protocol: bool,
    /// The version of the header that the server gets before the first byte. None by default.
    pub send_proxy_protocol: Option<ProxyProtocol>,
}

impl Default for Options {
    fn default() -> Self {
        const { assert!(MAX_CONNECTIONS.get() <= Semaphore::MAX_PERMITS) };
        Self {
            max_connections: MAX_CONNECTIONS,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: None,
            keep_alive: Some(Duration::from_secs(60)),
            drain: Duration::from_secs(5),
            accept_proxy_protocol: false,
            send_proxy_protocol: None,
        }
    }
}

const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The server behind a relay: `HOST:PORT`. A name is looked up for every connection, so a change of
/// its addresses counts from the next connection on. If it has several, they are tried as RFC 8305
/// describes.
#[derive(Clone, Debug)]
pub struct Upstream {
    text: String,
    addresses: Vec<SocketAddr>,
    is_literal: bool,
}

impl Upstream {
    /// Checks an address by looking it up once.
    ///
    /// # Errors
    /// The text is not `HOST:PORT`, or the host is not known.
    pub async fn resolve(address: impl Into<String>) -> io::Result<Self> {
        let text = address.into();
        let addresses: Vec<_> = tokio::net::lookup_host(&text).await?.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
        }
        let is_literal = text.parse::<SocketAddr>().is_ok();
        Ok(Self { text, addresses, is_literal })
    }

    /// Takes an address without looking it up. It is looked up for every connection.
    #[must_use]
    pub fn unresolved(address: impl Into<String>) -> Self {
        Self { text: address.into(), addresses: Vec::new(), is_literal: false }
    }

    /// Returns the address as the caller wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the addresses that were found when it was checked. There is at least one, unless it
    /// was [not checked](Self::unresolved).
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Looks the name up again, and connects.
    async fn connect(&self, limit: Duration) -> io::Result<ServerConnection> {
        if self.is_literal {
            return connect(&self.addresses, limit).await;
        }
        let Ok(found) = timeout(limit, tokio::net::lookup_host(&self.text)).await else {
            let reason = format!("the name was not looked up within {}", format_duration(limit));
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
        };
        let addresses: Vec<_> = found?.collect();
        connect(&addresses, limit).await
    }
}

/// The counts of a relay that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayReport {
    /// The number of connections that were relayed.
    pub connections: u64,
    /// The number of clients that were reset because the server could not be reached.
    pub unconnected: u64,
    /// The number of taps that panicked.
    pub panics: u64,
    /// The number of connections that were still open when the relay stopped, and were reset.
    pub stopped: u64,
}

impl RelayReport {
    /// Adds the counts of another relay.
    pub fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.unconnected += other.unconnected;
        self.panics += other.panics;
        self.stopped += other.stopped;
    }
}

/// A relay between clients and one server.
///
/// ```no_run
/// use enjamb_net::Stop;
/// use enjamb_net::relay::{Relay, Upstream};
///
/// # async fn run() -> std::io::Result<()> {
/// let listener = enjamb_net::listen("127.0.0.1:7000").await?;
/// let upstream = Upstream::resolve("127.0.0.1:6379").await?;
/// let report = Relay::new(vec![listener], upstream).serve(&Stop::new()).await;
/// println!("{} connections", report.connections);
/// # Ok(())
/// # }
/// ```
pub struct Relay {
    listeners: Vec<TcpListener>,
    upstream: Upstream,
    options: Options,
    taps: Arc<dyn Taps>,
    shapers: Option<Arc<dyn Shapers>>,
    numbering: Numbering,
}

impl Relay {
    /// Creates a relay from `listeners` to `upstream`, without taps.
    #[must_use]
    pub fn new(listeners: Vec<TcpListener>, upstream: Upstream) -> Self {
        Self {
            listeners,
            upstream,
            options: Options::default(),
            taps: Arc::new(NoTaps),
            shapers: None,
            numbering: Numbering::default(),
        }
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Sets the taps, which receive what is delivered.
    #[must_use]
    pub fn with_taps(self, taps: Arc<dyn Taps>) -> Self {
        Self { taps, ..self }
    }

    /// Sets what changes the streams on purpose.
    #[must_use]
    pub fn with_shapers(self, shapers: Arc<dyn Shapers>) -> Self {
        Self { shapers: Some(shapers), ..self }
    }

    /// Sets the numbers of connections, which may be shared with other relays.
    #[must_use]
    pub fn with_numbering(self, numbering: Numbering) -> Self {
        Self { numbering, ..self }
    }

    /// Relays every connection, until `stop` stops the relay and no connection is open.
    ///
    /// Dropping the future ends all connections at once. Their taps receive
    /// [`Event::Done`](enjamb::Event::Done).
    pub async fn serve(self, stop: &Stop) -> RelayReport {
        let Self { mut listeners, upstream, options, taps, shapers, numbering } = self;
        let observatory = Arc::new(Observatory::numbered(taps, numbering));
        let over = Stop::new();
        let relaying = Arc::new(Relaying {
            upstream,
            options: options.clone(),
            observatory: Arc::clone(&observatory),
            shapers,
            outgoing: Mutex::default(),
            over: over.clone(),
        });
        let mut report = RelayReport::default();
        let mut add = |result: Result<Outcome, JoinError>| match result {
            Ok(Outcome::Ended(End::Stopped)) => report.stopped += 1,
            Ok(Outcome::NotConnected) => report.unconnected += 1,
            _ => {}
        };
        let start = |_: &Vec<TcpListener>, accepted: Accepted<TcpStream>, tasks: &mut JoinSet<Outcome>| {
            let relaying = Arc::clone(&relaying);
            let Accepted { io, client, listener, place } = accepted;
            tasks.spawn(async move {
                let outcome = relaying.connection(io, client, listener).await;
                drop(place);
                outcome
            });
        };
        let limits = Limits { max_connections: options.max_connections, when_overloaded: Overload::Wait };
        let mut tasks = JoinSet::new();
        accept(&mut listeners, &limits, &observatory, stop, &mut tasks, start, &mut add).await;
        drop(listeners);
        let aborted = finish(&mut tasks, options.drain, stop, || over.now(), &mut add).await;
        report.stopped += aborted as u64;
        report.connections = observatory.opened();
        report.panics = observatory.panics();
        report
    }
}

/// The result of the task of one client.
enum Outcome {
    Ended(End),
    NotConnected,
    Refused,
}

/// The part of a relay that all connections share.
struct Relaying {
    upstream: Upstream,
    options: Options,
    observatory: Arc<Observatory>,
    shapers: Option<Arc<dyn Shapers>>,
    /// Both addresses of the open connections to the server, this end's first. A client's
    /// connection with the same addresses is one of them. The first address alone proves nothing:
    /// one port may have connections to several addresses.
    outgoing: Mutex<HashSet<(SocketAddr, SocketAddr)>>,
    /// Ends every connection that is still open.
    over: Stop,
}

/// An open connection to the server, as it is noted.
struct Outgoing<'a> {
    relaying: &'a Relaying,
    addresses: (SocketAddr, SocketAddr),
}

impl Drop for Outgoing<'_> {
    fn drop(&mut self) {
        self.relaying.outgoing().remove(&self.addresses);
    }
}

impl Relaying {
    fn outgoing(&self) -> MutexGuard<'_, HashSet<(SocketAddr, SocketAddr)>> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Relays one connection, from the connect to the end.
    async fn connection(&self, mut client: TcpStream, address: SocketAddr, listener: SocketAddr) -> Outcome {
        if self.outgoing().contains(&(address, listener)) {
            return self.refuse_loop(client, address);
        }
        let mut origin = Origin { client: address, destination: listener };
        if self.options.accept_proxy_protocol {
            let read = timeout(HEADER_TIMEOUT, read_header(&mut client)).await;
            match read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(found) => origin = found.unwrap_or(origin),
                Err(source) => {
                    reset(client);
                    self.observatory.error(&NetError::ProxyHeader { client: address, source });
                    return Outcome::Refused;
                }
            }
        }
        let connected = tokio::select! {
            connected = self.upstream.connect(self.options.connect_timeout) => connected,
            () = self.over.reached(Phase::Over) => {
                reset(client);
                return Outcome::Refused;
            }
        };
        let ServerConnection { socket: mut server, address: server_address, is_reset } = match connected {
            Ok(connected) => connected,
            Err(source) => {
                reset(client);
                let Upstream { text, addresses, .. } = &self.upstream;
                let (upstream, first) = (text.clone(), addresses.first().copied().unwrap_or(NO_ADDRESS));
                let client = origin.client;
                self.observatory.error(&NetError::Connect { client, upstream, address: first, source });
                return Outcome::NotConnected;
            }
        };
        let own = server.local_addr().map_or(NO_ADDRESS, without_mapping);
        let outgoing = Outgoing { relaying: self, addresses: (own, without_mapping(server_address)) };
        {
            let mut all = self.outgoing();
            all.insert(outgoing.addresses);
            // Once more: the connection on which this client came may not have been noted yet when
            // it was accepted.
            if all.contains(&(address, listener)) {
                drop(all);
                reset(server);
                return self.refuse_loop(client, address);
            }
        }
        for socket in [&client, &server] {
            configure(socket, self.options.keep_alive);
        }
        let mut observers = Observers::open(&self.observatory, origin.client, server_address, listener);
        if let Some(version) = self.options.send_proxy_protocol {
            // The first bytes of a connection fit into its buffer. An error shows at the next
            // write.
            let _ = server.write_all(&header(version, origin)).await;
        }
        let opened = observers.now();
        let shaper = self.shapers.as_ref().and_then(|shapers| shapers.shaper(observers.connection(), opened));
        let (stopped, idle) = (self.over.reached(Phase::Over), self.options.idle_timeout);
        let Relayed { end, undelivered } =
            relay(&mut client, &mut server, is_reset, &mut observers, shaper, idle, stopped).await;
        drop(outgoing);

        if end == End::ShapedClose {
            let time = observers.now();
            for side in Side::BOTH {
                observers.close(time, side, Ending::Closed);
            }
            drop(observers);
            close_both([client, server]).await;
            return Outcome::Ended(end);
        }
        if end != End::Closed {
            // After a mere close their peers would take a truncated stream for a whole one.
            reset(client);
            reset(server);
        }
        for side in Side::BOTH {
            let bytes = undelivered[side.index()];
            // A shaper has said what it drops.
            if bytes > 0 && end != End::ShapedReset {
                observers.error(&NetError::Undelivered { side, bytes });
            }
        }
        let by = match end {
            End::Closed | End::ShapedClose => return Outcome::Ended(end),
            End::ShapedReset => Side::Client,
            End::Reset(by) => by,
            End::Idle(limit) => {
                observers.error(&NetError::Idle(limit));
                Side::Client
            }
            End::Stopped => {
                observers.error(&NetError::Stopped);
                Side::Client
            }
        };
        let time = observers.now();
        observers.close(time, by, Ending::Reset);
        observers.close(time, !by, Ending::Reset);
        Outcome::Ended(end)
    }

    fn refuse_loop(&self, client: TcpStream, address: SocketAddr) -> Outcome {
        reset(client);
        self.observatory.error(&NetError::Loop { client: address, upstream: self.upstream.text.clone() });
        Outcome::Refused
    }
}

/// The time for which bytes are taken from peers after the relay has closed their connection.
const LINGER: Duration = Duration::from_secs(1);

/// Closes two connections. Bytes that were sent arrive before the end, although the peers may still
/// be sending: a socket with unread bytes would be reset, and take what it has sent with it.
async fn close_both(sockets: [TcpStream; 2]) {
    for socket in &sockets {
        // It fails on a socket that is broken already.
        let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write);
    }
    let drain = |mut socket: TcpStream| async move {
        let mut buffer = vec![0; 16 << 10];
        while socket.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    };
    let [one, other] = sockets;
    let _ = timeout(LINGER, async { tokio::join!(drain(one), drain(other)) }).await;
}

/// The time that a client may take to send its header of the PROXY protocol.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Resets a connection: bytes that were not sent yet are dropped, and the peer sees the reset.
fn reset(socket: TcpStream) {
    // Fails on a socket that is broken already.
    let _ = socket.set_zero_linger();
    drop(socket);
}
