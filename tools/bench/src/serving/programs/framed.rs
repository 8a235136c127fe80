//! Servers over `tokio_util`'s `Framed`.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_util::codec::{Decoder, Encoder, Framed, LinesCodec};

use super::answers::{execute, response};
use super::resp::Command;

pub(crate) async fn echo(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (replies, lines) = Framed::new(stream, LinesCodec::new()).split();
        tokio::task::spawn_local(lines.map(|line| line.map(|line| format!("+{line}\r"))).forward(replies));
    }
}

pub(crate) async fn send_echo(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(async move {
            let mut lines = Framed::new(stream, LinesCodec::new());
            while let Some(Ok(line)) = lines.next().await {
                if lines.send(format!("+{line}\r")).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Requests in, bytes out.
struct Codec<D>(D);

impl<T, D: FnMut(&[u8]) -> Option<(T, usize)>> Decoder for Codec<D> {
    type Item = T;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<T>> {
        Ok((self.0)(buffer).map(|(request, length)| {
            buffer.advance(length);
            request
        }))
    }
}

impl<D> Encoder<Vec<u8>> for Codec<D> {
    type Error = io::Error;

    fn encode(&mut self, bytes: Vec<u8>, buffer: &mut BytesMut) -> io::Result<()> {
        buffer.extend_from_slice(&bytes);
        Ok(())
    }
}

/// A decoder returns what it owns.
fn command(buffer: &[u8]) -> Option<(Vec<Bytes>, usize)> {
    let command = Command::parse(buffer)?;
    Some((command.arguments().iter().map(|argument| Bytes::copy_from_slice(argument)).collect(), command.length))
}

pub(crate) async fn redis(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (replies, commands) = Framed::new(stream, Codec(command)).split();
        let reply = |command: io::Result<Vec<Bytes>>| {
            command.map(|command| {
                let mut reply = Vec::new();
                execute(&command, &mut reply);
                reply
            })
        };
        tokio::task::spawn_local(commands.map(reply).forward(replies));
    }
}

fn head(buffer: &[u8]) -> Option<((), usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    match httparse::Request::new(&mut headers).parse(buffer) {
        Ok(httparse::Status::Complete(length)) => Some(((), length)),
        _ => None,
    }
}

pub(crate) async fn http(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (responses, requests) = Framed::new(stream, Codec(head)).split();
        tokio::task::spawn_local(requests.map(|request| request.map(|()| response())).forward(responses));
    }
}
