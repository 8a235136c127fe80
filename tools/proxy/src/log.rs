//! The log: a bounded queue of lines, and a thread that writes them.
//!
//! The queue is a pair of buffers: connections append the lines of a read to one while the thread
//! writes the other. Lines are lost if they come faster than they are written, or if they cannot be
//! written: a disk is full, a reader is gone. Both are counted and reported at once, and a record
//! in the log gives their number where they are missing. The thread tries again with the next
//! lines.
//!
//! Several threads append, so lines come a little out of order. The thread keeps each line for a
//! moment, and writes them in the order of their events. A record may have an earlier time than its
//! event: a message that is cut off has the time of its last byte, and is known only at the end of
//! its stream.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enjamb::Time;
use enjamb_monitor::{Day, Format, Record};

use crate::clock::now;
use crate::lines::LineBatch;
use crate::losses::{Cause, LogLosses};
use crate::notices::Notices;
use crate::settling::Deadline;
use crate::unit_writer::{Target, UnitWriter};

/// The number of records that may wait to be written.
const LINES_WAITING_MAX: usize = 1 << 17;

/// The number of bytes that may wait to be written; as many again may be in writing.
const BYTES_WAITING_MAX: usize = 64 << 20;

/// The number of bytes that a buffer keeps in reserve.
const BYTES_RESERVED: usize = 1 << 20;

/// The time for which a line is kept, so that earlier lines of other threads may come before it.
const ORDERING_DELAY: Duration = Duration::from_millis(20);

/// The number of bytes that are written without waiting for more.
const BYTES_GATHERED: usize = 1 << 20;

/// A log in progress.
pub(crate) struct Log {
    queue: LogQueue,
}

impl Log {
    /// Starts the thread that writes to `target`.
    pub(crate) fn start(format: Format, target: impl Target, notices: Notices) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(notices));
        let queue = LogQueue { shared: Arc::clone(&shared) };
        let writer = Writer {
            out: UnitWriter::new(target),
            format,
            held: LineBatch::default(),
            day: None,
            hole: Hole::default(),
            shared,
            composed: Composed::default(),
        };
        std::thread::Builder::new().name("enjamb-log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { queue })
    }

    /// Returns the end of the queue to which lines are appended.
    pub(crate) fn queue(&self) -> LogQueue {
        self.queue.clone()
    }

    /// Waits until every line is written or lost. Returns the losses.
    pub(crate) fn settle(&self, deadline: &Deadline) -> LogLosses {
        let shared = &self.queue.shared;
        shared.lock().is_flushing = true;
        shared.wake.notify_one();
        deadline.wait_until(|| shared.lock().waiting.is_empty() && shared.unwritten().lines == 0);
        self.queue.losses()
    }

    /// Writes the last lines, even if there is no room in the queue, and waits until they are
    /// written. A writer that is stuck is left behind, and its lines are lost. Returns the losses,
    /// and whether the log has its end.
    pub(crate) fn finish(self, last: &str, deadline: &Deadline) -> (LogLosses, bool) {
        let shared = &self.queue.shared;
        let mut state = shared.lock();
        state.end = Some(last.to_owned());
        drop(state);
        shared.wake.notify_one();
        deadline.wait_until(|| shared.lock().result.is_some());
        let state = shared.lock();
        let mut losses = state.losses;
        if state.result.is_none() {
            let waiting = LogLosses { lines: state.waiting.len() as u64, bytes: state.waiting.bytes() as u64 };
            losses.add(waiting);
            losses.add(shared.unwritten());
        }
        (losses, state.result == Some(true))
    }
}

/// Appends lines to the log. Clones append to the same one.
#[derive(Clone)]
pub(crate) struct LogQueue {
    shared: Arc<Shared>,
}

impl LogQueue {
    /// Appends lines, or drops all of them. After a line was dropped, none is appended before the
    /// thread has taken those that wait: so the hole has one place.
    pub(crate) fn append(&self, lines: &LineBatch) {
        let mut state = self.shared.lock();
        let was_idle = state.waiting.is_empty();
        let was_ripe = state.waiting.bytes() >= BYTES_GATHERED;
        if !state.hole.losses.is_empty()
            || state.waiting.len() + lines.len() > LINES_WAITING_MAX
            || state.waiting.bytes() + lines.bytes() > BYTES_WAITING_MAX
        {
            let losses = LogLosses { lines: lines.len() as u64, bytes: lines.bytes() as u64 };
            state.hole.add(losses, lines.first_time().unwrap_or_default(), Cause::Slow);
            state.losses.add(losses);
            drop(state);
            self.shared.notices.log_loss(losses, Cause::Slow);
            return;
        }
        state.waiting.append(lines);
        let is_ripe = state.waiting.bytes() >= BYTES_GATHERED;
        drop(state);
        if was_idle || was_ripe != is_ripe {
            self.shared.wake.notify_one();
        }
    }

    /// Continues the log in another file, behind its content.
    pub(crate) fn continue_in(&self, file: File) {
        self.shared.lock().next_file = Some(file);
        self.shared.wake.notify_one();
    }

    /// Returns the losses so far.
    pub(crate) fn losses(&self) -> LogLosses {
        self.shared.lock().losses
    }
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    notices: Notices,
    /// The records, and their bytes, that the thread has taken and not yet written.
    unwritten_lines: AtomicU64,
    unwritten_bytes: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: LineBatch,
    /// The lines that were dropped after those that wait.
    hole: Hole,
    losses: LogLosses,
    /// The file in which the log continues.
    next_file: Option<File>,
    /// Whether lines are no longer kept for a moment.
    is_flushing: bool,
    /// The last lines, once nothing more will be appended.
    end: Option<String>,
    /// Whether the log has its end, once the thread has ended.
    result: Option<bool>,
}

/// Lines that are missing at one place.
#[derive(Debug, Default)]
struct Hole {
    losses: LogLosses,
    /// The time of the first one.
    time: Time,
    cause: Option<Cause>,
}

impl Hole {
    fn add(&mut self, losses: LogLosses, time: Time, cause: Cause) {
        if self.losses.is_empty() {
            self.time = time;
        }
        self.losses.add(losses);
        self.cause = match (self.cause.take(), cause) {
            // The reason of the system says more.
            (Some(Cause::Refused(error)), Cause::Slow) => Some(Cause::Refused(error)),
            (_, cause) => Some(cause),
        };
    }
}

impl Shared {
    fn new(notices: Notices) -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            notices,
            unwritten_lines: AtomicU64::new(0),
            unwritten_bytes: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the buffer would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unwritten(&self) -> LogLosses {
        LogLosses {
            lines: self.unwritten_lines.load(Ordering::Acquire),
            bytes: self.unwritten_bytes.load(Ordering::Acquire),
        }
    }
}

/// Lines that are ready to be written.
#[derive(Default)]
struct Composed {
    text: String,
    /// The time of each record, and the end of its lines in the text.
    units: Vec<(Time, usize)>,
}

/// The work of one turn of the thread.
struct Turn {
    hole: Hole,
    next_file: Option<File>,
    is_flushing: bool,
    end: Option<String>,
}

/// The thread that writes.
struct Writer<T> {
    out: UnitWriter<T>,
    format: Format,
    /// Lines that are kept for a moment.
    held: LineBatch,
    /// The day of the last line that was written.
    day: Option<Day>,
    /// The lines that are missing since the last line that was written.
    hole: Hole,
    shared: Arc<Shared>,
    composed: Composed,
}

impl<T: Target> Writer<T> {
    fn run(mut self) {
        let mut taken = LineBatch::default();
        loop {
            let turn = self.take(&mut taken);
            self.held.append(&taken);
            taken.clear(BYTES_RESERVED);
            let is_whole =
                turn.next_file.is_some() || turn.is_flushing || turn.end.is_some() || !turn.hole.losses.is_empty();
            let delay = u64::try_from(ORDERING_DELAY.as_nanos()).unwrap_or(0);
            let limit = if is_whole { u64::MAX } else { now().nanos().saturating_sub(delay) };
            self.write_until(Time::from_nanos(limit));
            if let Hole { losses, time, cause: Some(cause) } = turn.hole {
                self.hole.add(losses, time, cause);
            }
            self.write_hole();
            if let Some(file) = turn.next_file {
                self.out.continue_in(file);
                self.day = None;
            }
            if let Some(end) = turn.end {
                let is_written = self.write_end(&end);
                let rest = self.out.rest_len() as u64;
                let mut state = self.shared.lock();
                if rest > 0 {
                    state.losses.add(LogLosses { lines: 1, bytes: rest });
                }
                state.result = Some(is_written && rest == 0);
                return;
            }
        }
    }

    /// Waits for something to write.
    fn take(&mut self, lines: &mut LineBatch) -> Turn {
        let shared = Arc::clone(&self.shared);
        let is_idle = |state: &State| {
            state.waiting.is_empty() && state.hole.losses.is_empty() && state.next_file.is_none() && state.end.is_none()
        };
        let state = if self.held.is_empty() {
            shared.wake.wait_while(shared.lock(), |state| is_idle(state)).unwrap_or_else(PoisonError::into_inner)
        } else {
            shared.lock()
        };
        let is_unripe = |state: &mut State| {
            state.waiting.bytes() < BYTES_GATHERED
                && !state.is_flushing
                && state.next_file.is_none()
                && state.end.is_none()
                && state.hole.losses.is_empty()
        };
        let waited = shared.wake.wait_timeout_while(state, ORDERING_DELAY, is_unripe);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(lines, &mut state.waiting);
        shared.unwritten_lines.fetch_add(lines.len() as u64, Ordering::Release);
        shared.unwritten_bytes.fetch_add(lines.bytes() as u64, Ordering::Release);
        Turn {
            hole: std::mem::take(&mut state.hole),
            next_file: state.next_file.take(),
            is_flushing: state.is_flushing,
            end: state.end.take(),
        }
    }

    /// Writes the lines that are held, up to a time.
    fn write_until(&mut self, limit: Time) {
        let Self { held, composed, format, .. } = self;
        composed.text.clear();
        composed.text.shrink_to(BYTES_RESERVED);
        composed.units.clear();
        let mut day = self.day;
        held.take_until(limit, |time, line| {
            if day.replace(Day::of(time)) != Some(Day::of(time)) {
                format.write_day(Day::of(time), &mut composed.text);
            }
            composed.text.push_str(line);
            composed.units.push((time, composed.text.len()));
        });
        let composed = std::mem::take(&mut self.composed);
        self.write_composed(&composed);
        self.composed = composed;
    }

    fn write_composed(&mut self, composed: &Composed) {
        let Composed { text, units } = composed;
        if !units.is_empty() && !self.write_hole() {
            let error = "there is still no room".to_owned();
            let cause = self.hole.cause.clone().unwrap_or(Cause::Refused(error));
            return self.lose(&units[..], 0, cause);
        }
        let mut done = 0;
        while done < units.len() {
            let start = done.checked_sub(1).map_or(0, |before| units[before].1);
            // As many lines as one write takes, and at least one.
            let next = done + units[done..].partition_point(|(_, end)| end - start <= self.out.write_max());
            let next = next.max(done + 1);
            let ends = &units[done..next];
            let piece = &text[start..ends[ends.len() - 1].1];
            let boundaries = |at: usize| {
                let before = ends.partition_point(|(_, end)| end - start <= at);
                let place = before.checked_sub(1).map_or(0, |before| ends[before].1 - start);
                (place, if place == at { at } else { ends[before].1 - start })
            };
            match self.out.write(piece.as_bytes(), boundaries) {
                Ok(()) => {
                    self.note_written(ends, start);
                    done = next;
                }
                Err(failed) => {
                    let kept = ends.partition_point(|(_, end)| end - start <= failed.kept);
                    self.note_written(&ends[..kept], start);
                    let lost_from = start + failed.kept;
                    return self.lose(&units[done + kept..], lost_from, Cause::Refused(failed.error.to_string()));
                }
            }
        }
    }

    /// Notes that records were written whose lines begin at `start`.
    fn note_written(&mut self, units: &[(Time, usize)], start: usize) {
        let Some((time, end)) = units.last() else { return };
        self.day = Some(Day::of(*time));
        self.taken_care_of(units.len(), end - start);
    }

    fn taken_care_of(&self, lines: usize, bytes: usize) {
        let less = |counter: &AtomicU64, by: usize| {
            let _ =
                counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, |old| Some(old.saturating_sub(by as u64)));
        };
        less(&self.shared.unwritten_bytes, bytes);
        less(&self.shared.unwritten_lines, lines);
    }

    /// Notes that records are lost whose lines begin at `start`.
    fn lose(&mut self, units: &[(Time, usize)], start: usize, cause: Cause) {
        let (Some((first, _)), Some((_, end))) = (units.first(), units.last()) else { return };
        let losses = LogLosses { lines: units.len() as u64, bytes: (end - start) as u64 };
        self.hole.add(losses, *first, cause.clone());
        self.shared.lock().losses.add(losses);
        self.taken_care_of(units.len(), end - start);
        self.shared.notices.log_loss(losses, cause);
    }

    /// Writes a record with the number of lines that are missing here, if there are any. Returns
    /// whether none is left to be reported.
    fn write_hole(&mut self) -> bool {
        let Hole { losses, time, cause: Some(cause) } = &self.hole else { return true };
        let mut line = String::new();
        if self.day != Some(Day::of(*time)) {
            self.format.write_day(Day::of(*time), &mut line);
        }
        let LogLosses { lines, bytes } = losses;
        let why = match cause {
            Cause::Slow => "the log was not written as fast as they came".to_owned(),
            Cause::Refused(error) => format!("the log could not be written: {error}"),
        };
        let reason = &format!("{lines} records are missing here, {bytes} bytes: {why}");
        self.format.write(&Record::Error { connection: None, time: *time, reason }, &mut line);
        let boundaries = |at: usize| (0, if at == 0 { 0 } else { line.len() });
        let is_written = self.out.write(line.as_bytes(), boundaries).map_or_else(|error| error.kept > 0, |()| true);
        if is_written {
            self.day = Some(Day::of(*time));
            self.hole = Hole::default();
        }
        is_written
    }

    /// Writes the last lines. Returns whether they were written. They are no records of the
    /// traffic, so they do not count as lost.
    fn write_end(&mut self, end: &str) -> bool {
        let ends_of_lines = |at: usize| {
            let before = end[..at].rfind('\n').map_or(0, |found| found + 1);
            (before, if before == at { at } else { end[at..].find('\n').map_or(end.len(), |found| at + found + 1) })
        };
        self.out.write(end.as_bytes(), ends_of_lines).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settling::SETTLE_MAX;
    use crate::unit_writer::tests::Disk;

    fn deadline() -> Deadline {
        Deadline::after(10 * SETTLE_MAX)
    }

    /// A batch with one line, whose reason is a number.
    fn line(number: u64) -> LineBatch {
        let mut lines = LineBatch::default();
        let time = Time::from_nanos(1_000 + number);
        let reason = &format!("line {number}");
        lines.push(time, &Record::Error { connection: None, time, reason }, Format::JsonLines);
        lines
    }

    /// Appends a line, and waits until it is written or lost.
    fn append_and_wait(queue: &LogQueue, number: u64) {
        queue.append(&line(number));
        let shared = &queue.shared;
        assert!(deadline().wait_until(|| shared.lock().waiting.is_empty() && shared.unwritten().lines == 0));
    }

    /// The numbers of the lines, and the records of holes with the number of missing lines.
    fn read(content: &[u8]) -> (Vec<u64>, Vec<u64>) {
        let content = std::str::from_utf8(content).unwrap();
        assert!(content.is_empty() || content.ends_with('\n'), "the last line is cut: {content:?}");
        let (mut numbers, mut holes) = (Vec::new(), Vec::new());
        for line in content.lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("cut: {line}"));
            let reason = record["reason"].as_str().unwrap();
            if let Some(number) = reason.strip_prefix("line ") {
                numbers.push(number.parse().unwrap());
            } else if let Some((missing, why)) = reason.split_once(" records are missing here") {
                assert!(why.contains("the log could not be written: ") && why.contains("no storage space"), "{why}");
                holes.push(missing.parse().unwrap());
            }
        }
        (numbers, holes)
    }

    #[test]
    fn every_line_that_a_full_disk_costs_is_counted_and_the_log_resumes_with_whole_lines() {
        for can_cut in [true, false] {
            for room in [0, 1, 50, 500, 1_017] {
                let disk = Disk::new(room, can_cut);
                let log = Log::start(Format::JsonLines, disk.clone(), Notices::new("test").silent(true)).unwrap();
                let queue = log.queue();
                queue.shared.lock().is_flushing = true;
                for number in 100..140 {
                    append_and_wait(&queue, number);
                }
                let lost = queue.losses();
                assert!(lost.lines > 20 && lost.bytes == lost.lines * line(100).bytes() as u64);
                disk.set_room(1 << 20);
                for number in 140..150 {
                    append_and_wait(&queue, number);
                }
                assert_eq!(queue.losses(), lost, "nothing more is lost");
                let (losses, is_whole) = log.finish("{\"reason\":\"the end\"}\n", &deadline());
                assert!(is_whole && losses == lost);

                let (numbers, holes) = read(&disk.content());
                assert_eq!(holes.iter().sum::<u64>(), lost.lines, "the holes are in the log");
                assert_eq!(numbers.len() as u64 + lost.lines, 50, "written or lost");
                assert!(numbers.is_sorted() && numbers.ends_with(&(140..150).collect::<Vec<_>>()));
            }
        }
    }

    #[test]
    fn lines_that_are_never_read_are_counted_when_the_log_is_left_behind() {
        struct Stuck;
        impl io::Write for Stuck {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                std::thread::sleep(Duration::from_secs(3600));
                Ok(0)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Target for Stuck {}
        let log = Log::start(Format::JsonLines, Stuck, Notices::new("test").silent(true)).unwrap();
        let queue = log.queue();
        for number in 0..30 {
            queue.append(&line(number));
            if number == 9 {
                std::thread::sleep(5 * ORDERING_DELAY);
            }
        }
        let (losses, is_whole) = log.finish("", &Deadline::after(Duration::from_millis(100)));
        assert_eq!((losses.lines, is_whole), (30, false));
    }
}
