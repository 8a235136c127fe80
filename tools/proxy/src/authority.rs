//! `enjamb proxy ca`: a certificate authority in a directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use enjamb_net::relay::CertificateAuthority;

/// The file with the certificate of an authority.
pub(crate) const CERTIFICATE_FILE: &str = "ca.pem";

/// The file with the private key of an authority.
pub(crate) const KEY_FILE: &str = "ca-key.pem";

/// Commands beside the relay.
#[derive(Subcommand, Clone, Debug)]
#[non_exhaustive]
pub enum ProxyCommand {
    /// Make a certificate authority for --tls-ca, and print how clients learn to trust it.
    Ca {
        /// The directory of the authority. It is made if it does not exist. An authority in it is
        /// not replaced.
        dir: PathBuf,
    },
}

/// Makes an authority. Returns the text for its owner.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]: there is one. Otherwise a file cannot be written.
pub(crate) fn make_authority(folder: &Path) -> Result<String, io::Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let (certificate_file, key_file) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    for file in [&certificate_file, &key_file] {
        if file.symlink_metadata().is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists", file.display())));
        }
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    // Programs that keep certificates show only this name.
    let name = format!("enjamb proxy CA {seconds}");
    let (certificate, key) = CertificateAuthority::create(&name).map_err(io::Error::other)?;
    create(&key_file, 0o600)?.write_all(key.as_bytes())?;
    create(&certificate_file, 0o644)?.write_all(certificate.as_bytes())?;
    Ok(instructions(&name, &certificate_file, &key_file))
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

fn instructions(name: &str, certificate: &Path, key: &Path) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    format!(
        "made the authority \"{name}\"\n\
         \n\
         {certificate}  its certificate, which clients have to trust\n\
         {key}  its private key: whoever has it can impersonate every server to these clients\n\
         \n\
         For one command:\n\
         \x20 curl --cacert {certificate} ...\n\
         \x20 SSL_CERT_FILE={certificate} ...        (OpenSSL, Python, Ruby, Go)\n\
         \x20 REQUESTS_CA_BUNDLE={certificate} ...   (Python's requests)\n\
         \x20 NODE_EXTRA_CA_CERTS={certificate} ...  (Node.js)\n\
         For the whole system:\n\
         \x20 Debian, Ubuntu: cp {certificate} /usr/local/share/ca-certificates/enjamb.crt && update-ca-certificates\n\
         \x20 Fedora, RHEL:   cp {certificate} /etc/pki/ca-trust/source/anchors/enjamb.pem && update-ca-trust\n\
         \x20 macOS:          security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {certificate}\n\
         Remove it there when you no longer need it.\n"
    )
}
