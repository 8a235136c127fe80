//! The TLS of one side of a connection whose handshake is over: text in and out, records in and
//! out, and no socket.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use rustls::Connection;
use tokio::io::ReadBuf;

use crate::relay::socket::WriteEnd;

/// The text of one record (RFC 8446, section 5.1).
const RECORD_TEXT_MAX: usize = 16_384;

/// The TLS of one side.
pub(crate) struct Session {
    connection: Connection,
    /// Text that was decrypted and did not fit into the buffer of its reader.
    rest: Vec<u8>,
    /// Records for the socket. It has taken the first `sent` bytes.
    unsent: Vec<u8>,
    sent: usize,
    /// For each piece of text in `unsent`: where its records end, and its length.
    pieces: VecDeque<(usize, usize)>,
    has_ended: bool,
    is_truncated: bool,
    has_failed: bool,
    failure: Option<io::Error>,
}

impl Session {
    /// Continues a connection behind its handshake.
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            rest: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            pieces: VecDeque::new(),
            has_ended: false,
            is_truncated: false,
            has_failed: false,
            failure: None,
        }
    }

    /// Moves decrypted text into the buffer. Returns whether there is text, or the stream has
    /// ended.
    ///
    /// # Errors
    /// A record was refused, or the peer sent an alert. [`take_failure`](Self::take_failure) has
    /// the reason.
    pub(crate) fn take_text(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..length]);
        self.rest.drain(..length);
        while buffer.remaining() > 0 && !self.has_ended {
            match self.connection.reader().read(buffer.initialize_unfilled()) {
                Ok(0) => self.has_ended = true,
                Ok(length) => buffer.advance(length),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.has_ended = true;
                    self.is_truncated = true;
                }
                Err(_) => break,
            }
        }
        if !buffer.filled().is_empty() {
            return Ok(true);
        }
        if self.has_failed { Err(io::ErrorKind::InvalidData.into()) } else { Ok(self.has_ended) }
    }

    /// Decrypts bytes of the socket into the buffer. No bytes are the end of its stream.
    pub(crate) fn receive(&mut self, mut bytes: &[u8], buffer: &mut ReadBuf<'_>) {
        loop {
            let read = self.connection.read_tls(&mut bytes);
            let is_read = read.as_ref().is_ok_and(|length| *length > 0);
            let result = read.and_then(|_| self.connection.process_new_packets().map_err(io::Error::other));
            if let Err(error) = result {
                self.failure = Some(error);
                self.has_failed = true;
                return;
            }
            // Nothing is read behind the peer's `close_notify`.
            if bytes.is_empty() || !is_read {
                return;
            }
            // A connection refuses more records while it has much text. What has gone wrong is
            // reported when there is no text left.
            let _ = self.take_text(buffer);
            if buffer.remaining() == 0 {
                self.set_text_aside();
            }
        }
    }

    fn set_text_aside(&mut self) {
        let mut reader = self.connection.reader();
        loop {
            let before = self.rest.len();
            self.rest.resize(before + RECORD_TEXT_MAX, 0);
            let length = reader.read(&mut self.rest[before..]).unwrap_or(0);
            self.rest.truncate(before + length);
            if length == 0 {
                return;
            }
        }
    }

    /// Turns text into records.
    pub(crate) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        for piece in text.chunks(RECORD_TEXT_MAX) {
            self.connection.writer().write_all(piece)?;
            self.take_records()?;
            self.pieces.push_back((self.unsent.len(), piece.len()));
        }
        Ok(())
    }

    fn take_records(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.unsent)?;
        }
        Ok(())
    }

    /// Sends records that wait, as many as the socket takes.
    pub(crate) fn send(&mut self, socket: &WriteEnd<'_>) -> io::Result<()> {
        self.take_records()?;
        while self.has_unsent() {
            match socket.try_write(&self.unsent[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.sent += length,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        // Replaced, not cleared: a connection at rest has no buffer.
        self.unsent = Vec::new();
        self.pieces = VecDeque::new();
        self.sent = 0;
        Ok(())
    }

    /// Returns whether records wait.
    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.unsent.len()
    }

    /// Returns the number of bytes of text whose records were not sent to their end.
    pub(crate) fn unsent_text(&self) -> usize {
        self.pieces.iter().filter(|(end, _)| *end > self.sent).map(|(_, length)| length).sum()
    }

    /// Ends the text with the alert `close_notify`.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Returns whether the peer ended its TCP stream without the alert `close_notify`.
    pub(crate) fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Returns the reason why a record was refused, or the alert that the peer sent, once.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}
