//! Servers and clients on real sockets of this machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enjamb::{Connection, Event, Framer, Side, Tap, Time};
use enjamb_net::{
    Handle, NetError, Options, Overload, Reason, ServeReport, Server, Stop, Taps, answer, connect, listen,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::services::{Diary, Lines, echo, noted};

struct Served {
    address: SocketAddr,
    stop: Stop,
    diary: Diary,
    log: Arc<Log>,
    task: JoinHandle<ServeReport>,
}

/// Everything that taps and errors report.
#[derive(Default)]
struct Log {
    events: Mutex<Vec<String>>,
    errors: Mutex<Vec<String>>,
}

struct LogTap(Arc<Log>);

impl Taps for LogTap {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        vec![Box::new(Self(Arc::clone(&self.0)))]
    }
    fn error(&self, _: Time, connection: Option<&Connection>, error: &NetError) {
        let number = connection.map_or(0, |connection| connection.number);
        self.0.errors.lock().unwrap().push(format!("{number} {error}"));
    }
}

impl Tap for LogTap {
    fn event(&mut self, connection: &Connection, _: Time, event: Event<'_>) {
        let text = match event {
            Event::Chunk { side, bytes } => format!("{side} {}", bytes.escape_ascii()),
            Event::Close { side, ending } => format!("{side} {ending:?}"),
            event => format!("{event:?}"),
        };
        self.0.events.lock().unwrap().push(format!("{} {text}", connection.number));
    }
}

/// Serves lines: `panic` panics, all others are echoed.
async fn serve_with(options: Options) -> Served {
    let listener = listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, diary, log) = (Stop::new(), Diary::default(), Arc::new(Log::default()));
    let notes = diary.clone();
    let factory = move |_: &Handle| {
        noted(&notes, |line, peer| {
            assert_ne!(line, "panic", "a planted bug");
            echo(line, peer);
        })
    };
    let server = Server::new(factory).options(options).taps(Arc::new(LogTap(Arc::clone(&log)))).stop(&stop);
    Served { address, stop, diary, log, task: tokio::spawn(server.serve(listener)) }
}

async fn ask(client: &mut TcpStream, line: &str) -> String {
    client.write_all(line.as_bytes()).await.unwrap();
    let mut answer = vec![0; line.len()];
    match timeout(Duration::from_secs(10), client.read_exact(&mut answer)).await.unwrap() {
        Ok(_) => String::from_utf8(answer).unwrap(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

async fn read_all(client: &mut TcpStream) -> String {
    let mut all = String::new();
    match timeout(Duration::from_secs(10), client.read_to_string(&mut all)).await.unwrap() {
        Ok(_) => all,
        Err(error) => format!("{:?}", error.kind()),
    }
}

#[tokio::test]
async fn one_panic_costs_one_connection() {
    let served = serve_with(Options::default()).await;
    let mut one = TcpStream::connect(served.address).await.unwrap();
    let mut other = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&mut one, "a\n").await, "a\n");
    assert_eq!(ask(&mut other, "b\n").await, "b\n");
    one.write_all(b"panic\n").await.unwrap();
    assert_eq!(read_all(&mut one).await, "ConnectionReset");
    assert_eq!(ask(&mut other, "c\n").await, "c\n");
    drop(other);
    served.stop.drain();
    let report = served.task.await.unwrap();
    assert_eq!((report.connections, report.panics, report.events), (2, 1, 4), "{report:?}");
    let errors = served.log.errors.lock().unwrap().clone();
    assert!(errors[0].starts_with("1 the service of this connection failed: assertion"), "{errors:?}");
    assert_eq!(errors.len(), 1);
}

#[tokio::test]
async fn taps_see_what_the_service_sees() {
    let served = serve_with(Options::default()).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&mut client, "a\nb\n").await, "a\nb\n");
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut client).await, "");
    served.stop.drain();
    served.task.await.unwrap();
    let events = served.log.events.lock().unwrap().clone();
    assert_eq!(
        events,
        ["1 Open", "1 client a\\nb\\n", "1 server a\\nb\\n", "1 client Closed", "1 server Closed", "1 Done"]
    );
}

#[tokio::test]
async fn a_client_that_has_ended_its_stream_gets_all_replies() {
    let served = serve_with(Options::default()).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    let request: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    client.write_all(request.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut client).await, request);
}

#[tokio::test]
async fn a_gentle_stop_writes_what_is_queued() {
    let served = serve_with(Options::default()).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&mut client, "a\n").await, "a\n");
    served.stop.drain();
    assert_eq!(read_all(&mut client).await, "bye\n");
    drop(client);
    let report = served.task.await.unwrap();
    assert_eq!((report.connections, report.stopped), (1, 0));
    assert_eq!(served.diary.entries(), ["open", "stop", "closed: Done"]);
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_connection_that_does_not_end_is_reset_when_the_server_stops() {
    let mut options = Options::default();
    options.drain = Duration::from_millis(50);
    options.linger = Duration::from_secs(100);
    let served = serve_with(options).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&mut client, "a\n").await, "a\n");
    served.stop.drain();
    let report = served.task.await.unwrap();
    assert_eq!((report.connections, report.stopped), (1, 1), "{report:?}");
    assert_eq!(served.log.errors.lock().unwrap().clone(), ["1 reset, since this end stops"]);
    // What was written before the reset may be lost.
    assert!(["ConnectionReset", "bye\n"].contains(&read_all(&mut client).await.as_str()));
}

#[tokio::test]
async fn clients_beyond_the_limit_wait() {
    let mut options = Options::default();
    options.max_connections = 2.try_into().unwrap();
    let served = serve_with(options).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(TcpStream::connect(served.address).await.unwrap());
    }
    for client in &mut clients[..2] {
        assert_eq!(ask(client, "a\n").await, "a\n");
    }
    clients[2].write_all(b"c\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(served.diary.entries(), ["open", "open"]);
    drop(clients.remove(0));
    let mut answer = [0; 2];
    clients[1].read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"c\n");
}

#[tokio::test]
async fn clients_beyond_the_limit_are_refused_by_policy() {
    let mut options = Options::default();
    options.max_connections = 1.try_into().unwrap();
    options.when_overloaded = Overload::Refuse;
    let served = serve_with(options).await;
    let mut first = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&mut first, "a\n").await, "a\n");
    let mut second = TcpStream::connect(served.address).await.unwrap();
    let refused = second.local_addr().unwrap();
    assert_eq!(read_all(&mut second).await, "ConnectionReset");
    drop(first);
    served.stop.drain();
    let report = served.task.await.unwrap();
    assert_eq!((report.connections, report.refused), (1, 1));
    let errors = served.log.errors.lock().unwrap().clone();
    assert_eq!(errors, [format!("0 refused client {refused}: there are 1 connections already")]);
}

#[tokio::test]
async fn a_handshake_comes_before_the_service() {
    let listener = listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut options = Options::default();
    options.handshake_timeout = Duration::from_millis(100);
    let stop = Stop::new();
    let log = Arc::new(Log::default());
    let server = Server::new(|_: &Handle| answer(Framer::whole(Lines), echo))
        .options(options)
        .taps(Arc::new(LogTap(Arc::clone(&log))))
        .stop(&stop)
        .handshake(|mut tcp: TcpStream| async move {
            let mut word = [0; 5];
            tcp.read_exact(&mut word).await?;
            if &word != b"hello" {
                return Err(std::io::Error::other("no greeting"));
            }
            Ok(tcp)
        });
    let task = tokio::spawn(server.serve(listener));
    let mut good = TcpStream::connect(address).await.unwrap();
    good.write_all(b"hello").await.unwrap();
    assert_eq!(ask(&mut good, "a\n").await, "a\n");
    let mut bad = TcpStream::connect(address).await.unwrap();
    bad.write_all(b"hullo").await.unwrap();
    let mut silent = TcpStream::connect(address).await.unwrap();
    read_all(&mut bad).await;
    read_all(&mut silent).await;
    drop(good);
    stop.drain();
    let report = task.await.unwrap();
    assert_eq!((report.connections, report.handshakes_failed), (1, 2), "{report:?}");
    let errors = log.errors.lock().unwrap().concat();
    assert!(errors.contains("failed: no greeting") && errors.contains("not complete within 100ms"), "{errors}");
}

#[tokio::test]
async fn a_client_runs_a_service_too() {
    let served = serve_with(Options::default()).await;
    let answers = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&answers);
    let service = answer(Framer::whole(Lines), move |line: String, peer| {
        let mut answers = kept.lock().unwrap();
        answers.push(line);
        match answers.len() {
            3 => peer.close_when_done(),
            count => peer.push(format!("{count}\n")),
        }
    });
    let client = connect(&served.address.to_string(), service).await.unwrap();
    client.handle().push("0\n").unwrap();
    let (_, closed) = client.await;
    assert!(matches!(closed.reason, Reason::Done), "{closed:?}");
    assert_eq!(*answers.lock().unwrap(), ["0", "1", "2"]);
    // Nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(connect(&free.to_string(), answer(Framer::whole(Lines), echo)).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let stop = Stop::new();
    let server = Server::new(|_: &Handle| answer(Framer::whole(Lines), echo)).stop(&stop);
    let task = tokio::spawn(server.serve(vec![listener]));
    let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
    client.write_all(b"a\n").await.unwrap();
    client.shutdown().await.unwrap();
    let mut all = String::new();
    client.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "a\n");
    assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(path.as_path()));
    stop.drain();
    assert_eq!(task.await.unwrap().connections, 1);
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_its_connections() {
    let served = serve_with(Options::default()).await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&mut client, "a\n").await, "a\n");
    served.task.abort();
    assert!(["", "ConnectionReset"].contains(&read_all(&mut client).await.as_str()));
    let events = served.log.events.lock().unwrap().clone();
    assert_eq!(events.last().unwrap(), "1 Done");
    assert_eq!(events.iter().filter(|event| event.contains(Side::Server.as_str())).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn simulated_clients_are_served() {
    use enjamb_net::sim::{Stream, listener};
    let (listener, connector) = listener();
    let stop = Stop::new();
    let server = Server::new(|_: &Handle| answer(Framer::whole(Lines), echo)).stop(&stop);
    let task = tokio::spawn(server.serve(listener));
    let logs: Vec<_> = (0..100)
        .map(|number| {
            let (stream, log) = Stream::of_chunks([format!("client {number}\n")]);
            connector.connect(stream);
            log
        })
        .collect();
    for (number, log) in logs.iter().enumerate() {
        assert_eq!(log.wait_for(|_| false).await, format!("client {number}\n").as_bytes());
    }
    stop.drain();
    assert_eq!(task.await.unwrap().connections, 100);
}
