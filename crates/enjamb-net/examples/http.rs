//! An HTTP/1.1 server: files of a folder, and uploads that are counted.
//!
//! ```sh
//! cargo run --release --example http -- 127.0.0.1:8080 docs
//! curl http://127.0.0.1:8080/laws.md
//! curl -T Cargo.lock http://127.0.0.1:8080/
//! ```
//!
//! Requests may be pipelined, and connections are kept alive. Files are sent by a producer, so a
//! large one takes the memory of one buffer.

#[path = "common/http.rs"]
mod http;

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use enjamb::{End, FrameError, Framer, WholeFrames};
use enjamb_net::{FromReader, Peer, PushError, Service, Slot, listen, serve};
use http::{Head, Malformed, Messages, Part};
use tokio::io::AsyncReadExt as _;

struct Site {
    requests: Framer<WholeFrames<Messages>>,
    root: PathBuf,
    /// The request in progress, and the number of bytes of its body so far.
    request: Option<(Head, u64)>,
}

impl Service for Site {
    type Machine = Framer<WholeFrames<Messages>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.requests
    }

    fn event(&mut self, parts: Vec<Part>, peer: &mut Peer<'_>) {
        for part in parts {
            match (part, &mut self.request) {
                (Part::Head(head), _) => {
                    let expects = head.header("expect").is_some_and(|it| it.eq_ignore_ascii_case("100-continue"));
                    if expects && head.version > 0 {
                        peer.push("HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    self.request = Some((head, 0));
                }
                (Part::Data(bytes), Some((_, length))) => *length += bytes.len() as u64,
                (Part::End, request) => {
                    if let Some((head, length)) = request.take() {
                        self.respond(&head, length, peer);
                    }
                }
                (Part::Data(_), None) => {}
            }
        }
    }

    fn malformed(&mut self, error: FrameError<Malformed>, peer: &mut Peer<'_>) {
        let (status, reason) = match error {
            FrameError::TooLong { .. } => (431, "too long"),
            FrameError::Handler { error: Malformed(status, reason), .. } => (status, reason),
        };
        peer.push(response(status, "text/plain", &format!("{reason}\n"), false, false));
        peer.close_when_done();
    }

    fn end(&mut self, end: End, peer: &mut Peer<'_>) {
        if end != End::Clean {
            peer.push(response(400, "text/plain", "the request has no end\n", false, false));
        }
        peer.close_when_done();
    }
}

impl Site {
    fn respond(&mut self, head: &Head, length: u64, peer: &mut Peer<'_>) {
        let keeps = head.keeps_alive();
        match head.method.as_str() {
            "GET" | "HEAD" => {
                let is_head = head.method == "HEAD";
                match self.path(&head.target) {
                    None => peer.push(response(400, "text/plain", "not a path\n", is_head, keeps)),
                    Some(path) => {
                        // Opening a file takes time, so a task does it. Its reply keeps its place.
                        let slot = peer.reserve();
                        tokio::spawn(async move {
                            // Fails if the client has gone.
                            let _ = send_file(slot, &path, is_head, keeps).await;
                        });
                    }
                }
            }
            "POST" | "PUT" => {
                peer.push(response(200, "text/plain", &format!("{length} bytes\n"), false, keeps));
            }
            "OPTIONS" => peer.push(response(204, "", "", false, keeps)),
            _ => peer.push(response(405, "text/plain", "GET, HEAD, POST, PUT, OPTIONS\n", false, keeps)),
        }
        if !keeps {
            peer.close_when_done();
        }
    }

    /// Returns the file that a target names, below the root.
    fn path(&self, target: &str) -> Option<PathBuf> {
        let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
        let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
        let is_below = Path::new(path.as_ref()).components().all(|part| matches!(part, Component::Normal(_)));
        is_below.then(|| self.root.join(if path.is_empty() { "index.html" } else { path.as_ref() }))
    }
}

async fn send_file(mut slot: Slot, path: &Path, is_head: bool, keeps: bool) -> Result<(), PushError> {
    match open(path).await {
        Err(_) => slot.push(response(404, "text/plain", "no such file\n", is_head, keeps))?,
        Ok((file, length)) => {
            slot.push(head_of(200, media_type(path), length, keeps))?;
            if !is_head {
                // A file that grows meanwhile is as long as the head says.
                slot.push_with(FromReader::new(file.take(length)))?;
            }
        }
    }
    slot.finish()
}

async fn open(path: &Path) -> io::Result<(tokio::fs::File, u64)> {
    let file = tokio::fs::File::open(path).await?;
    let metadata = file.metadata().await?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn response(status: u16, media_type: &str, body: &str, is_head: bool, keeps: bool) -> String {
    let mut text = head_of(status, media_type, body.len() as u64, keeps);
    if !is_head {
        text.push_str(body);
    }
    text
}

fn head_of(status: u16, media_type: &str, length: u64, keeps: bool) -> String {
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed\r\nAllow: GET, HEAD, POST, PUT, OPTIONS",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        _ => "HTTP Version Not Supported",
    };
    let date = chrono::DateTime::<chrono::Utc>::from(SystemTime::now()).format("%a, %d %b %Y %H:%M:%S GMT");
    let body = match status {
        204 => String::new(),
        _ => format!("Content-Type: {media_type}\r\nContent-Length: {length}\r\n"),
    };
    let connection = if keeps { "" } else { "Connection: close\r\n" };
    format!("HTTP/1.1 {status} {reason}\r\nDate: {date}\r\n{body}{connection}\r\n")
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("txt" | "md" | "rs" | "toml") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let root = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let listener = listen(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("http://{}/ serves {}", listener.local_addr()?, root.display());
    serve(listener, |_| Site { requests: Framer::whole(Messages::requests()), root: root.clone(), request: None })
        .await;
    Ok(())
}
