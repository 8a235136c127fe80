//! Replies that come later, and pushes from other tasks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use enjamb::Framer;
use enjamb_net::sim::{Read, Stream, Write};
use enjamb_net::{NetError, Options, PushError, QueuePolicy, Reason, Slot, answer, run};
use tokio::time::sleep;

use crate::services::{Diary, Lines, noted};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn replies_are_written_in_the_order_of_the_requests() {
    let (stream, log) = Stream::of_chunks(["3\n1\n2\nnow\n"]);
    let service = answer(Framer::whole(Lines), |line, peer| match line.parse::<u32>() {
        Ok(seconds) => peer.push_later(async move {
            sleep(seconds * SECOND).await;
            format!("{seconds}\n")
        }),
        Err(_) => peer.push(line + "\n"),
    });
    let begin = tokio::time::Instant::now();
    run(stream, service, &Options::default()).await;
    assert_eq!(log.written(), b"3\n1\n2\nnow\n");
    // They worked at the same time.
    assert_eq!(begin.elapsed(), 3 * SECOND);
    assert_eq!(log.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn replies_without_an_order_are_written_when_they_come() {
    let (stream, log) = Stream::of_chunks(["3\n1\n2\n"]);
    let service = answer(Framer::whole(Lines), |line, peer| {
        let mut slot = peer.reserve_unordered();
        tokio::spawn(async move {
            let seconds: u32 = line.parse().unwrap();
            slot.push("<").unwrap();
            sleep(seconds * SECOND).await;
            slot.answer(format!("{seconds}>")).unwrap();
        });
    });
    let (_, closed) = run(stream, service, &Options::default()).await;
    assert_eq!(log.written(), b"<1><2><3>", "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_number_of_outstanding_replies_is_bounded() {
    let slots: Arc<Mutex<Vec<Slot>>> = Arc::default();
    let (stream, log) = Stream::of_chunks(["a\nb\n", "c\nd\n", "e\n"]);
    let kept = Arc::clone(&slots);
    let service = answer(Framer::whole(Lines), move |_, peer| kept.lock().unwrap().push(peer.reserve()));
    let mut options = Options::default();
    options.max_outstanding = 3.try_into().unwrap();
    let running = tokio::spawn(run(stream, service, &options));
    for round in 0..5 {
        sleep(SECOND).await;
        let mut slots = slots.lock().unwrap();
        assert_eq!(slots.len(), 3.min(5 - round));
        slots.remove(0).answer(format!("{round}")).unwrap();
    }
    let (_, closed) = running.await.unwrap();
    assert_eq!((log.written(), closed.events), (b"01234".to_vec(), 5));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_aborts_the_connection() {
    let (stream, log) = Stream::new([Read::bytes("a\nb\n")], []);
    let service = answer(Framer::whole(Lines), |line, peer| {
        if line == "a" {
            drop(peer.reserve());
        }
        peer.push("the answer to b");
    });
    let (_, closed) = run(stream, service, &Options::default()).await;
    assert!(matches!(closed.reason, Reason::Failed(NetError::Unanswered)), "{closed:?}");
    assert!(log.is_reset());
    // A task that panics is one of the ways.
    let (stream, _) = Stream::new([Read::bytes("a\n")], []);
    let service = answer(Framer::whole(Lines), |_, peer| {
        peer.push_later(async { if true { panic!("a planted bug") } else { "" } });
    });
    let (_, closed) = run(stream, service, &Options::default()).await;
    assert!(matches!(closed.reason, Reason::Failed(NetError::Unanswered)), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reply_in_pieces_holds_the_ones_behind_it_back() {
    let (stream, log) = Stream::of_chunks(["a\nb\n"]);
    let service = answer(Framer::whole(Lines), |line, peer| {
        if line == "b" {
            return peer.push("b");
        }
        let mut slot = peer.reserve();
        tokio::spawn(async move {
            for piece in ["1", "2", "3"] {
                slot.push(piece).unwrap();
                sleep(SECOND).await;
            }
            slot.finish().unwrap();
        });
    });
    run(stream, service, &Options::default()).await;
    assert_eq!(log.writes(), [b"1", b"2", b"3", b"b"]);
}

#[tokio::test(start_paused = true)]
async fn a_handle_pushes_from_other_tasks_until_the_connection_is_gone() {
    let (stream, log) = Stream::new([], []);
    let running = run(stream, answer(Framer::whole(Lines), |_, _| {}), &Options::default());
    let handle = running.handle();
    let running = tokio::spawn(running);
    handle.push("one ").unwrap();
    handle.clone().push_bytes("two ").unwrap();
    handle.push_with(bytes::Bytes::from_static(b"three ")).unwrap();
    assert_eq!(log.wait_for(|written| written.len() == 14).await, b"one two three ");
    handle.push("four").unwrap();
    handle.close_when_done();
    assert_eq!(handle.push("five"), Err(PushError::Closed));
    log.send([Read::End]);
    handle.closed().await;
    let (_, closed) = running.await.unwrap();
    assert!(matches!(closed.reason, Reason::Done) && handle.is_closed());
    assert_eq!((handle.push("six"), handle.queued()), (Err(PushError::Closed), 0));
    assert_eq!(log.written(), b"one two three four");
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_an_aborted_or_dropped_connection_fails_at_once() {
    let (stream, log) = Stream::new([], []);
    let running = run(stream, answer(Framer::whole(Lines), |_, _| {}), &Options::default());
    let handle = running.handle();
    drop(running);
    assert_eq!(handle.push("one"), Err(PushError::Closed));
    handle.closed().await;
    assert!(log.is_dropped());

    let (stream, log) = Stream::new([], [Write::BlockForever]);
    let running = run(stream, answer(Framer::whole(Lines), |_, _| {}), &Options::default());
    let handle = running.handle();
    handle.push("never").unwrap();
    let running = tokio::spawn(running);
    sleep(SECOND).await;
    handle.abort();
    assert_eq!(handle.push("two"), Err(PushError::Closed));
    let (_, closed) = running.await.unwrap();
    assert_eq!((closed.sent, closed.unsent, log.is_reset()), (0, 5, true));
}

#[tokio::test(start_paused = true)]
async fn a_handle_waits_for_room() {
    let (stream, log) = Stream::new([], [Write::Block(5 * SECOND)]);
    let mut options = Options::default();
    options.max_queued = 10;
    let running = run(stream, answer(Framer::whole(Lines), |_, _| {}), &options);
    let handle = running.handle();
    let running = tokio::spawn(running);
    handle.push("a message longer than the limit").unwrap();
    sleep(SECOND).await;
    assert_eq!(handle.push("more"), Err(PushError::Full));
    let begin = tokio::time::Instant::now();
    handle.push_when_room("more").await.unwrap();
    assert_eq!(begin.elapsed(), 4 * SECOND);
    handle.close_when_done();
    log.send([Read::End]);
    running.await.unwrap();
    assert_eq!(log.written(), b"a message longer than the limitmore");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_dropped_by_policy() {
    let (stream, log) = Stream::new([], [Write::BlockForever]);
    let mut options = Options::default();
    options.max_queued = 100;
    options.when_queue_full = QueuePolicy::Abort;
    let running = run(stream, answer(Framer::whole(Lines), |_, _| {}), &options);
    let handle = running.handle();
    let running = tokio::spawn(running);
    let pushed = (0..50).take_while(|_| handle.push("a chat message").is_ok()).count();
    assert_eq!(pushed, 7);
    let (_, closed) = running.await.unwrap();
    let Reason::Failed(error) = &closed.reason else { panic!("{closed:?}") };
    assert_eq!(error.to_string(), "reset: the peer reads too slowly, more than 100 bytes wait to be written");
    assert!(log.is_reset());
}

#[tokio::test(start_paused = true)]
async fn the_service_is_told_of_a_slow_reader_by_policy() {
    let diary = Diary::default();
    let (stream, log) = Stream::new([Read::bytes("a\n"), Read::bytes("b\n"), Read::End], [Write::Block(SECOND)]);
    let mut options = Options::default();
    options.max_queued = 100;
    options.when_queue_full = QueuePolicy::Notify;
    let service = noted(&diary, |line, peer| peer.push(line.repeat(80)));
    run(stream, service, &options).await;
    assert_eq!(diary.entries(), ["open", "full", "Clean", "drained", "closed: Done"]);
    assert_eq!(log.written().len(), 160);
    // Four times the limit is too much.
    let (stream, _) = Stream::new([Read::bytes("a\n")], [Write::BlockForever]);
    let (_, closed) = run(stream, noted(&diary, |line, peer| peer.push(line.repeat(401))), &options).await;
    assert!(matches!(closed.reason, Reason::Failed(NetError::QueueFull(400))), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_read_either_by_default() {
    let chunks: Vec<_> = (0..1000).map(|_| Read::bytes("line\n")).collect();
    let (stream, log) = Stream::new(chunks, [Write::Block(5 * SECOND)]);
    let mut options = Options::default();
    options.max_queued = 1000;
    let service = answer(Framer::whole(Lines), |_, peer| peer.push([b'x'; 100]));
    let running = run(stream, service, &options);
    let handle = running.handle();
    let running = tokio::spawn(running);
    sleep(SECOND).await;
    assert_eq!(handle.queued(), 1100);
    log.send([Read::End]);
    let (_, closed) = running.await.unwrap();
    assert_eq!((closed.events, closed.sent), (1000, 100_000));
}

#[tokio::test(start_paused = true)]
async fn what_was_queued_may_be_discarded() {
    let (stream, log) = Stream::of_chunks(["a\n", "discard\n"]);
    let slots: Arc<Mutex<Vec<Slot>>> = Arc::default();
    let kept = Arc::clone(&slots);
    let service = answer(Framer::whole(Lines), move |line, peer| {
        if line == "discard" {
            peer.discard_queued();
            peer.push("kept");
            for mut slot in kept.lock().unwrap().drain(..) {
                slot.push("nobody").unwrap();
                slot.finish().unwrap();
            }
        } else {
            kept.lock().unwrap().push(peer.reserve());
            peer.push("discarded");
        }
    });
    let (_, closed) = run(stream, service, &Options::default()).await;
    assert_eq!((log.written(), closed.unsent), (b"kept".to_vec(), 0), "{closed:?}");
}
