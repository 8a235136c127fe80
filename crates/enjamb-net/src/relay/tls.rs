//! TLS of a relay: it ends the TLS of clients, begins TLS with the server, or both.
//!
//! The relay connects to the server first, with the application protocols (ALPN) that the client
//! has offered, and gives the client the one that the server has chosen. So a client and a server
//! agree as they would without the relay. The taps see the text.

mod authority;
pub(super) mod handshake;
mod identity;
mod key_log;
mod origination;
pub(super) mod session;
mod termination;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use enjamb::Connection;

pub use self::authority::CertificateAuthority;
pub use self::identity::{Identity, TlsError};
pub use self::origination::{Origination, TrustedRoots};
pub use self::termination::Termination;
use crate::relay::upgrade::Upgrade;
pub use crate::tls_parameters::TlsParameters;

/// The TLS of a relay. The [default](Self::default) is none: TLS between a client and the server
/// passes unchanged.
#[derive(Clone)]
#[non_exhaustive]
pub struct Tls {
    /// Ends the TLS of clients. `None`: clients send plain text.
    pub client: Option<Termination>,
    /// Begins TLS with the server. `None`: the server gets plain text.
    pub server: Option<Origination>,
    /// The application protocols (ALPN), if only one side has TLS. With both sides those of the
    /// client are offered to the server. None by default.
    pub alpn: Vec<String>,
    /// The time that both handshakes of a connection may take together. 10 seconds by default.
    pub handshake_timeout: Duration,
    /// Finds the place in a connection that begins in plain text where both sides change to TLS.
    /// `None`: TLS begins with the first byte. It needs both sides.
    pub upgrades: Option<Arc<dyn Upgrades>>,
}

/// Makes the [`Upgrade`] of each connection.
pub trait Upgrades: Send + Sync {
    /// Returns the one of a connection that is about to be relayed.
    fn upgrade(&self, connection: &Connection) -> Box<dyn Upgrade>;
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            client: None,
            server: None,
            alpn: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            upgrades: None,
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, server, alpn, handshake_timeout, upgrades } = self;
        f.debug_struct("Tls")
            .field("client", &client.is_some())
            .field("server", &server.is_some())
            .field("alpn", alpn)
            .field("handshake_timeout", handshake_timeout)
            .field("upgrades", &upgrades.is_some())
            .finish()
    }
}
