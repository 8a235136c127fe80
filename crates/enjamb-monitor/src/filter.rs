//! Which records are wanted: an expression over the fields of a record.
//!
//! ```text
//! expression = conjunction { "||" conjunction }
//! conjunction = term { "&&" term }
//! term       = "!" term | "(" expression ")" | FIELD [comparison]
//! comparison = ("==" | "!=" | "<" | "<=" | ">" | ">=") value | "=~" string | "contains" string
//! value      = NUMBER [unit] | string
//! unit       = "us" | "ms" | "s" | "min" | "h"       of a field in microseconds
//!            | "k" | "M" | "G"                       of a field in bytes: powers of 1024
//! string     = '"' ... '"'                           \" \\ \n \r \t \xNN; of =~ a regular expression, where only \" is not its own
//! ```
//!
//! What it means:
//!
//! * A field is what `docs/records.md` says. A record that does not have it compares false, whatever the comparison: `code != "404"` is a message that has
//!   another code, `!(code == "404")` also one that has none. A field by itself asks whether the record has it.
//! * Text is compared whole, byte by byte, with `==` and `!=`; `contains` looks for a part of it; `=~` for a place where the regular expression
//!   matches, in the syntax of the crate `regex`, which takes time linear in the text.
//! * Numbers and times are compared by size. `time` is compared with a time as RFC 3339 has it, or with a time of day in UTC, as the text form of records has
//!   it: `time >= "21:24:00"`.
//! * `code` is text, and where it is a number it is compared with a number by size: `code >= 400`.
//! * `&&` binds closer than `||`, and `!` closest.
//!
//! A wrong expression is refused with a caret under the character at fault.

mod parse;

use std::fmt;

use enjamb::Time;
use regex::Regex;

use crate::field::Field;
use crate::record::{Record, Value};

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

/// An expression. Chains are flat, so it is nested only as deeply as its text.
#[derive(Clone, Debug)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    /// Does the record have the field?
    Has(Field),
    Number(Field, Order, u64),
    /// A time, or a time of day in nanoseconds since midnight.
    Time(Order, Time),
    TimeOfDay(Order, u64),
    Text(Field, TextTest),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
enum TextTest {
    Equal(String),
    Unequal(String),
    Contains(String),
    Matches(Regex),
}

const NANOS_PER_DAY: u64 = 86_400_000_000_000;

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`FilterError`], with the place at fault.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(Self)
    }

    /// Is this record wanted?
    #[must_use]
    pub fn matches(&self, record: &Record<'_>) -> bool {
        self.0.holds(record)
    }
}

impl Expression {
    fn holds(&self, record: &Record<'_>) -> bool {
        match self {
            Self::All(terms) => terms.iter().all(|term| term.holds(record)),
            Self::Any(terms) => terms.iter().any(|term| term.holds(record)),
            Self::Not(term) => !term.holds(record),
            Self::Has(field) => record.get(*field).is_some(),
            Self::Number(field, order, number) => record.get(*field).is_some_and(|value| match value {
                Value::Number(value) => order.holds(&value, number),
                // A code that is no number is not a small nor a large one.
                Value::Text(text) => text.parse().is_ok_and(|value: u64| order.holds(&value, number)),
                _ => false,
            }),
            Self::Time(order, time) => order.holds(&record.time(), time),
            Self::TimeOfDay(order, of_day) => order.holds(&(record.time().nanos() % NANOS_PER_DAY), of_day),
            Self::Text(field, test) => record.get(*field).is_some_and(|value| match value {
                Value::Text(text) => test.holds(text),
                Value::Display(display) => test.holds(&display.to_string()),
                _ => false,
            }),
        }
    }
}

impl Order {
    fn holds<T: Ord>(self, value: &T, other: &T) -> bool {
        match self {
            Self::Equal => value == other,
            Self::Unequal => value != other,
            Self::Less => value < other,
            Self::LessOrEqual => value <= other,
            Self::Greater => value > other,
            Self::GreaterOrEqual => value >= other,
        }
    }
}

impl TextTest {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equal(other) => text == other,
            Self::Unequal(other) => text != other,
            Self::Contains(part) => text.contains(part.as_str()),
            Self::Matches(regex) => regex.is_match(text),
        }
    }
}

/// A text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    at: usize,
    what: String,
    /// The fault is a field, so they are listed.
    list_fields: bool,
}

impl FilterError {
    /// The byte of the text at fault.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On one line, and a character a column, so that the caret stands where it should.
        let shown = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let column = self.text[..self.at].chars().count();
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {}", shown(&self.text))?;
        write!(f, "  {:column$}^", "")?;
        if self.list_fields {
            let names = parse::fields().map(Field::name).collect::<Vec<_>>().join(", ");
            write!(f, "\nA field is one of: {names}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FilterError {}
