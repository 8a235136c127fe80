//! The options of TLS, on the command line and in a table of a configuration file.

use std::path::{Path, PathBuf};

use clap::Args;
use enjamb_net::relay::TlsError;

use crate::authority::{CERTIFICATE_FILE, KEY_FILE};
use crate::route_tls::{ClientTls, RouteTls, RouteTlsError, ServerTls, TrustedAuthorities};
use crate::starttls::StartTls;

/// The maximum length of a file with certificates or a key. The authorities of a whole system fit.
const FILE_MAX: u64 = 16 << 20;

/// The options of TLS. In a configuration file each belongs to a proxy, with `_` for `-`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// End the TLS of clients, with the certificate in this file: PEM, the certificate first, and
    /// those of its chain behind it.
    #[arg(long, value_name = "FILE.pem", requires = "tls_key", conflicts_with = "tls_ca", help_heading = "TLS")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, in PEM.
    #[arg(long, value_name = "FILE.pem", requires = "tls_cert", help_heading = "TLS")]
    pub tls_key: Option<PathBuf>,

    /// End the TLS of clients, with certificates that the authority in this directory signs for the
    /// server names that clients ask for. `enjamb proxy ca DIR` makes one.
    #[arg(long, value_name = "DIR", help_heading = "TLS")]
    pub tls_ca: Option<PathBuf>,

    /// Begin TLS with the server.
    #[arg(long, help_heading = "TLS")]
    pub upstream_tls: bool,

    /// Trust only servers whose certificates these authorities have signed. [default: those of the
    /// system]
    #[arg(long, value_name = "FILE.pem", requires = "upstream_tls", help_heading = "TLS")]
    pub upstream_ca: Option<PathBuf>,

    /// Ask for this server name, and expect it in the certificate of the server. [default: the host
    /// of --upstream; if that is an address, the name that the client asks for]
    #[arg(long, value_name = "NAME", requires = "upstream_tls", help_heading = "TLS")]
    pub upstream_name: Option<String>,

    /// Show this certificate to a server that asks for one, in PEM.
    #[arg(long, value_name = "FILE.pem", requires = "upstream_tls", requires = "upstream_key", help_heading = "TLS")]
    pub upstream_cert: Option<PathBuf>,

    /// The private key of --upstream-cert, in PEM.
    #[arg(long, value_name = "FILE.pem", requires = "upstream_cert", help_heading = "TLS")]
    pub upstream_key: Option<PathBuf>,

    /// Accept every certificate of the server, so that anybody between can read along.
    #[arg(long, requires = "upstream_tls", conflicts_with = "upstream_ca", help_heading = "TLS")]
    pub upstream_insecure: bool,

    /// The application protocols (ALPN) if only one side has TLS: `h2,http/1.1`. If both have, the
    /// server chooses among those of the client. [default: none]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "TLS")]
    pub alpn: Vec<String>,

    /// Connections begin in plain text, and both sides change to TLS as this protocol does it.
    #[arg(long, value_enum, value_name = "PROTOCOL", requires = "upstream_tls", help_heading = "TLS")]
    pub starttls: Option<StartTls>,
}

impl TlsOptions {
    /// Reads the files. `None`: there is no TLS. The names of options begin with `prefix` in
    /// errors.
    pub(crate) fn read(&self, prefix: &str, separator: &str) -> Result<Option<RouteTls>, String> {
        let name = |option: &str| format!("{prefix}{}", option.replace('_', separator));
        let needs = |option: &str, other: &str| format!("{} needs {}", name(option), name(other));
        let pair = |options: [&str; 2], files: [&Option<PathBuf>; 2]| match files {
            [None, None] => Ok(None),
            [Some(certificate), Some(key)] => {
                let read = |option: &str, path: &Path| read(path).map_err(|error| format!("{}: {error}", name(option)));
                Ok(Some((read(options[0], certificate)?, read(options[1], key)?)))
            }
            [Some(_), None] => Err(needs(options[0], options[1])),
            [None, Some(_)] => Err(needs(options[1], options[0])),
        };
        let Self { tls_cert, tls_key, tls_ca, upstream_cert, upstream_key, .. } = self;
        let given = pair(["tls_cert", "tls_key"], [tls_cert, tls_key])?;
        let client = match (given, tls_ca) {
            (Some(_), Some(_)) => {
                return Err(format!("{} and {} exclude each other", name("tls_cert"), name("tls_ca")));
            }
            (Some((chain, key)), None) => Some(ClientTls::Certificate { chain, key }),
            (None, Some(folder)) => {
                let read =
                    |file: &str| read(&folder.join(file)).map_err(|error| format!("{}: {error}", name("tls_ca")));
                Some(ClientTls::Authority { certificate: read(CERTIFICATE_FILE)?, key: read(KEY_FILE)? })
            }
            (None, None) => None,
        };
        let identity = pair(["upstream_cert", "upstream_key"], [upstream_cert, upstream_key])?;
        let is_upstream_set = self.upstream_ca.is_some()
            || self.upstream_name.is_some()
            || identity.is_some()
            || self.upstream_insecure
            || self.starttls.is_some();
        if is_upstream_set && !self.upstream_tls {
            return Err(format!("the options of the server's TLS need {}", name("upstream_tls")));
        }
        let server = if self.upstream_tls {
            let authorities = match (&self.upstream_ca, self.upstream_insecure) {
                (Some(_), true) => {
                    let (one, other) = (name("upstream_ca"), name("upstream_insecure"));
                    return Err(format!("{one} and {other} exclude each other"));
                }
                (Some(file), false) => {
                    TrustedAuthorities::File(read(file).map_err(|error| format!("{}: {error}", name("upstream_ca")))?)
                }
                (None, true) => TrustedAuthorities::Any,
                (None, false) => TrustedAuthorities::System,
            };
            Some(ServerTls { authorities, name: self.upstream_name.clone(), identity })
        } else {
            None
        };
        if self.starttls.is_some() && client.is_none() {
            return Err(format!("{} needs {} or {}", name("starttls"), name("tls_cert"), name("tls_ca")));
        }
        if !self.alpn.is_empty() && client.is_some() == server.is_some() {
            return Err(format!("{} is for TLS on one side", name("alpn")));
        }
        if client.is_none() && server.is_none() {
            return Ok(None);
        }
        let made = RouteTls::new(client, server, self.alpn.clone(), self.starttls);
        made.map(Some).map_err(|error| match error {
            RouteTlsError::Client(error) => format!("{}: {error}", self.client_files(name)),
            RouteTlsError::Server(error @ TlsError::Name(_)) => format!("{}: {error}", name("upstream_name")),
            RouteTlsError::Server(error) => format!("{}: {error}", self.server_files(name)),
        })
    }

    /// Returns the options about clients that name files, with these. `name` writes an option.
    fn client_files(&self, name: impl Fn(&str) -> String) -> String {
        let Self { tls_cert, tls_key, tls_ca, .. } = self;
        files(&[("tls_cert", tls_cert), ("tls_key", tls_key), ("tls_ca", tls_ca)], name)
    }

    /// Returns the options about the server that name files, with these, or the one that asks for
    /// TLS.
    fn server_files(&self, name: impl Fn(&str) -> String) -> String {
        let Self { upstream_ca, upstream_cert, upstream_key, .. } = self;
        let options = [("upstream_ca", upstream_ca), ("upstream_cert", upstream_cert), ("upstream_key", upstream_key)];
        let files = files(&options, &name);
        if files.is_empty() { name("upstream_tls") } else { files }
    }
}

fn files(options: &[(&str, &Option<PathBuf>)], name: impl Fn(&str) -> String) -> String {
    let given = options.iter().filter_map(|(option, path)| Some((option, path.as_ref()?)));
    given.map(|(option, path)| format!("{} {}", name(option), path.display())).collect::<Vec<_>>().join(", ")
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if metadata.len() > FILE_MAX {
        return Err(failed(&"a file with certificates has at most 16 MiB"));
    }
    std::fs::read(path).map_err(|error| failed(&error))
}
