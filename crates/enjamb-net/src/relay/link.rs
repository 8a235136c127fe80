//! One side of a relayed connection: its socket, and the TLS session on it, if there is one.
//!
//! The relay sees plain text. Without TLS every call goes to the socket. With TLS, text that is
//! written becomes records at once, and records that the socket has not taken wait in the session:
//! the relay reads nothing more for this side until they are sent.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use crate::relay::socket::{ReadEnd, WriteEnd};
use crate::relay::tls::session::Session;
use crate::scratch::{CIPHER_READ, with_cipher_buffer};

/// The number of bytes that one read of a preamble takes: of a handshake or a header.
const PREAMBLE_READ: usize = 4096;

/// One side of a relayed connection.
pub(crate) struct Link<'s> {
    reads: ReadEnd<'s>,
    writes: &'s WriteEnd<'s>,
    /// Bytes that were read from the socket before they were wanted.
    early: Vec<u8>,
    tls: Option<Box<Session>>,
}

impl<'s> Link<'s> {
    pub(crate) fn new(reads: ReadEnd<'s>, writes: &'s WriteEnd<'s>) -> Self {
        Self { reads, writes, early: Vec::new(), tls: None }
    }

    #[inline]
    pub(crate) fn writes(&self) -> &'s WriteEnd<'s> {
        self.writes
    }

    /// Puts bytes back that were read from the socket: they are read again.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        self.early.splice(..0, bytes.iter().copied());
    }

    /// Lets the side continue with TLS.
    pub(crate) fn secure(&mut self, session: Session) {
        self.tls = Some(Box::new(session));
    }

    /// Reads text. Nothing is the end of the side's stream.
    #[inline]
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.tls.is_none() && self.early.is_empty() {
            return self.reads.poll_read(cx, buffer);
        }
        self.poll_read_slowly(cx, buffer)
    }

    /// Reads text inside TLS, or bytes that were put back.
    fn poll_read_slowly(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { reads, writes, early, tls } = self;
        let Some(tls) = tls else { return poll_socket(cx, reads, early, buffer) };
        while !tls.take_text(buffer)? {
            let read: Poll<io::Result<()>> = with_cipher_buffer(CIPHER_READ, |bytes| {
                let mut bytes = ReadBuf::new(bytes);
                ready!(poll_socket(cx, reads, early, &mut bytes))?;
                tls.receive(bytes.filled(), buffer);
                Poll::Ready(Ok(()))
            });
            // Session tickets, key updates and alerts are answers to what was received. An error
            // shows at the next read, since what was received comes first.
            let _ = tls.send(writes);
            ready!(read)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads text without waiting, from a socket that may be broken.
    pub(crate) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { reads, tls, early, .. } = self;
        let Some(tls) = tls else {
            return if early.is_empty() { reads.read_now(buffer) } else { Ok(take_early(early, buffer)) };
        };
        let mut buffer = ReadBuf::new(buffer);
        while !tls.take_text(&mut buffer)? {
            with_cipher_buffer(CIPHER_READ, |bytes| {
                let length = reads.read_now(bytes)?;
                tls.receive(&bytes[..length], &mut buffer);
                io::Result::Ok(())
            })?;
        }
        Ok(buffer.filled().len())
    }

    /// Writes text without waiting. With TLS all of it is taken.
    #[inline]
    pub(crate) fn try_write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.writes.try_write(text),
            Some(tls) => {
                tls.write(text)?;
                tls.send(self.writes)?;
                Ok(text.len())
            }
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writes.poll_write_ready(cx)
    }

    /// Returns whether records of TLS wait for the socket.
    #[inline]
    pub(crate) fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unsent())
    }

    /// Returns the number of bytes of text whose records the socket has not taken.
    pub(crate) fn unsent_text(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.unsent_text())
    }

    /// Sends the records that wait.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else { return Poll::Ready(Ok(())) };
        while tls.has_unsent() {
            ready!(self.writes.poll_write_ready(cx))?;
            tls.send(self.writes)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the text to the side. The end of the TCP stream must follow when everything is sent.
    pub(crate) fn end_text(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close();
            // An error shows when the rest is sent.
            let _ = tls.send(self.writes);
        }
    }

    /// Returns whether the side ended its TCP stream inside TLS, without the alert `close_notify`.
    pub(crate) fn is_truncated(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_truncated())
    }

    /// Returns the reason why the side's TLS failed, once.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.tls.as_mut().and_then(|tls| tls.take_failure())
    }

    /// Reads bytes of the socket, before there is TLS. 0 is the end of the stream.
    pub(crate) async fn receive(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let before = bytes.len();
        bytes.resize(before + PREAMBLE_READ, 0);
        let read = poll_fn(|cx| {
            let mut buffer = ReadBuf::new(&mut bytes[before..]);
            ready!(poll_socket(cx, &mut self.reads, &mut self.early, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await;
        bytes.truncate(before + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Writes bytes to the socket, before there is TLS.
    pub(crate) async fn send_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            poll_fn(|cx| self.writes.poll_write_ready(cx)).await?;
            match self.writes.try_write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn poll_socket(
    cx: &mut Context<'_>,
    reads: &mut ReadEnd<'_>,
    early: &mut Vec<u8>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if early.is_empty() {
        return reads.poll_read(cx, buffer);
    }
    let length = take_early(early, buffer.initialize_unfilled());
    buffer.advance(length);
    Poll::Ready(Ok(()))
}

fn take_early(early: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
    let length = early.len().min(buffer.len());
    buffer[..length].copy_from_slice(&early[..length]);
    early.drain(..length);
    if early.is_empty() {
        // Replaced, not cleared: a connection at rest has no buffer.
        *early = Vec::new();
    }
    length
}
