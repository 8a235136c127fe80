//! Taps receive events in order, and do no harm.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use crate::world::{Memory, Received, World, within};
use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_net::{NetError, Taps};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Each answer is a count: the number of bytes that the server had received. The tap must have
/// received as many before the answer.
#[derive(Clone, Default)]
struct AnswerCounter(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    received: u64,
    answer: Vec<u8>,
    answers: u64,
    early: u64,
}

impl Taps for AnswerCounter {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        vec![Box::new(self.clone())]
    }
}

impl Tap for AnswerCounter {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Chunk { side, bytes } => {
                let mut counts = self.0.lock().unwrap();
                if side == Side::Client {
                    counts.received += bytes.len() as u64;
                    return;
                }
                counts.answer.extend_from_slice(bytes);
                while let Some(count) = counts.answer.first_chunk().copied().map(u64::from_be_bytes) {
                    counts.early += u64::from(count > counts.received);
                    counts.answers += 1;
                    counts.answer.drain(..8);
                }
            }
            Event::Open | Event::Gap { .. } | Event::Close { .. } | Event::Done => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_reaches_a_tap_before_its_request() {
    let counter = AnswerCounter::default();
    let world = World::new(counter.clone()).await;
    let (client, server) = world.connect().await;
    // On a thread of its own, so that it answers while the relay is still busy.
    let mut server = server.into_std().unwrap();
    server.set_nonblocking(false).unwrap();
    let answering = std::thread::spawn(move || {
        let mut received = 0_u64;
        let mut buffer = vec![0; 1 << 12];
        loop {
            let length = server.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            received += length as u64;
            server.write_all(&received.to_be_bytes()).unwrap();
        }
    });
    let (mut reads, mut writes) = client.into_split();
    let reading = tokio::spawn(async move { tokio::io::copy(&mut reads, &mut tokio::io::sink()).await.unwrap() });
    for round in 0..5_000 {
        // Mostly ping and pong; now and then more than the sockets take at once.
        let length = if round % 500 == 499 { 8 << 20 } else { 64 };
        writes.write_all(&vec![b'x'; length]).await.unwrap();
        if round % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    writes.shutdown().await.unwrap();
    within(60, reading).await.unwrap();
    answering.join().unwrap();
    drop(writes);
    world.end().await;
    let counts = counter.0.lock().unwrap();
    assert!(counts.answers > 1_000, "only {} answers", counts.answers);
    assert_eq!(counts.early, 0, "of {} answers", counts.answers);
}

#[tokio::test]
async fn thousands_of_pings_and_pongs_reach_a_tap_in_order() {
    const ROUNDS: usize = 5_000;
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let (mut client, mut server) = world.connect().await;
    within(30, async {
        for _ in 0..ROUNDS {
            client.write_all(b"ping").await.unwrap();
            server.read_exact(&mut [0; 4]).await.unwrap();
            server.write_all(b"pong").await.unwrap();
            client.read_exact(&mut [0; 4]).await.unwrap();
        }
    })
    .await;
    drop((client, server));
    world.end().await;
    let received = memory.received();
    let chunks: Vec<_> = received.iter().filter(|received| matches!(received, Received::Chunk(..))).collect();
    assert_eq!(chunks.len(), 2 * ROUNDS);
    for pair in chunks.chunks(2) {
        assert_eq!(pair[0], &Received::Chunk(Side::Client, b"ping".to_vec()));
        assert_eq!(pair[1], &Received::Chunk(Side::Server, b"pong".to_vec()));
    }
}

/// The place where a tap panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Made,
    Open,
    Chunk,
    Close,
    Done,
    Dropped,
}

/// Makes a tap that panics at one place, and a memory that does not.
#[derive(Clone)]
struct PanickingTaps(At, Memory);

impl PanickingTaps {
    fn panic_at(&self, at: At) {
        assert!(self.0 != at, "panicked at {at:?}");
    }
}

impl Taps for PanickingTaps {
    fn taps(&self, connection: &Connection) -> Vec<Box<dyn Tap + Send>> {
        self.panic_at(At::Made);
        let mut taps = self.1.taps(connection);
        taps.insert(0, Box::new(PanickingTap(self.clone())));
        taps
    }

    fn error(&self, time: Time, connection: Option<&Connection>, error: &NetError) {
        self.1.error(time, connection, error);
    }
}

struct PanickingTap(PanickingTaps);

impl Tap for PanickingTap {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => self.0.panic_at(At::Open),
            Event::Chunk { .. } => self.0.panic_at(At::Chunk),
            Event::Close { .. } => self.0.panic_at(At::Close),
            Event::Done => self.0.panic_at(At::Done),
            Event::Gap { .. } => {}
        }
    }
}

impl Drop for PanickingTap {
    fn drop(&mut self) {
        self.0.panic_at(At::Dropped);
    }
}

#[tokio::test]
async fn a_tap_that_panics_hurts_neither_the_connection_nor_other_taps() {
    for at in [At::Made, At::Open, At::Chunk, At::Close, At::Done, At::Dropped] {
        let memory = Memory::default();
        let world = World::new(PanickingTaps(at, memory.clone())).await;
        let (mut client, mut server) = world.connect().await;
        for _ in 0..3 {
            client.write_all(b"ping").await.unwrap();
            within(10, server.read_exact(&mut [0; 4])).await.unwrap();
            server.write_all(b"pong").await.unwrap();
            within(10, client.read_exact(&mut [0; 4])).await.unwrap();
        }
        drop(client);
        assert_eq!(within(10, server.read(&mut [0; 4])).await.unwrap(), 0, "{at:?}");
        drop(server);
        let served = world.end().await;
        assert_eq!((served.connections, served.stopped), (1, 0), "{at:?}");
        assert_eq!(served.panics, u64::from(at != At::Dropped), "{at:?}");
        let expected = format!("#1 an observer of this connection failed and was dropped: panicked at {at:?}");
        assert_eq!(memory.errors(), vec![expected; usize::from(at != At::Dropped)]);
        if at != At::Made {
            assert_eq!(memory.bytes(Side::Client), b"pingpingping");
            assert_eq!(memory.received().last(), Some(&Received::Done));
        }
    }
}
