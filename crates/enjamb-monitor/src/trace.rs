//! Records as events of `tracing`, for other subscribers.
//!
//! The event of a record has the target [`TARGET`], the level `INFO` and the fields of the schema:
//! those that the record has are set, the others are not. There is no span for a connection: a span
//! costs more than an event, and the event has the number of the connection. enjamb's own logs are
//! written from the records themselves, by [`Format`](crate::Format).

use tracing::field::{DisplayValue, display};

use crate::field::{Field, with_field_table};
use crate::record::{Record, Value};

/// The target of the events that are records.
pub const TARGET: &str = "enjamb::record";

/// Emits an event for `record`. Without a subscriber this is a check of one flag; with one, the
/// fields are passed unformatted.
pub fn emit(record: &Record<'_>) {
    macro_rules! emit_event {
        ($($field:ident $name:literal $type:ident always $always:tt sometimes $sometimes:tt $meaning:literal;)*) => {
            tracing::event!(target: TARGET, tracing::Level::INFO, { $($name = field_value!(record, $field, $type)),* })
        };
    }
    with_field_table!(emit_event! {});
}

/// The value of a field as a type that `tracing` supports. An absent value is not recorded.
macro_rules! field_value {
    ($record:ident, $field:ident, Word) => {
        text($record.get(Field::$field))
    };
    ($record:ident, $field:ident, Text) => {
        text($record.get(Field::$field))
    };
    ($record:ident, $field:ident, Code) => {
        text($record.get(Field::$field))
    };
    ($record:ident, $field:ident, Count) => {
        number($record.get(Field::$field))
    };
    ($record:ident, $field:ident, Bytes) => {
        number($record.get(Field::$field))
    };
    ($record:ident, $field:ident, Micros) => {
        number($record.get(Field::$field))
    };
    ($record:ident, $field:ident, $type:ident) => {
        shown($record.get(Field::$field))
    };
}
use field_value;

fn text(value: Option<Value<'_>>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn number(value: Option<Value<'_>>) -> Option<u64> {
    value.and_then(Value::as_number)
}

fn shown(value: Option<Value<'_>>) -> Option<DisplayValue<Value<'_>>> {
    value.map(display)
}
