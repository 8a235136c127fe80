//! Connections end in several ways, and the other side sees how.

use std::io::ErrorKind;
use std::time::Duration;

use crate::world::{Memory, Received, World, options, relay_to, within};
use enjamb::{Ending, Side};
use enjamb_net::relay::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

fn reset(socket: TcpStream) {
    socket.set_zero_linger().unwrap();
    drop(socket);
}

async fn is_reset(socket: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    within(10, socket.read_to_end(&mut rest)).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// Both ends of a connection, that of `side` first.
async fn connect_from(world: &World, side: Side) -> (TcpStream, TcpStream) {
    let (client, server) = world.connect().await;
    if side == Side::Client { (client, server) } else { (server, client) }
}

#[tokio::test]
async fn a_reset_is_passed_on_as_a_reset() {
    for side in Side::BOTH {
        let memory = Memory::default();
        let world = World::new(memory.clone()).await;
        let (mut this, mut other) = connect_from(&world, side).await;
        this.write_all(b"half a mess").await.unwrap();
        other.read_exact(&mut [0; 11]).await.unwrap();
        reset(this);
        assert!(is_reset(&mut other).await, "{side}");
        world.end().await;
        let expected = [
            Received::Open,
            Received::Chunk(side, b"half a mess".to_vec()),
            Received::Close(side, Ending::Reset),
            Received::Close(!side, Ending::Reset),
            Received::Done,
        ];
        assert_eq!(memory.received(), expected);
    }
}

#[tokio::test]
async fn a_side_that_has_ended_its_stream_can_still_reset_the_connection() {
    for side in Side::BOTH {
        let memory = Memory::default();
        let world = World::new(memory.clone()).await;
        let (mut this, mut other) = connect_from(&world, side).await;
        this.shutdown().await.unwrap();
        assert_eq!(within(10, other.read(&mut [0; 8])).await.unwrap(), 0);
        reset(this);
        within(10, other.ready(Interest::ERROR)).await.unwrap();
        assert!(other.take_error().unwrap().is_some(), "{side}");
        world.end().await;
        assert_eq!(
            memory.received()[1..3],
            [Received::Close(side, Ending::Closed), Received::Close(!side, Ending::Reset)]
        );
    }
}

#[tokio::test]
async fn a_reset_is_passed_on_to_a_side_that_does_not_read() {
    for side in Side::BOTH {
        let world = World::new(Memory::default()).await;
        let (mut this, mut other) = connect_from(&world, side).await;
        let block = vec![b'x'; 1 << 16];
        while tokio::time::timeout(Duration::from_millis(300), this.write_all(&block)).await.is_ok() {}
        reset(this);
        within(10, other.ready(Interest::ERROR)).await.unwrap();
        assert!(is_reset(&mut other).await, "{side}");
    }
}

#[tokio::test]
async fn an_answer_from_the_middle_of_a_request_arrives_before_the_reset_that_follows_it() {
    for _ in 0..50 {
        let memory = Memory::default();
        let world = World::new(memory.clone()).await;
        let (client, mut server) = world.connect().await;
        let (mut reads, mut writes) = client.into_split();
        let writing = tokio::spawn(async move {
            let block = vec![b'x'; 1 << 16];
            while writes.write_all(&block).await.is_ok() {}
            // Dropped only here: a drop ends the stream.
            writes
        });
        server.read_exact(&mut [0; 100]).await.unwrap();
        server.write_all(b"413").await.unwrap();
        // Bytes are left unread, so that the kernel answers them with a reset.
        drop(server);
        let mut answer = [0; 3];
        within(10, reads.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"413");
        // The kernel reports the error once, to the next read or write.
        let end = within(10, reads.read(&mut answer)).await;
        assert!(matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        within(10, writing).await.unwrap();
        world.end().await;
        assert_eq!(memory.bytes(Side::Server), b"413");
    }
}

#[tokio::test]
async fn a_client_of_a_server_that_is_not_there_is_reset_and_the_error_is_reported() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let memory = Memory::default();
    let (address, stop, served) = relay_to(nobody, Options::default(), memory.clone()).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let client_address = client.local_addr().unwrap();
    assert!(is_reset(&mut client).await);
    stop.drain();
    assert_eq!(within(10, served).await.unwrap().connections, 0);
    assert_eq!(memory.received(), []);
    let errors = memory.errors();
    let expected = format!("#0 cannot connect to {nobody} for client {client_address}: ");
    assert!(errors.len() == 1 && errors[0].starts_with(&expected), "{errors:?}");
}

#[tokio::test]
async fn a_connection_without_a_byte_for_too_long_is_reset() {
    let memory = Memory::default();
    let options = options(|options| options.idle_timeout = Some(Duration::from_millis(400)));
    let world = World::with(options, memory.clone()).await;
    let (mut client, mut server) = world.connect().await;
    for _ in 0..4 {
        sleep(Duration::from_millis(200)).await;
        client.write_all(b".").await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
    }
    assert_eq!(memory.errors(), [""; 0]);
    assert!(is_reset(&mut client).await && is_reset(&mut server).await);
    world.end().await;
    assert_eq!(memory.errors(), ["#1 reset after 400ms without a byte"]);
    assert_eq!(memory.received().last(), Some(&Received::Done));
}

#[tokio::test]
async fn a_relay_that_drains_accepts_nobody_and_serves_those_who_are_there() {
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let (mut client, mut server) = world.connect().await;
    world.stop.drain();
    sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(world.address).await.is_err());
    client.write_all(b"still there?").await.unwrap();
    within(10, server.read_exact(&mut [0; 12])).await.unwrap();
    drop((client, server));
    let served = within(10, world.served).await.unwrap();
    assert_eq!((served.connections, served.stopped), (1, 0));
    assert_eq!(memory.received().last(), Some(&Received::Done));
}

#[tokio::test]
async fn connections_that_outlast_the_drain_are_reset_and_done() {
    for at_once in [false, true] {
        let memory = Memory::default();
        let drain = Duration::from_millis(if at_once { 60_000 } else { 300 });
        let world = World::with(options(|options| options.drain = drain), memory.clone()).await;
        let (mut client, mut server) = world.connect().await;
        memory.until(Received::Open).await;
        world.stop.drain();
        if at_once {
            world.stop.now();
        }
        assert!(is_reset(&mut client).await && is_reset(&mut server).await);
        let served = within(10, world.served).await.unwrap();
        assert_eq!((served.connections, served.stopped), (1, 1));
        let reset = |side| Received::Close(side, Ending::Reset);
        assert_eq!(memory.received(), [Received::Open, reset(Side::Client), reset(Side::Server), Received::Done]);
        assert_eq!(memory.errors(), ["#1 reset, since this end stops"]);
    }
}

#[tokio::test]
async fn taps_of_a_relay_that_is_dropped_receive_the_end() {
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let (_client, _server) = world.connect().await;
    memory.until(Received::Open).await;
    world.served.abort();
    memory.until(Received::Done).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_of_a_server_that_resets_at_once_arrives() {
    const ANSWER: usize = 30_000;
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let World { address, server, .. } = &world;
    let serving = async {
        for _ in 0..100 {
            let (socket, _) = server.accept().await.unwrap();
            let mut answer = &vec![b'a'; ANSWER][..];
            while !answer.is_empty() {
                socket.writable().await.unwrap();
                let taken = socket.try_write(answer).unwrap_or(0);
                answer = &answer[taken..];
            }
            reset(socket);
        }
    };
    // A blocking client: a reset that comes early would fail the connect of tokio.
    let address = *address;
    let asking = tokio::task::spawn_blocking(move || {
        for round in 0..100 {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut answer = Vec::new();
            let result = std::io::Read::read_to_end(&mut client, &mut answer);
            assert_eq!(answer.len(), ANSWER, "round {round}");
            assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    });
    let ((), asked) = tokio::join!(serving, asking);
    asked.unwrap();
    assert_eq!(memory.errors(), [""; 0]);
    assert_eq!(memory.bytes(Side::Server).len(), 100 * ANSWER);
    assert_eq!(world.end().await.unconnected, 0);
}

#[tokio::test]
async fn bytes_that_were_read_and_not_delivered_are_reported_with_their_number() {
    let memory = Memory::default();
    let world = World::new(memory.clone()).await;
    let (mut client, server) = world.connect().await;
    let block = vec![b'x'; 1 << 16];
    let mut sent = 0;
    while let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(300), client.write(&block)).await {
        sent += length;
    }
    reset(client);
    memory.until(Received::Done).await;
    let errors = memory.errors();
    let undelivered =
        errors.iter().find_map(|error| error.strip_prefix("#1 ")?.split_once(" bytes of the client were"));
    let undelivered: usize = undelivered.expect("an error").0.parse().unwrap();
    assert!(undelivered > 0 && undelivered <= enjamb_net::relay::LONGEST_READ, "{errors:?}");
    assert!(memory.bytes(Side::Client).len() <= sent);
    drop(server);
}
