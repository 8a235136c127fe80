//! Which records are written and counted.

use std::fmt::{self, Write as _};

use enjamb_monitor::{Field, Filter, FilterError, Record, Value};
use enjamb_sources::ConnectionNumbers;
use serde_json::{Map, Value as Json};

use crate::output_arguments::{OutputArguments, SideName};

/// What was asked for with `--conn`, `--side` and `--filter`.
pub(crate) struct Selection {
    pub(crate) numbers: Option<ConnectionNumbers>,
    side: Option<SideName>,
    filter: Option<(Filter, String)>,
}

impl Selection {
    pub(crate) fn new(arguments: &OutputArguments) -> Result<Self, FilterError> {
        let filter = arguments.filter.as_ref().map(|text| Filter::parse(text).map(|filter| (filter, text.clone())));
        Ok(Self { numbers: arguments.conn.clone(), side: arguments.side, filter: filter.transpose()? })
    }

    /// Is anything left out of the connections that are read?
    pub(crate) fn selects_records(&self) -> bool {
        self.side.is_some() || self.filter.is_some()
    }

    /// Is this record of such a connection wanted? `--side client` is `--filter 'side == "client"'`.
    pub(crate) fn wants(&self, record: &Record<'_>) -> bool {
        let of_side = |side: SideName| matches!(record.get(Field::Side), Some(Value::Text(sender)) if sender == side.side().as_str());
        self.side.is_none_or(of_side) && self.filter.as_ref().is_none_or(|(filter, _)| filter.matches(record))
    }

    /// The field `selected` of the summary.
    pub(crate) fn to_json(&self) -> Option<Json> {
        let mut selected = Map::new();
        if let Some(numbers) = &self.numbers {
            selected.insert("conn".into(), numbers.to_string().into());
        }
        if let Some(side) = self.side {
            selected.insert("side".into(), side.side().as_str().into());
        }
        if let Some((_, text)) = &self.filter {
            selected.insert("filter".into(), text.clone().into());
        }
        (!selected.is_empty()).then(|| selected.into())
    }
}

/// The line that says what is counted. Nothing, if everything is.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(selected) = self.to_json() else { return Ok(()) };
        f.write_str("counted below is only what was selected:")?;
        for (name, value) in selected.as_object().into_iter().flatten() {
            let quote = if name == "filter" { "'" } else { "" };
            write!(f, " --{name} {quote}")?;
            for c in value.as_str().unwrap_or_default().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            f.write_str(quote)?;
        }
        writeln!(f)
    }
}
