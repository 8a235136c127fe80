//! A relay whose streams are changed on purpose.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use enjamb::{Connection, Ending, Side, Time};
use enjamb_net::Stop;
use enjamb_net::relay::{Options, Relay, Shaped, Shaper, Shapers, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::world::{Memory, Received, World, within};

/// Delivers each byte by itself, a millisecond after the one before it. `!` resets the connection
/// and `.` closes it. While it is paused nothing is delivered.
#[derive(Clone, Default)]
struct Slow {
    queues: [VecDeque<(Time, Shaped)>; 2],
    paused: Arc<Mutex<(bool, Option<Waker>)>>,
    was_paused: bool,
}

const STEP: Duration = Duration::from_millis(1);

impl Slow {
    fn push(&mut self, time: Time, side: Side, shaped: Shaped) {
        let queue = &mut self.queues[side.index()];
        let last = queue.back().map_or(time, |(due, _)| time.max(*due));
        queue.push_back((Time::from_nanos(last.nanos() + STEP.as_nanos() as u64), shaped));
    }

    fn go_on(&self) {
        let mut paused = self.paused.lock().unwrap();
        paused.0 = false;
        paused.1.take().unwrap().wake();
    }
}

impl Shaper for Slow {
    fn feed(&mut self, time: Time, side: Side, bytes: &[u8]) {
        for byte in bytes {
            let shaped = match byte {
                b'!' => Shaped::Reset,
                b'.' => Shaped::Close,
                byte => Shaped::Bytes(Bytes::copy_from_slice(&[*byte])),
            };
            self.push(time, side, shaped);
        }
    }

    fn end(&mut self, time: Time, side: Side) {
        self.push(time, side, Shaped::End);
    }

    fn next(&mut self, time: Time, side: Side) -> Shaped {
        self.was_paused = self.paused.lock().unwrap().0;
        let queue = &mut self.queues[side.index()];
        match queue.front() {
            _ if self.was_paused => Shaped::Wait(None),
            None => Shaped::Wait(None),
            Some((due, _)) if *due > time => Shaped::Wait(Some(*due)),
            Some(_) => queue.pop_front().unwrap().1,
        }
    }

    fn has_room(&self, side: Side) -> bool {
        self.queues[side.index()].len() < 1000
    }

    fn held(&self, side: Side) -> usize {
        self.queues[side.index()].len()
    }

    fn watch(&mut self, waker: &Waker) -> bool {
        let mut paused = self.paused.lock().unwrap();
        paused.1 = Some(waker.clone());
        paused.0 != self.was_paused
    }
}

struct Always(Slow);

impl Shapers for Always {
    fn shaper(&self, _: &Connection, _: Time) -> Option<Box<dyn Shaper>> {
        Some(Box::new(self.0.clone()))
    }
}

async fn world(memory: &Memory, slow: &Slow) -> World {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::resolve(server.local_addr().unwrap().to_string()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), Stop::new());
    let relay = Relay::new(vec![listener], upstream)
        .with_options(Options::default())
        .with_taps(Arc::new(memory.clone()))
        .with_shapers(Arc::new(Always(slow.clone())));
    let served = tokio::spawn({
        let stop = stop.clone();
        async move { relay.serve(&stop).await }
    });
    World { address, server, stop, served }
}

#[tokio::test]
async fn what_is_delivered_comes_when_it_is_due_and_the_taps_receive_it() {
    let memory = Memory::default();
    let world = world(&memory, &Slow::default()).await;
    let (mut client, mut server) = world.connect().await;
    client.write_all(b"hello").await.unwrap();
    server.write_all(b"welcome").await.unwrap();
    client.shutdown().await.unwrap();
    server.shutdown().await.unwrap();
    let (mut to_server, mut to_client) = (String::new(), String::new());
    within(10, server.read_to_string(&mut to_server)).await.unwrap();
    within(10, client.read_to_string(&mut to_client)).await.unwrap();
    assert_eq!((to_server.as_str(), to_client.as_str()), ("hello", "welcome"));
    memory.until(Received::Done).await;
    for (side, text) in [(Side::Client, "hello"), (Side::Server, "welcome")] {
        let chunks = text.bytes().map(|byte| Received::Chunk(side, vec![byte]));
        let received: Vec<_> = memory
            .received()
            .into_iter()
            .filter(|event| matches!(event, Received::Chunk(of, _) if *of == side))
            .collect();
        assert_eq!(received, chunks.collect::<Vec<_>>());
    }
    let times: Vec<_> = memory.received.lock().unwrap().iter().map(|(_, time, _)| *time).collect();
    assert!(times[times.len() - 1].since(times[0]) >= 7 * STEP);
}

#[tokio::test]
async fn a_shaper_closes_or_resets_the_connection_behind_what_it_has_delivered() {
    for (text, ending) in [(&b"abc.def"[..], Ending::Closed), (b"abc!def", Ending::Reset)] {
        let memory = Memory::default();
        let world = world(&memory, &Slow::default()).await;
        let (mut client, mut server) = world.connect().await;
        client.write_all(text).await.unwrap();
        let mut received = Vec::new();
        let read = within(10, server.read_to_end(&mut received)).await;
        assert_eq!(read.is_err(), ending == Ending::Reset);
        assert!(ending == Ending::Reset || received == b"abc");
        assert_eq!(within(10, client.read(&mut [0; 8])).await.is_err(), ending == Ending::Reset);
        memory.until(Received::Done).await;
        assert_eq!(memory.bytes(Side::Client), b"abc");
        for side in Side::BOTH {
            assert_eq!(memory.count(&Received::Close(side, ending)), 1, "{:?}", memory.received());
        }
        assert!(memory.errors().is_empty(), "{:?}", memory.errors());
    }
}

#[tokio::test]
async fn a_shaper_that_is_changed_from_outside_wakes_the_connection() {
    let slow = Slow::default();
    slow.paused.lock().unwrap().0 = true;
    let world = world(&Memory::default(), &slow).await;
    let (mut client, mut server) = world.connect().await;
    client.write_all(b"hello").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    slow.go_on();
    let mut received = [0; 5];
    within(10, server.read_exact(&mut received)).await.unwrap();
    assert_eq!(&received, b"hello");
}

#[tokio::test]
async fn bytes_before_a_reset_are_delivered_in_order_and_a_full_shaper_stops_the_reads() {
    let memory = Memory::default();
    let world = world(&memory, &Slow::default()).await;
    let (client, mut server) = world.connect().await;
    // A second for 1,000 bytes, so that many of them never arrive.
    server.write_all(&[b'x'; 100_000]).await.unwrap();
    memory.until(Received::Chunk(Side::Server, b"x".to_vec())).await;
    server.set_zero_linger().unwrap();
    drop(server);
    memory.until(Received::Done).await;
    let delivered = memory.bytes(Side::Server).len();
    assert!((1..70_000).contains(&delivered), "{delivered}");
    let errors = memory.errors();
    assert!(errors.iter().any(|error| error.contains("of the server were read and not delivered")), "{errors:?}");
    drop(client);
}
