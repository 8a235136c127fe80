//! Filters: an expression over the fields of a record selects records.
//!
//! ```text
//! expression = conjunction { "||" conjunction }
//! conjunction = term { "&&" term }
//! term       = "!" term | "(" expression ")" | (FIELD | attribute) [comparison]
//! attribute  = PROTOCOL "." NAME [ "(" (NUMBER | string) ")" ]
//! comparison = ("==" | "!=" | "<" | "<=" | ">" | ">=") value | "=~" string | "contains" string
//! value      = NUMBER [unit] | string
//! unit       = "ns" | "us" | "ms" | "s" | "m" | "h"  for a field in microseconds, which is also the unit of a bare number
//!            | "k" | "M" | "G"                       for a field in bytes: powers of 1024
//! string     = '"' ... '"'                           \" \\ \n \r \t \xNN; after =~ a regular expression, where only \" is an escape of the string
//! ```
//!
//! The units are those of [`enjamb::units`]. Rules:
//!
//! * The fields are those of `docs/records.md`. A comparison is false for a record that does not
//!   have the field: `code != "404"` selects messages that have another code, `!(code == "404")`
//!   also those that have none. A field alone selects the records that have it.
//! * `==` and `!=` compare whole texts, byte by byte; `contains` looks for a part; `=~` looks for a
//!   match of a regular expression, in the syntax of the crate `regex`, which takes time linear in
//!   the text.
//! * Numbers and times are compared by size. `time` is compared with an RFC 3339 time, or with a
//!   time of day in UTC, as the text form of records shows it: `time >= "21:24:00"`.
//! * `code` is text. If it is a number, it can be compared with a number: `code >= 400`.
//! * An attribute is a part of a message: `http.path`, `http.header("user-agent")`. Its protocol
//!   describes it. It is compared like a field of its type. A message of another protocol does not
//!   have it. A text that is a number can be compared with a number, as a code can.
//! * `&&` binds closer than `||`, and `!` closest.
//!
//! A wrong expression is refused with a caret under the error.

mod error;
mod expression;
mod parse;

use enjamb::AttributeSet;

pub use self::error::FilterError;
use self::expression::Expression;
use crate::record::Record;

/// An expression over the fields of a record.
///
/// ```
/// use enjamb_monitor::Filter;
///
/// assert!(Filter::parse("kind == \"GET\" && latency_us > 1.5ms").is_ok());
/// let error = Filter::parse("kind == \"GET\" && latency > 1000").unwrap_err();
/// assert_eq!(error.at(), 17);
/// ```
#[derive(Clone, Debug)]
pub struct Filter(Expression);

impl Filter {
    /// Parses an expression over the fields of records.
    ///
    /// # Errors
    /// A [`FilterError`] with the place of the error.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Self::parse_with(text, &[])
    }

    /// Parses an expression that may also name attributes of these protocols.
    ///
    /// # Errors
    /// A [`FilterError`] with the place of the error.
    pub fn parse_with(text: &str, protocols: &[AttributeSet<'_>]) -> Result<Self, FilterError> {
        parse::parse(text, protocols).map(Self)
    }

    /// Returns whether the filter names an attribute. Then the sessions must
    /// [keep attributes](enjamb::Session::keep_attributes).
    #[must_use]
    pub fn has_attributes(&self) -> bool {
        self.0.has_attributes()
    }

    /// Returns whether the expression is true of `record`.
    #[must_use]
    pub fn matches(&self, record: &Record<'_>) -> bool {
        self.0.holds(record)
    }
}
