//! The report of `enjamb corpus extract`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::arguments::ExtractArguments;
use crate::conversations::LostConversation;
use crate::pieces::LeftOut;

/// The number of entries of a list that are named.
const NAMED_MAX: usize = 10;

/// The counts of an extraction.
pub(crate) struct ExtractReport {
    pub(crate) conversations: u64,
    pub(crate) pieces: u64,
    pub(crate) signatures: u64,
    /// The number of pieces with the signature of another.
    pub(crate) same: u64,
    /// The number of signatures that were chosen to be written.
    pub(crate) chosen: u64,
    /// The number of signatures beyond a limit.
    pub(crate) beyond: u64,
    /// The number of files that were written.
    pub(crate) written: u64,
    /// The number of files that existed.
    pub(crate) existing: u64,
    pub(crate) left_out: LeftOut,
    /// The kinds of messages that are in the captures and in none of the files.
    pub(crate) missing: BTreeSet<String>,
    pub(crate) lost: Vec<LostConversation>,
    /// The number of conversations that were not tried.
    pub(crate) not_tried: u64,
}

impl ExtractReport {
    /// Returns the report for people. `program` is the name of the program in hints.
    pub(crate) fn to_text(&self, arguments: &ExtractArguments, program: &str) -> String {
        let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let folder = arguments.out.display();
        let mut text = format!(
            "{}, {} with messages of their own, {}: {} written to {folder}\n",
            counted(self.conversations, "conversation"),
            counted(self.pieces, "piece"),
            counted(self.signatures, "signature"),
            counted(self.written, "file"),
        );
        let LeftOut { silent, large, dependent, unknown } = self.left_out;
        let max = arguments.max_size;
        for (count, noun, description) in [
            (self.same, "piece", "with the signature of another one, which is smaller".to_owned()),
            (
                self.signatures - self.chosen,
                "signature",
                "whose steps all occur in smaller transcripts: --all writes these too".to_owned(),
            ),
            (self.existing, "file", "that existed, and was not changed".to_owned()),
            (self.beyond, "signature", "beyond the limit: --max-files takes more".to_owned()),
            (silent, "conversation", "without a byte".to_owned()),
            (large, "part", format!("with more than {max} bytes between two idle moments: --max-size takes more")),
            (
                dependent,
                "piece",
                "left out because its messages depend on what came before: a larger --max-size keeps them together"
                    .to_owned(),
            ),
            (unknown, "conversation", "of no known protocol: --protocol names one".to_owned()),
            (self.not_tried, "conversation", "not tried, because too many sessions failed".to_owned()),
        ] {
            if count > 0 {
                let _ = writeln!(text, "  {} {description}", counted(count, noun));
            }
        }
        if !self.missing.is_empty() {
            let kinds = counted(self.missing.len() as u64, "kind");
            let _ = writeln!(text, "  {kinds} of message in the captures but in none of the files:");
            list(&mut text, self.missing.iter().map(String::as_str));
        }
        if !self.lost.is_empty() {
            let lost = counted(self.lost.len() as u64, "conversation");
            let hint = format!("`{program} replay --recut coalesce` shows the input");
            let _ = writeln!(text, "  {lost} left out where the session failed; {hint}:");
            list(&mut text, self.lost.iter().map(|LostConversation { title, reason }| format!("{title}: {reason}")));
        }
        text
    }
}

/// Adds the first entries of a list, a line each, and the number of the others.
fn list(text: &mut String, entries: impl ExactSizeIterator<Item = impl std::fmt::Display>) {
    let more = entries.len().saturating_sub(NAMED_MAX);
    for entry in entries.take(NAMED_MAX) {
        let _ = writeln!(text, "    {entry}");
    }
    if more > 0 {
        let _ = writeln!(text, "    and {more} more");
    }
}
