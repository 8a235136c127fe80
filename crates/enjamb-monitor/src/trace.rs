//! Records by way of `tracing`.
//!
//! [`emit`] makes one event of a record, with the fields of the schema, under the target [`TARGET`]; any subscriber can take it. [`RecordLayer`] is the subscriber
//! layer that writes these events as the lines that [`Format`] writes. There is no span per connection: a span costs more than the
//! event, and the event says which connection it is of.

use std::cell::Cell;
use std::fmt::Debug;
use std::io::Write;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::format::{Format, LineWriter, Rfc3339};
use crate::record::{Record, Value, Visitor, micros};

/// The target of the events that are records.
pub const TARGET: &str = "enjamb::record";

/// Makes an event of `record`. Its fields are those of [`Record::visit`], in the same order: a layer writes them as they come. Nothing is
/// formatted here: whoever takes the event formats it, or does not. Payloads are left out: a log is not the place for them.
pub fn emit(record: &Record<'_>) {
    let r#type = record.type_name();
    match *record {
        Record::Opened { connection, time } => tracing::info!(
            target: TARGET,
            r#type,
            time = %Rfc3339(time),
            conn = connection.number,
            client = %connection.client,
            server = %connection.server,
            event = "open",
        ),
        Record::Ended { connection, protocol, time, opened, sides: [client, server] } => tracing::info!(
            target: TARGET,
            r#type,
            time = %Rfc3339(time),
            conn = connection.number,
            client = %connection.client,
            server = %connection.server,
            protocol,
            event = "end",
            duration_us = micros(time, opened),
            client_bytes = client.bytes,
            client_messages = client.messages,
            client_ending = client.ending().as_str(),
            server_bytes = server.bytes,
            server_messages = server.messages,
            server_ending = server.ending().as_str(),
        ),
        Record::Message { connection, time, message, latency_us, cuts, .. } => tracing::info!(
            target: TARGET,
            r#type,
            time = %Rfc3339(time),
            conn = connection.number,
            client = %connection.client,
            server = %connection.server,
            protocol = message.protocol,
            side = message.side.as_str(),
            kind = message.kind,
            offset = message.span.offset,
            length = message.span.length,
            outcome = message.outcome.as_str(),
            code = message.code,
            reason = message.reason,
            latency_us,
            cuts,
            summary = %message.summary,
        ),
        Record::Gap { connection, time, side, offset, missing } => tracing::info!(
            target: TARGET,
            r#type,
            time = %Rfc3339(time),
            conn = connection.number,
            client = %connection.client,
            server = %connection.server,
            side = side.as_str(),
            offset,
            missing,
        ),
        Record::Error { connection, time, reason } => tracing::info!(
            target: TARGET,
            r#type,
            time = %Rfc3339(time),
            conn = connection.map(|connection| connection.number),
            client = connection.map(|connection| tracing::field::display(connection.client)),
            server = connection.map(|connection| tracing::field::display(connection.server)),
            reason,
        ),
    }
}

thread_local! {
    /// The line that a thread writes, kept for the next one.
    static LINE: Cell<String> = const { Cell::new(String::new()) };
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
        // Taken out while it is in use: formatting may come by here again.
        let mut line = LINE.take();
        line.clear();
        let mut writer = self.format.writer(&mut line);
        event.record(&mut Recorded(&mut writer));
        writer.finish();
        if let Ok(mut out) = self.out.lock() {
            let _ = out.write_all(line.as_bytes());
        }
        LINE.set(line);
    }
}

/// The fields of an event, given to a writer as those of a record.
struct Recorded<'a, 'l>(&'a mut LineWriter<'l>);

impl Visit for Recorded<'_, '_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.field(field.name(), Value::Number(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.field(field.name(), Value::Text(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.field(field.name(), Value::Display(&format_args!("{value:?}")));
    }
}
