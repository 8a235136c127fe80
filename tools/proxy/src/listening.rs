//! Addresses: listening on them, and whether one leads back to this process.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

use tokio::net::TcpListener;

use crate::error::StartError;
use crate::listen_socket::{ListenAddress, ListenSocket, UNIX, listen_unix};

/// Listens on addresses. Without `wide`, none of them may be every address of this machine.
pub(crate) async fn bind(listen: &[String], wide: bool) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), StartError> {
    let mut listeners = Vec::with_capacity(listen.len());
    let mut addresses = Vec::with_capacity(listen.len());
    for address in listen {
        let failed = |error| StartError::address(format!("cannot listen on {address}"), error);
        let listener = enjamb_net::listen(address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        if local.ip().is_unspecified() && !wide {
            return Err(StartError::Usage(format!(
                "{local} is every address of this machine, so that other machines could connect; add --wide if they \
                 may"
            )));
        }
        addresses.push(local);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

/// Listens on the addresses of a route: `HOST:PORT`, or `unix:PATH` with a file of this mode.
pub(crate) async fn bind_route(
    listen: &[String],
    wide: bool,
    unix_mode: u32,
) -> Result<(Vec<ListenSocket>, Vec<ListenAddress>), StartError> {
    let (mut sockets, mut addresses) = (Vec::with_capacity(listen.len()), Vec::with_capacity(listen.len()));
    for address in listen {
        let failed = |error| StartError::Io(format!("cannot listen on {address}"), error);
        if let Some(path) = address.strip_prefix(UNIX) {
            sockets.push(listen_unix(Path::new(path), unix_mode).map_err(failed)?);
            addresses.push(ListenAddress::Unix(path.into()));
            continue;
        }
        let (listeners, local) = bind(std::slice::from_ref(address), wide).await?;
        for listener in listeners {
            sockets.push(ListenSocket::Tcp(listener.into_std().map_err(failed)?));
        }
        addresses.extend(local.into_iter().map(ListenAddress::Tcp));
    }
    Ok((sockets, addresses))
}

/// Returns the address among `listening` to which one of the addresses `upstream` leads.
pub(crate) fn own_address<'a>(upstream: &[SocketAddr], listening: &'a [SocketAddr]) -> Option<&'a SocketAddr> {
    let leads_to = |to: &SocketAddr, own: &SocketAddr| {
        let (to_ip, own_ip) = (to.ip().to_canonical(), own.ip().to_canonical());
        // A connection to no particular address goes to this machine.
        let is_own = to_ip == own_ip
            || own_ip.is_unspecified() && is_local(to_ip)
            || to_ip.is_unspecified() && (own_ip.is_loopback() || own_ip.is_unspecified());
        to.port() == own.port() && is_own
    };
    listening.iter().find(|own| upstream.iter().any(|to| leads_to(to, own)))
}

/// Returns whether an address is one of this machine: only those can be bound.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_and_an_address_of_this_machine_are_the_same_listener() {
        let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
        let cases = [
            ("127.0.0.1:7000", "127.0.0.1:7000", true),
            ("127.0.0.1:7000", "127.0.0.1:7001", false),
            ("127.0.0.2:7000", "127.0.0.1:7000", false),
            ("127.0.0.1:7000", "0.0.0.0:7000", true),
            ("127.9.9.9:7000", "[::]:7000", true),
            ("[::ffff:127.0.0.1]:7000", "127.0.0.1:7000", true),
            ("0.0.0.0:7000", "127.0.0.1:7000", true),
            ("[::]:7000", "0.0.0.0:7000", true),
            ("192.0.2.1:7000", "0.0.0.0:7000", false),
        ];
        for (upstream, listening, expected) in cases {
            let found = own_address(&[address("192.0.2.9:1"), address(upstream)], &[address(listening)]).is_some();
            assert_eq!(found, expected, "{upstream} behind {listening}");
        }
    }
}
