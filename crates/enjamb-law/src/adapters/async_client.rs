//! Async clients: the server of the law is a task beside the client, in the same runtime.
//!
//! The [executor](super::executor) gives a chunk to the task of the server when all tasks are idle,
//! and the task writes it to the socket. Both ends of the socket are in one thread, so the client
//! is idle when its runtime finds nothing to do.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use super::chunks::Chunks;
use super::connecting::Connecting;
use super::feed::Feed;
use super::loopback;
use super::reading::Reading;

/// A client under a law, and its server.
pub struct Connection<R> {
    address: SocketAddr,
    server: Socket,
    /// `None`: it has not connected yet.
    client: Option<R>,
}

/// The connection on the side of the server. The client's side closes it, and the task uses it.
type Socket = Arc<Mutex<Option<TcpStream>>>;

impl Connecting<(), ()> {
    /// Makes a subject of an async function that connects a client, and of one that reads its next
    /// event. The client runs in a runtime of tokio with one thread and a paused clock; see
    /// [`Reading::in_runtime`]. It commits the same breaches as a reader.
    ///
    /// ```
    /// use enjamb_law::{Connecting, Segmentations, split_everywhere, stream};
    /// use tokio::io::AsyncReadExt;
    /// use tokio::net::TcpStream;
    ///
    /// let client = Connecting::asynchronous(
    ///     async |address| TcpStream::connect(address).await,
    ///     async |socket: &mut TcpStream| socket.read_u16().await.map(Some),
    /// );
    /// split_everywhere(&client, &stream(b"aabb"), &Segmentations::up_to_two_cuts()).unwrap();
    /// ```
    pub fn asynchronous<C, R, F, T, E>(
        connect: C,
        read: F,
    ) -> Reading<impl Fn(Feed) -> Connection<R>, impl AsyncFn(&mut Connection<R>) -> Result<Option<T>, E>>
    where
        C: AsyncFn(SocketAddr) -> Result<R, E>,
        F: AsyncFn(&mut R) -> Result<Option<T>, E>,
    {
        let read = async move |connection: &mut Connection<R>| {
            let client = match &mut connection.client {
                Some(client) => client,
                none => none.insert(connect(connection.address).await?),
            };
            read(client).await
        };
        Reading::over(listen, read).in_runtime()
    }
}

impl<R> Drop for Connection<R> {
    /// Closes the connection before the client does, so that the system forgets it.
    fn drop(&mut self) {
        if let Some(socket) = lock(&self.server).take() {
            loopback::reset_when_closed(&socket);
        }
    }
}

fn lock(socket: &Socket) -> std::sync::MutexGuard<'_, Option<TcpStream>> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the server of a run.
///
/// # Panics
/// If the system has no port for it.
fn listen<R>(feed: Feed) -> Connection<R> {
    let listener = loopback::listen().and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, TcpListener::from_std(listener)?))
    });
    match listener {
        Ok((address, listener)) => {
            let server = Socket::default();
            let socket = Arc::clone(&server);
            tokio::spawn(async move { drop(serve(listener, socket, Chunks::new(feed)).await) });
            Connection { address, server, client: None }
        }
        Err(error) => panic!("no server for the client: {error}"),
    }
}

/// Sends the chunks to the first connection, and reads and drops what the client writes.
async fn serve(listener: TcpListener, socket: Socket, chunks: Chunks) -> io::Result<()> {
    let (connection, _) = listener.accept().await?;
    // A second connection of the client is refused.
    drop(listener);
    connection.set_nodelay(true)?;
    *lock(&socket) = Some(connection);
    let mut answers = Answers { chunks, unsent: Vec::new(), ended: false };
    poll_fn(|cx| match &*lock(&socket) {
        Some(connection) => {
            let _ = answers.poll_send(connection, cx)?;
            poll_drop_requests(connection, cx)
        }
        None => Poll::Ready(Ok(())),
    })
    .await
}

/// The chunks on their way to the client.
struct Answers {
    chunks: Chunks,
    /// The rest of the chunk that is being sent.
    unsent: Vec<u8>,
    ended: bool,
}

impl Answers {
    /// Sends all chunks that the law has given, and closes this direction behind the last one.
    fn poll_send(&mut self, connection: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ended {
            if self.unsent.is_empty() {
                self.unsent = ready!(self.chunks.poll_fill(cx)).to_vec();
            }
            if self.unsent.is_empty() {
                self.ended = true;
                SockRef::from(connection).shutdown(Shutdown::Write)?;
                break;
            }
            ready!(connection.poll_write_ready(cx))?;
            match connection.try_write(&self.unsent) {
                Ok(written) => {
                    self.unsent.drain(..written);
                    self.chunks.consume(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads and drops what the client writes, until it closes its direction.
fn poll_drop_requests(connection: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut dropped = [0; 1024];
    loop {
        ready!(connection.poll_read_ready(cx))?;
        match connection.try_read(&mut dropped) {
            // It may still read.
            Ok(0) => return Poll::Pending,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}
