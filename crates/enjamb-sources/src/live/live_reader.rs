//! A source read by a thread of its own, so that its reader can pause.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::live::interrupt::Interrupt;

/// The time without input after which the reader pauses.
const PAUSE_AFTER: Duration = Duration::from_millis(50);

/// The longest time between two pauses, if input never ceases.
const PAUSE_EVERY: Duration = Duration::from_millis(500);

/// The time that a source has to end by itself after an interrupt. A capturing program that was
/// interrupted too writes its last packets in it.
const END_MAX: Duration = Duration::from_secs(2);

/// The number of bytes of one read.
const READ: usize = 64 << 10;

/// The number of reads that may wait for the reader. A source that is faster waits.
const READS_MAX: usize = 16;

/// A source that pauses: [`read`](Read::read) returns [`WouldBlock`](io::ErrorKind::WouldBlock) if
/// nothing arrives for 50 ms, and at least every 500 ms. Nothing is lost at a pause; the next call
/// continues.
///
/// After an [`Interrupt`] the source ends, at the latest 2 seconds later.
pub struct LiveReader {
    reads: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    /// The number of bytes of `current` that were returned.
    taken: usize,
    paused: Instant,
    interrupt: Interrupt,
    interrupted: Option<Instant>,
    end: Option<Ending>,
}

/// Asks the source to end.
type Ending = Box<dyn FnOnce() + Send>;

impl LiveReader {
    /// Starts a thread that reads `source`. The thread ends with the source, or with the first read
    /// after the reader was dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn new(mut source: impl Read + Send + 'static, interrupt: Interrupt) -> io::Result<Self> {
        let (send, reads) = sync_channel(READS_MAX);
        let read_all = move || {
            let mut buffer = vec![0; READ];
            loop {
                let read = match source.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(length) => Ok(buffer[..length].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_over = read.is_err();
                if send.send(read).is_err() || is_over {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("enjamb-live".to_owned()).spawn(read_all)?;
        Ok(Self {
            reads,
            current: Vec::new(),
            taken: 0,
            paused: Instant::now(),
            interrupt,
            interrupted: None,
            end: None,
        })
    }

    /// Calls `end` after an interrupt. It asks the source to end.
    #[must_use]
    pub fn ending(self, end: impl FnOnce() + Send + 'static) -> Self {
        Self { end: Some(Box::new(end)), ..self }
    }

    fn pause(&mut self) -> io::Error {
        self.paused = Instant::now();
        io::ErrorKind::WouldBlock.into()
    }

    /// Returns whether an interrupt came and the source had its time to end.
    fn is_over(&mut self) -> bool {
        if self.interrupt.is_requested() {
            if let Some(end) = self.end.take() {
                end();
            }
            let interrupted = self.interrupted.get_or_insert_with(Instant::now);
            return interrupted.elapsed() >= END_MAX;
        }
        false
    }
}

impl Read for LiveReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.current.len() {
            if self.is_over() {
                return Ok(0);
            }
            if self.paused.elapsed() >= PAUSE_EVERY {
                return Err(self.pause());
            }
            match self.reads.recv_timeout(PAUSE_AFTER) {
                Ok(read) => (self.current, self.taken) = (read?, 0),
                Err(RecvTimeoutError::Timeout) => return Err(self.pause()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let length = (&self.current[self.taken..]).read(buffer)?;
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A source of the messages of a channel.
    struct Channel(mpsc::Receiver<&'static [u8]>);

    impl Read for Channel {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.recv().map_or(Ok(0), |mut bytes| bytes.read(buffer))
        }
    }

    #[test]
    fn a_reader_pauses_while_nothing_arrives_and_loses_nothing() {
        let (send, receive) = mpsc::channel();
        let mut reader = LiveReader::new(Channel(receive), Interrupt::default()).unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 3];
        let mut read =
            |seen: &mut Vec<u8>| reader.read(&mut buffer).inspect(|length| seen.extend_from_slice(&buffer[..*length]));
        assert_eq!(read(&mut seen).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        send.send(b"12345").unwrap();
        let mut pauses = 0;
        while seen.len() < 5 {
            pauses += usize::from(read(&mut seen).is_err());
        }
        assert_eq!(read(&mut seen).unwrap_err().kind(), io::ErrorKind::WouldBlock, "{pauses} pauses before");
        drop(send);
        while read(&mut seen).is_err() {}
        assert_eq!(read(&mut seen).unwrap(), 0);
        assert_eq!(seen, b"12345");
    }

    #[test]
    fn an_interrupted_source_ends_although_it_never_does() {
        let (_send, receive) = mpsc::channel();
        let interrupt = Interrupt::default();
        interrupt.request();
        let mut reader = LiveReader::new(Channel(receive), interrupt).unwrap();
        let mut buffer = [0; 3];
        loop {
            match reader.read(&mut buffer) {
                Ok(length) => break assert_eq!(length, 0),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
    }

    #[test]
    fn an_error_of_the_source_is_passed_on() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let mut reader = LiveReader::new(Broken, Interrupt::default()).unwrap();
        let mut buffer = [0; 3];
        let error = loop {
            match reader.read(&mut buffer) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break error,
                Err(_) => {}
                Ok(length) => panic!("{length} bytes"),
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    }
}
