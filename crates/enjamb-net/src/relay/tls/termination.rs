//! The end of clients' TLS: the relay is the server.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::relay::tls::authority::CertificateAuthority;
use crate::relay::tls::identity::{Identity, TlsError, provider};
use crate::relay::tls::key_log::key_log;

/// Ends the TLS of clients: what the relay shows them.
#[derive(Clone)]
pub struct Termination {
    config: Arc<ServerConfig>,
    certificates: Certificates,
}

#[derive(Clone)]
enum Certificates {
    One(Arc<CertifiedKey>),
    Signed(Arc<CertificateAuthority>),
}

impl Termination {
    /// Shows one certificate to all clients.
    ///
    /// # Errors
    /// The cryptography of this build has no version of TLS.
    pub fn with_identity(identity: Identity) -> Result<Self, TlsError> {
        Self::new(Certificates::One(identity.0))
    }

    /// Shows each client a certificate that `authority` signs for the server name that the client
    /// sends.
    ///
    /// # Errors
    /// The cryptography of this build has no version of TLS.
    pub fn with_authority(authority: CertificateAuthority) -> Result<Self, TlsError> {
        Self::new(Certificates::Signed(Arc::new(authority)))
    }

    fn new(certificates: Certificates) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(NoCertificate));
        config.key_log = key_log();
        Ok(Self { config: Arc::new(config), certificates })
    }

    /// Returns the configuration for a client that sent this server name, or connected to this
    /// address. `alpn` are the application protocols that it may choose.
    pub(super) fn config(
        &self,
        server_name: Option<&str>,
        address: IpAddr,
        alpn: Vec<Vec<u8>>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let key = match &self.certificates {
            Certificates::One(key) => Arc::clone(key),
            Certificates::Signed(authority) => match server_name {
                Some(name) => authority.certificate(name)?,
                None => authority.certificate(&address.to_string())?,
            },
        };
        let mut config = ServerConfig::clone(&self.config);
        config.cert_resolver = Arc::new(SingleCertAndKey::from(key));
        config.alpn_protocols = alpn;
        Ok(Arc::new(config))
    }
}

/// The resolver of a configuration that is not used before it has a certificate.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
