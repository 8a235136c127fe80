//! The arguments of `--recut`.

use std::time::Duration;

use clap::Args;
use enjamb_sources::arguments::{duration_within, size_within};

use crate::output_arguments::OutputFormat;
use crate::recut::cuts::{Cuts, Recut};

/// The shortest and the longest `--hung-after`.
const HUNG_AFTER_MIN: Duration = Duration::from_millis(10);
const HUNG_AFTER_MAX: Duration = Duration::from_secs(86_400);

/// The largest `--recut-max`, in bytes.
const RECUT_BYTES_MAX: usize = 512 << 20;

/// The cuts under which conversations are replayed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Other cuts")]
pub(crate) struct RecutArguments {
    /// Replay each conversation under other cuts than the captured ones, and compare the messages:
    /// every-byte, coalesce, one-cut, all-two-cuts, random:SEED[,COUNT]. Exits with 1 if messages
    /// differ or a session fails. Writes a comparison as text or jsonl, and no records.
    #[arg(long, value_name = "CUTS", conflicts_with_all = RECORDS)]
    recut: Option<Cuts>,

    /// The number of bytes from the beginning of each conversation that are replayed under the cuts
    /// of --recut, however long that takes. A longer conversation is also replayed under weaker
    /// cuts. [default: as much as takes a few seconds, at most 2k for all-two-cuts, 16k for
    /// one-cut, 256k for random, 4M for the others]
    #[arg(long, value_parser = |text: &str| size_within(text, &(1..=RECUT_BYTES_MAX)), value_name = "SIZE", requires = "recut")]
    recut_max: Option<usize>,

    /// The time that a session may take for one conversation under one family of cuts, before it
    /// counts as hung: 20, 20s, 500ms. A bare number is seconds.
    #[arg(long, value_name = "TIME", default_value = "20s", requires = "recut",
        value_parser = |text: &str| duration_within(text, &(HUNG_AFTER_MIN..=HUNG_AFTER_MAX)))]
    hung_after: Duration,
}

/// The options for records. A comparison has none.
const RECORDS: [&str; 8] = ["summary", "strict", "html", "filter", "side", "show", "color", "count"];

impl RecutArguments {
    /// Returns whether `--recut` is given.
    pub(crate) fn is_requested(&self) -> bool {
        self.recut.is_some()
    }

    /// Returns the reason why `--recut` contradicts the format, if it does.
    pub(crate) fn contradiction(&self, format: OutputFormat) -> Option<&'static str> {
        let is_written = matches!(format, OutputFormat::Text | OutputFormat::Jsonl);
        (self.is_requested() && !is_written).then_some("--recut writes a comparison: --format is text or jsonl")
    }

    /// Returns the requested cuts, if there are any.
    pub(crate) fn recut(&self) -> Option<Recut> {
        let cuts = self.recut?;
        Some(Recut { cuts, patience: self.hung_after, max: self.recut_max })
    }
}
