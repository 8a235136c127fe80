//! Limits of time and of turns.

use std::time::Duration;

use enjamb::Framer;
use enjamb_net::sim::{Read, Stream, Write};
use enjamb_net::{Closed, NetError, Options, ReadRate, Reason, answer, run};
use tokio::time::Instant;

use crate::services::{Lines, echo};

const SECOND: Duration = Duration::from_secs(1);

async fn closed(reads: Vec<Read>, writes: Vec<Write>, options: &Options) -> (Closed, Duration) {
    let begin = Instant::now();
    let (stream, log) = Stream::new(reads, writes);
    let (_, closed) = run(stream, answer(Framer::whole(Lines), echo), options).await;
    assert_eq!(log.is_reset(), !matches!(closed.reason, Reason::Done));
    (closed, begin.elapsed())
}

fn error(closed: &Closed) -> String {
    match &closed.reason {
        Reason::Failed(error) => error.to_string(),
        _ => panic!("{closed:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_reset() {
    let mut options = Options::default();
    options.idle_timeout = Some(60 * SECOND);
    let reads = vec![Read::bytes("a\n"), Read::Pause(59 * SECOND), Read::bytes("b\n")];
    let (closed, time) = closed(reads, vec![], &options).await;
    assert_eq!((error(&closed).as_str(), time), ("reset after 1m without a byte", 119 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_arrives_too_slowly_is_not_waited_for() {
    let mut options = Options::default();
    options.min_read_rate = Some(ReadRate { bytes_per_second: 2, grace: 10 * SECOND });
    let slowly = |count: usize, pause| (0..count).flat_map(move |_| [Read::bytes("x"), Read::Pause(pause)]);
    // One byte each second is too slow.
    let (ended, time) = closed(slowly(90, SECOND).collect(), vec![], &options).await;
    assert_eq!(error(&ended), "reset: the message arrives too slowly, 11 bytes in 10s");
    assert_eq!((time, ended.received), (10 * SECOND, 11));
    // Four bytes each second are not, and the time between messages does not count.
    let reads: Vec<_> = slowly(90, SECOND / 4)
        .chain([Read::bytes("\n"), Read::Pause(100 * SECOND), Read::bytes("b\n"), Read::End])
        .collect();
    let (ended, _) = closed(reads, vec![], &options).await;
    assert!(matches!(ended.reason, Reason::Done), "{ended:?}");
    assert_eq!(ended.events, 2);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_reset() {
    let mut options = Options::default();
    options.write_timeout = Some(30 * SECOND);
    let writes = vec![Write::Take(1), Write::Block(29 * SECOND), Write::Take(1), Write::BlockForever];
    let (closed, time) = closed(vec![Read::bytes("abc\n")], writes, &options).await;
    assert!(matches!(closed.reason, Reason::Failed(NetError::WriteTimeout(_))), "{closed:?}");
    assert_eq!((error(&closed).as_str(), time), ("reset: the peer read nothing for 30s", 59 * SECOND));
    assert_eq!((closed.sent, closed.unsent), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn no_limit_of_time_applies_while_others_are_waited_for() {
    let mut options = Options::default();
    options.min_read_rate = Some(ReadRate { bytes_per_second: 1000, grace: SECOND });
    options.max_outstanding = 1.try_into().unwrap();
    // While the answer is computed the rest of the next message is not read, which is not the
    // client's fault.
    let (stream, log) = Stream::of_chunks(["a\nb", "c\n"]);
    let service = answer(Framer::whole(Lines), |line: String, peer| {
        peer.push_later(async move {
            tokio::time::sleep(100 * SECOND).await;
            line
        });
    });
    let (_, closed) = run(stream, service, &options).await;
    assert!(matches!(closed.reason, Reason::Done), "{closed:?}");
    assert_eq!(log.written(), b"abc");
}

#[tokio::test(start_paused = true)]
async fn one_busy_connection_does_not_starve_the_others() {
    use std::sync::{Arc, Mutex};
    let order: Arc<Mutex<Vec<char>>> = Arc::default();
    let mut options = Options::default();
    options.events_per_turn = 10.try_into().unwrap();
    let service = |name: char| {
        let order = Arc::clone(&order);
        answer(Framer::whole(Lines), move |_, _| order.lock().unwrap().push(name))
    };
    let (busy, _) = Stream::of_chunks(["x\n".repeat(1000)]);
    let (other, _) = Stream::of_chunks(["x\n".repeat(20)]);
    let busy = run(busy, service('b'), &options);
    let other = run(other, service('o'), &options);
    tokio::join!(busy, other);
    let order: String = order.lock().unwrap().iter().collect();
    let (turns, both): (&str, _) = (&order[..60], order.len());
    assert_eq!((turns.matches('o').count(), both), (20, 1020), "{turns}");
}
