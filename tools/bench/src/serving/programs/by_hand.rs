//! Loops of read, parse and write, as an experienced author writes them for one protocol.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::answers::{execute, response};
use super::resp::Command;

/// Handles what is whole at the front of a buffer. Returns the number of its bytes.
type Handle = fn(&[u8], &mut Vec<u8>) -> usize;

pub(crate) async fn serve(listener: TcpListener, handle: Handle) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(async move {
            let mut buffer = Vec::with_capacity(4096);
            let mut replies = Vec::new();
            while let Ok(1..) = stream.read_buf(&mut buffer).await {
                let taken = handle(&buffer, &mut replies);
                if taken == buffer.len() {
                    buffer.clear();
                } else {
                    buffer.drain(..taken);
                }
                if !replies.is_empty() {
                    if stream.write_all(&replies).await.is_err() {
                        return;
                    }
                    replies.clear();
                }
            }
        });
    }
}

pub(crate) fn echo(buffer: &[u8], replies: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while let Some(end) = memchr::memchr(b'\n', &buffer[at..]) {
        replies.push(b'+');
        replies.extend_from_slice(&buffer[at..=at + end]);
        at += end + 1;
    }
    at
}

pub(crate) fn redis(buffer: &[u8], replies: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while let Some(command) = Command::parse(&buffer[at..]) {
        execute(command.arguments(), replies);
        at += command.length;
    }
    at
}

pub(crate) fn http(buffer: &[u8], replies: &mut Vec<u8>) -> usize {
    let mut at = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        match httparse::Request::new(&mut headers).parse(&buffer[at..]) {
            Ok(httparse::Status::Complete(length)) => at += length,
            _ => return at,
        }
        replies.extend_from_slice(&response());
    }
}
