//! A small Redis: PING, ECHO, GET, SET, DEL, INCR, MULTI, and publish and subscribe.
//!
//! ```sh
//! cargo run --release --example redis -- 127.0.0.1:6380
//! redis-cli -p 6380 incr visits
//! redis-benchmark -p 6380 -t ping,get,set,incr -P 16
//! ```
//!
#[path = "common/resp.rs"]
mod resp;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use enjamb::{FrameError, Framer, WholeFrames};
use enjamb_net::{Closed, Handle, Peer, Service, listen, serve};
use resp::Commands;

/// The state that all clients share.
#[derive(Default)]
struct Store {
    values: HashMap<Bytes, Bytes>,
    channels: HashMap<Bytes, HashMap<u64, Handle>>,
}

struct Client {
    commands: Framer<WholeFrames<Commands>>,
    store: Arc<Mutex<Store>>,
    /// The commands behind MULTI.
    queued: Option<Vec<Vec<Bytes>>>,
    channels: HashSet<Bytes>,
    number: u64,
    reply: Vec<u8>,
}

impl Client {
    fn bulk(&mut self, value: Option<&[u8]>) {
        let Some(value) = value else { return self.reply.extend_from_slice(b"$-1\r\n") };
        self.reply.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
        self.reply.extend_from_slice(value);
        self.reply.extend_from_slice(b"\r\n");
    }

    fn run(&mut self, store: &mut Store, command: &[Bytes], peer: &mut Peer<'_>) {
        let name = command.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        let arguments = command.get(1..).unwrap_or_default();
        match (name.as_slice(), arguments) {
            (b"PING", []) => self.reply.extend_from_slice(b"+PONG\r\n"),
            (b"PING" | b"ECHO", [text]) => self.bulk(Some(text)),
            (b"GET", [key]) => self.bulk(store.values.get(key).map(Bytes::as_ref)),
            (b"SET", [key, value]) => {
                store.values.insert(key.clone(), value.clone());
                self.reply.extend_from_slice(b"+OK\r\n");
            }
            (b"DEL", [_, ..]) => {
                let count = arguments.iter().filter(|key| store.values.remove(*key).is_some()).count();
                self.reply.extend_from_slice(format!(":{count}\r\n").as_bytes());
            }
            (b"INCR", [key]) => {
                let value =
                    store.values.get(key).map_or(Some(0), |it| std::str::from_utf8(it).ok()?.parse::<i64>().ok());
                let Some(next) = value.and_then(|value| value.checked_add(1)) else {
                    return self.reply.extend_from_slice(b"-ERR value is not an integer or out of range\r\n");
                };
                store.values.insert(key.clone(), Bytes::from(next.to_string()));
                self.reply.extend_from_slice(format!(":{next}\r\n").as_bytes());
            }
            (b"PUBLISH", [channel, message]) => {
                let mut text = format!("*3\r\n$7\r\nmessage\r\n${}\r\n", channel.len()).into_bytes();
                text.extend_from_slice(channel);
                text.extend_from_slice(format!("\r\n${}\r\n", message.len()).as_bytes());
                text.extend_from_slice(message);
                text.extend_from_slice(b"\r\n");
                let text = Bytes::from(text);
                let subscribers = store.channels.get(channel).into_iter().flat_map(HashMap::values);
                let count = subscribers.filter(|handle| handle.push_bytes(text.clone()).is_ok()).count();
                self.reply.extend_from_slice(format!(":{count}\r\n").as_bytes());
            }
            (b"SUBSCRIBE" | b"UNSUBSCRIBE", [_, ..]) => {
                for channel in arguments {
                    if name == b"SUBSCRIBE" {
                        self.channels.insert(channel.clone());
                        store.channels.entry(channel.clone()).or_default().insert(self.number, peer.handle());
                    } else {
                        self.unsubscribe(store, channel);
                    }
                    self.reply.extend_from_slice(b"*3\r\n");
                    self.bulk(Some(&name.to_ascii_lowercase()));
                    self.bulk(Some(channel));
                    self.reply.extend_from_slice(format!(":{}\r\n", self.channels.len()).as_bytes());
                }
            }
            (b"CONFIG" | b"COMMAND", _) => self.reply.extend_from_slice(b"*0\r\n"),
            _ => {
                let name =
                    String::from_utf8_lossy(command.first().map_or(&b""[..], Bytes::as_ref)).escape_debug().to_string();
                self.reply
                    .extend_from_slice(format!("-ERR unknown command or wrong arguments: '{name}'\r\n").as_bytes());
            }
        }
    }

    fn unsubscribe(&mut self, store: &mut Store, channel: &Bytes) {
        self.channels.remove(channel);
        if let Some(subscribers) = store.channels.get_mut(channel) {
            subscribers.remove(&self.number);
            if subscribers.is_empty() {
                store.channels.remove(channel);
            }
        }
    }
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service for Client {
    type Machine = Framer<WholeFrames<Commands>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.commands
    }

    fn event(&mut self, command: Vec<Bytes>, peer: &mut Peer<'_>) {
        self.number = peer.connection().number;
        let name = command.first().map(|name| name.to_ascii_uppercase()).unwrap_or_default();
        match (name.as_slice(), self.queued.take()) {
            (b"QUIT", _) => {
                peer.push("+OK\r\n");
                peer.close_when_done();
            }
            (b"MULTI", None) => {
                self.queued = Some(Vec::new());
                peer.push("+OK\r\n");
            }
            (b"DISCARD", Some(_)) => peer.push("+OK\r\n"),
            (b"EXEC", Some(commands)) => {
                self.reply.extend_from_slice(format!("*{}\r\n", commands.len()).as_bytes());
                let store = Arc::clone(&self.store);
                let mut store = lock(&store);
                commands.iter().for_each(|command| self.run(&mut store, command, peer));
            }
            (_, Some(mut commands)) => {
                commands.push(command);
                self.queued = Some(commands);
                peer.push("+QUEUED\r\n");
            }
            (_, None) => {
                let store = Arc::clone(&self.store);
                self.run(&mut lock(&store), &command, peer);
            }
        }
        peer.push(&self.reply);
        self.reply.clear();
    }

    fn malformed(&mut self, error: FrameError<&'static str>, peer: &mut Peer<'_>) {
        match error {
            FrameError::Handler { error, .. } => peer.push(format!("-ERR {error}\r\n")),
            FrameError::TooLong { .. } => peer.push("-ERR Protocol error: too big inline request\r\n"),
        }
        peer.close_when_done();
    }

    fn closed(&mut self, _: &Closed) {
        let store = Arc::clone(&self.store);
        let mut store = lock(&store);
        for channel in self.channels.clone() {
            self.unsubscribe(&mut store, &channel);
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6380".to_owned());
    let listener = listen(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("redis on {}", listener.local_addr()?);
    let store = Arc::<Mutex<Store>>::default();
    serve(listener, |_| Client {
        commands: Framer::whole(Commands::default()),
        store: Arc::clone(&store),
        queued: None,
        channels: HashSet::new(),
        number: 0,
        reply: Vec::new(),
    })
    .await;
    Ok(())
}
