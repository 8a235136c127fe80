//! `enjamb corpus show`: a line for each transcript.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::time::Duration;

use anyhow::Context;
use enjamb::Outcome;
use enjamb::transcript::Content;
use enjamb_isolate::{Failure, supervise};
use enjamb_protocols::Registry;
use enjamb_sources::{Exit, Input, Inputs, Notices, TranscriptFile, print};

use crate::arguments::ShowArguments;
use crate::parse::parse;

/// The time that a session may take for a transcript.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number of kinds of messages that are listed for one transcript.
const KINDS_MAX: usize = 6;

/// The line of one transcript.
struct Row {
    file: String,
    protocol: String,
    bytes: usize,
    chunks: usize,
    messages: usize,
    not_ok: usize,
    kinds: String,
}

/// Lists transcripts on standard output. A transcript that cannot be read causes a message on
/// standard error.
pub(crate) fn run(arguments: &ShowArguments, registry: &Registry, notices: &Notices) -> anyhow::Result<Exit> {
    let Inputs { captures, unreadable, .. } = Inputs::find(&arguments.files);
    unreadable.iter().for_each(|unreadable| notices.notice(unreadable));
    let (mut rows, mut failed) = (Vec::new(), 0);
    for input in &captures {
        match row(input, registry) {
            Ok(row) => rows.push(row),
            Err(error) => {
                failed += usize::from(matches!(error, RowError::SessionFailed(_)));
                let (RowError::Unreadable(reason) | RowError::SessionFailed(reason)) = error;
                notices.notice(format_args!("{input}: {reason}"));
            }
        }
    }
    if captures.is_empty() {
        let program = notices.program();
        notices.notice(format_args!("there are no transcripts to show: `{program} corpus extract` makes some"));
    }
    print(table(&rows)).context("cannot write to standard output")?;
    Ok(match (failed, rows.is_empty()) {
        (0, true) => Exit::Unavailable,
        (0, false) => Exit::Done,
        _ => Exit::FoundWanting,
    })
}

/// The reason why there is no row for a transcript.
enum RowError {
    /// It cannot be read, or its protocol is not known.
    Unreadable(String),
    /// Its session panics or hangs.
    SessionFailed(String),
}

fn row(input: &Input, registry: &Registry) -> Result<Row, RowError> {
    let Input::File(path) = input else {
        return Err(RowError::Unreadable("only files are listed".to_owned()));
    };
    let file = File::open(path).map_err(|error| RowError::Unreadable(error.to_string()))?;
    let file = TranscriptFile::read(file).map_err(|error| RowError::Unreadable(error.to_string()))?;
    let transcript = file.transcript;
    let name = transcript.protocol.clone().unwrap_or_else(|| "auto".to_owned());
    let protocol = registry.resolve(&name).map_err(|error| RowError::Unreadable(error.to_string()))?;
    let bytes = transcript.payload_len();
    let chunks = transcript.entries.iter().filter(|entry| matches!(entry.content, Content::Chunk(_))).count();
    let work = move || {
        let mut session = protocol.session(protocol.ports().first().copied());
        parse(session.as_mut(), &transcript, true).messages
    };
    let messages = supervise(&input.to_string(), PATIENCE, work).map_err(|failure| {
        RowError::SessionFailed(match failure {
            Failure::Panicked(panic) => format!("its session panicked: {panic}"),
            Failure::Hung(patience) => format!("its session did not return within {} s", patience.as_secs()),
            other => other.to_string(),
        })
    })?;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &messages {
        *kinds.entry(&message.kind).or_default() += 1;
    }
    let mut listed: Vec<String> =
        kinds.iter().take(KINDS_MAX).map(|(kind, count)| format!("{count} {}", kind.escape_debug())).collect();
    if kinds.len() > KINDS_MAX {
        listed.push("...".to_owned());
    }
    Ok(Row {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        protocol: name,
        bytes,
        chunks,
        messages: messages.len(),
        not_ok: messages.iter().filter(|message| message.outcome != Outcome::Ok).count(),
        kinds: listed.join(", "),
    })
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let width = |of: fn(&Row) -> &str, least, most| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or_default().clamp(least, most)
    };
    let (files, protocols) = (width(|row| &row.file, 4, 60), width(|row| &row.protocol, 8, 30));
    let _ = writeln!(
        text,
        "{:files$}  {:protocols$} {:>8} {:>8} {:>8} {:>8}  kinds",
        "file", "protocol", "bytes", "chunks", "messages", "not ok"
    );
    for Row { file, protocol, bytes, chunks, messages, not_ok, kinds } in rows {
        let _ = writeln!(
            text,
            "{file:files$}  {protocol:protocols$} {bytes:>8} {chunks:>8} {messages:>8} {not_ok:>8}  {kinds}"
        );
    }
    let total = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let s = if rows.len() == 1 { "" } else { "s" };
    let (bytes, messages) = (total(|row| row.bytes), total(|row| row.messages));
    let _ = writeln!(text, "\n{} transcript{s}, {bytes} bytes, {messages} messages", rows.len());
    text
}
