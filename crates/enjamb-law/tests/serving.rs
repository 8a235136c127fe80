//! A server under the laws: request bytes in, replies out, through the runtime of `enjamb-net`.

use std::convert::Infallible;

use enjamb::{End, FrameHandler, FrameInfo, Framer, Limit, Step, Terminator, WholeFrames};
use enjamb_law::{Exchange, Segmentations, Serving, laws, split_everywhere, stream};
use enjamb_net::{Options, Peer, QueuePolicy, Service, answer, run};

/// Lines of at most 100 bytes.
struct Lines;

impl FrameHandler for Lines {
    type Event = String;
    type Error = Infallible;

    fn start(&self) -> Terminator {
        Terminator::lf()
    }
    fn frame(&mut self, line: &[u8], _: FrameInfo) -> Result<Step<String>, Infallible> {
        Ok(Step::event(String::from_utf8_lossy(line).into_owned()))
    }
    fn limit(&self) -> Limit {
        Limit::refuse(100)
    }
}

/// Answers each line with itself, and a line without an end with a complaint.
struct Echo(Framer<WholeFrames<Lines>>);

impl Service for Echo {
    type Machine = Framer<WholeFrames<Lines>>;

    fn machine(&mut self) -> &mut Self::Machine {
        &mut self.0
    }
    fn event(&mut self, line: String, peer: &mut Peer<'_>) {
        peer.push(line + "\n");
    }
    fn malformed(&mut self, _: enjamb::FrameError<Infallible>, peer: &mut Peer<'_>) {
        peer.push("too long\n");
        peer.close_when_done();
    }
    fn end(&mut self, end: End, peer: &mut Peer<'_>) {
        if matches!(end, End::Truncated { .. }) {
            peer.push("incomplete\n");
        }
        peer.close_when_done();
    }
}

fn options() -> Options {
    let mut options = Options::default();
    // Small, so that short inputs reach them.
    options.read_buffer = 16.try_into().unwrap();
    options.write_buffer = 16.try_into().unwrap();
    options.events_per_turn = 2.try_into().unwrap();
    options.max_queued = 32;
    options
}

async fn waiting(connection: Exchange) {
    run(connection, Echo(Framer::whole(Lines)), &options()).await;
}

async fn notified(connection: Exchange) {
    let mut options = options();
    options.when_queue_full = QueuePolicy::Notify;
    options.max_queued = 1 << 20;
    run(connection, Echo(Framer::whole(Lines)), &options).await;
}

laws! {
    mod a_server_that_waits {
        subject: Serving::new(waiting, || Framer::whole(Lines)),
        messages: ["one\n", "two\n", "\n"],
    }
}

laws! {
    mod a_server_that_is_notified {
        subject: Serving::new(notified, || Framer::whole(Lines)),
        messages: ["one\n", "two\n", "\n"],
    }
}

/// Answers whatever a read brings, as a beginner's server does.
async fn reads_for_lines(mut connection: Exchange) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = connection.read(&mut buffer).await {
        let line = String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned();
        connection.write_all((line + "\n").as_bytes()).await.unwrap();
    }
}

#[test]
fn a_server_that_takes_a_read_for_a_line_is_found() {
    let subject = Serving::new(reads_for_lines, || Framer::whole(Lines));
    let violation =
        split_everywhere(&subject, &stream(b"one\ntwo\n"), &Segmentations::up_to_two_cuts()).unwrap_err().to_string();
    assert!(violation.contains("the split law is broken"), "{violation}");
}

#[test]
fn a_server_whose_replies_depend_on_the_turn_is_found() {
    struct Counting(Framer<WholeFrames<Lines>>);
    impl Service for Counting {
        type Machine = Framer<WholeFrames<Lines>>;
        fn machine(&mut self) -> &mut Self::Machine {
            &mut self.0
        }
        fn event(&mut self, line: String, peer: &mut Peer<'_>) {
            // The number of bytes that wait depends on what else was read.
            peer.push(format!("{line} {}\n", peer.queued()));
        }
    }
    let serve = |connection| async { drop(run(connection, Counting(Framer::whole(Lines)), &Options::default()).await) };
    let subject = Serving::new(serve, || Framer::whole(Lines));
    assert!(split_everywhere(&subject, &stream(b"a\nb\n"), &Segmentations::up_to_two_cuts()).is_err());
    let serve = |connection| async {
        drop(run(connection, answer(Framer::whole(Lines), |line, peer| peer.push(line + "\n")), &options()).await);
    };
    let subject = Serving::new(serve, || Framer::whole(Lines));
    split_everywhere(&subject, &stream(b"a\nb\nc\nd\n"), &Segmentations::up_to_two_cuts()).unwrap();
}
