//! A relay between clients and a server that the tests play, and a tap that remembers its events.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enjamb::{Connection, Ending, Event, Side, Tap, Time};
use enjamb_net::relay::{Options, Relay, RelayReport, Upstream};
use enjamb_net::{NetError, Stop, Taps};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An event that a tap received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Open,
    Chunk(Side, Vec<u8>),
    Close(Side, Ending),
    Done,
}

#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(crate) received: Arc<Mutex<Vec<(Connection, Time, Received)>>>,
    pub(crate) errors: Arc<Mutex<Vec<String>>>,
}

impl Memory {
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().iter().map(|(_, _, received)| received.clone()).collect()
    }

    /// All bytes of a side.
    pub(crate) fn bytes(&self, side: Side) -> Vec<u8> {
        let chunks = self.received().into_iter().filter_map(|received| match received {
            Received::Chunk(of, bytes) if of == side => Some(bytes),
            _ => None,
        });
        chunks.flatten().collect()
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, wanted: &Received) -> usize {
        self.received().iter().filter(|received| *received == wanted).count()
    }

    /// Waits until an event is received.
    pub(crate) async fn until(&self, wanted: Received) {
        within(10, async {
            while self.count(&wanted) == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
}

impl Taps for Memory {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        vec![Box::new(self.clone())]
    }

    fn error(&self, _: Time, connection: Option<&Connection>, error: &NetError) {
        let number = connection.map_or(0, |connection| connection.number);
        self.errors.lock().unwrap().push(format!("#{number} {error}"));
    }
}

impl Memory {
    fn push(&self, connection: &Connection, time: Time, received: Received) {
        self.received.lock().unwrap().push((*connection, time, received));
    }
}

impl Tap for Memory {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        match event {
            Event::Open => self.push(connection, time, Received::Open),
            Event::Chunk { side, bytes } => self.push(connection, time, Received::Chunk(side, bytes.to_vec())),
            Event::Gap { .. } => panic!("a relay loses nothing"),
            Event::Close { side, ending } => self.push(connection, time, Received::Close(side, ending)),
            Event::Done => self.push(connection, time, Received::Done),
        }
    }
}

/// Changes some of the default options.
pub(crate) fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

/// A running relay.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) server: TcpListener,
    pub(crate) stop: Stop,
    pub(crate) served: JoinHandle<RelayReport>,
}

impl World {
    pub(crate) async fn new(taps: impl Taps + 'static) -> Self {
        Self::with(Options::default(), taps).await
    }

    pub(crate) async fn with(options: Options, taps: impl Taps + 'static) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = server.local_addr().unwrap();
        let (address, stop, served) = relay_to(upstream, options, taps).await;
        Self { address, server, stop, served }
    }

    /// Connects a client. Returns its end and the server's end of the connection.
    pub(crate) async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.address).await.unwrap();
        let (server, _) = within(10, self.server.accept()).await.unwrap();
        (client, server)
    }

    /// Stops gently and waits.
    pub(crate) async fn end(self) -> RelayReport {
        self.stop.drain();
        within(20, self.served).await.unwrap()
    }
}

pub(crate) async fn relay_to(
    upstream: SocketAddr,
    options: Options,
    taps: impl Taps + 'static,
) -> (SocketAddr, Stop, JoinHandle<RelayReport>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = Upstream::resolve(upstream.to_string()).await.unwrap();
    let stop = Stop::new();
    let served = tokio::spawn({
        let stop = stop.clone();
        async move {
            Relay::new(vec![listener], upstream).with_options(options).with_taps(Arc::new(taps)).serve(&stop).await
        }
    });
    (address, stop, served)
}

/// Fails a test that hangs.
pub(crate) async fn within<T>(seconds: u64, act: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), act).await.expect("the test hangs")
}

/// xorshift64*: random enough for bytes and chunk sizes, and the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 32) as u8).collect()
    }
}
