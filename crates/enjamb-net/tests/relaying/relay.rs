//! The bytes that arrive are the bytes that were sent.

use std::sync::Arc;
use std::time::Duration;

use crate::world::{Memory, Random, Received, World, options, relay_to, within};
use enjamb::{Ending, Side, Time};
use enjamb_net::Stop;
use enjamb_net::relay::{LONGEST_READ, Options, Relay, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// Writes all of `bytes` in random pieces, and now and then waits.
async fn write_raggedly(mut to: impl AsyncWriteExt + Unpin, bytes: &[u8], mut random: Random) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = 1 << random.below(18);
        let (piece, behind) = rest.split_at((1 + random.below(most)).min(rest.len()));
        to.write_all(piece).await.unwrap();
        rest = behind;
        match random.below(16) {
            0 => sleep(Duration::from_millis(1)).await,
            1..8 => tokio::task::yield_now().await,
            _ => {}
        }
    }
    to.shutdown().await.unwrap();
}

/// Reads to the end in random pieces, and now and then waits.
async fn read_raggedly(mut from: impl AsyncReadExt + Unpin, mut random: Random) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        let scale = random.below(18);
        let most = 1 + random.below(1 << scale);
        let length = from.read(&mut buffer[..most]).await.unwrap();
        if length == 0 {
            return all;
        }
        all.extend_from_slice(&buffer[..length]);
        if random.below(64) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_both_ways_arrive_unchanged_at_the_peer_and_at_the_tap() {
    for seed in 0..6 {
        let memory = Memory::default();
        let world = World::new(memory.clone()).await;
        let (client, server) = world.connect().await;
        let sent = [Random::new(seed).bytes(2_000_000), Random::new(seed + 100).bytes(1_500_000 * (seed as usize % 3))];
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        let (_, _, at_server, at_client) = within(60, async {
            tokio::join!(
                write_raggedly(client_writes, &sent[0], Random::new(seed + 1)),
                write_raggedly(server_writes, &sent[1], Random::new(seed + 2)),
                read_raggedly(server_reads, Random::new(seed + 3)),
                read_raggedly(client_reads, Random::new(seed + 4)),
            )
        })
        .await;
        assert!(at_server == sent[0] && at_client == sent[1], "seed {seed}");

        let served = world.end().await;
        assert_eq!((served.connections, served.stopped), (1, 0));
        assert!(memory.bytes(Side::Client) == sent[0] && memory.bytes(Side::Server) == sent[1], "seed {seed}");
        let received = memory.received.lock().unwrap();
        let (first, last) = (received.first().unwrap(), received.last().unwrap());
        assert_eq!((&first.2, &last.2), (&Received::Open, &Received::Done));
        assert!(received.is_sorted_by_key(|(_, time, _)| *time) && first.1 > Time::from_nanos(0));
        for (connection, _, what) in received.iter() {
            assert_eq!(connection, &first.0);
            if let Received::Chunk(_, bytes) = what {
                assert!(!bytes.is_empty() && bytes.len() <= LONGEST_READ);
            }
        }
        let closes = received.iter().filter(|(_, _, what)| matches!(what, Received::Close(_, Ending::Closed))).count();
        assert_eq!(closes, 2);
    }
}

/// The maximum number of bytes that the kernel may hold on the four sockets of a connection on
/// loopback, with a margin.
const KERNEL_HOLDS_MAX: usize = 64 << 20;

#[tokio::test]
async fn a_server_that_does_not_read_stops_its_client_and_nothing_is_lost() {
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let (mut client, mut server) = world.connect().await;
    let block = Random::new(7).bytes(1 << 16);
    let mut sent = 0;
    while let Ok(wrote) =
        tokio::time::timeout(Duration::from_millis(500), client.write(&block[sent % block.len()..])).await
    {
        sent += wrote.unwrap();
        assert!(sent < KERNEL_HOLDS_MAX, "the relay takes bytes that the server does not");
    }
    let received = memory.bytes(Side::Client).len();
    assert!(received <= sent);

    client.shutdown().await.unwrap();
    let mut at = 0;
    let mut buffer = vec![0; 1 << 15];
    within(20, async {
        loop {
            let length = server.read(&mut buffer).await.unwrap();
            if length == 0 {
                break;
            }
            for byte in &buffer[..length] {
                assert_eq!(*byte, block[at % block.len()]);
                at += 1;
            }
        }
    })
    .await;
    assert_eq!(at, sent);
    drop((client, server));
    world.end().await;
    assert_eq!(memory.bytes(Side::Client).len(), sent);
}

#[tokio::test]
async fn a_client_that_has_ended_its_stream_is_answered_long_after() {
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let (mut client, mut server) = world.connect().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = Vec::new();
    within(10, server.read_to_end(&mut question)).await.unwrap();
    assert_eq!(question, b"question");

    sleep(Duration::from_millis(300)).await;
    server.write_all(b"answer").await.unwrap();
    drop(server);
    let mut answer = Vec::new();
    within(10, client.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"answer");
    world.end().await;
    let expected = [
        Received::Open,
        Received::Chunk(Side::Client, b"question".to_vec()),
        Received::Close(Side::Client, Ending::Closed),
        Received::Chunk(Side::Server, b"answer".to_vec()),
        Received::Close(Side::Server, Ending::Closed),
        Received::Done,
    ];
    assert_eq!(memory.received(), expected);
}

#[tokio::test]
async fn a_server_that_has_ended_its_stream_receives_more_long_after() {
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let (mut client, mut server) = world.connect().await;
    server.write_all(b"hello").await.unwrap();
    server.shutdown().await.unwrap();
    let mut hello = Vec::new();
    within(10, client.read_to_end(&mut hello)).await.unwrap();
    assert_eq!(hello, b"hello");

    for part in [&b"one"[..], b"two"] {
        sleep(Duration::from_millis(150)).await;
        client.write_all(part).await.unwrap();
        let mut buffer = [0; 3];
        within(10, server.read_exact(&mut buffer)).await.unwrap();
        assert_eq!(buffer, part);
    }
    drop(client);
    assert_eq!(within(10, server.read(&mut [0; 8])).await.unwrap(), 0);
    world.end().await;
    assert_eq!(memory.count(&Received::Close(Side::Client, Ending::Closed)), 1);
    assert_eq!(memory.received().last(), Some(&Received::Done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_connections_at_a_time_are_kept_apart() {
    const CONNECTIONS: u64 = 200;
    let memory = Memory::default();
    let World { address, server, stop, served } = World::new(memory.clone()).await;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = server.accept().await {
            tokio::spawn(async move {
                let (mut reads, mut writes) = socket.split();
                tokio::io::copy(&mut reads, &mut writes).await.unwrap();
                writes.shutdown().await.unwrap();
            });
        }
    });
    let all_open = std::sync::Arc::new(tokio::sync::Barrier::new(CONNECTIONS as usize));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|seed| {
            let all_open = all_open.clone();
            tokio::spawn(async move {
                let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
                client.write_all(&seed.to_be_bytes()).await.unwrap();
                let mut first = [0; 8];
                client.read_exact(&mut first).await.unwrap();
                assert_eq!(first, seed.to_be_bytes());
                all_open.wait().await;
                let sent = Random::new(seed).bytes(20_000);
                let (reads, writes) = client.into_split();
                let (_, received) = tokio::join!(
                    write_raggedly(writes, &sent, Random::new(seed + 1)),
                    read_raggedly(reads, Random::new(seed + 2))
                );
                assert!(received == sent);
            })
        })
        .collect();
    for client in clients {
        within(60, client).await.unwrap();
    }
    stop.drain();
    assert_eq!(within(10, served).await.unwrap().connections, CONNECTIONS);
    let received = memory.received.lock().unwrap();
    let opened: Vec<_> = received
        .iter()
        .filter(|(_, _, what)| *what == Received::Open)
        .map(|(connection, _, _)| connection.number)
        .collect();
    assert_eq!(opened, (1..=CONNECTIONS).collect::<Vec<_>>(), "numbered in the order of their opens");
    for number in opened {
        let of = |wanted: Side| {
            received.iter().filter(|(connection, _, _)| connection.number == number).filter_map(move |(_, _, what)| {
                match what {
                    Received::Chunk(side, bytes) if *side == wanted => Some(bytes.as_slice()),
                    _ => None,
                }
            })
        };
        let echo: Vec<u8> = of(Side::Server).flatten().copied().collect();
        assert_eq!(echo.len(), 20_008);
        assert!(of(Side::Client).flatten().eq(&echo));
    }
}

#[tokio::test]
async fn clients_wait_until_there_is_room_for_them() {
    let options = crate::world::options(|options| options.max_connections = 2.try_into().unwrap());
    let world = World::with(options, Memory::default()).await;
    let (first, first_server) = world.connect().await;
    let _second = world.connect().await;
    let mut third = tokio::net::TcpStream::connect(world.address).await.unwrap();
    third.write_all(b"am I in?").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), world.server.accept()).await.is_err());
    drop((first, first_server));
    let (mut third_server, _) = within(10, world.server.accept()).await.unwrap();
    let mut buffer = [0; 8];
    within(10, third_server.read_exact(&mut buffer)).await.unwrap();
    assert_eq!(&buffer, b"am I in?");
}

#[tokio::test]
async fn a_relay_whose_server_leads_back_to_it_resets_the_client() {
    let memory = Memory::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = Upstream::resolve(address.to_string()).await.unwrap();
    let stop = Stop::new();
    let served = tokio::spawn({
        let (stop, taps) = (stop.clone(), Arc::new(memory.clone()));
        async move { Relay::new(vec![listener], upstream).with_taps(taps).serve(&stop).await }
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    assert!(within(10, client.read(&mut [0; 8])).await.is_err());
    stop.drain();
    let report = within(20, served).await.unwrap();
    assert!(report.connections <= 2, "{report:?}");
    assert!(memory.errors().iter().any(|error| error.contains("it is this relay")), "{:?}", memory.errors());
}

#[tokio::test]
async fn the_limit_of_connections_is_reported_once_when_it_is_reached() {
    let memory = Memory::default();
    let world = World::with(options(|options| options.max_connections = 2.try_into().unwrap()), memory.clone()).await;
    for _ in 0..3 {
        let first = world.connect().await;
        let second = world.connect().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop((first, second));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(memory.errors(), ["#0 2 connections are open, which is the limit: further clients wait"]);
}

#[tokio::test]
async fn clients_whose_server_is_not_there_are_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (address, stop, served) = relay_to(nobody, Options::default(), Memory::default()).await;
    for _ in 0..3 {
        let mut client = TcpStream::connect(address).await.unwrap();
        assert!(within(10, client.read(&mut [0; 8])).await.is_err());
    }
    stop.drain();
    let report = within(20, served).await.unwrap();
    assert_eq!((report.connections, report.unconnected), (0, 3));
}
