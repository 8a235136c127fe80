//! Certificates with their keys.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// The reason why a certificate, a key or an authority cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The text has no certificate in PEM.
    #[error("there is no certificate in PEM (-----BEGIN CERTIFICATE-----): {0}")]
    Certificate(String),
    /// The text has no private key in PEM.
    #[error("there is no private key in PEM (-----BEGIN PRIVATE KEY-----): {0}")]
    Key(String),
    /// The certificate, or its key, is refused.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
    /// The certificates of the system cannot be read.
    #[error("the system has no certificates of authorities: {0}")]
    System(String),
    /// An authority cannot sign.
    #[error("the authority cannot sign certificates: {0}")]
    Signing(#[from] rcgen::Error),
    /// A peer would not trust certificates that the authority signs.
    #[error("certificates of this authority would not be trusted: {0}")]
    Distrusted(String),
    /// The name is neither a host name nor an IP address.
    #[error("{0:?} is neither a host name nor an IP address")]
    Name(String),
}

/// A certificate with its chain and its key.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl Identity {
    /// Reads a certificate, followed by those of its chain, and its private key, both in PEM.
    ///
    /// # Errors
    /// One of them is missing, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        Ok(Self(Arc::new(CertifiedKey::from_der(chain, key, &provider())?)))
    }
}

/// Reads certificates in PEM: at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| TlsError::Certificate(error.to_string()))?;
    if all.is_empty() {
        return Err(TlsError::Certificate("the text is something else".to_owned()));
    }
    Ok(all)
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
