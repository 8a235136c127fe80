//! A server that logs its own messages, and records them: the taps of the proxy, without a proxy.
//!
//! ```sh
//! cargo run --release --example watched -- 127.0.0.1:6381 recording.pcapng
//! redis-cli -p 6381 ping
//! ```
//!
//! It answers PING. Every message is a line of JSON with its latency and its outcome; Ctrl-C prints
//! the totals, and the recording opens in Wireshark.

#[path = "common/resp.rs"]
mod resp;

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use enjamb::{Connection, Event, Framer, Tap, Time};
use enjamb_capture::Recorder;
use enjamb_monitor::{Format, Output, Record, Watch};
use enjamb_net::{Handle, NetError, Peer, Server, Stop, Taps, answer, listen};
use enjamb_protocols::Registry;
use resp::Commands;

/// Prints each record as a line of JSON.
struct Lines(String);

impl Output for Lines {
    fn record(&mut self, record: &Record<'_>) {
        self.0.clear();
        Format::JsonLines.write(record, &mut self.0);
        print!("{}", self.0);
    }
}

/// The watch and the recorder of all connections.
struct Watchers {
    watch: Watch<Lines>,
    recorder: Recorder<File>,
}

/// One lock for all connections is enough for a server of moderate load. The proxy has a watch for
/// each connection.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<Watchers>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Watchers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taps for Shared {
    fn taps(&self, _: &Connection) -> Vec<Box<dyn Tap + Send>> {
        vec![Box::new(self.clone())]
    }

    fn error(&self, _: Time, connection: Option<&Connection>, error: &NetError) {
        let number = connection.map_or(0, |connection| connection.number);
        eprintln!("connection {number}: {error}");
    }
}

impl Tap for Shared {
    fn event(&mut self, connection: &Connection, time: Time, event: Event<'_>) {
        if let Some(Watchers { watch, recorder }) = &mut *self.lock() {
            recorder.event(connection, time, event);
            watch.event(connection, time, event);
        }
    }
}

fn reply(command: &[Bytes], peer: &mut Peer<'_>) {
    match command {
        [name] if name.eq_ignore_ascii_case(b"PING") => peer.push("+PONG\r\n"),
        _ => peer.push("-ERR this server answers PING only\r\n"),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:6381".to_owned());
    let recording = arguments.next().unwrap_or_else(|| "recording.pcapng".to_owned());

    let redis = Registry::builtin().resolve("redis")?;
    let watch = Watch::new(Arc::new(move |_: &Connection| redis.session(None)), Lines(String::new()));
    let file = File::create_new(&recording).with_context(|| format!("cannot create {recording}"))?;
    let recorder = Recorder::new(file);
    let shared = Shared(Arc::new(Mutex::new(Some(Watchers { watch, recorder }))));

    let stop = Stop::new();
    let listener = listen(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("watched on {}", listener.local_addr()?);
    let server =
        Server::new(|_: &Handle| answer(Framer::whole(Commands::default()), |command, peer| reply(&command, peer)));
    let server = server.taps(Arc::new(shared.clone())).stop(&stop).serve(listener);
    tokio::pin!(server);
    tokio::select! {
        report = &mut server => report,
        _ = tokio::signal::ctrl_c() => {
            stop.drain();
            server.await
        }
    };
    let Some(Watchers { watch, recorder }) = shared.lock().take() else { return Ok(()) };
    recorder.finish()?;
    println!("{}", watch.finish().0.summary());
    Ok(())
}
