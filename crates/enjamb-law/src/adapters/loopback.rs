//! The server that blocking clients connect to: a thread that sends the chunks of a run.
//!
//! It sends the next chunk when the client is idle, as a peer does that waits for an answer, and
//! reads and drops what the client writes. So a client that sends a request, and then reads, gets
//! the first chunk after its request.
//!
//! The law makes many thousand connections, and the system keeps the ports of each one for a minute
//! after it was closed in order. So the server resets its connection when the client has returned
//! its last event.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::cutting::Event;
use crate::run::Run;

use super::idleness::{self, ClientThreads};

/// The time in one call after which the next chunk is sent to a client that is not idle.
const BUSY_MAX: Duration = Duration::from_secs(1);

/// The number of looks at a client that are made without a pause, and the pause between the others.
const LOOKS_AT_ONCE: usize = 100;
const LOOK_PAUSE: Duration = Duration::from_micros(50);

/// The pause between two looks whether the run is over.
const LAST_READ_MAX: Duration = Duration::from_millis(5);

/// The server of one run. Dropping it ends its thread.
pub(super) struct LoopbackServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// The number of chunks that were reported to the run.
    reported: usize,
    end_reported: bool,
}

struct Shared {
    bytes: Vec<u8>,
    /// The end of each chunk in the stream.
    ends: Vec<usize>,
    /// The number of chunks that were sent. The end of the stream counts as one more.
    sent: AtomicUsize,
    accepted: AtomicBool,
    /// Whether the client is in a call of the law.
    in_call: AtomicBool,
    over: AtomicBool,
}

impl LoopbackServer {
    /// Starts the server of a run whose client the calling thread will call.
    pub(super) fn start<'i>(input: impl Iterator<Item = Event<'i>>) -> io::Result<Self> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for event in input {
            if let Event::Chunk(chunk) = event
                && !chunk.is_empty()
            {
                bytes.extend_from_slice(chunk);
                ends.push(bytes.len());
            }
        }
        let listener = listen()?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            bytes,
            ends,
            sent: AtomicUsize::new(0),
            accepted: AtomicBool::new(false),
            in_call: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let (client, of_server) = (ClientThreads::of_caller(), Arc::clone(&shared));
        let thread = thread::Builder::new().name("loopback".to_owned()).spawn(move || {
            idleness::leave_out_caller();
            // A connection that breaks is the client's doing.
            let _ = of_server.serve(listener, client);
            idleness::forget_caller();
        })?;
        Ok(Self { address, shared, thread: Some(thread), reported: 0, end_reported: false })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls the client. Only inside of `call` chunks are sent.
    pub(super) fn within<T>(&self, call: impl FnOnce() -> T) -> T {
        self.shared.in_call.store(true, Ordering::SeqCst);
        let result = call();
        self.shared.in_call.store(false, Ordering::SeqCst);
        result
    }

    /// Returns a number that grows with every chunk.
    pub(super) fn progress(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst) as u64
    }

    /// Reports to the run the chunks that were sent since the last call. Returns whether the end of
    /// the stream was sent.
    pub(super) fn report<E, F>(&mut self, run: &mut Run<'_, E, F>) -> bool {
        let Shared { bytes, ends, sent, .. } = &*self.shared;
        let sent = sent.load(Ordering::SeqCst);
        for at in self.reported..sent.min(ends.len()) {
            let start = at.checked_sub(1).map_or(0, |before| ends[before]);
            run.asked();
            run.given(Event::Chunk(&bytes[start..ends[at]]));
            self.reported = at + 1;
        }
        let ended = sent > ends.len();
        if ended && !self.end_reported {
            run.asked();
            run.end();
            self.end_reported = true;
        }
        ended
    }
}

/// Returns a listener on a free port. On Linux, each address of the loopback interface has ports of
/// its own.
pub(super) fn listen() -> io::Result<TcpListener> {
    const ADDRESSES: u8 = 8;
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    for last in 2..=ADDRESSES {
        if !listener.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
            break;
        }
        listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0));
    }
    listener
}

/// Makes the system forget a connection when it is closed. The other end must have read everything.
pub(super) fn reset_when_closed<'s>(connection: impl Into<SockRef<'s>>) {
    // If it is refused, the ports are free a minute later.
    let _ = connection.into().set_linger(Some(Duration::ZERO));
}

impl Drop for LoopbackServer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        if !self.shared.accepted.load(Ordering::SeqCst) {
            // The thread waits for a connection.
            let _ = TcpStream::connect(self.address);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, listener: TcpListener, mut client: ClientThreads) -> io::Result<()> {
        let (mut connection, _) = listener.accept()?;
        self.accepted.store(true, Ordering::SeqCst);
        // A second connection of the client is refused.
        drop(listener);
        reset_when_closed(&connection);
        connection.set_nodelay(true)?;
        connection.set_nonblocking(true)?;
        let mut start = 0;
        for end in self.ends.iter().copied().map(Some).chain([None]) {
            if !self.wait_until_idle(&mut connection, &mut client)? {
                return Ok(());
            }
            // A chunk must count as sent before the client can return what is in it.
            self.sent.fetch_add(1, Ordering::SeqCst);
            match end {
                Some(end) => self.send(&mut connection, &self.bytes[start..end])?,
                None => connection.shutdown(Shutdown::Write)?,
            }
            client.restart();
            start = end.unwrap_or(start);
        }
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(Some(LAST_READ_MAX))?;
        let mut dropped = [0; 1024];
        while !self.over.load(Ordering::SeqCst) {
            match connection.read(&mut dropped) {
                Ok(1..) => {}
                Ok(0) => return Ok(()),
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the client is idle in a call. Returns `false` if the run is over.
    fn wait_until_idle(&self, connection: &mut TcpStream, client: &mut ClientThreads) -> io::Result<bool> {
        let started = Instant::now();
        let mut looks = 0;
        while !self.over.load(Ordering::SeqCst) {
            if read_and_drop(connection)? || !self.in_call.load(Ordering::SeqCst) {
                client.restart();
            } else if client.are_idle() && self.in_call.load(Ordering::SeqCst) || started.elapsed() > BUSY_MAX {
                return Ok(true);
            }
            looks += 1;
            if looks < LOOKS_AT_ONCE { thread::yield_now() } else { thread::sleep(LOOK_PAUSE) }
        }
        Ok(false)
    }

    /// Sends bytes to a client that may have to write before it reads them.
    fn send(&self, connection: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && !self.over.load(Ordering::SeqCst) {
            match connection.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_transient(&error) => {
                    read_and_drop(connection)?;
                    thread::sleep(LOOK_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads what the client wrote. Returns whether there was something.
fn read_and_drop(connection: &mut TcpStream) -> io::Result<bool> {
    let mut dropped = [0; 4096];
    let mut any = false;
    loop {
        match connection.read(&mut dropped) {
            // The client may have closed only its own direction.
            Ok(0) => return Ok(any),
            Ok(_) => any = true,
            Err(error) if is_transient(&error) => return Ok(any),
            Err(error) => return Err(error),
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
