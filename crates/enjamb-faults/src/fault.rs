//! Faults as data, and their form on a command line.

use std::time::Duration;

use enjamb::Side;
use enjamb::units::{parse_duration, parse_size};

use crate::effect::{Effect, Values};
use crate::effect_type::{Attribute, EffectType, Unit, Value};
use crate::error::FaultError;

/// The maximum length of a fault's name.
pub const NAME_MAX: usize = 128;

/// A fault on the stream of one side.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fault {
    /// Its name. No two faults of a proxy have the same.
    pub name: String,
    /// The side whose bytes it changes: those that the client sends, or those that the server
    /// sends.
    pub side: Side,
    /// The probability that it applies to a connection, from 0 to 1.
    pub probability: f64,
    /// What it does.
    pub effect: Effect,
}

impl Fault {
    /// Creates a fault that applies to every connection. Its name is made of its type and its side.
    #[must_use]
    pub fn new(side: Side, effect: Effect) -> Self {
        Self { name: default_name(&effect, side), side, probability: 1.0, effect }
    }

    /// Checks the name and the probability.
    ///
    /// # Errors
    /// [`FaultError::Name`], [`FaultError::Probability`].
    pub fn check(&self) -> Result<(), FaultError> {
        if self.name.is_empty() || self.name.len() > NAME_MAX || self.name.chars().any(char::is_control) {
            return Err(FaultError::Name(NAME_MAX));
        }
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(FaultError::Probability);
        }
        Ok(())
    }

    /// Parses `TYPE[,NAME=VALUE]...`, the form of a command line. Returns a fault for each side
    /// that it is for.
    ///
    /// The names are those of the type's [attributes](EffectType::all_attributes), and `side`
    /// (`client` or `server`, the sender of the bytes; both without it), `probability` and `name`.
    /// A time has a unit (`250ms`), a size may have one (`64k`), a rate is a size a second. `match`
    /// comes last, since an expression may contain commas.
    ///
    /// ```
    /// use enjamb::Side;
    /// use enjamb_faults::Fault;
    ///
    /// let faults = Fault::parse("latency,side=server,latency=100ms,jitter=20ms").unwrap();
    /// assert_eq!((faults.len(), faults[0].side), (1, Side::Server));
    /// let faults = Fault::parse("drop,every=2,match=kind == \"SET\"").unwrap();
    /// assert_eq!(faults.len(), 2);
    /// ```
    ///
    /// # Errors
    /// [`FaultError`].
    pub fn parse(text: &str) -> Result<Vec<Self>, FaultError> {
        let (name, mut rest) = text.split_once(',').unwrap_or((text, ""));
        let name = name.trim();
        let effect = EffectType::named(name).ok_or_else(|| FaultError::NoType(name.to_owned()))?;
        let (mut values, mut side, mut probability, mut own_name) = (Values::default(), None, 1.0, None);
        while !rest.is_empty() {
            let is_last = rest.trim_start().starts_with("match");
            let (part, behind) = if is_last { (rest, "") } else { rest.split_once(',').unwrap_or((rest, "")) };
            rest = behind;
            let (key, value) = part.split_once('=').ok_or_else(|| FaultError::NoPair(part.trim().to_owned()))?;
            let (key, value) = (key.trim(), value.trim());
            match key {
                "side" => side = Some(parse_side(value)?),
                "probability" => probability = value.parse().map_err(|_| FaultError::Probability)?,
                "name" if value.is_empty() => return Err(FaultError::Name(NAME_MAX)),
                "name" => own_name = Some(value.to_owned()),
                _ => {
                    let Some(attribute) = effect.all_attributes().find(|attribute| attribute.name == key) else {
                        return Err(FaultError::NoAttribute { effect: effect.name, name: key.to_owned() });
                    };
                    values.set(effect, key, parse_value(attribute, value)?)?;
                }
            }
        }
        let effect = Effect::new(effect, &values)?;
        let sides = side.map_or(Side::BOTH.to_vec(), |side| vec![side]);
        let is_single = sides.len() == 1;
        let faults = sides.into_iter().map(|side| {
            let name = match &own_name {
                Some(name) if is_single => name.clone(),
                Some(name) => format!("{name}_{}", stream(side)),
                None => default_name(&effect, side),
            };
            let fault = Self { name, side, probability, effect: effect.clone() };
            fault.check().map(|()| fault)
        });
        faults.collect()
    }
}

/// Returns Toxiproxy's name for the stream that a side sends.
#[must_use]
pub fn stream(side: Side) -> &'static str {
    match side {
        Side::Client => "upstream",
        Side::Server => "downstream",
    }
}

fn default_name(effect: &Effect, side: Side) -> String {
    format!("{}_{}", effect.effect_type().name, stream(side))
}

fn parse_side(text: &str) -> Result<Side, FaultError> {
    match text {
        "client" | "upstream" => Ok(Side::Client),
        "server" | "downstream" => Ok(Side::Server),
        _ => Err(FaultError::Side),
    }
}

fn parse_value(attribute: &Attribute, text: &str) -> Result<Value, FaultError> {
    let name = attribute.name;
    let time = || -> Result<Duration, FaultError> {
        // A bare number is seconds elsewhere and milliseconds in Toxiproxy.
        let has_unit = text == "0" || text.ends_with(|end: char| end.is_ascii_alphabetic());
        parse_duration(text).ok().filter(|_| has_unit).ok_or(FaultError::Time { name })
    };
    let wrong = |_| FaultError::WrongValue { name, unit: attribute.unit };
    Ok(match attribute.unit {
        Unit::Milliseconds => Value::Number(time()?.as_millis() as u64),
        Unit::Microseconds => Value::Number(time()?.as_micros() as u64),
        Unit::KilobytesPerSecond => {
            let rate = parse_size(text).map_err(|_| FaultError::WrongValue { name, unit: attribute.unit })?;
            Value::Number(rate.div_ceil(1000))
        }
        Unit::Bytes => {
            Value::Number(parse_size(text).map_err(|_| FaultError::WrongValue { name, unit: attribute.unit })?)
        }
        Unit::Count => Value::Number(text.parse().map_err(|_: std::num::ParseIntError| ()).map_err(wrong)?),
        Unit::Word(_) | Unit::Expression => Value::Text(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::Select;

    #[test]
    fn a_fault_of_the_command_line_has_its_side_its_name_and_its_attributes() {
        let parse = |text| Fault::parse(text).unwrap();
        let faults = parse("bandwidth,rate=64k");
        let names: Vec<_> = faults.iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(names, ["bandwidth_upstream", "bandwidth_downstream"]);
        assert_eq!(faults[0].effect, Effect::Bandwidth { rate: 66_000 });

        let faults = parse("delay, side=client, name=slow, delay=1.5s, match=kind == \"A,B\" && length > 3");
        let select = Select { expression: Some("kind == \"A,B\" && length > 3".to_owned()), ..Select::default() };
        assert_eq!(faults[0].effect, Effect::Delay { delay: Duration::from_millis(1500), select });
        assert_eq!((faults[0].name.as_str(), faults.len()), ("slow", 1));
        assert!((parse("drop,probability=0.25")[0].probability - 0.25).abs() < 1e-9);
    }

    #[test]
    fn a_wrong_fault_is_refused_with_the_way_out() {
        for (text, part) in [
            ("lag", "there are latency, bandwidth"),
            ("latency,lag=1s", "it has latency, jitter"),
            ("latency,latency=100", "a time with a unit"),
            ("latency,latency", "NAME=VALUE"),
            ("latency,side=left", "`client` or `server`"),
            ("recut,cuts=all", "bytes, edges, random"),
            ("drop,message=0", "counts from 1"),
            ("drop,message=first", "a whole number"),
            ("drop,percent=200", "at most 100"),
            ("drop,probability=2", "from 0 to 1"),
            ("drop,name=", "1 to 128 characters"),
            ("", "there is no fault"),
        ] {
            let error = Fault::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
