//! Connecting to a server that may have several addresses (RFC 8305, "Happy Eyeballs").
//!
//! The families of the addresses alternate. An attempt that has not succeeded after a moment goes
//! on, and the next address is tried beside it. The first connection wins.
//!
//! A server may answer and reset before this end has noticed that it is connected. The handshake
//! was complete then, and the answer can be read. So only a refusal is a failed attempt, not a
//! reset.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use enjamb::units::format_duration;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The time after which the next address is tried, while earlier attempts go on (RFC 8305,
/// section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The number of addresses that are tried. A name may have more.
const ADDRESSES_MAX: usize = 16;

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    pub(crate) socket: TcpStream,
    pub(crate) address: SocketAddr,
    /// Whether the server has reset it already. What the server sent before can still be read.
    pub(crate) is_reset: bool,
}

/// Connects to the first of `addresses` that accepts. Each may take as long as `limit`.
pub(crate) async fn connect(addresses: &[SocketAddr], limit: Duration) -> io::Result<ServerConnection> {
    if let [address] = addresses {
        return attempt(*address, limit).await;
    }
    let mut waiting = alternating(addresses);
    let mut attempts = JoinSet::new();
    let mut errors = Vec::new();
    loop {
        if let Some(address) = waiting.pop_front() {
            attempts.spawn(async move { (address, attempt(address, limit).await) });
        }
        tokio::select! {
            done = attempts.join_next() => match done {
                Some(Ok((_, Ok(connection)))) => return Ok(connection),
                Some(Ok((address, Err(error)))) => errors.push((address, error)),
                // It panicked, or there are none.
                Some(Err(_)) => {}
                None => break,
            },
            () = sleep(ATTEMPT_DELAY), if !waiting.is_empty() => {}
        }
    }
    let Some(kind) = errors.last().map(|(_, error)| error.kind()) else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    };
    let reasons: Vec<_> = errors.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    Err(io::Error::new(kind, reasons.join("; ")))
}

/// Returns the addresses with alternating families, beginning with that of the first one.
fn alternating(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (same, other): (Vec<_>, Vec<_>) = addresses.iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut families = [same.into_iter(), other.into_iter()];
    let mut all = VecDeque::new();
    let mut turn = 0;
    while let Some(address) = families[turn % 2].next().or_else(|| families[(turn + 1) % 2].next()) {
        all.push_back(address);
        turn += 1;
    }
    all.truncate(ADDRESSES_MAX);
    all
}

async fn attempt(address: SocketAddr, limit: Duration) -> io::Result<ServerConnection> {
    timeout(limit, connect_to(address)).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {}", format_duration(limit))))
    })
}

async fn connect_to(address: SocketAddr) -> io::Result<ServerConnection> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    let socket = TcpStream::from_std(socket.into())?;
    socket.writable().await?;
    match socket.take_error()? {
        None => Ok(ServerConnection { socket, address, is_reset: false }),
        Some(error) if is_reset(&error) => Ok(ServerConnection { socket, address, is_reset: true }),
        Some(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

#[cfg(not(unix))]
fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Returns whether the peer ended a connection that existed. A SYN that is not wanted is refused,
/// which is another error.
fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// A listener whose backlog is full: it does not answer.
    async fn silent() -> (Socket, Vec<TcpStream>, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut taken = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            taken.push(stream);
        }
        (socket, taken, address)
    }

    async fn refusing() -> SocketAddr {
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_costs_a_moment_and_one_that_refuses_nothing() {
        let (_socket, _taken, silent) = silent().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let refused = refusing().await;
        for (addresses, longest) in [
            (vec![silent, good], Duration::from_millis(2_000)),
            (vec![refused, good], Duration::from_millis(1_000)),
            (vec![silent, refused, silent, good], Duration::from_millis(3_000)),
        ] {
            let began = Instant::now();
            let connection = connect(&addresses, LIMIT).await.unwrap();
            assert_eq!((connection.address, connection.is_reset), (good, false));
            assert!(began.elapsed() < longest, "{:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn every_address_that_fails_is_named_and_each_has_its_own_time() {
        let (_socket, _taken, silent) = silent().await;
        let refused = refusing().await;
        let error = connect(&[silent, refused], Duration::from_millis(400)).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("{silent}: no answer within 400ms")), "{error}");
        assert!(error.contains(&format!("{refused}: ")), "{error}");
        assert_eq!(connect(&[refused], LIMIT).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(&[], LIMIT).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn families_alternate() {
        let addresses = ["[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:4"].map(|text| text.parse().unwrap());
        let ports: Vec<_> = alternating(&addresses).iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 4, 2, 3]);
    }
}
