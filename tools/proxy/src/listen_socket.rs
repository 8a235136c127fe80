//! Listening sockets of a route, which several relays may share: TCP and Unix sockets.

use std::fmt;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enjamb_net::relay::RelayListener;
use tokio::net::{TcpListener, UnixListener};

/// The beginning of an address that is the path of a Unix socket.
pub(crate) const UNIX: &str = "unix:";

/// A listening socket.
pub(crate) enum ListenSocket {
    Tcp(StdTcpListener),
    Unix(StdUnixListener, Arc<SocketFile>),
}

/// The address of a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl ListenAddress {
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        if let Self::Tcp(address) = self { Some(*address) } else { None }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl ListenSocket {
    /// Returns a copy, for a relay.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket, file) => Self::Unix(socket.try_clone()?, Arc::clone(file)),
        })
    }

    /// Returns the listener of a relay. Its file is removed with the last copy of the socket.
    pub(crate) fn listener(&self) -> io::Result<RelayListener> {
        Ok(match self {
            Self::Tcp(socket) => TcpListener::from_std(socket.try_clone()?)?.into(),
            Self::Unix(socket, _) => UnixListener::from_std(socket.try_clone()?)?.into(),
        })
    }
}

/// The file of a Unix socket. It is removed when it is dropped, if it is still the same.
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    number: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_same = self
            .path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.dev() == self.device && metadata.ino() == self.number);
        if is_same {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens on a Unix socket whose file has this mode. A file that a process has left behind which
/// is gone is replaced; any other is not.
pub(crate) fn listen_unix(path: &Path, mode: u32) -> io::Result<ListenSocket> {
    if let Ok(metadata) = path.symlink_metadata() {
        if !metadata.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file exists and is no socket"));
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it")),
        }
    }
    // In a directory of its own, so that nobody can connect before it has its mode.
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut private = name.to_owned();
    private.push(format!(".{}", std::process::id()));
    let folder = path.with_file_name(private);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let made = folder.join("s");
    let listened = StdUnixListener::bind(&made).and_then(|socket| {
        socket.set_nonblocking(true)?;
        std::fs::set_permissions(&made, Permissions::from_mode(mode))?;
        let metadata = made.symlink_metadata()?;
        std::fs::rename(&made, path)?;
        let file = SocketFile { path: path.to_owned(), device: metadata.dev(), number: metadata.ino() };
        Ok(ListenSocket::Unix(socket, Arc::new(file)))
    });
    if listened.is_err() {
        let _ = std::fs::remove_file(&made);
    }
    let _ = std::fs::remove_dir(&folder);
    listened
}
