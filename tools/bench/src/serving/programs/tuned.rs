//! A server of enjamb whose buffers, handlers and pushes are chosen by its arguments.

use std::convert::Infallible;

use enjamb::{FrameHandler, FrameInfo, Framer, InvalidUtf8, Limit, Step, Terminator, TextFrameHandler};
use enjamb_net::{Handle, Options, Peer, Server, answer};
use tokio::net::TcpListener;

/// The number of pieces of a reply that is pushed in pieces.
const PIECES: usize = 100;

struct Lines;

impl FrameHandler for Lines {
    type Event = Vec<u8>;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<Vec<u8>>, Infallible> {
        let mut reply = Vec::with_capacity(line.len() + 2);
        reply.push(b'+');
        reply.extend_from_slice(line);
        reply.push(b'\n');
        Ok(Step::event(reply))
    }
    fn limit(&self) -> Limit {
        Limit::refuse(1 << 20)
    }
}

struct TextLines;

impl TextFrameHandler for TextLines {
    type Event = String;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn frame(&mut self, line: &str, _: FrameInfo) -> Result<Step<String>, Infallible> {
        Ok(Step::event(format!("+{line}\n")))
    }
}

pub(crate) async fn serve(listener: TcpListener, arguments: &[String]) {
    let mut options = Options::default();
    let (mode, number) = arguments.first().and_then(|it| it.split_once('=')).unwrap_or(("bytes", "1"));
    let number = number.parse().unwrap_or(1);
    match mode {
        "buffer" => {
            if let Ok(size) = usize::try_into(number) {
                (options.read_buffer, options.write_buffer) = (size, size);
            }
            Server::new(|_: &Handle| answer(Framer::whole(Lines), |reply, peer| peer.push(reply)))
                .options(options)
                .serve(listener)
                .await
        }
        "text" => {
            let factory =
                |_: &Handle| answer(Framer::text(TextLines, InvalidUtf8::Replace), |reply, peer| peer.push(reply));
            Server::new(factory).serve(listener).await
        }
        "pieces" => {
            let factory = |_: &Handle| {
                answer(Framer::whole(Lines), |_, peer: &mut Peer<'_>| {
                    peer.push("+");
                    (0..PIECES).for_each(|_| peer.push("0123456789"));
                    peer.push("\r\n");
                })
            };
            Server::new(factory).serve(listener).await
        }
        "piece" => {
            let reply = format!("+{}\r\n", "0123456789".repeat(PIECES));
            let factory = move |_: &Handle| {
                let reply = reply.clone();
                answer(Framer::whole(Lines), move |_, peer: &mut Peer<'_>| peer.push(&reply))
            };
            Server::new(factory).serve(listener).await
        }
        "task" => {
            let factory = |_: &Handle| {
                answer(Framer::whole(Lines), |reply: Vec<u8>, peer: &mut Peer<'_>| {
                    peer.push_later(async move { reply });
                })
            };
            Server::new(factory).serve(listener).await
        }
        _ => {
            Server::new(|_: &Handle| answer(Framer::whole(Lines), |reply, peer| peer.push(reply))).serve(listener).await
        }
    };
}
