//! TLS with the server: the relay is the client.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::relay::tls::identity::{Identity, TlsError, certificates, provider};
use crate::relay::tls::key_log::key_log;

/// The authorities whose certificates of a server are accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TrustedRoots {
    /// Those of the system.
    System,
    /// These, in PEM. A certificate of a server that signed itself may be one of them.
    Pem(Vec<u8>),
    /// Every certificate is accepted, whoever signed it and for whatever name. A connection can be
    /// intercepted then.
    Any,
}

/// Begins TLS with the server.
#[derive(Clone)]
pub struct Origination {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl Origination {
    /// Creates it. The server's certificate must be for `server_name`. Without one it must be for
    /// the host name of the server as the relay was given it, or, if that is an address, for the
    /// name that the client sends, or else for the address. The server gets the certificate of
    /// `identity` if it asks for one.
    ///
    /// # Errors
    /// There are no certificates of authorities, or the name is none.
    pub fn new(roots: TrustedRoots, server_name: Option<&str>, identity: Option<Identity>) -> Result<Self, TlsError> {
        let provider = provider();
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match roots {
            TrustedRoots::System => builder.with_root_certificates(system_roots()?),
            TrustedRoots::Pem(pem) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(GivenCertificates::new(&pem, &provider)?))
            }
            TrustedRoots::Any => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            }
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.0))),
        };
        config.key_log = key_log();
        let server_name = server_name.map(parse_name).transpose()?;
        Ok(Self { config: Arc::new(config), server_name })
    }

    /// Returns the configuration for one connection that offers these application protocols.
    pub(super) fn config(&self, alpn: Vec<Vec<u8>>) -> Arc<ClientConfig> {
        if alpn.is_empty() {
            return Arc::clone(&self.config);
        }
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = alpn;
        Arc::new(config)
    }

    /// Returns the name that the server's certificate must have. `host` is the server as the relay
    /// was given it, and `requested` the name that the client sent.
    pub(super) fn server_name(&self, host: &str, requested: Option<&str>) -> Result<ServerName<'static>, TlsError> {
        if let Some(name) = &self.server_name {
            return Ok(name.clone());
        }
        match (parse_name(host), requested) {
            (Ok(ServerName::IpAddress(_)) | Err(_), Some(requested)) => parse_name(requested),
            (name, _) => name,
        }
    }
}

fn parse_name(text: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(text.to_owned()).map_err(|_| TlsError::Name(text.to_owned()))
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let reason = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
        return Err(TlsError::System(reason));
    }
    Ok(store)
}

/// Accepts certificates that are given or that given authorities have signed.
///
/// A certificate that signed itself often has the mark of an authority (`openssl req -x509` sets
/// it). As that of a server it is refused by the usual rules, although its owner trusts it.
#[derive(Debug)]
struct GivenCertificates {
    signed: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl GivenCertificates {
    fn new(pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let given = certificates(pem)?;
        let mut store = RootCertStore::empty();
        for certificate in &given {
            store.add(certificate.clone())?;
        }
        let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build();
        Ok(Self { signed: signed.map_err(|error| TlsError::Certificate(error.to_string()))?, given })
    }
}

impl ServerCertVerifier for GivenCertificates {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.signed.verify_server_cert(certificate, chain, name, ocsp, now);
        // The time was checked before the mark, and the name was not.
        if let Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) = &verified
            && self.given.iter().any(|given| given == certificate)
        {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// Accepts every certificate. The server must have the key of it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
