//! The errors of servers, clients and relays.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use enjamb::Side;
use enjamb::units::format_duration;

/// An error of a server, a client or a relay, of one of their connections, or of a tap. A server or
/// relay continues.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The server could not be reached. The client was reset, and no tap received anything.
    #[error("cannot connect to {upstream} for client {client}: {source}")]
    Connect {
        /// The address of the client.
        client: SocketAddr,
        /// The server, as it was given.
        upstream: String,
        /// The first address of the server.
        address: SocketAddr,
        /// The reason. [`io::ErrorKind::TimedOut`] when it took longer than allowed.
        source: io::Error,
    },
    /// A client could not be accepted. The server tries again after a pause.
    #[error("cannot accept a connection: {0}")]
    Accept(#[source] io::Error),
    /// As many connections are open as allowed, which is this number. Further clients wait. It is
    /// reported once.
    #[error("{0} connections are open, which is the limit: further clients wait")]
    Full(usize),
    /// The client is the relay itself: the server's address leads back to it. The client was reset,
    /// and no tap received anything.
    #[error("refused client {client}: it is this relay, since {upstream} leads back to it")]
    Loop {
        /// The address of the client.
        client: SocketAddr,
        /// The server, as it was given.
        upstream: String,
    },
    /// A client did not begin with a header of the PROXY protocol. It was reset, and no tap
    /// received anything. [`io::ErrorKind::TimedOut`] when it took longer than 5 seconds.
    #[error("no PROXY protocol header from client {client}: {source}")]
    ProxyHeader {
        /// The address of the client.
        client: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// A client did not name its server with SOCKS5 or an HTTP `CONNECT`. It was refused, and no
    /// tap received anything. [`io::ErrorKind::TimedOut`] when it took longer than 5 seconds.
    #[error("client {client} named no server: {source}")]
    ForwardRequest {
        /// The address of the client.
        client: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// A client named a server that no rule allows. It was refused, and no tap received anything.
    #[error("refused client {client}: no rule (--allow) allows {destination}")]
    Forbidden {
        /// The address of the client.
        client: SocketAddr,
        /// The server that it named.
        destination: String,
    },
    /// The TLS handshake with a side failed: it sent an alert, did not trust a certificate, or sent
    /// something else than TLS. Both sides were reset. [`io::ErrorKind::TimedOut`] when both
    /// handshakes took longer than allowed.
    #[error("the TLS handshake with the {side} failed: {source}")]
    TlsHandshake {
        /// The address of the client.
        client: SocketAddr,
        /// The address of the server.
        server: SocketAddr,
        /// The side with which it failed.
        side: Side,
        /// The reason.
        source: io::Error,
    },
    /// The TLS of a side failed behind the handshake: it sent an alert, or a record that is none.
    /// Both sides were reset.
    #[error("the TLS of the {side} failed: {source}")]
    Tls {
        /// The side.
        side: Side,
        /// The reason.
        source: io::Error,
    },
    /// A side ended its TCP stream inside TLS, without the alert `close_notify`. Its stream may
    /// have been cut. The end was passed on in the same way.
    #[error("the {side} ended its stream without close_notify: its last bytes may be missing")]
    Truncated {
        /// The side.
        side: Side,
    },
    /// Bytes of a side were read and given to the taps, and the other side did not take them before
    /// the connection ended.
    #[error("{bytes} bytes of the {side} were read and not delivered")]
    Undelivered {
        /// The side that sent them.
        side: Side,
        /// Their number.
        bytes: u64,
    },
    /// A tap panicked, with this message. It was dropped.
    #[error("an observer of this connection failed and was dropped: {0}")]
    TapPanicked(String),
    /// Neither side sent anything for this time. The connection was reset.
    #[error("reset after {} without a byte", format_duration(*.0))]
    Idle(Duration),
    /// A tap ended the connection, for this reason. It was reset.
    #[error("reset: {0}")]
    ClosedByTap(String),
    /// The server stopped before the connection had ended. The connection was reset.
    #[error("reset, since this end stops")]
    Stopped,
    /// A client was reset, since the server has as many connections as it may have
    /// ([`Overload::Refuse`](crate::Overload::Refuse)).
    #[error("refused client {client}: there are {max} connections already")]
    Refused {
        /// The address of the client.
        client: SocketAddr,
        /// The limit.
        max: usize,
    },
    /// A client's handshake failed. [`io::ErrorKind::TimedOut`] when it took longer than allowed.
    #[error("the handshake with client {client} failed: {source}")]
    Handshake {
        /// The address of the client.
        client: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// The peer's bytes are not the protocol of the service.
    #[error("the peer's bytes at offset {offset} are not the protocol")]
    Malformed {
        /// The offset in the peer's stream behind which the error lies, in bytes.
        offset: u64,
    },
    /// The service panicked, with this message. The connection was reset.
    #[error("the service of this connection failed: {0}")]
    ServicePanicked(String),
    /// The peer sent a message more slowly than allowed
    /// ([`Options::min_read_rate`](crate::Options::min_read_rate)). The connection was reset.
    #[error("reset: the message arrives too slowly, {bytes} bytes in {}", format_duration(*.time))]
    TooSlow {
        /// The number of bytes of the message so far.
        bytes: u64,
        /// The time since its first byte.
        time: Duration,
    },
    /// The peer took nothing of the bytes that waited to be written, for this time. The connection
    /// was reset.
    #[error("reset: the peer read nothing for {}", format_duration(*.0))]
    WriteTimeout(Duration),
    /// More bytes waited to be written than allowed, which is this number. The connection was
    /// reset.
    #[error("reset: the peer reads too slowly, more than {0} bytes wait to be written")]
    QueueFull(usize),
    /// A [`Slot`](crate::Slot) was dropped without an answer. The connection was reset.
    #[error("reset: a request was not answered")]
    Unanswered,
    /// A [`Producer`](crate::Producer) failed. The connection was reset.
    #[error("reset: what was to be sent could not be read: {0}")]
    Producer(#[source] io::Error),
}
