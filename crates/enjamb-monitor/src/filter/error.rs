//! Errors in the text of a filter.

use std::fmt;

use crate::field::Field;

/// An error in the text of a filter, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    at: usize,
    reason: String,
    /// A line that lists what could be there instead.
    choices: Option<String>,
}

impl FilterError {
    /// An error at byte `at` of `text`.
    pub(super) fn new(text: &str, at: usize, reason: impl Into<String>) -> Self {
        Self { text: text.to_owned(), at, reason: reason.into(), choices: None }
    }

    /// Adds a list of all fields to the message.
    pub(super) fn listing_fields(self) -> Self {
        let fields = Field::ALL.into_iter().filter(|field| field.is_filterable());
        let names = fields.map(Field::name).collect::<Vec<_>>().join(", ");
        self.listing(format!("The fields are: {names}"))
    }

    /// Adds a line that lists what could be there instead.
    pub(super) fn listing(self, choices: String) -> Self {
        Self { choices: Some(choices), ..self }
    }

    /// Returns the place of the error, in bytes from the beginning of the text.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On one line, and one column for each character, so that the caret is in the right place.
        let shown = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let column = self.text[..self.at].chars().count();
        writeln!(f, "{}", self.reason)?;
        writeln!(f, "  {}", shown(&self.text))?;
        write!(f, "  {:column$}^", "")?;
        if let Some(choices) = &self.choices {
            write!(f, "\n{choices}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FilterError {}
