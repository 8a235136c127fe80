//! Accepting connections, and waiting for their ends: the same for servers and relays.

use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::error::NetError;
use crate::listener::Listener;
use crate::observers::Observatory;
use crate::options::Overload;
use crate::stop::{Phase, Stop};

/// The time until the next attempt to accept, after the process or the system has run out of a
/// resource.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The time that connections may take to end at once. They take longer only if a service or a tap
/// does not return.
const END_GRACE: Duration = Duration::from_secs(1);

/// A client that was accepted.
pub(crate) struct Accepted<I> {
    pub(crate) io: I,
    pub(crate) client: SocketAddr,
    /// This end's address.
    pub(crate) listener: SocketAddr,
    /// Its place among the open connections. `None`: there is none, and it is to be refused.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// The limits of accepting.
pub(crate) struct Limits {
    pub(crate) max_connections: NonZeroUsize,
    pub(crate) when_overloaded: Overload,
}

/// Accepts until `stop` stops it. `start` starts the task of a client, and `done` receives the
/// results of tasks. Errors are reported to `observatory`.
pub(crate) async fn accept<L: Listener, T: 'static>(
    listener: &mut L,
    limits: &Limits,
    observatory: &Observatory,
    stop: &Stop,
    tasks: &mut JoinSet<T>,
    mut start: impl FnMut(&L, Accepted<L::Io>, &mut JoinSet<T>),
    mut done: impl FnMut(Result<T, JoinError>),
) {
    let room = Arc::new(Semaphore::new(limits.max_connections.get().min(Semaphore::MAX_PERMITS)));
    let mut draining = pin!(stop.reached(Phase::Draining));
    let mut was_full = false;
    // Errors come in series, ten a second.
    let mut has_failed = false;
    loop {
        if limits.when_overloaded == Overload::Wait && room.available_permits() == 0 && !was_full {
            was_full = true;
            observatory.error(&NetError::Full(limits.max_connections.get()));
        }
        let accepted = tokio::select! {
            () = &mut draining => return,
            Some(result) = tasks.join_next() => {
                done(result);
                continue;
            }
            accepted = next(listener, &room, limits.when_overloaded) => accepted,
        };
        match accepted {
            Ok(accepted) => {
                has_failed = false;
                start(listener, accepted, tasks);
            }
            // The client had already gone.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !std::mem::replace(&mut has_failed, true) {
                    observatory.error(&NetError::Accept(error));
                }
                tokio::select! {
                    () = &mut draining => return,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

/// Waits for the next client, and before that for room if clients have to wait for it.
async fn next<L: Listener>(
    listener: &mut L,
    room: &Arc<Semaphore>,
    when_overloaded: Overload,
) -> io::Result<Accepted<L::Io>> {
    let place = match when_overloaded {
        Overload::Refuse => None,
        Overload::Wait => match Arc::clone(room).acquire_owned().await {
            Ok(place) => Some(place),
            // Not reached: the semaphore is never closed.
            Err(_) => return pending().await,
        },
    };
    let (io, client, listener) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    let place = place.or_else(|| Arc::clone(room).try_acquire_owned().ok());
    Ok(Accepted { io, client: without_mapping(client), listener: without_mapping(listener), place })
}

/// Returns an IPv4 address that came as an IPv6 one (RFC 4291, section 2.5.5.2) as what it is.
pub(crate) fn without_mapping(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip != address.ip() => SocketAddr::new(ip, address.port()),
        _ => address,
    }
}

/// Waits for all tasks, at most for `drain`. Then it calls `halt`, which ends the remaining ones.
/// Returns the number of those that did not end then, and were aborted.
pub(crate) async fn finish<T: 'static>(
    tasks: &mut JoinSet<T>,
    drain: Duration,
    stop: &Stop,
    halt: impl FnOnce(),
    mut done: impl FnMut(Result<T, JoinError>),
) -> usize {
    let all = async {
        while let Some(result) = tasks.join_next().await {
            done(result);
        }
    };
    tokio::select! {
        () = all => {}
        () = sleep(drain) => {}
        () = stop.reached(Phase::Over) => {}
    }
    halt();
    let rest = async {
        while let Some(result) = tasks.join_next().await {
            done(result);
        }
    };
    if timeout(END_GRACE, rest).await.is_ok() {
        return 0;
    }
    let aborted = tasks.len();
    tasks.abort_all();
    aborted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_shown_as_ipv4() {
        for (address, expected) in [
            ("[::ffff:192.0.2.1]:80", "192.0.2.1:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(without_mapping(address.parse().unwrap()).to_string(), expected);
        }
    }
}
