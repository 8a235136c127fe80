//! Services of enjamb.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use bytes::Bytes;
use enjamb::{FrameHandler, FrameInfo, Framer, Glance, Limit, Next, Step, Terminator, WholeFrames};
use enjamb_net::{Handle, Options, Peer, Server, Service};
use tokio::net::TcpListener;

use super::answers::{execute, response};
use super::resp::Command;

/// A handler that makes its replies while it reads.
trait Replying: FrameHandler<Event = ()> {
    fn replies(&mut self) -> &mut Vec<u8>;
}

/// Pushes the replies of each event.
struct Answering<H: Replying>(Framer<WholeFrames<H>>);

impl<H: Replying + Send + 'static> Service for Answering<H>
where
    H::Error: Send,
{
    type Machine = Framer<WholeFrames<H>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.0
    }

    fn event(&mut self, (): (), peer: &mut Peer<'_>) {
        let replies = self.0.handler_mut().inner_mut().replies();
        peer.push(&*replies);
        replies.clear();
    }
}

#[derive(Default)]
struct Echo(Vec<u8>);

impl FrameHandler for Echo {
    type Event = ();
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<()>, Infallible> {
        self.0.push(b'+');
        self.0.extend_from_slice(line);
        self.0.push(b'\n');
        Ok(Step::event(()))
    }
}

impl Replying for Echo {
    fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

/// Serves more connections than a server does by default.
async fn serve<S: Service>(listener: TcpListener, mut service: impl FnMut() -> S) {
    let mut options = Options::default();
    options.max_connections = NonZeroUsize::new(20_000).unwrap_or(options.max_connections);
    Server::new(|_: &Handle| service()).options(options).serve(listener).await;
}

pub(crate) async fn echo(listener: TcpListener) {
    serve(listener, || Answering(Framer::whole(Echo::default()))).await;
}

#[derive(Default)]
struct Redis {
    arguments: Vec<Bytes>,
    missing: u64,
    is_argument: bool,
    replies: Vec<u8>,
}

impl FrameHandler for Redis {
    type Event = ();
    type Error = &'static str;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn limit(&self) -> Limit {
        Limit::refuse(512 << 20)
    }
    /// A command that lies in the chunk is taken at once, without a copy.
    fn glance(&mut self, chunk: &[u8]) -> Option<Glance<()>> {
        if self.missing > 0 {
            return None;
        }
        let command = Command::parse(chunk)?;
        execute(command.arguments(), &mut self.replies);
        Some(Glance { taken: NonZeroUsize::new(command.length)?, step: Step::event(()) })
    }
    fn frame(&mut self, frame: &[u8], _: FrameInfo) -> Result<Step<()>, &'static str> {
        if std::mem::take(&mut self.is_argument) {
            self.arguments.push(Bytes::copy_from_slice(frame.strip_suffix(b"\r\n").ok_or("no CR LF")?));
            self.missing -= 1;
            let event = (self.missing == 0).then(|| {
                execute(&self.arguments, &mut self.replies);
                self.arguments.clear();
            });
            return Ok(Step { event, next: Next::Until(Terminator::lf()) });
        }
        let number = || std::str::from_utf8(frame.get(1..)?.strip_suffix(b"\r")?).ok()?.parse::<u64>().ok();
        match frame.first() {
            Some(b'*') if self.missing == 0 => {
                self.missing = number().ok_or("no number")?;
                Ok(Step::quiet())
            }
            Some(b'$') if self.missing > 0 => {
                self.is_argument = true;
                let length = number().ok_or("no number")?;
                Ok(Step { event: None, next: Terminator::length(length + 2).map_or(Next::Same, Next::Until) })
            }
            _ => Err("no command"),
        }
    }
}

impl Replying for Redis {
    fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.replies
    }
}

pub(crate) async fn redis(listener: TcpListener) {
    serve(listener, || Answering(Framer::whole(Redis::default()))).await;
}

#[derive(Default)]
struct Http(Vec<u8>);

impl FrameHandler for Http {
    type Event = ();
    type Error = httparse::Error;

    fn start(&self) -> Terminator {
        Terminator::delimiter("\r\n\r\n").unwrap_or(Terminator::Close)
    }
    fn frame(&mut self, head: &[u8], _: FrameInfo) -> Result<Step<()>, httparse::Error> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        // Without the empty line at its end, the head is never whole for the parser.
        let _ = httparse::Request::new(&mut headers).parse(head)?;
        self.0.extend_from_slice(&response());
        Ok(Step::event(()))
    }
}

impl Replying for Http {
    fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

pub(crate) async fn http(listener: TcpListener) {
    serve(listener, || Answering(Framer::whole(Http::default()))).await;
}
