//! Connections that are easily written wrong: short writes, ends, and a relay that delays.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use enjamb_faults::Delivery;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{PlantedBug, bug};
use crate::net::{check_faults, check_server};

/// The mistakes of a driver, as its stream sees them.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    ShortWrite,
    LastWrite,
    Again,
    LostRead,
    LongRead,
    LastByteAgain,
}

macro_rules! server_bugs {
    ($($name:literal $mistake:ident $text:literal),* $(,)?) => {
        [$(bug!($name, "server", $text, |data| check_server(data, |stream| {
            Flawed { stream, mistake: Mistake::$mistake, was_blocked: false, reads: 0 }
        }))),*]
    };
}

pub(super) const BUGS: &[PlantedBug] = &{
    let server = server_bugs![
        "short-write" ShortWrite "a short write is taken for a whole one",
        "last-write" LastWrite "a write of less than 4 bytes is not flushed before the end",
        "written-again" Again "a write that had to wait is repeated",
        "lost-read" LostRead "the third read is dropped",
        "long-read" LongRead "a read that fills its buffer loses a byte",
        "last-byte-again" LastByteAgain "the last byte of a write that had to wait is written twice",
    ];
    let relay = [
        bug!("relay-one-byte", "faults", "a segment of one byte is not relayed if another follows", |data| {
            let mut last = 0;
            check_faults(data, |delivery| {
                let length = if let Delivery::Bytes(bytes) = &delivery { bytes.len() } else { 0 };
                let before = std::mem::replace(&mut last, length);
                (before != 1 || length != 1).then_some(delivery)
            });
        }),
        bug!("relay-long", "faults", "a segment of more than 100 bytes is cut off", |data| {
            check_faults(data, |delivery| match delivery {
                Delivery::Bytes(bytes) if bytes.len() > 100 => Some(Delivery::Bytes(bytes.slice(..100))),
                delivery => Some(delivery),
            });
        }),
        bug!("relay-end", "faults", "the end of a stream that follows a segment of two bytes is not relayed", |data| {
            let mut last = 0;
            check_faults(data, |delivery| {
                let before = last;
                if let Delivery::Bytes(bytes) = &delivery {
                    last = bytes.len();
                }
                (delivery != Delivery::End || before != 2).then_some(delivery)
            });
        }),
        bug!("relay-terminator", "faults", "the LF at the beginning of a segment is not relayed", |data| {
            check_faults(data, |delivery| match delivery {
                Delivery::Bytes(bytes) if bytes.len() > 1 && bytes[0] == b'\n' => {
                    Some(Delivery::Bytes(bytes.slice(1..)))
                }
                delivery => Some(delivery),
            });
        }),
    ];
    let mut all = [relay[0]; 10];
    let mut at = 0;
    while at < 6 {
        all[at] = server[at];
        at += 1;
    }
    while at < 10 {
        all[at] = relay[at - 6];
        at += 1;
    }
    all
};

/// A stream that does what a driver with a mistake would do.
struct Flawed<S> {
    stream: S,
    mistake: Mistake,
    was_blocked: bool,
    reads: u32,
}

impl<S: AsyncRead + Unpin> AsyncRead for Flawed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        this.reads += 1;
        match this.mistake {
            Mistake::LostRead if this.reads == 3 && read > 1 => buffer.set_filled(before + 1),
            Mistake::LongRead if read > 200 => buffer.set_filled(before + read - 1),
            _ => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flawed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.mistake == Mistake::LastWrite && bytes.len() < 4 {
            return Poll::Ready(Ok(bytes.len()));
        }
        let Poll::Ready(written) = Pin::new(&mut this.stream).poll_write(cx, bytes)? else {
            this.was_blocked = true;
            return Poll::Pending;
        };
        let was_blocked = std::mem::take(&mut this.was_blocked);
        match this.mistake {
            Mistake::ShortWrite => Poll::Ready(Ok(bytes.len())),
            Mistake::Again if was_blocked => {
                let _ = Pin::new(&mut this.stream).poll_write(cx, &bytes[..written]);
                Poll::Ready(Ok(written))
            }
            Mistake::LastByteAgain if was_blocked && written > 1 => Poll::Ready(Ok(written - 1)),
            _ => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
