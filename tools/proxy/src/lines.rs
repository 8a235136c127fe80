//! Lines with their times, which a log writes in the order of time.

use enjamb::Time;
use enjamb_monitor::{Format, Record};

/// The lines of records, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineBatch {
    text: String,
    entries: Vec<Entry>,
}

/// A record's line, or lines.
#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Time,
    /// Its end in the text. It begins where the entry before it ends.
    end: usize,
}

impl LineBatch {
    /// Appends a record of an event that happened at `time`. The record itself may have an earlier
    /// time: that of the last byte of its message.
    pub(crate) fn push(&mut self, time: Time, record: &Record<'_>, format: Format) {
        format.write(record, &mut self.text);
        self.entries.push(Entry { time, end: self.text.len() });
    }

    /// Appends all lines of `other`.
    pub(crate) fn append(&mut self, other: &Self) {
        let start = self.text.len();
        self.text.push_str(&other.text);
        self.entries.extend(other.entries.iter().map(|entry| Entry { end: start + entry.end, ..*entry }));
    }

    /// Returns the number of records.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no lines.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns the time of the first line.
    pub(crate) fn first_time(&self) -> Option<Time> {
        self.entries.first().map(|entry| entry.time)
    }

    /// Removes all lines, and keeps memory for this many bytes.
    pub(crate) fn clear(&mut self, reserved: usize) {
        self.text.clear();
        self.text.shrink_to(reserved);
        self.entries.clear();
        self.entries.shrink_to(reserved / size_of::<Entry>());
    }

    /// Gives the lines up to `limit` to `take`, in the order of their times, and keeps the others.
    /// Lines of the same time stay in their order.
    pub(crate) fn take_until(&mut self, limit: Time, mut take: impl FnMut(Time, &str)) {
        let mut lines: Vec<(Time, usize, usize)> = Vec::with_capacity(self.entries.len());
        let mut start = 0;
        for entry in &self.entries {
            lines.push((entry.time, start, entry.end));
            start = entry.end;
        }
        // Stable, and linear for lines that are in order already.
        lines.sort_by_key(|(time, ..)| *time);
        let taken = lines.partition_point(|(time, ..)| *time <= limit);
        for (time, start, end) in &lines[..taken] {
            take(*time, &self.text[*start..*end]);
        }
        let mut rest = Self::default();
        for (time, start, end) in &lines[taken..] {
            rest.text.push_str(&self.text[*start..*end]);
            rest.entries.push(Entry { time: *time, end: rest.text.len() });
        }
        *self = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_in_the_order_of_time_and_equal_times_in_their_order() {
        let mut batch = LineBatch::default();
        for (time, reason) in [(3, "a"), (1, "b"), (3, "c"), (2, "d"), (9, "e"), (4, "f")] {
            let time = Time::from_nanos(time);
            batch.push(time, &Record::Error { connection: None, time, reason }, Format::JsonLines);
        }
        let reasons = |batch: &mut LineBatch, limit| {
            let mut reasons = String::new();
            batch.take_until(Time::from_nanos(limit), |_, line| {
                reasons.push_str(line.split("reason\":\"").nth(1).unwrap().trim_end_matches("\"}\n"));
            });
            reasons
        };
        assert_eq!(reasons(&mut batch, 3), "bdac");
        assert_eq!((batch.len(), batch.first_time()), (2, Some(Time::from_nanos(4))));
        let time = Time::from_nanos(1);
        batch.push(time, &Record::Error { connection: None, time, reason: "g" }, Format::JsonLines);
        assert_eq!(reasons(&mut batch, 100), "gfe");
        assert!(batch.is_empty());
    }
}
