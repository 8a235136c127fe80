//! A chat room: every line goes to everybody else. Who reads too slowly is dropped.
//!
//! ```sh
//! cargo run --release --example chat -- 127.0.0.1:7000
//! nc 127.0.0.1 7000
//! ```
//!
//! Commands: `/nick NAME`, `/who`, `/quit`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use bytes::Bytes;
use enjamb::{
    FrameInfo, Framer, InvalidUtf8, Limit, Step, Terminator, Text, TextError, TextFrameHandler, WholeTextFrames,
};
use enjamb_net::{Closed, Handle, NetError, Options, Peer, QueuePolicy, Reason, Server, Service, Stop, listen_with};

/// Lines of UTF-8, of at most 1,000 bytes.
struct Lines;

impl TextFrameHandler for Lines {
    type Event = String;
    type Error = std::convert::Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn frame(&mut self, line: &str, _: FrameInfo) -> Result<Step<String>, Self::Error> {
        Ok(Step::event(line.trim_end().to_owned()))
    }
    fn limit(&self) -> Limit {
        Limit::refuse(1000)
    }
}

type LineParser = Framer<Text<WholeTextFrames<Lines>>>;

/// Everybody in the room, by the number of their connection.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<BTreeMap<u64, Member>>>);

struct Member {
    name: String,
    handle: Handle,
}

impl Room {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<u64, Member>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Sends a line to all but one. It is stored once, however many they are.
    fn broadcast(&self, line: String, except: u64) {
        let line = Bytes::from(line + "\n");
        self.with(|members| {
            for (_, member) in members.iter().filter(|(number, _)| **number != except) {
                // Fails if the member is leaving.
                let _ = member.handle.push_bytes(line.clone());
            }
        });
    }
}

struct Guest {
    lines: LineParser,
    room: Room,
    number: u64,
}

impl Guest {
    fn name(&self) -> String {
        self.room.with(|members| members.get(&self.number).map(|member| member.name.clone())).unwrap_or_default()
    }

    fn rename(&self, name: &str) -> Result<String, &'static str> {
        if name.is_empty() || name.len() > 20 || !name.chars().all(char::is_alphanumeric) {
            return Err("a name has 1 to 20 letters and digits");
        }
        self.room.with(|members| {
            if members.values().any(|member| member.name == name) {
                return Err("that name is taken");
            }
            let member = members.get_mut(&self.number).ok_or("you are not here")?;
            Ok(std::mem::replace(&mut member.name, name.to_owned()))
        })
    }
}

impl Service for Guest {
    type Machine = LineParser;

    fn machine(&mut self) -> &mut LineParser {
        &mut self.lines
    }

    fn open(&mut self, peer: &mut Peer<'_>) {
        self.number = peer.connection().number;
        let name = format!("guest{}", self.number);
        peer.push(format!("* you are {name}\n"));
        self.room.broadcast(format!("* {name} comes in"), self.number);
        self.room.with(|members| members.insert(self.number, Member { name, handle: peer.handle() }));
    }

    fn event(&mut self, line: String, peer: &mut Peer<'_>) {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("/nick", name) => match self.rename(name) {
                Ok(old) => {
                    peer.push(format!("* you are {name}\n"));
                    self.room.broadcast(format!("* {old} is now {name}"), self.number);
                }
                Err(reason) => peer.push(format!("* {reason}\n")),
            },
            ("/who", _) => {
                let names: Vec<_> = self.room.with(|members| members.values().map(|it| it.name.clone()).collect());
                peer.push(format!("* {} here: {}\n", names.len(), names.join(" ")));
            }
            ("/quit", _) => {
                peer.push("* bye\n");
                peer.close_when_done();
            }
            (command, _) if command.starts_with('/') => peer.push("* commands: /nick NAME, /who, /quit\n"),
            ("", _) => {}
            _ => self.room.broadcast(format!("{}: {line}", self.name()), self.number),
        }
    }

    fn malformed(&mut self, error: enjamb::FrameError<TextError<std::convert::Infallible>>, peer: &mut Peer<'_>) {
        peer.push(format!("* {error}\n"));
        peer.close_when_done();
    }

    fn stop(&mut self, peer: &mut Peer<'_>) {
        peer.push("* the room closes\n");
        peer.close_when_done();
    }

    fn closed(&mut self, closed: &Closed) {
        let Some(member) = self.room.with(|members| members.remove(&self.number)) else { return };
        let how = match closed.reason {
            Reason::Failed(NetError::QueueFull(_)) => "reads too slowly and is dropped",
            _ => "leaves",
        };
        self.room.broadcast(format!("* {} {how}", member.name), self.number);
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    // Each guest is an open file.
    rlimit::increase_nofile_limit(65_536)?;
    let mut options = Options::default();
    options.max_queued = 64 << 10;
    options.when_queue_full = QueuePolicy::Abort;
    options.idle_timeout = None;
    // Somebody may think about a line for as long as they like.
    options.min_read_rate = None;
    let listener = listen_with(&address, &options).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("chat on {}", listener.local_addr()?);
    let (room, stop) = (Room::default(), Stop::new());
    let factory =
        |_: &Handle| Guest { lines: Framer::text(Lines, InvalidUtf8::Replace), room: room.clone(), number: 0 };
    let server = Server::new(factory).options(options).stop(&stop).serve(listener);
    tokio::pin!(server);
    let report = tokio::select! {
        report = &mut server => report,
        _ = tokio::signal::ctrl_c() => {
            stop.drain();
            server.await
        }
    };
    println!("{} guests, {} dropped", report.connections, report.failed);
    Ok(())
}
