//! The formats of a log: JSON lines for programs, text for people.

use crate::record::Record;
use crate::time::Day;
use crate::{json, text};

/// The format of records that are written as lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for each record, for people.
    Text {
        /// Whether the line has terminal colours.
        colour: bool,
    },
    /// A JSON object for each record, one on a line, for programs.
    JsonLines,
}

impl Format {
    /// Appends `record` and a line feed to `line`.
    ///
    /// ```
    /// use enjamb::Time;
    /// use enjamb_monitor::{Format, Record};
    ///
    /// let mut line = String::new();
    /// let record = Record::Error { connection: None, time: Time::default(), reason: "the disk is full" };
    /// Format::JsonLines.write(&record, &mut line);
    /// assert_eq!(line, "{\"type\":\"error\",\"time\":\"1970-01-01T00:00:00.000000000Z\",\"reason\":\"the disk is full\"}\n");
    /// ```
    pub fn write(self, record: &Record<'_>, line: &mut String) {
        self.write_within(record, None, line);
    }

    /// Appends the line that goes before the first record of a day: text has only the time of day.
    /// JSON has the date in each record, so nothing is appended.
    ///
    /// ```
    /// use enjamb::Time;
    /// use enjamb_monitor::{Day, Format};
    ///
    /// let mut line = String::new();
    /// Format::Text { colour: false }.write_day(Day::of(Time::default()), &mut line);
    /// assert_eq!(line, "--- 1970-01-01 UTC\n");
    /// ```
    pub fn write_day(self, day: Day, line: &mut String) {
        match self {
            Self::Text { colour } => text::write_day(day, colour, line),
            Self::JsonLines => {}
        }
    }

    /// Appends `record` and a line feed to `line`. In a text the summary is cut so that the line
    /// fits into `columns` columns of a terminal; JSON is never cut.
    pub fn write_within(self, record: &Record<'_>, columns: Option<usize>, line: &mut String) {
        match self {
            Self::Text { colour } => text::write(record, colour, columns, line),
            Self::JsonLines => {
                let mut bytes = Vec::new();
                json::write(record, &mut bytes);
                // All parts of it are text.
                line.push_str(std::str::from_utf8(&bytes).unwrap_or_default());
            }
        }
    }
}
