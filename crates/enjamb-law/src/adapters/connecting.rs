//! Clients: code that connects to an address and reads what the server sends.
//!
//! The law cannot stand between such a client and its socket, so it is the server. It listens on
//! the loopback interface, and sends the next chunk when the client is idle.

use std::fmt::Debug;
use std::net::SocketAddr;

use enjamb::End;

use crate::kind::Kind;
use crate::measure::uncounted;
use crate::output::Output;
use crate::run::Run;
use crate::subject::Subject;

use super::loopback::LoopbackServer;
use super::resumption::Resumption;

/// The [`Subject`] of a client that connects to an address, over a real socket.
///
/// ```
/// use enjamb_law::{Connecting, Segmentations, split_everywhere, stream};
/// use std::io::{BufRead, BufReader};
/// use std::net::TcpStream;
///
/// let client = Connecting::new(
///     |address| TcpStream::connect(address).map(|socket| BufReader::new(socket).lines()),
///     |lines| lines.next().transpose(),
/// );
/// split_everywhere(&client, &stream(b"one\r\ntwo\n"), &Segmentations::up_to_one_cut()).unwrap();
/// ```
///
/// The first function connects to the server of the law, and may exchange a greeting with it. The
/// second one reads the next event, and is called until it returns `None` or an error. What the
/// client writes is read and dropped. The next chunk is sent when the client is idle, so a request
/// is written before the first chunk of its response arrives. The stream goes to the first
/// connection of a run; a second one is refused.
///
/// On Linux a client is idle when its thread and those that it started sleep. Elsewhere, and where
/// `/proc` cannot be read, the server waits for 2 ms. A run takes about 0.1 ms and as much for each
/// chunk: with [`cases`](crate::Laws::cases) a definition limits the number of random ones.
///
/// For an async client, see [`asynchronous`](Connecting::asynchronous). A client that accepts any
/// reader needs no socket: [`Blocking`](crate::Blocking) and [`Reading`](crate::Reading) are a
/// hundred times faster, and see each read.
#[derive(Clone, Copy, Debug)]
pub struct Connecting<C, F> {
    connect: C,
    read: F,
    resumes: bool,
}

impl Connecting<(), ()> {
    /// Makes a subject of a function that connects a client, and of one that reads its next event.
    pub fn new<C, R, F, T, E>(connect: C, read: F) -> Connecting<C, F>
    where
        C: Fn(SocketAddr) -> Result<R, E>,
        F: Fn(&mut R) -> Result<Option<T>, E>,
    {
        Connecting { connect, read, resumes: false }
    }
}

impl<C, F> Connecting<C, F> {
    /// Calls the client again after an error, as a program does that logs it and continues. An
    /// error after the end of the stream is the last, and so is one that is returned for ever while
    /// nothing arrives.
    #[must_use]
    pub fn resumes(mut self) -> Self {
        self.resumes = true;
        self
    }
}

impl<C, F, R, T, E> Subject for Connecting<C, F>
where
    C: Fn(SocketAddr) -> Result<R, E>,
    F: Fn(&mut R) -> Result<Option<T>, E>,
    E: Debug,
{
    type Event = T;
    type Error = Kind;

    fn pulls(&self) -> bool {
        true
    }

    /// # Panics
    /// If the system has no port or no thread for the server.
    fn run(&self, run: &mut Run<'_, T, Kind>) {
        let server = uncounted(|| LoopbackServer::start(run.rest().map(|(_, event)| event)));
        let mut server = match server {
            Ok(server) => server,
            Err(error) => panic!("no server for the client: {error}"),
        };
        let client = self.read_all(run, &mut server);
        // Before the client closes its connection; see there.
        uncounted(|| drop(server));
        drop(client);
    }
}

impl<C, F> Connecting<C, F> {
    /// Reads all events. Returns the client, if it has connected.
    fn read_all<R, T, E>(&self, run: &mut Run<'_, T, Kind>, server: &mut LoopbackServer) -> Option<R>
    where
        C: Fn(SocketAddr) -> Result<R, E>,
        F: Fn(&mut R) -> Result<Option<T>, E>,
        E: Debug,
    {
        let address = server.address();
        let mut client = match server.within(|| (self.connect)(address)) {
            Ok(client) => client,
            Err(error) => {
                server.report(run);
                let _ = run.fail(Kind::of(&error));
                return None;
            }
        };
        let mut resumption = Resumption::new(self.resumes);
        loop {
            let result = server.within(|| (self.read)(&mut client));
            let end_seen = server.report(run);
            match result {
                Ok(Some(event)) => {
                    resumption.event();
                    run.event(event);
                }
                Ok(None) => {
                    if end_seen {
                        run.emit(Output::End(End::Clean));
                    }
                    return Some(client);
                }
                // The law cannot feed a client that does not read.
                Err(error) => {
                    if !resumption.fail(run, &error, server.progress(), end_seen, |_| false) {
                        return Some(client);
                    }
                }
            }
        }
    }
}
