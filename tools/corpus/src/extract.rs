//! `enjamb corpus extract`: one conversation of each kind, as files.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use enjamb_protocols::Registry;
use enjamb_sources::{Exit, Inputs, Notices, Progress, SourceReader, check_standard_output, print};

use crate::arguments::ExtractArguments;
use crate::candidates::Candidates;
use crate::conversations::{ConversationTap, Settings};
use crate::extract_report::ExtractReport;

/// Reads captures, and writes one small conversation of each kind.
pub(crate) fn run(arguments: &ExtractArguments, registry: &Registry, notices: &Notices) -> anyhow::Result<Exit> {
    let protocols = match arguments.protocol.choice(registry, &arguments.port) {
        Ok(protocols) => Arc::new(protocols),
        Err(reason) => {
            notices.notice(reason);
            return Ok(Exit::WrongUsage);
        }
    };
    let inputs = Inputs::find(&arguments.captures);
    if let Err(error) = check_standard_output(&inputs) {
        notices.notice(error);
        return Ok(Exit::WrongUsage);
    }
    let folder = &arguments.out;
    std::fs::create_dir_all(folder).with_context(|| format!("--out: {} cannot be created", folder.display()))?;
    let mut candidates = Candidates::default();
    let settings = Settings {
        registry: Arc::new(registry.clone()),
        protocols: Arc::clone(&protocols),
        max: arguments.max_size,
        patience: arguments.hung_after,
        secrets: arguments.secrets,
    };
    let mut tap = ConversationTap::new(settings, |piece| candidates.add(piece));
    let progress = Progress::new(notices, &inputs.captures, false);
    let reader = SourceReader::new(&inputs, &protocols, &progress);
    let totals = reader.read(&mut tap, |tap, next| tap.source = next.input.to_string().into()).totals;
    progress.finish();
    let ConversationTap { conversations, left_out, kinds: mut missing, lost, not_tried, .. } = tap;
    if totals.nothing_read() {
        return Ok(Exit::Unavailable);
    }
    let chosen = candidates.chosen(arguments.all);
    let (mut written, mut existing) = (0u64, 0u64);
    for (signature, candidate) in chosen.iter().take(arguments.max_files) {
        missing.retain(|kind| !candidate.kinds.contains(kind));
        if write_new(folder, &candidate.file_name(signature), &candidate.text)? {
            written += 1;
        } else {
            existing += 1;
        }
    }
    let report = ExtractReport {
        conversations,
        pieces: candidates.pieces,
        signatures: candidates.signatures() as u64,
        same: candidates.same,
        chosen: chosen.len() as u64,
        beyond: candidates.beyond + (chosen.len() as u64).saturating_sub(arguments.max_files as u64),
        written,
        existing,
        left_out,
        missing,
        lost,
        not_tried,
    };
    let exit = if report.lost.is_empty() { Exit::Done } else { Exit::FoundWanting };
    let text = report.to_text(arguments, notices.program());
    print(format!("{totals}{text}")).context("cannot write to standard output")?;
    Ok(exit)
}

/// Writes a new file. Returns `false`, and changes nothing, if a file with this name exists.
fn write_new(folder: &Path, name: &str, text: &str) -> anyhow::Result<bool> {
    let path = folder.join(name);
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
    .with_context(|| format!("--out: {} cannot be written", path.display()))
}
