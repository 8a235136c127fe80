//! The effects of faults, with their attributes as typed values.

use std::time::Duration;

use crate::effect_type::{Attribute, EFFECT_TYPES, EffectType, Unit, Value};
use crate::error::FaultError;
use crate::select::Select;

/// What a fault does to the stream of a side.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Delivers everything later, in order.
    Latency {
        /// The delay.
        latency: Duration,
        /// The delay varies by up to this time, in both directions.
        jitter: Duration,
    },
    /// Limits the bandwidth.
    Bandwidth {
        /// Bytes a second. 0: no limit.
        rate: u64,
    },
    /// Delays the end of the stream.
    SlowClose {
        /// The delay.
        delay: Duration,
    },
    /// Drops all bytes.
    Timeout {
        /// The connection is closed after this time without a byte. Zero: never.
        timeout: Duration,
    },
    /// Drops all bytes, and resets the connection.
    ResetPeer {
        /// The time between the first bytes and the reset.
        timeout: Duration,
    },
    /// Cuts the stream into small segments.
    Slicer {
        /// The average size of a segment, in bytes.
        average_size: u64,
        /// The size varies by up to this number of bytes.
        size_variation: u64,
        /// The time between segments.
        delay: Duration,
    },
    /// Closes the connection after a number of bytes.
    LimitData {
        /// The number of bytes that are delivered.
        bytes: u64,
    },
    /// Cuts the stream.
    Recut {
        /// The places of the cuts.
        cuts: Cuts,
        /// The largest segment of random cuts, in bytes.
        size: u64,
    },
    /// Holds bytes back, and delivers them together.
    Coalesce {
        /// The longest time for which a byte is held back.
        time: Duration,
        /// The number of bytes that are delivered at once, even if the time is not over.
        bytes: u64,
    },
    /// Changes a byte of messages.
    Corrupt {
        /// The part that is changed.
        part: Part,
        /// The messages.
        select: Select,
    },
    /// Drops messages.
    Drop {
        /// The messages.
        select: Select,
    },
    /// Delivers messages twice.
    Duplicate {
        /// The messages.
        select: Select,
    },
    /// Delivers messages later, and what comes behind them too.
    Delay {
        /// The delay.
        delay: Duration,
        /// The messages.
        select: Select,
    },
    /// Ends the connection inside a message.
    Cut {
        /// The number of bytes of the message that are delivered. `None`: a random number, at least
        /// one and not all.
        at: Option<u64>,
        /// Whether the connection is reset. Otherwise it is closed.
        resets: bool,
        /// The messages.
        select: Select,
    },
}

/// The places where a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cuts {
    /// Behind every byte.
    Bytes,
    /// Before the last byte of each message, behind it, and behind the first byte of the next.
    Edges,
    /// At random places.
    Random,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Any byte.
    Byte,
    /// A number that gives the length of the message or of its end.
    Length,
    /// The byte that ends it.
    Terminator,
}

/// The values of attributes that were given.
#[derive(Clone, Debug, Default)]
pub struct Values(Vec<(&'static Attribute, Value)>);

impl Values {
    /// Sets an attribute of a type.
    ///
    /// # Errors
    /// The type has no such attribute, or the value is not one of its words.
    pub fn set(&mut self, effect: &EffectType, name: &str, value: Value) -> Result<(), FaultError> {
        let Some(attribute) = effect.all_attributes().find(|attribute| attribute.name == name) else {
            return Err(FaultError::NoAttribute { effect: effect.name, name: name.to_owned() });
        };
        let fits = match (attribute.unit, &value) {
            (Unit::Word(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Unit::Expression, Value::Text(_)) => true,
            (Unit::Word(_) | Unit::Expression, Value::Number(_)) | (_, Value::Text(_)) => false,
            (_, Value::Number(_)) => true,
        };
        if !fits {
            return Err(FaultError::WrongValue { name: attribute.name, unit: attribute.unit });
        }
        self.0.retain(|(given, _)| given.name != name);
        self.0.push((attribute, value));
        Ok(())
    }

    fn number(&self, effect: &EffectType, name: &str) -> Option<u64> {
        let given = self.0.iter().find(|(attribute, _)| attribute.name == name);
        match given {
            Some((_, Value::Number(number))) => Some(*number),
            _ => effect.all_attributes().find(|attribute| attribute.name == name)?.default,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(attribute, value)| match value {
            Value::Text(text) if attribute.name == name => Some(text.as_str()),
            _ => None,
        })
    }
}

impl Effect {
    /// Makes an effect from its type and its attributes. Attributes that are not given have their
    /// defaults.
    ///
    /// # Errors
    /// A value is impossible.
    pub fn new(effect: &EffectType, values: &Values) -> Result<Self, FaultError> {
        let number = |name| values.number(effect, name).unwrap_or(0);
        let millis = |name| Duration::from_millis(number(name));
        let select = if effect.selects {
            let percent = number("percent");
            if percent > 100 {
                return Err(FaultError::Percent(percent));
            }
            for name in ["message", "every"] {
                if values.number(effect, name) == Some(0) {
                    return Err(FaultError::Zero { name });
                }
            }
            Select {
                message: values.number(effect, "message"),
                every: values.number(effect, "every"),
                percent: percent as u8,
                expression: values.text("match").filter(|text| !text.trim().is_empty()).map(str::to_owned),
            }
        } else {
            Select::default()
        };
        Ok(match effect.name {
            "latency" => Self::Latency { latency: millis("latency"), jitter: millis("jitter") },
            "bandwidth" => Self::Bandwidth { rate: number("rate").saturating_mul(1000) },
            "slow_close" => Self::SlowClose { delay: millis("delay") },
            "timeout" => Self::Timeout { timeout: millis("timeout") },
            "reset_peer" => Self::ResetPeer { timeout: millis("timeout") },
            "slicer" => Self::Slicer {
                average_size: number("average_size"),
                size_variation: number("size_variation"),
                delay: Duration::from_micros(number("delay")),
            },
            "limit_data" => Self::LimitData { bytes: number("bytes") },
            "recut" => {
                let cuts = match values.text("cuts") {
                    Some("edges") => Cuts::Edges,
                    Some("random") => Cuts::Random,
                    _ => Cuts::Bytes,
                };
                Self::Recut { cuts, size: number("size") }
            }
            "coalesce" => Self::Coalesce { time: millis("time"), bytes: number("bytes") },
            "corrupt" => {
                let part = match values.text("part") {
                    Some("length") => Part::Length,
                    Some("terminator") => Part::Terminator,
                    _ => Part::Byte,
                };
                Self::Corrupt { part, select }
            }
            "drop" => Self::Drop { select },
            "duplicate" => Self::Duplicate { select },
            "delay" => Self::Delay { delay: millis("delay"), select },
            _ => {
                let resets = values.text("ending") != Some("close");
                Self::Cut { at: values.number(effect, "at"), resets, select }
            }
        })
    }

    /// Returns the description of its type.
    #[must_use]
    pub fn effect_type(&self) -> &'static EffectType {
        let name = match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::SlowClose { .. } => "slow_close",
            Self::Timeout { .. } => "timeout",
            Self::ResetPeer { .. } => "reset_peer",
            Self::Slicer { .. } => "slicer",
            Self::LimitData { .. } => "limit_data",
            Self::Recut { .. } => "recut",
            Self::Coalesce { .. } => "coalesce",
            Self::Corrupt { .. } => "corrupt",
            Self::Drop { .. } => "drop",
            Self::Duplicate { .. } => "duplicate",
            Self::Delay { .. } => "delay",
            Self::Cut { .. } => "cut",
        };
        // The table has all of them; a test makes sure.
        EFFECT_TYPES.iter().find(|effect| effect.name == name).unwrap_or(&EFFECT_TYPES[0])
    }

    /// Returns the attributes that have a value, in the order of the table, each in its unit.
    #[must_use]
    pub fn values(&self) -> Vec<(&'static Attribute, Value)> {
        let millis = |time: &Duration| Some(Value::Number(time.as_millis() as u64));
        let word = |word: &str| Some(Value::Text(word.to_owned()));
        let value = |name: &str| match (self, name) {
            (Self::Latency { latency, .. }, "latency") => millis(latency),
            (Self::Latency { jitter, .. }, "jitter") => millis(jitter),
            (Self::Bandwidth { rate }, "rate") => Some(Value::Number(rate / 1000)),
            (Self::SlowClose { delay } | Self::Delay { delay, .. }, "delay") => millis(delay),
            (Self::Timeout { timeout } | Self::ResetPeer { timeout }, "timeout") => millis(timeout),
            (Self::Slicer { average_size, .. }, "average_size") => Some(Value::Number(*average_size)),
            (Self::Slicer { size_variation, .. }, "size_variation") => Some(Value::Number(*size_variation)),
            (Self::Slicer { delay, .. }, "delay") => Some(Value::Number(delay.as_micros() as u64)),
            (Self::LimitData { bytes } | Self::Coalesce { bytes, .. }, "bytes") => Some(Value::Number(*bytes)),
            (Self::Recut { cuts, .. }, "cuts") => word(match cuts {
                Cuts::Bytes => "bytes",
                Cuts::Edges => "edges",
                Cuts::Random => "random",
            }),
            (Self::Recut { size, .. }, "size") => Some(Value::Number(*size)),
            (Self::Coalesce { time, .. }, "time") => millis(time),
            (Self::Corrupt { part, .. }, "part") => word(match part {
                Part::Byte => "byte",
                Part::Length => "length",
                Part::Terminator => "terminator",
            }),
            (Self::Cut { at, .. }, "at") => at.map(Value::Number),
            (Self::Cut { resets, .. }, "ending") => word(if *resets { "reset" } else { "close" }),
            _ => self.select().and_then(|select| select.value(name)),
        };
        self.effect_type()
            .all_attributes()
            .filter_map(|attribute| value(attribute.name).map(|value| (attribute, value)))
            .collect()
    }

    /// Returns the messages that it concerns, if it concerns messages.
    #[must_use]
    pub fn select(&self) -> Option<&Select> {
        match self {
            Self::Corrupt { select, .. }
            | Self::Drop { select }
            | Self::Duplicate { select }
            | Self::Delay { select, .. }
            | Self::Cut { select, .. } => Some(select),
            _ => None,
        }
    }

    /// Returns whether it must know where messages end. Then bytes are held back until their
    /// message is whole.
    #[must_use]
    pub fn needs_messages(&self) -> bool {
        matches!(self, Self::Recut { cuts: Cuts::Edges, .. }) || self.select().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_table_makes_its_effect_and_gives_its_values_back() {
        for effect in EFFECT_TYPES {
            let mut values = Values::default();
            for (at, attribute) in effect.all_attributes().enumerate() {
                let value = match attribute.unit {
                    Unit::Word(words) => Value::Text((*words.last().unwrap()).to_owned()),
                    Unit::Expression => Value::Text("kind == \"GET\"".to_owned()),
                    _ => Value::Number(at as u64 + 3),
                };
                values.set(effect, attribute.name, value).unwrap();
            }
            let made = Effect::new(effect, &values).unwrap();
            assert_eq!(made.effect_type().name, effect.name);
            let given: Vec<_> = values.0.iter().map(|(attribute, value)| (attribute.name, value.clone())).collect();
            let back: Vec<_> = made.values().into_iter().map(|(attribute, value)| (attribute.name, value)).collect();
            assert_eq!(back, given);
            assert_eq!(
                made.needs_messages(),
                effect.selects || effect.name == "recut" && back[0].1 == Value::Text("edges".to_owned())
            );
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let drop = EffectType::named("drop").unwrap();
        let mut values = Values::default();
        assert!(values.set(drop, "latency", Value::Number(1)).is_err());
        assert!(values.set(drop, "message", Value::Text("x".to_owned())).is_err());
        values.set(drop, "percent", Value::Number(101)).unwrap();
        assert!(Effect::new(drop, &values).is_err());
        values.set(drop, "percent", Value::Number(1)).unwrap();
        values.set(drop, "every", Value::Number(0)).unwrap();
        assert!(Effect::new(drop, &values).is_err());
        let recut = EffectType::named("recut").unwrap();
        assert!(Values::default().set(recut, "cuts", Value::Text("everywhere".to_owned())).is_err());
    }
}
