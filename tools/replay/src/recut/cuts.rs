//! The families of cuts, and the extent of a conversation that is tried under each.
//!
//! The number of segmentations of a conversation grows with its length for single cuts, and with
//! the square of its length for pairs. Each of them is a run over the whole conversation. So a
//! family has a limit, and only the beginning of a longer conversation is tried under it. (The
//! beginning of a conversation is a conversation.) A longer beginning is then tried under a weaker
//! family, which has a larger limit.
//!
//! There are limits of bytes and of work. Work is counted, not timed, so that the same cuts are
//! tried each time and on every machine.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use enjamb_law::Segmentations;

/// The requested cuts and their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recut {
    pub(crate) cuts: Cuts,
    /// The time that a session may take for one conversation under one family of cuts.
    pub(crate) patience: Duration,
    /// The number of payload bytes of a conversation that are tried under these cuts, if the user
    /// chose it.
    pub(crate) max: Option<usize>,
}

/// A family of cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cuts {
    /// Every byte is a chunk.
    EveryByte,
    /// Each turn is one chunk.
    Coalesce,
    /// Every single cut, one at a time.
    OneCut,
    /// Every pair of cuts, one at a time.
    AllPairs,
    /// Random segmentations, the same ones for the same seed.
    Random { seed: u64, count: usize },
}

/// The number of segmentations that `random` tries by default.
const RANDOM_DEFAULT: usize = 100;

/// The maximum number of segmentations for `random`.
const RANDOM_MAX: usize = 1_000_000;

/// The work that one family may cost per conversation by default, in the unit of [`Stage::work`]:
/// about a second to a few seconds.
const WORK_MAX: u64 = 5_000_000_000;

/// The approximate cost of a chunk and a message for a session, besides their bytes, in bytes.
const CHUNK_COST: u64 = 32;
const MESSAGE_COST: u64 = 64;

/// A family, and the extent of a conversation that is tried under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) cuts: Cuts,
    /// The limit of payload, in bytes.
    max: usize,
    /// The limit of work. `None`: the user chose this many bytes, however long they take.
    work: Option<u64>,
}

/// The length of a conversation, as far as it affects a session's work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    /// Payload, in bytes.
    pub(crate) bytes: usize,
    pub(crate) turns: usize,
    pub(crate) messages: usize,
}

impl Recut {
    /// Returns the requested family, and after it weaker and weaker ones for longer conversations.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let first = match self.max {
            Some(max) => Stage { cuts: self.cuts, max, work: None },
            None => Stage::of(self.cuts),
        };
        std::iter::successors(Some(first), |stage| stage.cuts.weaker().map(Stage::of)).collect()
    }

    /// Returns the number of bytes of a conversation that are kept: the largest limit of all
    /// stages.
    pub(crate) fn kept(&self) -> usize {
        self.stages().iter().map(|stage| stage.max).max().unwrap_or_default()
    }
}

impl Stage {
    fn of(cuts: Cuts) -> Self {
        Self { cuts, max: cuts.max(), work: Some(WORK_MAX) }
    }

    /// Returns the number of bytes from the beginning of a conversation of this length that are
    /// tried.
    pub(crate) fn extent(&self, of: Length) -> usize {
        let (mut least, mut most) = (0, of.bytes.min(self.max));
        let Some(work) = self.work else { return most };
        while least < most {
            let middle = most - (most - least) / 2;
            if self.work(middle, of) <= work { least = middle } else { most = middle - 1 }
        }
        least
    }

    /// Returns the work for the first `bytes` of a conversation: the number of segmentations times
    /// the bytes, chunks and messages of each.
    fn work(&self, bytes: usize, of: Length) -> u64 {
        let n = bytes as u64;
        let (runs, cuts) = match self.cuts {
            Cuts::Coalesce => (1, 0),
            Cuts::EveryByte => (1, n),
            Cuts::OneCut => (n, 1),
            Cuts::AllPairs => (n.saturating_mul(n) / 2, 2),
            // The density of random cuts varies from rare to nearly everywhere.
            Cuts::Random { count, .. } => (count as u64, n / 4),
        };
        let whole =
            CHUNK_COST.saturating_mul(of.turns as u64).saturating_add(MESSAGE_COST.saturating_mul(of.messages as u64));
        let share = whole.saturating_mul(n) / (of.bytes as u64).max(1);
        runs.saturating_mul(n.saturating_add(share).saturating_add(CHUNK_COST.saturating_mul(cuts)))
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

    /// Returns the default limit of payload, in bytes.
    fn max(self) -> usize {
        match self {
            Self::AllPairs => 2 << 10,
            Self::OneCut => 16 << 10,
            Self::Random { .. } => 256 << 10,
            Self::EveryByte | Self::Coalesce => 4 << 20,
        }
    }

    /// Returns the family for conversations that are too long for this one.
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
            None => RANDOM_DEFAULT,
            Some(count) => count
                .parse()
                .ok()
                .filter(|count| (1..=RANDOM_MAX).contains(count))
                .ok_or_else(|| format!("the count is a number from 1 to {RANDOM_MAX}, as in random:7,1000"))?,
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
            Self::Random { seed, count } if *count == RANDOM_DEFAULT => write!(f, "random:{seed}"),
            Self::Random { seed, count } => write!(f, "random:{seed},{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_conversations_are_tried_under_weaker_cuts_with_larger_limits() {
        let one_message = Length { bytes: 10_000_000, turns: 1, messages: 1 };
        // A kilobyte of it is 85 turns and as many messages.
        let small_messages = Length { bytes: 60_000, turns: 5_000, messages: 5_000 };
        let short = Length { bytes: 10, turns: 2, messages: 2 };
        for (cuts, max, of, expected) in [
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
            let recut = Recut { cuts: cuts.parse().expect("cuts"), max, patience: Duration::ZERO };
            let extents: Vec<usize> = recut.stages().iter().map(|stage| stage.extent(of)).collect();
            assert_eq!(extents, expected, "{cuts} {max:?} {of:?}");
            assert!(recut.kept() >= extents.iter().copied().max().unwrap_or_default());
        }
    }

    #[test]
    fn cuts_are_written_in_the_syntax_they_are_read_in() {
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
