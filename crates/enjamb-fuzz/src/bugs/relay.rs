//! A small relay that is easily written wrong.

use std::io;
use std::time::Duration;

use enjamb::{Ending, Event, Side};
use enjamb_net::sim::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

use super::{PlantedBug, bug};
use crate::net::{Keeper, block_on, check_relay};

/// The size of the buffer of a direction, in bytes.
const BUFFER: usize = 64;

/// The mistakes.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    ShortWrite,
    HalfClose,
    ResetIsEnd,
    SlowPeer,
    EndOvertakes,
    TapLate,
    TapAgain,
    FullBuffer,
}

macro_rules! relay_bugs {
    ($($name:literal $mistake:ident $text:literal),* $(,)?) => {
        [$(bug!($name, "relay", $text, |data| check_relay(data, |client, server, _, keeper| {
            block_on(relay(client, server, &keeper, Mistake::$mistake));
        }))),*]
    };
}

pub(super) const BUGS: &[PlantedBug] = &relay_bugs![
    "relay-short-write" ShortWrite "a short write is taken for a whole one",
    "relay-half-close" HalfClose "the end of one stream ends the connection",
    "relay-reset-is-end" ResetIsEnd "a reset is passed on as the end of the stream",
    "relay-slow-peer" SlowPeer "bytes that the peer does not take within 10 ms are dropped",
    "relay-end-overtakes" EndOvertakes "the end of the stream is passed on before the rest of a short write",
    "relay-tap-late" TapLate "the tap receives bytes when all of them are written, so not before a reset",
    "relay-tap-again" TapAgain "the tap receives the rest of a short write again",
    "relay-full-buffer" FullBuffer "a read that fills the buffer loses its last byte",
];

/// Relays a connection, with a mistake.
async fn relay(client: Stream, server: Stream, keeper: &Keeper, mistake: Mistake) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let result = {
        let requests = pump(Side::Client, &mut from_client, &mut to_server, keeper, mistake);
        let answers = pump(Side::Server, &mut from_server, &mut to_client, keeper, mistake);
        if mistake == Mistake::HalfClose {
            tokio::select! { result = requests => result, result = answers => result }
        } else {
            tokio::try_join!(requests, answers).map(|_| ())
        }
    };
    keeper.keep(&Event::Done);
    if result.is_err() {
        from_client.unsplit(to_client).reset();
        from_server.unsplit(to_server).reset();
    }
}

/// Passes on one direction.
async fn pump(
    side: Side,
    from: &mut ReadHalf<Stream>,
    to: &mut WriteHalf<Stream>,
    keeper: &Keeper,
    mistake: Mistake,
) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    // Bytes that a short write left, if the end may overtake them.
    let mut rest = Vec::new();
    loop {
        let mut length = match from.read(&mut buffer).await {
            Ok(length) => length,
            Err(_) if mistake == Mistake::ResetIsEnd => 0,
            Err(error) => return Err(error),
        };
        if length == 0 {
            break;
        }
        if mistake == Mistake::FullBuffer && length == BUFFER {
            length -= 1;
        }
        let bytes = &buffer[..length];
        let tap = |bytes| keeper.keep(&Event::Chunk { side, bytes });
        if mistake != Mistake::TapLate {
            tap(bytes);
        }
        match mistake {
            Mistake::ShortWrite => drop(to.write(bytes).await?),
            Mistake::SlowPeer => {
                if let Ok(written) = timeout(Duration::from_millis(10), to.write_all(bytes)).await {
                    written?;
                }
            }
            Mistake::EndOvertakes => {
                to.write_all(&std::mem::take(&mut rest)).await?;
                let written = to.write(bytes).await?;
                rest.extend_from_slice(&bytes[written..]);
            }
            Mistake::TapAgain => {
                let written = to.write(bytes).await?;
                if written < length {
                    tap(&bytes[written..]);
                    to.write_all(&bytes[written..]).await?;
                }
            }
            _ => to.write_all(bytes).await?,
        }
        if mistake == Mistake::TapLate {
            tap(bytes);
        }
    }
    keeper.keep(&Event::Close { side, ending: Ending::Closed });
    to.shutdown().await
}
