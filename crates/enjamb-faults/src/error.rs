//! Errors in the description of a fault.

use crate::effect_type::{EFFECT_TYPES, EffectType, Unit};

/// The reason why a fault is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// There is no such type.
    #[error("there is no fault `{0}`; there are {list}", list = types())]
    NoType(String),
    /// The type has no such attribute.
    #[error("`{effect}` has no attribute `{name}`; it has {list}", list = attributes(.effect))]
    NoAttribute {
        /// The type.
        effect: &'static str,
        /// The name that was given.
        name: String,
    },
    /// A value is not of the attribute's unit.
    #[error("`{name}` is {}", describe(.unit))]
    WrongValue {
        /// The attribute.
        name: &'static str,
        /// Its unit.
        unit: Unit,
    },
    /// A percentage is more than 100.
    #[error("`percent` is at most 100, not {0}")]
    Percent(u64),
    /// A number that counts from 1 is 0.
    #[error("`{name}` counts from 1")]
    Zero {
        /// The attribute.
        name: &'static str,
    },
    /// A probability is not between 0 and 1.
    #[error("a probability is a number from 0 to 1")]
    Probability,
    /// A part is not `NAME=VALUE`.
    #[error("`{0}` is not NAME=VALUE")]
    NoPair(String),
    /// A side has another name.
    #[error("`side` is `client` or `server`")]
    Side,
    /// A time has no unit, or is none.
    #[error("`{name}` is a time with a unit, such as 250ms or 2s")]
    Time {
        /// The attribute.
        name: &'static str,
    },
    /// An expression cannot be compiled.
    #[error("match: {0}")]
    Expression(String),
    /// There are two faults with this name.
    #[error("there is a fault `{0}` already")]
    Exists(String),
    /// There is no fault with this name.
    #[error("there is no fault `{0}`")]
    Missing(String),
    /// There are as many faults as there may be.
    #[error("there are {0} faults already, which is the limit")]
    TooMany(usize),
    /// A name is empty or too long.
    #[error("a name has 1 to {0} characters")]
    Name(usize),
}

fn types() -> String {
    let names: Vec<_> = EFFECT_TYPES.iter().map(|effect| effect.name).collect();
    names.join(", ")
}

fn attributes(effect: &str) -> String {
    let names: Vec<_> = EffectType::named(effect)
        .into_iter()
        .flat_map(EffectType::all_attributes)
        .map(|attribute| attribute.name)
        .collect();
    names.join(", ")
}

fn describe(unit: &Unit) -> String {
    match unit {
        Unit::Milliseconds => "a number of milliseconds".to_owned(),
        Unit::Microseconds => "a number of microseconds".to_owned(),
        Unit::KilobytesPerSecond => "a number of KB a second".to_owned(),
        Unit::Bytes => "a number of bytes".to_owned(),
        Unit::Count => "a whole number".to_owned(),
        Unit::Word(words) => format!("one of: {}", words.join(", ")),
        Unit::Expression => "a filter expression".to_owned(),
    }
}
