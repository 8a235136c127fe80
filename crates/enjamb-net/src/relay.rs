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
//!
//! # TLS
//!
//! A relay with [`Tls`] ends the TLS of clients, begins TLS with the server, or both. Taps and
//! shapers have the text, and are opened when the handshakes are over. The end of a stream inside
//! TLS (`close_notify`) arrives as such, and one without it arrives without it.

mod duplex;
mod flow;
mod forward;
mod link;
mod proxy_protocol;
mod shaper;
mod socket;
mod tls;
mod upgrade;
mod upstream;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::{Ending, Side};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

pub use self::forward::{ForwardRule, ForwardRuleError};
pub use self::proxy_protocol::ProxyProtocol;
pub use self::shaper::{Shaped, Shaper, Shapers};
pub use self::socket::RelayListener;
pub use self::tls::{
    CertificateAuthority, Identity, Origination, Termination, Tls, TlsError, TlsParameters, TrustedRoots, Upgrades,
};
pub use self::upgrade::{Decision, Upgrade};
pub use self::upstream::Upstream;
pub use crate::observers::Numbering;
pub use crate::scratch::LONGEST_READ;

use self::duplex::{Duplex, End};
use self::flow::{Parts, Shaping};
use self::forward::{Answer, ForwardProtocol, receive_request};
use self::link::Link;
use self::proxy_protocol::{Origin, header, read_header};
use self::socket::Socket;
use self::tls::handshake::{HandshakeError, Target, secure};
use self::upgrade::Search;
use self::upstream::UpstreamConnection;
use crate::accept::{Accepted, Limits, accept, finish};
use crate::closer::Closer;
use crate::error::NetError;
use crate::listener::NO_ADDRESS;
use crate::observers::{Observatory, Observers};
use crate::options::Overload;
use crate::stop::{Phase, Stop};
use crate::taps::{NoTaps, Opening, Taps};

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
    /// Whether taps may end their connection. Not by default.
    pub taps_may_close: bool,
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
            taps_may_close: false,
        }
    }
}

const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The counts of a relay that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayReport {
    /// The number of connections that were relayed.
    pub connections: u64,
    /// The number of clients that were reset because the server could not be reached.
    pub unconnected: u64,
    /// The number of clients that were reset because a TLS handshake failed, theirs or that with
    /// the server.
    pub handshakes_failed: u64,
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
        self.handshakes_failed += other.handshakes_failed;
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
    listeners: Vec<RelayListener>,
    upstream: Upstream,
    options: Options,
    tls: Option<Arc<Tls>>,
    taps: Arc<dyn Taps>,
    shapers: Option<Arc<dyn Shapers>>,
    numbering: Numbering,
}

impl Relay {
    /// Creates a relay from `listeners` to `upstream`, without taps.
    #[must_use]
    pub fn new(listeners: impl IntoIterator<Item = impl Into<RelayListener>>, upstream: Upstream) -> Self {
        Self {
            listeners: listeners.into_iter().map(Into::into).collect(),
            upstream,
            options: Options::default(),
            tls: None,
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

    /// Sets the TLS of clients and of the server.
    #[must_use]
    pub fn with_tls(self, tls: Arc<Tls>) -> Self {
        Self { tls: Some(tls), ..self }
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
        let Self { mut listeners, upstream, options, tls, taps, shapers, numbering } = self;
        let observatory = Arc::new(Observatory::numbered(taps, numbering));
        let over = Stop::new();
        let relaying = Arc::new(Relaying {
            upstream,
            options: options.clone(),
            tls,
            observatory: Arc::clone(&observatory),
            shapers,
            outgoing: Mutex::default(),
            over: over.clone(),
        });
        let mut report = RelayReport::default();
        let mut add = |result: Result<Outcome, JoinError>| match result {
            Ok(Outcome::Ended(End::Stopped)) => report.stopped += 1,
            Ok(Outcome::NotConnected) => report.unconnected += 1,
            Ok(Outcome::NotSecured) => report.handshakes_failed += 1,
            _ => {}
        };
        let start = |_: &Vec<RelayListener>, accepted: Accepted<Socket>, tasks: &mut JoinSet<Outcome>| {
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
    NotSecured,
    Refused,
}

/// The part of a relay that all connections share.
struct Relaying {
    upstream: Upstream,
    options: Options,
    tls: Option<Arc<Tls>>,
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
    async fn connection(&self, mut client: Socket, address: SocketAddr, listener: SocketAddr) -> Outcome {
        if client.is_tcp() && self.outgoing().contains(&(address, listener)) {
            return self.refuse_loop(client, address);
        }
        let (client_reads, client_writes) = client.split();
        let mut client_link = Link::new(client_reads, &client_writes);
        let mut origin = Origin { client: address, destination: listener };
        if self.options.accept_proxy_protocol {
            let read = timeout(HEADER_TIMEOUT, read_header(&mut client_link)).await;
            match read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(found) => origin = found.unwrap_or(origin),
                Err(source) => {
                    client.reset();
                    self.observatory.error(&NetError::ProxyHeader { client: address, source });
                    return Outcome::Refused;
                }
            }
        }
        let named;
        let (upstream, forward) = match self.upstream.rules() {
            None => (&self.upstream, None),
            Some(rules) => match Box::pin(self.named_server(&mut client_link, rules, origin.client)).await {
                Some((server, forward)) => {
                    named = server;
                    (&named, Some(forward))
                }
                None => {
                    // The answer that refuses the client must arrive.
                    linger(client).await;
                    return Outcome::Refused;
                }
            },
        };
        let connected = tokio::select! {
            connected = upstream.connect(self.options.connect_timeout) => connected,
            () = self.over.reached(Phase::Over) => {
                client.reset();
                return Outcome::Refused;
            }
        };
        let UpstreamConnection { socket: mut server, address: server_address, is_reset } = match connected {
            Ok(connected) => connected,
            Err(source) => {
                let is_late = source.kind() == io::ErrorKind::TimedOut;
                let first = upstream.addresses().first().copied().unwrap_or(NO_ADDRESS);
                let (client_address, upstream) = (origin.client, upstream.as_str().to_owned());
                let error = NetError::Connect { client: client_address, upstream, address: first, source };
                self.observatory.error(&error);
                if let Some(forward) = forward {
                    let answer = if is_late { Answer::TimedOut } else { Answer::NotConnected };
                    let _ = client_link.send_all(&forward.answer(answer)).await;
                    linger(client).await;
                } else {
                    client.reset();
                }
                return Outcome::NotConnected;
            }
        };
        let outgoing = Outgoing { relaying: self, addresses: (server.local_address(), server_address) };
        if server.is_tcp() {
            let mut all = self.outgoing();
            all.insert(outgoing.addresses);
            // Once more: the connection on which this client came may not have been noted yet when
            // it was accepted.
            if all.contains(&(address, listener)) {
                drop(all);
                server.reset();
                return self.refuse_loop(client, address);
            }
        }
        let (server_reads, server_writes) = server.split();
        for socket in [&client_writes, &server_writes] {
            socket.configure(self.options.keep_alive);
        }
        let mut links = [client_link, Link::new(server_reads, &server_writes)];

        if let Some(version) = self.options.send_proxy_protocol {
            // The first bytes of a connection fit into its buffer. An error shows at the next
            // write.
            let _ = links[1].send_all(&header(version, origin)).await;
        }
        if let Some(forward) = forward {
            // An error shows at the next write.
            let _ = links[0].send_all(&forward.answer(Answer::Connected)).await;
        }
        let mut opening = Opening::new(listener);
        opening.closer = self.options.taps_may_close.then(Closer::default);
        let target = Target { host: upstream.host(), listener: listener.ip() };
        if let Some(tls) = self.tls.as_ref().filter(|tls| tls.upgrades.is_none()) {
            // On the heap: most connections have none.
            let secured = Box::pin(self.secure(&mut links, tls, &target)).await;
            match secured {
                Ok(parameters) => opening.tls = parameters,
                Err(error) => {
                    client.reset();
                    server.reset();
                    return match error {
                        None => Outcome::Refused,
                        Some(HandshakeError { side, source }) => {
                            let (client, server) = (origin.client, server_address);
                            self.observatory.error(&NetError::TlsHandshake { client, server, side, source });
                            Outcome::NotSecured
                        }
                    };
                }
            }
        }
        let mut observers = Observers::open(&self.observatory, origin.client, server_address, &opening);
        let opened = observers.now();
        let shaper = self.shapers.as_ref().and_then(|shapers| shapers.shaper(observers.connection(), opened));
        let upgrades = self.tls.as_ref().and_then(|tls| tls.upgrades.as_ref());
        let search = upgrades.map(|upgrades| Search::new(upgrades.upgrade(observers.connection())));
        let mut parts = Parts {
            links: &mut links,
            observers: &mut observers,
            shaping: shaper.map(|shaper| Shaping { shaper, due: [None; 2] }),
            search,
            closer: opening.closer,
        };
        let mut duplex = Duplex::new();
        let closer = parts.closer.clone();
        // A tap of another thread may end it while it waits.
        let mut stopped = pin!(async {
            match &closer {
                None => self.over.reached(Phase::Over).await,
                Some(closer) => tokio::select! {
                    () = self.over.reached(Phase::Over) => {}
                    () = closer.closed() => {}
                },
            }
        });
        let idle = self.options.idle_timeout;
        let mut is_secured = true;
        let end = loop {
            let end = duplex.relay(&mut parts, is_reset, idle, stopped.as_mut()).await;
            if end == End::Stopped && closer.as_ref().is_some_and(|closer| closer.reason().is_some()) {
                break End::ClosedByTap;
            }
            if end != End::Upgrade {
                break end;
            }
            if let Err(end) = Box::pin(self.upgrade(&mut parts, &target, server_address, stopped.as_mut())).await {
                is_secured = end == End::Stopped;
                break end;
            }
        };
        let undelivered = Side::BOTH.map(|side| duplex.undelivered(side, &mut parts));
        let failures = Side::BOTH.map(|side| parts.links[side.index()].take_failure());
        drop(outgoing);

        for (side, failure) in Side::BOTH.into_iter().zip(failures) {
            if let Some(source) = failure {
                observers.error(&NetError::Tls { side, source });
            }
        }
        if end == End::ShapedClose {
            let time = observers.now();
            for side in Side::BOTH {
                links[side.index()].end_text();
                observers.close(time, side, Ending::Closed);
            }
            drop(observers);
            close_both([client, server]).await;
            return Outcome::Ended(end);
        }
        if end != End::Closed {
            // After a mere close their peers would take a truncated stream for a whole one.
            client.reset();
            server.reset();
        }
        for side in Side::BOTH {
            let bytes = undelivered[side.index()];
            // A shaper has said what it drops.
            if bytes > 0 && end != End::ShapedReset {
                observers.error(&NetError::Undelivered { side, bytes });
            }
        }
        let by = match end {
            End::Closed | End::ShapedClose | End::Upgrade => return Outcome::Ended(end),
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
            End::ClosedByTap => {
                let reason = closer.as_ref().and_then(Closer::reason).unwrap_or_default();
                observers.error(&NetError::ClosedByTap(reason.to_owned()));
                Side::Client
            }
        };
        let time = observers.now();
        observers.close(time, by, Ending::Reset);
        observers.close(time, !by, Ending::Reset);
        if is_secured { Outcome::Ended(end) } else { Outcome::NotSecured }
    }

    /// Returns the server that a client names, if it may. Otherwise the client has its answer.
    async fn named_server(
        &self,
        client: &mut Link<'_>,
        rules: &[ForwardRule],
        address: SocketAddr,
    ) -> Option<(Upstream, ForwardProtocol)> {
        let received = tokio::select! {
            received = timeout(HEADER_TIMEOUT, receive_request(client)) => received,
            () = self.over.reached(Phase::Over) => return None,
        };
        let (protocol, destination) = match received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(received) => received,
            Err(source) => {
                self.observatory.error(&NetError::ForwardRequest { client: address, source });
                return None;
            }
        };
        if !destination.is_allowed(rules) {
            let _ = client.send_all(&protocol.answer(Answer::NotAllowed)).await;
            let destination = destination.to_string();
            self.observatory.error(&NetError::Forbidden { client: address, destination });
            return None;
        }
        Some((Upstream::unresolved(destination.to_string()), protocol))
    }

    /// Makes the handshakes of a connection. An error of `None`: the relay stops.
    async fn secure(
        &self,
        links: &mut [Link<'_>; 2],
        tls: &Tls,
        target: &Target<'_>,
    ) -> Result<[Option<TlsParameters>; 2], Option<HandshakeError>> {
        let mut waits_for = Side::Client;
        let secured = tokio::select! {
            secured = timeout(tls.handshake_timeout, secure(links, tls, target, &mut waits_for)) => secured,
            () = self.over.reached(Phase::Over) => return Err(None),
        };
        secured.unwrap_or_else(|_| Err(HandshakeError::timed_out(waits_for, tls.handshake_timeout))).map_err(Some)
    }

    /// Changes a connection to TLS.
    async fn upgrade(
        &self,
        parts: &mut Parts<'_, '_>,
        target: &Target<'_>,
        server: SocketAddr,
        stopped: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), End> {
        let (Some(search), Some(tls)) = (parts.search.take(), &self.tls) else { return Ok(()) };
        for (link, held) in parts.links.iter_mut().zip(search.into_held()) {
            link.put_back(&held);
        }
        let secured = tokio::select! {
            secured = self.secure(parts.links, tls, target) => secured,
            () = stopped => Err(None),
        };
        match secured {
            Ok(parameters) => {
                parts.observers.secured(&parameters);
                Ok(())
            }
            Err(None) => Err(End::Stopped),
            Err(Some(HandshakeError { side, source })) => {
                let client = parts.observers.connection().client;
                parts.observers.error(&NetError::TlsHandshake { client, server, side, source });
                Err(End::Reset(side))
            }
        }
    }

    fn refuse_loop(&self, client: Socket, address: SocketAddr) -> Outcome {
        client.reset();
        let upstream = self.upstream.as_str().to_owned();
        self.observatory.error(&NetError::Loop { client: address, upstream });
        Outcome::Refused
    }
}

/// The time for which bytes are taken from peers after the relay has closed their connection.
const LINGER: Duration = Duration::from_secs(1);

/// Closes two connections. Bytes that were sent arrive before the end, although the peers may still
/// be sending: a socket with unread bytes would be reset, and take what it has sent with it.
async fn close_both(sockets: [Socket; 2]) {
    // Both at once: the second must not wait for the first.
    for socket in &sockets {
        socket.shut_down();
    }
    let [one, other] = sockets;
    tokio::join!(linger(one), linger(other));
}

/// Ends the stream to a peer, and takes what it still sends for a while.
async fn linger(mut socket: Socket) {
    socket.shut_down();
    let drain = async {
        let mut buffer = vec![0; 16 << 10];
        while socket.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    };
    let _ = timeout(LINGER, drain).await;
}

/// The time that a client may take to send its header of the PROXY protocol, or to name its server.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
