//! Lines of text in the order of time.
//!
//! A session may report a message long after its last byte: a connection that was joined in the
//! middle is silent until enough packets have shown its state, `auto` keeps the first bytes, and a
//! message that nothing completes is reported when its stream ends. So lines are held back and
//! sorted by time. Lines of the same time stay in the order in which they came.
//!
//! At most [`LINES_HELD_MAX`] lines and [`BYTES_HELD_MAX`] bytes are held. When there are more, the
//! earlier half is written. A line that comes even later than that is written late: it has its time.
//!
//! A line has only the time of day, so the date goes before the first line of each day.

use std::io::{self, Write};

use enjamb::Time;
use enjamb_monitor::{Day, Format};

/// The maximum number of lines that are held back.
const LINES_HELD_MAX: usize = 1 << 16;

/// The maximum number of bytes of lines that are held back. The last line may exceed it.
const BYTES_HELD_MAX: usize = 32 << 20;

/// Lines as they came: their text, and the time and the end of each.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) text: String,
    pub(crate) ends: Vec<(Time, usize)>,
}

impl Lines {
    /// Appends what `write` appends as the line of `time`.
    pub(crate) fn push(&mut self, time: Time, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.ends.push((time, self.text.len()));
    }

    /// Returns the line at `place`, and its time.
    fn line(&self, place: usize) -> (Time, &str) {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before].1);
        let (time, end) = self.ends[place];
        (time, &self.text[start..end])
    }
}

/// Sorts lines by time and writes them, each day with its date.
pub(crate) struct OrderedLines {
    format: Format,
    held: Lines,
    /// Whether the lines that are held came in the order of time.
    in_order: bool,
    /// The latest time of all lines so far.
    latest: Time,
    /// Whether another input has begun since the last line.
    next_input: bool,
    /// The day of the last line that was written.
    day: Option<Day>,
}

impl OrderedLines {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, held: Lines::default(), in_order: true, latest: Time::default(), next_input: false, day: None }
    }

    /// Notes that the lines of another input follow. An earlier input is not mixed with a later one:
    /// if the next line is older than this input, everything held is written first.
    pub(crate) fn begin_input(&mut self) {
        self.next_input = true;
    }

    /// Takes a line, and writes some if too many are held.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub(crate) fn push(&mut self, time: Time, write: impl FnOnce(&mut String), out: &mut impl Write) -> io::Result<()> {
        if std::mem::take(&mut self.next_input) && time < self.latest {
            self.write_all(out)?;
        }
        self.in_order &= time >= self.latest;
        self.latest = self.latest.max(time);
        self.held.push(time, write);
        if self.held.ends.len() >= LINES_HELD_MAX || self.held.text.len() >= BYTES_HELD_MAX {
            return self.write_half(out);
        }
        Ok(())
    }

    /// Takes the lines at `places` of `lines`.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub(crate) fn extend(
        &mut self,
        lines: &Lines,
        places: std::ops::Range<usize>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        for place in places {
            let (time, line) = lines.line(place);
            self.push(time, |text| text.push_str(line), out)?;
        }
        Ok(())
    }

    /// Writes all lines that are held.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub(crate) fn write_all(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.sort();
        let count = self.held.ends.len();
        self.write(count, out)?;
        self.held.text.clear();
        self.held.ends.clear();
        // The next line may be older than the ones that were written.
        self.latest = Time::default();
        Ok(())
    }

    /// Writes the earlier half of the lines.
    fn write_half(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.sort();
        let half = self.held.ends.len().div_ceil(2);
        self.write(half, out)?;
        let written = self.held.ends[half - 1].1;
        self.held.text.drain(..written);
        self.held.ends.drain(..half);
        self.held.ends.iter_mut().for_each(|(_, end)| *end -= written);
        Ok(())
    }

    /// Puts the lines into the order of time.
    fn sort(&mut self) {
        if std::mem::replace(&mut self.in_order, true) {
            return;
        }
        let mut order: Vec<(Time, usize)> =
            self.held.ends.iter().enumerate().map(|(place, (time, _))| (*time, place)).collect();
        order.sort_unstable();
        let mut sorted =
            Lines { text: String::with_capacity(self.held.text.len()), ends: Vec::with_capacity(order.len()) };
        for (time, place) in order {
            sorted.push(time, |text| text.push_str(self.held.line(place).1));
        }
        self.held = sorted;
    }

    /// Writes the first `count` lines.
    fn write(&mut self, count: usize, out: &mut impl Write) -> io::Result<()> {
        let (mut written, mut from) = (0, 0);
        while from < count {
            let day = Day::of(self.held.ends[from].0);
            // Lines of a day are next to each other.
            let days = self.held.ends[from..count].partition_point(|(time, _)| Day::of(*time) <= day);
            if self.day != Some(day) {
                let mut line = String::new();
                self.format.write_day(day, &mut line);
                out.write_all(line.as_bytes())?;
                self.day = Some(day);
            }
            from += days;
            let end = self.held.ends[from - 1].1;
            out.write_all(&self.held.text.as_bytes()[written..end])?;
            written = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    /// Writes lines with these times, in seconds. A `None` begins another input.
    fn written(times: impl IntoIterator<Item = Option<u64>>) -> Vec<String> {
        let mut lines = OrderedLines::new(Format::Text { colour: false });
        let mut out = Vec::new();
        for (place, time) in times.into_iter().enumerate() {
            match time {
                None => lines.begin_input(),
                Some(time) => {
                    lines.push(at(time), |text| text.push_str(&format!("{time} line {place}\n")), &mut out).unwrap();
                }
            }
        }
        lines.write_all(&mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(ToOwned::to_owned).collect()
    }

    /// The times of lines, without the dates.
    fn times(lines: &[String]) -> Vec<u64> {
        lines
            .iter()
            .filter(|line| !line.starts_with("---"))
            .map(|line| line.split(' ').next().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn lines_are_sorted_by_time_and_stay_in_order_within_one_time() {
        let lines = written([5, 1, 5, 3, 1].map(Some));
        assert_eq!(lines, ["--- 1970-01-01 UTC", "1 line 1", "1 line 4", "3 line 3", "5 line 0", "5 line 2"]);
    }

    #[test]
    fn the_date_is_written_where_the_day_changes() {
        let lines = written([DAY - 1, 3 * DAY, DAY, 3 * DAY + 1].map(Some));
        let dates: Vec<_> = lines.iter().filter(|line| line.starts_with("---")).collect();
        assert_eq!(dates, ["--- 1970-01-01 UTC", "--- 1970-01-02 UTC", "--- 1970-01-04 UTC"]);
        assert_eq!(lines.len(), 7);
    }

    #[test]
    fn inputs_are_not_mixed_unless_the_next_one_goes_on_where_the_last_one_ended() {
        assert_eq!(times(&written([Some(5), Some(7), None, Some(4), Some(6)])), [5, 7, 4, 6]);
        assert_eq!(times(&written([Some(5), Some(7), None, Some(8), Some(6), Some(9)])), [5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_line_is_late_only_if_more_lines_than_the_limit_are_between() {
        let held = LINES_HELD_MAX as u64;
        // A line of time 10 comes behind `behind` later ones.
        let with = |behind: u64| times(&written((0..10).chain(11..11 + behind).chain([10]).map(Some)));
        assert!(with(held / 2 - 100).is_sorted());
        let late = with(held);
        assert!(!late.is_sorted());
        assert_eq!(late.len() as u64, held + 11, "no line is lost");
    }
}
