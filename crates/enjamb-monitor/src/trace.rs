//! Records by way of `tracing`.
//!
//! [`emit`] makes one event of a record, with the fields of the schema, under the target [`TARGET`]; any subscriber can take it. [`RecordLayer`] is the subscriber
//! layer that writes these events as the lines that [`Format`] writes. There is no span per connection: a span costs more than the
//! event, and the event says which connection it is of.

use std::fmt::Debug;
use std::io::Write;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::format::{Format, LineWriter, Rfc3339};
use crate::record::{Record, Value, Visitor};

/// The target of the events that are records.
pub const TARGET: &str = "enjamb::record";

/// Makes an event of `record`.
pub fn emit(record: &Record<'_>) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    let mut fields = Fields::default();
    record.visit(&mut fields);
    let Fields { texts, numbers } = &fields;
    let text = |name: &str| texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str());
    let number = |name: &str| numbers.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    // In the order in which `Record::visit` gives them: a layer writes them as they come.
    tracing::info!(
        target: TARGET,
        r#type = text("type"),
        time = text("time"),
        conn = number("conn"),
        client = text("client"),
        server = text("server"),
        protocol = text("protocol"),
        event = text("event"),
        duration_us = number("duration_us"),
        client_bytes = number("client_bytes"),
        client_messages = number("client_messages"),
        client_ending = text("client_ending"),
        server_bytes = number("server_bytes"),
        server_messages = number("server_messages"),
        server_ending = text("server_ending"),
        side = text("side"),
        kind = text("kind"),
        offset = number("offset"),
        length = number("length"),
        missing = number("missing"),
        outcome = text("outcome"),
        code = text("code"),
        reason = text("reason"),
        latency_us = number("latency_us"),
        cuts = number("cuts"),
        summary = text("summary"),
    );
}

/// The fields of one record.
#[derive(Default)]
struct Fields {
    texts: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, u64)>,
}

impl Visitor for Fields {
    fn field(&mut self, name: &'static str, value: Value<'_>) {
        match value {
            Value::Number(number) => self.numbers.push((name, number)),
            Value::Text(text) => self.texts.push((name, text.to_owned())),
            Value::Display(display) => self.texts.push((name, display.to_string())),
            Value::Time(time) => self.texts.push((name, Rfc3339(time).to_string())),
        }
    }
}

/// Writes the events that are records, one line each.
pub struct RecordLayer<W> {
    format: Format,
    out: Mutex<W>,
}

impl<W: Write> RecordLayer<W> {
    /// Writes to `out`, which takes each line in one call. A line that cannot be written is lost: whoever needs to know counts in `out`.
    pub fn new(format: Format, out: W) -> Self {
        Self { format, out: Mutex::new(out) }
    }
}

impl<S: Subscriber, W: Write + 'static> Layer<S> for RecordLayer<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut line = String::with_capacity(320);
        let mut writer = self.format.writer(&mut line);
        event.record(&mut Recorded(&mut writer));
        writer.finish();
        if let Ok(mut out) = self.out.lock() {
            let _ = out.write_all(line.as_bytes());
        }
    }
}

/// The fields of an event, given to a writer as those of a record.
struct Recorded<'a, 'l>(&'a mut LineWriter<'l>);

impl Visit for Recorded<'_, '_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.field(field.name(), Value::Number(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let name = field.name();
        self.0.field(name, if name == "time" { Value::Display(&value) } else { Value::Text(value) });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.field(field.name(), Value::Display(&format_args!("{value:?}")));
    }
}
