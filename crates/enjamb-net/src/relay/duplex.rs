//! Both directions of one connection, in one task.
//!
//! The two flows alternate, one read at a time, until neither can do anything without waiting.
//! Sometimes a side is not read: it has ended its stream, or the other side does not take its
//! bytes. Then it is watched for a reset, which would otherwise show only at the next write to it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use enjamb::Side;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::observers::Observers;
use crate::relay::flow::{Flow, Progress, Shaping};
use crate::relay::shaper::Shaper;

/// The time for which bytes that a side sent before its reset are offered to the other side.
const SALVAGE_MAX: Duration = Duration::from_secs(1);

/// The way a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides ended their streams, and both ends were passed on.
    Closed,
    /// The connection of this side was reset, or broke in another way.
    Reset(Side),
    /// The shaper closes the connection. Neither side has been told yet.
    ShapedClose,
    /// The shaper resets the connection.
    ShapedReset,
    /// Neither side sent anything for this time.
    Idle(Duration),
    /// The relay stops.
    Stopped,
}

/// A connection that has ended.
pub(crate) struct Relayed {
    pub(crate) end: End,
    /// The bytes of each side that were read, and that the other side did not take.
    pub(crate) undelivered: [u64; 2],
}

/// Relays until the connection ends. The caller closes or resets the sockets, depending on the
/// returned end. `is_reset`: the server has reset the connection already.
pub(crate) async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    is_reset: bool,
    observers: &mut Observers,
    shaper: Option<Box<dyn Shaper>>,
    idle: Option<Duration>,
    stopped: impl Future<Output = ()>,
) -> Relayed {
    let (client_reads, client_writes) = client.split();
    let (server_reads, server_writes) = server.split();
    let (client, server) = (client_writes.as_ref(), server_writes.as_ref());
    let mut flows = [Flow::new(Side::Client, client_reads, server), Flow::new(Side::Server, server_reads, client)];

    let (client_fails, server_fails) = (pin!(client.ready(Interest::ERROR)), pin!(server.ready(Interest::ERROR)));
    let mut alarms = [Alarm::new(client, client_fails), Alarm::new(server, server_fails)];
    let mut idling = idle.map(|limit| (limit, Instant::now(), Box::pin(sleep(limit))));
    let mut stopped = pin!(stopped);
    let mut shaping = shaper.map(|shaper| Shaping { shaper, due: [None; 2] });
    // Set before it is polled.
    let mut timer = shaping.as_ref().map(|_| Box::pin(sleep(Duration::ZERO)));

    let end = poll_fn(|cx| {
        if is_reset {
            return Poll::Ready(End::Reset(Side::Server));
        }
        let mut moved = false;
        loop {
            let [one, other] = &mut flows;
            let steps = [one.step(cx, observers, shaping.as_mut()), other.step(cx, observers, shaping.as_mut())];
            for step in steps {
                match step {
                    Progress::Moved | Progress::Waiting => {}
                    Progress::Broken(side) => return Poll::Ready(End::Reset(side)),
                    Progress::Close => return Poll::Ready(End::ShapedClose),
                    Progress::Reset => return Poll::Ready(End::ShapedReset),
                }
            }
            if steps != [Progress::Waiting; 2] {
                moved = true;
                continue;
            }
            let (Some(shaping), Some(timer)) = (&mut shaping, &mut timer) else { break };
            if !shaping.shaper.watch(cx.waker()) && !is_due(cx, shaping, observers, timer.as_mut()) {
                break;
            }
        }
        if flows.iter().all(Flow::has_ended) {
            return Poll::Ready(End::Closed);
        }
        for side in Side::BOTH {
            if !flows[side.index()].is_reading() && alarms[side.index()].has_gone_off(cx) {
                return Poll::Ready(End::Reset(side));
            }
        }
        if let Some((limit, last, timer)) = &mut idling
            && has_run_out(cx, moved, *limit, last, timer.as_mut())
        {
            return Poll::Ready(End::Idle(*limit));
        }
        stopped.as_mut().poll(cx).map(|()| End::Stopped)
    })
    .await;
    if let End::Reset(side) = end {
        let saved = flows[side.index()].salvage(observers, shaping.as_mut());
        tokio::select! {
            () = saved => {}
            () = stopped => {}
            () = sleep(SALVAGE_MAX) => {}
        }
    }
    let held = Side::BOTH.map(|side| shaping.as_ref().map_or(0, |shaping| shaping.shaper.held(side) as u64));
    Relayed { end, undelivered: [flows[0].undelivered() + held[0], flows[1].undelivered() + held[1]] }
}

/// Returns whether a shaper must continue. Otherwise the task is woken when it must.
fn is_due(cx: &mut Context<'_>, shaping: &Shaping, observers: &mut Observers, mut timer: Pin<&mut Sleep>) -> bool {
    let Some(due) = shaping.due.into_iter().flatten().min() else { return false };
    timer.as_mut().reset(Instant::now() + due.since(observers.now()));
    timer.poll(cx).is_ready()
}

/// Waits until a socket has an error.
struct Alarm<'a, F> {
    socket: &'a TcpStream,
    fails: Option<Pin<&'a mut F>>,
}

impl<'a, F: Future> Alarm<'a, F> {
    fn new(socket: &'a TcpStream, fails: Pin<&'a mut F>) -> Self {
        Self { socket, fails: Some(fails) }
    }

    fn has_gone_off(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(fails) = &mut self.fails else {
            return false;
        };
        if fails.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.fails = None;
        // The socket has no error any more if another reader has taken it.
        !matches!(self.socket.take_error(), Ok(None))
    }
}

fn has_run_out(
    cx: &mut Context<'_>,
    moved: bool,
    limit: Duration,
    last: &mut Instant,
    mut timer: Pin<&mut Sleep>,
) -> bool {
    if moved {
        *last = Instant::now();
    }
    // Setting the timer for every read would be costly. When it runs out, it is set again to the
    // time that is due.
    while timer.as_mut().poll(cx).is_ready() {
        let due = *last + limit;
        if due <= Instant::now() {
            return true;
        }
        timer.as_mut().reset(due);
    }
    false
}
