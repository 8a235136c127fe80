//! The file of TLS secrets that the environment variable `SSLKEYLOGFILE` names, for Wireshark.

use std::sync::{Arc, LazyLock};

use rustls::{KeyLog, KeyLogFile};

/// Returns the log of all sessions of this process.
pub(super) fn key_log() -> Arc<dyn KeyLog> {
    static LOG: LazyLock<Arc<KeyLogFile>> = LazyLock::new(|| {
        create();
        Arc::new(KeyLogFile::new())
    });
    Arc::clone(&*LOG) as Arc<dyn KeyLog>
}

/// Creates the file, so that only its owner can read it. One that exists stays as it is.
fn create() {
    let Some(path) = std::env::var_os("SSLKEYLOGFILE") else { return };
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if let Err(error) = options.open(&path) {
        tracing::warn!("the file of SSLKEYLOGFILE cannot be written: {error}");
    }
}
