//! A line server: it sends every line back.
//!
//! ```sh
//! cargo run --release --example echo -- 127.0.0.1:7000
//! printf 'one\ntwo\n' | nc -N 127.0.0.1 7000
//! ```
//!
//! With `--status` it answers each line with `+LINE`, which makes it a Redis that knows inline
//! commands only: `redis-benchmark -p 7000 -t ping_inline -P 16`.

use std::convert::Infallible;

use anyhow::Context as _;
use enjamb::{End, FrameError, FrameHandler, FrameInfo, Framer, Step, Terminator, WholeFrames};
use enjamb_net::{Peer, Service, listen, serve};

/// Replies, from lines that end in LF or CR LF.
struct Lines {
    status: bool,
    /// The replies to the lines of one read. They are pushed together.
    replies: Vec<u8>,
}

impl FrameHandler for Lines {
    type Event = ();
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }

    fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<()>, Infallible> {
        if self.status {
            self.replies.push(b'+');
        }
        self.replies.extend_from_slice(line);
        self.replies.push(b'\n');
        Ok(Step::event(()))
    }
}

struct Echo(Framer<WholeFrames<Lines>>);

impl Service for Echo {
    type Machine = Framer<WholeFrames<Lines>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.0
    }

    fn event(&mut self, (): (), peer: &mut Peer<'_>) {
        let replies = &mut self.0.handler_mut().inner_mut().replies;
        peer.push(&*replies);
        replies.clear();
    }

    fn malformed(&mut self, error: FrameError<Infallible>, peer: &mut Peer<'_>) {
        peer.push(format!("-ERR {error}\r\n"));
        peer.close_when_done();
    }

    fn end(&mut self, end: End, peer: &mut Peer<'_>) {
        if let End::Truncated { have, .. } = end {
            peer.push(format!("-ERR the last line has no end, after {have} bytes\r\n"));
        }
        peer.close_when_done();
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let status = arguments.next().as_deref() == Some("--status");
    let listener = listen(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("echo on {}", listener.local_addr()?);
    serve(listener, |_| Echo(Framer::whole(Lines { status, replies: Vec::new() }))).await;
    Ok(())
}
