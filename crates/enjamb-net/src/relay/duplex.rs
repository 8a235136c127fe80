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
use tokio::time::{Instant, Sleep, sleep};

use crate::observers::Observers;
use crate::relay::flow::{Flow, Parts, Progress, Shaping};
use crate::relay::socket::WriteEnd;
use crate::relay::upgrade::Search;

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
    /// A tap ends the connection.
    ClosedByTap,
    /// Both sides have come to the place where they change to TLS.
    Upgrade,
}

/// Both directions of a connection.
pub(crate) struct Duplex {
    flows: [Flow; 2],
}

impl Duplex {
    pub(crate) fn new() -> Self {
        Self { flows: [Flow::new(Side::Client), Flow::new(Side::Server)] }
    }

    /// Relays until the connection ends, or changes to TLS. The caller closes or resets the
    /// sockets, depending on the returned end. `is_reset`: the server has reset the connection
    /// already.
    pub(crate) async fn relay(
        &mut self,
        parts: &mut Parts<'_, '_>,
        is_reset: bool,
        idle: Option<Duration>,
        mut stopped: Pin<&mut impl Future<Output = ()>>,
    ) -> End {
        let flows = &mut self.flows;
        let (client, server) = (parts.links[0].writes(), parts.links[1].writes());
        let (client_fails, server_fails) = (pin!(client.failed()), pin!(server.failed()));
        let mut alarms = [Alarm::new(client, client_fails), Alarm::new(server, server_fails)];
        let mut idling = idle.map(|limit| (limit, Instant::now(), Box::pin(sleep(limit))));
        // Set before it is polled.
        let mut timer = parts.shaping.as_ref().map(|_| Box::pin(sleep(Duration::ZERO)));

        let end = poll_fn(|cx| {
            if is_reset {
                return Poll::Ready(End::Reset(Side::Server));
            }
            let mut moved = false;
            loop {
                let [one, other] = &mut *flows;
                let steps = [one.step(cx, parts), other.step(cx, parts)];
                for step in steps {
                    match step {
                        Progress::Moved | Progress::Waiting => {}
                        Progress::Broken(side) => return Poll::Ready(End::Reset(side)),
                        Progress::Close => return Poll::Ready(End::ShapedClose),
                        Progress::Reset => return Poll::Ready(End::ShapedReset),
                    }
                }
                if parts.closer.as_ref().is_some_and(|closer| closer.reason().is_some()) {
                    return Poll::Ready(End::ClosedByTap);
                }
                if steps != [Progress::Waiting; 2] {
                    moved = true;
                    continue;
                }
                let Parts { shaping: Some(shaping), observers, .. } = parts else { break };
                let Some(timer) = &mut timer else { break };
                if !shaping.shaper.watch(cx.waker()) && !is_due(cx, shaping, observers, timer.as_mut()) {
                    break;
                }
            }
            if flows.iter().all(Flow::has_ended) {
                return Poll::Ready(End::Closed);
            }
            if is_at_change(flows, parts) {
                return Poll::Ready(End::Upgrade);
            }
            for side in Side::BOTH {
                if !flows[side.index()].is_reading(parts) && alarms[side.index()].has_gone_off(cx) {
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
            let saved = flows[side.index()].salvage(parts);
            tokio::select! {
                () = saved => {}
                () = stopped => {}
                () = sleep(SALVAGE_MAX) => {}
            }
        }
        end
    }

    /// Returns the number of bytes of a side that were read, and that the other side did not take.
    pub(crate) fn undelivered(&self, side: Side, parts: &mut Parts<'_, '_>) -> u64 {
        self.flows[side.index()].undelivered(parts)
    }
}

/// Returns whether the place of the change to TLS was found, and all before it was passed on.
#[inline]
fn is_at_change(flows: &[Flow; 2], parts: &mut Parts<'_, '_>) -> bool {
    parts.search.as_ref().is_some_and(Search::is_found)
        && flows.iter().all(|flow| !flow.is_sending(parts))
        && parts.shaping.as_ref().is_none_or(|shaping| Side::BOTH.iter().all(|side| shaping.shaper.held(*side) == 0))
}

/// Returns whether a shaper must continue. Otherwise the task is woken when it must.
fn is_due(cx: &mut Context<'_>, shaping: &Shaping, observers: &mut Observers, mut timer: Pin<&mut Sleep>) -> bool {
    let Some(due) = shaping.due.into_iter().flatten().min() else { return false };
    timer.as_mut().reset(Instant::now() + due.since(observers.now()));
    timer.poll(cx).is_ready()
}

/// Waits until a socket has an error.
struct Alarm<'a, 's, F> {
    socket: &'a WriteEnd<'s>,
    fails: Option<Pin<&'a mut F>>,
}

impl<'a, 's, F: Future> Alarm<'a, 's, F> {
    fn new(socket: &'a WriteEnd<'s>, fails: Pin<&'a mut F>) -> Self {
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
        self.socket.has_failed()
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
