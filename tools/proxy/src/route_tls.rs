//! The TLS of a route.

use std::fmt;
use std::sync::Arc;

use enjamb::Connection;
use enjamb_net::relay::{
    CertificateAuthority, Identity, Origination, Termination, Tls, TlsError, TrustedRoots, Upgrade, Upgrades,
};

use crate::starttls::StartTls;

/// The TLS of a route. Two are equal if they were made of the same files and options.
#[derive(Clone)]
pub struct RouteTls {
    client: Option<ClientTls>,
    server: Option<ServerTls>,
    alpn: Vec<String>,
    starttls: Option<StartTls>,
    relay: Arc<Tls>,
}

/// The certificates that clients see.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientTls {
    /// One certificate with its chain, and its key, in PEM.
    Certificate {
        /// The certificate, and those of its chain behind it.
        chain: Vec<u8>,
        /// The private key.
        key: Vec<u8>,
    },
    /// Certificates that this authority signs for the names that clients ask for.
    Authority {
        /// The certificate of the authority, in PEM.
        certificate: Vec<u8>,
        /// Its private key, in PEM.
        key: Vec<u8>,
    },
}

/// The TLS with the server.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The authorities that are trusted.
    pub authorities: TrustedAuthorities,
    /// The name of the server. `None`: that of its address, or the one that the client asks for.
    pub name: Option<String>,
    /// The certificate with its chain, and the key, for a server that asks for one. Both in PEM.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// The authorities that are trusted when a server shows its certificate.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedAuthorities {
    /// Those of the system.
    System,
    /// These, in PEM.
    File(Vec<u8>),
    /// Every certificate is accepted.
    Any,
}

/// The reason why the TLS of a route cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteTlsError {
    /// The certificate for clients cannot be used.
    #[error("the certificate for clients: {0}")]
    Client(#[source] TlsError),
    /// The authorities or the certificate for the server cannot be used.
    #[error("the TLS with the server: {0}")]
    Server(#[source] TlsError),
}

impl RouteTls {
    /// Checks the certificates and keys.
    ///
    /// # Errors
    /// One cannot be used.
    pub fn new(
        client: Option<ClientTls>,
        server: Option<ServerTls>,
        alpn: Vec<String>,
        starttls: Option<StartTls>,
    ) -> Result<Self, RouteTlsError> {
        let mut tls = Tls::default();
        if let Some(client) = &client {
            tls.client = Some(termination(client).map_err(RouteTlsError::Client)?);
        }
        if let Some(server) = &server {
            tls.server = Some(origination(server).map_err(RouteTlsError::Server)?);
        }
        tls.alpn.clone_from(&alpn);
        tls.upgrades = starttls.map(|protocol| Arc::new(StartTlsUpgrades(protocol)) as Arc<dyn Upgrades>);
        Ok(Self { client, server, alpn, starttls, relay: Arc::new(tls) })
    }

    /// Returns the TLS of the relay.
    pub(crate) fn relay(&self) -> Arc<Tls> {
        Arc::clone(&self.relay)
    }
}

fn termination(client: &ClientTls) -> Result<Termination, TlsError> {
    match client {
        ClientTls::Certificate { chain, key } => Termination::with_identity(Identity::from_pem(chain, key)?),
        ClientTls::Authority { certificate, key } => {
            let (certificate, key) = (String::from_utf8_lossy(certificate), String::from_utf8_lossy(key));
            Termination::with_authority(CertificateAuthority::from_pem(&certificate, &key)?)
        }
    }
}

fn origination(server: &ServerTls) -> Result<Origination, TlsError> {
    let roots = match &server.authorities {
        TrustedAuthorities::System => TrustedRoots::System,
        TrustedAuthorities::File(pem) => TrustedRoots::Pem(pem.clone()),
        TrustedAuthorities::Any => TrustedRoots::Any,
    };
    let identity = server.identity.as_ref().map(|(chain, key)| Identity::from_pem(chain, key)).transpose()?;
    Origination::new(roots, server.name.as_deref(), identity)
}

impl PartialEq for RouteTls {
    fn eq(&self, other: &Self) -> bool {
        let Self { client, server, alpn, starttls, relay: _ } = self;
        (client, server, alpn, starttls) == (&other.client, &other.server, &other.alpn, &other.starttls)
    }
}

impl fmt::Debug for RouteTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The keys are secret.
        f.debug_struct("RouteTls").field("relay", &self.relay).finish_non_exhaustive()
    }
}

struct StartTlsUpgrades(StartTls);

impl Upgrades for StartTlsUpgrades {
    fn upgrade(&self, _: &Connection) -> Box<dyn Upgrade> {
        self.0.upgrade()
    }
}
