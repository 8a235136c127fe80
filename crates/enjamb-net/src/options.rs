//! The limits of a server, a client, and their connections.

use std::num::NonZeroUsize;
use std::time::Duration;

/// The limits of a server or a client, and of each of their connections. Start from the
/// [default](Self::default) and change fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The maximum number of bytes of one read (`ac_in_buffer_size`), at most 1 MiB. The
    /// connections of a thread share one such buffer. 16 KiB by default.
    pub read_buffer: NonZeroUsize,
    /// The maximum number of bytes of one write, and of one call of a
    /// [`Producer`](crate::Producer) (`ac_out_buffer_size`). 64 KiB by default.
    pub write_buffer: NonZeroUsize,
    /// The number of bytes that may wait to be written before `when_queue_full` applies. 1 MiB by
    /// default.
    pub max_queued: usize,
    /// The policy when more than `max_queued` bytes wait to be written.
    /// [`QueuePolicy::Wait`] by default.
    pub when_queue_full: QueuePolicy,
    /// The maximum number of events of one connection that are handled before other connections of
    /// the thread have their turn. 256 by default.
    pub events_per_turn: NonZeroUsize,
    /// The maximum number of [slots](crate::Peer::reserve) of a connection that wait for their
    /// reply. When it is reached, nothing more is parsed until one of them was answered. 128 by
    /// default.
    pub max_outstanding: NonZeroUsize,
    /// The maximum number of connections of a server. 4,096 by default.
    pub max_connections: NonZeroUsize,
    /// The policy for clients beyond `max_connections`. [`Overload::Wait`] by default.
    pub when_overloaded: Overload,
    /// The time that connecting, or a handshake such as that of TLS, may take. 10 seconds by
    /// default.
    pub handshake_timeout: Duration,
    /// The time that a connection may be open without a byte in either direction. 10 minutes by
    /// default.
    pub idle_timeout: Option<Duration>,
    /// The least rate at which a message must arrive. 16 bytes per second after 30 seconds by
    /// default.
    pub min_read_rate: Option<ReadRate>,
    /// The time that the peer may take nothing of the bytes that wait to be written. 60 seconds by
    /// default.
    pub write_timeout: Option<Duration>,
    /// The time that a connection which this end has closed waits for the peer to close it too. A
    /// shorter time risks that the peer loses the last bytes: a socket that is closed while bytes
    /// of the peer are unread resets the connection. 2 seconds by default.
    pub linger: Duration,
    /// The time without a byte after which TCP checks that the peer still exists. 60 seconds by
    /// default. Applies to TCP only.
    pub keep_alive: Option<Duration>,
    /// The number of connections that the kernel holds until they are accepted. 4,096 by default.
    /// The kernel may have a lower limit (`net.core.somaxconn` on Linux).
    pub backlog: u32,
    /// The time that open connections may continue when the server stops. 5 seconds by default.
    pub drain: Duration,
}

/// The policy for a connection with more bytes waiting to be written than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueuePolicy {
    /// Nothing more is read or parsed until the peer has taken enough. Pushes from other tasks fail
    /// with [`PushError::Full`](crate::PushError::Full).
    Wait,
    /// The connection is aborted.
    Abort,
    /// [`Service::full`](crate::Service::full) is called, and
    /// [`Service::drained`](crate::Service::drained) when half of it was taken. At four times the
    /// limit the connection is aborted.
    Notify,
}

/// The policy for clients when a server has as many connections as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// They wait to be accepted, in the listener's backlog.
    Wait,
    /// They are accepted and reset. Each is counted and reported.
    Refuse,
}

/// The least rate at which the bytes of one message must arrive. A peer that sends a message byte
/// by byte, to keep a server busy, is too slow for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRate {
    /// Bytes per second, on average since the first byte of the message.
    pub bytes_per_second: u32,
    /// The time since the first byte during which any rate is enough.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        const fn nonzero(n: usize) -> NonZeroUsize {
            NonZeroUsize::new(n).unwrap()
        }
        Self {
            read_buffer: const { nonzero(16 << 10) },
            write_buffer: const { nonzero(64 << 10) },
            max_queued: 1 << 20,
            when_queue_full: QueuePolicy::Wait,
            events_per_turn: const { nonzero(256) },
            max_outstanding: const { nonzero(128) },
            max_connections: const { nonzero(4096) },
            when_overloaded: Overload::Wait,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_secs(600)),
            min_read_rate: Some(ReadRate { bytes_per_second: 16, grace: Duration::from_secs(30) }),
            write_timeout: Some(Duration::from_secs(60)),
            linger: Duration::from_secs(2),
            keep_alive: Some(Duration::from_secs(60)),
            backlog: 4096,
            drain: Duration::from_secs(5),
        }
    }
}
