//! `enjamb corpus show`: what is in a corpus, a line a transcript.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use enjamb::Outcome;
use enjamb::transcript::Content;
use enjamb_isolate::{Failure, supervise};
use enjamb_protocols::Registry;
use enjamb_replay::transcripts::Text;
use enjamb_replay::{Input, Inputs};

use crate::pieces::says;
use crate::{FOUND_WANTING, NOTHING_READ, ShowArguments};

/// How long a session may take over a transcript.
const PATIENCE: Duration = Duration::from_secs(20);

/// Kinds of messages that are listed of one transcript.
const MOST_KINDS: usize = 6;

/// What is in one transcript.
struct Row {
    file: String,
    protocol: String,
    bytes: usize,
    chunks: usize,
    messages: usize,
    not_ok: usize,
    kinds: String,
}

/// Lists transcripts on standard output. Those that cannot be read are told on standard error, and the others go on.
pub(crate) fn run(arguments: &ShowArguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    let Inputs { captures, unreadable, .. } = Inputs::find(&arguments.files);
    let mut faults: Vec<String> = unreadable.iter().map(|(name, error)| format!("{name}: {error}")).collect();
    let (mut rows, mut failed) = (Vec::new(), 0);
    for input in &captures {
        match row(input, registry) {
            Ok(row) => rows.push(row),
            Err(Wrong::Unreadable(why)) => faults.push(format!("{}: {why}", input.name())),
            Err(Wrong::Fails(why)) => {
                failed += 1;
                faults.push(format!("{}: {why}", input.name()));
            }
        }
    }
    faults.iter().for_each(|fault| eprintln!("enjamb corpus: {fault}"));
    if captures.is_empty() {
        eprintln!("enjamb corpus: there are no transcripts to show: `enjamb corpus extract` makes some");
    }
    match io::stdout().lock().write_all(table(&rows).as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write to standard output");
        }
        _ => {}
    }
    Ok(match (failed, rows.is_empty()) {
        (0, true) => ExitCode::from(NOTHING_READ),
        (0, false) => ExitCode::SUCCESS,
        _ => ExitCode::from(FOUND_WANTING),
    })
}

/// Why there is no row of a transcript.
enum Wrong {
    /// It cannot be read, or nobody knows what it speaks.
    Unreadable(String),
    /// Its session panics or hangs.
    Fails(String),
}

fn row(input: &Input, registry: &Registry) -> Result<Row, Wrong> {
    let Input::File(path) = input else {
        return Err(Wrong::Unreadable("only files are listed".to_owned()));
    };
    let file = File::open(path).map_err(|error| Wrong::Unreadable(error.to_string()))?;
    let transcript = Text::read(file).map_err(Wrong::Unreadable)?.transcript;
    let name = transcript.protocol.clone().unwrap_or_else(|| "auto".to_owned());
    let protocol = registry.resolve(&name).map_err(|error| Wrong::Unreadable(error.to_string()))?;
    let bytes = transcript.payload_len();
    let chunks = transcript.entries.iter().filter(|entry| matches!(entry.content, Content::Chunk(_))).count();
    let work = move || says(protocol.session(protocol.ports().first().copied()).as_mut(), &transcript, true).0;
    let said = supervise(&input.name(), PATIENCE, work).map_err(|lost| {
        Wrong::Fails(match lost {
            Failure::Panicked(panic) => format!("its session panicked: {panic}"),
            Failure::Hung(patience) => format!("its session did not come back within {} s", patience.as_secs()),
            other => other.to_string(),
        })
    })?;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &said {
        *kinds.entry(&message.kind).or_default() += 1;
    }
    let mut listed: Vec<String> =
        kinds.iter().take(MOST_KINDS).map(|(kind, count)| format!("{count} {}", kind.escape_debug())).collect();
    if kinds.len() > MOST_KINDS {
        listed.push("...".to_owned());
    }
    Ok(Row {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        protocol: name,
        bytes,
        chunks,
        messages: said.len(),
        not_ok: said.iter().filter(|message| message.outcome != Outcome::Ok).count(),
        kinds: listed.join(", "),
    })
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let longest = |of: fn(&Row) -> &str, least, most| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or_default().clamp(least, most)
    };
    let (files, protocols) = (longest(|row| &row.file, 4, 60), longest(|row| &row.protocol, 8, 30));
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
