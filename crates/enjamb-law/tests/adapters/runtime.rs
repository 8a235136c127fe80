//! Async subjects that start tasks or set timers, in a runtime with a paused clock.

use std::io::{self, ErrorKind};
use std::time::Duration;

use enjamb_law::{Chunks, Law, Laws, Reading, Segmentations, Verdict, awake, split, split_everywhere, stream, total};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};

const LINES: &[u8] = b"one\ntwo\n\nthree\n";

/// Reads lines in a task of its own, and sends them on.
fn lines_of_a_task(connection: Chunks) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        let mut lines = BufReader::new(connection).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(line).await.is_err() {
                return;
            }
        }
    });
    receiver
}

async fn receive<T>(receiver: &mut mpsc::Receiver<T>) -> io::Result<Option<T>> {
    Ok(receiver.recv().await)
}

fn broken_laws<S>(laws: Laws<S>) -> Vec<Law>
where
    S: enjamb_law::Subject<Event: enjamb_law::Comparable, Error: enjamb_law::Comparable> + Send + Sync + 'static,
{
    let verdicts = laws.check_all();
    verdicts.into_iter().filter(|(_, verdict)| matches!(verdict, Verdict::Broken(_))).map(|(law, _)| law).collect()
}

#[test]
fn a_reader_in_a_task_of_its_own_keeps_the_laws() {
    let lines = Reading::with(lines_of_a_task, receive).in_runtime();
    let coverage = split_everywhere(&lines, &stream(LINES), &Segmentations::up_to_two_cuts()).unwrap();
    assert!(coverage.segmentations > 100, "{coverage:?}");
    let laws = Laws::new("task", lines)
        .messages([&b"one\n"[..], b"two\n", b"\n"])
        .in_test("runtime::a_reader_in_a_task_of_its_own_keeps_the_laws")
        .cases(50)
        .without(Law::End, "a line without an end counts as one");
    assert_eq!(broken_laws(laws), []);
}

#[test]
fn a_task_that_takes_a_read_for_a_message_is_found() {
    let reads = |mut connection: Chunks| {
        let (sender, receiver) = mpsc::channel(2);
        tokio::spawn(async move {
            let mut buffer = [0; 64];
            while let Ok(read @ 1..) = connection.read(&mut buffer).await {
                sender.send(buffer[..read].to_vec()).await.unwrap();
            }
        });
        receiver
    };
    let reads = Reading::with(reads, receive).in_runtime();
    assert!(split(&reads, &stream(LINES), &[4]).is_err());
}

#[test]
fn a_timeout_does_not_expire_while_bytes_are_on_their_way() {
    let slow = Reading::with(BufReader::new, async |reader: &mut BufReader<Chunks>| {
        let mut line = String::new();
        let read = timeout(Duration::from_millis(2), reader.read_line(&mut line)).await;
        match read.map_err(|_| io::Error::from(ErrorKind::TimedOut))?? {
            0 => Ok::<_, io::Error>(None),
            _ => Ok(Some(line)),
        }
    });
    split_everywhere(&slow.in_runtime(), &stream(&LINES.repeat(8)), &Segmentations::every_byte()).unwrap();
}

#[test]
fn a_reader_that_waits_for_a_timer_is_woken_by_it() {
    let paced = Reading::with(BufReader::new, async |reader: &mut BufReader<Chunks>| {
        sleep(Duration::from_secs(3600)).await;
        let mut line = String::new();
        Ok::<_, io::Error>((reader.read_line(&mut line).await? > 0).then_some(line))
    });
    split_everywhere(&paced.in_runtime(), &stream(LINES), &Segmentations::up_to_one_cut()).unwrap();
}

#[test]
fn a_lost_wake_up_is_found_although_timers_run() {
    // The sender is kept, and nothing is sent: the end never comes.
    let deaf = Reading::with(
        |connection| {
            let (sender, receiver) = mpsc::channel::<String>(1);
            (connection, sender, receiver)
        },
        async |(_, _, receiver): &mut (Chunks, mpsc::Sender<String>, mpsc::Receiver<String>)| receive(receiver).await,
    )
    .in_runtime();
    let violation = awake(&deaf, &stream(LINES), &[]).unwrap_err();
    assert!(violation.to_string().contains("it was not woken"), "{violation}");

    let ticking = Reading::new(async |_: &mut Chunks| {
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
        }
        #[allow(unreachable_code, reason = "it gives the type of the result")]
        Ok::<Option<()>, io::Error>(None)
    })
    .in_runtime();
    let violation = awake(&ticking, &stream(LINES), &[]).unwrap_err();
    assert!(violation.to_string().contains("it wakes itself again and again"), "{violation}");
}

#[test]
fn a_reader_without_the_runtime_that_it_needs_is_told_how_to_get_one() {
    let violation = total(&Reading::with(lines_of_a_task, receive), &stream(LINES), &[]).unwrap_err();
    assert!(violation.to_string().contains("append `.in_runtime()`"), "{violation}");
}
