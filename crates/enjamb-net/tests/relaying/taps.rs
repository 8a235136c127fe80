//! What taps are told, in which order, and that they do no harm.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use crate::world::{Memory, Told, World, within};
use enjamb::{Connection, Event, Side, Tap, Time};
use enjamb_net::{Taps, Trouble};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers are counts: how many bytes the server had received when it sent them. Whatever a server can know of, the tap must have
/// been told of before.
#[derive(Clone, Default)]
struct Causality(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    told: u64,
    answer: Vec<u8>,
    answers: u64,
    early: u64,
}

impl Taps for Causality {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        vec![Box::new(self.clone())]
    }
}

impl Tap for Causality {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Chunk { side, bytes } => {
                let mut known = self.0.lock().unwrap();
                if side == Side::Client {
                    known.told += bytes.len() as u64;
                    return;
                }
                known.answer.extend_from_slice(bytes);
                while let Some(count) = known.answer.first_chunk().copied().map(u64::from_be_bytes) {
                    known.early += u64::from(count > known.told);
                    known.answers += 1;
                    known.answer.drain(..8);
                }
            }
            Event::Open | Event::Gap { .. } | Event::Close { .. } | Event::Done => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_told_before_the_bytes_it_answers() {
    let causality = Causality::default();
    let world = World::new(causality.clone()).await;
    let (client, server) = world.connect().await;
    // Not on the runtime's threads, so that it answers while the relay is still busy.
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
        // Ping and pong mostly, and now and then more than the sockets take at once.
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
    let known = causality.0.lock().unwrap();
    assert!(known.answers > 1_000, "only {} answers", known.answers);
    assert_eq!(known.early, 0, "of {} answers", known.answers);
}

#[tokio::test]
async fn thousands_of_pings_and_pongs_are_told_in_turn() {
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
    let told = memory.told();
    let chunks: Vec<_> = told.iter().filter(|told| matches!(told, Told::Chunk(..))).collect();
    assert_eq!(chunks.len(), 2 * ROUNDS);
    for pair in chunks.chunks(2) {
        assert_eq!(pair[0], &Told::Chunk(Side::Client, b"ping".to_vec()));
        assert_eq!(pair[1], &Told::Chunk(Side::Server, b"pong".to_vec()));
    }
}

/// When a tap panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Made,
    Open,
    Chunk,
    Close,
    Done,
    Dropped,
}

/// Panics at one place, and has a memory beside it that does not.
#[derive(Clone)]
struct Clumsy(At, Memory);

impl Clumsy {
    fn stumble(&self, at: At) {
        assert!(self.0 != at, "stumbled at {at:?}");
    }
}

impl Taps for Clumsy {
    fn taps(&self, connection: &Connection) -> Vec<Box<dyn Tap + Send>> {
        self.stumble(At::Made);
        let mut taps = self.1.taps(connection);
        taps.insert(0, Box::new(Stumbling(self.clone())));
        taps
    }

    fn trouble(&self, time: Time, connection: Option<&Connection>, trouble: &Trouble) {
        self.1.trouble(time, connection, trouble);
    }
}

struct Stumbling(Clumsy);

impl Tap for Stumbling {
    fn event(&mut self, _: &Connection, _: Time, event: Event<'_>) {
        match event {
            Event::Open => self.0.stumble(At::Open),
            Event::Chunk { .. } => self.0.stumble(At::Chunk),
            Event::Close { .. } => self.0.stumble(At::Close),
            Event::Done => self.0.stumble(At::Done),
            Event::Gap { .. } => {}
        }
    }
}

impl Drop for Stumbling {
    fn drop(&mut self) {
        self.0.stumble(At::Dropped);
    }
}

#[tokio::test]
async fn a_tap_that_panics_hurts_neither_the_connection_nor_other_taps() {
    for at in [At::Made, At::Open, At::Chunk, At::Close, At::Done, At::Dropped] {
        let memory = Memory::default();
        let world = World::new(Clumsy(at, memory.clone())).await;
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
        let expected = format!("#1 the watching of this connection failed and has ended: stumbled at {at:?}");
        assert_eq!(memory.troubles(), vec![expected; usize::from(at != At::Dropped)]);
        if at != At::Made {
            assert_eq!(memory.bytes(Side::Client), b"pingpingping");
            assert_eq!(memory.told().last(), Some(&Told::Done));
        }
    }
}
