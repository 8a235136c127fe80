//! The choice of the messages that a fault concerns.

use std::sync::Arc;

use enjamb::{Connection, Message};

use crate::effect_type::Value;

/// The messages that a fault concerns. Without a condition, all of its side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Select {
    /// Only the message with this number, counted from 1 on each connection.
    pub message: Option<u64>,
    /// Only every n-th message.
    pub every: Option<u64>,
    /// Only so many of a hundred messages, chosen at random.
    pub percent: u8,
    /// Only messages for which this expression is true. The numbers above count these.
    pub expression: Option<String>,
}

impl Default for Select {
    fn default() -> Self {
        Self { message: None, every: None, percent: 100, expression: None }
    }
}

impl Select {
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        match name {
            "message" => self.message.map(Value::Number),
            "every" => self.every.map(Value::Number),
            "percent" => Some(Value::Number(self.percent.into())),
            "match" => self.expression.clone().map(Value::Text),
            _ => None,
        }
    }
}

/// A compiled expression: whether it is true of a message.
pub type MessageTest = Arc<dyn Fn(&Connection, &Message<'_>) -> bool + Send + Sync>;

/// The progress of a choice on one connection.
pub(crate) struct Selection {
    select: Select,
    test: Option<MessageTest>,
    /// The messages so far for which the expression was true.
    matching: u64,
    random: fastrand::Rng,
}

impl Selection {
    pub(crate) fn new(select: Select, test: Option<MessageTest>, random: fastrand::Rng) -> Self {
        Self { select, test, matching: 0, random }
    }

    /// Returns whether the next message is selected.
    pub(crate) fn selects(&mut self, connection: &Connection, message: &Message<'_>) -> bool {
        if self.test.as_ref().is_some_and(|test| !test(connection, message)) {
            return false;
        }
        self.matching += 1;
        let Select { message, every, percent, .. } = self.select;
        // Drawn for every message, so that the choice of one does not depend on the numbers.
        let is_drawn = percent == 100 || self.random.u8(0..100) < percent;
        let is_numbered = message.is_none_or(|number| self.matching == number);
        is_numbered && every.is_none_or(|every| self.matching.is_multiple_of(every)) && is_drawn
    }
}
