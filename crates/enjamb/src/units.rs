//! The syntax of sizes and durations, the same on every command line and in every specification.
//!
//! ```text
//! size     = DIGITS [ "k" | "M" | "G" ] [ "B" | "iB" ]      powers of 1024; upper or lower case
//! duration = DIGITS [ "." DIGITS ] [ unit ]                 seconds without a unit
//! unit     = "ns" | "us" | "ms" | "s" | "m" | "min" | "h"
//! ```
//!
//! ```
//! use std::time::Duration;
//! use enjamb::units::{format_size, parse_duration, parse_size};
//!
//! assert_eq!(parse_size("64k"), Ok(65_536));
//! assert_eq!(format_size(65_536), "64k");
//! assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
//! assert_eq!(parse_size("12x").unwrap_err().to_string(), "the unit of a size is k, M or G, as in 64k, 1M or 2G");
//! ```

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

/// A text that is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SizeError {
    /// The text does not begin with a digit.
    NoNumber,
    /// The number has a decimal point or comma.
    Fraction {
        /// The byte of the text at which the point is.
        at: usize,
    },
    /// Something other than a unit follows the number.
    UnknownUnit {
        /// The byte of the text at which it begins.
        at: usize,
    },
    /// The size does not fit into 64 bits.
    TooLarge,
}

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DurationError {
    /// The text does not begin with a digit, or no digit follows its decimal point.
    NoNumber,
    /// Something other than a unit follows the number.
    UnknownUnit {
        /// The byte of the text at which it begins.
        at: usize,
    },
    /// The number has digits below one nanosecond.
    TooFine,
    /// The duration has more than 2^64 - 1 nanoseconds, about 584 years.
    TooLong,
}

/// Units of a size, the largest first.
const SIZE_UNITS: [(&str, u64); 3] = [("G", 1 << 30), ("M", 1 << 20), ("k", 1 << 10)];

/// Units of a duration in nanoseconds, the largest first.
const DURATION_UNITS: [(&str, u64); 6] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1)];

/// Reads a size in bytes: `65536`, `64k`, `1M`, `2G`, `64kB` or `64KiB`.
///
/// # Errors
/// [`SizeError`], which gives the reason and an example.
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let (digits, unit) = split_digits(text);
    if digits.is_empty() {
        return Err(SizeError::NoNumber);
    }
    if unit.starts_with(['.', ',']) {
        return Err(SizeError::Fraction { at: digits.len() });
    }
    let factor = size_factor(unit).ok_or(SizeError::UnknownUnit { at: digits.len() })?;
    let number = digits.parse::<u64>().ok();
    number.and_then(|number| number.checked_mul(factor)).ok_or(SizeError::TooLarge)
}

fn size_factor(unit: &str) -> Option<u64> {
    let prefix = match unit.strip_suffix(['B', 'b']) {
        Some(prefix) => prefix.strip_suffix('i').filter(|letter| !letter.is_empty()).unwrap_or(prefix),
        None => unit,
    };
    if prefix.is_empty() {
        return Some(1);
    }
    SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(prefix)).map(|&(_, factor)| factor)
}

/// Reads a duration: `250ms`, `5s`, `1.5s`, `2m`, `1h`, `100us`, or `7` for seven seconds.
///
/// # Errors
/// [`DurationError`], which gives the reason and an example.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let (whole, rest) = split_digits(text);
    if whole.is_empty() {
        return Err(DurationError::NoNumber);
    }
    let (decimals, unit) = match rest.strip_prefix('.') {
        Some(rest) => match split_digits(rest) {
            ("", _) => return Err(DurationError::NoNumber),
            split => split,
        },
        None => ("", rest),
    };
    let factor = match unit {
        "" => 1_000_000_000,
        "min" => 60_000_000_000,
        unit => {
            let known = DURATION_UNITS.iter().find(|(name, _)| *name == unit);
            known.ok_or(DurationError::UnknownUnit { at: text.len() - unit.len() })?.1
        }
    };
    let whole = whole.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    let fraction = fraction(decimals, factor)?;
    let nanos = whole.and_then(|whole| whole.checked_add(fraction)).ok_or(DurationError::TooLong)?;
    Ok(Duration::from_nanos(nanos))
}

/// Returns the number of nanoseconds in `decimals` of a unit of `factor` nanoseconds.
fn fraction(decimals: &str, factor: u64) -> Result<u64, DurationError> {
    let (mut value, mut scale) = (0u128, 1u128);
    for digit in decimals.trim_end_matches('0').bytes() {
        // No unit has this many decimals: an hour is 3.6 * 10^12 nanoseconds.
        if scale > 1_000_000_000_000_000_000 {
            return Err(DurationError::TooFine);
        }
        value = value * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    let nanos = value * u128::from(factor);
    if !nanos.is_multiple_of(scale) {
        return Err(DurationError::TooFine);
    }
    u64::try_from(nanos / scale).map_err(|_| DurationError::TooLong)
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Writes a size in the largest unit that divides it, so that [`parse_size`] reads the same size
/// again.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    in_largest_unit(bytes, &SIZE_UNITS).unwrap_or_else(|| format!("{bytes}"))
}

/// Writes a duration in the largest unit that divides it, so that [`parse_duration`] reads the same
/// duration again. A duration of more than 2^64 - 1 nanoseconds is written in whole seconds.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).ok();
    let written = nanos.and_then(|nanos| in_largest_unit(nanos, &DURATION_UNITS));
    written.unwrap_or_else(|| format!("{}s", duration.as_secs()))
}

fn in_largest_unit(number: u64, units: &[(&str, u64)]) -> Option<String> {
    let (name, factor) = units.iter().find(|(_, factor)| number > 0 && number.is_multiple_of(*factor))?;
    Some(format!("{}{name}", number / factor))
}

impl SizeError {
    /// Returns the byte of the text at which it stops being a size.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::NoNumber | Self::TooLarge => 0,
            Self::Fraction { at } | Self::UnknownUnit { at } => *at,
        }
    }
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoNumber => "a size begins with digits, as in 65536, 64k, 1M or 2G",
            Self::Fraction { .. } => "a size is a whole number of its unit: 1536k, not 1.5M",
            Self::UnknownUnit { .. } => "the unit of a size is k, M or G, as in 64k, 1M or 2G",
            Self::TooLarge => "the size is too large: at most 18446744073709551615 bytes",
        })
    }
}

impl core::error::Error for SizeError {}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoNumber => "a duration begins with digits, as in 250ms, 1.5s, 2m or 1h",
            Self::UnknownUnit { .. } => {
                "the unit of a duration is ns, us, ms, s, m or h, as in 250ms, 1.5s, 2m or 1h; without one it is seconds"
            }
            Self::TooFine => "the duration has a fraction of a nanosecond, as 1.5ns has",
            Self::TooLong => "the duration is too long: at most 5000000h",
        })
    }
}

impl core::error::Error for DurationError {}

/// Returns a count for people: a comma between thousands.
///
/// ```
/// use enjamb::units::format_count;
///
/// assert_eq!([format_count(999), format_count(1_234_567)], ["999", "1,234,567"]);
/// ```
#[must_use]
pub fn format_count(count: u64) -> String {
    let digits = format!("{count}");
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_digits_and_perhaps_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("7", 7),
            ("65536", 65_536),
            ("3k", 3 << 10),
            ("3K", 3 << 10),
            ("64M", 64 << 20),
            ("64m", 64 << 20),
            ("1G", 1 << 30),
            ("16B", 16),
            ("64kB", 64 << 10),
            ("64KiB", 64 << 10),
            ("1GiB", 1 << 30),
            ("18446744073709551615", u64::MAX),
            ("17179869183G", 17_179_869_183 << 30),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_sizes_and_the_error_has_a_place() {
        for (text, error) in [
            ("", SizeError::NoNumber),
            ("M", SizeError::NoNumber),
            ("-1", SizeError::NoNumber),
            (" 1", SizeError::NoNumber),
            ("1.5M", SizeError::Fraction { at: 1 }),
            ("12x", SizeError::UnknownUnit { at: 2 }),
            ("12 k", SizeError::UnknownUnit { at: 2 }),
            ("1T", SizeError::UnknownUnit { at: 1 }),
            ("1iB", SizeError::UnknownUnit { at: 1 }),
            ("1kk", SizeError::UnknownUnit { at: 1 }),
            ("1\u{e9}", SizeError::UnknownUnit { at: 1 }),
            ("18446744073709551616", SizeError::TooLarge),
            ("17179869184G", SizeError::TooLarge),
        ] {
            assert_eq!(parse_size(text), Err(error), "{text}");
            assert!(text.is_char_boundary(error.at()));
        }
    }

    #[test]
    fn a_duration_is_digits_decimals_and_perhaps_a_unit() {
        for (text, nanos) in [
            ("0", 0),
            ("7", 7_000_000_000),
            ("0.5", 500_000_000),
            ("250ms", 250_000_000),
            ("5s", 5_000_000_000),
            ("1.5s", 1_500_000_000),
            ("2m", 120_000_000_000),
            ("2min", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("0.1h", 360_000_000_000),
            ("100us", 100_000),
            ("1.25us", 1250),
            ("3ns", 3),
            ("1.500000000000000000000000s", 1_500_000_000),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_durations() {
        for (text, error) in [
            ("", DurationError::NoNumber),
            ("ms", DurationError::NoNumber),
            ("-1s", DurationError::NoNumber),
            (".5s", DurationError::NoNumber),
            ("1.s", DurationError::NoNumber),
            ("1d", DurationError::UnknownUnit { at: 1 }),
            ("1.5 s", DurationError::UnknownUnit { at: 3 }),
            ("1S", DurationError::UnknownUnit { at: 1 }),
            ("1.5ns", DurationError::TooFine),
            ("0.0000000001", DurationError::TooFine),
            ("0.00000000000000000000000000000000000000000001h", DurationError::TooFine),
            ("18446744073.709551616", DurationError::TooLong),
            ("99999999999999999999h", DurationError::TooLong),
            ("5124096h", DurationError::TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn formatted_sizes_and_durations_are_read_again() {
        for (bytes, text) in [(0, "0"), (1, "1"), (1536, "1536"), (65_536, "64k"), (3 << 20, "3M"), (5 << 30, "5G")] {
            assert_eq!(format_size(bytes), text);
            assert_eq!(parse_size(text), Ok(bytes));
        }
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (100_000, "100us"),
            (1_500_000_000, "1500ms"),
            (7_000_000_000, "7s"),
            (90_000_000_000, "90s"),
            (120_000_000_000, "2m"),
            (7_200_000_000_000, "2h"),
        ] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(format_duration(duration), text);
            assert_eq!(parse_duration(text), Ok(duration));
        }
        assert_eq!(format_size(u64::MAX), "18446744073709551615");
        assert_eq!(format_duration(Duration::MAX), "18446744073709551615s");
    }
}
