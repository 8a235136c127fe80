//! The error of a spec file.

use std::fmt;
use std::ops::Range;

/// The longest part of a line that an error shows, in characters.
const SHOWN_MAX: usize = 100;

/// The error of a text that is not a spec file: the place, the reason, the line with a caret under
/// the wrong words, and often a remedy.
///
/// ```
/// use enjamb_protocols::SpecFile;
///
/// let error = SpecFile::parse("name = \"meter\"\nprots = [1]\n").unwrap_err();
/// assert_eq!((error.line(), error.column()), (2, 1));
/// assert_eq!(
///     error.to_string(),
///     "2:1: a spec has no key \"prots\"\n  prots = [1]\n  ^^^^^\ndid you mean \"ports\"?"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecFileError {
    line: usize,
    column: usize,
    reason: String,
    shown: String,
    /// The place of the caret in `shown`, and its width, in characters.
    caret: (usize, usize),
    remedy: Option<String>,
}

impl SpecFileError {
    pub(super) fn new(text: &str, span: Range<usize>, reason: impl Into<String>) -> Self {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_text = text[line_start..].lines().next().unwrap_or_default();
        let column = text[line_start..start].chars().count();
        let mut end = span.end.clamp(start, (line_start + line_text.len()).max(start));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let width = text[start..end].chars().count().max(1);
        // A long line is shown from shortly before the place.
        let skipped = if column + width.min(SHOWN_MAX / 2) > SHOWN_MAX { column - SHOWN_MAX / 4 } else { 0 };
        let shown: String = line_text
            .chars()
            .skip(skipped)
            .take(SHOWN_MAX)
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let width = width.min(shown.chars().count().saturating_sub(column - skipped).max(1));
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: column + 1,
            reason: reason.into(),
            shown,
            caret: (column - skipped, width),
            remedy: None,
        }
    }

    /// Adds the way out.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// Moves it to another place in the text.
    pub(super) fn at(self, text: &str, span: Range<usize>) -> Self {
        Self { remedy: self.remedy, ..Self::new(text, span, self.reason) }
    }

    /// Returns the line of the error. The first one is 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the column of the error, in characters. The first one is 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns the reason, without the place and the remedy.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for SpecFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, width) = self.caret;
        writeln!(f, "{}:{}: {}", self.line, self.column, self.reason)?;
        writeln!(f, "  {}", self.shown)?;
        write!(f, "  {:at$}{:^<width$}", "", "")?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SpecFileError {}
