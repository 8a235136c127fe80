//! The server behind a relay.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enjamb::units::format_duration;
use tokio::time::timeout;

use crate::accept::without_mapping;
use crate::connect::{ServerConnection, connect};
use crate::listener::NO_ADDRESS;
use crate::relay::forward::ForwardRule;
use crate::relay::socket::Socket;
use crate::sim;

/// The server behind a relay: `HOST:PORT`, a Unix socket, or one that each client names. A name is
/// looked up for every connection, so a change of its addresses counts from the next connection on.
/// If it has several, they are tried as RFC 8305 describes.
#[derive(Clone, Debug)]
pub struct Upstream {
    text: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Tcp {
        addresses: Vec<SocketAddr>,
        is_literal: bool,
    },
    #[cfg(unix)]
    Unix(PathBuf),
    /// The clients name it.
    Named(Vec<ForwardRule>),
    /// Each connection takes the next stream.
    Simulated(Arc<Mutex<VecDeque<sim::Stream>>>),
}

/// A connection to the server.
pub(crate) struct UpstreamConnection {
    pub(crate) socket: Socket,
    /// The server's address. A Unix socket has none.
    pub(crate) address: SocketAddr,
    /// Whether the server has reset it already. What the server sent before can still be read.
    pub(crate) is_reset: bool,
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
        Ok(Self { text, place: Place::Tcp { addresses, is_literal } })
    }

    /// Takes an address without looking it up. It is looked up for every connection.
    #[must_use]
    pub fn unresolved(address: impl Into<String>) -> Self {
        Self { text: address.into(), place: Place::Tcp { addresses: Vec::new(), is_literal: false } }
    }

    /// Takes the path of a Unix socket.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self { text: format!("unix:{}", path.display()), place: Place::Unix(path) }
    }

    /// Lets each client name its server, with SOCKS5 or an HTTP `CONNECT`, if one of the rules
    /// allows it.
    #[must_use]
    pub fn named_by_clients(rules: impl IntoIterator<Item = ForwardRule>) -> Self {
        Self { text: "servers that clients name".to_owned(), place: Place::Named(rules.into_iter().collect()) }
    }

    /// Takes simulated streams: each connection gets the next one, and is refused when there is
    /// none.
    #[must_use]
    pub fn simulated(streams: impl IntoIterator<Item = sim::Stream>) -> Self {
        let streams = Arc::new(Mutex::new(streams.into_iter().collect()));
        Self { text: "simulated".to_owned(), place: Place::Simulated(streams) }
    }

    /// Returns the rules, if clients name the server.
    pub(crate) fn rules(&self) -> Option<&[ForwardRule]> {
        match &self.place {
            Place::Named(rules) => Some(rules),
            _ => None,
        }
    }

    /// Returns the address as the caller wrote it, or `unix:PATH`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the addresses that were found when it was checked. There is at least one, unless it
    /// was [not checked](Self::unresolved), is a Unix socket, is named by clients, or is simulated.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        match &self.place {
            Place::Tcp { addresses, .. } => addresses,
            #[cfg(unix)]
            Place::Unix(_) => &[],
            Place::Named(_) | Place::Simulated(_) => &[],
        }
    }

    /// Returns the host without the port. A Unix socket has the host `localhost`.
    pub(crate) fn host(&self) -> &str {
        match &self.place {
            Place::Tcp { .. } => {
                let host = self.text.rsplit_once(':').map_or(self.text.as_str(), |(host, _)| host);
                host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
            }
            #[cfg(unix)]
            Place::Unix(_) => "localhost",
            Place::Named(_) | Place::Simulated(_) => "",
        }
    }

    /// Looks the name up again, and connects.
    pub(crate) async fn connect(&self, limit: Duration) -> io::Result<UpstreamConnection> {
        let (addresses, is_literal) = match &self.place {
            Place::Tcp { addresses, is_literal } => (addresses, *is_literal),
            #[cfg(unix)]
            Place::Unix(path) => {
                let socket = Socket::Unix(tokio::net::UnixStream::connect(path).await?);
                return Ok(UpstreamConnection { socket, address: NO_ADDRESS, is_reset: false });
            }
            Place::Simulated(streams) => {
                let next = streams.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let stream = next.ok_or(io::ErrorKind::ConnectionRefused)?;
                return Ok(UpstreamConnection {
                    socket: Socket::Simulated(stream),
                    address: NO_ADDRESS,
                    is_reset: false,
                });
            }
            // Not reached: each client has a server of its own.
            Place::Named(_) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let found;
        let addresses = if is_literal {
            addresses
        } else {
            let Ok(looked_up) = timeout(limit, tokio::net::lookup_host(&self.text)).await else {
                let reason = format!("the name was not looked up within {}", format_duration(limit));
                return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
            };
            found = looked_up?.collect::<Vec<_>>();
            &found
        };
        let ServerConnection { socket, address, is_reset } = connect(addresses, limit).await?;
        Ok(UpstreamConnection { socket: Socket::Tcp(socket), address: without_mapping(address), is_reset })
    }
}
