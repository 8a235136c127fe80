//! A certificate authority of one's own, which signs certificates for the names that clients ask
//! for.
//!
//! All certificates have one key, which is made at the start and never leaves the process. They are
//! valid for 90 days, since some clients refuse those that are valid for years, and are made again
//! when half of the time is over.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;

use crate::relay::tls::identity::{TlsError, certificates, provider};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The time for which an authority is valid.
const AUTHORITY_VALID: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The time for which a certificate is valid.
const CERTIFICATE_VALID: Duration = Duration::from_secs(90 * 24 * 3600);

/// The maximum number of certificates that are kept. One that is not kept is signed again.
const CERTIFICATES_MAX: usize = 1024;

/// A certificate authority.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// The key of all certificates that it signs.
    key: KeyPair,
    signed: Mutex<HashMap<String, Signed>>,
}

struct Signed {
    key: Arc<CertifiedKey>,
    time: SystemTime,
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The keys are secret.
        f.debug_struct("CertificateAuthority").finish_non_exhaustive()
    }
}

impl CertificateAuthority {
    /// Makes an authority of this name. Returns its certificate and its private key, both in PEM.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn create(name: &str) -> Result<(String, String), TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let now = SystemTime::now();
        params.not_before = (now - DAY).into();
        params.not_after = (now + AUTHORITY_VALID).into();
        let certificate = params.self_signed(&key)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// Reads the certificate and the private key of an authority, both in PEM. It may be one that
    /// another program made.
    ///
    /// # Errors
    /// One of them is missing, or a peer that trusts the authority would not trust what it signs:
    /// the key belongs to another certificate, it is over, or it is no authority.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, TlsError> {
        let certificate = certificates(certificate.as_bytes())?.swap_remove(0);
        let key = KeyPair::from_pem(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        let authority = Self { issuer, certificate, key: KeyPair::generate()?, signed: Mutex::default() };
        authority.check()?;
        Ok(authority)
    }

    /// Checks whether a client that trusts this authority would trust a certificate that it signs.
    fn check(&self) -> Result<(), TlsError> {
        const NAME: &str = "enjamb.invalid";
        let distrusted = |error: &dyn fmt::Display| TlsError::Distrusted(error.to_string());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        let verifier = verifier.map_err(|error| distrusted(&error))?;
        let signed = self.certificate(NAME)?;
        let name = ServerName::try_from(NAME).map_err(|_| TlsError::Name(NAME.to_owned()))?;
        let [own, chain @ ..] = &signed.cert[..] else { return Err(distrusted(&"it signed nothing")) };
        let verified = rustls::client::danger::ServerCertVerifier::verify_server_cert(
            &*verifier,
            own,
            chain,
            &name,
            &[],
            UnixTime::now(),
        );
        verified.map(drop).map_err(|error| distrusted(&error))
    }

    /// Returns a certificate for a host name or an IP address, with the authority's behind it.
    pub(super) fn certificate(&self, name: &str) -> Result<Arc<CertifiedKey>, TlsError> {
        let name = name.to_ascii_lowercase();
        let now = SystemTime::now();
        // Signing takes less time than waiting for another thread that signs would be worth.
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Signed { key, time }) = signed.get(&name)
            && now.duration_since(*time).is_ok_and(|age| age < CERTIFICATE_VALID / 2)
        {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.sign(&name, now)?);
        if signed.len() >= CERTIFICATES_MAX {
            signed.clear();
        }
        signed.insert(name, Signed { key: Arc::clone(&key), time: now });
        Ok(key)
    }

    fn sign(&self, name: &str, now: SystemTime) -> Result<CertifiedKey, TlsError> {
        // An IP address becomes a name of that kind.
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        // A common name has at most 64 characters (RFC 5280, appendix A.1). Clients look at the
        // other one.
        if name.len() <= 64 {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.not_before = (now - DAY).into();
        params.not_after = (now + CERTIFICATE_VALID).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.key, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).map_err(|error| TlsError::Key(error.to_owned()))?;
        Ok(CertifiedKey::from_der(chain, key, &provider())?)
    }
}
