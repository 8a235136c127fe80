//! Times and durations as text.

use std::fmt;

use enjamb::Time;

use crate::escape::push_number;

/// The seconds of a day.
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// A time as RFC 3339 writes it, in UTC, with nine decimals.
pub struct Rfc3339(pub Time);

/// The text of a time.
#[derive(Clone, Copy)]
pub(crate) struct TimeText([u8; 30]);

impl TimeText {
    pub(crate) fn as_str(&self) -> &str {
        // All of it is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The time of day to the microsecond.
    pub(crate) fn of_day(&self) -> &str {
        self.as_str().get(11..26).unwrap_or_default()
    }
}

impl Rfc3339 {
    /// Every 64-bit count of nanoseconds lies in a year of four digits.
    pub(crate) fn text(&self) -> TimeText {
        let (seconds, nanos) = (self.0.nanos() / 1_000_000_000, (self.0.nanos() % 1_000_000_000) as u32);
        let (year, month, day) = date(seconds / DAY_SECONDS);
        let second = (seconds % DAY_SECONDS) as u32;
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        digits(&mut text[0..4], year as u32);
        digits(&mut text[5..7], month as u32);
        digits(&mut text[8..10], day as u32);
        digits(&mut text[11..13], second / 3600);
        digits(&mut text[14..16], second / 60 % 60);
        digits(&mut text[17..19], second % 60);
        write_nanos(&mut text, nanos);
        TimeText(text)
    }
}

/// Writes the decimals of a second.
#[inline(always)]
fn write_nanos(text: &mut [u8; 30], nanos: u32) {
    // Three independent parts, which the processor computes at once.
    digits(&mut text[20..23], nanos / 1_000_000);
    digits(&mut text[23..26], nanos / 1000 % 1000);
    digits(&mut text[26..29], nanos % 1000);
}

/// Writes times. Most times are in the same second as the one before, so only the digits after it
/// are computed then.
pub(crate) struct TimeWriter {
    time: Time,
    second: u64,
    text: TimeText,
}

impl Default for TimeWriter {
    fn default() -> Self {
        Self { time: Time::default(), second: 0, text: Rfc3339(Time::default()).text() }
    }
}

impl TimeWriter {
    /// Returns the text of a time, in ASCII.
    #[inline]
    pub(crate) fn text(&mut self, time: Time) -> &[u8; 30] {
        if time != self.time {
            self.compute(time);
        }
        &self.text.0
    }

    fn compute(&mut self, time: Time) {
        self.time = time;
        let (second, nanos) = (time.nanos() / 1_000_000_000, (time.nanos() % 1_000_000_000) as u32);
        if second == self.second {
            write_nanos(&mut self.text.0, nanos);
        } else {
            *self = Self { time, second, text: Rfc3339(time).text() };
        }
    }
}

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// Returns the day of a time.
    #[must_use]
    pub const fn of(time: Time) -> Self {
        Self(time.nanos() / (DAY_SECONDS * 1_000_000_000))
    }
}

/// The date, as `2026-01-31`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Fills `to` with the last decimal digits of `number`.
#[inline(always)]
fn digits(to: &mut [u8], mut number: u32) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Returns year, month and day of the Gregorian calendar, `days` days after the beginning of 1970.
/// Years begin in March here, so that the leap day is the last of its year, and repeat in cycles of
/// 400 years.
const fn date(days: u64) -> (u64, u64, u64) {
    const CYCLE: u64 = 400 * 365 + 97;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days / CYCLE, days % CYCLE);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // The five months from March on have 153 days, as have the five from August on.
    let months = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = cycle * 400 + year_of_cycle + (month <= 2) as u64;
    (year, month, day)
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

/// Appends a duration for people, from microseconds to hours, with three digits. Digits are cut
/// off, not rounded.
pub(crate) fn push_duration(micros: u64, line: &mut String) {
    let (unit, name) = match micros {
        0..1_000 => (1, " us"),
        1_000..1_000_000 => (1_000, " ms"),
        1_000_000..120_000_000 => (1_000_000, " s"),
        120_000_000..7_200_000_000 => (60_000_000, " min"),
        _ => (3_600_000_000, " h"),
    };
    push_number(micros / unit, line);
    let hundredths = micros % unit * 100 / unit;
    match micros / unit {
        0..10 if unit > 1 => {
            line.push('.');
            push_number(hundredths / 10, line);
            push_number(hundredths % 10, line);
        }
        10..100 if unit > 1 => {
            line.push('.');
            push_number(hundredths / 10, line);
        }
        _ => {}
    }
    line.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_agree_with_a_calendar_library() {
        const DAY: u64 = 86_400_000_000_000;
        let days =
            (0..=u64::MAX / DAY).flat_map(|day| [day * DAY, day * DAY + day.wrapping_mul(0x9e37_79b9_7f4a_7c15) % DAY]);
        let mut writer = TimeWriter::default();
        for nanos in days.chain([u64::MAX, u64::MAX - 1, DAY - 1, 999_999_999]) {
            let (seconds, subseconds) = ((nanos / 1_000_000_000).cast_signed(), (nanos % 1_000_000_000) as u32);
            let timestamp = chrono::DateTime::from_timestamp(seconds, subseconds).unwrap();
            let expected = timestamp.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
            assert_eq!(Rfc3339(Time::from_nanos(nanos)).to_string(), expected);
            assert_eq!(writer.text(Time::from_nanos(nanos)), expected.as_bytes());
            let later = nanos.saturating_add(123_456_789);
            let text = Rfc3339(Time::from_nanos(later)).to_string();
            assert_eq!(writer.text(Time::from_nanos(later)), text.as_bytes());
            assert_eq!(Day::of(Time::from_nanos(nanos)).to_string(), expected[..10]);
        }
    }

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 us"),
            (7, "7 us"),
            (999, "999 us"),
            (1_000, "1.00 ms"),
            (1_428, "1.42 ms"),
            (9_999, "9.99 ms"),
            (10_059, "10.0 ms"),
            (999_999, "999 ms"),
            (1_050_000, "1.05 s"),
            (119_999_999, "119 s"),
            (120_000_000, "2.00 min"),
            (7_199_999_999, "119 min"),
            (9_000_000_000, "2.50 h"),
            (u64::MAX, "5124095576 h"),
        ];
        for (micros, text) in cases {
            let mut line = String::new();
            push_duration(micros, &mut line);
            assert_eq!(line, text, "{micros}");
        }
    }
}
