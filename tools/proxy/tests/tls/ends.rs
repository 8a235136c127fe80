//! The ends of a connection: certificates, clients and servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

/// A client's stream.
pub(crate) type Stream = client::TlsStream<TcpStream>;

/// An authority of a test.
pub(crate) struct Authority {
    certificate: String,
    key: String,
}

/// The authority of the proxy, and that of the server.
pub(crate) struct Ends {
    pub(crate) own: Authority,
    pub(crate) server: Authority,
}

impl Ends {
    pub(crate) fn new() -> Self {
        Self { own: Authority::new(), server: Authority::new() }
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    pub(crate) fn from_pem(certificate: &str, key: &str) -> Self {
        Self { certificate: certificate.to_owned(), key: key.to_owned() }
    }

    /// The certificate and the key, in PEM.
    pub(crate) fn pem(&self) -> (String, String) {
        (self.certificate.clone(), self.key.clone())
    }

    /// A certificate for a name that signed itself and is marked as an authority, as
    /// `openssl req -x509` makes it. With these dates.
    pub(crate) fn self_signed(name: &str, years: [i32; 2]) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        [params.not_before, params.not_after] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
        Self { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A certificate for a name, and its key, in PEM.
    pub(crate) fn leaf(&self, name: &str) -> (String, String) {
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, KeyPair::from_pem(&self.key).unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        roots
    }
}

fn names(alpn: &[&str]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn chain((certificate, key): &(String, String)) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    (vec![certificate], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
}

pub(crate) fn client_config(trusted: &Authority, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder().with_root_certificates(trusted.roots()).with_no_client_auth();
    config.alpn_protocols = names(alpn);
    Arc::new(config)
}

pub(crate) fn server_config(leaf: &(String, String), alpn: &[&str]) -> Arc<ServerConfig> {
    let (chain, key) = chain(leaf);
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = names(alpn);
    Arc::new(config)
}

/// A server that wants a certificate of `clients`.
pub(crate) fn demanding_config(leaf: &(String, String), clients: &Authority) -> Arc<ServerConfig> {
    let (chain, key) = chain(leaf);
    let verifier = WebPkiClientVerifier::builder(Arc::new(clients.roots())).build().unwrap();
    Arc::new(ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap())
}

pub(crate) async fn connect(socket: TcpStream, name: &str, config: Arc<ClientConfig>) -> std::io::Result<Stream> {
    TlsConnector::from(config).connect(ServerName::try_from(name.to_owned()).unwrap(), socket).await
}

pub(crate) fn acceptor(config: Arc<ServerConfig>) -> TlsAcceptor {
    TlsAcceptor::from(config)
}

/// A server that echoes inside TLS.
pub(crate) async fn echo_tls(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = acceptor(config);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client may refuse the certificate.
                if let Ok(stream) = acceptor.accept(socket).await {
                    echo_all(stream).await;
                }
            });
        }
    });
    address
}

/// A server that echoes.
pub(crate) async fn echo_plain() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(echo_all(socket));
        }
    });
    address
}

async fn echo_all(stream: impl AsyncRead + AsyncWrite) {
    let (mut reads, mut writes) = tokio::io::split(stream);
    // The client may have gone.
    let _ = tokio::io::copy(&mut reads, &mut writes).await;
    let _ = writes.shutdown().await;
}
