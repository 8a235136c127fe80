//! How far reassembly goes, as arguments.

use std::time::Duration;

use clap::{Args, ValueEnum};
use enjamb_capture::{Options, Overlap};

/// Bounds of memory and patience, and what to do with copies that differ.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Reassembly")]
pub(crate) struct Bounds {
    /// Of bytes that were captured twice and differ, which copy counts.
    #[arg(long, value_enum, default_value_t = OverlapPolicy::First)]
    overlap: OverlapPolicy,

    /// How much is held for what is missing, in all connections.
    #[arg(long, value_parser = size, default_value = "256M", value_name = "SIZE")]
    max_held: usize,

    /// How much is held in one stream.
    #[arg(long, value_parser = size, default_value = "64M", value_name = "SIZE")]
    max_held_per_stream: usize,

    /// How many connections are followed at a time; the one that was silent for longest makes room.
    #[arg(long, default_value_t = Options::default().connections, value_name = "COUNT")]
    max_connections: usize,

    /// How many more packets of a connection are waited for bytes that were acknowledged but not captured yet.
    #[arg(long, default_value_t = Options::default().patience, value_name = "PACKETS")]
    patience: u32,

    /// How many, where only one direction was captured.
    #[arg(long, default_value_t = Options::default().patience_one_sided, value_name = "PACKETS")]
    patience_one_sided: u32,

    /// How long anything is waited for, in seconds of the capture.
    #[arg(long, default_value_t = Options::default().patience_time.as_secs(), value_name = "SECONDS")]
    patience_time: u64,
}

/// Which copy of a byte counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OverlapPolicy {
    /// The first one captured.
    First,
    /// The last one captured before its acknowledgement.
    Last,
}

impl Bounds {
    pub(crate) fn options(&self) -> Options {
        Options {
            overlap: match self.overlap {
                OverlapPolicy::First => Overlap::First,
                OverlapPolicy::Last => Overlap::Last,
            },
            patience: self.patience,
            patience_one_sided: self.patience_one_sided,
            patience_time: Duration::from_secs(self.patience_time),
            held_per_stream: self.max_held_per_stream,
            held_in_all: self.max_held,
            connections: self.max_connections,
        }
    }
}

/// Bytes, with k, M or G for powers of 1024.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1usize),
    };
    let number: usize = digits.parse().map_err(|_| "expected a size like 65536, 512k, 64M or 1G".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::{Bounds, Options, size};

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, expected) in [("0", 0), ("7", 7), ("3k", 3 << 10), ("64M", 64 << 20), ("1G", 1 << 30)] {
            assert_eq!(size(text), Ok(expected));
        }
        for text in ["", "M", "-1", "1.5M", "12x", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn without_arguments_the_bounds_are_those_of_the_library() {
        let command = Bounds::augment_args(clap::Command::new("replay"));
        let bounds = Bounds::from_arg_matches(&command.get_matches_from(["replay"])).expect("defaults");
        assert_eq!(bounds.options(), Options::default());
    }
}
