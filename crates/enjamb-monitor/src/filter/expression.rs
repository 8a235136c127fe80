//! The expression that a filter evaluates.

use enjamb::{AttributeArgument, AttributeValue, Flags, Time};
use regex::Regex;

use crate::field::Field;
use crate::record::{Record, Value};

/// An expression. Chains are flat, so the expression is nested only as deeply as its text.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    /// True if the record has the field.
    Has(Field),
    Number(Field, Order, u64),
    Time(Order, Time),
    /// A time of day, in nanoseconds since midnight.
    TimeOfDay(Order, u64),
    Text(Field, TextTest),
    Attribute(AttributeName, AttributeTest),
}

/// The name of an attribute, with its argument.
#[derive(Clone, Debug)]
pub(super) struct AttributeName {
    /// The name of the protocol that its messages carry.
    pub(super) protocol: String,
    pub(super) name: &'static str,
    pub(super) argument: OwnedArgument,
}

#[derive(Clone, Debug)]
pub(super) enum OwnedArgument {
    None,
    Text(String),
    Number(u64),
}

#[derive(Clone, Debug)]
pub(super) enum AttributeTest {
    /// True if the message has the attribute.
    Has,
    Number(Order, u64),
    Text(TextTest),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
pub(super) enum TextTest {
    Equal(String),
    Unequal(String),
    Contains(String),
    Matches(Regex),
}

const NANOS_PER_DAY: u64 = 86_400_000_000_000;

impl Expression {
    /// Returns whether the expression is true of `record`.
    pub(super) fn holds(&self, record: &Record<'_>) -> bool {
        match self {
            Self::All(terms) => terms.iter().all(|term| term.holds(record)),
            Self::Any(terms) => terms.iter().any(|term| term.holds(record)),
            Self::Not(term) => !term.holds(record),
            Self::Has(field) => record.get(*field).is_some(),
            Self::Number(field, order, number) => record.get(*field).is_some_and(|value| match value {
                Value::Number(value) => order.holds(&value, number),
                // A code that is not a number is neither small nor large.
                Value::Text(text) => text.parse().is_ok_and(|value: u64| order.holds(&value, number)),
                _ => false,
            }),
            Self::Time(order, time) => order.holds(&record.time(), time),
            Self::TimeOfDay(order, of_day) => order.holds(&(record.time().nanos() % NANOS_PER_DAY), of_day),
            Self::Text(field, test) => record.get(*field).is_some_and(|value| match value {
                Value::Word(word) => test.holds(word),
                Value::Text(text) => test.holds(text),
                Value::Flags(flags) => test.holds_for_any(flags),
                Value::Address(_) | Value::Line(_) => test.holds(&value.to_string()),
                _ => false,
            }),
            Self::Attribute(name, test) => name.value(record).is_some_and(|value| test.holds(&value)),
        }
    }

    /// Returns whether it contains an attribute.
    pub(super) fn has_attributes(&self) -> bool {
        match self {
            Self::All(terms) | Self::Any(terms) => terms.iter().any(Self::has_attributes),
            Self::Not(term) => term.has_attributes(),
            Self::Attribute(..) => true,
            Self::Has(_) | Self::Number(..) | Self::Time(..) | Self::TimeOfDay(..) | Self::Text(..) => false,
        }
    }
}

impl AttributeName {
    fn value<'r>(&self, record: &'r Record<'_>) -> Option<AttributeValue<'r>> {
        let Record::Message { message, .. } = record else { return None };
        if message.protocol != self.protocol {
            return None;
        }
        let argument = match &self.argument {
            OwnedArgument::None => AttributeArgument::None,
            OwnedArgument::Text(text) => AttributeArgument::Text(text),
            OwnedArgument::Number(number) => AttributeArgument::Number(*number),
        };
        message.attributes.get(self.name, argument)
    }
}

impl AttributeTest {
    fn holds(&self, value: &AttributeValue<'_>) -> bool {
        match (self, value) {
            (Self::Has, _) => true,
            (Self::Number(order, number), AttributeValue::Number(value)) => order.holds(value, number),
            // A text that is not a number is neither small nor large.
            (Self::Number(order, number), AttributeValue::Text(text)) => {
                text.parse().is_ok_and(|value: u64| order.holds(&value, number))
            }
            (Self::Text(test), AttributeValue::Text(text)) => test.holds(text),
            (Self::Text(test), AttributeValue::Beginning(text)) => test.holds_for_beginning(text),
            _ => false,
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
    /// Returns whether the test holds for one of the names. `!=` holds if `==` does not.
    fn holds_for_any(&self, flags: Flags<'_>) -> bool {
        match self {
            Self::Unequal(name) => !flags.contains(name),
            _ => flags.names().any(|name| self.holds(name)),
        }
    }

    /// Returns whether the test holds for a text of which only the beginning is known. A
    /// text in a filter is not compared with the part that is unknown.
    fn holds_for_beginning(&self, text: &str) -> bool {
        match self {
            Self::Equal(_) => false,
            Self::Unequal(_) => true,
            Self::Contains(_) | Self::Matches(_) => self.holds(text),
        }
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equal(other) => text == other,
            Self::Unequal(other) => text != other,
            Self::Contains(part) => text.contains(part.as_str()),
            Self::Matches(regex) => regex.is_match(text),
        }
    }
}
