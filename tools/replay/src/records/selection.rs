//! The selection of the records that are written and counted.

use std::fmt::{self, Write as _};
use std::num::NonZeroU64;

use enjamb_monitor::{Filter, FilterError, Record};
use enjamb_protocols::Registry;
use enjamb_sources::ConnectionNumbers;
use serde_json::{Map, Value as Json};

use crate::output_arguments::{OutputArguments, SideName};

/// The selection by `--conn`, `--side` and `--filter`.
pub(crate) struct Selection {
    pub(crate) numbers: Option<ConnectionNumbers>,
    side: Option<SideName>,
    filter: Option<(Filter, String)>,
    /// The maximum number of messages.
    pub(crate) count: Option<u64>,
}

impl Selection {
    pub(crate) fn new(arguments: &OutputArguments, registry: &Registry) -> Result<Self, FilterError> {
        let protocols = registry.attributes();
        let filter = arguments.filter.as_ref();
        let filter = filter.map(|text| Filter::parse_with(text, &protocols).map(|filter| (filter, text.clone())));
        Ok(Self {
            numbers: arguments.conn.clone(),
            side: arguments.side,
            filter: filter.transpose()?,
            count: arguments.count.map(NonZeroU64::get),
        })
    }

    /// Returns whether sessions must keep the attributes of their messages.
    pub(crate) fn names_attributes(&self) -> bool {
        self.filter.as_ref().is_some_and(|(filter, _)| filter.has_attributes())
    }

    /// Returns whether some records of the selected connections are left out.
    pub(crate) fn selects_records(&self) -> bool {
        self.side.is_some() || self.filter.is_some() || self.count.is_some()
    }

    /// Returns whether this record of a selected connection is selected. `--side client` means
    /// `--filter 'side == "client"'`.
    pub(crate) fn wants(&self, record: &Record<'_>) -> bool {
        self.side.is_none_or(|side| record.side() == Some(side.side()))
            && self.filter.as_ref().is_none_or(|(filter, _)| filter.matches(record))
    }

    /// Returns the field `selected` of the summary.
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
        if let Some(count) = self.count {
            selected.insert("count".into(), count.into());
        }
        (!selected.is_empty()).then(|| selected.into())
    }
}

/// The line that names the selection. Empty if everything is selected.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(selected) = self.to_json() else { return Ok(()) };
        f.write_str("only the selected records were counted:")?;
        for (name, value) in selected.as_object().into_iter().flatten() {
            let quote = if name == "filter" { "'" } else { "" };
            write!(f, " --{name} {quote}")?;
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            for c in text.chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            f.write_str(quote)?;
        }
        writeln!(f)
    }
}
