//! Reads, writes and endings on simulated streams.

use std::time::Duration;

use bytes::Bytes;
use enjamb_net::sim::{Read, Stream, Write};
use enjamb_net::{FromIter, FromReader, FromStream, NetError, Options, Producer, Reason, answer, run};

use crate::services::{Diary, Lines, echo, noted};

const SECOND: Duration = Duration::from_secs(1);

fn lines() -> enjamb::Framer<enjamb::WholeFrames<Lines>> {
    enjamb::Framer::whole(Lines)
}

#[tokio::test(start_paused = true)]
async fn the_requests_of_one_read_get_one_write() {
    let (stream, log) = Stream::new([Read::bytes("a\nb\nc"), Read::bytes("\nd\n"), Read::End], []);
    let (_, closed) = run(stream, answer(lines(), echo), &Options::default()).await;
    assert_eq!(log.writes(), [&b"a\nb\n"[..], b"c\nd\n"]);
    assert_eq!((closed.events, closed.received, closed.sent, closed.unsent), (4, 8, 8, 0));
    assert!(matches!(closed.reason, Reason::Done) && log.is_shut() && !log.is_reset(), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn short_and_blocked_writes_lose_nothing() {
    let writes = [Write::Take(1), Write::Block(SECOND), Write::Take(3), Write::Block(SECOND), Write::Take(2)];
    let chunks: Vec<_> = (0..50).map(|number| format!("line {number}\n")).collect();
    let (stream, log) = Stream::new(chunks.iter().map(Read::bytes).chain([Read::End]), writes);
    let service = answer(lines(), |line, peer| {
        // Copied, kept, produced: the order stays.
        peer.push(&line);
        peer.push_bytes(Bytes::from(vec![b'.'; 5000]));
        peer.push_with(FromIter(["<", "", ">"].into_iter()));
        peer.push("\n");
    });
    run(stream, service, &Options::default()).await;
    let expected: Vec<_> = (0..50).map(|number| format!("line {number}{}<>\n", ".".repeat(5000))).collect();
    assert_eq!(String::from_utf8(log.written()).unwrap(), expected.concat());
}

#[tokio::test(start_paused = true)]
async fn a_reset_ends_the_connection() {
    for (reads, writes) in [
        (vec![Read::bytes("a\n"), Read::Reset], vec![]),
        (vec![Read::bytes("a\n"), Read::bytes("b\n"), Read::End], vec![Write::Take(1), Write::Reset]),
    ] {
        let diary = Diary::default();
        let (stream, log) = Stream::new(reads, writes);
        let (_, closed) = run(stream, noted(&diary, echo), &Options::default()).await;
        assert!(matches!(closed.reason, Reason::Broken(_)) && log.is_dropped() && log.is_reset(), "{closed:?}");
        assert_eq!(closed.sent + closed.unsent, 2 * closed.events);
        assert_eq!(diary.entries().len(), 2, "{diary:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_comes_behind_its_last_event() {
    let diary = Diary::default();
    let (stream, log) = Stream::of_chunks(["a\nbc"]);
    let (service, _) = run(stream, noted(&diary, echo), &Options::default()).await;
    assert_eq!(diary.entries(), ["open", "Truncated { have: 2, missing: None }", "closed: Done"]);
    assert_eq!(log.written(), b"a\nincomplete\n");
    drop(service);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_protocol_are_answered_before_the_end() {
    let diary = Diary::default();
    let long = "x".repeat(101);
    let (stream, log) = Stream::new([Read::bytes("a\n"), Read::bytes(&long), Read::bytes("\nb\n")], []);
    run(stream, noted(&diary, echo), &Options::default()).await;
    assert_eq!(log.written(), b"a\ntoo long\n");
    let entries = diary.entries();
    assert_eq!(entries[1], "malformed: the frame at offset 2 is longer than its limit of 100 bytes");
    assert_eq!(entries.last().unwrap(), "closed: Done");
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_waits_for_the_peer_to_close() {
    // Closing at once, with bytes unread, would reset the connection and lose the answer.
    let begin = tokio::time::Instant::now();
    let reads = [Read::bytes("quit\nunread\n"), Read::Pause(SECOND), Read::bytes("more\n"), Read::End];
    let (stream, log) = Stream::new(reads, []);
    let service = answer(lines(), |line, peer| {
        peer.push(line);
        peer.close_when_done();
        peer.push("behind the end");
    });
    let (_, closed) = run(stream, service, &Options::default()).await;
    assert_eq!((log.written(), closed.events, closed.received), (b"quit".to_vec(), 1, 17));
    assert_eq!(begin.elapsed(), SECOND);
    // But not forever.
    let (stream, log) = Stream::new([Read::bytes("quit\n"), Read::Pause(1000 * SECOND)], []);
    let service = answer(lines(), |_, peer| peer.close_when_done());
    let (_, closed) = run(stream, service, &Options::default()).await;
    assert!(matches!(closed.reason, Reason::Done) && log.is_shut());
    assert_eq!(begin.elapsed(), SECOND + Options::default().linger);
}

#[tokio::test(start_paused = true)]
async fn producers_are_called_when_there_is_room() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..300_000u32).map(|number| number as u8).collect();
    std::fs::write(file.path(), &content).unwrap();
    let path = file.path().to_owned();
    let (stream, log) = Stream::new([Read::bytes("file\n"), Read::End], []);
    let open = std::fs::File::open(path).unwrap();
    let mut open = Some(tokio::fs::File::from_std(open));
    let service = answer(lines(), move |_, peer| {
        peer.push("<");
        peer.push_with(FromReader::new(open.take().unwrap()));
        peer.push_with(Bytes::from_static(b">"));
    });
    // Reading the file takes a thread, which paused time does not wait for.
    tokio::time::resume();
    let mut options = Options::default();
    options.write_buffer = 10_000.try_into().unwrap();
    let (_, closed) = run(stream, service, &options).await;
    assert_eq!(log.written(), [b"<", &content[..], b">"].concat());
    assert!(log.writes().iter().all(|write| write.len() <= 10_000));
    assert_eq!(closed.sent, 300_002);
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_fails_resets_the_connection() {
    struct Failing;
    impl Producer for Failing {
        fn poll_more(
            &mut self,
            _: &mut std::task::Context<'_>,
            _: usize,
        ) -> std::task::Poll<std::io::Result<Option<Bytes>>> {
            std::task::Poll::Ready(Err(std::io::Error::other("no such record")))
        }
    }
    let (stream, log) = Stream::of_chunks(["a\n"]);
    let service = answer(lines(), |_, peer| peer.push_with(Failing));
    let (_, closed) = run(stream, service, &Options::default()).await;
    let Reason::Failed(error @ NetError::Producer(_)) = closed.reason else { panic!("{closed:?}") };
    assert_eq!(error.to_string(), "reset: what was to be sent could not be read: no such record");
    assert!(log.is_reset());
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_stream_is_a_producer() {
    struct Ticks(u32, tokio::time::Interval);
    impl futures_core::Stream for Ticks {
        type Item = std::io::Result<String>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            if self.0 == 3 {
                return std::task::Poll::Ready(None);
            }
            self.1.poll_tick(cx).map(|_| {
                self.0 += 1;
                Some(Ok(format!("tick {}\n", self.0)))
            })
        }
    }
    let begin = tokio::time::Instant::now();
    let (stream, log) = Stream::of_chunks(["a\n"]);
    let service = answer(lines(), |_, peer| {
        peer.push_with(FromStream(Ticks(0, tokio::time::interval(SECOND))));
        peer.push("done\n");
    });
    run(stream, service, &Options::default()).await;
    assert_eq!(log.written(), b"tick 1\ntick 2\ntick 3\ndone\n");
    assert_eq!(begin.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_service_may_pause_and_abort() {
    let (stream, log) = Stream::new([Read::bytes("a\nb\n")], []);
    let service = answer(lines(), |line, peer| {
        peer.push(&line);
        if line == "b" {
            peer.abort();
        }
    });
    let (_, closed) = run(stream, service, &Options::default()).await;
    assert!(matches!(closed.reason, Reason::Aborted) && log.is_reset(), "{closed:?}");
    assert_eq!((log.written(), closed.unsent), (Vec::new(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_the_connection() {
    let diary = Diary::default();
    let (stream, log) = Stream::new([Read::bytes("a\n")], []);
    let (_, closed) = run(stream, noted(&diary, |_, _| panic!("a planted bug")), &Options::default()).await;
    let Reason::Failed(error) = closed.reason else { panic!("{closed:?}") };
    assert_eq!(error.to_string(), "the service of this connection failed: a planted bug");
    assert!(log.is_reset());
    assert_eq!(diary.entries(), ["open"]);
}
