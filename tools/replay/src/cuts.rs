//! The families of cuts that `--recut` tries, and how much of a conversation under each.
//!
//! The number of segmentations of a conversation grows with its length for single cuts and with the square for pairs, and each is a run over all of it: so
//! a family has a limit, and of a longer conversation no more than the beginning is tried under it. The beginning of a conversation is a conversation. A longer
//! beginning is then tried under a weaker family, whose limit is further out.
//!
//! The limits are of bytes and of work, which is counted and not timed, so that the same is tried each time and on every machine.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use enjamb_law::Segmentations;

use crate::OutputFormat;
use crate::bounds::size;
use crate::live::seconds;

/// Under which cuts conversations are replayed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Other cuts")]
pub(crate) struct RecutArguments {
    /// Replay each conversation under other cuts than the captured ones, and compare the messages: every-byte, coalesce, one-cut, all-two-cuts,
    /// random:SEED[,COUNT]. Exits with 1 if any differ, or a session fails.
    #[arg(long, value_name = "CUTS", conflicts_with_all = RECORDS)]
    recut: Option<Cuts>,

    /// How much of a conversation is replayed under these cuts, from its beginning, however long it takes. Unless it is said: what takes a second or a few, and at
    /// most 2k for all-two-cuts, 16k for one-cut, 256k for random, else 4M. What is longer is replayed under weaker ones.
    #[arg(long, value_parser = size, value_name = "SIZE", requires = "recut")]
    recut_max: Option<usize>,

    /// How many seconds a session may take over one conversation under one of these cuts before it is given up as hung.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = patience, requires = "recut")]
    hung_after: Duration,
}

/// A number of seconds in which something can be done.
fn patience(text: &str) -> Result<Duration, String> {
    let patience = seconds(text)?;
    if patience < Duration::from_millis(10) { Err("expected 0.01 seconds or more".to_owned()) } else { Ok(patience) }
}

/// The options that are about records. A comparison has none.
const RECORDS: [&str; 6] = ["summary", "strict", "html", "filter", "side", "show"];

/// Which cuts, and of how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recut {
    pub(crate) cuts: Cuts,
    /// How long one run may take.
    pub(crate) patience: Duration,
    /// The most payload of a conversation that is tried under them, in bytes, where that is asked for.
    pub(crate) most: Option<usize>,
}

impl RecutArguments {
    /// Why the format does not go with them, if it does not.
    pub(crate) fn contradiction(&self, format: OutputFormat) -> Option<&'static str> {
        let written = matches!(format, OutputFormat::Text | OutputFormat::Jsonl);
        (self.recut.is_some() && !written).then_some("--recut writes a comparison, which is --format text or jsonl")
    }

    pub(crate) fn cuts(&self) -> Option<Recut> {
        let cuts = self.recut?;
        Some(Recut { cuts, patience: self.hung_after, most: self.recut_max })
    }
}

/// A family of cuts, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cuts {
    EveryByte,
    Coalesce,
    OneCut,
    AllPairs,
    Random { seed: u64, count: usize },
}

/// How many segmentations `random` tries unless it is said.
const BY_CHANCE: usize = 100;

/// The most of them that may be asked for.
const MOST_BY_CHANCE: usize = 1_000_000;

/// How much work a family may be for one conversation where nobody says, as [`Stage::work`] counts it: a second or a few.
const MOST_WORK: u64 = 5_000_000_000;

/// What a chunk and a message cost a session beside their bytes, nearly, in bytes.
const CHUNK: u64 = 32;
const MESSAGE: u64 = 64;

/// A family, and how much of a conversation is tried under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) cuts: Cuts,
    /// The most payload, in bytes.
    most: usize,
    /// The most work. `None`: somebody asked for so many bytes.
    work: Option<u64>,
}

/// How long a conversation is, in what a session has to do with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    /// Payload, in bytes.
    pub(crate) bytes: usize,
    pub(crate) turns: usize,
    pub(crate) messages: usize,
}

impl Recut {
    /// What is asked for, and after it weaker and weaker families for what is longer.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let first = match self.most {
            Some(most) => Stage { cuts: self.cuts, most, work: None },
            None => Stage::of(self.cuts),
        };
        std::iter::successors(Some(first), |stage| stage.cuts.weaker().map(Stage::of)).collect()
    }

    /// How much of a conversation is kept, in bytes: the most that any of the stages takes.
    pub(crate) fn kept(&self) -> usize {
        self.stages().iter().map(|stage| stage.most).max().unwrap_or_default()
    }
}

impl Stage {
    fn of(cuts: Cuts) -> Self {
        Self { cuts, most: cuts.most(), work: Some(MOST_WORK) }
    }

    /// How many bytes of the beginning of a conversation are tried.
    pub(crate) fn extent(&self, of: Length) -> usize {
        let (mut least, mut most) = (0, of.bytes.min(self.most));
        let Some(work) = self.work else { return most };
        while least < most {
            let middle = most - (most - least) / 2;
            if self.work(middle, of) <= work { least = middle } else { most = middle - 1 }
        }
        least
    }

    /// How much work so many bytes of a conversation are: segmentations, by the bytes, chunks and messages that each of them feeds.
    fn work(&self, bytes: usize, of: Length) -> u64 {
        let n = bytes as u64;
        let (runs, cuts) = match self.cuts {
            Cuts::Coalesce => (1, 0),
            Cuts::EveryByte => (1, n),
            Cuts::OneCut => (n, 1),
            Cuts::AllPairs => (n.saturating_mul(n) / 2, 2),
            // From rarely to nearly always.
            Cuts::Random { count, .. } => (count as u64, n / 4),
        };
        let whole = CHUNK.saturating_mul(of.turns as u64).saturating_add(MESSAGE.saturating_mul(of.messages as u64));
        let share = whole.saturating_mul(n) / (of.bytes as u64).max(1);
        runs.saturating_mul(n.saturating_add(share).saturating_add(CHUNK.saturating_mul(cuts)))
    }
}

impl Cuts {
    pub(crate) fn segmentations(self) -> Segmentations {
        match self {
            Self::Coalesce => Segmentations::random(0, 0),
            Self::EveryByte => Segmentations::every_byte(),
            Self::OneCut => Segmentations::up_to_one_cut(),
            Self::AllPairs => Segmentations::up_to_two_cuts(),
            Self::Random { seed, count } => Segmentations::random(seed, count),
        }
    }

    /// How much of a conversation is tried at the most unless it is said, in bytes.
    fn most(self) -> usize {
        match self {
            Self::AllPairs => 2 << 10,
            Self::OneCut => 16 << 10,
            Self::Random { .. } => 256 << 10,
            Self::EveryByte | Self::Coalesce => 4 << 20,
        }
    }

    /// What a conversation is tried under that is too long for this.
    fn weaker(self) -> Option<Self> {
        match self {
            Self::AllPairs => Some(Self::OneCut),
            Self::OneCut | Self::Random { .. } => Some(Self::EveryByte),
            Self::EveryByte | Self::Coalesce => None,
        }
    }
}

impl FromStr for Cuts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "every-byte" => return Ok(Self::EveryByte),
            "coalesce" => return Ok(Self::Coalesce),
            "one-cut" => return Ok(Self::OneCut),
            "all-two-cuts" => return Ok(Self::AllPairs),
            "random" => return Err("it needs a seed, as in random:7".to_owned()),
            _ => {}
        }
        let Some(numbers) = text.strip_prefix("random:") else {
            return Err("expected every-byte, coalesce, one-cut, all-two-cuts or random:SEED[,COUNT]".to_owned());
        };
        let (seed, count) = numbers.split_once(',').map_or((numbers, None), |(seed, count)| (seed, Some(count)));
        let seed = seed.parse().map_err(|_| "the seed is a number up to 2^64 - 1, as in random:7".to_owned())?;
        let count = match count {
            None => BY_CHANCE,
            Some(count) => count
                .parse()
                .ok()
                .filter(|count| (1..=MOST_BY_CHANCE).contains(count))
                .ok_or_else(|| format!("the count is a number from 1 to {MOST_BY_CHANCE}, as in random:7,1000"))?,
        };
        Ok(Self::Random { seed, count })
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EveryByte => f.write_str("every-byte"),
            Self::Coalesce => f.write_str("coalesce"),
            Self::OneCut => f.write_str("one-cut"),
            Self::AllPairs => f.write_str("all-two-cuts"),
            Self::Random { seed, count } if *count == BY_CHANCE => write!(f, "random:{seed}"),
            Self::Random { seed, count } => write!(f, "random:{seed},{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_tried_under_weaker_cuts_that_reach_further() {
        let one_message = Length { bytes: 10_000_000, turns: 1, messages: 1 };
        // A kilobyte of it is 85 turns and as many messages.
        let small_messages = Length { bytes: 60_000, turns: 5_000, messages: 5_000 };
        let short = Length { bytes: 10, turns: 2, messages: 2 };
        for (cuts, most, of, expected) in [
            ("all-two-cuts", None, one_message, &[2048, 16_384, 4 << 20][..]),
            ("all-two-cuts", None, small_messages, &[1033, 16_384, 60_000]),
            ("all-two-cuts", None, short, &[10, 10, 10]),
            ("all-two-cuts", Some(20_000), small_messages, &[20_000, 16_384, 60_000]),
            ("one-cut", Some(100), one_message, &[100, 4 << 20]),
            ("random:7,3", None, one_message, &[256 << 10, 4 << 20]),
            ("random:7,1000000", None, one_message, &[555, 4 << 20]),
            ("every-byte", Some(100), one_message, &[100]),
            ("coalesce", None, one_message, &[4 << 20]),
        ] {
            let recut = Recut { cuts: cuts.parse().expect("cuts"), most, patience: Duration::ZERO };
            let extents: Vec<usize> = recut.stages().iter().map(|stage| stage.extent(of)).collect();
            assert_eq!(extents, expected, "{cuts} {most:?} {of:?}");
            assert!(recut.kept() >= extents.iter().copied().max().unwrap_or_default());
        }
    }

    #[test]
    fn cuts_are_written_as_they_are_read() {
        for text in ["every-byte", "coalesce", "one-cut", "all-two-cuts", "random:7", "random:7,1000000"] {
            assert_eq!(text.parse::<Cuts>().map(|cuts| cuts.to_string()), Ok(text.to_owned()));
        }
        for (text, why) in [
            ("random", "it needs a seed"),
            ("random:x", "the seed is a number"),
            ("random:7,0", "the count is a number from 1 to 1000000"),
            ("random:7,1000001", "the count is"),
            ("thrice", "expected every-byte"),
        ] {
            let error = text.parse::<Cuts>().expect_err("wrong");
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }
}
